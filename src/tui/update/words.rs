//! Numbers and states in words a person can use.

use std::time::Duration;

use crate::engine::snapshot::{ChannelView, PlayerState, RecordingView};
use crate::mesh::stats::Neighbour;
use crate::tui::mask::mask_addresses;
use crate::tui::model::Model;
use crate::tui::neighbours::{Tie, stripe_words};
use crate::tui::text::clean;

/// A rate with its magnitude: `131k`, `2.0M`, bits a second.
pub fn rate(bps: u64) -> String {
    match bps {
        0..1_000 => format!("{bps}"),
        1_000..1_000_000 => format!("{}k", (bps + 500) / 1_000),
        _ => format!("{:.1}M", bps as f64 / 1e6),
    }
}

/// Bytes with their magnitude.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

/// Reads `500k`, `2M`, `1.5M`, `800000`.
pub fn parse_rate(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches("bit/s").trim_end_matches("bps").trim();
    let (number, factor) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1e3),
        'm' | 'M' => (&text[..text.len() - 1], 1e6),
        'g' | 'G' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && (0.0..=1e12).contains(&(number * factor))).then(|| (number * factor).round() as u64)
}

/// Reads `90s`, `30m`, `1h`; a bare number is minutes. At most a week.
pub fn parse_time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, factor) = match text.chars().last()? {
        's' => (&text[..text.len() - 1], 1),
        'm' => (&text[..text.len() - 1], 60),
        'h' => (&text[..text.len() - 1], 3_600),
        _ => (text, 60),
    };
    let seconds = number.trim().parse::<u64>().ok()?.checked_mul(factor)?;
    (1..=7 * 86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// `38:12`, or `1:02:03` from an hour on.
pub fn clock(time: Duration) -> String {
    let s = time.as_secs();
    if s < 3_600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    }
}

/// `9 s`, `41 m`, `2 h 01`, `3 d`.
pub fn age(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} m", s / 60),
        3_600..86_400 => format!("{} h {:02}", s / 3_600, s / 60 % 60),
        _ => format!("{} d", s / 86_400),
    }
}

/// What is kept of a recording that was closed.
pub fn recorded(view: &RecordingView) -> String {
    let place = clean(&view.place);
    match view.pieces {
        0 => "the recording is closed; nothing came that could be kept".to_owned(),
        1 => format!("recorded {} to {place}", bytes(view.bytes)),
        pieces => format!("recorded {pieces} titles, {}, to {place}", bytes(view.bytes)),
    }
}

/// Reads seconds: `2`, `0.5`, `1.5s`.
pub fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().trim_end_matches('s').trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A level as a person reads it; silence is a dash.
pub fn decibels(db: f32, minus: &str) -> String {
    if !db.is_finite() || db <= -90.0 {
        return "  —".to_owned();
    }
    let rounded = db.round() as i32;
    if rounded < 0 {
        format!("{minus}{}", -rounded)
    } else {
        format!("{rounded}")
    }
}

/// Short-term loudness in words; empty while there is none.
pub fn loudness(meters: &crate::tui::model::Meters, minus: &str) -> String {
    let loudness = meters.levels.loudness;
    if loudness.is_finite() && loudness > -90.0 {
        let sign = if loudness < 0.0 { minus } else { "" };
        format!("{sign}{:.1} LUFS", loudness.abs())
    } else {
        String::new()
    }
}

/// A link as a screen may show it: without the addresses, since people share screens.
pub fn shared_link(link: &str) -> String {
    clean(link.split('?').next().unwrap_or(link))
}

/// A rate in a sentence: `2.0 Mbit/s`, `500 kbit/s`, or that there is no limit.
pub fn bit_rate(bps: u64) -> String {
    let text = limit(bps);
    match text.strip_suffix(['k', 'M']) {
        Some(number) => format!("{number} {}bit/s", &text[number.len()..]),
        None if (1..crate::engine::snapshot::UNLIMITED_BPS).contains(&bps) => format!("{text} bit/s"),
        None => text,
    }
}

/// An upload limit; above everything is none.
pub fn limit(bps: u64) -> String {
    match bps {
        0 => "listen only".to_owned(),
        crate::engine::snapshot::UNLIMITED_BPS.. => "no limit".to_owned(),
        bps => rate(bps),
    }
}

/// A message with what to do after it, without addresses.
pub fn with_hint(message: &str, hint: &str) -> String {
    let shown = |text| mask_addresses(&clean(text));
    if hint.is_empty() {
        shown(message)
    } else {
        format!("{} · {}", shown(message), shown(hint))
    }
}

/// Why it sounds as it does, and what helps, in sentences.
pub fn why(model: &Model) -> Vec<String> {
    let Some(player) = model.player() else {
        return match model.show() {
            Some(show) if show.confirming_peers == 0 => vec![
                "You are hosting and nobody has taken the sound yet.".to_owned(),
                "y in the studio copies the link to send.".to_owned(),
            ],
            Some(show) => vec![format!(
                "{} neighbours confirmed your sound within the last second.",
                show.confirming_peers
            )],
            None => vec!["Nothing is playing. 1 shows the channels, Enter plays one.".to_owned()],
        };
    };
    let mut lines = vec![state_sentence(player.state, player.paused, player.muted)];
    lines.push(format!(
        "The buffer holds {:.1} of {:.1} s; {:.1} s of this visit were silent or concealed, {} underruns.",
        player.buffer.as_secs_f64(),
        player.wanted_delay.as_secs_f64(),
        player.silence.as_secs_f64(),
        player.underruns
    ));
    if let Some(channel) = model.playing() {
        lines.extend(parents_sentences(model, channel));
    }
    lines
}

fn state_sentence(state: PlayerState, paused: bool, muted: bool) -> String {
    match state {
        _ if paused => {
            "You paused it; the mesh goes on and others still get the sound through you. Space resumes.".to_owned()
        }
        _ if muted => "It plays, but you muted it. m lets you hear it.".to_owned(),
        PlayerState::Joining => "Still joining: sound starts as soon as 360 ms in a row are here.".to_owned(),
        PlayerState::Playing => "It plays as it should.".to_owned(),
        PlayerState::BufferLow => {
            "The buffer is short, so it plays a little slower until it is full again. You will not hear that."
                .to_owned()
        }
        PlayerState::Reconnecting => "Nothing comes in: other parents are being asked. c asks at once.".to_owned(),
        PlayerState::OffAir => "The host ended the show.".to_owned(),
        PlayerState::NoOutput => "No sound device takes the sound; the next one that appears is used.".to_owned(),
    }
}

fn parents_sentences(model: &Model, channel: &ChannelView) -> Vec<String> {
    let total = channel.parents.len();
    let fed = channel.parents.iter().flatten().count();
    let mut lines = Vec::new();
    if total > 0 && fed < total {
        lines.push(format!(
            "{fed} of {total} stripes have a parent; the others are repaired by asking neighbours. c looks again."
        ));
    } else if total > 0 {
        lines.push(format!("All {total} stripes have a parent."));
    }
    let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
    let rtt = |n: &Neighbour| n.rtt.map_or("an unknown round trip".to_owned(), milliseconds);
    for parent in channel.neighbours.iter().filter(|n| n.feeds_us != 0).take(4) {
        lines.push(format!(
            "{} brings stripe {}: {} away, {:.0} % of requests late{}.",
            if parent.is_host {
                "The host".to_owned()
            } else {
                parent.peer.short()
            },
            stripe_words(parent.feeds_us, total),
            rtt(parent),
            parent.loss * 100.0,
            if parent.stalled { ", stalled now" } else { "" }
        ));
    }
    if fed > 0 {
        let warm: Vec<&Neighbour> = channel.neighbours.iter().filter(|n| n.spare).collect();
        let nearest = warm.iter().filter(|n| n.rtt.is_some()).min_by_key(|n| n.rtt);
        let spare = nearest.map_or("no standby is known".to_owned(), |n| {
            format!(
                "{} on standby, the nearest {} at {}",
                warm.len(),
                n.peer.short(),
                rtt(n)
            )
        });
        lines.push(format!(
            "A parent is kept while it brings its stripe in time and replaced when it falls 250 ms behind the best: {spare}."
        ));
    }
    let (missed, due) = model.reception.lately(channel);
    if due > 0 {
        lines.push(format!(
            "In the last minute {missed} of {due} chunks came too late or never; in all {} came by asking again, {} twice.",
            channel.repaired, channel.duplicates
        ));
    }
    lines
}

/// What is known of a neighbour, line by line.
pub fn neighbour(model: &Model, channel: &ChannelView, neighbour: &Neighbour) -> Vec<String> {
    let stripes = channel.parents.len();
    let mut lines = vec![
        format!("key      {}", neighbour.peer),
        "address  hidden, since people share screens".to_owned(),
        format!(
            "is       {}{}",
            Tie::of(neighbour).word(),
            if neighbour.is_host { ", the host itself" } else { "" }
        ),
        format!("known    {}", age(neighbour.age)),
    ];
    let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
    lines.push(format!(
        "rtt      {}   jitter {}   loss {:.1} %",
        neighbour.rtt.map_or("—".to_owned(), milliseconds),
        milliseconds(neighbour.jitter),
        neighbour.loss * 100.0
    ));
    if neighbour.feeds_us != 0 {
        lines.push(format!(
            "feeds you in stripe {}",
            stripe_words(neighbour.feeds_us, stripes)
        ));
    }
    if neighbour.fed_by_us != 0 {
        lines.push(format!(
            "gets stripe {} from you",
            stripe_words(neighbour.fed_by_us, stripes)
        ));
    }
    lines.push(format!(
        "received {}   sent {}",
        bytes(neighbour.received_bytes),
        bytes(neighbour.sent_bytes)
    ));
    if let Some(trail) = model.neighbours.trail(&neighbour.peer) {
        lines.push(format!(
            "now      {} in, {} out",
            rate(trail.download_bps),
            rate(trail.upload_bps)
        ));
    }
    if neighbour.stalled {
        lines.push("It has not confirmed anything for a while; its slot is taken back if that goes on.".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_read_as_people_write_them() {
        assert_eq!(parse_rate("2M"), Some(2_000_000));
        assert_eq!(parse_rate("1.5 M"), Some(1_500_000));
        assert_eq!(parse_rate("500kbps"), Some(500_000));
        assert_eq!(parse_rate("0"), Some(0));
        assert_eq!(
            (parse_rate(""), parse_rate("-1"), parse_rate("lots"), parse_rate("é")),
            (None, None, None, None)
        );
        assert_eq!(parse_time("30"), Some(Duration::from_secs(1_800)));
        assert_eq!(parse_time("90s"), Some(Duration::from_secs(90)));
        assert_eq!((parse_time("0"), parse_time("99999999999999999999h")), (None, None));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!((rate(131_400).as_str(), rate(2_000_000).as_str()), ("131k", "2.0M"));
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
        assert_eq!(age(Duration::from_secs(7_260)), "2 h 01");
        assert_eq!(
            (decibels(-9.2, "−").as_str(), decibels(f32::NAN, "-").as_str()),
            ("−9", "  —")
        );
    }
}
