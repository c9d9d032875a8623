//! The engine's state, its deadlines, what its meshes ask for and what it tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;

use crate::engine::channel::{Channel, tag_of};
use crate::engine::connection::Connection;
use crate::engine::event::Level;
use crate::engine::finding::Finding;
use crate::engine::handle::Gauges;
use crate::engine::node::NodeConfig;
use crate::engine::report::Report;
use crate::engine::snapshot::{Detail, HostView, Kept, Role, Snapshot};
use crate::engine::{Event, clock, keeping};
use crate::limits::ADDRS_MAX;
use crate::mesh::record::prefix;
use crate::mesh::{self, Delivery, Input, Message, Output};
use crate::net::Endpoint;
use crate::store::keeper::Keeper;
use crate::store::library::Library;
use crate::units::{ChannelId, PeerId, Time};

/// How long a first join may take before the channel counts as not reachable.
const REACH_MAX: Duration = Duration::from_secs(15);
/// How long the sound threads of a channel that was left may take to close their files.
const CLOSE_MAX: Duration = Duration::from_secs(3);
/// How long a connection that no channel uses is kept: strangers have not said what they want, farewells are under way.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// What to do when a channel was not reached, and when it was another version that answered.
const UNREACHED_HINT: &str = "ask the host for a fresh link, or name somebody who listens with --peer HOST:PORT";
pub(super) const OTHER_VERSION_HINT: &str =
    "update inonda here, or ask the host to: the two do not understand each other";

/// Everything a node owns.
pub struct Engine {
    pub(super) config: NodeConfig,
    pub(super) endpoint: Endpoint,
    events: mpsc::Sender<Event>,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) gauges: Gauges,
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    pub(super) connections: BTreeMap<PeerId, Connection>,
    pub(super) finding: Finding,
    pub(super) library: Library,
    pub(super) keeper: Keeper,
    /// The library as screens see it; made anew when something they show changes.
    pub(super) kept: Arc<Kept>,
    pub(super) sound: Sound,
    pub(super) host: HostView,
    /// Bytes to send are built here, so that a chunk costs one allocation.
    scratch: Vec<u8>,
    pub(super) leaving: bool,
    ready_said: bool,
}

/// What people set for the sound of whatever is played.
#[derive(Clone, Copy, Debug)]
pub struct Sound {
    pub volume: u8,
    pub muted: bool,
    pub paused: bool,
    pub detail: Detail,
}

impl Engine {
    /// A node with a bound endpoint and no channel.
    pub fn new(
        config: NodeConfig,
        endpoint: Endpoint,
        events: mpsc::Sender<Event>,
        reports: mpsc::Sender<Report>,
        gauges: Gauges,
    ) -> Engine {
        let (keeper, library, trouble) = keeping::open(config.state.as_deref());
        let kept = Arc::new(keeping::kept(&library, config.state.as_deref()));
        let mut engine = Engine {
            kept,
            finding: Finding::default(),
            library,
            keeper,
            config,
            endpoint,
            events,
            reports,
            gauges,
            channels: BTreeMap::new(),
            connections: BTreeMap::new(),
            sound: Sound {
                volume: 100,
                muted: false,
                paused: false,
                detail: Detail::Levels,
            },
            host: HostView::default(),
            scratch: Vec::with_capacity(2_048),
            leaving: false,
            ready_said: false,
        };
        engine.say_ready();
        if let Some(trouble) = trouble {
            engine.notice(
                Level::Warn,
                trouble,
                "favourites, history and sessions are not kept this time",
            );
        }
        engine
    }

    fn say_ready(&mut self) {
        if !self.ready_said {
            self.ready_said = true;
            self.tell(Event::Ready {
                peer: self.endpoint.peer(),
                addrs: self.endpoint.local_addrs(),
            });
        }
    }

    /// Whether the person asked to stop and every channel has been left, its files closed.
    pub fn finished(&self) -> bool {
        self.leaving && self.channels.is_empty()
    }

    /// The earliest deadline of any channel.
    pub fn next_timeout(&self) -> Option<Time> {
        self.channels
            .values()
            .filter_map(|channel| channel.mesh.poll_timeout())
            .map(|(time, _)| time)
            .min()
    }

    /// Runs the deadlines that have passed.
    pub fn on_timeout(&mut self) {
        let now = clock::now();
        for channel in self.channels.values_mut() {
            if channel.mesh.poll_timeout().is_some_and(|(time, _)| time <= now) {
                channel.mesh.handle_timeout(now);
            }
        }
    }

    /// Tells every mesh where this node can be dialled, for its own record.
    pub(super) fn tell_own_addrs(&mut self) {
        let addrs = self.dialable_addrs();
        for channel in self.channels.values_mut() {
            channel
                .mesh
                .handle_input(Input::OwnAddrs { addrs: addrs.clone() }, clock::now());
        }
    }

    /// Where others may dial this node: its own addresses, and what at least two peers, or the only one, see it at.
    pub(super) fn dialable_addrs(&self) -> Vec<SocketAddr> {
        let observed = self.endpoint.observed();
        let voters: usize = observed.iter().map(|(_, votes)| votes).sum();
        let believed = observed
            .into_iter()
            .filter(|(_, votes)| *votes >= 2 || voters == 1)
            .map(|(addr, _)| addr);
        best_first(believed.chain(self.endpoint.local_addrs()))
    }

    /// Does everything the meshes ask for.
    pub fn drain(&mut self) {
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            while let Some(output) = self
                .channels
                .get_mut(&id)
                .and_then(|channel| channel.mesh.poll_output())
            {
                match output {
                    Output::Send { to, message, delivery } => self.send(id, to, &message, delivery),
                    Output::Dial { peer, addrs } => self.dial(id, peer, addrs),
                    Output::Disconnect { peer, reason } => self.let_go(id, peer, reason),
                    Output::Event(event) => self.on_mesh(id, event),
                }
            }
        }
    }

    fn send(&mut self, id: ChannelId, to: PeerId, message: &Message, delivery: Delivery) {
        self.scratch.clear();
        message.encode(&mut self.scratch);
        let mut bytes = BytesMut::with_capacity(self.scratch.len());
        bytes.extend_from_slice(&self.scratch);
        if let Err(error) = self.endpoint.send(to, tag_of(id), bytes.freeze(), delivery) {
            tracing::debug!(peer = %to.short(), %error, "a message was not sent");
        }
    }

    /// Once a second: rates, statistics for people, and channels that nobody answers for.
    pub fn on_second(&mut self) {
        let now = clock::now();
        let mut views = Vec::new();
        let (mut lost, mut stuck) = (Vec::new(), Vec::new());
        for channel in self.channels.values_mut() {
            let stats = channel.mesh.stats(now);
            channel.tick(&stats);
            if channel.left.is_some_and(|left| now.since(left) > CLOSE_MAX) {
                stuck.push(channel.id);
            }
            if channel.role != Role::Host
                && channel.left.is_none()
                && channel.unreached()
                && channel.waited(now) > REACH_MAX
            {
                lost.push(channel.id);
            }
            if channel.joined.is_some() || channel.role == Role::Host {
                views.push(channel.view(now));
            }
        }
        for view in views {
            self.tell(Event::Stats(Box::new(view)));
        }
        for id in lost {
            self.give_up(id, "nobody who carries it answered");
        }
        stuck.into_iter().for_each(|id| self.finish_by_force(id));
        self.on_second_of_finding();
        let idle = |c: &Connection| c.users.is_empty() && now.since(c.idle_since) > IDLE_MAX;
        let idle: Vec<PeerId> = self
            .connections
            .iter()
            .filter(|(_, c)| idle(c))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in idle {
            self.endpoint.disconnect(peer, None);
            self.connections.remove(&peer);
        }
    }

    /// Removes a channel; connections that nobody uses any more end a little later, after the farewells.
    pub(super) fn forget(&mut self, id: ChannelId) {
        self.channels.remove(&id);
        if let Some(finder) = &self.finding.finder {
            finder.forget(id);
        }
        for connection in self.connections.values_mut() {
            if connection.users.remove(&id) {
                connection.idle_since = clock::now();
            }
        }
    }

    /// Ends a channel that could not be reached.
    pub(super) fn give_up(&mut self, id: ChannelId, what: &str) {
        let channel = self.channels.get(&id);
        let name = channel.map(Channel::name).unwrap_or_default();
        let (what, hint) = if channel.is_some_and(|channel| channel.other_version) {
            ("who carries it has another version of inonda", OTHER_VERSION_HINT)
        } else {
            (what, UNREACHED_HINT)
        };
        self.tell(Event::Failed {
            code: 3,
            message: format!("{name} was not reached: {what}"),
            hint: hint.into(),
        });
        self.leave(id);
    }

    /// The picture for screens.
    pub fn snapshot(&self) -> Snapshot {
        let now = clock::now();
        let player = self.channels.values().find_map(|channel| channel.player.clone());
        let hosting = self.channels.values().find(|channel| channel.part() == Role::Host);
        Snapshot {
            peer: Some(self.endpoint.peer()),
            addrs: self.endpoint.local_addrs(),
            upload_limit_bps: self.upload_limit_bps(),
            channels: self.channels.values().map(|channel| channel.view(now)).collect(),
            player,
            host: hosting.map(|channel| self.host_view(channel, now)),
            listings: Arc::clone(&self.finding.listings),
            origins: self.finding.origins.clone(),
            kept: Arc::clone(&self.kept),
        }
    }

    /// What this node may really pass on: as the person said, else what its meshes allow themselves.
    fn upload_limit_bps(&self) -> u64 {
        let own = self.channels.values().map(|channel| channel.mesh.upload_limit_bps());
        match self.config.upload_bps {
            Some(said) => said,
            None if self.channels.is_empty() => mesh::config::UPLOAD_DEFAULT_BPS,
            None => own.fold(0, u64::saturating_add),
        }
    }

    fn host_view(&self, channel: &Channel, now: Time) -> HostView {
        let stats = channel.mesh.stats(now);
        HostView {
            channel: Some(channel.id),
            name: channel.name(),
            link: channel.link.to_string(),
            title: channel.title.clone(),
            on_air: now.since(channel.requested),
            confirming_peers: stats.confirming_peers,
            listeners: stats.listeners,
            ..self.host.clone()
        }
    }

    /// Passes an event on; a reader that has fallen a thousand events behind loses it.
    pub(super) fn tell(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            tracing::debug!("nobody reads events");
        }
    }

    /// A line for people.
    pub(super) fn notice(&self, level: Level, message: impl Into<String>, hint: impl Into<String>) {
        self.tell(Event::Notice {
            level,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Sends the farewells that wait, closes the socket and says that all is done.
    pub async fn say_goodbye(&mut self, at_most: Duration) {
        if let Some(mut finder) = self.finding.finder.take() {
            finder.close(at_most).await;
        }
        self.endpoint.close(at_most).await;
        // The last words must arrive even when the reader is slow: it may be writing to a pipe.
        let _ = tokio::time::timeout(CLOSE_MAX, self.events.send(Event::Stopped)).await;
    }
}

/// Addresses for others, once each, as many as a link holds: those that the world can reach first, and a private one for
/// listeners behind the same router.
fn best_first(addrs: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut best: Vec<SocketAddr> = Vec::new();
    for addr in addrs {
        if !best.contains(&addr) {
            best.push(addr);
        }
    }
    best.sort_by_key(|addr| prefix(addr.ip()).is_none());
    let private = best.iter().find(|addr| prefix(addr.ip()).is_none()).copied();
    best.truncate(ADDRS_MAX);
    if let (Some(private), Some(last)) = (private, best.last_mut())
        && prefix(last.ip()).is_some()
    {
        *last = private;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_seen_from_outside_is_never_cut_off() {
        let addrs = |list: &[&str]| -> Vec<SocketAddr> { list.iter().map(|addr| addr.parse().unwrap()).collect() };
        let home = [
            "198.51.100.7:9",
            "10.0.0.1:7",
            "10.0.0.2:7",
            "10.0.0.3:7",
            "10.0.0.4:7",
            "10.0.0.1:7",
        ];
        assert_eq!(
            best_first(addrs(&home).into_iter()),
            addrs(&["198.51.100.7:9", "10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7"])
        );
        let server = [
            "10.0.0.1:7",
            "[2001:db8::1]:7",
            "[2001:db8::2]:7",
            "[2001:db8::3]:7",
            "[2001:db8::4]:7",
        ];
        assert_eq!(
            best_first(addrs(&server).into_iter()),
            addrs(&["[2001:db8::1]:7", "[2001:db8::2]:7", "[2001:db8::3]:7", "10.0.0.1:7"])
        );
    }
}
