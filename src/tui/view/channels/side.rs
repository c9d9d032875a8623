//! The side bar: shelves and where channels were found; on narrow screens one line with the shelves.

use ratatui::layout::Rect;

use crate::engine::listing::Origin;
use crate::tui::model::Model;
use crate::tui::text::{clean, width, wrap};
use crate::tui::theme::Role;
use crate::tui::update::words::age;
use crate::tui::view::{Pen, first_shown, from};

/// Sources shown.
const ORIGINS_MAX: usize = 5;

/// Rows that the shelves have in the side bar.
pub fn room(model: &Model, area: Rect) -> usize {
    let origins = model.snapshot.origins.iter().take(ORIGINS_MAX);
    let lines: usize = origins.map(|state| if state.trouble.is_some() { 3 } else { 1 }).sum();
    let below = if lines > 0 { lines + 2 } else { 0 };
    usize::from(area.height.saturating_sub(2)).saturating_sub(below).max(3)
}

/// Draws the side bar.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let list = &model.channels;
    let focused = model.pane == 1;
    let inner = pen.pane(area, &[("Library", Role::Dim)], &[], focused);
    let room = room(model, area);
    let first = first_shown(list.shelf_selected, list.shelves.len(), room);
    for (at, (shelf, count)) in list.shelves.iter().enumerate().skip(first).take(room) {
        let row = (at - first) as u16;
        let selected = at == list.shelf_selected;
        if selected {
            let chosen = [Role::SelectionInactive, Role::Selection][usize::from(focused)];
            pen.paint_row(inner, row, chosen);
        }
        let pointer = if selected { pen.glyphs().selected.as_str() } else { " " };
        let (name, count) = named_count(pen, inner, shelf.name(), *count);
        let role = if selected { Role::Selection } else { Role::Fg };
        pen.line(
            inner,
            row,
            &[
                (pointer, Role::Key),
                (" ", Role::Fg),
                (&name, role),
                (&count, Role::Dim),
            ],
        );
    }
    let shown = list.shelves.len().min(room);
    if first + shown < list.shelves.len() {
        let more = pen.glyphs().down.clone();
        let at = Rect {
            x: inner.right(),
            width: 1,
            ..inner
        };
        pen.line(at, shown.saturating_sub(1) as u16, &[(&more, Role::Muted)]);
    }
    origins(model, pen, inner, shown as u16 + 1);
}

/// A count in few cells.
fn short_count(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => "many".to_owned(),
    }
}

/// A name and its count over the width, after a mark of two cells.
fn named_count(pen: &Pen<'_>, inner: Rect, name: &str, count: usize) -> (String, String) {
    let count = format!(" {}", short_count(count));
    let room = usize::from(inner.width).saturating_sub(2 + width(&count));
    (pen.fitted(name, room), count)
}

fn origins(model: &Model, pen: &mut Pen<'_>, inner: Rect, mut row: u16) {
    if model.snapshot.origins.is_empty() {
        return;
    }
    pen.line(inner, row, &[("found through", Role::Muted)]);
    for state in model.snapshot.origins.iter().take(ORIGINS_MAX) {
        row += 1;
        let (mark, role) = match state.trouble {
            None => (pen.glyphs().ok.clone(), Role::Ok),
            Some(_) => (pen.glyphs().closed.clone(), Role::Warn),
        };
        let (name, count) = named_count(pen, inner, &origin_name(&state.origin), state.channels);
        pen.line(
            inner,
            row,
            &[(&mark, role), (" ", Role::Fg), (&name, Role::Fg), (&count, Role::Dim)],
        );
        if let Some((trouble, again)) = &state.trouble {
            let text = format!("{}, again in {}", clean(trouble), age(*again));
            let more = pen.glyphs().more.clone();
            for line in wrap(&text, usize::from(inner.width).saturating_sub(2), 2, &more) {
                row += 1;
                pen.at(inner, 2, row, &[(&line, Role::Muted)]);
            }
        }
    }
}

/// A source of listings in words.
pub fn origin_name(origin: &Origin) -> String {
    match origin {
        Origin::Lan => "local net".to_owned(),
        Origin::Dht => "DHT".to_owned(),
        Origin::Directory(name) => clean(name),
        Origin::Favourite => "favourites".to_owned(),
        Origin::Invite => "links".to_owned(),
        Origin::Station => "stations".to_owned(),
    }
}

/// The shelves that a line has room for, with their places in it: the selected one is always among them.
fn shelf_places(model: &Model, room: usize) -> Vec<(usize, u16, String)> {
    let list = &model.channels;
    let label = |at: usize| {
        let (shelf, count) = &list.shelves[at];
        format!("{} {}", clean(shelf.name()), short_count(*count))
    };
    let gap = 3;
    let cells = |from: usize, to: usize| -> usize { (from..to).map(|at| width(&label(at)) + gap).sum() };
    let selected = list.shelf_selected.min(list.shelves.len().saturating_sub(1));
    let mut first = 0;
    while first < selected && cells(first, selected + 1) > room {
        first += 1;
    }
    let mut x = 0;
    let mut places = Vec::new();
    for at in first..list.shelves.len() {
        let label = label(at);
        let taken = width(&label);
        if x + taken > room && at != selected {
            break;
        }
        places.push((at, x as u16, label));
        x += taken + gap;
    }
    places
}

/// Draws the shelves in one line.
pub fn shelf_line(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let focused = model.pane == 1;
    for (at, x, label) in shelf_places(model, usize::from(area.width)) {
        let role = match (at == model.channels.shelf_selected, focused) {
            (true, true) => Role::Selection,
            (true, false) => Role::Title,
            (false, _) => Role::Muted,
        };
        pen.line(from(area, area.x + x), 0, &[(&label, role)]);
    }
}

/// The shelf at a column of that line.
pub fn shelf_at(model: &Model, area: Rect, column: u16) -> Option<usize> {
    let places = shelf_places(model, usize::from(area.width));
    let under = |x: u16, label: &str| (area.x + x..area.x + x + width(label) as u16).contains(&column);
    places
        .into_iter()
        .find(|(_, x, label)| under(*x, label))
        .map(|(at, ..)| at)
}
