//! The neighbours as a list.

use ratatui::layout::Rect;

use super::mark;
use crate::engine::snapshot::ChannelView;
use crate::mesh::stats::Neighbour;
use crate::tui::model::Model;
use crate::tui::neighbours::{Tie, stripe_words};
use crate::tui::theme::Role;
use crate::tui::update::words::{age, rate};
use crate::tui::view::{Pen, first_shown};

/// From this width on there is room for every column.
const WIDE: u16 = 70;

/// Draws head and rows.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, channel: &ChannelView, neighbours: &[&Neighbour], at: usize) {
    let wide = area.width >= WIDE;
    let head = if wide {
        "   PEER     ROLE    STRIPES  RTT  JIT  LATE  IN    OUT   AGE     RTT OVER TIME"
    } else {
        "   PEER     ROLE      RTT  LATE  IN    OUT"
    };
    pen.line(area, 0, &[(head, Role::Muted)]);
    let room = usize::from(area.height.saturating_sub(1));
    let first = first_shown(at, neighbours.len(), room);
    for (i, neighbour) in neighbours.iter().enumerate().skip(first).take(room) {
        let row = 1 + (i - first) as u16;
        peer(model, pen, area, row, channel, neighbour, i == at);
    }
    if neighbours.is_empty() {
        pen.line(area, 1, &[("nobody; x shows idle ones, too", Role::Muted)]);
    }
}

fn peer(
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    row: u16,
    channel: &ChannelView,
    neighbour: &Neighbour,
    selected: bool,
) {
    if selected {
        pen.paint_row(area, row, Role::Selection);
    }
    let wide = area.width >= WIDE;
    let (sign, role) = mark(pen, neighbour);
    let pointer = if selected { pen.glyphs().selected.as_str() } else { " " };
    let trail = model.neighbours.trail(&neighbour.peer);
    let flow = |bps: Option<u64>| bps.filter(|bps| *bps > 0).map_or("—".to_owned(), rate);
    let (down, up) = (flow(trail.map(|t| t.download_bps)), flow(trail.map(|t| t.upload_bps)));
    let name = neighbour.peer.short();
    let tie = Tie::of(neighbour).word();
    let rtt = neighbour
        .rtt
        .map_or("—".to_owned(), |rtt| format!("{:.0}", rtt.as_secs_f64() * 1e3));
    let late = format!("{:.0} %", neighbour.loss * 100.0);
    let text = if wide {
        let stripes = stripe_words(neighbour.feeds_us | neighbour.fed_by_us, channel.parents.len());
        let jitter = neighbour.jitter.as_secs_f64() * 1e3;
        let known = age(neighbour.age);
        format!(" {name:8} {tie:7} {stripes:7} {rtt:>4} {jitter:>4.0} {late:>5}  {down:5} {up:5} {known:7}")
    } else {
        format!(" {name:8} {tie:8} {rtt:>4} {late:>5}  {down:5} {up:5}")
    };
    let cells = usize::from(area.width.saturating_sub(WIDE - 2));
    let spark = trail
        .filter(|_| wide)
        .map_or(String::new(), |trail| pen.spark_around(&trail.rtt_ms, cells));
    let body = if selected { Role::Selection } else { Role::Fg };
    pen.line(
        area,
        row,
        &[
            (pointer, Role::Key),
            (sign, role),
            (&text, body),
            (" ", body),
            (&spark, Role::Spark),
        ],
    );
}
