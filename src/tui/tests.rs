//! Screens as people see them, keys as they are pressed, and what must never happen.
#![allow(clippy::disallowed_methods, reason = "figures are measured with a clock")]

mod joining;
mod over;
mod screens;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::action::{Scope, Screen, VOCABULARY};
use super::channels::tests::listing;
use super::keys::{Bindings, Chord, Meaning};
use super::model::{Model, Overlay};
use super::sample::{engine, hosting, levels, listening, model, model_in, press};
use super::theme::{Depth, Pack, Role};
use super::update::{Effect, Input, MouseKind, update};
use super::view;
use crate::engine::Command;
use crate::engine::snapshot::{Levels, PlayerState, PlayerView, Snapshot};

/// Draws a model as text, a line a row.
fn drawn(model: &Model) -> (Buffer, String) {
    let mut buffer = Buffer::empty(Rect {
        x: 0,
        y: 0,
        width: model.size.0,
        height: model.size.1,
    });
    view::draw(model, &mut buffer);
    let mut text = String::new();
    for row in 0..model.size.1 {
        let mut line = String::new();
        let mut skip = 0;
        for column in 0..model.size.0 {
            let symbol = buffer[(column, row)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = super::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    (buffer, text)
}

fn snap(name: &str, model: &Model) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, drawn(model).1);
    });
}

const SIZES: [((u16, u16), &str); 5] = [
    ((120, 36), "120x36"),
    ((80, 24), "80x24"),
    ((60, 16), "60x16"),
    ((40, 10), "40x10"),
    ((60, 3), "strip"),
];

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

fn log_lines(model: &mut Model) {
    use crate::engine::event::Level;
    let mut add =
        |level, module, text: &str, hint: &str| model.journal.add(model.wall.unix_s, level, module, text, hint);
    add(Level::Info, "mesh", "ready as 01010101, on 2 addresses", "");
    add(
        Level::Warn,
        "app",
        "the output USB Audio went away",
        "It is used again when it comes back.",
    );
    add(
        Level::Error,
        "app",
        "cannot write /music/x.ogg: no space left",
        "Make room, then press r again.",
    );
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
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("Strip-states", lines);
    });
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
        .map(super::text::width)
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
                text.lines().all(|line| super::text::width(line) <= usize::from(size.0)),
                "{screen:?} {name}\n{text}"
            );
        }
    }
}

#[test]
fn keys_do_what_the_vocabulary_says() {
    let start = || model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let after = |keys: &str| {
        let mut model = start();
        let effects = press(&mut model, keys);
        (model, effects)
    };
    assert_eq!(after("3").0.screen, Screen::Mesh);
    assert_eq!(after("j j").0.channels.selected, 2);
    assert_eq!(after("G").0.channels.selected, 3);
    assert_eq!(after("G g g").0.channels.selected, 0);
    assert!(matches!(after("space").1[..], [Effect::Send(Command::SetPaused(true))]));
    assert!(matches!(after("m").1[0], Effect::Send(Command::SetMuted(true))));
    assert!(matches!(after("=").1[0], Effect::Send(Command::SetVolume(77))));
    assert!(matches!(after("-").1[0], Effect::Send(Command::SetVolume(67))));
    assert!(matches!(after("_").1[0], Effect::Send(Command::SetVolume(71))));
    assert!(matches!(after("c").1[..], [Effect::Send(Command::Reconnect)]));
    assert!(matches!(after("q").1[..], [Effect::Quit]));
    assert!(after("Esc Esc Esc").1.is_empty(), "Esc never quits");
    assert!(matches!(after("y").1[..], [Effect::Copy(ref link)] if link.starts_with("inonda:")));
    assert!(matches!(after("r").1[..], [Effect::Record { .. }]));
    assert!(matches!(
        after("f").1[..],
        [Effect::Send(Command::SetFavourite { on: false, .. })]
    ));
    assert!(after("z").0.sleep_at.is_some());
    assert!(after("z z").0.sleep_at.is_none());
}

#[test]
fn one_key_passes_the_station_that_plays_on_and_takes_it_back() {
    let mut snapshot = listening(PlayerState::Playing);
    let mut recast = |link: &str, role| {
        snapshot.channels[0].link = link.into();
        snapshot.channels[0].role = role;
        let mut model = model(Screen::NowPlaying, (120, 36), snapshot.clone());
        press(&mut model, "P")
    };
    use crate::engine::snapshot::Role as Part;
    let station = "http://radio.example/live";
    assert!(matches!(
        recast(station, Part::Listener)[..],
        [Effect::Send(Command::Recast { on: true, .. })]
    ));
    assert!(matches!(
        recast(station, Part::Host)[..],
        [Effect::Send(Command::Recast { on: false, .. })]
    ));
    let channel = format!("inonda:{}", crate::units::ChannelId([7; 32]));
    assert!(recast(&channel, Part::Listener).is_empty());
}

#[test]
fn enter_asks_for_the_selected_channel_and_the_strip_says_joining() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.channels.clear();
    drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
    let effects = press(&mut model, "Enter");
    assert!(
        matches!(effects[..], [Effect::Send(Command::Listen { .. })]),
        "{effects:?}"
    );
    assert!(drawn(&model).1.contains("JOINING  Midnight Jazz FM"));
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_swallows_every_letter() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let effects = press(&mut model, "/ q j a z z");
    assert!(effects.is_empty());
    assert_eq!(model.channels.query, "qjazz");
    drop(press(&mut model, "^u t a g : j a z z Enter"));
    assert_eq!(model.channels.rows.len(), 1);
    drop(press(&mut model, "Esc"));
    assert_eq!(model.channels.rows.len(), 4);
}

#[test]
fn the_command_line_completes_runs_and_says_what_is_wrong() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, ": t h e Tab n o r Tab Enter"));
    assert_eq!(model.look.theme.name, "nord");
    let effects = press(&mut model, ": v o l u m e space 3 0 Enter");
    assert!(matches!(effects[0], Effect::Send(Command::SetVolume(30))));
    drop(press(&mut model, ": n o p e Enter"));
    assert!(model.flash.as_ref().unwrap().text.contains("nope"));
    drop(press(&mut model, ": Up Up Esc"));
}

#[test]
fn the_theme_chooser_previews_and_escape_takes_it_back() {
    let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "t j j"));
    assert_eq!(model.look.theme.name, "catppuccin-mocha");
    let effects = press(&mut model, "Esc");
    assert_eq!(model.look.theme.name, "inonda-dark");
    assert!(effects.is_empty());
    let effects = press(&mut model, "t j Enter");
    assert!(matches!(effects[..], [Effect::SaveSettings]));
    assert_eq!(model.settings.theme, "inonda-light");
}

#[test]
fn the_show_ends_only_after_a_second_press() {
    let mut model = model(Screen::Studio, (120, 36), hosting(3));
    assert!(press(&mut model, "x").is_empty());
    assert!(model.flash.as_ref().unwrap().text.contains("again"));
    model.now += Duration::from_secs(5);
    assert!(
        press(&mut model, "x").is_empty(),
        "the first press is forgotten after a while"
    );
    assert!(matches!(
        press(&mut model, "x")[..],
        [Effect::Send(Command::Leave { .. })]
    ));
    assert!(press(&mut model, "q").is_empty(), "quitting asks while on air");
    assert!(matches!(press(&mut model, "y")[..], [Effect::Quit]));
}

#[test]
fn a_preview_returns_to_the_channel_from_before() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let mut snapshot = listening(PlayerState::Playing);
    let mut all = snapshot.listings.to_vec();
    all[1].link = format!("inonda:{}", crate::units::ChannelId([9; 32]));
    snapshot.listings = Arc::new(all);
    drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
    assert!(matches!(
        press(&mut model, "j p")[..],
        [Effect::Send(Command::Listen { .. })]
    ));
    model.now += Duration::from_secs(11);
    let effects = update(&mut model, Input::Tick);
    assert!(
        matches!(effects[..], [Effect::Send(Command::Listen { .. })]),
        "{effects:?}"
    );
    assert!(model.preview.is_none());
}

#[test]
fn the_sleep_timer_fades_and_pauses_and_leaves_the_volume_alone() {
    let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, ": s l e e p space 1 m Enter"));
    model.now += Duration::from_secs(50);
    let effects = update(&mut model, Input::Tick);
    assert!(
        matches!(effects[0], Effect::Send(Command::Fade(Some(left))) if left == Duration::from_secs(10)),
        "{effects:?}"
    );
    // One order is enough, and the volume that is kept meanwhile is the one a person set.
    assert!(update(&mut model, Input::Tick).is_empty());
    drop(press(&mut model, "m"));
    assert_eq!(model.settings.volumes.last().unwrap().1, 72);
    model.now += Duration::from_secs(11);
    let effects = update(&mut model, Input::Tick);
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Command::SetPaused(true)),
                Effect::Send(Command::Fade(None)),
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_fade_whose_sound_has_gone_is_taken_back() {
    let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, ": s l e e p space 1 m Enter"));
    model.now += Duration::from_secs(50);
    drop(update(&mut model, Input::Tick));
    drop(update(&mut model, Input::Snapshot(Arc::new(Snapshot::default()))));
    model.now += Duration::from_secs(11);
    let effects = update(&mut model, Input::Tick);
    assert!(
        matches!(effects[..], [Effect::Send(Command::Fade(None))]),
        "{effects:?}"
    );
    assert!(model.sleep_at.is_none() && !model.fading);
}

#[test]
fn the_volume_of_a_channel_comes_back_with_it() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "= = m"));
    drop(update(&mut model, Input::Snapshot(Arc::new(Snapshot::default()))));
    let effects = update(&mut model, Input::Snapshot(Arc::new(listening(PlayerState::Playing))));
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Command::SetVolume(82)),
                Effect::Send(Command::SetMuted(true)),
                ..
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_channel_that_is_new_has_the_usual_volume_and_the_command_line_outdoes_memory() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "- - m"));
    let mut other = listening(PlayerState::Playing);
    other.channels[0].channel = crate::units::ChannelId([77; 32]);
    let effects = update(&mut model, Input::Snapshot(Arc::new(other)));
    let usual = |effects: &[Effect]| {
        matches!(
            effects,
            [
                Effect::Send(Command::SetVolume(100)),
                Effect::Send(Command::SetMuted(false)),
                ..
            ]
        )
    };
    assert!(usual(&effects), "{effects:?}");
    drop(update(&mut model, Input::Snapshot(Arc::new(Snapshot::default()))));
    model.hearing.volume = Some(30);
    let effects = update(&mut model, Input::Snapshot(Arc::new(listening(PlayerState::Playing))));
    assert!(
        matches!(effects[0], Effect::Send(Command::SetVolume(30))),
        "{effects:?}"
    );
}

#[test]
fn what_record_means_is_what_was_said_or_set() {
    let start = || model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    let wanted = |keys: &str| match press(&mut start(), keys).pop() {
        Some(Effect::Record { split, place, .. }) => (split, place),
        other => panic!("{other:?}"),
    };
    assert_eq!(wanted("r"), (None, String::new()));
    assert_eq!(
        wanted(": r e c o r d space s p l i t Enter"),
        (Some(true), String::new())
    );
    assert_eq!(
        wanted(": r e c o r d space w h o l e space ~ / x Enter"),
        (Some(false), "~/x".into())
    );
    assert_eq!(wanted(": r e c o r d space a space b Enter"), (None, "a b".into()));
    let mut model = start();
    let mut recording = listening(PlayerState::Playing);
    recording.channels[0].player.as_mut().unwrap().recording = Some(Default::default());
    drop(update(&mut model, Input::Snapshot(Arc::new(recording))));
    assert!(matches!(
        press(&mut model, "r")[..],
        [Effect::Send(Command::Record(None))]
    ));
    drop(press(&mut model, "1 j"));
    assert!(press(&mut model, "p").is_empty(), "a preview does not end a recording");
}

#[test]
fn a_favourite_that_goes_on_air_is_told_once_and_on_the_desktop_when_wanted() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    model.settings.notifications = true;
    let with = |on_air: bool| {
        let mut snapshot = listening(PlayerState::Playing);
        let mut listing = listing("Night Ferry", "talk", 3);
        (listing.favourite, listing.on_air) = (true, on_air);
        snapshot.listings = Arc::new(vec![listing]);
        Input::Snapshot(Arc::new(snapshot))
    };
    model.now = Duration::ZERO;
    drop(update(&mut model, with(false)));
    assert!(
        update(&mut model, with(true)).is_empty(),
        "what is on air at the start is no news"
    );
    model.now += Duration::from_secs(60);
    drop(update(&mut model, with(false)));
    let effects = update(&mut model, with(true));
    assert!(
        matches!(&effects[..], [Effect::Notify { title, .. }] if title == "Night Ferry is on air"),
        "{effects:?}"
    );
    assert!(update(&mut model, with(true)).is_empty());
    assert!(model.journal.lines.back().unwrap().text.contains("Night Ferry"));
}

#[test]
fn the_command_line_completes_the_values_of_commands_and_shows_them() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, ": l o g . l e v e l space"));
    assert_eq!(super::update::candidates(&model), ["info", "warn", "error"]);
    let last = drawn(&model).1.lines().last().unwrap().to_owned();
    assert!(last.contains("info  warn  error"), "{last}");
    drop(press(&mut model, "w Tab"));
    assert_eq!(model.prompt.as_ref().unwrap().text, "log.level warn");
    drop(press(
        &mut model,
        "Enter : f i l t e r space n i g h t space t a g : j Tab",
    ));
    assert_eq!(model.prompt.as_ref().unwrap().text, "filter night tag:jazz");
    drop(press(&mut model, "Enter : l o g . m o d u l e space x Enter"));
    assert!(model.flash.as_ref().unwrap().text.contains("no module"));
}

#[test]
fn keys_that_work_everywhere_work_where_text_is_typed_too() {
    for open in [":", "/", "?", "t", ",", "w"] {
        let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
        drop(press(&mut model, open));
        assert!(matches!(press(&mut model, "^l")[..], [Effect::Redraw]), "{open}");
        assert!(matches!(press(&mut model, "^z")[..], [Effect::Suspend]), "{open}");
        model.bindings = Bindings::of(super::keys::Preset::Emacs);
        drop(press(&mut model, "^g"));
        assert!(model.prompt.is_none() && model.overlay.is_none(), "{open}");
    }
}

#[test]
fn the_titles_of_now_playing_are_walked_starred_and_searched() {
    let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    for title in ["One", "Two – Deux", "Three"] {
        model.heard.add(1, "FM", title);
    }
    drop(press(&mut model, "l j"));
    assert_eq!((model.pane, model.heard.selected), (1, 1));
    let effects = press(&mut model, "Enter");
    assert!(
        matches!(&effects[..], [Effect::Copy(url)] if url.ends_with("?q=Two+%E2%80%93+Deux")),
        "{effects:?}"
    );
    drop(press(&mut model, "*"));
    assert!(model.heard.newest().nth(1).unwrap().tagged);
    drop(press(&mut model, "> >"));
    assert_eq!(model.heard.selected, 0);
    drop(press(&mut model, "G"));
    assert_eq!(model.heard.selected, model.heard.titles.len() - 1);
    assert!(matches!(&press(&mut model, "y")[..], [Effect::Copy(_)]));
}

#[test]
fn rebinding_keeps_a_free_key_and_refuses_a_taken_one() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let effects = press(&mut model, "? p a u s e ^e F2 Enter");
    assert!(
        matches!(&effects[..], [Effect::SaveKeys(change)] if change.new == "F2" && change.old == ["space"]),
        "{effects:?}"
    );
    assert!(matches!(
        press(&mut model, "F2")[..],
        [Effect::Send(Command::SetPaused(true))]
    ));
    assert!(press(&mut model, "space").is_empty(), "the old key is free");
    assert!(press(&mut model, "? p a u s e ^e m Enter").is_empty());
    assert!(model.flash.as_ref().unwrap().text.contains("mute"));
}

#[test]
fn a_sequence_can_be_bound_and_a_key_without_a_name_cannot() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "? p a u s e ^e"));
    let nameless = Chord {
        code: crossterm::event::KeyCode::CapsLock,
        mods: crossterm::event::KeyModifiers::NONE,
    };
    assert!(update(&mut model, Input::Key(nameless)).is_empty());
    assert!(model.flash.as_ref().unwrap().text.contains("no name"));
    assert!(press(&mut model, "g p").is_empty());
    model.now += Duration::from_secs(2);
    let effects = update(&mut model, Input::Tick);
    assert!(
        matches!(&effects[..], [Effect::SaveKeys(change)] if change.new == "g p"),
        "{effects:?}"
    );
    assert!(matches!(
        press(&mut model, "g p")[..],
        [Effect::Send(Command::SetPaused(true))]
    ));
}

#[test]
fn a_click_meets_what_is_drawn_there() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let click = |model: &mut Model, column, row| {
        update(
            model,
            Input::Mouse {
                kind: MouseKind::Click,
                column,
                row,
            },
        )
    };
    drop(click(&mut model, 40, 5));
    assert_eq!(model.channels.selected, 2);
    let (_, text) = drawn(&model);
    let at = super::text::width(text.lines().next().unwrap().split("3 Mesh").next().unwrap()) as u16;
    drop(click(&mut model, at, 0));
    assert_eq!(model.screen, Screen::Mesh);
    let (_, text) = drawn(&model);
    let list = text.lines().position(|line| line.contains("44444444 child")).unwrap() as u16;
    drop(click(&mut model, 10, list));
    assert_eq!(model.mesh_rows().1, 4);
    let at = text.lines().last().unwrap().find("? help").unwrap();
    let at = super::text::width(&text.lines().last().unwrap()[..at]) as u16;
    drop(click(&mut model, at, 35));
    assert!(matches!(model.overlay, Some(Overlay::Help { .. })));
}

#[test]
fn the_spectrum_is_asked_for_only_while_it_is_seen() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    assert!(matches!(
        press(&mut model, "2")[..],
        [Effect::Send(Command::SetSpectrum(true))]
    ));
    assert!(matches!(
        press(&mut model, "5")[..],
        [Effect::Send(Command::SetSpectrum(false))]
    ));
    drop(press(&mut model, "2"));
    let effects = update(&mut model, Input::Focus(false));
    assert!(matches!(effects[..], [Effect::Send(Command::SetSpectrum(false))]));
}

/// Keys that a person, or a cat, may press.
fn any_key() -> impl Strategy<Value = Chord> {
    let letters: Vec<String> = (' '..='~')
        .map(|c| if c == ' ' { "space".to_owned() } else { c.to_string() })
        .collect();
    let named = [
        "Enter", "Esc", "Tab", "BackTab", "Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown",
    ];
    let more = [
        "Backspace",
        "Delete",
        "^a",
        "^d",
        "^e",
        "^l",
        "^u",
        "^w",
        "^z",
        "alt-=",
        "F1",
        "深",
        "é",
    ];
    let all: Vec<String> = letters
        .into_iter()
        .chain(named.iter().chain(&more).map(ToString::to_string))
        .collect();
    proptest::sample::select(all).prop_map(|key| Chord::parse(&key).unwrap())
}

fn any_input() -> impl Strategy<Value = Input> {
    let kinds = [MouseKind::Click, MouseKind::WheelUp, MouseKind::WheelDown];
    prop_oneof![
        20 => any_key().prop_map(Input::Key),
        2 => (0u16..140, 0u16..50).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
        2 => (proptest::sample::select(kinds.to_vec()), 0u16..140, 0u16..50)
            .prop_map(|(kind, column, row)| Input::Mouse { kind, column, row }),
        2 => (0usize..6).prop_map(|n| Input::Snapshot(Arc::new(match n {
            0 => Snapshot::default(),
            1 => hosting(0),
            2 => hosting(3),
            3 => listening(PlayerState::Reconnecting),
            4 => { let mut s = listening(PlayerState::Playing); s.channels[0].neighbours.clear(); s.channels[0].parents.clear(); s }
            _ => listening(PlayerState::Playing),
        }))),
        1 => any::<String>().prop_map(Input::Paste),
        1 => any::<bool>().prop_map(Input::Focus),
        1 => (any::<f32>(), any::<f32>()).prop_map(|(a, b)| {
            Input::Levels(Levels { peak_db: [a, b], rms_db: [b, a], loudness: a, bands: [b; 24] })
        }),
        1 => any::<String>().prop_map(|text| Input::Told { text, hint: String::new(), bad: true }),
        1 => Just(Input::Tick),
        1 => Just(Input::ThemesChanged),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_sizes_or_snapshots_make_it_panic(inputs in proptest::collection::vec((any_input(), 0u64..4_000), 1..120)) {
        let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
        for (input, passed) in inputs {
            model.now += Duration::from_millis(passed);
            drop(update(&mut model, input));
            let (_, text) = drawn(&model);
            prop_assert_eq!(text.lines().count(), usize::from(model.size.1));
            prop_assert!(text.lines().all(|line| super::text::width(line) <= usize::from(model.size.0)));
        }
    }

    #[test]
    fn global_keys_mean_the_same_on_every_screen(screen in proptest::sample::select(Screen::ALL.to_vec())) {
        let bindings = Bindings::default();
        for entry in VOCABULARY.iter().filter(|entry| !matches!(entry.scope, Scope::On(_))) {
            for key in entry.keys {
                let keys = super::keys::parse_sequence(key).unwrap();
                prop_assert_eq!(bindings.meaning(&keys, screen), Meaning::Call(entry.action.into()));
            }
        }
    }
}

#[test]
fn resizing_to_one_cell_and_back_never_panics() {
    for screen in Screen::ALL {
        let mut model = model(screen, (120, 36), hosting(2));
        for columns in (0..130).step_by(3) {
            for rows in 0..40 {
                model.size = (columns, rows);
                drawn(&model);
            }
        }
    }
}

#[test]
#[ignore = "measures: run it in a release build with --nocapture"]
fn how_long_frames_take() {
    let mut all = Vec::new();
    for n in 0..10_000u64 {
        all.push(listing(
            &format!(
                "Channel {n} {}",
                ["Jazz", "Night", "Drift", "深夜", "Attic"][n as usize % 5]
            ),
            "jazz",
            n,
        ));
    }
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.listings = Arc::new(all);
    let mut model = model(Screen::Channels, (120, 36), snapshot);
    let mut buffer = Buffer::empty(Rect {
        x: 0,
        y: 0,
        width: 120,
        height: 36,
    });
    drop(press(&mut model, "/"));
    let mut times = Vec::new();
    for round in 0..200 {
        let key = [
            "n",
            "i",
            "g",
            "h",
            "t",
            "Backspace",
            "Backspace",
            "Backspace",
            "Backspace",
            "Backspace",
        ][round % 10];
        let start = std::time::Instant::now();
        drop(press(&mut model, key));
        buffer.reset();
        view::draw(&model, &mut buffer);
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "filter keystroke to frame, 10,000 channels: p50 {:?} p99 {:?} worst {:?}",
        times[100], times[197], times[199]
    );
    let many: Vec<_> = (0..100_000u64)
        .map(|n| {
            listing(
                &format!("Channel {n}"),
                ["jazz", "Jazz, swing", "talk", "深夜"][n as usize % 4],
                n,
            )
        })
        .collect();
    for round in 0..3 {
        let mut snapshot = listening(PlayerState::Playing);
        snapshot.listings = Arc::new(many.clone());
        let start = std::time::Instant::now();
        drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
        println!("100,000 new listings taken in, round {round}: {:?}", start.elapsed());
    }
    let playing = super::sample::model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    let start = std::time::Instant::now();
    for _ in 0..1_000 {
        buffer.reset();
        view::draw(&playing, &mut buffer);
    }
    println!(
        "a frame of Now Playing with spectrum, 120x36: {:?}",
        start.elapsed() / 1_000
    );
}

#[test]
#[ignore = "shows the screens to a person: cargo test --lib tui::tests::gallery -- --ignored --nocapture"]
fn gallery() {
    for size in [(120, 36), (90, 26), (60, 16), (40, 10), (40, 3)] {
        for screen in Screen::ALL {
            println!("{}", drawn(&model(screen, size, listening(PlayerState::Playing))).1);
        }
        println!("{}", drawn(&model(Screen::Studio, size, hosting(8))).1);
        println!("{}", drawn(&model(Screen::Channels, size, Snapshot::default())).1);
        for key in ["?", "t", ",", "H", "w", ":"] {
            let mut model = model(Screen::NowPlaying, size, listening(PlayerState::Playing));
            drop(press(&mut model, key));
            println!("{}", drawn(&model).1);
        }
    }
}

#[test]
#[ignore = "needs a terminal: run it by hand to try the interface on a pretended engine"]
fn try_it() {
    let (mut handle, far) = engine(listening(PlayerState::Playing));
    let mut options = super::Options::listening();
    options.config = std::env::var_os("INONDA_TRY").map(Into::into);
    std::thread::spawn(move || {
        let mut far = far;
        let stopped = std::env::var_os("INONDA_TRY_STOPPED").is_some();
        for n in 0u32.. {
            let mut moving = levels();
            moving.rms_db[0] -= (n % 10) as f32;
            moving
                .bands
                .iter_mut()
                .enumerate()
                .for_each(|(i, band)| *band -= ((n as usize + i * 3) % 12) as f32);
            far.levels.set(moving);
            if n % 10 == 0 {
                let snapshot = if stopped {
                    Snapshot::default()
                } else {
                    listening(PlayerState::Playing)
                };
                far.snapshot.send_replace(std::sync::Arc::new(snapshot));
            }
            while far.commands.try_recv().is_ok() {}
            std::thread::sleep(Duration::from_millis(33));
        }
    });
    println!("{:?}", super::run(&mut handle, options));
}
