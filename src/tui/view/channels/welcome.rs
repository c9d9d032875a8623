//! The first visit: sound first, everything else can wait.

use ratatui::layout::Rect;

use super::row::{Columns, Drawing, draw_row};
use super::{nothing_found, rows_area};
use crate::tui::action::Action;
use crate::tui::channels::Finder;
use crate::tui::model::Model;
use crate::tui::theme::Role;
use crate::tui::update::words::bit_rate;
use crate::tui::view::{Pen, Tier, first_shown, frame};

/// Lines below a list that has so many rows at most: what listening costs and the keys, or the first of it, or nothing.
fn foot(rows: u16) -> u16 {
    match rows {
        9.. => 5,
        6..9 => 2,
        _ => 0,
    }
}

/// Where the list of the first visit stands.
pub fn rows(model: &Model, area: Rect, tier: Tier) -> Rect {
    let rows = rows_area(model, area, tier);
    let lines = (model.channels.rows.len() as u16).max(1);
    Rect {
        height: rows.height.saturating_sub(foot(rows.height)).min(lines),
        ..rows
    }
}

/// Draws what was found, and what a person should know before the first key.
pub fn draw(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    let inner = frame::draw(pen, area, tier, ("Welcome", ""), true);
    if model.channels.rows.is_empty() {
        return nothing_found(model, pen, inner);
    }
    let rows = rows(model, area, tier);
    let head = "One key starts a station; everything else can wait.";
    pen.at(inner, 1, 0, &[(head, Role::Title)]);
    let room = usize::from(rows.height);
    let list = &model.channels;
    let first = first_shown(list.selected, list.rows.len(), room);
    let mut drawing = Drawing {
        columns: Columns::of(rows.width),
        finder: Finder::of(""),
    };
    for (i, at) in (first..list.rows.len()).take(room).enumerate() {
        if let Some(listing) = list.row(at) {
            draw_row(model, pen, rows, i as u16, listing, at == list.selected, &mut drawing);
        }
    }
    let row = rows.bottom() - inner.y + 1;
    if foot(rows_area(model, area, tier).height) < 2 {
        return;
    }
    let below = Rect {
        height: inner.height.saturating_sub(u16::from(tier < Tier::Medium)),
        ..frame::aired(inner)
    };
    sharing(model, pen, below, row);
    let key = |action| model.bindings.label(action);
    let (play, filter) = (key(Action::Play), key(Action::Filter));
    pen.line(
        below,
        row + 3,
        &[
            (&play, Role::Key),
            (" play   ", Role::Dim),
            (&filter, Role::Key),
            (" search   ", Role::Dim),
            ("m", Role::Key),
            (" I want to broadcast", Role::Dim),
        ],
    );
}

/// What listening costs, and the keys that change it.
pub fn sharing(model: &Model, pen: &mut Pen<'_>, area: Rect, row: u16) {
    let cap = model.snapshot.upload_limit_bps;
    if cap == 0 {
        let words = "You only listen; nothing is passed on to others.";
        pen.line(area, row, &[(words, Role::Dim)]);
        return;
    }
    let words = format!("While you listen you pass the sound on: {} at most.", bit_rate(cap));
    pen.line(area, row, &[(&words, Role::Dim)]);
    let keys: &[(&str, Role)] = if model.is_first_visit() {
        &[
            ("u", Role::Key),
            (" change that   ", Role::Dim),
            ("o", Role::Key),
            (" listen only   ", Role::Dim),
            ("?", Role::Key),
            (" how it works", Role::Dim),
        ]
    } else {
        &[
            (":upload 500k", Role::Key),
            ("  changes that, ", Role::Dim),
            (":upload 0", Role::Key),
            (" only listens.", Role::Dim),
        ]
    };
    pen.line(area, row + 1, keys);
}
