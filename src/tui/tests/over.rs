//! What lies over a screen: keys and the mouse are for it, and it can be used in three lines.

use super::super::model::Overlay;
use super::super::sample::{hosting, listening, model, press};
use super::super::text::width;
use super::super::theme::Role;
use super::super::update::{Effect, Input, MouseKind, update};
use super::drawn;
use crate::engine::snapshot::PlayerState;
use crate::tui::action::Screen;
use crate::tui::model::Model;

fn mouse(model: &mut Model, kind: MouseKind, column: u16, row: u16) -> Vec<Effect> {
    update(model, Input::Mouse { kind, column, row })
}

/// Clicks on a word of the hints.
fn click_hint(model: &mut Model, word: &str) -> Vec<Effect> {
    let (_, text) = drawn(model);
    let hints = text.lines().last().unwrap();
    let at = hints.find(word).unwrap_or_else(|| panic!("no {word} in {hints}"));
    let row = model.size.1 - 1;
    mouse(model, MouseKind::Click, width(&hints[..at]) as u16, row)
}

#[test]
fn a_theme_that_was_only_tried_goes_however_the_chooser_is_left() {
    for way in 0..3 {
        let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
        drop(press(&mut model, "t j j"));
        assert_ne!(model.look.theme.name, "inonda-dark");
        match way {
            0 => drop(click_hint(&mut model, "close")),
            1 => drop(mouse(&mut model, MouseKind::Click, 14, 0)),
            _ => drop(press(&mut model, "t")),
        }
        assert!(model.overlay.is_none(), "way {way}");
        assert_eq!(model.look.theme.name, "inonda-dark", "way {way}");
    }
}

#[test]
fn the_wheel_and_the_hints_act_on_what_lies_over_the_screen() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "t"));
    drop(mouse(&mut model, MouseKind::WheelDown, 5, 5));
    assert_eq!(model.channels.selected, 0, "the list behind stays");
    assert_eq!(model.look.theme.name, "inonda-light");
    let effects = click_hint(&mut model, "keep");
    assert!(matches!(effects[..], [Effect::SaveSettings]), "{effects:?}");
    drop(press(&mut model, "?"));
    drop(mouse(&mut model, MouseKind::WheelDown, 5, 5));
    assert!(matches!(model.overlay, Some(Overlay::Help { selected: 1, .. })));
}

#[test]
fn three_lines_show_the_question_the_sentence_and_the_selected_row() {
    let three = (60, 3);
    let mut asked = model(Screen::Channels, three, hosting(2));
    drop(press(&mut asked, "q"));
    assert!(
        drawn(&asked).1.contains("end the show and quit?"),
        "{}",
        drawn(&asked).1
    );
    let mut why = model(Screen::Channels, three, listening(PlayerState::Playing));
    drop(press(&mut why, "w"));
    assert!(drawn(&why).1.contains("It plays as it should."), "{}", drawn(&why).1);
    let mut themes = model(Screen::Channels, three, listening(PlayerState::Playing));
    drop(press(&mut themes, "t j"));
    assert!(drawn(&themes).1.contains("inonda-light"), "{}", drawn(&themes).1);
    let mut settings = model(Screen::Channels, three, listening(PlayerState::Playing));
    drop(press(&mut settings, ", j j"));
    assert!(drawn(&settings).1.contains("mouse: on"), "{}", drawn(&settings).1);
}

#[test]
fn words_longer_than_their_box_are_read_on_to_their_end() {
    for size in [(40, 10), (60, 16), (60, 3)] {
        let mut model = model(Screen::NowPlaying, size, listening(PlayerState::Playing));
        // The end of it, however the lines are broken.
        let is_read = |model: &Model| {
            let text = drawn(model).1.replace('┃', " ");
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ").contains("at 85 ms.")
        };
        drop(press(&mut model, "w"));
        assert!(!is_read(&model), "{size:?} holds all of it");
        drop(press(&mut model, "j Down"));
        drop(mouse(&mut model, MouseKind::WheelDown, 5, 1));
        assert!(matches!(model.overlay, Some(Overlay::Words { first: 3, .. })));
        drop(press(&mut model, "G j"));
        assert!(is_read(&model), "{size:?}\n{}", drawn(&model).1);
        drop(press(&mut model, "k x"));
        assert!(model.overlay.is_none(), "any other key closes");
    }
}

#[test]
fn volume_recording_and_sleep_timer_are_never_cut() {
    for size in [(120, 36), (80, 24), (60, 16), (46, 12)] {
        let mut snapshot = listening(PlayerState::Playing);
        snapshot.channels[0].player.as_mut().unwrap().recording = Some(Default::default());
        let mut model = model(Screen::Channels, size, snapshot);
        drop(press(&mut model, "z"));
        model.flash = None;
        let (_, text) = drawn(&model);
        for wanted in ["72", "rec", "30:00"] {
            assert!(text.contains(wanted), "{wanted} at {size:?}\n{text}");
        }
    }
}

#[test]
fn a_click_in_the_drawing_of_the_mesh_selects_who_stands_there() {
    for size in [(120, 36), (90, 26), (60, 16)] {
        let mut model = model(Screen::Mesh, size, listening(PlayerState::Playing));
        let (_, text) = drawn(&model);
        let row = text.lines().position(|line| line.contains("44444444")).unwrap();
        let line = text.lines().nth(row).unwrap();
        let column = width(&line[..line.find("44444444").unwrap()]) as u16;
        drop(mouse(&mut model, MouseKind::Click, column, row as u16));
        let (rows, at) = model.mesh_rows();
        assert_eq!(rows[at].peer.short(), "44444444", "{size:?}\n{text}");
        let (buffer, _) = drawn(&model);
        let selected = model.look.theme.style(Role::Selection).bg;
        assert_eq!(
            Some(buffer[(column, row as u16)].bg),
            selected,
            "it is seen to be selected {size:?}"
        );
    }
}
