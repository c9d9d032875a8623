//! What can be heard: side bar, list, and what is known of the selected channel.

mod detail;
mod row;
mod side;
mod welcome;

use ratatui::layout::Rect;

use super::{Hit, Pen, Tier, first_shown, frame};
use crate::tui::action::Action;
use crate::tui::channels::{Finder, Shelf};
use crate::tui::model::Model;
use crate::tui::text::clean;
use crate::tui::theme::Role;

struct Split {
    side: Option<Rect>,
    list: Rect,
    detail: Option<Rect>,
}

fn split(model: &Model, area: Rect, tier: Tier) -> Split {
    match tier {
        Tier::Full if model.channels.info => {
            let side = Rect { width: 20, ..area };
            let detail = Rect {
                x: side.right(),
                width: area.width - 20,
                ..area
            };
            Split {
                side: Some(side),
                list: Rect { height: 0, ..area },
                detail: Some(detail),
            }
        }
        Tier::Full => {
            let side = Rect { width: 20, ..area };
            let detail = Rect {
                x: area.right() - 36,
                width: 36,
                ..area
            };
            let list = Rect {
                x: side.right(),
                width: area.width - 56,
                ..area
            };
            Split {
                side: Some(side),
                list,
                detail: Some(detail),
            }
        }
        Tier::Medium | Tier::Compact | Tier::Narrow | Tier::Strip if model.channels.info => Split {
            side: None,
            list: Rect { height: 0, ..area },
            detail: Some(area),
        },
        Tier::Medium | Tier::Compact | Tier::Narrow | Tier::Strip => Split {
            side: None,
            list: area,
            detail: None,
        },
    }
}

/// Whether the side bar is folded into a line above the list: on narrow screens, and on small ones only while it is used.
fn has_shelf_line(model: &Model, tier: Tier) -> bool {
    match tier {
        Tier::Full | Tier::Strip => false,
        Tier::Medium => true,
        Tier::Compact | Tier::Narrow => model.pane == 1,
    }
}

/// What is inside the list's frame: a folded side bar, a head and the rows, without the last line.
fn rows_area(model: &Model, list: Rect, tier: Tier) -> Rect {
    let head = 1 + u16::from(has_shelf_line(model, tier));
    let inside = frame::inside(list, tier);
    Rect {
        y: inside.y + head,
        height: inside.height.saturating_sub(head + 1),
        ..inside
    }
}

/// The row at a place of the screen.
pub fn row_at(model: &Model, area: Rect, tier: Tier, column: u16, row: u16) -> Option<Hit> {
    let split = split(model, area, tier);
    let list = &model.channels;
    if let Some(side) = split.side.filter(|side| (side.x..side.right()).contains(&column)) {
        let offset = usize::from(row.checked_sub(side.y + 1)?);
        let room = side::room(model, side);
        let at = first_shown(list.shelf_selected, list.shelves.len(), room) + offset;
        return (offset < room && at < list.shelves.len()).then_some(Hit::Row { row: at, pane: 1 });
    }
    let rows = if model.is_first_visit() {
        welcome::rows(model, split.list, tier)
    } else {
        rows_area(model, split.list, tier)
    };
    if has_shelf_line(model, tier) && row + 2 == rows.y && split.list.height > 0 {
        let line = shelf_line_area(split.list, tier);
        return side::shelf_at(model, line, column).map(|row| Hit::Row { row, pane: 1 });
    }
    let at = frame::row_at(rows, list.rows.len(), list.selected, row)?;
    let inside = (rows.x..rows.right()).contains(&column);
    inside.then_some(Hit::Row { row: at, pane: 0 })
}

fn shelf_line_area(list: Rect, tier: Tier) -> Rect {
    Rect {
        height: 1,
        ..frame::aired(frame::inside(list, tier))
    }
}

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let split = split(model, area, tier);
    if let Some(side) = split.side {
        side::draw(model, pen, side);
    }
    if split.list.height > 0 && model.is_first_visit() {
        welcome::draw(model, pen, split.list, tier);
    } else if split.list.height > 0 {
        draw_list(model, pen, split.list, tier);
    }
    if let Some(detail) = split.detail {
        detail::draw_detail(model, pen, detail);
    }
}

fn draw_list(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let list = &model.channels;
    let glyphs = pen.glyphs();
    let order = format!(
        "{}{} · {}{} {}",
        list.shelf.name(),
        if list.on_air_only { ", on air" } else { "" },
        list.sort.name(),
        if list.reversed { ", reversed" } else { "" },
        glyphs.sort
    );
    let focused = model.pane == 0 || tier != Tier::Full;
    let inner = frame::draw(pen, area, tier, ("Channels", &clean(&order)), focused);
    if list.listings.is_empty() {
        return nothing_found(model, pen, inner);
    }
    let mut top = 0;
    if has_shelf_line(model, tier) {
        side::shelf_line(model, pen, shelf_line_area(area, tier));
        top = 1;
    }
    let columns = row::Columns::of(inner.width);
    head(pen, inner, top, columns);
    let rows = rows_area(model, area, tier);
    let mut drawing = row::Drawing {
        columns,
        finder: Finder::of(&list.query),
    };
    let room = usize::from(rows.height);
    let first = first_shown(list.selected, list.rows.len(), room);
    for (i, at) in (first..list.rows.len()).take(room).enumerate() {
        if let Some(listing) = list.row(at) {
            let selected = at == list.selected;
            row::draw_row(model, pen, rows, i as u16, listing, selected, &mut drawing);
        }
    }
    let facts = facts(model, first, (first + room).min(list.rows.len()));
    pen.line(
        inner,
        inner.height.saturating_sub(1),
        &[("  ", Role::Fg), (&facts, Role::Muted)],
    );
}

fn head(pen: &mut Pen<'_>, area: Rect, row: u16, columns: row::Columns) {
    let mut head = format!(
        "   {}{}",
        if columns.favourite { " " } else { "" },
        pen.fitted("CHANNEL", columns.name)
    );
    if columns.title > 0 {
        head.push_str(&format!(" {}", pen.fitted("NOW PLAYING", columns.title)));
    }
    for (shown, word, cells) in [
        (columns.trend, "1 H", 7),
        (columns.listeners, "LSN", 6),
        (columns.relays, "RLY", 4),
        (columns.bitrate, "KBPS", 5),
    ] {
        if shown {
            head.push_str(&pen.right(word, cells));
        }
    }
    pen.line(area, row, &[(&head, Role::Muted)]);
}

/// What the last line says of the rows from `first` to `last`.
fn facts(model: &Model, first: usize, last: usize) -> String {
    let list = &model.channels;
    let mut facts = if list.rows.is_empty() {
        nothing_here(model)
    } else {
        format!("{}–{} of {}", first + 1, last, list.rows.len())
    };
    if !list.query.is_empty() && !list.rows.is_empty() {
        facts.push_str(&format!(" · / {}", clean(&list.query)));
    }
    if list.folded > 0 {
        facts.push_str(&format!(
            " · {} hidden, {} shows them",
            list.folded,
            model.bindings.label(Action::ShowHidden)
        ));
    }
    facts
}

/// Why the list is empty although channels are known.
fn nothing_here(model: &Model) -> String {
    let list = &model.channels;
    if !list.query.is_empty() {
        return format!("nothing fits {:?} · Esc clears", clean(&list.query));
    }
    if list.on_air_only {
        return "nothing of this is on air · o shows all".to_owned();
    }
    match list.shelf {
        Shelf::OnAir => "nothing is on air at this moment".to_owned(),
        Shelf::Favourites => "no favourites yet · f on a channel makes it one".to_owned(),
        Shelf::Recent => "nothing was heard yet".to_owned(),
        Shelf::Mine => "no channel of your own yet · b broadcasts".to_owned(),
        Shelf::Everything | Shelf::Group(_) | Shelf::Genre(_) => "nothing here".to_owned(),
    }
}

/// The first visit, or a quiet evening: what can be done without any list.
fn nothing_found(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let key = |action| model.bindings.label(action);
    let area = Rect {
        x: area.x + 2,
        width: area.width.saturating_sub(3),
        ..area
    };
    pen.line(area, 1, &[("No channel was found yet.", Role::Title)]);
    if model.snapshot.origins.is_empty() {
        pen.line(
            area,
            2,
            &[("Nothing here looks for channels at this moment.", Role::Dim)],
        );
    } else {
        pen.line(
            area,
            2,
            &[("Still looking; what is found appears here by itself.", Role::Dim)],
        );
    }
    pen.line(
        area,
        4,
        &[
            (&key(Action::CommandLine), Role::Key),
            ("play LINK", Role::Key),
            ("   joins a channel by its link; paste it", Role::Dim),
        ],
    );
    pen.line(
        area,
        5,
        &[
            (&key(Action::Refresh), Role::Key),
            ("            asks every source again", Role::Dim),
        ],
    );
    pen.line(
        area,
        6,
        &[
            ("inonda demo", Role::Key),
            ("  plays a whole mesh on this machine", Role::Dim),
        ],
    );
    let broadcast = if model.is_first_visit() {
        "m".to_owned()
    } else {
        key(Action::Broadcast)
    };
    pen.line(
        area,
        7,
        &[
            (&broadcast, Role::Key),
            ("            broadcasts a channel of your own", Role::Dim),
        ],
    );
    welcome::sharing(model, pen, area, 9);
}
