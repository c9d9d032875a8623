//! What is looked for by itself: channels that somebody wants, favourites, directories; and what is told to the DHT.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Scout;
use super::ears::Alive;
use crate::discovery::directory::roll::Probe;
use crate::discovery::probe;
use crate::units::ChannelId;

/// How often this node announces in the DHT what it carries; nodes there forget after half an hour or more.
const CARRY_EVERY: Duration = Duration::from_secs(600);
/// How often a channel that is wanted is looked for again in the DHT, and how many times for its first and later wishes.
const SEEK_EVERY: Duration = Duration::from_secs(4);
const SEEKS_FIRST: u8 = 8;
const SEEKS_LATER: u8 = 2;
/// How often favourites that nobody lists are looked for while a person looks, and how many of them.
const FAVOURITES_EVERY: Duration = Duration::from_secs(60);
const FAVOURITES_SOUGHT_MAX: usize = 32;
/// How often directories are looked for, and how soon after the first time, when little of the DHT is known.
const DIRECTORIES_EVERY: Duration = Duration::from_secs(600);
const DIRECTORIES_SOON: Duration = Duration::from_secs(30);

/// What is due, and when.
pub(super) struct Search {
    /// Channels looked for in the DHT: when next, and how often still.
    seeking: BTreeMap<ChannelId, (Instant, u8)>,
    carry_at: Instant,
    carried_port: u16,
    pub(super) favourites_at: Instant,
    directories_at: Instant,
    directories_pause: Duration,
}

impl Search {
    pub(super) fn new(now: Instant) -> Search {
        Search {
            seeking: BTreeMap::new(),
            carry_at: now,
            carried_port: 0,
            favourites_at: now,
            directories_at: now,
            directories_pause: DIRECTORIES_SOON,
        }
    }

    /// Everything is due at once.
    pub(super) fn look_again(&mut self, now: Instant) {
        (self.favourites_at, self.directories_at) = (now, now);
    }

    /// Other channels are carried than before.
    pub(super) fn carry_soon(&mut self, now: Instant) {
        self.carry_at = now;
    }
}

impl Scout {
    /// Looks for peers of a channel in every source.
    pub(super) fn seek(&mut self, channel: ChannelId) {
        let near = self.neighbours.get(&channel).map(|neighbour| neighbour.addrs.clone());
        let mut addrs = near.unwrap_or_default();
        addrs.extend(self.catalogue.addrs(channel));
        self.tell_peers(channel, addrs);
        let mut wish = 0;
        self.wants.send_modify(|wants| {
            wish = wants.wanted.get(&channel).map_or(1, |wish| wish + 1);
            wants.wanted.insert(channel, wish);
        });
        let times = if wish == 1 { SEEKS_FIRST } else { SEEKS_LATER };
        self.search.seeking.insert(channel, (Instant::now(), times));
    }

    /// A channel is wanted no more.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.search.seeking.remove(&channel);
        self.wants
            .send_if_modified(|wants| wants.wanted.remove(&channel).is_some());
    }

    /// Looks for what a person marked and nobody lists: the newest words of each in the DHT, and where it was last reached.
    pub(super) fn seek_favourites(&mut self) {
        let now = Instant::now();
        if now < self.search.favourites_at || !self.wants.borrow().browse {
            return;
        }
        self.search.favourites_at = now + FAVOURITES_EVERY;
        for (channel, peers) in self
            .catalogue
            .silent_favourites()
            .into_iter()
            .take(FAVOURITES_SOUGHT_MAX)
        {
            if let Some(dht) = &self.dht {
                dht.find_newest(channel);
            }
            if peers.is_empty() {
                continue;
            }
            let (endpoint, alive) = (self.endpoint.clone(), self.senders.alive.clone());
            let probe = Probe {
                channel,
                addrs: peers,
                beyond: None,
            };
            self.tasks.spawn(async move {
                let proof = probe::ask(&endpoint, &probe).await;
                let answers = proof.is_some();
                let _ = alive.send(Alive::Favourite { channel, answers }).await;
            });
        }
    }

    /// Tells the DHT what is carried, and asks it for what is wanted.
    pub(super) fn use_dht(&mut self) {
        let now = Instant::now();
        let port = self.outside_port();
        let Some(dht) = &self.dht else { return };
        let search = &mut self.search;
        if now >= search.directories_at {
            search.directories_at = now + search.directories_pause;
            search.directories_pause = DIRECTORIES_EVERY;
            dht.find_directories();
        }
        if (now >= search.carry_at || port != search.carried_port) && !self.carried.is_empty() {
            search.carry_at = now + CARRY_EVERY;
            search.carried_port = port;
            self.carried.iter().for_each(|carried| dht.carry(carried.channel, port));
        }
        let carried = &self.carried;
        search.seeking.retain(|channel, (at, left)| {
            if now >= *at {
                *at = now + SEEK_EVERY;
                *left -= 1;
                dht.find_peers(*channel);
                dht.find_newest(*channel);
            }
            *left > 0 && !carried.iter().any(|carried| carried.channel == *channel)
        });
    }

    /// The port at which others see this node, as far as they agree on it.
    fn outside_port(&self) -> u16 {
        let observed = self.endpoint.observed();
        let voters: usize = observed.iter().map(|(_, votes)| votes).sum();
        let believed = observed.first().filter(|(_, votes)| *votes >= 2 || voters == 1);
        believed.map_or_else(|| self.endpoint.bound().port(), |(addr, _)| addr.port())
    }
}
