//! What the engine is doing, as one value that screens draw from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::listing::{Listing, OriginState};
use crate::mesh::session::Codec;
use crate::mesh::stats::Neighbour;
use crate::units::{ChannelId, PeerId};

/// The whole of a node at one moment. Published on a watch channel a few times a second and whenever something changed;
/// levels, which move faster, are in [`Levels`].
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub peer: Option<PeerId>,
    pub addrs: Vec<SocketAddr>,
    /// What this node may pass on at this moment, over all channels; above [`UNLIMITED_BPS`] there is no limit.
    pub upload_limit_bps: u64,
    pub channels: Vec<ChannelView>,
    pub player: Option<PlayerView>,
    pub host: Option<HostView>,
    /// Every channel known from any source, sorted by nothing in particular; shared, since it can be long.
    pub listings: Arc<Vec<Listing>>,
    pub origins: Vec<OriginState>,
    /// What the person keeps.
    pub kept: Arc<Kept>,
}

/// What a person keeps about channels, beside the marks in the listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Heard, the newest first.
    pub recent: Vec<Entry>,
    /// Channels whose key is here.
    pub mine: Vec<Entry>,
    /// Groups of favourites: a name, and links.
    pub groups: BTreeMap<String, Vec<String>>,
}

/// A channel by its link and the name it was last known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub link: String,
    pub name: String,
}

impl Snapshot {
    /// True when nothing goes on in either picture, no channel, no sound, no show, and the rest is the same: times and
    /// counters of a channel always move.
    pub fn is_as_still_as(&self, other: &Snapshot) -> bool {
        let idle =
            |picture: &Snapshot| picture.channels.is_empty() && picture.player.is_none() && picture.host.is_none();
        idle(self)
            && idle(other)
            && Arc::ptr_eq(&self.listings, &other.listings)
            && (self.peer, self.upload_limit_bps) == (other.peer, other.upload_limit_bps)
            && self.addrs == other.addrs
            && self.origins == other.origins
            && self.kept == other.kept
    }
}

/// From here on an upload limit means that there is none.
pub const UNLIMITED_BPS: u64 = u64::MAX / 4;

/// One channel this node takes part in.
#[derive(Clone, Debug)]
pub struct ChannelView {
    pub channel: ChannelId,
    pub name: String,
    pub genre: String,
    pub description: String,
    pub title: String,
    pub link: String,
    pub role: Role,
    pub codec: Codec,
    pub bitrate_bps: u32,
    /// Time on this channel.
    pub since: Duration,
    pub continuity: f64,
    pub chunks_due: u64,
    pub chunks_missed: u64,
    pub repaired: u64,
    pub duplicates: u64,
    pub lag: Duration,
    pub hops: u8,
    pub parents: Vec<Option<PeerId>>,
    pub children: usize,
    pub slots: usize,
    pub neighbours: Vec<Neighbour>,
    pub listeners: Option<u64>,
    pub downstream: u64,
    pub channel_continuity_mean: Option<f64>,
    pub channel_continuity_worst: Option<f64>,
    pub download_bps: u64,
    pub upload_bps: u64,
    pub uploaded_bytes: u64,
    pub downloaded_bytes: u64,
    pub payload_bytes: u64,
    /// Present while this channel is played.
    pub player: Option<PlayerView>,
}

/// This node's part in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Host,
    Listener,
    Relay,
}

/// The sound path of the channel that is heard.
#[derive(Clone, Debug, Default)]
pub struct PlayerView {
    pub state: PlayerState,
    /// Sound held between the mesh and the output.
    pub buffer: Duration,
    /// Wanted source-to-ear delay, and the measured one.
    pub wanted_delay: Duration,
    pub delay: Duration,
    pub played: Duration,
    /// Concealed or empty output.
    pub silence: Duration,
    pub underruns: u64,
    /// Host clock against ours, in parts per million, as the drift correction sees it.
    pub drift_ppm: f32,
    pub output: String,
    pub volume: u8,
    pub muted: bool,
    pub paused: bool,
    pub recording: Option<RecordingView>,
}

/// A recording that is going on, or was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingView {
    /// The file, or the folder when it is one file a title.
    pub place: String,
    pub bytes: u64,
    /// Files begun.
    pub pieces: u32,
}

/// What the player is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlayerState {
    #[default]
    Joining,
    Playing,
    /// Playing slightly slower because the buffer is short.
    BufferLow,
    /// Nothing to play; looking for parents.
    Reconnecting,
    OffAir,
    NoOutput,
}

/// Our own show.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    pub channel: Option<ChannelId>,
    pub name: String,
    pub link: String,
    pub title: String,
    pub on_air: Duration,
    /// What comes next in the playlist, if anything is known of it.
    pub next: Vec<String>,
    pub track_position: Duration,
    pub track_length: Option<Duration>,
    /// Neighbours that confirmed a chunk in the last second: proof of delivery.
    pub confirming_peers: usize,
    pub listeners: Option<u64>,
    /// No sound above -60 dB for this long.
    pub silent_for: Duration,
    pub capture_overruns: u64,
}

/// Levels of what is really heard.
pub use crate::audio::level::{Detail, Levels};
