//! The path from the host through us, from left to right: for wide screens.

use ratatui::layout::Rect;

use super::{Ties, mark, milliseconds, name};
use crate::engine::snapshot::{ChannelView, Role as Part};
use crate::mesh::stats::Neighbour;
use crate::tui::neighbours::stripe_words;
use crate::tui::theme::Role;
use crate::tui::update::words::rate;
use crate::tui::view::Pen;
use crate::units::PeerId;

/// Columns that the drawing needs.
pub const CELLS: u16 = 76;
/// Where each part of the drawing begins: the host, its branches, parents, the way to us, ourselves, our branches,
/// children.
const HOST: u16 = 0;
const STEM: u16 = 7;
const BRANCH: u16 = 8;
const PARENT: u16 = 12;
const GATHER: u16 = 33;
const YOU: u16 = 39;
const YOUR_STEM: u16 = 45;
const TWIG: u16 = 54;
const CHILD: u16 = 58;

/// Who stands at a place of the drawing.
pub fn peer_at(area: Rect, column: u16, row: u16, channel: &ChannelView, neighbours: &[&Neighbour]) -> Option<PeerId> {
    let ties = Ties::of(neighbours);
    let row = row.checked_sub(area.y + 1)?;
    let hosting = channel.role == Part::Host;
    let list = match column.checked_sub(area.x)? {
        PARENT.. if hosting => &ties.children,
        PARENT..GATHER => &ties.parents,
        CHILD.. => &ties.children,
        _ => return None,
    };
    let shown = list.iter().take(usize::from(stage_rows(area)));
    shown.map(|neighbour| neighbour.peer).nth(usize::from(row))
}

/// Rows for names: the foot holds standbys, stripes, a rule and the legend.
fn stage_rows(area: Rect) -> u16 {
    area.height.saturating_sub(7).max(2)
}

/// Draws the three stages, the standbys, the stripes with their parents, and the legend.
pub fn draw(
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    neighbours: &[&Neighbour],
    selected: Option<&Neighbour>,
) {
    let selected = selected.map(|neighbour| neighbour.peer);
    let ties = Ties::of(neighbours);
    let stage = Rect {
        y: area.y + 1,
        height: stage_rows(area),
        ..area
    };
    heads(pen, area, channel);
    if channel.role == Part::Host {
        host(pen, stage, channel, "YOU");
        branches(pen, stage, BRANCH, ties.children.len(), Role::LinkSelf, true);
        let at = Rect {
            x: stage.x + PARENT,
            width: stage.width - PARENT,
            ..stage
        };
        column(pen, at, &ties.children, channel, selected, false);
    } else {
        host(pen, stage, channel, "host");
        parents(pen, stage, channel, &ties.parents, selected);
        you(pen, stage, channel);
        let at = Rect {
            x: stage.x + CHILD,
            width: stage.width - CHILD,
            ..stage
        };
        branches(pen, stage, TWIG, ties.children.len(), Role::LinkSelf, true);
        column(pen, at, &ties.children, channel, selected, false);
        if ties.children.is_empty() {
            pen.line(at, 0, &[("nobody yet", Role::Muted)]);
        }
    }
    foot(pen, area, channel, &ties, neighbours, selected);
}

fn heads(pen: &mut Pen<'_>, area: Rect, channel: &ChannelView) {
    if channel.role == Part::Host {
        pen.line(area, 0, &[("HOP 0", Role::Muted)]);
        pen.at(area, PARENT, 0, &[("FED BY YOU", Role::Muted)]);
        return;
    }
    let you = match channel.hops {
        0 => "YOU".to_owned(),
        hops => format!("YOU, HOP {hops}"),
    };
    let above = match channel.hops {
        0 | 1 => "FEEDS YOU".to_owned(),
        2 => "FEEDS YOU, HOP 1".to_owned(),
        hops => format!("FEEDS YOU, HOP {}", hops - 1),
    };
    for (at, text) in [(HOST, "HOP 0"), (PARENT, &above), (YOU, &you), (CHILD, "FED BY YOU")] {
        pen.at(area, at, 0, &[(text, Role::Muted)]);
    }
}

fn host(pen: &mut Pen<'_>, stage: Rect, channel: &ChannelView, word: &str) {
    let glyphs = pen.glyphs();
    let role = if word == "YOU" { Role::Key } else { Role::Fg };
    pen.at(
        stage,
        HOST,
        0,
        &[(&glyphs.host, Role::NodeHost), (" ", Role::Fg), (word, role)],
    );
    let bitrate = rate(u64::from(channel.bitrate_bps));
    pen.at(stage, HOST, 1, &[("  ", Role::Fg), (&bitrate, Role::Dim)]);
}

/// A trunk with a branch a row; `own` links are ours, drawn double.
fn branches(pen: &mut Pen<'_>, stage: Rect, column: u16, count: usize, role: Role, own: bool) {
    let glyphs = pen.glyphs();
    let count = count.min(usize::from(stage.height));
    let stem = if column == BRANCH { STEM } else { YOUR_STEM };
    let line = if own { &glyphs.line_self } else { &glyphs.rule };
    if count > 0 {
        let line = line.repeat(usize::from(column - stem));
        pen.at(stage, stem, 0, &[(&line, role)]);
    }
    for row in 0..count {
        let last = row + 1 == count;
        let sign = match (row, last, own) {
            (0, true, true) => &glyphs.link_self,
            (0, true, false) => &glyphs.link,
            (0, false, true) => &glyphs.fork,
            (0, false, false) => &glyphs.fork_far,
            (_, true, true) => &glyphs.branch_last,
            (_, true, false) => &glyphs.twig_last,
            (_, false, true) => &glyphs.branch,
            (_, false, false) => &glyphs.twig,
        };
        pen.at(stage, column, row as u16, &[(sign, role)]);
    }
}

/// Whoever feeds us, and how they meet in us. The way from the host to them is not ours to see and is drawn thin.
fn parents(pen: &mut Pen<'_>, stage: Rect, channel: &ChannelView, parents: &[&Neighbour], selected: Option<PeerId>) {
    if parents.is_empty() {
        pen.at(stage, PARENT, 0, &[("nobody at this moment", Role::Warn)]);
        pen.at(stage, PARENT, 1, &[("c asks again", Role::Muted)]);
        return;
    }
    branches(pen, stage, BRANCH, parents.len(), Role::Link, false);
    let at = Rect {
        x: stage.x + PARENT,
        width: GATHER - PARENT,
        ..stage
    };
    column(pen, at, parents, channel, selected, true);
    let glyphs = pen.glyphs();
    let count = parents.len().min(usize::from(stage.height));
    for row in 0..count {
        let last = row + 1 == count;
        let sign = match (row, last) {
            (0, true) => glyphs.line_self.repeat(5),
            (0, false) => format!("{}{}", glyphs.gather, glyphs.line_self.repeat(2)),
            (_, true) => glyphs.gather_last.clone(),
            (_, false) => glyphs.gather_on.clone(),
        };
        pen.at(stage, GATHER, row as u16, &[(&sign, Role::LinkSelf)]);
    }
}

/// A name a row, with its stripes and its round trip.
fn column(
    pen: &mut Pen<'_>,
    area: Rect,
    peers: &[&Neighbour],
    channel: &ChannelView,
    selected: Option<PeerId>,
    incoming: bool,
) {
    let room = usize::from(area.height);
    for (row, peer) in peers.iter().take(room).enumerate() {
        let (sign, role) = mark(pen, peer);
        let mask = if incoming { peer.feeds_us } else { peer.fed_by_us };
        let stripes = format!(" {}", stripe_words(mask, channel.parents.len()));
        let hidden = peers.len().saturating_sub(room);
        let more = if row + 1 == room && hidden > 0 {
            format!(" +{hidden}")
        } else {
            String::new()
        };
        let name = name(peer);
        let parts = [
            (sign, role),
            (" ", Role::Fg),
            (&name, if peer.stalled { Role::Warn } else { Role::Fg }),
            (&stripes, Role::Accent),
            (&more, Role::Muted),
        ];
        pen.line(area, row as u16, &parts);
        let is_selected = selected == Some(peer.peer);
        if is_selected {
            pen.paint_row(area, row as u16, Role::Selection);
        }
        let role = if is_selected { Role::Selection } else { Role::Dim };
        let rtt = format!("{}{}", milliseconds(peer), if incoming { " " } else { "" });
        pen.line_right(area, row as u16, &[(&rtt, role)]);
    }
}

fn you(pen: &mut Pen<'_>, stage: Rect, channel: &ChannelView) {
    let glyphs = pen.glyphs();
    pen.at(stage, YOU, 0, &[(&glyphs.room, Role::Accent), (" YOU", Role::Key)]);
    let slots = format!("{} of {} slots", channel.children, channel.slots);
    let feeding = format!("feeding {}", channel.downstream);
    let lag = format!("{} ms lag", channel.lag.as_millis());
    for (row, text) in [slots, feeding, lag].iter().enumerate() {
        pen.at(stage, YOU, row as u16 + 1, &[(text, Role::Dim)]);
    }
}

fn foot(
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    ties: &Ties<'_>,
    neighbours: &[&Neighbour],
    selected: Option<PeerId>,
) {
    let glyphs = pen.glyphs();
    let row = area.height - 5;
    if channel.role != Part::Host {
        let mut parts = vec![("STRIPES   ".to_owned(), Role::Muted)];
        for (stripe, parent) in channel.parents.iter().enumerate().take(6) {
            let known = parent.and_then(|peer| neighbours.iter().find(|n| n.peer == peer));
            parts.push((format!("{} ", stripe + 1), Role::Accent));
            match (known, parent) {
                (Some(neighbour), _) => parts.push((format!("{}   ", name(neighbour)), Role::Fg)),
                (None, Some(peer)) => parts.push((format!("{}   ", peer.short()), Role::Fg)),
                (None, None) => parts.push(("nobody   ".to_owned(), Role::Warn)),
            }
        }
        line_of(pen, area, row, &parts);
    }
    let mut parts = vec![("STANDBY   ".to_owned(), Role::Muted)];
    for spare in ties.spares.iter().take(4) {
        let (sign, role) = mark(pen, spare);
        parts.push((sign.to_owned(), role));
        let role = if selected == Some(spare.peer) {
            Role::Selection
        } else {
            Role::Fg
        };
        parts.push((format!(" {} {}", name(spare), milliseconds(spare)), role));
        parts.push(("   ".to_owned(), Role::Fg));
    }
    if ties.spares.is_empty() {
        parts.push(("nobody is kept warm at this moment".to_owned(), Role::Dim));
    }
    line_of(pen, area, row + 1, &parts);
    let soft = glyphs.soft_rule.repeat(usize::from(area.width));
    pen.line(area, row + 3, &[(&soft, Role::Border)]);
    pen.line(
        area,
        row + 4,
        &[
            (&glyphs.host, Role::NodeHost),
            (" host  ", Role::Dim),
            (&glyphs.room, Role::NodeRoom),
            (" carries  ", Role::Dim),
            (&glyphs.full, Role::NodeFull),
            (" standby  ", Role::Dim),
            (&glyphs.stalled, Role::NodeStalled),
            (" stalled  ", Role::Dim),
            (&glyphs.link_self, Role::LinkSelf),
            (" your links  ", Role::Dim),
            (&glyphs.link, Role::Link),
            (" not seen from here", Role::Dim),
        ],
    );
}

fn line_of(pen: &mut Pen<'_>, area: Rect, row: u16, parts: &[(String, Role)]) {
    let parts: Vec<(&str, Role)> = parts.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    pen.line(area, row, &parts);
}
