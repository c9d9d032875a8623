//! What must never happen, whatever is pressed, drawn and told.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::drawn;
use crate::engine::Event;
use crate::engine::event::Level;
use crate::engine::listing::Listing;
use crate::engine::snapshot::{ChannelView, HostView, Levels, PlayerState, PlayerView, RecordingView, Role, Snapshot};
use crate::mesh::stats::Neighbour;
use crate::tui::action::{Action, Call, Scope, Screen, VOCABULARY};
use crate::tui::channels::tests::listing;
use crate::tui::keys::{Bindings, Chord, Meaning};
use crate::tui::sample::{channel, hosting, listening, model};
use crate::tui::update::{Input, MouseKind, update};
use crate::tui::view;
use crate::units::{ChannelId, PeerId};

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

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..20_000).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ]
}

/// Few of them, so that events and snapshots speak of the same ones.
fn any_peer() -> impl Strategy<Value = PeerId> {
    proptest::sample::select(vec![0x01, 0x10, 0x22, 0x33, 0x44, 0x88, 0xee]).prop_map(|n| PeerId([n; 32]))
}

fn any_channel() -> impl Strategy<Value = ChannelId> {
    proptest::sample::select(vec![7, 8, 9]).prop_map(|n| ChannelId([n; 32]))
}

fn any_player() -> impl Strategy<Value = PlayerView> {
    let state = proptest::sample::select(vec![
        PlayerState::Joining,
        PlayerState::Playing,
        PlayerState::BufferLow,
        PlayerState::Reconnecting,
        PlayerState::OffAir,
        PlayerState::NoOutput,
    ]);
    let times = (any_time(), any_time(), any_time(), any_time());
    let rest = (any::<u64>(), any::<f32>(), any::<String>(), any::<u8>());
    let recording = proptest::option::of((any::<String>(), any::<u64>(), any::<u32>()));
    (state, times, rest, any::<(bool, bool)>(), recording).prop_map(
        |(state, (buffer, wanted, played, silence), (underruns, drift_ppm, output, volume), flags, recording)| {
            PlayerView {
                state,
                buffer,
                wanted_delay: wanted,
                delay: wanted,
                played,
                silence,
                underruns,
                drift_ppm,
                output,
                volume,
                muted: flags.0,
                paused: flags.1,
                recording: recording.map(|(place, bytes, pieces)| RecordingView { place, bytes, pieces }),
            }
        },
    )
}

fn any_neighbour() -> impl Strategy<Value = Neighbour> {
    let ties = (any::<u16>(), any::<u16>(), any::<(bool, bool, bool)>());
    (
        any_peer(),
        ties,
        proptest::option::of(any_time()),
        any::<f32>(),
        any::<u64>(),
    )
        .prop_map(
            |(peer, (feeds_us, fed_by_us, (spare, is_host, stalled)), rtt, loss, bytes)| Neighbour {
                peer,
                feeds_us,
                fed_by_us,
                spare,
                is_host,
                stalled,
                rtt,
                loss,
                received_bytes: bytes,
                jitter: rtt.unwrap_or_default(),
                age: rtt.unwrap_or_default(),
                ..channel(None).neighbours[0].clone()
            },
        )
}

fn any_view() -> impl Strategy<Value = ChannelView> {
    let role = proptest::sample::select(vec![Role::Host, Role::Listener, Role::Relay]);
    let words = (any::<String>(), any::<String>(), any_channel());
    let parents = proptest::collection::vec(proptest::option::of(any_peer()), 0..18);
    let neighbours = proptest::collection::vec(any_neighbour(), 0..12);
    let numbers = (any::<u64>(), any::<u64>(), any::<u8>(), any::<f64>(), any::<u32>());
    let player = proptest::option::of(any_player());
    (role, words, parents, neighbours, numbers, player).prop_map(
        |(role, (name, title, id), parents, neighbours, (many, more, hops, share, bitrate_bps), player)| ChannelView {
            channel: id,
            name,
            title,
            link: format!("inonda:{id}?via=192.0.2.7:7144"),
            role,
            bitrate_bps,
            chunks_due: many,
            chunks_missed: more,
            continuity: share,
            channel_continuity_mean: Some(share),
            listeners: Some(many),
            slots: usize::from(hops),
            hops,
            parents,
            neighbours,
            // Sums of these are drawn, and no line is as fast as that.
            download_bps: many / 16,
            upload_bps: more / 16,
            player,
            ..channel(None)
        },
    )
}

fn any_listing() -> impl Strategy<Value = Listing> {
    let words = (any::<String>(), any::<String>(), any::<String>());
    let marks = any::<(bool, bool, bool, bool)>();
    let numbers = (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u64>>());
    let trend = proptest::collection::vec(any::<u32>(), 0..14);
    (words, marks, numbers, any_channel(), trend).prop_map(|(words, marks, numbers, id, trend)| Listing {
        channel: Some(id),
        link: format!("inonda:{id}"),
        name: words.0,
        title: words.1,
        description: words.2.repeat(20),
        on_air: marks.0,
        favourite: marks.1,
        hidden: marks.2,
        playable: marks.3,
        listeners: numbers.0,
        bitrate_kbps: numbers.1,
        since_unix_s: numbers.2,
        trend,
        ..listing("", "jazz", 1)
    })
}

fn any_host() -> impl Strategy<Value = HostView> {
    let words = (
        any::<String>(),
        any::<String>(),
        proptest::collection::vec(any::<String>(), 0..9),
    );
    let times = (any_time(), any_time(), proptest::option::of(any_time()), any_time());
    (
        proptest::option::of(any_channel()),
        words,
        times,
        any::<usize>(),
        any::<u64>(),
    )
        .prop_map(
            |(
                channel,
                (name, title, next),
                (on_air, track_position, track_length, silent_for),
                confirming_peers,
                many,
            )| {
                HostView {
                    channel,
                    name,
                    title,
                    next,
                    on_air,
                    track_position,
                    track_length,
                    silent_for,
                    confirming_peers,
                    listeners: Some(many),
                    capture_overruns: many,
                    link: "inonda:x".into(),
                }
            },
        )
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let channels = proptest::collection::vec(any_view(), 0..3);
    let listings = proptest::collection::vec(any_listing(), 0..6);
    let alone = proptest::option::of(any_player());
    let host = proptest::option::of(any_host());
    (channels, listings, alone, host, any::<u64>(), any::<String>()).prop_map(
        |(channels, listings, player, host, upload_limit_bps, words)| {
            let usual = listening(PlayerState::Playing);
            let origins = usual.origins.into_iter().map(|mut state| {
                state.trouble = state.trouble.map(|(_, again)| (words.clone(), again));
                state
            });
            Snapshot {
                channels,
                player,
                host,
                upload_limit_bps,
                listings: Arc::new(listings),
                origins: origins.collect(),
                ..usual
            }
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    let level = proptest::sample::select(vec![Level::Info, Level::Warn, Level::Error]);
    prop_oneof![
        any_peer().prop_map(|peer| Event::Ready {
            peer,
            addrs: Vec::new()
        }),
        Just(Event::Published {
            http: ([127, 0, 0, 1], 8_000).into()
        }),
        Just(Event::Listed),
        (any_channel(), any::<String>(), any::<String>()).prop_map(|(channel, link, name)| Event::OnAir {
            channel,
            link,
            name
        }),
        (any_channel(), any_time()).prop_map(|(channel, startup)| Event::Joined { channel, startup }),
        (any_channel(), any::<String>()).prop_map(|(channel, title)| Event::Title { channel, title }),
        (any_channel(), any::<String>(), any::<u64>(), 0u32..3).prop_map(|(channel, place, bytes, pieces)| {
            Event::Recorded {
                channel,
                view: RecordingView { place, bytes, pieces },
            }
        }),
        any_view().prop_map(|view| Event::Stats(Box::new(view))),
        (
            any_channel(),
            any::<u8>(),
            proptest::option::of(any_peer()),
            proptest::option::of(any_peer()),
            any_time()
        )
            .prop_map(|(channel, stripe, from, to, gap)| Event::ParentChanged {
                channel,
                stripe,
                from,
                to,
                gap
            }),
        (any_channel(), any::<String>(), any::<bool>()).prop_map(|(channel, reason, ended)| Event::OffAir {
            channel,
            reason,
            ended
        }),
        (level, any::<String>(), any::<String>()).prop_map(|(level, message, hint)| Event::Notice {
            level,
            message,
            hint
        }),
        (any::<u8>(), any::<String>(), any::<String>()).prop_map(|(code, message, hint)| Event::Failed {
            code,
            message,
            hint
        }),
        any_view().prop_map(|view| Event::Summary(Box::new(view))),
        Just(Event::Stopped),
    ]
}

/// What is typed where no screen is drawn, and what media keys say.
fn any_call() -> impl Strategy<Value = Call> {
    let actions: Vec<Action> = VOCABULARY.iter().map(|entry| entry.action).collect();
    let words = ["", "0", "30", "on", "off", "1h", "nord", "2M", "-3", "jazz"].map(str::to_owned);
    let argument = prop_oneof![proptest::sample::select(words.to_vec()), any::<String>()];
    (proptest::sample::select(actions), argument).prop_map(|(action, argument)| Call { action, argument })
}

fn any_levels() -> impl Strategy<Value = Levels> {
    (any::<f32>(), any::<f32>()).prop_map(|(a, b)| Levels {
        peak_db: [a, b],
        rms_db: [b, a],
        loudness: a,
        bands: [b; 24],
    })
}

fn any_input() -> impl Strategy<Value = Input> {
    let kinds = vec![MouseKind::Click, MouseKind::WheelUp, MouseKind::WheelDown];
    let usual = proptest::sample::select(vec![
        Snapshot::default(),
        hosting(0),
        hosting(3),
        listening(PlayerState::Reconnecting),
        listening(PlayerState::Playing),
    ]);
    prop_oneof![
        20 => any_key().prop_map(Input::Key),
        2 => (0u16..140, 0u16..50).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
        2 => (proptest::sample::select(kinds), 0u16..140, 0u16..50)
            .prop_map(|(kind, column, row)| Input::Mouse { kind, column, row }),
        2 => usual.prop_map(|snapshot| Input::Snapshot(Arc::new(snapshot))),
        3 => any_snapshot().prop_map(|snapshot| Input::Snapshot(Arc::new(snapshot))),
        3 => any_event().prop_map(|event| Input::Event(Box::new(event))),
        2 => any_call().prop_map(Input::Said),
        1 => any::<String>().prop_map(Input::Paste),
        1 => any::<bool>().prop_map(Input::Focus),
        1 => any_levels().prop_map(Input::Levels),
        1 => any_levels().prop_map(Input::Programme),
        1 => any::<String>().prop_map(|text| Input::Told { text, hint: String::new(), bad: true }),
        1 => Just(Input::Tick),
        1 => Just(Input::ThemesChanged),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_sizes_snapshots_or_events_make_it_panic(inputs in proptest::collection::vec((any_input(), 0u64..4_000), 1..120)) {
        let mut model = model(Screen::Channels, (120, 36), listening(PlayerState::Playing));
        for (input, passed) in inputs {
            model.now += Duration::from_millis(passed);
            drop(update(&mut model, input));
            let (_, text) = drawn(&model);
            prop_assert_eq!(text.lines().count(), usize::from(model.size.1));
            prop_assert!(text.lines().all(|line| crate::tui::text::width(line) <= usize::from(model.size.0)));
        }
    }

    #[test]
    fn what_moves_is_drawn_alone_as_with_the_whole_screen(
        inputs in proptest::collection::vec(any_input(), 1..20), levels in proptest::collection::vec(any_levels(), 4),
    ) {
        let mut model = model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
        for levels in levels {
            for input in inputs.clone() {
                drop(update(&mut model, input));
            }
            let (mut buffer, _) = drawn(&model);
            let moving = view::draw(&model, &mut buffer);
            drop(update(&mut model, Input::Levels(levels)));
            view::draw_rows(&model, &mut buffer, &moving);
            let (whole, _) = drawn(&model);
            for y in (0..model.size.1).filter(|y| moving.has(*y)) {
                for x in 0..model.size.0 {
                    prop_assert_eq!(&buffer[(x, y)], &whole[(x, y)]);
                }
            }
        }
    }

    #[test]
    fn global_keys_mean_the_same_on_every_screen(screen in proptest::sample::select(Screen::ALL.to_vec())) {
        let bindings = Bindings::default();
        for entry in VOCABULARY.iter().filter(|entry| !matches!(entry.scope, Scope::On(_))) {
            for key in entry.keys {
                let keys = crate::tui::keys::parse_sequence(key).unwrap();
                prop_assert_eq!(bindings.meaning(&keys, screen), Meaning::Call(entry.action.into()));
            }
        }
    }
}

#[test]
fn meters_and_spectrum_move_and_the_rest_does_not() {
    for (screen, rows) in [(Screen::NowPlaying, 10..30), (Screen::Log, 1..2)] {
        let model = model(screen, (120, 36), listening(PlayerState::Playing));
        let moving = view::draw(&model, &mut drawn(&model).0);
        let count = (0..36).filter(|y| moving.has(*y)).count();
        assert!(rows.contains(&count), "{count}");
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
