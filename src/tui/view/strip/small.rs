//! The strip alone, for the smallest terminals: what plays and how it is, or what lies over the screen.

use ratatui::layout::Rect;

use super::{buffer_bar, health, state, tail};
use crate::tui::model::{METER_FLOOR_DB, Model, Overlay};
use crate::tui::text::{clean, width, wrap};
use crate::tui::theme::Role;
use crate::tui::update::{help_rows, settings_rows};
use crate::tui::view::{Pen, from};

/// Draws one or two lines without any frame.
pub fn small(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    if let Some(overlay) = &model.overlay {
        return over(model, pen, area, overlay);
    }
    let state = state(model, pen);
    let dot = format!(" {} ", pen.glyphs().dot);
    let mut parts = vec![(state.mark.as_str(), state.role), (" ", Role::Fg)];
    if state.word != "PLAYING" {
        parts.extend([(state.word, state.role), (" ", Role::Fg)]);
    }
    parts.push((state.name.as_str(), Role::Title));
    if !state.detail.is_empty() {
        parts.extend([(dot.as_str(), Role::Muted), (state.detail.as_str(), Role::Fg)]);
    }
    pen.line(area, 0, &parts);
    if area.height > 1 {
        numbers(model, pen, area);
    }
}

fn numbers(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let tail = tail(model, area.width < 50);
    let room = Rect {
        width: area.width.saturating_sub(width(&tail) as u16 + 1),
        ..area
    };
    let mut x = area.x;
    if let Some(channel) = model.playing() {
        let health = health(model, pen);
        let lag = format!(" {} ms  ", channel.lag.as_millis());
        x = pen.line(room, 1, &[(health.mark, health.role), (&lag, health.role)]);
    }
    if model.player().is_some() && from(room, x).width >= 10 {
        x = buffer_bar(model, pen, from(room, x), 1, 10);
    }
    if model.player().is_some() || model.show().is_some() {
        let [left, right] = model.strip_meters().levels.rms_db.map(|db| {
            let share = (db.max(METER_FLOOR_DB) - METER_FLOOR_DB) / -METER_FLOOR_DB;
            pen.glyphs().column((share * 8.0).round() as usize)
        });
        let levels = format!("  L{left}R{right}");
        pen.line(from(room, x), 1, &[(&levels, Role::MeterLow)]);
    }
    pen.line_right(area, 1, &[(&tail, Role::Fg)]);
}

/// What lies over the screen, as far as these lines hold it: the question, the sentences, or the selected row of a list.
fn over(model: &Model, pen: &mut Pen<'_>, area: Rect, overlay: &Overlay) {
    let (title, at, count) = match overlay {
        Overlay::Ask { question, .. } => {
            pen.line(area, 0, &[(&clean(question), Role::Warn)]);
            pen.line(
                area,
                1,
                &[
                    ("y", Role::Key),
                    (" yes   ", Role::Dim),
                    ("any other key", Role::Key),
                    (" no", Role::Dim),
                ],
            );
            return;
        }
        Overlay::Rebind { call } => {
            pen.line(
                area,
                0,
                &[
                    ("press the key for: ", Role::Dim),
                    (call.action.entry().label, Role::Fg),
                ],
            );
            pen.line(area, 1, &[("Esc", Role::Key), (" leaves it as it is", Role::Dim)]);
            return;
        }
        Overlay::Words { lines, first, .. } => {
            let first = (*first).min(words_beyond(lines, area));
            for (row, line) in laid(lines, area, &pen.glyphs().more).iter().skip(first).enumerate() {
                pen.line(area, row as u16, &[(line, Role::Fg)]);
            }
            return;
        }
        Overlay::Help { selected, .. } => ("Help", *selected, crate::tui::update::overlay_rows(model)),
        Overlay::Themes { selected, .. } => ("Theme", *selected, crate::tui::update::overlay_rows(model)),
        Overlay::Settings { selected } => ("Settings", *selected, crate::tui::update::overlay_rows(model)),
        Overlay::Titles { selected } => ("Titles heard", *selected, crate::tui::update::overlay_rows(model)),
    };
    let place = format!("  {} of {count}", (at + 1).min(count));
    pen.line(area, 0, &[(title, Role::Title), (&place, Role::Muted)]);
    let row = selected_row(model, overlay);
    let pointer = pen.glyphs().selected.clone();
    pen.line(area, 1, &[(&pointer, Role::Key), (" ", Role::Fg), (&row, Role::Fg)]);
}

/// Sentences one after the other, over as many lines as they need.
fn laid(lines: &[String], area: Rect, more: &str) -> Vec<String> {
    wrap(&lines.join(" "), usize::from(area.width), usize::MAX, more)
}

/// Lines of these words that the strip has no room for.
pub fn words_beyond(lines: &[String], area: Rect) -> usize {
    laid(lines, area, "").len().saturating_sub(usize::from(area.height))
}

fn selected_row(model: &Model, overlay: &Overlay) -> String {
    let row = match overlay {
        Overlay::Help { typed, selected, all } => help_rows(model, typed, *all)
            .get(*selected)
            .map(|entry| format!("{}  {}", model.bindings.label(entry.action), entry.label)),
        Overlay::Themes { selected, .. } => model.look.shelf.names().get(*selected).map(|name| clean(name)),
        Overlay::Settings { selected } => settings_rows(model)
            .get(*selected)
            .map(|row| format!("{}: {}", row.name, clean(&row.value))),
        Overlay::Titles { selected } => model
            .heard
            .newest()
            .nth(*selected)
            .map(|heard| format!("{}  {}", model.wall.hours_minutes(heard.unix_s), heard.title)),
        Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. } => None,
    };
    row.unwrap_or_else(|| "nothing".to_owned())
}
