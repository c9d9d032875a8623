//! What is known of the selected channel.

use ratatui::layout::Rect;

use super::side::origin_name;
use crate::engine::listing::Listing;
use crate::tui::model::Model;
use crate::tui::text::{clean, wrap};
use crate::tui::theme::Role;
use crate::tui::update::words::age;
use crate::tui::view::Pen;

/// Draws what is known of the selected channel.
pub fn draw_detail(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    let Some(listing) = model.channels.selected() else {
        let inner = pen.pane(area, &[("Channel", Role::Dim)], &[], false);
        pen.line(inner, 0, &[("none selected", Role::Muted)]);
        return;
    };
    let star = if listing.favourite {
        pen.glyphs().favourite.clone()
    } else {
        String::new()
    };
    let name = pen.fitted(
        &listing.name,
        crate::tui::text::width(&clean(&listing.name)).min(usize::from(area.width).saturating_sub(12)),
    );
    let inner = pen.pane(
        area,
        &[(&name, Role::Title)],
        &[(&star, Role::Favourite)],
        model.channels.info,
    );
    let more = pen.glyphs().more.clone();
    let mut row = 0u16;
    for line in wrap(&clean(&listing.description), usize::from(inner.width), 3, &more) {
        pen.line(inner, row, &[(&line, Role::Fg)]);
        row += 1;
    }
    row += u16::from(row > 0);
    for (name, value) in detail_rows(model, listing) {
        if value.is_empty() {
            continue;
        }
        let name = pen.fitted(name, 10);
        pen.line(inner, row, &[(&name, Role::Dim), (&value, Role::Fg)]);
        row += 1;
    }
    if !listing.trend.is_empty() {
        let points = listing.trend.iter().copied().collect();
        let trend = pen.spark(&points, usize::from(inner.width));
        pen.line(inner, row + 1, &[("listeners in the last hour", Role::Muted)]);
        pen.line(inner, row + 2, &[(&trend, Role::Spark)]);
    }
}

fn detail_rows(model: &Model, listing: &Listing) -> Vec<(&'static str, String)> {
    let count = |value: Option<u64>| value.map_or(String::new(), |count| count.to_string());
    let since = listing
        .since_unix_s
        .filter(|_| listing.on_air)
        .map_or(String::new(), |since| {
            let time = std::time::Duration::from_secs(model.wall.unix_s.saturating_sub(since));
            format!("{}  since {}", age(time), model.wall.hours_minutes(since))
        });
    let rate = listing.bitrate_kbps.map_or(String::new(), |kbps| format!(" {kbps}k"));
    let sources: Vec<String> = listing.sources.iter().map(origin_name).collect();
    vec![
        ("title", clean(&listing.title)),
        ("genre", clean(&listing.genre)),
        ("language", clean(&listing.language)),
        (
            "on air",
            if listing.on_air {
                since
            } else {
                "not at this moment".to_owned()
            },
        ),
        ("audio", format!("{}{rate}", clean(&listing.codec))),
        ("listeners", count(listing.listeners)),
        ("relays", count(listing.relays)),
        (
            "host key",
            listing
                .channel
                .map_or("none: an internet station".to_owned(), |channel| channel.short()),
        ),
        ("found", sources.join(", ")),
        (
            "playable",
            if listing.playable {
                String::new()
            } else {
                "no: another program's list".to_owned()
            },
        ),
    ]
}
