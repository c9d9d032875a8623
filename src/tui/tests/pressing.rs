//! Keys as they are pressed, lines as they are typed, and clicks.

use std::time::Duration;

use super::drawn;
use crate::engine::Command;
use crate::engine::snapshot::PlayerState;
use crate::tui::action::Screen;
use crate::tui::keys::{Bindings, Chord};
use crate::tui::model::{Model, Overlay};
use crate::tui::sample::{hosting, listening, model, press};
use crate::tui::update::{Effect, Input, MouseKind, update};

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
fn the_command_line_completes_the_values_of_commands_and_shows_them() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, ": l o g . l e v e l space"));
    assert_eq!(crate::tui::update::candidates(&model), ["info", "warn", "error"]);
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
fn keys_that_work_everywhere_work_where_text_is_typed_too() {
    for open in [":", "/", "?", "t", ",", "w"] {
        let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
        drop(press(&mut model, open));
        assert!(matches!(press(&mut model, "^l")[..], [Effect::Redraw]), "{open}");
        assert!(matches!(press(&mut model, "^z")[..], [Effect::Suspend]), "{open}");
        model.bindings = Bindings::of(crate::tui::keys::Preset::Emacs);
        drop(press(&mut model, "^g"));
        assert!(model.prompt.is_none() && model.overlay.is_none(), "{open}");
    }
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
    let at = crate::tui::text::width(text.lines().next().unwrap().split("3 Mesh").next().unwrap()) as u16;
    drop(click(&mut model, at, 0));
    assert_eq!(model.screen, Screen::Mesh);
    let (_, text) = drawn(&model);
    let list = text.lines().position(|line| line.contains("44444444 child")).unwrap() as u16;
    drop(click(&mut model, 10, list));
    assert_eq!(model.mesh_rows().1, 4);
    let at = text.lines().last().unwrap().find("? help").unwrap();
    let at = crate::tui::text::width(&text.lines().last().unwrap()[..at]) as u16;
    drop(click(&mut model, at, 35));
    assert!(matches!(model.overlay, Some(Overlay::Help { .. })));
}
