//! What is heard: title, spectrum, level, buffer, health of the stream, titles heard.

mod side;
mod spectrum;

use ratatui::layout::Rect;

use self::side::{health_pane, heard_pane};
use self::spectrum::{spectrum, spectrum_pane};

use super::strip::{self, buffer_bar};
use super::{Pen, Tier, from};
use crate::tui::model::Model;
use crate::tui::text::{clean, width};
use crate::tui::theme::Role;
use crate::tui::update::words::{clock, decibels, loudness};

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    match tier {
        Tier::Full | Tier::Medium => framed(model, pen, area),
        Tier::Compact | Tier::Narrow | Tier::Strip => plain(model, pen, area, tier),
    }
}

fn framed(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let side = if area.width >= 100 { 38 } else { 0 };
    let left = Rect {
        width: area.width - side,
        ..area
    };
    let title_rows = if area.height >= 22 { 8 } else { 6 };
    let level_rows = 6.min(area.height.saturating_sub(title_rows + 4)).max(5);
    let title = Rect {
        height: title_rows.min(area.height),
        ..left
    };
    let level = Rect {
        y: area.bottom().saturating_sub(level_rows),
        height: level_rows,
        ..left
    };
    let middle = Rect {
        y: title.bottom(),
        height: level.y.saturating_sub(title.bottom()),
        ..left
    };
    if pen.draws(title) {
        title_pane(model, pen, title);
    }
    spectrum_pane(model, pen, middle);
    level_pane(model, pen, level);
    if side > 0 {
        let right = Rect {
            x: left.right(),
            width: side,
            ..area
        };
        let health = Rect {
            height: 12.min(right.height),
            y: right.bottom() - 12.min(right.height),
            ..right
        };
        let heard = Rect {
            height: right.height - health.height,
            ..right
        };
        if pen.draws(heard) {
            heard_pane(model, pen, heard);
        }
        if pen.draws(health) {
            health_pane(model, pen, health);
        }
    }
}

fn title_pane(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let state = strip::state(model, pen);
    let name = model
        .shown()
        .map_or_else(|| "Now Playing".to_owned(), |channel| clean(&channel.name));
    let played = model
        .player()
        .map_or(String::new(), |player| format!("  {}", clock(player.played)));
    let fact = format!("{} {}{played}", state.mark, state.word);
    let inner = pen.pane(area, &[(&name, Role::Title)], &[(&fact, state.role)], true);
    let Some(channel) = model.shown() else {
        pen.line(inner, 1, &[("Nothing is playing.", Role::Fg)]);
        pen.line(
            inner,
            2,
            &[
                ("1", Role::Key),
                (" shows the channels, ", Role::Dim),
                ("Enter", Role::Key),
                (" plays one.", Role::Dim),
            ],
        );
        pen.line(
            inner,
            3,
            &[
                (":play LINK", Role::Key),
                (" joins a channel whose link you were given.", Role::Dim),
            ],
        );
        return;
    };
    let (title, artist) = split_title(&clean(&channel.title));
    let air = u16::from(inner.height > 4);
    pen.line(
        inner,
        air,
        &[(
            if title.is_empty() { "no title yet" } else { &title },
            if title.is_empty() { Role::Muted } else { Role::Title },
        )],
    );
    let under = [artist.as_str(), &clean(&channel.genre), &clean(&channel.description)]
        .iter()
        .filter(|s| !s.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("  ·  ");
    pen.line(inner, air + 1, &[(&under, Role::Fg)]);
    let since = model.heard.current();
    if let Some(heard) = since {
        let into = std::time::Duration::from_secs(model.wall.unix_s.saturating_sub(heard.unix_s));
        let line = format!(
            "{} · {} into this title · shown when you hear it",
            model.wall.hours_minutes(heard.unix_s),
            clock(into)
        );
        pen.line(inner, air + 3, &[(&line, Role::Muted)]);
    }
}

/// `Artist – Title` the way most stations write it.
fn split_title(text: &str) -> (String, String) {
    for dash in [" – ", " - ", " — "] {
        if let Some((artist, title)) = text.split_once(dash) {
            return (title.trim().to_owned(), artist.trim().to_owned());
        }
    }
    (text.to_owned(), String::new())
}

fn level_pane(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let minus = pen.glyphs().minus.clone();
    let fact = loudness(model.strip_meters(), &minus);
    let inner = pen.pane(area, &[("Level and buffer", Role::Dim)], &[(&fact, Role::Dim)], false);
    for (row, letter) in ["L", "R"].iter().enumerate() {
        level_row(model, pen, inner, row, letter);
    }
    let Some(player) = model.player() else {
        if model.show().is_none() {
            pen.line(inner, 3, &[("nothing is playing", Role::Muted)]);
        }
        return;
    };
    let meter_cells = inner.width.saturating_sub(26);
    if inner.height >= 4 {
        scale_row(pen, inner, 2, meter_cells, &minus);
    }
    let row = inner.height.saturating_sub(1);
    let x = pen.line(inner, row, &[("BUFFER ", Role::Dim)]);
    let at = from(inner, x);
    let x = buffer_bar(model, pen, at, row, 26.min(inner.width / 3));
    let at = from(inner, x);
    let ok = if player.underruns == 0 {
        (pen.glyphs().ok.clone(), Role::Ok)
    } else {
        (pen.glyphs().warn.clone(), Role::Warn)
    };
    let held = format!(
        " {:.1} of {:.1} s   ",
        player.buffer.as_secs_f64(),
        player.wanted_delay.as_secs_f64()
    );
    let counts = format!(
        " {:.1} s silent, {} underruns",
        player.silence.as_secs_f64(),
        player.underruns
    );
    pen.line(at, row, &[(&held, Role::Fg), (&ok.0, ok.1), (&counts, Role::Dim)]);
}

fn level_row(model: &Model, pen: &mut Pen<'_>, inner: Rect, side: usize, letter: &str) {
    let minus = pen.glyphs().minus.clone();
    let meters = model.strip_meters();
    let cells = inner.width.saturating_sub(26).max(8);
    let row = side as u16;
    let x = pen.line(inner, row, &[(letter, Role::Dim), (" ", Role::Fg)]);
    let at = from(inner, x);
    let x = pen.meter(at, row, cells, meters.levels.rms_db[side], meters.held_db[side]);
    let at = from(inner, x);
    let level = pen.right(&decibels(meters.levels.rms_db[side], &minus), 4);
    let peak = format!("  peak {} dB", decibels(meters.held_db[side], &minus));
    pen.line(at, row, &[(&level, Role::Fg), (&peak, Role::Dim)]);
}

fn scale_row(pen: &mut Pen<'_>, inner: Rect, row: u16, cells: u16, minus: &str) {
    for db in [60u16, 48, 36, 24, 12, 3] {
        let place = f32::from(60 - db) / 60.0 * f32::from(cells.saturating_sub(2));
        let x = inner.x + 3 + place as u16;
        let at = from(inner, x);
        pen.line(at, row, &[(&format!("{minus}{db}"), Role::Muted)]);
    }
}

/// Without frames: title, spectrum or nothing, two meters, one line of facts.
fn plain(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let Some(channel) = model.shown() else {
        pen.line(
            area,
            1,
            &[
                (" Nothing is playing. ", Role::Fg),
                ("1", Role::Key),
                (" shows the channels.", Role::Dim),
            ],
        );
        return;
    };
    let inner = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    };
    let (title, artist) = split_title(&clean(&channel.title));
    let name = clean(&channel.name);
    let name_room = width(&name).min(usize::from(inner.width) / 2);
    let title_area = Rect {
        width: inner.width.saturating_sub(name_room as u16 + 1),
        ..inner
    };
    pen.line(
        title_area,
        0,
        &[(if title.is_empty() { "no title yet" } else { &title }, Role::Title)],
    );
    let name = pen.right(&name, name_room);
    pen.line_right(inner, 0, &[(&name, Role::Dim)]);
    let state = strip::state(model, pen);
    pen.line(inner, 1, &[(&artist, Role::Fg)]);
    let played = model.player().map_or(String::new(), |player| clock(player.played));
    pen.line_right(
        inner,
        1,
        &[(&state.mark, state.role), (" ", Role::Fg), (&played, Role::Dim)],
    );
    let facts_row = inner.height.saturating_sub(1);
    let middle = Rect {
        y: inner.y + 3,
        height: inner.height.saturating_sub(6),
        ..inner
    };
    if tier >= Tier::Compact && middle.height >= 3 && model.settings.spectrum && model.is_sounding() {
        spectrum(model, pen, middle, false);
    }
    if facts_row >= 4 {
        for (side, letter) in ["L", "R"].iter().enumerate() {
            let at = Rect {
                y: inner.y + facts_row - 2,
                height: 2,
                ..inner
            };
            level_row(model, pen, at, side, letter);
        }
    }
    let silent = model.player().map_or(String::new(), |player| {
        format!(" · {:.1} s silent", player.silence.as_secs_f64())
    });
    pen.line(
        inner,
        facts_row,
        &[(&strip::facts(model), Role::Dim), (&silent, Role::Dim)],
    );
}
