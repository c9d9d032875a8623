//! What comes in from directories, the local network, the DHT and other programs' lists.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::{CARRY_EVERY, CHECK_EVERY, CHECKED_MAX, MISSING_MAX, SEEK_EVERY, Scout};
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

impl Scout {
    pub(super) fn on_news(&mut self, news: News) {
        let origin = Origin::Directory(news.directory);
        let now = unix_s();
        if news.whole {
            let listed = news.listed.iter().map(|signed| signed.says.channel).collect();
            self.catalogue.keep_only(&origin, &listed);
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
            Told::Reached(directory) => self.origin(Origin::Directory(directory)).trouble = None,
            Told::Trouble(directory, why, again) => {
                let origin = Origin::Directory(directory);
                self.origin(origin.clone()).trouble = Some((why, again));
                self.answered.insert(origin);
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
            LanNews::Heard(signed) => {
                self.neighbours.insert(signed.says.channel, ((*signed).clone(), 0));
                self.hear(Origin::Lan, &signed).await;
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
        for (signed, _) in self.neighbours.values().take(CHECKED_MAX) {
            let probe = Probe {
                channel: signed.says.channel,
                addrs: signed.says.addrs(),
                beyond: None,
            };
            let (endpoint, alive) = (self.endpoint.clone(), self.senders.alive.clone());
            self.tasks.spawn(async move {
                // A crashed host's port answers at once or never.
                let proof = tokio::time::timeout(CHECK_EVERY, probe::ask(&endpoint, &probe)).await;
                let _ = alive.send((probe.channel, matches!(proof, Ok(Some(_))))).await;
            });
        }
    }

    pub(super) fn on_alive(&mut self, channel: ChannelId, alive: bool) {
        let own = self.carried.iter().any(|carried| carried.channel == channel);
        let Some((signed, missing)) = self.neighbours.get_mut(&channel).filter(|_| !own) else {
            return;
        };
        if alive {
            if *missing >= MISSING_MAX {
                self.dirty |= self.catalogue.hear(&Origin::Lan, signed, unix_s());
            }
            *missing = 0;
            return;
        }
        *missing = missing.saturating_add(1);
        if *missing == MISSING_MAX {
            self.dirty |= self.catalogue.lose(&Origin::Lan, channel);
        }
    }

    pub(super) async fn on_dht(&mut self, news: DhtNews) {
        match news {
            DhtNews::Peers(channel, addrs) => {
                let wanted = self.wants.borrow().wanted.contains(&channel);
                if wanted {
                    self.tell_peers(channel, addrs);
                }
            }
            DhtNews::Newest(signed) => self.hear(Origin::Dht, &signed).await,
            DhtNews::Directories(addrs) => {
                for addr in addrs {
                    self.open_directory(addr.to_string());
                }
            }
        }
    }

    pub(super) async fn hear(&mut self, origin: Origin, signed: &Signed) {
        let channel = signed.says.channel;
        self.dirty |= self.catalogue.hear(&origin, signed, unix_s());
        let wanted = self.wants.borrow().wanted.contains(&channel);
        if wanted && signed.says.on_air {
            self.tell_peers(channel, signed.says.addrs());
        }
    }

    pub(super) fn on_foreign(&mut self, list: String, read: Result<Vec<Listing>, String>) {
        let origin = Origin::Directory(list);
        match read {
            Ok(listings) => {
                self.origin(origin.clone()).trouble = None;
                self.catalogue.set_foreign(origin.clone(), listings);
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

    pub(super) fn use_dht(&mut self) {
        let now = Instant::now();
        let Some(dht) = &self.dht else { return };
        if now >= self.carry_at && !self.carried.is_empty() {
            self.carry_at = now + CARRY_EVERY;
            let port = self.endpoint.bound().port();
            self.carried.iter().for_each(|carried| dht.carry(carried.channel, port));
        }
        let carried = &self.carried;
        self.seeking.retain(|channel, (at, left)| {
            if now >= *at {
                *at = now + SEEK_EVERY;
                *left -= 1;
                dht.find_peers(*channel);
                dht.find_newest(*channel);
            }
            *left > 0 && !carried.iter().any(|carried| carried.channel == *channel)
        });
    }
}
