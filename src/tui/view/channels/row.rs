//! One channel in the list.

use ratatui::layout::Rect;

use crate::engine::listing::Listing;
use crate::engine::place;
use crate::tui::model::Model;
use crate::tui::theme::Role;
use crate::tui::view::Pen;

/// Columns that there is room for.
#[derive(Clone, Copy)]
pub struct Columns {
    pub name: usize,
    /// Zero when there is no room.
    pub title: usize,
    pub favourite: bool,
    pub trend: bool,
    pub listeners: bool,
    pub relays: bool,
    pub bitrate: bool,
}

impl Columns {
    /// The columns of a list this wide.
    pub fn of(width: u16) -> Columns {
        let width = usize::from(width);
        let (favourite, listeners) = (width >= 40, width >= 36);
        let (relays, bitrate) = (width >= 62, width >= 66);
        let trend = width >= 58;
        let fixed = 3
            + usize::from(favourite)
            + if trend { 7 } else { 0 }
            + if listeners { 6 } else { 0 }
            + if relays { 4 } else { 0 }
            + if bitrate { 5 } else { 0 };
        let free = width.saturating_sub(fixed);
        let (name, title) = if width >= 48 {
            (free * 45 / 100, free - free * 45 / 100 - 1)
        } else {
            (free, 0)
        };
        Columns {
            name,
            title,
            favourite,
            trend,
            listeners,
            relays,
            bitrate,
        }
    }
}

/// Draws a channel in its row.
pub fn draw_row(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    row: u16,
    listing: &Listing,
    selected: bool,
    columns: Columns,
) {
    let glyphs = pen.glyphs();
    if selected {
        let chosen = [Role::SelectionInactive, Role::Selection][usize::from(model.pane == 0)];
        pen.paint_row(area, row, chosen);
    }
    let playing = model.playing_place() == Some(place(&listing.link));
    let (mark, mark_role) = if playing {
        (&glyphs.play, Role::Playing)
    } else if !listing.on_air {
        (&glyphs.closed, Role::NodeClosed)
    } else if !listing.playable {
        (&glyphs.nospare, Role::NodeNospare)
    } else {
        (&glyphs.room, Role::NodeRoom)
    };
    let pointer = if selected { glyphs.selected.as_str() } else { " " };
    let star = match (columns.favourite, listing.favourite) {
        (true, true) => glyphs.favourite.as_str(),
        (true, false) => " ",
        (false, _) => "",
    };
    let text = match (selected, playing, listing.on_air) {
        (true, ..) => Role::Selection,
        (false, true, _) => Role::Playing,
        (false, false, true) => Role::Fg,
        (false, false, false) => Role::Muted,
    };
    let dim = if selected { Role::Selection } else { Role::Dim };
    let name = pen.fitted(&listing.name, columns.name);
    let title = if listing.title.is_empty() {
        glyphs.dash.clone()
    } else {
        listing.title.clone()
    };
    let title = if columns.title > 0 {
        format!(" {}", pen.fitted(&title, columns.title))
    } else {
        String::new()
    };
    let mut parts = vec![
        (pointer, Role::Key),
        (mark.as_str(), mark_role),
        (star, Role::Favourite),
        (" ", text),
        (&name, text),
        (&title, dim),
    ];
    let trend = if columns.trend {
        let points = listing.trend.iter().rev().take(6).rev().copied().collect();
        format!(" {}", pen.fitted(&pen.spark(&points, 6), 6))
    } else {
        String::new()
    };
    parts.push((&trend, Role::Spark));
    let number = |shown: bool, value: Option<u64>, cells: usize| {
        let text = value.map_or(glyphs.dash.clone(), |n| n.to_string());
        if shown { pen.right(&text, cells) } else { String::new() }
    };
    let listeners = number(columns.listeners, listing.listeners, 6);
    let relays = number(columns.relays, listing.relays, 4);
    let bitrate = number(columns.bitrate, listing.bitrate_kbps.map(u64::from), 5);
    parts.extend([
        (listeners.as_str(), text),
        (relays.as_str(), dim),
        (bitrate.as_str(), dim),
    ]);
    pen.line(area, row, &parts);
}
