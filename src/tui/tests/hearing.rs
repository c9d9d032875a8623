//! What is heard: how loud, until when, what is kept of it, and what is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::drawn;
use crate::engine::snapshot::{Detail, PlayerState, Snapshot};
use crate::engine::{Command, Event};
use crate::tui::action::Screen;
use crate::tui::channels::tests::listing;
use crate::tui::sample::{levels, listening, model, press};
use crate::tui::update::{Effect, Input, update};

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
fn a_snapshot_older_than_what_was_told_adds_no_title() {
    let old = listening(PlayerState::Playing);
    let mut model = model(Screen::NowPlaying, (120, 36), old.clone());
    let title = "Ahmad Jamal – Poinciana".to_owned();
    let channel = old.channels[0].channel;
    drop(update(
        &mut model,
        Input::Event(Box::new(Event::Title {
            channel,
            title: title.clone(),
        })),
    ));
    drop(update(&mut model, Input::Snapshot(Arc::new(old.clone()))));
    let mut new = old;
    new.channels[0].title = title.clone();
    drop(update(&mut model, Input::Snapshot(Arc::new(new))));
    let heard: Vec<&str> = model.heard.newest().map(|heard| heard.title.as_str()).collect();
    assert_eq!(heard, [title.as_str(), "Bill Evans Trio – Waltz for Debby"]);
}

#[test]
fn the_spectrum_is_asked_for_only_while_it_is_seen() {
    let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
    assert!(matches!(
        press(&mut model, "2")[..],
        [Effect::Send(Command::Measure(Detail::Spectrum))]
    ));
    assert!(matches!(
        press(&mut model, "5")[..],
        [Effect::Send(Command::Measure(Detail::Levels))]
    ));
    drop(press(&mut model, "2"));
    let effects = update(&mut model, Input::Focus(false));
    assert!(matches!(effects[..], [Effect::Send(Command::Measure(Detail::Levels))]));
    drop(update(&mut model, Input::Focus(true)));
    drop(update(&mut model, Input::Levels(levels())));
    for key in ["?", "H", ","] {
        let effects = press(&mut model, key);
        assert!(
            matches!(effects[..], [Effect::Send(Command::Measure(Detail::Levels))]),
            "{key} covers it: {effects:?}"
        );
        let effects = press(&mut model, "Esc");
        assert!(matches!(
            effects[..],
            [Effect::Send(Command::Measure(Detail::Spectrum))]
        ));
    }
    assert!(press(&mut model, "t").is_empty(), "themes are chosen beside it");
}
