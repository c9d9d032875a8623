//! The path from the host through us, one below the other: for narrow screens.

use ratatui::layout::Rect;

use super::{Ties, mark, milliseconds, name};
use crate::engine::snapshot::{ChannelView, Role as Part};
use crate::mesh::stats::Neighbour;
use crate::tui::model::Model;
use crate::tui::neighbours::stripe_words;
use crate::tui::theme::Role;
use crate::tui::update::words::rate;
use crate::tui::view::Pen;

/// Draws the parents with their stripes, ourselves, the children.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, channel: &ChannelView, neighbours: &[&Neighbour]) {
    let room = usize::from(area.height);
    let ties = Ties::of(neighbours);
    let hosting = channel.role == Part::Host;
    let mut row = 0;
    if !hosting {
        row = upstream(model, pen, area, channel, &ties.parents, room.saturating_sub(5).max(1));
    }
    let glyphs = pen.glyphs();
    let you = if hosting { &glyphs.host } else { &glyphs.room };
    let slots = format!(
        "  {} of {} slots, feeding {}",
        channel.children, channel.slots, channel.downstream
    );
    let indent: u16 = if hosting { 0 } else { 4 };
    let parts = [(you.as_str(), Role::Accent), (" YOU", Role::Key), (&slots, Role::Dim)];
    pen.at(area, indent, row, &parts);
    row += 1;
    let left = room.saturating_sub(usize::from(row) + 2).max(1);
    row = downstream(model, pen, area, indent, row, channel, &ties.children, left);
    if !ties.spares.is_empty() && usize::from(row) + 1 < room {
        let names: Vec<String> = ties
            .spares
            .iter()
            .take(4)
            .map(|n| format!("{} {}", n.peer.short(), milliseconds(n)))
            .collect();
        let names = names.join("   ");
        pen.line(area, row + 1, &[("standby ", Role::Dim), (&names, Role::Fg)]);
    }
}

fn upstream(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    channel: &ChannelView,
    parents: &[&Neighbour],
    room: usize,
) -> u16 {
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
    let shown = parents.len().min(room);
    for (i, parent) in parents.iter().take(room).enumerate() {
        let last = i + 1 == shown;
        let branch = if last { &glyphs.branch_last } else { &glyphs.branch };
        let (sign, role) = mark(pen, parent);
        let stripes = format!("  stripe {}", stripe_words(parent.feeds_us, channel.parents.len()));
        let more = and_more(last, parents.len() - shown);
        let rest = numbers(model, parent, true);
        pen.line(
            area,
            1 + i as u16,
            &[
                (branch, Role::LinkSelf),
                (" ", Role::Fg),
                (sign, role),
                (" ", Role::Fg),
                (&name(parent), Role::Fg),
                (&stripes, Role::Accent),
                (&rest, Role::Dim),
                (&more, Role::Muted),
            ],
        );
    }
    if parents.is_empty() {
        let words = " nobody feeds you at this moment · c asks again";
        pen.line(area, 1, &[(&glyphs.branch_last, Role::Link), (words, Role::Warn)]);
    }
    1 + shown.max(1) as u16
}

#[allow(clippy::too_many_arguments, reason = "a place, and what goes there")]
fn downstream(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    indent: u16,
    row: u16,
    channel: &ChannelView,
    children: &[&Neighbour],
    room: usize,
) -> u16 {
    let glyphs = pen.glyphs();
    let shown = children.len().min(room);
    for (i, child) in children.iter().take(room).enumerate() {
        let last = i + 1 == shown;
        let twig = if last { &glyphs.twig_last } else { &glyphs.twig };
        let (sign, role) = mark(pen, child);
        let stripes = format!("  stripe {}", stripe_words(child.fed_by_us, channel.parents.len()));
        let rest = numbers(model, child, false);
        let more = and_more(last, children.len() - shown);
        pen.at(
            area,
            indent,
            row + i as u16,
            &[
                (twig, Role::Link),
                (" ", Role::Fg),
                (sign, role),
                (" ", Role::Fg),
                (&name(child), Role::Fg),
                (&stripes, Role::Dim),
                (&rest, Role::Dim),
                (&more, Role::Muted),
            ],
        );
    }
    if children.is_empty() {
        let words = " nobody takes the sound from you yet";
        pen.at(
            area,
            indent,
            row,
            &[(&glyphs.twig_last, Role::Link), (words, Role::Muted)],
        );
    }
    row + shown.max(1) as u16
}

fn and_more(last: bool, hidden: usize) -> String {
    if last && hidden > 0 {
        format!("  and {hidden} more")
    } else {
        String::new()
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
