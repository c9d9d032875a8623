//! What can be heard: side bar, list, and what is known of the selected channel.

mod detail;
mod row;

use ratatui::layout::Rect;

use super::{Hit, Pen, Tier, first_shown};
use crate::engine::listing::Origin;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::text::clean;
use crate::tui::theme::Role;
use crate::tui::update::words::age;

struct Split {
    side: Option<Rect>,
    list: Rect,
    detail: Option<Rect>,
}

fn split(model: &Model, area: Rect, tier: Tier) -> Split {
    match tier {
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

/// What is inside the list's frame: a head and the rows, without the last line.
fn rows_area(list: Rect, tier: Tier) -> Rect {
    if tier >= Tier::Medium {
        Rect {
            x: list.x + 1,
            y: list.y + 2,
            width: list.width.saturating_sub(2),
            height: list.height.saturating_sub(4),
        }
    } else {
        Rect {
            y: list.y + 1,
            height: list.height.saturating_sub(2),
            ..list
        }
    }
}

/// The row at a place of the screen.
pub fn row_at(model: &Model, area: Rect, tier: Tier, column: u16, row: u16) -> Option<Hit> {
    let split = split(model, area, tier);
    if let Some(side) = split.side.filter(|side| (side.x..side.right()).contains(&column)) {
        let at = usize::from(row.checked_sub(side.y + 1)?);
        return (at < model.channels.shelves.len()).then_some(Hit::Row { row: at, pane: 1 });
    }
    let rows = rows_area(split.list, tier);
    let offset = usize::from(row.checked_sub(rows.y).filter(|at| *at < rows.height)?);
    let first = first_shown(
        model.channels.selected,
        model.channels.rows.len(),
        usize::from(rows.height),
    );
    let at = first + offset;
    let inside = (rows.x..rows.right()).contains(&column) && at < model.channels.rows.len();
    inside.then_some(Hit::Row { row: at, pane: 0 })
}

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let split = split(model, area, tier);
    if let Some(side) = split.side {
        draw_side(model, pen, side);
    }
    if split.list.height > 0 {
        draw_list(model, pen, split.list, tier);
    }
    if let Some(detail) = split.detail {
        detail::draw_detail(model, pen, detail);
    }
}

fn draw_side(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let list = &model.channels;
    let focused = model.pane == 1;
    let inner = pen.pane(area, &[("Library", Role::Dim)], &[], focused);
    let room = usize::from(inner.height).saturating_sub(model.snapshot.origins.len().min(5) * 2 + 2);
    for (row, (shelf, count)) in list.shelves.iter().enumerate().take(room) {
        let selected = row == list.shelf_selected;
        if selected {
            pen.paint_row(
                inner,
                row as u16,
                if focused {
                    Role::Selection
                } else {
                    Role::SelectionInactive
                },
            );
        }
        let pointer = if selected { pen.glyphs().selected.as_str() } else { " " };
        let name = pen.fitted(shelf.name(), usize::from(inner.width).saturating_sub(6));
        let count = pen.right(&count.to_string(), 4);
        let role = if selected { Role::Selection } else { Role::Fg };
        pen.line(
            inner,
            row as u16,
            &[
                (pointer, Role::Key),
                (" ", Role::Fg),
                (&name, role),
                (&count, Role::Dim),
            ],
        );
    }
    let mut row = list.shelves.len().min(room) as u16 + 1;
    if model.snapshot.origins.is_empty() {
        return;
    }
    pen.line(inner, row, &[("found through", Role::Muted)]);
    for state in model.snapshot.origins.iter().take(5) {
        row += 1;
        let (mark, role) = match state.trouble {
            None => (pen.glyphs().ok.clone(), Role::Ok),
            Some(_) => (pen.glyphs().closed.clone(), Role::Warn),
        };
        let name = pen.fitted(&origin_name(&state.origin), usize::from(inner.width).saturating_sub(6));
        let count = pen.right(&state.channels.to_string(), 4);
        pen.line(
            inner,
            row,
            &[(&mark, role), (" ", Role::Fg), (&name, Role::Fg), (&count, Role::Dim)],
        );
        if let Some((trouble, again)) = &state.trouble {
            row += 1;
            let text = format!("  {}, again in {}", clean(trouble), age(*again));
            pen.line(inner, row, &[(&text, Role::Muted)]);
        }
    }
}

fn origin_name(origin: &Origin) -> String {
    match origin {
        Origin::Lan => "local net".to_owned(),
        Origin::Dht => "DHT".to_owned(),
        Origin::Directory(name) => clean(name),
        Origin::Favourite => "favourites".to_owned(),
        Origin::Invite => "links".to_owned(),
        Origin::Station => "stations".to_owned(),
    }
}

fn draw_list(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let list = &model.channels;
    let glyphs = pen.glyphs();
    let order = format!(
        "{} · {}{} {}",
        list.shelf.name(),
        list.sort.name(),
        if list.reversed { ", reversed" } else { "" },
        glyphs.sort
    );
    let inner = if tier >= Tier::Medium {
        let focused = model.pane == 0;
        pen.pane(
            area,
            &[("Channels", Role::Title)],
            &[(&clean(&order), Role::Dim)],
            focused,
        );
        Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    } else {
        area
    };
    if list.listings.is_empty() {
        return nothing_found(model, pen, inner);
    }
    let columns = row::Columns::of(inner.width);
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
    pen.line(inner, 0, &[(&head, Role::Muted)]);
    let rows = rows_area(area, tier);
    let room = usize::from(rows.height);
    let first = first_shown(list.selected, list.rows.len(), room);
    for (i, at) in (first..list.rows.len()).take(room).enumerate() {
        if let Some(listing) = list.row(at) {
            row::draw_row(model, pen, rows, i as u16, listing, at == list.selected, columns);
        }
    }
    let last = (first + room).min(list.rows.len());
    let mut facts = if list.rows.is_empty() {
        format!("nothing fits {:?} · Esc clears", list.query)
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
    pen.line(
        inner,
        inner.height.saturating_sub(1),
        &[("  ", Role::Fg), (&facts, Role::Muted)],
    );
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
    let cap = crate::tui::update::words::rate(model.snapshot.upload_limit_bps);
    if model.snapshot.upload_limit_bps > 0 {
        let text = format!("While you listen you pass the sound on: at most {cap}bit/s.");
        pen.line(area, 8, &[(&text, Role::Dim)]);
        pen.line(
            area,
            9,
            &[
                (":upload 500k", Role::Key),
                ("  changes that, ", Role::Dim),
                (":upload 0", Role::Key),
                (" only listens.", Role::Dim),
            ],
        );
    }
}
