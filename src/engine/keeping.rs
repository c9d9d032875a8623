//! What the engine keeps between runs: favourites, hidden channels, history, the newest sessions.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::engine::event::Level;
use crate::engine::snapshot::{Entry, Kept};
use crate::engine::state::Engine;
use crate::engine::{Link, Target, clock};
use crate::mesh::Input;
use crate::store::keeper::Keeper;
use crate::store::keys;
use crate::store::library::{Change, Favourite, Library, Visit, place};
use crate::units::{ChannelId, Epoch, PeerId};

/// The library of a state folder; an empty one that keeps nothing, and why, when it is of no use.
pub fn open(folder: Option<&Path>) -> (Keeper, Library, Option<String>) {
    match folder.map(Keeper::start) {
        Some(Ok((keeper, library))) => (keeper, library, None),
        Some(Err(error)) => (Keeper::none(), Library::default(), Some(error.to_string())),
        None => (Keeper::none(), Library::default(), None),
    }
}

/// The part of a library that screens show.
pub fn kept(library: &Library, folder: Option<&Path>) -> Kept {
    let mut visits: Vec<&Visit> = library.history.values().collect();
    visits.sort_by_key(|visit| Reverse(visit.last_unix_s));
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for favourite in library.favourites.values() {
        for group in &favourite.groups {
            groups.entry(group.clone()).or_default().push(favourite.link.clone());
        }
    }
    let mine = folder
        .map(|folder| keys::own(&folder.join("channels")))
        .unwrap_or_default();
    Kept {
        recent: visits
            .into_iter()
            .take(RECENT_MAX)
            .map(|visit| Entry {
                link: visit.link.clone(),
                name: visit.name.clone(),
            })
            .collect(),
        mine: mine
            .into_iter()
            .map(|(name, key)| Entry {
                link: format!("inonda:{}", ChannelId(key.to_bytes())),
                name,
            })
            .collect(),
        groups,
    }
}

/// Visits shown.
const RECENT_MAX: usize = 100;

impl Engine {
    /// Makes a change in memory and, a moment later, on disk.
    pub(super) fn keep(&mut self, change: Change) {
        let shown = matches!(
            change,
            Change::Favour(_) | Change::Unfavour { .. } | Change::Reached { .. } | Change::Hide { .. }
        );
        let moves = matches!(change, Change::Favour(_) | Change::Unfavour { .. } | Change::Heard(_));
        self.library.apply(&change);
        if moves {
            self.renew_kept();
        }
        self.keeper.keep(change);
        if let Some(finder) = self.finding.finder.as_ref().filter(|_| shown) {
            finder.set_library(Arc::new(self.library.clone()));
        }
    }

    /// Shows the library as it is now.
    pub(super) fn renew_kept(&mut self) {
        self.kept = Arc::new(kept(&self.library, self.config.state.as_deref()));
    }

    pub(super) fn set_favourite(&mut self, link: String, name: String, on: bool) {
        if !on {
            let place = place(&link).to_owned();
            return self.keep(Change::Unfavour { place });
        }
        if !matches!(link.parse(), Ok(Target::Channel(_) | Target::Station(_))) {
            return self.notice(
                Level::Warn,
                format!("{name} belongs to another program, and could not be played as a favourite"),
                "only channels of inonda and stations are kept",
            );
        }
        let channel = link.parse::<Link>().ok().map(|link| link.channel);
        let peers = channel.map(|id| self.dialled(id)).unwrap_or_default();
        self.keep(Change::Favour(Favourite {
            link,
            name,
            peers,
            added_unix_s: clock::unix_ms() / 1_000,
            ..Favourite::default()
        }));
    }

    pub(super) fn set_hidden(&mut self, link: &str, on: bool) {
        let place = place(link).to_owned();
        self.keep(Change::Hide { place, on });
    }

    /// A session was accepted: older ones are replays from now on, also after a restart.
    pub(super) fn keep_session(&mut self, channel: ChannelId, epoch: Epoch) {
        if self.library.newest_epoch(channel) < epoch {
            let seen_unix_s = clock::unix_ms() / 1_000;
            self.keep(Change::Session {
                channel,
                epoch,
                seen_unix_s,
            });
        }
    }

    /// A channel is heard: it goes to the history.
    pub(super) fn keep_visit(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id).filter(|channel| channel.listener.is_some()) else {
            return;
        };
        let visit = Visit {
            link: channel.place(),
            name: channel.name(),
            last_unix_s: clock::unix_ms() / 1_000,
            times: 1,
        };
        self.keep(Change::Heard(visit));
        self.keep_peers(id);
    }

    /// Remembers whom a person wants nothing to do with.
    pub(super) fn keep_blocked(&mut self, peer: PeerId) {
        if let Some(change) = self.library.blocking(peer) {
            self.keep(change);
        }
    }

    /// Tells a channel's mesh of everybody a person has blocked so far.
    pub(super) fn apply_blocks(&mut self, id: ChannelId) {
        let blocked = self.library.blocked();
        if let Some(channel) = self.channels.get_mut(&id) {
            for peer in blocked {
                channel.mesh.handle_input(Input::Block { peer }, clock::now());
            }
        }
    }

    /// Where a favourite's peers were reached, so that it can be joined with nobody else's help.
    pub(super) fn keep_peers(&mut self, id: ChannelId) {
        let place = id.to_string();
        let peers = self.dialled(id);
        if !peers.is_empty() && self.library.favourites.contains_key(&place) {
            self.keep(Change::Reached { place, peers });
        }
    }

    /// Addresses at which this node itself reached peers of a channel.
    fn dialled(&self, id: ChannelId) -> Vec<SocketAddr> {
        self.connections
            .values()
            .filter(|connection| connection.dialled && connection.users.contains(&id))
            .map(|connection| connection.remote)
            .collect()
    }
}
