//! Who carries the sound to us, and whom we carry it to, as far as this node really knows.

mod aside;
mod map;
mod peers;
mod tree;

use ratatui::layout::Rect;

use super::{Hit, Pen, Tier, frame};
use crate::engine::snapshot::ChannelView;
use crate::mesh::stats::Neighbour;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::neighbours::Tie;
use crate::tui::text::clean;
use crate::tui::theme::Role;

struct Split {
    tree: Option<Rect>,
    list: Option<Rect>,
    detail: Option<Rect>,
    giving: Rect,
}

fn split(model: &Model, area: Rect, tier: Tier) -> Split {
    if tier == Tier::Full {
        return split_full(area, model.mesh.list);
    }
    let giving_rows = if tier == Tier::Medium { 6 } else { 2 }.min(area.height);
    let upper = Rect {
        height: area.height - giving_rows,
        ..area
    };
    let giving = Rect {
        y: upper.bottom(),
        height: giving_rows,
        ..area
    };
    let (tree, list) = if model.mesh.list {
        (None, Some(upper))
    } else {
        (Some(upper), None)
    };
    Split {
        tree,
        list,
        detail: None,
        giving,
    }
}

fn split_full(area: Rect, list_only: bool) -> Split {
    let side = 36;
    let left = Rect {
        width: area.width - side,
        ..area
    };
    let right = Rect {
        x: left.right(),
        width: side,
        ..area
    };
    let list_rows = (area.height * 2 / 5).max(8);
    let tree = Rect {
        height: area.height - list_rows,
        ..left
    };
    let list = Rect {
        y: tree.bottom(),
        height: list_rows,
        ..left
    };
    let detail = Rect {
        height: tree.height,
        ..right
    };
    let giving = Rect {
        y: detail.bottom(),
        height: list_rows,
        ..right
    };
    if list_only {
        return Split {
            tree: None,
            list: Some(left),
            detail: Some(detail),
            giving,
        };
    }
    Split {
        tree: Some(tree),
        list: Some(list),
        detail: Some(detail),
        giving,
    }
}

/// The neighbour at a place of the screen, in the list or in the drawing.
pub fn row_at(model: &Model, area: Rect, tier: Tier, column: u16, row: u16) -> Option<Hit> {
    let split = split(model, area, tier);
    let (rows, selected) = model.mesh_rows();
    let inside = |r: &Rect| (r.x..r.right()).contains(&column) && (r.y..r.bottom()).contains(&row);
    if let Some(tree) = split.tree.filter(inside) {
        let inner = frame::aired(frame::inside(tree, tier));
        let channel = model.shown()?;
        let peer = if has_map(inner) {
            map::peer_at(inner, column, row, channel, &rows)
        } else {
            tree::peer_at(inner.height, row.checked_sub(inner.y)?, channel, &rows)
        }?;
        let row = rows.iter().position(|neighbour| neighbour.peer == peer)?;
        return Some(Hit::Row { row, pane: 0 });
    }
    let list = split.list.filter(inside)?;
    let inside = frame::inside(list, tier);
    let below_head = Rect {
        y: inside.y + 1,
        height: inside.height.saturating_sub(1),
        ..inside
    };
    let row = frame::row_at(below_head, rows.len(), selected, row)?;
    Some(Hit::Row { row, pane: 0 })
}

/// Whether the drawing from left to right has room.
fn has_map(inner: Rect) -> bool {
    inner.width >= map::CELLS && inner.height >= 12
}

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let Some(channel) = model.shown() else {
        return nowhere(model, pen, area);
    };
    let (neighbours, at) = model.mesh_rows();
    let selected = neighbours.get(at).copied();
    let split = split(model, area, tier);
    if let Some(tree) = split.tree {
        let title = format!("Mesh · {}", clean(&channel.name));
        let inner = frame::aired(frame::draw(pen, tree, tier, (&title, &audience(channel)), true));
        if has_map(inner) {
            map::draw(pen, inner, channel, &neighbours, selected);
        } else {
            tree::draw(model, pen, inner, channel, &neighbours, selected);
        }
    }
    if let Some(list) = split.list {
        let fact = format!("by role · {} of {}", neighbours.len(), channel.neighbours.len());
        let alone = split.tree.is_none();
        let inner = frame::aired(frame::draw(pen, list, tier, ("Peers", &fact), alone));
        peers::draw(model, pen, inner, channel, &neighbours, at);
    }
    if let Some(detail) = split.detail {
        aside::peer(model, pen, detail, channel, selected);
    }
    aside::giving(model, pen, split.giving, channel, tier);
}

fn nowhere(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let inner = pen.pane(area, &[("Mesh", Role::Title)], &[], true);
    let (channels, play) = (
        model.bindings.label(Action::ScreenChannels),
        model.bindings.label(Action::Play),
    );
    pen.line(inner, 1, &[("You take part in no channel.", Role::Fg)]);
    pen.line(
        inner,
        2,
        &[
            (&channels, Role::Key),
            (" shows the channels, ", Role::Dim),
            (&play, Role::Key),
            (" joins one.", Role::Dim),
        ],
    );
}

fn audience(channel: &ChannelView) -> String {
    let all = match channel.listeners {
        None => "listeners unknown".to_owned(),
        Some(1) => "1 listener".to_owned(),
        Some(count) => format!("{count} listeners"),
    };
    format!("{all} · {} in view", channel.neighbours.len())
}

/// Mark and role of a neighbour's state.
fn mark<'a>(pen: &Pen<'a>, neighbour: &Neighbour) -> (&'a str, Role) {
    let glyphs = pen.glyphs();
    if neighbour.stalled {
        (&glyphs.stalled, Role::NodeStalled)
    } else if neighbour.is_host {
        (&glyphs.host, Role::NodeHost)
    } else {
        match Tie::of(neighbour) {
            Tie::Parent | Tie::Child => (&glyphs.room, Role::NodeRoom),
            Tie::Spare => (&glyphs.full, Role::NodeFull),
            Tie::Acquaintance => (&glyphs.full, Role::Muted),
        }
    }
}

/// The name in drawings: the host is known by its part.
fn name(neighbour: &Neighbour) -> String {
    if neighbour.is_host {
        "host".to_owned()
    } else {
        neighbour.peer.short()
    }
}

fn milliseconds(neighbour: &Neighbour) -> String {
    neighbour
        .rtt
        .map_or("— ms".to_owned(), |rtt| format!("{:.0} ms", rtt.as_secs_f64() * 1e3))
}

/// Those who feed us, whom we feed (some do both, in different stripes), and who could.
struct Ties<'a> {
    parents: Vec<&'a Neighbour>,
    children: Vec<&'a Neighbour>,
    spares: Vec<&'a Neighbour>,
}

impl<'a> Ties<'a> {
    fn of(neighbours: &[&'a Neighbour]) -> Ties<'a> {
        let those = |right: fn(&Neighbour) -> bool| neighbours.iter().copied().filter(|n| right(n)).collect();
        Ties {
            parents: those(|n| n.feeds_us != 0),
            children: those(|n| n.fed_by_us != 0),
            spares: those(|n| Tie::of(n) == Tie::Spare),
        }
    }
}
