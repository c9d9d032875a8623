//! The strip at the bottom: what is heard, always in the same place, in every state.

mod state;

pub use state::state;

use ratatui::layout::Rect;

use super::{Pen, from};
use crate::engine::snapshot::PlayerState;
use crate::tui::model::{METER_FLOOR_DB, Model};
use crate::tui::text::width;
use crate::tui::theme::Role;
use crate::tui::update::words::{clock, decibels, rate};

/// Two lines in a frame.
pub fn framed(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let (health, role) = health(model, pen);
    let title = if model.show().is_some() && model.player().is_none() {
        "On air"
    } else {
        "Listening"
    };
    let inner = pen.pane(area, &[(title, Role::Dim)], &[(&health, role)], false);
    let state = state(model, pen);
    let name_cells = width(&state.name).min(30);
    let name = pen.fitted(&state.name, name_cells);
    let facts = facts(model);
    let left = Rect {
        width: inner.width.saturating_sub(width(&facts) as u16 + 2),
        ..inner
    };
    let x = pen.line(
        left,
        0,
        &[
            (&state.mark, state.role),
            (" ", Role::Fg),
            (state.word, state.role),
            ("  ", Role::Fg),
            (&name, Role::Title),
            ("   ", Role::Fg),
        ],
    );
    let rest = from(left, x);
    pen.line(rest, 0, &[(&state.detail, Role::Fg)]);
    pen.line_right(inner, 0, &[(&facts, Role::Dim)]);
    meters(model, pen, inner);
}

fn meters(model: &Model, pen: &mut Pen<'_>, inner: Rect) {
    if model.player().is_none() && model.show().is_none() {
        let hint = "A channel that plays shows its level, its buffer and its volume here.";
        pen.line(inner, 1, &[(hint, Role::Muted)]);
        return;
    }
    let levels = &model.meters;
    let minus = pen.glyphs().minus.clone();
    let wide = inner.width >= 100;
    let cells = if wide { 18 } else { 14 };
    let mut x = inner.x;
    for (side, letter) in ["L", "R"].iter().enumerate() {
        let at = from(inner, x);
        x = pen.line(at, 1, &[(letter, Role::Dim), (" ", Role::Fg)]);
        let at = from(inner, x);
        x = pen.meter(at, 1, cells, levels.levels.rms_db[side], levels.held_db[side]);
        let at = from(inner, x);
        let number = pen.right(&decibels(levels.levels.peak_db[side], &minus), 4);
        x = pen.line(
            at,
            1,
            &[
                (&number, Role::Fg),
                (if side == 1 { " dB  " } else { "  " }, Role::Muted),
            ],
        );
    }
    let Some(player) = model.player() else { return };
    let mut at = from(inner, x);
    x = pen.line(at, 1, &[("buffer ", Role::Dim)]);
    at = from(inner, x);
    x = buffer_bar(model, pen, at, 1, if wide { 12 } else { 8 });
    at = from(inner, x);
    let held = format!(
        " {:.1}/{:.0} s   ",
        player.buffer.as_secs_f64(),
        player.wanted_delay.as_secs_f64().ceil()
    );
    x = pen.line(at, 1, &[(&held, Role::Fg)]);
    at = from(inner, x);
    let volume = if player.muted {
        "vol muted".to_owned()
    } else {
        format!("vol {} %", player.volume)
    };
    let mut tail = vec![(volume.as_str(), if player.muted { Role::Warn } else { Role::Fg })];
    let sleep = model
        .sleep_at
        .map(|at| format!("   sleep {}", clock(at.saturating_sub(model.now))));
    if let Some(sleep) = &sleep {
        tail.push((sleep, Role::Dim));
    }
    if player.recording.is_some() {
        tail.push(("   rec", Role::Rec));
    }
    pen.line(at, 1, &tail);
}

/// The buffer against the wanted delay.
pub fn buffer_bar(model: &Model, pen: &mut Pen<'_>, area: Rect, row: u16, cells: u16) -> u16 {
    let Some(player) = model.player() else { return area.x };
    let share = player.buffer.as_secs_f64() / player.wanted_delay.as_secs_f64().max(0.1);
    // A short buffer that fills is no trouble; one that the player complains of is.
    let role = match player.state {
        PlayerState::BufferLow | PlayerState::Reconnecting => Role::BufferLow,
        _ if share < 0.25 => Role::BufferMid,
        _ => Role::BufferFull,
    };
    pen.bar(area, row, cells, share, role)
}

/// Hops, delay, loss and codec of what is heard.
pub fn facts(model: &Model) -> String {
    let Some(channel) = model.shown() else {
        return String::new();
    };
    let hops = match channel.hops {
        // Not known yet.
        0 => String::new(),
        1 => "1 hop · ".to_owned(),
        hops => format!("{hops} hops · "),
    };
    let codec = match channel.codec {
        crate::mesh::session::Codec::Opus => "opus",
        crate::mesh::session::Codec::Flac => "flac",
    };
    if channel.role == crate::engine::snapshot::Role::Host {
        return format!("{codec} {}", rate(u64::from(channel.bitrate_bps)));
    }
    let missed = (1.0 - channel.continuity.clamp(0.0, 1.0)) * 100.0;
    format!(
        "{hops}{} ms · loss {missed:.1} % · {codec} {}",
        channel.lag.as_millis(),
        rate(u64::from(channel.bitrate_bps))
    )
}

/// Mark, word and number of the mesh's health for the channel that is heard.
pub fn health(model: &Model, pen: &Pen<'_>) -> (String, Role) {
    let glyphs = pen.glyphs();
    let Some(channel) = model.playing() else {
        return (String::new(), Role::Muted);
    };
    let total = channel.parents.len();
    let fed = channel.parents.iter().flatten().count();
    if total > 0 && fed < total {
        return (format!("{} {fed} of {total} stripes fed · w", glyphs.warn), Role::Warn);
    }
    if channel.continuity < 0.995 && channel.chunks_due > 0 {
        return (
            format!(
                "{} {:.1} % arrived in time · w",
                glyphs.warn,
                channel.continuity * 100.0
            ),
            Role::Warn,
        );
    }
    (format!("{} healthy", glyphs.room), Role::Ok)
}

/// A rule and one line.
pub fn compact(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    pen.rule(area, 0);
    let area = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    };
    let state = state(model, pen);
    let tail = tail(model);
    let bar_cells: u16 = if model.player().is_some() && area.width >= 50 {
        10
    } else {
        0
    };
    let tail_cells = width(&tail) as u16 + bar_cells;
    let left = Rect {
        width: area.width.saturating_sub(tail_cells + 1),
        ..area
    };
    let mut parts = vec![(state.mark.as_str(), state.role), (" ", Role::Fg)];
    if state.word != "PLAYING" {
        parts.extend([(state.word, state.role), (" ", Role::Fg)]);
    }
    let dot = format!(" {} ", pen.glyphs().dot);
    parts.push((&state.name, Role::Title));
    if !state.detail.is_empty() {
        parts.extend([(dot.as_str(), Role::Muted), (state.detail.as_str(), Role::Fg)]);
    }
    pen.line(left, 1, &parts);
    let right = Rect {
        x: area.right().saturating_sub(tail_cells),
        width: tail_cells.min(area.width),
        ..area
    };
    let x = if bar_cells > 0 {
        buffer_bar(model, pen, right, 1, bar_cells)
    } else {
        right.x
    };
    let at = from(right, x);
    pen.line(at, 1, &[(&tail, Role::Fg)]);
}

fn tail(model: &Model) -> String {
    match (model.player(), model.show()) {
        (Some(player), _) => {
            let volume = if player.muted {
                "mute".to_owned()
            } else {
                format!("{}%", player.volume)
            };
            format!("{:.1}s {volume}", player.buffer.as_secs_f64())
        }
        (None, Some(show)) => clock(show.on_air),
        (None, None) => String::new(),
    }
}

/// One or two lines without any frame, for the smallest terminals.
pub fn small(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let state = state(model, pen);
    let dot = format!(" {} ", pen.glyphs().dot);
    let mut parts = vec![(state.mark.as_str(), state.role), (" ", Role::Fg)];
    if state.word != "PLAYING" {
        parts.extend([(state.word, state.role), (" ", Role::Fg)]);
    }
    parts.extend([
        (state.name.as_str(), Role::Title),
        (dot.as_str(), Role::Muted),
        (state.detail.as_str(), Role::Fg),
    ]);
    pen.line(area, 0, &parts);
    if area.height < 2 {
        return;
    }
    let (health, role) = match model.playing() {
        Some(channel) => (
            format!("{} {} ms  ", pen.glyphs().room, channel.lag.as_millis()),
            health(model, pen).1,
        ),
        None => (String::new(), Role::Muted),
    };
    let mut x = pen.line(area, 1, &[(&health, role)]);
    if model.player().is_some() {
        let at = from(area, x);
        x = buffer_bar(model, pen, at, 1, 10);
    }
    let column = |db: f32| {
        let share = (db.max(METER_FLOOR_DB) - METER_FLOOR_DB) / -METER_FLOOR_DB;
        pen.glyphs().column((share * 8.0).round() as usize)
    };
    let [left, right] = model.meters.levels.rms_db;
    let sounding = model.player().is_some() || model.show().is_some();
    let levels = if sounding {
        format!("  L{}R{}  ", column(left), column(right))
    } else {
        String::new()
    };
    let mut tail = tail(model);
    if let Some(at) = model.sleep_at {
        tail.push_str(&format!("  sleep {}", clock(at.saturating_sub(model.now))));
    }
    let at = from(area, x);
    pen.line(at, 1, &[(&levels, Role::MeterLow), (&tail, Role::Fg)]);
}
