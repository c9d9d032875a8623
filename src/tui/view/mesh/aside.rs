//! One neighbour in full, and what we give back.

use ratatui::layout::Rect;

use crate::engine::snapshot::{ChannelView, UNLIMITED_BPS};
use crate::mesh::stats::Neighbour;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::neighbours::{Tie, stripe_words};
use crate::tui::theme::Role;
use crate::tui::update::words::{age, bytes, rate};
use crate::tui::view::{Pen, Tier, from};

/// Draws what is known of the selected neighbour.
pub fn peer(model: &Model, pen: &mut Pen<'_>, area: Rect, channel: &ChannelView, neighbour: Option<&Neighbour>) {
    let Some(neighbour) = neighbour else {
        let inner = pen.pane(area, &[("Peer", Role::Dim)], &[], false);
        pen.line(inner, 0, &[("none selected", Role::Muted)]);
        return;
    };
    let (sign, role) = super::mark(pen, neighbour);
    let title = format!("{} ", super::name(neighbour));
    let tie = Tie::of(neighbour).word();
    let title = [(sign, role), (" ", Role::Fg), (title.trim_end(), Role::Title)];
    let inner = pen.pane(area, &title, &[(tie, Role::Dim)], false);
    let rows = peer_rows(
        model,
        pen,
        channel,
        neighbour,
        usize::from(inner.width.saturating_sub(19)),
    );
    for (row, (name, value, spark)) in rows.iter().enumerate().take(usize::from(inner.height)) {
        let row = row as u16;
        pen.line(inner, row, &[(name, Role::Dim)]);
        pen.at(inner, 10, row, &[(value, Role::Fg)]);
        pen.at(inner, 19, row, &[(spark, Role::Spark)]);
    }
    let foot = inner.height.saturating_sub(1);
    if usize::from(foot) > rows.len() {
        let key = |action| model.bindings.label(action);
        let (block, inspect, why) = (key(Action::BlockPeer), key(Action::Inspect), key(Action::Why));
        pen.line(
            inner,
            foot,
            &[
                (&inspect, Role::Key),
                (" inspect  ", Role::Dim),
                (&block, Role::Key),
                (" block  ", Role::Dim),
                (&why, Role::Key),
                (" why", Role::Dim),
            ],
        );
    }
}

/// Names, values and sparklines of a neighbour.
fn peer_rows(
    model: &Model,
    pen: &Pen<'_>,
    channel: &ChannelView,
    neighbour: &Neighbour,
    cells: usize,
) -> Vec<(&'static str, String, String)> {
    let stripes = channel.parents.len();
    let milliseconds = |time: std::time::Duration| format!("{:>4.0} ms", time.as_secs_f64() * 1e3);
    let trail = model.neighbours.trail(&neighbour.peer);
    let (rtt, flow) = trail.map_or_else(Default::default, |trail| {
        (
            pen.spark_around(&trail.rtt_ms, cells),
            pen.spark(&trail.download, cells),
        )
    });
    let words = |mask| {
        let words = stripe_words(mask, stripes);
        if words.is_empty() { "none".to_owned() } else { words }
    };
    vec![
        ("key", neighbour.peer.short(), String::new()),
        ("address", "hidden from screens".to_owned(), String::new()),
        ("known", age(neighbour.age), String::new()),
        ("", String::new(), String::new()),
        ("rtt", neighbour.rtt.map_or("   —".to_owned(), milliseconds), rtt),
        ("jitter", milliseconds(neighbour.jitter), String::new()),
        (
            "in",
            trail.map_or("—".to_owned(), |trail| rate(trail.download_bps)),
            flow,
        ),
        (
            "out",
            trail.map_or("—".to_owned(), |trail| rate(trail.upload_bps)),
            String::new(),
        ),
        (
            "late",
            format!("{:.0} % of requests", neighbour.loss * 100.0),
            String::new(),
        ),
        ("", String::new(), String::new()),
        (
            "feeds you",
            format!("stripe {}", words(neighbour.feeds_us)),
            String::new(),
        ),
        (
            "from you",
            format!("stripe {}", words(neighbour.fed_by_us)),
            String::new(),
        ),
        ("received", bytes(neighbour.received_bytes), String::new()),
        ("sent", bytes(neighbour.sent_bytes), String::new()),
    ]
}

/// Draws what we pass on, against the cap and against what we take.
pub fn giving(model: &Model, pen: &mut Pen<'_>, area: Rect, channel: &ChannelView, tier: Tier) {
    let limit = model.snapshot.upload_limit_bps;
    let (_, up) = model.traffic_bps();
    let cap = match limit {
        0 => "listen only".to_owned(),
        UNLIMITED_BPS.. => format!("{}, no limit", rate(up)),
        limit => format!("{} of {}", rate(up), rate(limit)),
    };
    let share = if limit == 0 { 0.0 } else { up as f64 / limit as f64 };
    let ratio = if channel.downloaded_bytes > 0 {
        let ratio = channel.uploaded_bytes as f64 / channel.downloaded_bytes as f64;
        format!("{ratio:.1} × what you take")
    } else {
        "—".to_owned()
    };
    if tier < Tier::Medium {
        let x = pen.at(area, 1, 1, &[("upload ", Role::Dim)]);
        let x = pen.bar(from(area, x), 1, (area.width / 3).max(6), share, Role::Ok);
        let parts = [
            (" ", Role::Fg),
            (cap.as_str(), Role::Fg),
            ("  ", Role::Fg),
            (&ratio, Role::Dim),
        ];
        pen.line(from(area, x), 1, &parts);
        return;
    }
    let inner = pen.pane(area, &[("You give back", Role::Dim)], &[], false);
    pen.line(inner, 0, &[("upload", Role::Dim)]);
    let x = pen.at(inner, 10, 0, &[(&cap, Role::Fg), (" ", Role::Fg)]);
    let rest = from(inner, x);
    pen.bar(rest, 0, rest.width.min(12), share, Role::Ok);
    let trail = pen.spark(&model.upload_history, usize::from(inner.width.saturating_sub(10)));
    let rows = [
        ("", trail, Role::Spark),
        (
            "children",
            format!("{} of {} slots", channel.children, channel.slots),
            Role::Fg,
        ),
        ("feeding", format!("{} below you", channel.downstream), Role::Fg),
        ("ratio", ratio, Role::Fg),
        ("sent", bytes(channel.uploaded_bytes), Role::Fg),
        ("received", bytes(channel.downloaded_bytes), Role::Fg),
    ];
    let room = usize::from(inner.height.saturating_sub(1));
    for (row, (name, value, role)) in rows.iter().enumerate().take(room) {
        pen.line(inner, row as u16 + 1, &[(name, Role::Dim)]);
        pen.at(inner, 10, row as u16 + 1, &[(value, *role)]);
    }
    if room > rows.len() {
        let key = model.bindings.label(Action::UploadCap);
        pen.line(
            inner,
            inner.height - 1,
            &[(&key, Role::Key), (" upload cap", Role::Dim)],
        );
    }
}
