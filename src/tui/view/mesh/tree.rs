//! The path from the host through us, one below the other: for narrow screens.

use ratatui::layout::Rect;

use super::{Ties, mark, milliseconds, name};
use crate::engine::snapshot::{ChannelView, Role as Part};
use crate::mesh::stats::Neighbour;
use crate::tui::model::Model;
use crate::tui::neighbours::stripe_words;
use crate::tui::text::width;
use crate::tui::theme::Role;
use crate::tui::update::words::rate;
use crate::tui::view::{Pen, from};
use crate::units::PeerId;

/// Where the parts stand: how many parents and children have a row, and the first row of each.
struct Rows {
    parents: usize,
    you: u16,
    children: usize,
}

impl Rows {
    fn of(height: u16, hosting: bool, ties: &Ties<'_>) -> Rows {
        let room = usize::from(height);
        let parents = if hosting {
            0
        } else {
            ties.parents.len().min(room.saturating_sub(5).max(1))
        };
        let you = if hosting { 0 } else { 1 + parents.max(1) as u16 };
        let left = room.saturating_sub(usize::from(you) + 3).max(1);
        Rows {
            parents,
            you,
            children: ties.children.len().min(left),
        }
    }
}

/// Who stands on a row of the drawing.
pub fn peer_at(height: u16, row: u16, channel: &ChannelView, neighbours: &[&Neighbour]) -> Option<PeerId> {
    let ties = Ties::of(neighbours);
    let rows = Rows::of(height, channel.role == Part::Host, &ties);
    let (list, shown, at) = if row > rows.you {
        (&ties.children, rows.children, row - rows.you - 1)
    } else {
        (&ties.parents, rows.parents, row.checked_sub(1)?)
    };
    list.iter()
        .take(shown)
        .nth(usize::from(at))
        .map(|neighbour| neighbour.peer)
}

/// Draws the parents with their stripes, ourselves, the children.
pub fn draw(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    neighbours: &[&Neighbour],
    selected: Option<&Neighbour>,
) {
    let ties = Ties::of(neighbours);
    let hosting = channel.role == Part::Host;
    let rows = Rows::of(area.height, hosting, &ties);
    let selected = selected.map(|neighbour| neighbour.peer);
    if !hosting {
        upstream(model, pen, area, channel, &ties.parents, rows.parents, selected);
    }
    let glyphs = pen.glyphs();
    let you = if hosting { &glyphs.host } else { &glyphs.room };
    let slots = format!(
        "  {} of {} slots, feeding {}",
        channel.children, channel.slots, channel.downstream
    );
    let indent: u16 = if hosting { 0 } else { 4 };
    let parts = [(you.as_str(), Role::Accent), (" YOU", Role::Key), (&slots, Role::Dim)];
    pen.at(area, indent, rows.you, &parts);
    let below = Rect {
        x: area.x + indent.min(area.width),
        y: area.y + rows.you + 1,
        width: area.width.saturating_sub(indent),
        height: area.height.saturating_sub(rows.you + 1),
    };
    downstream(model, pen, below, channel, &ties.children, rows.children, selected);
    let row = rows.you + 1 + rows.children.max(1) as u16 + 1;
    if !ties.spares.is_empty() && row < area.height {
        standby(pen, area, row, &ties.spares, selected);
    }
}

fn standby(pen: &mut Pen<'_>, area: Rect, row: u16, spares: &[&Neighbour], selected: Option<PeerId>) {
    let mut x = pen.line(area, row, &[("standby ", Role::Dim)]);
    for spare in spares.iter().take(4) {
        let role = if selected == Some(spare.peer) {
            Role::Selection
        } else {
            Role::Fg
        };
        let words = format!("{} {}", spare.peer.short(), milliseconds(spare));
        x = pen.line(from(area, x), row, &[(&words, role), ("   ", Role::Fg)]);
    }
}

fn upstream(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    parents: &[&Neighbour],
    shown: usize,
    selected: Option<PeerId>,
) {
    let glyphs = pen.glyphs();
    let host_rate = rate(u64::from(channel.bitrate_bps));
    let between = match channel.hops {
        0 | 1 => String::new(),
        hops => format!("   {hops} hops to you"),
    };
    pen.line(
        area,
        0,
        &[
            (&glyphs.host, Role::NodeHost),
            (" host ", Role::Fg),
            (&host_rate, Role::Dim),
            (&between, Role::Muted),
        ],
    );
    for (i, parent) in parents.iter().take(shown).enumerate() {
        let last = i + 1 == shown;
        let branch = if last { &glyphs.branch_last } else { &glyphs.branch };
        let words = Words {
            stripes: format!("  stripe {}", stripe_words(parent.feeds_us, channel.parents.len())),
            rest: numbers(model, parent, true),
            hidden: if last { parents.len() - shown } else { 0 },
        };
        one(
            pen,
            area,
            1 + i as u16,
            (branch, Role::LinkSelf),
            parent,
            &words,
            selected,
        );
    }
    if parents.is_empty() {
        let words = " nobody feeds you at this moment · c asks again";
        pen.line(area, 1, &[(&glyphs.branch_last, Role::Link), (words, Role::Warn)]);
    }
}

fn downstream(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    children: &[&Neighbour],
    shown: usize,
    selected: Option<PeerId>,
) {
    let glyphs = pen.glyphs();
    for (i, child) in children.iter().take(shown).enumerate() {
        let last = i + 1 == shown;
        let twig = if last { &glyphs.twig_last } else { &glyphs.twig };
        let words = Words {
            stripes: format!("  stripe {}", stripe_words(child.fed_by_us, channel.parents.len())),
            rest: numbers(model, child, false),
            hidden: if last { children.len() - shown } else { 0 },
        };
        one(pen, area, i as u16, (twig, Role::Link), child, &words, selected);
    }
    if children.is_empty() {
        let words = " nobody takes the sound from you yet";
        pen.line(area, 0, &[(&glyphs.twig_last, Role::Link), (words, Role::Muted)]);
    }
}

/// What stands beside a name.
struct Words {
    stripes: String,
    rest: String,
    /// How many more there are that have no row.
    hidden: usize,
}

fn one(
    pen: &mut Pen<'_>,
    area: Rect,
    row: u16,
    branch: (&str, Role),
    peer: &Neighbour,
    words: &Words,
    selected: Option<PeerId>,
) {
    let (sign, role) = mark(pen, peer);
    let more = if words.hidden > 0 {
        format!("  and {} more", words.hidden)
    } else {
        String::new()
    };
    // How many are left out is said even where the numbers have to be cut.
    let room = Rect {
        width: area.width.saturating_sub(more.len() as u16),
        ..area
    };
    let x = pen.line(
        room,
        row,
        &[
            branch,
            (" ", Role::Fg),
            (sign, role),
            (" ", Role::Fg),
            (&name(peer), Role::Fg),
            (&words.stripes, Role::Accent),
            (&words.rest, Role::Dim),
        ],
    );
    pen.line(from(area, x), row, &[(&more, Role::Muted)]);
    if selected == Some(peer.peer) {
        let skip = width(branch.0) as u16 + 1;
        pen.paint_row(from(area, area.x + skip), row, Role::Selection);
    }
}

fn numbers(model: &Model, neighbour: &Neighbour, incoming: bool) -> String {
    let flow = model.neighbours.trail(&neighbour.peer).map_or(String::new(), |trail| {
        let glyphs = &model.look.theme.glyphs;
        if incoming {
            format!("  {} {}", glyphs.down, rate(trail.download_bps))
        } else {
            format!("  {} {}", glyphs.up, rate(trail.upload_bps))
        }
    });
    let stalled = if neighbour.stalled { "  stalled" } else { "" };
    format!("  {}{flow}{stalled}", milliseconds(neighbour))
}
