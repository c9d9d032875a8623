//! One channel this node takes part in: its mesh, its sound threads and what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use crate::engine::broadcast::Broadcast;
use crate::engine::command::Listen;
use crate::engine::listen::Listener;
use crate::engine::search::Search;
use crate::engine::snapshot::{ChannelView, PlayerView, Role};
use crate::engine::{Link, clock};
use crate::mesh::{Mesh, Session, Stats};
use crate::net::Tag;
use crate::units::{ChannelId, Codec, PeerId, Time};

/// The tag of a channel: the first bytes of its key. Two channels of one node that share a tag cannot both be joined.
pub fn tag_of(channel: ChannelId) -> Tag {
    [channel.0[0], channel.0[1], channel.0[2], channel.0[3]]
}

/// A channel and everything of this node that belongs to it.
pub struct Channel {
    pub id: ChannelId,
    pub link: Link,
    pub role: Role,
    pub mesh: Mesh,
    pub session: Option<Arc<Session>>,
    pub title: String,
    /// Peers with which this channel's mesh talks.
    pub users: BTreeSet<PeerId>,
    /// Dials asked for and not yet answered, by address; the peer is what the mesh expects there.
    pub dials: BTreeMap<SocketAddr, Option<PeerId>>,
    /// Whether somebody who was asked for it speaks another version.
    pub other_version: bool,
    /// Names in the link still being looked up, or addresses never reached.
    pub resolving: usize,
    pub requested: Time,
    /// When the first chunk (relay) or first sound (listener) came.
    pub joined: Option<Time>,
    pub listener: Option<Listener>,
    pub player: Option<PlayerView>,
    pub broadcast: Option<Broadcast>,
    /// Our own show is on air and may be announced.
    pub show: Option<Voice>,
    /// The station that is listened to through this channel of our own.
    pub station: Option<Station>,
    /// When peers are looked for beyond the link.
    pub search: Search,
    /// Whether the first chunk or sound of our own show is there.
    pub ready: bool,
    /// What was last said of its end: `true` when the host ended it; `None` while it sounds.
    pub off_air: Option<bool>,
    /// When it was left; its sound threads may still be closing files.
    pub left: Option<Time>,
    /// What to play once it has been left.
    pub again: Option<Listen>,
    rates: Rates,
}

/// What is said of our own show beside what its session says, and the key that signs it.
pub struct Voice {
    pub key: SigningKey,
    pub language: String,
    pub contact: String,
}

/// A station that is listened to.
pub struct Station {
    pub url: String,
    /// The key of the channel through which it is passed on.
    pub key: SigningKey,
}

/// Bytes at the last full second, for rates.
#[derive(Default)]
struct Rates {
    sent: u64,
    received: u64,
    upload_bps: u64,
    download_bps: u64,
}

impl Channel {
    /// A channel that has done nothing yet.
    pub fn new(id: ChannelId, link: Link, role: Role, mesh: Mesh) -> Channel {
        Channel {
            id,
            link,
            role,
            mesh,
            session: None,
            title: String::new(),
            users: BTreeSet::new(),
            dials: BTreeMap::new(),
            other_version: false,
            resolving: 0,
            requested: clock::now(),
            joined: None,
            listener: None,
            player: None,
            broadcast: None,
            show: None,
            station: None,
            search: Search::default(),
            ready: false,
            off_air: None,
            left: None,
            again: None,
            rates: Rates::default(),
        }
    }

    /// The name people know the channel by.
    pub fn name(&self) -> String {
        match &self.session {
            Some(session) if !session.name.is_empty() => session.name.clone(),
            _ => self.link.name.clone().unwrap_or_else(|| self.id.short()),
        }
    }

    /// Whether nobody is to hear of it: only whoever has the link.
    pub fn is_private(&self) -> bool {
        self.link.private || self.session.as_ref().is_some_and(|session| session.private)
    }

    /// What a person joins it by again: the link, or the address of the station.
    pub fn place(&self) -> String {
        match &self.station {
            Some(station) => station.url.clone(),
            None => self.link.to_string(),
        }
    }

    /// This node's part as people see it: a station is listened to until it is told to others.
    pub fn part(&self) -> Role {
        match (&self.station, &self.show) {
            (Some(_), None) => Role::Listener,
            (Some(_) | None, _) => self.role,
        }
    }

    /// Whether this channel's mesh asked to be connected with this peer or address.
    pub fn wants(&self, peer: PeerId, remote: SocketAddr) -> bool {
        self.dials
            .iter()
            .any(|(addr, expected)| *addr == remote || *expected == Some(peer))
    }

    /// Whether nobody has ever been reached and nothing is under way that could change it by itself soon.
    pub fn unreached(&self) -> bool {
        self.session.is_none() && self.users.is_empty()
    }

    /// Whether the sound can come from nobody at this moment, as far as this node knows.
    pub fn is_alone(&self) -> bool {
        self.role != Role::Host && (self.users.is_empty() || self.off_air == Some(false))
    }

    /// Once a second: turns byte counters into rates.
    pub fn tick(&mut self, stats: &Stats) {
        let rates = &mut self.rates;
        rates.upload_bps = (stats.sent_bytes.saturating_sub(rates.sent)) * 8;
        rates.download_bps = (stats.received_bytes.saturating_sub(rates.received)) * 8;
        rates.sent = stats.sent_bytes;
        rates.received = stats.received_bytes;
    }

    /// The channel as people see it.
    pub fn view(&self, now: Time) -> ChannelView {
        let stats = self.mesh.stats(now);
        let due = stats.chunks_due.max(1);
        ChannelView {
            channel: self.id,
            name: self.name(),
            genre: self.session.as_ref().map(|s| s.genre.clone()).unwrap_or_default(),
            description: self.session.as_ref().map(|s| s.description.clone()).unwrap_or_default(),
            title: self.title.clone(),
            link: self.place(),
            role: self.part(),
            codec: self.session.as_ref().map_or(Codec::Opus, |s| s.codec),
            bitrate_bps: self.session.as_ref().map_or(0, |s| s.bitrate_bps),
            since: now.since(self.requested),
            continuity: 1.0 - stats.chunks_missed.min(due) as f64 / due as f64,
            chunks_due: stats.chunks_due,
            chunks_missed: stats.chunks_missed,
            repaired: stats.repaired,
            duplicates: stats.duplicates,
            lag: stats.lag,
            hops: stats.hops,
            parents: stats.parents,
            children: stats.children,
            slots: stats.slots,
            neighbours: stats.neighbours,
            listeners: stats.listeners,
            downstream: stats.downstream,
            channel_continuity_mean: stats.continuity_mean,
            channel_continuity_worst: stats.continuity_worst,
            download_bps: self.rates.download_bps,
            upload_bps: self.rates.upload_bps,
            uploaded_bytes: stats.sent_bytes,
            downloaded_bytes: stats.received_bytes,
            payload_bytes: stats.payload_received_bytes,
            player: self.player.clone(),
        }
    }

    /// How long a person has waited for the channel.
    pub fn waited(&self, now: Time) -> Duration {
        now.since(self.requested)
    }
}
