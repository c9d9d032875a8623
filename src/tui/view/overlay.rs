//! What lies over a screen: help, themes, settings, titles, a few words, a question.

use ratatui::layout::Rect;

use super::{Pen, Tier, first_shown};
use crate::tui::action::{Argument, Scope};
use crate::tui::keys::Binding;
use crate::tui::model::{Model, Overlay};
use crate::tui::text::{clean, width, wrap};
use crate::tui::theme::Role;
use crate::tui::update::{help_rows, settings_rows};

/// Lines that one sentence may take.
const WORDS_LINES: usize = 12;

/// The area of the overlay in force.
fn place(model: &Model, area: Rect, tier: Tier) -> Rect {
    let (columns, rows) = match &model.overlay {
        Some(Overlay::Help { .. }) => (area.width.saturating_sub(4).min(116), area.height),
        Some(Overlay::Themes { .. }) => (34, area.height),
        Some(Overlay::Settings { .. }) => (100, settings_rows(model).len() as u16 + 2),
        Some(Overlay::Titles { .. }) => (90, area.height),
        Some(Overlay::Words { .. }) => (84, 0),
        Some(Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => (60, 4),
    };
    let width = if tier <= Tier::Narrow {
        area.width
    } else {
        columns.min(area.width)
    };
    let cells = usize::from(width.saturating_sub(4));
    let needed = match &model.overlay {
        Some(Overlay::Words { lines, .. }) => laid(lines, cells, "").len(),
        Some(Overlay::Ask { question, .. }) => wrap(question, cells, 3, "").len() + 1,
        Some(_) | None => usize::from(rows).saturating_sub(2),
    };
    let height = (needed as u16 + 2).min(area.height);
    // The chooser stands at the side, so that the screen shows the theme.
    let x = match model.overlay {
        Some(Overlay::Themes { .. }) => area.right() - width,
        _ => area.x + (area.width - width) / 2,
    };
    Rect {
        x,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Sentences as they stand in a box of that width.
fn laid(lines: &[String], cells: usize, more: &str) -> Vec<String> {
    let wrapped = lines.iter().map(|line| wrap(line, cells, WORDS_LINES, more));
    wrapped.flatten().collect()
}

/// Lines of these words that the box has no room for.
pub fn words_beyond(model: &Model, area: Rect, tier: Tier, lines: &[String]) -> usize {
    let place = place(model, area, tier);
    let (cells, room) = (place.width.saturating_sub(4), place.height.saturating_sub(2));
    laid(lines, usize::from(cells), "")
        .len()
        .saturating_sub(usize::from(room))
}

/// The place of the rows, and how many of them are above it.
fn rows_place(model: &Model, area: Rect, tier: Tier) -> (Rect, usize) {
    let place = place(model, area, tier);
    let inner = Rect {
        x: place.x + 2,
        y: place.y + 1,
        width: place.width.saturating_sub(4),
        height: place.height.saturating_sub(2),
    };
    let (head, selected) = match &model.overlay {
        Some(Overlay::Help { selected, .. }) => (2, *selected),
        Some(Overlay::Themes { selected, .. } | Overlay::Settings { selected } | Overlay::Titles { selected }) => {
            (0, *selected)
        }
        Some(Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => (0, 0),
    };
    let foot = match &model.overlay {
        Some(Overlay::Help { .. }) => marks(model, inner).len() as u16,
        Some(_) | None => 0,
    };
    let rows = Rect {
        y: inner.y + head,
        height: inner.height.saturating_sub(head + foot),
        ..inner
    };
    let count = crate::tui::update::overlay_rows(model);
    (rows, first_shown(selected, count, usize::from(rows.height)))
}

/// The row of a list at a place of the screen.
pub fn row_at(model: &Model, area: Rect, tier: Tier, column: u16, row: u16) -> Option<usize> {
    let (rows, first) = rows_place(model, area, tier);
    let inside = (rows.x..rows.right()).contains(&column) && (rows.y..rows.bottom()).contains(&row);
    let at = first + usize::from(row.saturating_sub(rows.y));
    (inside && at < crate::tui::update::overlay_rows(model)).then_some(at)
}

/// Draws what lies over the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let Some(overlay) = &model.overlay else { return };
    let place = place(model, area, tier);
    pen.clear(place, Role::Surface);
    let title = match overlay {
        Overlay::Help { .. } => "Help".to_owned(),
        Overlay::Themes { .. } => "Theme".to_owned(),
        Overlay::Settings { .. } => "Settings".to_owned(),
        Overlay::Titles { .. } => "Titles heard".to_owned(),
        Overlay::Words { title, .. } => clean(title),
        Overlay::Ask { .. } => "Sure?".to_owned(),
        Overlay::Rebind { .. } => "Another key".to_owned(),
    };
    let fact = match overlay {
        Overlay::Help { all: false, .. } => format!("{} · Tab: every screen", model.screen.names().0),
        Overlay::Help { all: true, .. } => "every screen · Tab: this one".to_owned(),
        Overlay::Themes { .. } => model.look.depth.name().to_owned(),
        Overlay::Titles { .. } => format!("{}", model.heard.titles.len()),
        Overlay::Words { lines, first, .. } => match words_beyond(model, area, tier, lines) {
            0 => String::new(),
            beyond => format!("{} of {}", first.min(&beyond) + 1, beyond + 1),
        },
        Overlay::Settings { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. } => String::new(),
    };
    let inner = pen.pane(place, &[(&title, Role::Title)], &[(&fact, Role::Dim)], true);
    let (rows, first) = rows_place(model, area, tier);
    match overlay {
        Overlay::Help { typed, selected, all } => help(model, pen, inner, rows, first, (typed, *selected, *all)),
        Overlay::Themes { selected, .. } => themes(model, pen, rows, first, *selected),
        Overlay::Settings { selected } => settings(model, pen, rows, first, *selected),
        Overlay::Titles { selected } => titles(model, pen, rows, first, *selected),
        Overlay::Words { lines, first, .. } => words(pen, inner, lines, *first),
        Overlay::Ask { question, .. } => {
            let more = pen.glyphs().more.clone();
            let lines = wrap(&clean(question), usize::from(inner.width), 3, &more);
            for (row, line) in lines.iter().enumerate() {
                pen.line(inner, row as u16, &[(line, Role::Fg)]);
            }
            pen.line(
                inner,
                lines.len() as u16,
                &[
                    ("y", Role::Key),
                    (" yes   ", Role::Dim),
                    ("any other key", Role::Key),
                    (" no", Role::Dim),
                ],
            );
        }
        Overlay::Rebind { call } => {
            let entry = call.action.entry();
            pen.line(inner, 0, &[("press the key for: ", Role::Dim), (entry.label, Role::Fg)]);
            let pressed: Vec<String> = model.pending.iter().map(ToString::to_string).collect();
            let pressed = pressed.join(" ");
            let then = if pressed.is_empty() {
                ""
            } else {
                " and Enter, or up to three keys   "
            };
            let line = [(pressed.as_str(), Role::Key), (then, Role::Dim), ("Esc", Role::Key)];
            pen.line(
                inner,
                1,
                &[line[0], line[1], line[2], (" leaves it as it is", Role::Dim)],
            );
        }
    }
}

fn words(pen: &mut Pen<'_>, area: Rect, lines: &[String], first: usize) {
    let lines = laid(lines, usize::from(area.width), &pen.glyphs().more);
    let room = usize::from(area.height);
    let first = first.min(lines.len().saturating_sub(room));
    for (row, line) in lines.iter().skip(first).take(room).enumerate() {
        pen.line(area, row as u16, &[(line, Role::Fg)]);
    }
}

fn help(
    model: &Model,
    pen: &mut Pen<'_>,
    inner: Rect,
    rows: Rect,
    first: usize,
    (typed, selected, all): (&str, usize, bool),
) {
    let cursor = pen.glyphs().cursor.clone();
    let prompt = pen.glyphs().prompt.clone();
    let empty = if typed.is_empty() {
        "  type to filter, e gives the selected line another key"
    } else {
        ""
    };
    pen.line(
        inner,
        0,
        &[
            (&prompt, Role::Key),
            (" ", Role::Fg),
            (typed, Role::Fg),
            (&cursor, Role::Key),
            (empty, Role::Muted),
        ],
    );
    let entries = help_rows(model, typed, all);
    for (i, entry) in entries.iter().enumerate().skip(first).take(usize::from(rows.height)) {
        let row = (i - first) as u16;
        let is_selected = i == selected;
        if is_selected {
            pen.paint_row(rows, row, Role::Selection);
        }
        let keys: Vec<String> = model
            .bindings
            .all()
            .iter()
            .filter(|b| b.call.action == entry.action && b.call.argument.is_empty())
            .map(Binding::label)
            .collect();
        let keys = pen.fitted(&keys.join("  "), 14);
        let scope = match entry.scope {
            Scope::Playback => "sound",
            Scope::Around => "around",
            Scope::On(screen) => screen.names().1,
        };
        let command = match entry.argument {
            Argument::None => format!(":{}", entry.name),
            Argument::Optional(example) | Argument::Needed(example) => format!(":{} {example}", entry.name),
        };
        let text = if is_selected { Role::Selection } else { Role::Fg };
        let label = pen.fitted(entry.label, 34.min(usize::from(rows.width).saturating_sub(22)));
        let scope = pen.fitted(scope, 8);
        pen.line(
            rows,
            row,
            &[
                (&keys, Role::Key),
                (&label, text),
                (" ", text),
                (&scope, if is_selected { text } else { Role::Muted }),
                (&command, if is_selected { text } else { Role::Dim }),
            ],
        );
    }
    if entries.is_empty() {
        pen.line(
            rows,
            0,
            &[("nothing is called that; Tab looks on every screen", Role::Muted)],
        );
    }
    for (row, line) in marks(model, inner).iter().enumerate() {
        let at = Rect {
            y: rows.bottom(),
            height: inner.bottom().saturating_sub(rows.bottom()),
            ..inner
        };
        pen.line(at, row as u16, &[(line, Role::Dim)]);
    }
}

/// What the marks mean, below the list, after an empty line; nothing where there is no room.
fn marks(model: &Model, inner: Rect) -> Vec<String> {
    if inner.height < 14 {
        return Vec::new();
    }
    let g = &model.look.theme.glyphs;
    let all = [
        (&g.host, "host"),
        (&g.room, "on air, or carries"),
        (&g.full, "standby"),
        (&g.nospare, "not playable"),
        (&g.closed, "off air"),
        (&g.stalled, "stalled"),
        (&g.live, "live"),
        (&g.favourite, "favourite"),
    ];
    let mut lines = vec![String::new(), String::new()];
    for (mark, word) in all {
        let one = format!("{mark} {word}");
        let last = lines.len() - 1;
        if !lines[last].is_empty() && width(&lines[last]) + 3 + width(&one) > usize::from(inner.width) {
            lines.push(one);
        } else {
            let gap = if lines[last].is_empty() { "" } else { "   " };
            lines[last].push_str(gap);
            lines[last].push_str(&one);
        }
    }
    lines
}

fn themes(model: &Model, pen: &mut Pen<'_>, rows: Rect, first: usize, selected: usize) {
    for (i, name) in model
        .look
        .shelf
        .names()
        .iter()
        .enumerate()
        .skip(first)
        .take(usize::from(rows.height))
    {
        let row = (i - first) as u16;
        let chosen = i == selected;
        if chosen {
            pen.paint_row(rows, row, Role::Selection);
        }
        let pointer = if chosen { pen.glyphs().selected.as_str() } else { " " };
        let own = if model.look.shelf.is_users(name) { " yours" } else { "" };
        let role = if chosen { Role::Selection } else { Role::Fg };
        let name = clean(name);
        pen.line(
            rows,
            row,
            &[(pointer, Role::Key), (" ", role), (&name, role), (own, Role::Muted)],
        );
    }
}

fn settings(model: &Model, pen: &mut Pen<'_>, rows: Rect, first: usize, selected: usize) {
    for (i, setting) in settings_rows(model)
        .iter()
        .enumerate()
        .skip(first)
        .take(usize::from(rows.height))
    {
        let row = (i - first) as u16;
        let chosen = i == selected;
        if chosen {
            pen.paint_row(rows, row, Role::Selection);
        }
        let role = if chosen { Role::Selection } else { Role::Fg };
        let (name, value) = (pen.fitted(setting.name, 16), pen.fitted(&setting.value, 18));
        pen.line(
            rows,
            row,
            &[
                (&name, role),
                (&value, if chosen { role } else { Role::Accent }),
                (setting.about, if chosen { role } else { Role::Muted }),
            ],
        );
    }
}

fn titles(model: &Model, pen: &mut Pen<'_>, rows: Rect, first: usize, selected: usize) {
    if model.heard.titles.is_empty() {
        pen.line(rows, 0, &[("No title was heard yet.", Role::Muted)]);
    }
    for (i, heard) in model
        .heard
        .newest()
        .enumerate()
        .skip(first)
        .take(usize::from(rows.height))
    {
        let row = (i - first) as u16;
        let chosen = i == selected;
        if chosen {
            pen.paint_row(rows, row, Role::Selection);
        }
        let star = if heard.tagged {
            pen.glyphs().favourite.as_str()
        } else {
            " "
        };
        let role = if chosen { Role::Selection } else { Role::Fg };
        let time = pen.fitted(&model.wall.day_and_time(heard.unix_s), 11);
        let channel = pen.fitted(&heard.channel, 20.min(usize::from(rows.width) / 4));
        pen.line(
            rows,
            row,
            &[
                (&time, Role::Muted),
                (" ", role),
                (star, Role::Favourite),
                (" ", role),
                (&channel, if chosen { role } else { Role::Dim }),
                (" ", role),
                (&heard.title, role),
            ],
        );
    }
}
