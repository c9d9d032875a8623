//! Joining, leaving, previews and favourites: what is asked for, and what the strip says meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::super::channels::tests::listing;
use super::super::model::Model;
use super::super::sample::{channel, levels, listening, model, player, press};
use super::super::theme::{Depth, Pack};
use super::super::update::{Effect, Input, update};
use super::drawn;
use crate::engine::snapshot::{PlayerState, Role, Snapshot};
use crate::engine::{Command, Target};
use crate::tui::action::Screen;
use crate::units::ChannelId;

fn start() -> Model {
    model(Screen::Channels, (120, 36), listening(PlayerState::Playing))
}

/// The usual snapshot with the second channel of the list being a mesh channel of its own.
fn two_channels() -> Snapshot {
    let mut snapshot = listening(PlayerState::Playing);
    let mut all = snapshot.listings.to_vec();
    all[1].link = format!("inonda:{}", ChannelId([9; 32]));
    all[1].channel = Some(ChannelId([9; 32]));
    snapshot.listings = Arc::new(all);
    snapshot
}

fn playing_the_other() -> Snapshot {
    let mut other = channel(Some(player(PlayerState::Playing)));
    other.channel = ChannelId([9; 32]);
    other.link = format!("inonda:{}?via=192.0.2.9:7144", ChannelId([9; 32]));
    other.name = "Night Radio".into();
    let mut snapshot = two_channels();
    snapshot.channels = vec![other];
    snapshot
}

fn take(model: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    update(model, Input::Snapshot(Arc::new(snapshot)))
}

fn strip(model: &Model) -> String {
    drawn(model).1.lines().rev().nth(3).unwrap().to_owned()
}

/// The targets of every wish to listen.
fn targets(effects: &[Effect]) -> Vec<Target> {
    let wish = |effect: &Effect| match effect {
        Effect::Send(Command::Listen(listen)) => Some(listen.target.clone()),
        _ => None,
    };
    effects.iter().filter_map(wish).collect()
}

fn sends_cancel(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Send(Command::CancelJoin)))
}

#[test]
fn a_half_typed_sequence_is_forgotten_by_itself() {
    let mut model = start();
    drop(press(&mut model, "g"));
    assert_eq!(model.pending.len(), 1);
    model.now += super::super::model::PENDING;
    drop(update(&mut model, Input::Tick));
    assert!(model.pending.is_empty(), "no wake-up may be left in the past");
}

#[test]
fn a_listener_without_sound_is_joining_and_a_relay_is_relaying() {
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.channels[0].player = None;
    assert!(strip(&model(Screen::Log, (120, 36), snapshot.clone())).contains("JOINING  Midnight Jazz FM"));
    snapshot.channels[0].role = Role::Relay;
    assert!(strip(&model(Screen::Log, (120, 36), snapshot)).contains("RELAYING"));
}

#[test]
fn changing_channels_says_joining_until_the_new_one_plays() {
    let mut model = start();
    drop(take(&mut model, two_channels()));
    drop(press(&mut model, "j Enter"));
    drop(take(&mut model, two_channels()));
    assert!(
        strip(&model).contains("JOINING"),
        "the old one still sounds\n{}",
        strip(&model)
    );
    drop(take(&mut model, playing_the_other()));
    assert!(model.joining.is_none());
    assert!(strip(&model).contains("PLAYING  Night Radio"));
}

#[test]
fn escape_gives_up_what_is_being_joined() {
    let mut model = start();
    drop(take(
        &mut model,
        Snapshot {
            channels: vec![],
            ..two_channels()
        },
    ));
    drop(press(&mut model, "j Enter"));
    let effects = press(&mut model, "Esc");
    assert!(sends_cancel(&effects), "{effects:?}");
    assert!(!strip(&model).contains("JOINING"));
    assert!(!sends_cancel(&press(&mut model, "Esc")), "once is enough");
    let mut silent = listening(PlayerState::Playing);
    silent.channels[0].player = None;
    drop(take(&mut model, silent));
    assert!(sends_cancel(&press(&mut model, ": l e a v e Enter")));
}

#[test]
fn a_preview_that_never_sounds_ends_in_time() {
    let mut model = start();
    drop(take(
        &mut model,
        Snapshot {
            channels: vec![],
            ..two_channels()
        },
    ));
    drop(press(&mut model, "j p"));
    model.now += Duration::from_secs(11);
    let effects = update(&mut model, Input::Tick);
    assert!(sends_cancel(&effects), "{effects:?}");
    assert!(model.preview.is_none() && model.joining.is_none());
}

#[test]
fn a_preview_counts_down_and_returns_by_name() {
    let mut model = start();
    drop(take(&mut model, two_channels()));
    drop(press(&mut model, "j p"));
    model.now += Duration::from_secs(3);
    drop(take(&mut model, playing_the_other()));
    assert!(strip(&model).contains("7 s of preview"), "{}", strip(&model));
    let effects = press(&mut model, "Esc");
    let back = format!("inonda:{}?via=192.0.2.7:7144", ChannelId([7; 32]));
    assert_eq!(targets(&effects), [back.parse::<Target>().unwrap()]);
    assert!(strip(&model).contains("JOINING  Midnight Jazz FM"), "{}", strip(&model));
}

#[test]
fn the_next_favourite_ends_a_preview_for_good() {
    let mut model = start();
    drop(take(&mut model, two_channels()));
    drop(press(&mut model, "j p ]"));
    model.now += Duration::from_secs(11);
    assert!(targets(&update(&mut model, Input::Tick)).is_empty());
}

#[test]
fn favourites_are_walked_in_the_order_of_the_list_with_stations_among_them() {
    let mut model = start();
    let mut snapshot = listening(PlayerState::Playing);
    let stations: Vec<_> = [("a", 5), ("b", 50), ("c", 20)]
        .into_iter()
        .map(|(name, listeners)| {
            let mut station = listing(name, "talk", listeners);
            station.favourite = true;
            station
        })
        .collect();
    snapshot.listings = Arc::new(stations);
    snapshot.channels[0].link = "https://radio.example/b".into();
    drop(take(&mut model, snapshot.clone()));
    let station = |name: &str| Target::Station(format!("https://radio.example/{name}"));
    assert_eq!(targets(&press(&mut model, "]")), [station("c")]);
    assert_eq!(
        targets(&press(&mut model, "]")),
        [station("a")],
        "while the last wish is still on its way"
    );
    assert_eq!(targets(&press(&mut model, "]")), [station("b")], "and round again");
    assert_eq!(targets(&press(&mut model, "[")), [station("a")]);
}

#[test]
fn an_address_plays_as_a_station_and_an_unclear_name_is_reported() {
    let mut model = start();
    let line = |model: &mut Model, text: &str| {
        drop(press(model, ":"));
        drop(update(model, Input::Paste(text.to_owned())));
        press(model, "Enter")
    };
    let effects = line(&mut model, "play http://radio.example:8000/live");
    assert_eq!(
        targets(&effects),
        [Target::Station("http://radio.example:8000/live".into())]
    );
    let mut snapshot = listening(PlayerState::Playing);
    let mut all = vec![
        listing("Night Talk", "talk", 1),
        listing("Night Jazz", "jazz", 2),
        listing("Night", "jazz", 3),
    ];
    all[1].on_air = false;
    snapshot.listings = Arc::new(all.clone());
    drop(take(&mut model, snapshot.clone()));
    let only = Target::Station("https://radio.example/Night Talk".into());
    assert_eq!(targets(&line(&mut model, "play night t")), [only]);
    let whole = Target::Station("https://radio.example/Night".into());
    assert_eq!(targets(&line(&mut model, "play NIGHT")), [whole]);
    all[2].name = "Nightly".into();
    snapshot.listings = Arc::new(all);
    drop(take(&mut model, snapshot));
    assert!(targets(&line(&mut model, "play nigh")).is_empty());
    let told = &model.flash.as_ref().unwrap().text;
    assert!(told.contains("Night Talk") && told.contains("Nightly"), "{told}");
    assert_eq!(
        targets(&line(&mut model, "play Elsewhere")),
        [Target::Name("Elsewhere".into())]
    );
}

#[test]
fn what_plays_can_be_marked_from_any_screen() {
    let mut model = start();
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.channels[0].link = "http://radio.example/unlisted".into();
    drop(take(&mut model, snapshot));
    let effects = press(&mut model, "2 : f a v o u r i t e Enter");
    let marks = |effect: &Effect| matches!(effect, Effect::Send(Command::SetFavourite { link, on: true, .. }) if link.ends_with("unlisted"));
    assert!(effects.iter().any(marks), "{effects:?}");
}

#[test]
fn the_selection_stays_on_its_channel_when_the_addresses_in_the_link_change() {
    let mut model = start();
    drop(press(&mut model, "j j"));
    let mut snapshot = two_channels();
    let mut all = snapshot.listings.to_vec();
    all[2].link = format!("inonda:{}?via=192.0.2.1:1", ChannelId([8; 32]));
    snapshot.listings = Arc::new(all.clone());
    drop(take(&mut model, snapshot.clone()));
    model.channels.selected = 2;
    all[2].link = format!("inonda:{}?via=192.0.2.2:2", ChannelId([8; 32]));
    all[2].listeners = Some(9_999);
    snapshot.listings = Arc::new(all);
    drop(take(&mut model, snapshot));
    assert_eq!(model.channels.selected, 0, "it moved to the top and was followed");
}

#[test]
fn the_selection_stays_on_its_neighbour_when_others_come() {
    let mut model = model(Screen::Mesh, (120, 36), listening(PlayerState::Playing));
    drop(press(&mut model, "j j"));
    let (rows, at) = model.mesh_rows();
    let chosen = rows[at].peer;
    let mut snapshot = listening(PlayerState::Playing);
    let mut newcomer = snapshot.channels[0].neighbours[0].clone();
    newcomer.peer = crate::units::PeerId([0xaa; 32]);
    newcomer.age = Duration::from_secs(900_000);
    snapshot.channels[0].neighbours.push(newcomer);
    drop(take(&mut model, snapshot));
    let (rows, now_at) = model.mesh_rows();
    assert_eq!((rows[now_at].peer, now_at), (chosen, at + 1));
}

#[test]
fn meters_rest_when_nothing_sounds_or_nobody_looks() {
    let mut model = start();
    assert!(model.meters.levels.peak_db[0] > -60.0);
    drop(press(&mut model, "space"));
    assert!(!model.meters.levels.peak_db[0].is_finite() && !model.meters.held_db[0].is_finite());
    drop(press(&mut model, "space"));
    drop(update(&mut model, Input::Levels(levels())));
    assert!(model.meters.held_db[0] > -60.0);
    drop(update(&mut model, Input::Focus(false)));
    assert!(!model.meters.held_db[0].is_finite());
    let (_, text) = drawn(&super::super::sample::model_in(
        Screen::NowPlaying,
        (120, 36),
        Depth::TrueColour,
        Pack::Unicode,
    ));
    assert!(!text.contains("peak 0 dB"), "{text}");
}

#[test]
fn health_speaks_of_this_minute() {
    let mut model = start();
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.channels[0].chunks_due += 1_000;
    snapshot.channels[0].chunks_missed += 100;
    model.now += Duration::from_secs(5);
    drop(take(&mut model, snapshot.clone()));
    let text = drawn(&model).1;
    assert!(
        text.contains("90.0 % in time this minute") && text.contains("loss 10.0 %"),
        "{text}"
    );
    for _ in 0..70 {
        model.now += Duration::from_secs(1);
        snapshot.channels[0].chunks_due += 50;
        drop(take(&mut model, snapshot.clone()));
    }
    assert!(drawn(&model).1.contains("healthy"));
}
