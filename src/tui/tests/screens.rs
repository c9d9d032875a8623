//! Pictures of what a visit meets beside the five screens, and signs that every font has.

use std::sync::Arc;

use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use super::super::channels::tests::listing;
use super::super::model::Model;
use super::super::sample::{hosting, levels, listening, model, model_in, press};
use super::super::theme::{Depth, Pack, Role};
use super::super::update::{Input, update};
use super::{SIZES, drawn, log_lines, snap};
use crate::engine::Command;
use crate::engine::snapshot::{Entry, Kept, PlayerState, Snapshot};
use crate::tui::action::Screen;
use crate::tui::channels::Shelf;
use crate::tui::update::Effect;

#[test]
fn small_terminals_show_what_lies_over_a_screen() {
    for (size, name) in [((40, 10), "40x10"), ((60, 3), "strip")] {
        for (key, what) in [
            ("?", "Help"),
            ("t", "Themes"),
            (",", "Settings"),
            ("H", "Titles"),
            ("w", "Why"),
        ] {
            let mut model = model(Screen::NowPlaying, size, listening(PlayerState::Playing));
            drop(press(&mut model, key));
            snap(&format!("{what}-{name}"), &model);
        }
    }
}

#[test]
fn questions_filters_lists_and_empty_screens_look_as_drawn() {
    for (size, name) in SIZES {
        let mut ask = model(Screen::Channels, size, hosting(2));
        drop(press(&mut ask, "q"));
        snap(&format!("Ask-{name}"), &ask);
        let mut filter = model(Screen::Channels, size, listening(PlayerState::Playing));
        drop(press(&mut filter, "/ j a z z"));
        snap(&format!("Filter-{name}"), &filter);
        let mut info = model(Screen::Channels, size, listening(PlayerState::Playing));
        drop(press(&mut info, "i"));
        snap(&format!("Info-{name}"), &info);
        let mut list = model(Screen::Mesh, size, listening(PlayerState::Playing));
        drop(press(&mut list, "o"));
        snap(&format!("MeshList-{name}"), &list);
        snap(&format!("MeshHost-{name}"), &model(Screen::Mesh, size, hosting(3)));
        snap(
            &format!("NothingPlays-{name}"),
            &model(Screen::NowPlaying, size, Snapshot::default()),
        );
        snap(
            &format!("Welcome-{name}"),
            &model(Screen::Channels, size, first_visit()),
        );
    }
}

/// Channels to choose from, and nothing ever heard.
fn first_visit() -> Snapshot {
    Snapshot {
        channels: vec![],
        kept: Arc::default(),
        ..listening(PlayerState::Playing)
    }
}

#[test]
fn the_first_visit_has_its_own_keys_until_something_was_heard() {
    let fresh = || model(Screen::Channels, (80, 24), first_visit());
    assert!(drawn(&fresh()).1.contains("One key starts a station"));
    let effects = press(&mut fresh(), "o");
    assert!(
        matches!(effects[..], [Effect::Send(Command::SetUpload(0)), Effect::SaveSettings]),
        "{effects:?}"
    );
    let mut welcome = fresh();
    drop(press(&mut welcome, "m"));
    assert_eq!(welcome.screen, Screen::Studio);
    let mut known = first_visit();
    known.kept = Arc::new(Kept {
        recent: vec![Entry::default()],
        ..Kept::default()
    });
    let (_, text) = drawn(&model(Screen::Channels, (80, 24), known));
    assert!(!text.contains("One key starts"), "{text}");
}

#[test]
fn below_the_full_width_the_side_bar_is_a_line_that_can_be_walked() {
    for size in [(80, 24), (60, 16)] {
        let mut model = model(Screen::Channels, size, listening(PlayerState::Playing));
        drop(press(&mut model, "Tab"));
        let (_, text) = drawn(&model);
        assert!(text.contains("Favourites 2"), "{text}");
        drop(press(&mut model, "Right"));
        assert_eq!((&model.channels.shelf, model.pane), (&Shelf::Favourites, 1));
        assert_eq!(model.channels.rows.len(), 2);
        drop(press(&mut model, "Enter"));
        assert_eq!(model.pane, 0, "Enter goes to the list and plays nothing");
    }
}

#[test]
fn shelves_hold_what_was_heard_what_is_ours_and_the_groups() {
    let mut snapshot = listening(PlayerState::Playing);
    let link = |at: usize| snapshot.listings[at].link.clone();
    let entry = |link: &str, name: &str| Entry {
        link: link.to_owned(),
        name: name.to_owned(),
    };
    snapshot.kept = Arc::new(Kept {
        recent: vec![
            entry(&link(2), "Ambient Drift"),
            entry("http://gone.example/x", "Gone FM"),
            entry(&link(1), "Night"),
        ],
        mine: vec![entry("inonda:mine", "my-show")],
        groups: [("Late".to_owned(), vec![link(3)])].into(),
    });
    let mut model = model(Screen::Channels, (120, 36), snapshot);
    let mut names = |shelf: Shelf| {
        let at = model
            .channels
            .shelves
            .iter()
            .position(|(known, _)| *known == shelf)
            .unwrap();
        let count = model.channels.shelves[at].1;
        model.channels.open_shelf(at);
        let list = &model.channels;
        let rows = (0..list.rows.len()).filter_map(|row| list.row(row));
        let names: Vec<String> = rows.map(|listing| listing.name.clone()).collect();
        assert_eq!(names.len(), count, "{shelf:?}");
        names
    };
    assert_eq!(names(Shelf::Recent), ["Ambient Drift", "Gone FM", "深夜ラジオ"]);
    assert_eq!(names(Shelf::Mine), ["my-show"]);
    assert_eq!(names(Shelf::Group("Late".into())), ["Garage Hour"]);
    assert_eq!(names(Shelf::Everything).len(), 4, "what nobody lists is no news");
}

#[test]
fn on_air_only_keeps_the_shelf() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    let rock = Shelf::Genre("rock".into());
    let at = model
        .channels
        .shelves
        .iter()
        .position(|(shelf, _)| *shelf == rock)
        .unwrap();
    model.channels.open_shelf(at);
    drop(press(&mut model, "o"));
    assert_eq!((&model.channels.shelf, model.channels.rows.len()), (&rock, 0));
    drop(press(&mut model, "o"));
    assert_eq!((&model.channels.shelf, model.channels.rows.len()), (&rock, 1));
}

#[test]
fn the_letters_that_a_filter_found_are_set_off() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "/ d r i f t Enter"));
    model.channels.selected = 9;
    let (buffer, text) = drawn(&model);
    let row = text.lines().position(|line| line.contains("Ambient Drift")).unwrap();
    let line = text.lines().nth(row).unwrap();
    let at = super::super::text::width(&line[..line.find("Drift").unwrap()]) as u16;
    let wanted = model.look.theme.style(Role::Match);
    let cell = &buffer[(at, row as u16)];
    assert_eq!(
        (Some(cell.fg), cell.modifier),
        (wanted.fg, wanted.add_modifier | Modifier::empty())
    );
    assert_ne!(Some(buffer[(at - 2, row as u16)].fg), wanted.fg);
}

/// A visit in some pack, with plain letters from the network.
fn plain(screen: Screen, size: (u16, u16), pack: Pack, mut snapshot: Snapshot) -> Model {
    let mut model = model_in(screen, size, Depth::Mono, pack);
    let mut one = listing("Plain", "jazz", 1);
    one.title = "Artist – Title × “quoted”…".into();
    snapshot.listings = Arc::new(vec![one]);
    drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
    drop(update(&mut model, Input::Levels(levels())));
    drop(update(&mut model, Input::Programme(levels())));
    log_lines(&mut model);
    model
}

#[test]
fn narrow_and_ascii_packs_hold_on_every_screen() {
    let sizes = [(120, 36), (80, 24), (60, 16), (40, 10), (60, 3)];
    let narrow = |symbol: &str| symbol.width_cjk() == symbol.width();
    for pack in [Pack::Narrow, Pack::Ascii] {
        for size in sizes {
            for screen in Screen::ALL {
                let snapshots = [
                    listening(PlayerState::Playing),
                    listening(PlayerState::BufferLow),
                    hosting(3),
                    hosting(0),
                    Snapshot::default(),
                    first_visit(),
                ];
                for snapshot in snapshots {
                    for keys in ["", "?", "t", ",", "H", "w", ":", "/", "i", "o", "Tab", "f"] {
                        let mut model = plain(screen, size, pack, snapshot.clone());
                        drop(press(&mut model, keys));
                        let (buffer, text) = drawn(&model);
                        for cell in buffer.content() {
                            let fine = match pack {
                                Pack::Ascii => cell.symbol().is_ascii(),
                                Pack::Narrow | Pack::Unicode => narrow(cell.symbol()),
                            };
                            assert!(fine, "{:?} {screen:?} {size:?} {keys}\n{text}", cell.symbol());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn no_screen_shows_an_address() {
    for (size, name) in SIZES {
        for screen in Screen::ALL {
            for snapshot in [listening(PlayerState::Playing), hosting(3), hosting(0)] {
                for keys in ["", "w", "Enter"] {
                    let mut model = model(screen, size, snapshot.clone());
                    if screen == Screen::Mesh || keys != "Enter" {
                        drop(press(&mut model, keys));
                    }
                    let (_, text) = drawn(&model);
                    assert!(!text.contains("192.0.2"), "{screen:?} {name} {keys}\n{text}");
                }
            }
        }
    }
}

#[test]
fn keys_of_a_full_studio_say_what_is_missing() {
    for key in ["0", "d", "a", "J", "K", "p", "F1"] {
        let mut model = model(Screen::Studio, (80, 24), hosting(3));
        assert!(press(&mut model, key).is_empty());
        let told = &model
            .flash
            .as_ref()
            .unwrap_or_else(|| panic!("{key} says nothing"))
            .text;
        assert!(told.contains("not available yet"), "{key}: {told}");
    }
    let mut off = model(Screen::Studio, (80, 24), Snapshot::default());
    drop(press(&mut off, ":"));
    drop(update(
        &mut off,
        Input::Paste("air station http://radio.example/live as Bridge".into()),
    ));
    let effects = press(&mut off, "Enter");
    assert!(matches!(effects[..], [Effect::GoOnAir { .. }]), "{effects:?}");
}

#[test]
fn the_header_is_whole_at_every_width() {
    for columns in 40..130 {
        for rows in [12, 30] {
            for snapshot in [
                listening(PlayerState::Playing),
                hosting(0),
                hosting(3),
                Snapshot::default(),
            ] {
                let (_, text) = drawn(&model(Screen::Channels, (columns, rows), snapshot));
                let header = text.lines().next().unwrap();
                assert!(!header.contains('…'), "{columns}: {header}");
            }
        }
    }
}
