//! Screens as people see them: every one at every size, in words, in colour and without.

use std::sync::Arc;
use std::time::Duration;

use ratatui::style::{Color, Modifier};

use super::{SIZES, drawn, log_lines, snap, snap_text};
use crate::engine::snapshot::{PlayerState, PlayerView, Snapshot};
use crate::tui::action::Screen;
use crate::tui::channels::tests::listing;
use crate::tui::sample::{hosting, listening, model, model_in, press};
use crate::tui::theme::{Depth, Pack, Role};
use crate::tui::update::{Input, update};

#[test]
fn every_screen_looks_as_drawn_at_every_size() {
    for (size, name) in SIZES {
        for screen in Screen::ALL {
            let mut model = model(screen, size, listening(PlayerState::Playing));
            log_lines(&mut model);
            snap(&format!("{screen:?}-{name}"), &model);
        }
        snap(&format!("OnAir-{name}"), &model(Screen::Studio, size, hosting(8)));
        snap(
            &format!("FirstRun-{name}"),
            &model(Screen::Channels, size, Snapshot::default()),
        );
    }
}

#[test]
fn what_lies_over_a_screen_looks_as_drawn() {
    for (size, name) in &SIZES[..3] {
        for (key, what) in [
            ("?", "Help"),
            ("t", "Themes"),
            (",", "Settings"),
            ("H", "Titles"),
            ("w", "Why"),
            (":", "Command"),
        ] {
            let mut model = model(Screen::NowPlaying, *size, listening(PlayerState::Playing));
            drop(press(&mut model, key));
            snap(&format!("{what}-{name}"), &model);
        }
    }
}

#[test]
fn the_strip_has_a_word_for_every_state() {
    let mut lines = String::new();
    let states = [
        PlayerState::Joining,
        PlayerState::Playing,
        PlayerState::BufferLow,
        PlayerState::Reconnecting,
        PlayerState::OffAir,
        PlayerState::NoOutput,
    ];
    let mut all: Vec<Snapshot> = states.into_iter().map(listening).collect();
    for change in [
        |p: &mut PlayerView| p.paused = true,
        |p: &mut PlayerView| p.muted = true,
    ] {
        let mut snapshot = listening(PlayerState::Playing);
        snapshot.channels[0].player.as_mut().map(change).unwrap();
        all.push(snapshot);
    }
    let mut silent = hosting(8);
    silent.host.as_mut().unwrap().silent_for = Duration::from_secs(14);
    let mut relaying = listening(PlayerState::Playing);
    relaying.channels[0].player = None;
    relaying.channels[0].role = crate::engine::snapshot::Role::Relay;
    let mut waiting = listening(PlayerState::Joining);
    waiting.channels[0].player = None;
    all.extend([hosting(8), hosting(0), silent, relaying, waiting, Snapshot::default()]);
    for snapshot in all {
        let (_, text) = drawn(&model(Screen::Log, (78, 16), snapshot));
        lines.push_str(text.lines().nth(14).unwrap());
        lines.push('\n');
    }
    snap_text("Strip-states", &lines);
}

#[test]
fn the_ascii_pack_draws_our_own_signs_in_ascii() {
    let mut model = model_in(Screen::Channels, (60, 16), Depth::Mono, Pack::Ascii);
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.listings = Arc::new(vec![listing("Plain", "jazz", 1)]);
    drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
    snap("Channels-60x16-ascii", &model);
}

#[test]
fn on_air_is_said_only_while_neighbours_confirm() {
    for screen in Screen::ALL {
        for (size, name) in SIZES {
            let (_, text) = drawn(&model(screen, size, hosting(0)));
            assert!(!text.contains("ON AIR"), "{screen:?} {name}\n{text}");
            let (_, text) = drawn(&model(screen, size, hosting(1)));
            assert!(text.contains("ON AIR"), "{screen:?} {name}\n{text}");
        }
    }
}

#[test]
fn colours_are_those_of_the_roles() {
    let playing = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let (buffer, _) = drawn(&playing);
    let theme = &playing.look.theme;
    let ground = theme.style(Role::Bg).fg.unwrap();
    assert_eq!(buffer[(119, 35)].bg, ground);
    // The first row is the selected one: the whole row stands on the overlay.
    let selected = theme.style(Role::Selection);
    assert_eq!(buffer[(30, 3)].bg, selected.bg.unwrap());
    assert_eq!(buffer[(30, 3)].fg, selected.fg.unwrap());
    // The meter in the strip is green at the left, and yellow above -12 dB.
    let row = 33;
    assert_eq!(buffer[(6, row)].fg, theme.style(Role::MeterLow).fg.unwrap());
    assert_eq!(buffer[(5 + 13, row)].fg, theme.style(Role::MeterMid).fg.unwrap());
    let (buffer, text) = drawn(&model(Screen::Studio, (120, 36), hosting(3)));
    let at = text
        .lines()
        .next()
        .unwrap()
        .split("● ON AIR")
        .next()
        .map(crate::tui::text::width)
        .unwrap();
    assert_eq!(buffer[(at as u16, 0)].fg, theme.style(Role::Live).fg.unwrap());
}

#[test]
fn without_colour_no_cell_has_any_and_the_selection_is_reversed() {
    let mut model = model_in(Screen::Channels, (120, 36), Depth::Mono, Pack::Unicode);
    drop(update(
        &mut model,
        Input::Snapshot(Arc::new(listening(PlayerState::Playing))),
    ));
    let (buffer, _) = drawn(&model);
    assert!(
        buffer
            .content()
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    assert!(buffer[(30, 3)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn a_hostile_name_cannot_disturb_the_screen() {
    let mut snapshot = listening(PlayerState::Playing);
    let hostile = format!(
        "\u{1b}[2J\u{202e}{}\u{200d}\u{0}",
        "wide深\u{301}\u{301}\u{301}\u{301}".repeat(2_000)
    );
    snapshot.channels[0].name = hostile.clone();
    snapshot.channels[0].title = hostile.clone();
    snapshot.channels[0].player.as_mut().unwrap().output = hostile.clone();
    let mut all = snapshot.listings.to_vec();
    all.iter_mut().for_each(|listing| {
        listing.name = hostile.clone();
        listing.description = hostile.clone();
        listing.genre = hostile.clone();
    });
    snapshot.listings = Arc::new(all);
    for screen in Screen::ALL {
        for (size, name) in SIZES {
            let (buffer, text) = drawn(&model(screen, size, snapshot.clone()));
            let bad = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
            assert!(
                buffer.content().iter().all(|cell| !cell.symbol().chars().any(bad)),
                "{screen:?} {name}"
            );
            assert!(
                text.lines()
                    .all(|line| crate::tui::text::width(line) <= usize::from(size.0)),
                "{screen:?} {name}\n{text}"
            );
        }
    }
}
