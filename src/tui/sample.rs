//! A small pretended engine, for tests only: snapshots with everything in them, and a handle made of channels.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::action::Screen;
use super::channels::tests::listing;
use super::keys::Bindings;
use super::look::Look;
use super::model::{Model, Settings, Visit, Wall};
use super::theme::{DEFAULT, Depth, Pack, Shelf};
use super::update::{Effect, Input, update};
use crate::engine::handle::LevelsCell;
use crate::engine::listing::{Origin, OriginState};
use crate::engine::snapshot::{ChannelView, Entry, HostView, Kept, Levels, PlayerState, PlayerView, Role, Snapshot};
use crate::engine::{Command, Event, Handle};
use crate::mesh::session::Codec;
use crate::mesh::stats::Neighbour;
use crate::units::{ChannelId, PeerId};

/// 2026-11-22 21:04:00 UTC.
pub const NOON: Wall = Wall {
    unix_s: 1_795_381_440,
    offset_s: 0,
};

fn peer(n: u8) -> PeerId {
    PeerId([n; 32])
}

fn neighbour(n: u8, feeds_us: u16, fed_by_us: u16) -> Neighbour {
    Neighbour {
        peer: peer(n),
        remote: "192.0.2.1:7144".parse().unwrap(),
        feeds_us,
        fed_by_us,
        spare: feeds_us == 0 && fed_by_us == 0,
        is_host: n == 0x10,
        stalled: n == 0x88,
        rtt: Some(Duration::from_millis(u64::from(n))),
        jitter: Duration::from_millis(3),
        loss: 0.001,
        received_bytes: 1_000_000 * u64::from(n),
        sent_bytes: 500_000,
        age: Duration::from_secs(60 * u64::from(n)),
    }
}

/// A sound path at work.
pub fn player(state: PlayerState) -> PlayerView {
    PlayerView {
        state,
        buffer: Duration::from_millis(1_400),
        wanted_delay: Duration::from_secs(2),
        delay: Duration::from_millis(2_010),
        played: Duration::from_secs(2_292),
        silence: Duration::from_millis(20),
        underruns: 0,
        drift_ppm: -3.0,
        output: "USB Audio".into(),
        volume: 72,
        muted: false,
        paused: false,
        recording: None,
    }
}

/// A channel that is heard.
pub fn channel(player: Option<PlayerView>) -> ChannelView {
    ChannelView {
        channel: ChannelId([7; 32]),
        name: "Midnight Jazz FM".into(),
        genre: "jazz".into(),
        description: "Late-night acoustic jazz".into(),
        title: "Bill Evans Trio – Waltz for Debby".into(),
        link: format!("inonda:{}?via=192.0.2.7:7144", ChannelId([7; 32])),
        role: if player.is_some() { Role::Listener } else { Role::Relay },
        codec: Codec::Opus,
        bitrate_bps: 128_000,
        since: Duration::from_secs(2_292),
        continuity: 0.9998,
        chunks_due: 40_000,
        chunks_missed: 3,
        repaired: 77,
        duplicates: 21,
        lag: Duration::from_millis(84),
        hops: 2,
        parents: vec![Some(peer(0x22)), Some(peer(0x33)), Some(peer(0x22)), Some(peer(0x10))],
        children: 3,
        slots: 12,
        neighbours: vec![
            neighbour(0x22, 0b0101, 0),
            neighbour(0x33, 0b0010, 0),
            neighbour(0x10, 0b1000, 0),
            neighbour(0x44, 0, 0b0001),
            neighbour(0x88, 0, 0b0001),
            neighbour(0x55, 0, 0),
        ],
        listeners: Some(128),
        downstream: 14,
        channel_continuity_mean: Some(0.9999),
        channel_continuity_worst: Some(0.9981),
        download_bps: 131_000,
        upload_bps: 392_000,
        uploaded_bytes: 110_000_000,
        downloaded_bytes: 38_000_000,
        payload_bytes: 34_000_000,
        player,
    }
}

/// A node that plays, with channels to choose from.
pub fn listening(state: PlayerState) -> Snapshot {
    let mut names = vec![
        listing("Midnight Jazz FM", "jazz", 128),
        listing("深夜ラジオ", "talk", 96),
        listing("Ambient Drift", "ambient", 81),
        listing("Garage Hour", "rock", 0),
    ];
    names[0].channel = Some(ChannelId([7; 32]));
    names[0].link = channel(None).link;
    names[0].favourite = true;
    names[0].title = "Bill Evans Trio – Waltz for Debby".into();
    names[0].trend = vec![3, 4, 5, 6, 7, 8];
    names[1].favourite = true;
    names[1].title = "雨のブルース".into();
    names[3].on_air = false;
    Snapshot {
        peer: Some(peer(1)),
        addrs: vec![],
        upload_limit_bps: 2_000_000,
        channels: vec![channel(Some(player(state)))],
        player: None,
        host: None,
        listings: Arc::new(names),
        kept: Arc::new(Kept {
            recent: vec![Entry {
                link: channel(None).link,
                name: "Midnight Jazz FM".into(),
            }],
            ..Kept::default()
        }),
        origins: vec![
            OriginState {
                origin: Origin::Lan,
                channels: 3,
                trouble: None,
            },
            OriginState {
                origin: Origin::Directory("yp.example:80".into()),
                channels: 0,
                trouble: Some(("refused".into(), Duration::from_secs(12))),
            },
        ],
    }
}

/// A node that hosts, confirmed by so many neighbours.
pub fn hosting(confirming_peers: usize) -> Snapshot {
    let mut own = channel(None);
    own.role = Role::Host;
    own.parents = vec![];
    own.hops = 0;
    own.neighbours.retain(|n| n.feeds_us == 0);
    let host = HostView {
        channel: Some(own.channel),
        name: "The Night Shift".into(),
        link: own.link.clone(),
        title: "Request hour, call in".into(),
        on_air: Duration::from_secs(2_537),
        next: vec![
            "Fela Kuti – Water No Get Enemy".into(),
            "Mulatu Astatke – Tezeta".into(),
        ],
        track_position: Duration::from_secs(248),
        track_length: Some(Duration::from_secs(620)),
        confirming_peers,
        listeners: Some(38),
        silent_for: Duration::ZERO,
        capture_overruns: 0,
    };
    Snapshot {
        channels: vec![own],
        host: Some(host),
        ..listening(PlayerState::Playing)
    }
}

/// Levels of music.
pub fn levels() -> Levels {
    Levels {
        peak_db: [-4.1, -5.0],
        rms_db: [-9.2, -11.0],
        loudness: -18.4,
        bands: std::array::from_fn(|i| -20.0 - (i as f32 - 8.0).abs() * 2.5),
    }
}

/// A model on a terminal of that size, in that depth.
pub fn model_in(screen: Screen, size: (u16, u16), depth: Depth, pack: Pack) -> Model {
    let (look, told) = Look::new(Shelf::default(), DEFAULT, depth, pack);
    assert!(told.is_empty());
    let mut model = Model::new(Visit::Browse, screen, look, Bindings::default(), Settings::default());
    model.size = size;
    model.wall = NOON;
    model.now = Duration::from_secs(60);
    model
}

/// A model with a snapshot and sound, on a terminal of that size.
pub fn model(screen: Screen, size: (u16, u16), snapshot: Snapshot) -> Model {
    let mut model = model_in(screen, size, Depth::TrueColour, Pack::Unicode);
    drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
    drop(update(&mut model, Input::Levels(levels())));
    drop(update(&mut model, Input::Programme(levels())));
    model
}

/// Presses keys written with spaces between them; returns what the outside shall do.
pub fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let chords = keys
        .split_whitespace()
        .map(|key| super::keys::Chord::parse(key).expect(key));
    chords
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|chord| update(model, Input::Key(chord)))
        .collect()
}

/// The far end of a pretended engine.
#[allow(dead_code, reason = "a test holds the ends it does not use")]
pub struct Engine {
    pub commands: mpsc::Receiver<Command>,
    pub events: mpsc::Sender<Event>,
    pub snapshot: watch::Sender<Arc<Snapshot>>,
    pub levels: LevelsCell,
}

/// A handle and what moves behind it.
pub fn engine(snapshot: Snapshot) -> (Handle, Engine) {
    let (commands, command_ends) = mpsc::channel(64);
    let (event_ends, events) = mpsc::channel(64);
    let (snapshots, snapshot) = watch::channel(Arc::new(snapshot));
    let levels = LevelsCell::default();
    let handle = Handle {
        has_stopped: false,
        commands,
        events,
        snapshot,
        levels: levels.clone(),
        programme: LevelsCell::default(),
    };
    (
        handle,
        Engine {
            commands: command_ends,
            events: event_ends,
            snapshot: snapshots,
            levels,
        },
    )
}
