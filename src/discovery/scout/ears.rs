//! What comes in from directories, the local network, the DHT and other programs' lists.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::Scout;
use crate::discovery::announcement::Signed;
use crate::discovery::asker::Told;
use crate::discovery::dht::DhtNews;
use crate::discovery::directory::follow::News;
use crate::discovery::directory::roll::Probe;
use crate::discovery::foreign;
use crate::discovery::lan::LanNews;
use crate::discovery::listing::{Listing, Origin};
use crate::discovery::now::unix_s;
use crate::discovery::probe;
use crate::discovery::service::Found;
use crate::units::ChannelId;

/// How often hosts on the local network are asked whether they are still there, while a person looks, and how long an
/// answer may take: one that crashed is gone from the list within 5 s.
const CHECK_EVERY: Duration = Duration::from_millis(1_200);
const CHECK_PATIENCE: Duration = Duration::from_millis(1_000);
/// Answers missing in a row after which one is gone, and channels asked at once.
const MISSING_MAX: u8 = 2;
const CHECKED_MAX: usize = 64;

/// A channel on the local network.
pub(super) struct Neighbour {
    signed: Signed,
    /// Where multicast DNS says that its host is.
    pub(super) addrs: Vec<SocketAddr>,
    /// How many times in a row its host did not answer.
    missing: u8,
}

/// Whether somebody who was asked carries a channel.
pub(super) enum Alive {
    Neighbour { channel: ChannelId, answers: bool },
    Favourite { channel: ChannelId, answers: bool },
}

impl Scout {
    pub(super) fn on_news(&mut self, news: News) {
        let origin = Origin::Directory(news.directory);
        let now = unix_s();
        if let Some(whole) = &news.whole {
            self.catalogue.keep_only(&origin, whole);
        }
        for channel in news.gone {
            self.catalogue.lose(&origin, channel);
        }
        for signed in &news.listed {
            self.catalogue.hear(&origin, signed, now);
        }
        self.answered.insert(origin);
        self.dirty = true;
    }

    pub(super) async fn on_told(&mut self, told: Told) {
        self.dirty = true;
        match told {
            Told::Reached(directory) => {
                self.directories.reached(&directory);
                self.origin(Origin::Directory(directory)).trouble = None;
            }
            Told::Trouble(directory, why, again) => {
                let origin = Origin::Directory(directory.clone());
                self.origin(origin.clone()).trouble = Some((why, again));
                self.answered.insert(origin);
                self.on_unreached(&directory);
            }
            Told::Refused(directory, why) => {
                if self.refused.insert(why) {
                    let message = format!("the directory {directory} does not list this channel: {why}");
                    let hint = "listeners find it in the other ways; the link always works".into();
                    let _ = self.found.send(Found::Trouble { message, hint }).await;
                }
            }
            Told::Knows(directory, signed) => self.hear(Origin::Directory(directory), &signed).await,
        }
    }

    pub(super) async fn on_lan(&mut self, news: LanNews) {
        match news {
            LanNews::Heard(signed, addrs) => {
                let channel = signed.says.channel;
                if self.wants.borrow().wanted.contains_key(&channel) {
                    self.tell_peers(channel, addrs.clone());
                }
                self.hear(Origin::Lan, &signed).await;
                let neighbour = Neighbour {
                    signed: *signed,
                    addrs,
                    missing: 0,
                };
                self.neighbours.insert(channel, neighbour);
            }
            LanNews::Gone(channel) => {
                self.neighbours.remove(&channel);
                self.dirty |= self.catalogue.lose(&Origin::Lan, channel);
            }
        }
    }

    /// Asks the hosts on the local network whether they are still there: one that crashed says no goodbye.
    pub(super) fn check_neighbours(&mut self) {
        let now = Instant::now();
        if now < self.check_at || !self.wants.borrow().browse {
            return;
        }
        self.check_at = now + CHECK_EVERY;
        for neighbour in self.neighbours.values().take(CHECKED_MAX) {
            let says = &neighbour.signed.says;
            let mut addrs = neighbour.addrs.clone();
            addrs.extend(says.addrs());
            let probe = Probe {
                channel: says.channel,
                addrs,
                beyond: None,
            };
            let (endpoint, alive) = (self.endpoint.clone(), self.senders.alive.clone());
            self.tasks.spawn(async move {
                // A crashed host's port answers at once or never.
                let proof = tokio::time::timeout(CHECK_PATIENCE, probe::ask(&endpoint, &probe)).await;
                let (channel, answers) = (probe.channel, matches!(proof, Ok(Some(_))));
                let _ = alive.send(Alive::Neighbour { channel, answers }).await;
            });
        }
    }

    pub(super) fn on_alive(&mut self, alive: &Alive) {
        match *alive {
            Alive::Neighbour { channel, answers } => self.on_neighbour(channel, answers),
            Alive::Favourite { channel, answers } => self.dirty |= self.catalogue.answers(channel, answers, unix_s()),
        }
    }

    fn on_neighbour(&mut self, channel: ChannelId, answers: bool) {
        let own = self.carried.iter().any(|carried| carried.channel == channel);
        let Some(neighbour) = self.neighbours.get_mut(&channel).filter(|_| !own) else {
            return;
        };
        if answers {
            if neighbour.missing >= MISSING_MAX {
                self.dirty |= self.catalogue.hear(&Origin::Lan, &neighbour.signed, unix_s());
            }
            neighbour.missing = 0;
            return;
        }
        neighbour.missing = neighbour.missing.saturating_add(1);
        if neighbour.missing == MISSING_MAX {
            self.dirty |= self.catalogue.lose(&Origin::Lan, channel);
        }
    }

    pub(super) async fn on_dht(&mut self, news: DhtNews) {
        match news {
            DhtNews::Peers(channel, addrs) => {
                let wanted = self.wants.borrow().wanted.contains_key(&channel);
                if wanted {
                    self.tell_peers(channel, addrs);
                }
            }
            DhtNews::Newest(signed) => self.hear(Origin::Dht, &signed).await,
            DhtNews::Directories(addrs) => {
                for addr in addrs {
                    self.open_stranger(addr);
                }
            }
            DhtNews::Joined(dht) => {
                for said in self.said.values() {
                    drop(said.publish(&dht));
                }
                self.dht = Some(dht);
                self.search.look_again(Instant::now());
            }
        }
    }

    pub(super) async fn hear(&mut self, origin: Origin, signed: &Signed) {
        let channel = signed.says.channel;
        self.dirty |= self.catalogue.hear(&origin, signed, unix_s());
        let wanted = self.wants.borrow().wanted.contains_key(&channel);
        if wanted && signed.says.on_air {
            self.tell_peers(channel, signed.says.addrs());
        }
    }

    pub(super) fn on_foreign(&mut self, list: String, read: Result<Vec<Listing>, String>) {
        let origin = Origin::Directory(list);
        match read {
            Ok(listings) => {
                self.origin(origin.clone()).trouble = None;
                self.catalogue.set_foreign(origin.clone(), listings, unix_s());
            }
            Err(why) => self.origin(origin.clone()).trouble = Some((why, foreign::AGAIN)),
        }
        self.answered.insert(origin);
        self.dirty = true;
    }

    pub(super) fn tell_peers(&self, channel: ChannelId, addrs: Vec<SocketAddr>) {
        if !addrs.is_empty() && self.found.try_send(Found::Peers { channel, addrs }).is_err() {
            tracing::debug!("the engine does not keep up with what is found");
        }
    }
}
