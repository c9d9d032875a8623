//! What happened, newest first, and what to do about the selected line.

use ratatui::layout::Rect;

use super::{Hit, Pen, Tier, first_shown, frame};
use crate::engine::event::Level;
use crate::tui::journal::{Line, level_word};
use crate::tui::model::Model;
use crate::tui::text::wrap;
use crate::tui::theme::Role;

fn split(model: &Model, area: Rect, tier: Tier) -> (Rect, Option<Rect>) {
    let rows = if tier >= Tier::Medium { 6 } else { 4 };
    if !model.journal.explain || area.height < rows + 5 {
        return (area, None);
    }
    let below = Rect {
        y: area.bottom() - rows,
        height: rows,
        ..area
    };
    (
        Rect {
            height: area.height - rows,
            ..area
        },
        Some(below),
    )
}

fn list_area(model: &Model, area: Rect, tier: Tier) -> Rect {
    let (list, _) = split(model, area, tier);
    let inside = frame::inside(list, tier);
    if tier >= Tier::Medium {
        frame::aired(inside)
    } else {
        inside
    }
}

/// The row at a place of the screen.
pub fn row_at(model: &Model, area: Rect, tier: Tier, row: u16) -> Option<Hit> {
    let list = list_area(model, area, tier);
    let at = frame::row_at(list, model.journal.visible().len(), model.journal.selected, row)?;
    Some(Hit::Row { row: at, pane: 0 })
}

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let (list, below) = split(model, area, tier);
    let journal = &model.journal;
    let lines = journal.visible();
    let level = match journal.level {
        Level::Info => "all levels",
        Level::Warn => "warnings",
        Level::Error => "errors",
    };
    let (warnings, errors) = journal.counts();
    let module = journal.module.unwrap_or("all modules");
    let follow = if journal.follow { "following" } else { "stopped" };
    let fact = format!("{level} · {module} · {follow} · {warnings} warn · {errors} error");
    frame::draw(pen, list, tier, ("Log", &fact), true);
    let inner = list_area(model, area, tier);
    let room = usize::from(inner.height);
    let first = first_shown(journal.selected, lines.len(), room);
    for (row, line) in lines.iter().skip(first).take(room).enumerate() {
        draw_line(
            model,
            pen,
            inner,
            row as u16,
            line,
            first + row == journal.selected,
            tier,
        );
    }
    if lines.is_empty() {
        pen.line(inner, 0, &[("nothing happened yet, or l and o hide it", Role::Muted)]);
    }
    if let Some(below) = below {
        explain(model, pen, below, lines.get(journal.selected).copied(), tier);
    }
}

fn draw_line(model: &Model, pen: &mut Pen<'_>, area: Rect, row: u16, line: &Line, selected: bool, tier: Tier) {
    let glyphs = pen.glyphs();
    let (mark, role) = match line.level {
        Level::Info => (" ", Role::LogInfo),
        Level::Warn => (glyphs.warn.as_str(), Role::LogWarn),
        Level::Error => (glyphs.closed.as_str(), Role::LogError),
    };
    let time = model.wall.full_time(line.unix_s);
    let count = if line.count > 1 {
        format!(" ({} times)", line.count)
    } else {
        String::new()
    };
    let pointer = if selected { glyphs.selected.as_str() } else { " " };
    if selected {
        pen.paint_row(area, row, Role::Selection);
    }
    let module = format!(" {} {:6}", level_word(line.level), line.module);
    let wide = tier >= Tier::Medium;
    let text = if line.level == Level::Info { Role::Fg } else { role };
    let text = if selected { Role::Selection } else { text };
    pen.line(
        area,
        row,
        &[
            (pointer, Role::Key),
            (&time, if selected { Role::Selection } else { Role::Muted }),
            (" ", Role::Fg),
            (mark, role),
            (
                if wide { &module } else { "" },
                if selected { Role::Selection } else { role },
            ),
            (" ", Role::Fg),
            (&line.text, text),
            (&count, Role::Muted),
        ],
    );
}

fn explain(model: &Model, pen: &mut Pen<'_>, area: Rect, line: Option<&Line>, tier: Tier) {
    let inner = if tier >= Tier::Medium {
        let time = line.map_or(String::new(), |line| model.wall.full_time(line.unix_s));
        pen.pane(area, &[("What happened", Role::Dim)], &[(&time, Role::Muted)], false)
    } else {
        pen.rule(area, 0);
        frame::aired(Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        })
    };
    let Some(line) = line else { return };
    let more = pen.glyphs().more.clone();
    let text = wrap(&line.text, usize::from(inner.width), 2, &more);
    let mut row = 0;
    for words in &text {
        pen.line(inner, row, &[(words, Role::Fg)]);
        row += 1;
    }
    let hint = if line.hint.is_empty() {
        "Nothing to do."
    } else {
        &line.hint
    };
    for words in wrap(
        hint,
        usize::from(inner.width).saturating_sub(6),
        usize::from(inner.height.saturating_sub(row)),
        &more,
    ) {
        pen.line(inner, row, &[("do    ", Role::Muted), (&words, Role::Dim)]);
        row += 1;
    }
}
