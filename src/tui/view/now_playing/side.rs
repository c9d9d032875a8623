//! Beside what is heard: titles heard, the health of the stream, the recording.

use ratatui::layout::Rect;

use crate::engine::snapshot::{ChannelView, PlayerView};
use crate::tui::model::Model;
use crate::tui::text::clean;
use crate::tui::theme::Role;
use crate::tui::update::words::{bytes, rate};
use crate::tui::view::{Pen, strip};

/// The newest titles heard.
pub fn heard_pane(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let count = format!("{}", model.heard.titles.len());
    let focused = model.pane == 1;
    let inner = pen.pane(area, &[("Titles heard", Role::Dim)], &[(&count, Role::Muted)], focused);
    if model.heard.titles.is_empty() {
        pen.line(inner, 0, &[("none yet", Role::Muted)]);
    }
    let room = usize::from(inner.height.saturating_sub(1));
    let first = crate::tui::view::first_shown(model.heard.selected, model.heard.titles.len(), room);
    let current = model.heard.current().is_some();
    for (row, heard) in model.heard.newest().enumerate().skip(first).take(room) {
        let line = (row - first) as u16;
        if focused && row == model.heard.selected {
            pen.paint_row(inner, line, Role::Selection);
        }
        let now = row == 0 && current;
        let mark = match (heard.tagged, now) {
            (true, _) => pen.glyphs().favourite.clone(),
            (false, true) => pen.glyphs().play.clone(),
            (false, false) => " ".to_owned(),
        };
        let time = model.wall.time_or_day(heard.unix_s);
        let role = if heard.tagged { Role::Favourite } else { Role::Playing };
        let text = if now { Role::Fg } else { Role::Dim };
        pen.line(
            inner,
            line,
            &[
                (&time, Role::Muted),
                (" ", Role::Fg),
                (&mark, role),
                (" ", Role::Fg),
                (&heard.title, text),
            ],
        );
    }
    let key = model.bindings.label(crate::tui::action::Action::Titles);
    pen.line(
        inner,
        inner.height.saturating_sub(1),
        &[(&key, Role::Key), (" all of them", Role::Dim)],
    );
}

/// How well the stream comes in.
pub fn health_pane(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let health = strip::health(model, pen);
    let inner = pen.pane(
        area,
        &[("Stream health", Role::Dim)],
        &[(&health.text(), health.role)],
        false,
    );
    let Some(channel) = model.shown() else {
        pen.line(inner, 0, &[("no stream", Role::Muted)]);
        return;
    };
    let rows = health_rows(model, pen, channel, channel.player.as_ref());
    for (row, (name, value)) in rows.iter().take(usize::from(inner.height)).enumerate() {
        let name = pen.fitted(name, 9);
        pen.line(inner, row as u16, &[(&name, Role::Dim), (value, Role::Fg)]);
    }
}

fn health_rows(
    model: &Model,
    pen: &Pen<'_>,
    channel: &ChannelView,
    player: Option<&PlayerView>,
) -> Vec<(&'static str, String)> {
    let glyphs = pen.glyphs();
    let stripes = format!(
        "{} of {}",
        channel.parents.iter().flatten().count(),
        channel.parents.len()
    );
    let rule = &glyphs.rule;
    let between = match channel.hops {
        0 => format!(" {} ", glyphs.more),
        1 => format!(" {rule} "),
        2 => format!(" {rule} 1 peer {rule} "),
        hops => format!(" {rule} {} peers {rule} ", hops - 1),
    };
    let mut rows = vec![
        ("path", format!("{} host{between}{} you", glyphs.host, glyphs.room)),
        ("lag", format!("{} ms through the mesh", channel.lag.as_millis())),
        ("in time", in_time(model, channel)),
        (
            "repaired",
            format!("{}   twice {}", channel.repaired, channel.duplicates),
        ),
        ("stripes", format!("{stripes} have a parent")),
        (
            "rate",
            format!("{}  {}", pen.spark(&model.rate_history, 14), rate(channel.download_bps)),
        ),
    ];
    if let Some(player) = player {
        rows.insert(
            2,
            ("delay", format!("{:.1} s behind the host", player.delay.as_secs_f64())),
        );
        rows.push((
            "clock",
            format!(
                "{:+.0} ppm   {}",
                player.drift_ppm,
                strip::facts(model).rsplit(" · ").next().unwrap_or_default()
            ),
        ));
        rows.push(("output", clean(&player.output)));
        if let Some(recording) = &player.recording {
            rows.push((
                "rec",
                format!("{} in {}", bytes(recording.bytes), clean(&recording.place)),
            ));
        }
    }
    rows
}

/// What came in time, over the last minute and over the whole visit.
fn in_time(model: &Model, channel: &ChannelView) -> String {
    let lately = 100.0 - model.reception.missed_share(channel) * 100.0;
    format!("{lately:.1} %  {} missed in all", channel.chunks_missed)
}
