//! The strip at the bottom: what is heard, always in the same place, in every state.

mod small;
mod state;

pub use small::{small, words_beyond};
pub use state::state;

use ratatui::layout::Rect;

use super::{Pen, from};
use crate::engine::snapshot::{ChannelView, PlayerState, Role as Part};
use crate::tui::model::Model;
use crate::tui::text::width;
use crate::tui::theme::Role;
use crate::tui::update::words::{bytes, clock, decibels, rate};

/// Two lines in a frame.
pub fn framed(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let health = health(model, pen);
    let title = if model.show().is_some() && model.player().is_none() {
        "On air"
    } else {
        "Listening"
    };
    let inner = pen.pane(area, &[(title, Role::Dim)], &[(&health.text(), health.role)], false);
    if pen.draws(Rect { height: 1, ..inner }) {
        what_plays(model, pen, inner);
    }
    meters(model, pen, inner);
}

fn what_plays(model: &Model, pen: &mut Pen<'_>, inner: Rect) {
    let state = state(model, pen);
    let name_cells = width(&state.name).min(30);
    let name = pen.fitted(&state.name, name_cells);
    let facts = if inner.width >= 90 {
        facts(model)
    } else {
        short_facts(model)
    };
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
}

/// Cells of the parts of the second line: what people set comes first, the meters take what is left.
struct Room {
    meter: u16,
    buffer: u16,
    /// Whether the word stands before the buffer's bar.
    word: bool,
}

/// Letters, numbers and gaps around two meters.
const METER_WORDS: u16 = 19;
/// The numbers after the buffer's bar and a gap.
const BUFFER_WORDS: u16 = 11;

impl Room {
    fn of(width: u16, tail: u16) -> Room {
        let free = width.saturating_sub(tail + METER_WORDS + BUFFER_WORDS);
        let of = |buffer: u16, word: u16| Room {
            meter: (free.saturating_sub(buffer + word) / 2).min(18),
            buffer,
            word: word > 0,
        };
        let choices = [of(12, 7), of(8, 7), of(8, 0), of(0, 0)];
        let [first, .., last] = choices.each_ref().map(|room| room.meter);
        let wanted = if first >= 10 { 10 } else { last.min(6) };
        choices.into_iter().find(|room| room.meter >= wanted).unwrap_or(Room {
            meter: 0,
            buffer: 0,
            word: false,
        })
    }
}

fn meters(model: &Model, pen: &mut Pen<'_>, inner: Rect) {
    if model.player().is_none() && model.show().is_none() {
        let hint = "A channel that plays shows its level, its buffer and its volume here.";
        pen.line(inner, 1, &[(hint, Role::Muted)]);
        return;
    }
    let tail = set_by_people(model, pen, inner.width >= 100);
    let tail: Vec<(&str, Role)> = tail.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    let cells: usize = tail.iter().map(|(text, _)| width(text)).sum();
    pen.line_right(inner, 1, &tail);
    let room = Room::of(inner.width, cells as u16 + 2);
    let minus = pen.glyphs().minus.clone();
    let meters = *model.strip_meters();
    let left = Rect {
        width: inner.width.saturating_sub(cells as u16 + 1),
        ..inner
    };
    let mut x = left.x;
    for (side, letter) in ["L", "R"].iter().enumerate() {
        x = pen.line(from(left, x), 1, &[(letter, Role::Dim), (" ", Role::Fg)]);
        if room.meter >= 4 {
            x = pen.meter(
                from(left, x),
                1,
                room.meter,
                meters.levels.rms_db[side],
                meters.held_db[side],
            );
        }
        let number = pen.right(&decibels(meters.levels.peak_db[side], &minus), 4);
        let unit = if side == 1 { " dB  " } else { "  " };
        x = pen.line(from(left, x), 1, &[(&number, Role::Fg), (unit, Role::Muted)]);
    }
    let Some(player) = model.player() else { return };
    if room.word {
        x = pen.line(from(left, x), 1, &[("buffer ", Role::Dim)]);
    }
    if room.buffer > 0 {
        x = buffer_bar(model, pen, from(left, x), 1, room.buffer);
    }
    let held = format!(
        " {:.1}/{:.0} s",
        player.buffer.as_secs_f64(),
        player.wanted_delay.as_secs_f64().ceil()
    );
    pen.line(from(left, x), 1, &[(&held, Role::Fg)]);
}

/// Volume, recording and sleep timer: what people set is never cut in favour of what moves by itself.
fn set_by_people(model: &Model, pen: &Pen<'_>, wide: bool) -> Vec<(String, Role)> {
    let glyphs = pen.glyphs();
    let mut parts = Vec::new();
    match model.player() {
        Some(player) if player.muted => parts.push(("vol muted".to_owned(), Role::Warn)),
        Some(player) => {
            if wide {
                let full = usize::from(player.volume.min(100)) * 7 / 100;
                parts.push(("vol ".to_owned(), Role::Dim));
                parts.push((glyphs.bar_left.clone(), Role::Muted));
                parts.push((glyphs.bar_full.repeat(full), Role::Accent));
                parts.push((glyphs.bar_empty.repeat(7 - full), Role::MeterEmpty));
                parts.push((glyphs.bar_right.clone(), Role::Muted));
                parts.push((format!("{:>3} %", player.volume), Role::Fg));
            } else {
                parts.push((format!("vol {} %", player.volume), Role::Fg));
            }
        }
        None => {}
    }
    if let Some(recording) = model.player().and_then(|player| player.recording.as_ref()) {
        parts.push((format!("  {} rec {}", glyphs.live, bytes(recording.bytes)), Role::Rec));
    }
    if let Some(at) = model.sleep_at {
        let left = clock(at.saturating_sub(model.now));
        parts.push((format!("  sleep {left}"), Role::Dim));
    }
    parts
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

/// Delay and loss, where the title needs the room.
fn short_facts(model: &Model) -> String {
    let heard = |channel: &&ChannelView| channel.role != Part::Host;
    model.shown().filter(heard).map_or(String::new(), |channel| {
        let missed = model.reception.missed_share(channel) * 100.0;
        format!("{} ms · loss {missed:.1} %", channel.lag.as_millis())
    })
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
    if channel.role == Part::Host {
        return format!("{codec} {}", rate(u64::from(channel.bitrate_bps)));
    }
    let missed = model.reception.missed_share(channel) * 100.0;
    format!(
        "{hops}{} ms · loss {missed:.1} % · {codec} {}",
        channel.lag.as_millis(),
        rate(u64::from(channel.bitrate_bps))
    )
}

/// How the channel that is heard comes in: a mark, words and the next step.
pub struct Health<'a> {
    pub mark: &'a str,
    pub words: String,
    pub role: Role,
}

impl Health<'_> {
    /// Mark and words together.
    pub fn text(&self) -> String {
        format!("{} {}", self.mark, self.words).trim_end().to_owned()
    }
}

/// Below this share of chunks in time over the last minute a person hears that something is wrong.
const CONTINUITY_GOOD: f64 = 0.995;

/// Mark, word and number of the health of what is heard.
pub fn health<'a>(model: &Model, pen: &Pen<'a>) -> Health<'a> {
    let glyphs = pen.glyphs();
    let of = |mark: &'a str, words: &str, role| Health {
        mark,
        words: words.to_owned(),
        role,
    };
    let Some((channel, player)) = model.playing().and_then(|c| c.player.as_ref().map(|p| (c, p))) else {
        return of("", "", Role::Muted);
    };
    match player.state {
        PlayerState::NoOutput => return of(&glyphs.closed, "no sound out · 5", Role::Error),
        PlayerState::Joining => return of(&glyphs.joining, "joining", Role::Accent),
        PlayerState::BufferLow => return of(&glyphs.warn, "buffer low · w", Role::Warn),
        PlayerState::Reconnecting => return of(&glyphs.reconnect, "nothing comes in · c", Role::Warn),
        PlayerState::OffAir => return of(&glyphs.stop, "off air", Role::Muted),
        PlayerState::Playing => {}
    }
    let total = channel.parents.len();
    let fed = channel.parents.iter().flatten().count();
    let in_time = 1.0 - model.reception.missed_share(channel);
    if total > 0 && fed < total {
        of(&glyphs.warn, &format!("{fed} of {total} stripes fed · w"), Role::Warn)
    } else if in_time < CONTINUITY_GOOD {
        let words = format!("{:.1} % in time this minute · w", in_time * 100.0);
        of(&glyphs.warn, &words, Role::Warn)
    } else {
        of(&glyphs.room, "healthy", Role::Ok)
    }
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
    let tail = tail(model, area.width < 58);
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

/// Buffer, volume, recording and sleep timer, or the time on air, in few cells.
fn tail(model: &Model, short: bool) -> String {
    let mut tail = match (model.player(), model.show()) {
        (Some(player), _) => {
            let volume = if player.muted {
                "mute".to_owned()
            } else {
                format!("{}%", player.volume)
            };
            let recording = if player.recording.is_some() { " rec" } else { "" };
            format!("{:.1}s {volume}{recording}", player.buffer.as_secs_f64())
        }
        (None, Some(show)) => clock(show.on_air),
        (None, None) => String::new(),
    };
    if let Some(at) = model.sleep_at {
        let word = if short { "z" } else { "sleep" };
        tail.push_str(&format!(" {word} {}", clock(at.saturating_sub(model.now))));
    }
    tail
}
