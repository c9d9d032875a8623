//! Events as lines: JSON for programs, sentences for people.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::engine::Event;
use crate::engine::event::Level;
use crate::engine::snapshot::{ChannelView, Role};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Json,
    Lines { quiet: bool },
}

/// Writes an event to standard output; trouble goes to standard error, and with JSON to both.
///
/// # Errors
/// When standard output is closed, which ends a program in a pipe as it should.
pub fn event(event: &Event, style: Style) -> std::io::Result<()> {
    match style {
        Style::Json => match as_json(event) {
            Some(value) => line(&value.to_string()),
            None => Ok(()),
        },
        Style::Lines { quiet } => as_lines(event, quiet),
    }
}

/// Says on standard error why a command failed, and with `--json` on standard output, too.
pub fn failure(failure: &Failure, json: bool) {
    eprintln!("inonda: {}", failure.message);
    if !failure.hint.is_empty() {
        eprintln!("  → {}", failure.hint);
    }
    if json && !failure.told {
        failure_as_json(failure);
    }
}

/// The same on standard output only, for programs.
pub fn failure_as_json(failure: &Failure) {
    let value = json!({"event": "error", "code": failure.code, "message": failure.message, "hint": failure.hint});
    // Standard output may be gone; standard error has it all.
    let _ = line(&value.to_string());
}

fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

fn as_json(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Ready { peer, addrs } => json!({"event": "ready", "peer": peer.to_string(), "addrs": addrs}),
        Event::OnAir { channel, link, name } => {
            json!({"event": "on_air", "channel": channel.to_string(), "link": link, "name": name})
        }
        Event::Joined { channel, startup } => {
            json!({"event": "joined", "channel": channel.to_string(), "startup_ms": millis(*startup)})
        }
        Event::Recorded { channel, view } => json!({"event": "recorded", "channel": channel.to_string(),
            "place": view.place, "bytes": view.bytes, "files": view.pieces}),
        Event::Title { channel, title } => json!({"event": "title", "channel": channel.to_string(), "title": title}),
        Event::Stats(view) => statistics("stats", view),
        Event::ParentChanged {
            channel,
            stripe,
            from,
            to,
            gap,
        } => json!({
            "event": "parent_changed", "channel": channel.to_string(), "stripe": stripe,
            "from": from.map(|p| p.to_string()), "to": to.map(|p| p.to_string()), "gap_ms": millis(*gap),
        }),
        Event::OffAir { channel, reason, .. } => {
            json!({"event": "off_air", "channel": channel.to_string(), "reason": reason})
        }
        Event::Notice { level, message, hint } => {
            let level = match level {
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            };
            json!({"event": "notice", "level": level, "message": message, "hint": hint})
        }
        Event::Summary(view) => statistics("summary", view),
        // The command ends with it and says it once, with its exit status.
        Event::Published { http } => json!({"event": "published", "http": http}),
        Event::Failed { .. } | Event::Stopped | Event::Listed => return None,
    })
}

fn statistics(name: &str, view: &ChannelView) -> Value {
    let player = view.player.clone().unwrap_or_default();
    let mut value = json!({
        "event": name,
        "channel": view.channel.to_string(),
        "continuity": view.continuity,
        "chunks_due": view.chunks_due,
        "chunks_missed": view.chunks_missed,
        "repaired": view.repaired,
        "duplicates": view.duplicates,
        "lag_ms": millis(view.lag),
        "delay_ms": millis(player.delay),
        "buffer_ms": millis(player.buffer),
        "hops": view.hops,
        "parents": view.parents.iter().map(|p| p.map(|p| p.to_string())).collect::<Vec<_>>(),
        "children": view.children,
        "peers": view.neighbours.len(),
        "listeners": view.listeners,
        "download_bps": view.download_bps,
        "upload_bps": view.upload_bps,
        "underruns": player.underruns,
    });
    let totals = json!({
        "played_ms": millis(player.played),
        "silence_ms": millis(player.silence),
        "drift_ppm": player.drift_ppm,
        "uploaded_bytes": view.uploaded_bytes,
        "downloaded_bytes": view.downloaded_bytes,
        "payload_bytes": view.payload_bytes,
    });
    if let (Value::Object(value), Value::Object(totals)) = (&mut value, totals) {
        value.extend(totals);
    }
    value
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn as_lines(event: &Event, quiet: bool) -> std::io::Result<()> {
    match event {
        Event::OnAir { link, name, .. } => {
            // The link comes first and alone, so that it can be cut from a terminal or taken by `head -1`.
            line(link)?;
            if quiet {
                Ok(())
            } else {
                line(&format!("on air: {name}; whoever has the link above can listen"))
            }
        }
        Event::Notice { level, message, hint } => {
            if *level > Level::Info || !quiet {
                eprintln!("{message}{}{hint}", if hint.is_empty() { "" } else { "; " });
            }
            Ok(())
        }
        Event::Failed { .. }
        | Event::Stopped
        | Event::Listed
        | Event::Ready { .. }
        | Event::Stats(_)
        | Event::ParentChanged { .. } => Ok(()),
        _ if quiet => Ok(()),
        Event::Published { http } => line(&format!("over HTTP: http://{http}/")),
        Event::Joined { startup, .. } => line(&format!("joined after {} ms", startup.as_millis())),
        Event::Recorded { view, .. } => line(&format!("recorded {} to {}", bytes(view.bytes), view.place)),
        Event::Title { title, .. } => line(&format!("now: {title}")),
        Event::OffAir { reason, .. } => line(&format!("off air: {reason}")),
        Event::Summary(view) => line(&summary(view)),
    }
}

fn summary(view: &ChannelView) -> String {
    let passed_on = format!("passed on {}", bytes(view.uploaded_bytes));
    match (view.role, &view.player) {
        (Role::Host, _) => format!(
            "{}: on air for {}, sent {}",
            view.name,
            clock(view.since),
            bytes(view.uploaded_bytes)
        ),
        (Role::Listener, Some(player)) => format!(
            "{}: heard {}, silence or concealment {} ms, {passed_on}",
            view.name,
            clock(player.played),
            player.silence.as_millis()
        ),
        (Role::Listener | Role::Relay, _) => format!("{}: carried for {}, {passed_on}", view.name, clock(view.since)),
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}
