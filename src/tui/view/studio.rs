//! Our own show: whether it is really out, what plays, what comes next.

use ratatui::layout::Rect;

use super::{Pen, Tier, frame, from};
use crate::engine::snapshot::HostView;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::text::{clean, width, wrap};
use crate::tui::theme::Role;
use crate::tui::update::words::{clock, decibels, limit, loudness, rate, shared_link};

/// Draws the screen.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let Some(show) = model.show() else {
        off_air(model, pen, area, tier);
        return;
    };
    let banner_rows = if tier >= Tier::Medium { 6 } else { 4 }.min(area.height);
    let banner_area = Rect {
        height: banner_rows,
        ..area
    };
    banner(model, pen, banner_area, show, tier);
    let rest = Rect {
        y: banner_area.bottom(),
        height: area.height - banner_rows,
        ..area
    };
    if tier == Tier::Full {
        let side = 44;
        let left = Rect {
            width: rest.width - side,
            ..rest
        };
        let meters = Rect {
            height: 5.min(left.height),
            ..left
        };
        programme(model, pen, meters, true);
        playlist(
            pen,
            Rect {
                y: meters.bottom(),
                height: left.height - meters.height,
                ..left
            },
            show,
            true,
        );
        uplink(
            model,
            pen,
            Rect {
                x: left.right(),
                width: side,
                ..rest
            },
            show,
        );
    } else {
        let framed = tier >= Tier::Medium;
        let meters = Rect {
            height: if framed { 5 } else { 3 }.min(rest.height),
            ..rest
        };
        programme(model, pen, meters, framed);
        playlist(
            pen,
            Rect {
                y: meters.bottom(),
                height: rest.height - meters.height,
                ..rest
            },
            show,
            framed,
        );
    }
}

/// What the command line offers beyond this.
const MORE: &str = "inonda host takes the same and more: bitrate, codec, genre, a recording.";
/// What a studio should have, and this one has not.
const NOT_YET: &str = "Not available yet: a mixer with several sources, talking over music, the cough key, carts, and \
                       changing the running order.";

/// How to go on air, in as many lines as there are: blank ones go first, then what is not there yet.
fn off_air(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let inner = frame::aired(frame::draw(pen, area, tier, ("Studio", ""), true));
    let air = u16::from(inner.height >= 16);
    pen.line(inner, air, &[("You are not on air.", Role::Fg)]);
    let key = model.bindings.label(Action::GoOnAir);
    let mut row = air + 1 + air;
    pen.line(inner, row, &[(&key, Role::Key), ("  goes on air with", Role::Dim)]);
    row += 1 + air;
    let ways = [
        (":air file ~/Music/set as Night Ferry", "a file, a folder or a playlist"),
        (":air mic as Night Ferry", "your microphone"),
        (":air tone", "a test tone"),
        (":air station http://HOST/live", "an internet station, into the mesh"),
    ];
    for (line, words) in ways {
        pen.at(inner, 2, row, &[(line, Role::Key)]);
        if inner.width >= 76 {
            pen.at(inner, 41, row, &[(words, Role::Dim)]);
        }
        row += 1;
    }
    row += air;
    for (words, gap) in [(MORE, air), (NOT_YET, 0)] {
        let lines = wrap(words, usize::from(inner.width), 4, "");
        if row + lines.len() as u16 <= inner.height {
            row = notes(pen, inner, row, &lines) + gap;
        }
    }
}

fn notes(pen: &mut Pen<'_>, area: Rect, from: u16, lines: &[String]) -> u16 {
    for (row, line) in (from..).zip(lines) {
        pen.line(area, row, &[(line, Role::Muted)]);
    }
    from + lines.len() as u16
}

fn banner(model: &Model, pen: &mut Pen<'_>, area: Rect, show: &HostView, tier: Tier) {
    let on_air = show.confirming_peers > 0;
    let end = model.bindings.label(crate::tui::action::Action::EndShow);
    let inner = if tier >= Tier::Medium {
        pen.pane(
            area,
            &[("Studio", Role::Title)],
            &[(&end, Role::Key), (" ends the show", Role::Dim)],
            true,
        )
    } else {
        Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        }
    };
    let glyphs = pen.glyphs();
    let time = clock(show.on_air);
    let live = format!(" {} ON AIR ", glyphs.live);
    let waiting = format!(" {} WAITING ", glyphs.joining);
    let sign = if on_air {
        (live.as_str(), Role::Live)
    } else {
        (waiting.as_str(), Role::Warn)
    };
    let name = clean(&show.name);
    pen.line(
        inner,
        0,
        &[
            sign,
            (" ", Role::Fg),
            (&time, Role::Fg),
            ("   ", Role::Fg),
            (&name, Role::Title),
        ],
    );
    let title = clean(&show.title);
    let title = if title.is_empty() {
        "no title".to_owned()
    } else {
        format!("“{title}”")
    };
    pen.line(inner, 1, &[(&title, Role::Fg)]);
    let sent = if on_air {
        let peers = if show.confirming_peers == 1 {
            "1 peer confirms".to_owned()
        } else {
            format!("{} peers confirm", show.confirming_peers)
        };
        (format!("SENT {} {peers}", glyphs.ok), Role::Ok)
    } else {
        (
            "SENT — nobody has confirmed any sound in the last second".to_owned(),
            Role::Warn,
        )
    };
    let listening = show
        .listeners
        .map_or(String::new(), |count| format!("   {count} listening"));
    pen.line(inner, 2, &[(&sent.0, sent.1), (&listening, Role::Fg)]);
    if inner.height > 3 {
        link_line(model, pen, inner, show);
    }
}

fn link_line(model: &Model, pen: &mut Pen<'_>, inner: Rect, show: &HostView) {
    let link = shared_link(&show.link);
    let key = model.bindings.label(Action::Copy);
    let words = if inner.width >= 110 {
        " copies it with your address"
    } else {
        " copy"
    };
    // The key that copies is worth more than the link's last letters.
    let link = pen.fitted(&link, width(&link).min(usize::from(inner.width).saturating_sub(15)));
    pen.line(
        inner,
        3,
        &[
            ("link ", Role::Dim),
            (&link, Role::Muted),
            ("   ", Role::Fg),
            (&key, Role::Key),
            (words, Role::Dim),
        ],
    );
}

fn programme(model: &Model, pen: &mut Pen<'_>, area: Rect, framed: bool) {
    let minus = pen.glyphs().minus.clone();
    let fact = loudness(&model.programme, &minus);
    let inner = if framed {
        pen.pane(area, &[("Programme", Role::Dim)], &[(&fact, Role::Dim)], false)
    } else {
        Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        }
    };
    for (side, letter) in ["L", "R"].iter().enumerate() {
        let row = side as u16;
        let x = pen.line(inner, row, &[(letter, Role::Dim), (" ", Role::Fg)]);
        let at = from(inner, x);
        let meters = &model.programme;
        let x = pen.meter(
            at,
            row,
            inner.width.saturating_sub(14).max(8),
            meters.levels.rms_db[side],
            meters.held_db[side],
        );
        let at = from(inner, x);
        let number = pen.right(&decibels(meters.held_db[side], &minus), 4);
        pen.line(at, row, &[(&number, Role::Fg), (" dB", Role::Muted)]);
    }
    let Some(show) = model.show() else { return };
    let silent = show.silent_for.as_secs();
    if silent >= 5 {
        let warning = format!("silent for {silent} s: your listeners hear nothing");
        pen.line(inner, 2, &[(&warning, Role::Error)]);
    } else if show.capture_overruns > 0 {
        let warning = format!("{} capture overruns: this machine is too busy", show.capture_overruns);
        pen.line(inner, 2, &[(&warning, Role::Warn)]);
    }
}

fn playlist(pen: &mut Pen<'_>, area: Rect, show: &HostView, framed: bool) {
    if area.height < 2 {
        return;
    }
    let fact = if show.next.is_empty() {
        String::new()
    } else {
        format!("{} to come", show.next.len())
    };
    let inner = if framed {
        pen.pane(area, &[("Playlist", Role::Dim)], &[(&fact, Role::Dim)], false)
    } else {
        Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        }
    };
    let glyphs = pen.glyphs();
    let title = clean(&show.title);
    let left = show
        .track_length
        .map(|length| format!("{}{}", glyphs.minus, clock(length.saturating_sub(show.track_position))));
    pen.line(
        inner,
        0,
        &[(&glyphs.play, Role::Playing), (" ", Role::Fg), (&title, Role::Fg)],
    );
    pen.line_right(inner, 0, &[(left.as_deref().unwrap_or_default(), Role::Dim)]);
    let bar_row = inner.height.saturating_sub(1);
    for (row, next) in show
        .next
        .iter()
        .enumerate()
        .take(usize::from(bar_row.saturating_sub(1)))
    {
        let next = clean(next);
        pen.line(inner, row as u16 + 1, &[("  ", Role::Fg), (&next, Role::Dim)]);
    }
    if show.next.is_empty() && bar_row > 1 {
        pen.line(inner, 1, &[("  nothing is known of what comes next", Role::Muted)]);
    }
    if let Some(length) = show.track_length.filter(|_| bar_row > 1) {
        let share = show.track_position.as_secs_f64() / length.as_secs_f64().max(0.1);
        let x = pen.bar(inner, bar_row, inner.width.saturating_sub(20), share, Role::Accent);
        let at = from(inner, x);
        pen.line(
            at,
            bar_row,
            &[(
                &format!("  {} / {}", clock(show.track_position), clock(length)),
                Role::Dim,
            )],
        );
    }
}

fn uplink(model: &Model, pen: &mut Pen<'_>, area: Rect, show: &HostView) {
    let inner = pen.pane(area, &[("Uplink", Role::Dim)], &[], false);
    let (_, up) = model.traffic_bps();
    let cap = limit(model.snapshot.upload_limit_bps);
    let mut rows = vec![("upload    ", format!("{} of {cap}", rate(up)))];
    if let Some(channel) = model
        .snapshot
        .channels
        .iter()
        .find(|channel| Some(channel.channel) == show.channel)
    {
        rows.push(("children  ", format!("{} of {} slots", channel.children, channel.slots)));
        rows.push((
            "mesh      ",
            format!(
                "{} neighbours, {} below you",
                channel.neighbours.len(),
                channel.downstream
            ),
        ));
        if let Some(mean) = channel.channel_continuity_mean {
            rows.push(("in time   ", format!("{:.2} % on average", mean * 100.0)));
        }
        if let Some(worst) = channel.channel_continuity_worst {
            rows.push(("worst     ", format!("{:.2} %", worst * 100.0)));
        }
        let factor = channel.uploaded_bytes as f64 / channel.payload_bytes.max(1) as f64;
        if channel.payload_bytes > 0 {
            rows.push(("cost      ", format!("{factor:.1} × the stream")));
        }
    }
    let echo = "HEARD is not available yet: no listener reports back what it hears.";
    for (row, (name, value)) in rows.iter().enumerate().take(usize::from(inner.height)) {
        pen.line(inner, row as u16, &[(name, Role::Dim), (value, Role::Fg)]);
    }
    let more = pen.glyphs().more.clone();
    for (row, line) in wrap(echo, usize::from(inner.width), 3, &more).iter().enumerate() {
        pen.line(inner, (rows.len() + 1 + row) as u16, &[(line, Role::Muted)]);
    }
    let lines = wrap(NOT_YET, usize::from(inner.width), 4, "");
    notes(pen, inner, rows.len() as u16 + 4, &lines);
}
