//! Connections to peers, which channels share, and what the network brings over them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::channel::{Channel, tag_of};
use crate::engine::clock;
use crate::engine::event::Level;
use crate::engine::state::{Engine, OTHER_VERSION_HINT};
use crate::mesh::wire::WireError;
use crate::mesh::{CloseReason, Input, Message};
use crate::net::{DialError, NetEvent, Tag};
use crate::units::{ChannelId, PeerId, Time};

/// How long a peer that broke the protocol is neither dialled nor accepted.
const BAN: Duration = Duration::from_secs(600);

/// A connection as the engine sees it; channels share it.
pub(super) struct Connection {
    pub(super) remote: SocketAddr,
    /// Whether this node opened it, so that `remote` can be dialled again.
    pub(super) dialled: bool,
    pub(super) users: BTreeSet<ChannelId>,
    /// When the last channel let go of it, or when it came.
    pub(super) idle_since: Time,
}

impl Engine {
    /// Takes in what the network brought.
    pub fn on_net(&mut self, event: NetEvent) {
        match event {
            NetEvent::Connected { peer, remote, dialled } => self.on_connected(peer, remote, dialled),
            NetEvent::Message { peer, tag, bytes } => self.on_message(peer, tag, &bytes),
            NetEvent::Disconnected { peer, reason } => {
                tracing::debug!(peer = %peer.short(), %reason, "connection ended");
                self.on_disconnected(peer);
            }
            NetEvent::AlreadyConnected { peer, addrs } => self.on_already_connected(peer, &addrs),
            NetEvent::DialFailed { peer, addrs, why } => self.on_dial_failed(peer, &addrs, &why),
            NetEvent::Observed { peer, addr } => self.on_observed(peer, addr),
        }
    }

    fn on_connected(&mut self, peer: PeerId, remote: SocketAddr, dialled: bool) {
        self.connections.insert(
            peer,
            Connection {
                remote,
                dialled,
                users: BTreeSet::new(),
                idle_since: clock::now(),
            },
        );
        if !dialled {
            // A stranger's channel is known by the tag of its first message.
            return;
        }
        let wanted: Vec<ChannelId> = self
            .channels
            .values()
            .filter(|c| c.wants(peer, remote))
            .map(|c| c.id)
            .collect();
        for id in wanted {
            self.introduce(id, peer, true);
        }
        // The dial may have been answered at another address of the same peer than the one first asked for.
        let unclaimed = self
            .connections
            .get(&peer)
            .is_some_and(|connection| connection.users.is_empty());
        if unclaimed {
            let ids: Vec<ChannelId> = self
                .channels
                .values()
                .filter(|c| !c.dials.is_empty())
                .map(|c| c.id)
                .collect();
            for id in ids {
                self.introduce(id, peer, true);
            }
        }
    }

    /// Tells a channel's mesh that it may talk with this peer.
    fn introduce(&mut self, id: ChannelId, peer: PeerId, dialled: bool) {
        let (Some(connection), Some(channel)) = (self.connections.get_mut(&peer), self.channels.get_mut(&id)) else {
            return;
        };
        channel
            .dials
            .retain(|addr, expected| *addr != connection.remote && *expected != Some(peer));
        if connection.users.insert(id) {
            channel.users.insert(peer);
            let rtt = self.endpoint.path(peer).map(|path| path.rtt);
            channel.mesh.handle_input(
                Input::Connected {
                    peer,
                    remote: connection.remote,
                    dialled,
                    rtt,
                },
                clock::now(),
            );
        }
    }

    fn on_message(&mut self, from: PeerId, tag: Tag, bytes: &Bytes) {
        let Some(id) = self
            .channels
            .values()
            .find(|channel| tag_of(channel.id) == tag)
            .map(|channel| channel.id)
        else {
            if self
                .connections
                .get(&from)
                .is_some_and(|connection| connection.users.is_empty())
            {
                tracing::debug!(peer = %from.short(), "a peer asked for a channel that is not carried here");
                self.endpoint.disconnect(from, None);
            }
            return;
        };
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error @ WireError::Kind(_)) => {
                tracing::trace!(peer = %from.short(), %error, "passed over");
                return;
            }
            Err(error) => {
                tracing::debug!(peer = %from.short(), %error, "a peer sent what is no message");
                self.endpoint.disconnect(from, Some(BAN));
                self.on_disconnected(from);
                return;
            }
        };
        if self
            .connections
            .get(&from)
            .is_some_and(|connection| !connection.users.contains(&id))
        {
            self.introduce(id, from, false);
        }
        if let Some(channel) = self.channels.get_mut(&id) {
            channel
                .mesh
                .handle_input(Input::Received { from, message }, clock::now());
        }
    }

    fn on_disconnected(&mut self, peer: PeerId) {
        let Some(connection) = self.connections.remove(&peer) else {
            return;
        };
        for id in connection.users {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.users.remove(&peer);
                channel.mesh.handle_input(Input::Disconnected { peer }, clock::now());
            }
        }
    }

    fn on_dial_failed(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr], why: &DialError) {
        tracing::debug!(%why, "a dial came to nothing");
        let mut told = None;
        for channel in self.channels.values_mut() {
            let before = channel.dials.len();
            channel
                .dials
                .retain(|addr, expected| !(addrs.contains(addr) && (peer.is_none() || *expected == peer)));
            if channel.dials.len() != before {
                // Only whoever is left without the channel must do something about it.
                if *why == DialError::OtherVersion && channel.unreached() && !channel.other_version {
                    channel.other_version = true;
                    told = addrs.first();
                }
                channel.mesh.handle_input(
                    Input::DialFailed {
                        peer,
                        addrs: addrs.to_vec(),
                    },
                    clock::now(),
                );
            }
        }
        if let Some(addr) = told {
            self.notice(
                Level::Warn,
                format!("another version of inonda answers at {addr}"),
                OTHER_VERSION_HINT,
            );
        }
    }

    fn on_already_connected(&mut self, peer: PeerId, addrs: &[SocketAddr]) {
        let asked = |channel: &&Channel| addrs.iter().any(|addr| channel.wants(peer, *addr));
        let ids: Vec<ChannelId> = self.channels.values().filter(asked).map(|channel| channel.id).collect();
        for id in ids {
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.dials.retain(|addr, _| !addrs.contains(addr));
            }
            self.introduce(id, peer, true);
        }
    }

    fn on_observed(&mut self, peer: PeerId, addr: SocketAddr) {
        tracing::debug!(peer = %peer.short(), %addr, "a peer sees this node from outside");
        self.tell_own_addrs();
        self.renew_links();
    }

    /// Dials for a channel, unless the peer is connected already.
    pub(super) fn dial(&mut self, id: ChannelId, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
        let connected = match peer {
            Some(peer) => self.connections.contains_key(&peer).then_some(peer),
            None => self
                .connections
                .iter()
                .find(|(_, c)| addrs.contains(&c.remote))
                .map(|(peer, _)| *peer),
        };
        if let Some(peer) = connected {
            return self.introduce(id, peer, true);
        }
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.dials.extend(addrs.iter().map(|addr| (*addr, peer)));
        }
        self.endpoint.dial(peer, addrs);
    }

    /// A channel needs a connection no more, or wants nobody to have it.
    pub(super) fn let_go(&mut self, id: ChannelId, peer: PeerId, reason: CloseReason) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.users.remove(&peer);
        }
        let Some(connection) = self.connections.get_mut(&peer) else {
            return;
        };
        connection.users.remove(&id);
        match reason {
            CloseReason::Banned => {
                self.endpoint.disconnect(peer, Some(BAN));
                self.on_disconnected(peer);
            }
            CloseReason::Done => connection.idle_since = clock::now(),
        }
    }
}
