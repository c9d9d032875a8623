//! One channel in the list.

use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;

use crate::engine::listing::Listing;
use crate::engine::place;
use crate::tui::channels::Finder;
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

/// Cells that a name and a title need to be worth showing.
const NAME_MIN: usize = 14;
const TITLE_MIN: usize = 15;
/// Narrower lists show mark, name and listeners.
const ROOMY: usize = 56;

impl Columns {
    /// The columns of a list this wide.
    pub fn of(width: u16) -> Columns {
        let width = usize::from(width);
        let roomy = width >= ROOMY;
        let mut columns = Columns {
            name: 0,
            title: if roomy { TITLE_MIN } else { 0 },
            favourite: true,
            trend: roomy,
            listeners: true,
            relays: roomy,
            bitrate: roomy,
        };
        // The order in which they go, the least needed first.
        let drops: [fn(&mut Columns); 6] = [
            |c| c.trend = false,
            |c| c.bitrate = false,
            |c| c.relays = false,
            |c| c.title = 0,
            |c| c.favourite = false,
            |c| c.listeners = false,
        ];
        for drop in drops {
            if columns.fixed() + columns.title + NAME_MIN <= width {
                break;
            }
            drop(&mut columns);
        }
        let free = width.saturating_sub(columns.fixed());
        if columns.title > 0 {
            columns.name = free * 45 / 100;
            columns.title = free - columns.name;
        } else {
            columns.name = free;
        }
        columns
    }

    /// Cells of everything but name and title, with the gap before the title.
    fn fixed(&self) -> usize {
        let cells = |shown: bool, cells: usize| if shown { cells } else { 0 };
        3 + cells(self.favourite, 1)
            + cells(self.title > 0, 1)
            + cells(self.trend, 7)
            + cells(self.listeners, 6)
            + cells(self.relays, 4)
            + cells(self.bitrate, 5)
    }
}

/// What every row of a list is drawn with.
pub struct Drawing {
    pub columns: Columns,
    pub finder: Finder,
}

/// Draws a channel in its row.
pub fn draw_row(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    row: u16,
    listing: &Listing,
    selected: bool,
    drawing: &mut Drawing,
) {
    let Drawing { columns, finder } = drawing;
    let columns = *columns;
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
    ];
    let name = matched(&name, finder, text);
    parts.extend(name.iter().map(|(text, role)| (text.as_str(), *role)));
    parts.push((&title, dim));
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

/// A name with the letters that the filter found in it set off.
fn matched(name: &str, finder: &mut Finder, role: Role) -> Vec<(String, Role)> {
    let found = finder.letters(name);
    let mut parts: Vec<(String, Role)> = Vec::new();
    for (at, letter) in name.graphemes(true).enumerate() {
        let role = if found.contains(&(at as u32)) {
            Role::Match
        } else {
            role
        };
        match parts.last_mut() {
            Some((text, last)) if *last == role => text.push_str(letter),
            Some(_) | None => parts.push((letter.to_owned(), role)),
        }
    }
    parts
}
