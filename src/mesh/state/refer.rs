//! Who else is named to those who are turned away.

use std::sync::Arc;
use std::time::Duration;

use super::{Mesh, bit};
use crate::mesh::Delivery;
use crate::mesh::member::Neighbour;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::wire::{Message, Need};
use crate::units::{Stripe, Time};

/// Heard within this time, a neighbour is named as alive.
const ALIVE: Duration = Duration::from_secs(8);
/// Those remembered who wait for a stripe.
const WAITING_MAX: usize = 32;
/// How long one is offered what becomes free: by then it has found another, or asks again.
const WAITS_FOR: Duration = Duration::from_secs(2);
/// How long it is remembered that one has asked.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Who asks again and again for so long has nowhere else to go.
const WAITS_LONG: Duration = Duration::from_secs(3);
/// Others named in a refusal.
const OTHERS_MAX: usize = 3;

/// One that waits for a stripe.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    key: Key,
    stripe: u8,
    /// When it first asked, and last.
    first: Time,
    since: Time,
}

impl Mesh {
    /// Remembers one that has lost its parent and is turned away, because we have nothing ourselves or no room.
    pub(super) fn note_waiting(&mut self, at: usize, stripe: u8, now: Time) {
        let key = self.members.list[at].key;
        self.waiting.retain(|other| now.since(other.since) < REMEMBERED_FOR);
        if let Some(known) = self
            .waiting
            .iter_mut()
            .find(|other| (other.key, other.stripe) == (key, stripe))
        {
            // By now it had found another, or it has asked again.
            let is_back = now.since(known.since) >= WAITS_FOR;
            known.since = now;
            if is_back {
                self.introduce(at, stripe, now);
            }
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push(Waiting {
                key,
                stripe,
                first: now,
                since: now,
            });
            self.introduce(at, stripe, now);
        }
    }

    /// Whether one has been turned away again and again.
    pub(super) fn waits_long(&self, key: Key, stripe: u8, now: Time) -> bool {
        let is_it = |other: &&Waiting| (other.key, other.stripe) == (key, stripe);
        let known = self.waiting.iter().find(is_it);
        known.is_some_and(|known| now.since(known.first) > WAITS_LONG)
    }

    /// Names one that was turned away to a neighbour that has room and that nobody can dial: only it can make the first step. (Two of
    /// 27 heard nothing for five seconds, beside three who had seventeen places and no address.)
    pub(super) fn introduce(&mut self, at: usize, stripe: u8, now: Time) {
        let Some(record) = self.members.list[at].record.clone() else {
            return;
        };
        let able: Vec<usize> = (0..self.members.list.len())
            .filter(|other| *other != at && self.hides_room(&self.members.list[*other], stripe, now))
            .collect();
        if record.addrs.is_empty() || able.is_empty() {
            return;
        }
        let at = able[self.rng.below(able.len())];
        let stripe = Stripe(stripe);
        let message = Message::Hint { stripe, record };
        if self.bears_message(&message, now) {
            self.send(at, message, Delivery::Reliable, now);
        }
    }

    /// Whether a neighbour that nobody can dial has room in a stripe.
    pub(super) fn hides_room(&self, n: &Neighbour, stripe: u8, now: Time) -> bool {
        n.is_hidden() && n.load.free > 0 && n.load.fed & bit(stripe) != 0 && now.since(n.heard) < ALIVE
    }

    /// A neighbour names one that looks for a place in a stripe.
    pub(super) fn on_introduction(&mut self, at: usize, stripe: u8, record: &Arc<PeerRecord>, now: Time) {
        let has_room = self.is_fed(stripe) && self.slots > 0 && self.has_room(stripe, Need::Orphan);
        if has_room && self.learn(at, std::slice::from_ref(record), now) {
            self.dial(record, now);
        }
    }

    /// Offers a stripe to those who were turned away, as far as there is room now. (After a crash all who had lost a stripe asked each
    /// other at once, and again half a second later: for so long it spread to nobody.)
    pub(super) fn call_back(&mut self, stripe: u8, now: Time) {
        if self.waiting.is_empty() || !self.is_fed(stripe) {
            return;
        }
        let mut room = usize::from(self.slots).saturating_sub(self.slots_used());
        let mut called = Vec::new();
        self.waiting.retain(|waiting| {
            let is_called = waiting.stripe == stripe && room > 0 && now.since(waiting.since) < WAITS_FOR;
            if is_called {
                room -= 1;
                called.push(waiting.key);
            }
            !is_called
        });
        for key in called {
            if let Some(at) = self.members.by_key(key) {
                let offer = Message::Offer { stripe: Stripe(stripe) };
                if self.bears_message(&offer, now) {
                    self.send(at, offer, Delivery::Reliable, now);
                }
            }
        }
    }

    /// Records of those who might have room in a stripe: neighbours with free slots, at home in it first, then others by their
    /// home.
    pub(super) fn others_for(&mut self, at: usize, mask: u16, need: Need, now: Time) -> Vec<Arc<PeerRecord>> {
        let stripes = self.stripe_count().max(1);
        let peer = self.members.list[at].peer;
        let fits = |key: Key| mask & bit(key.home(stripes)) != 0;
        let alive = |n: &&Neighbour| {
            let named = n.record.as_ref().is_some_and(|record| !record.addrs.is_empty());
            n.peer != peer && n.slots() > 0 && named && now.since(n.heard) < ALIVE
        };
        let living = self.members.list.iter().filter(alive);
        let list = living.clone().filter(|n| n.load.free > 0);
        let near = |n: &&Neighbour| fits(n.key) && n.load.fed & bit(n.key.home(stripes)) != 0;
        // Next best is a guest's place: it is better than the door of one of whom we know nothing.
        let far = |n: &&Neighbour| !fits(n.key) && n.load.fed & mask != 0;
        let mut others: Vec<_> = list.clone().filter(near).filter_map(|n| n.record.clone()).collect();
        while others.len() > OTHERS_MAX {
            let extra = self.rng.below(others.len());
            others.swap_remove(extra);
        }
        // For those who have lost their parent then whoever is alive and at home in it: after a crash most of those one has only heard
        // of are dead. (Others are better spread over all there are: with this for all, lag and overhead grew.)
        let is_orphan = need == Need::Orphan;
        let full = |n: &&Neighbour| is_orphan && fits(n.key) && !(n.load.free > 0 && near(n));
        for class in [list.filter(far).collect::<Vec<_>>(), living.filter(full).collect()] {
            let mut class: Vec<_> = class.into_iter().filter_map(|n| n.record.clone()).collect();
            while others.len() < OTHERS_MAX && !class.is_empty() {
                let next = self.rng.below(class.len());
                others.push(class.swap_remove(next));
            }
        }
        if others.len() < OTHERS_MAX {
            let more = self.members.candidates(&mut self.rng, |record| {
                record.peer != peer && record.slots > 0 && fits(Key::of(&record.peer))
            });
            others.extend(more.into_iter().take(OTHERS_MAX - others.len()));
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn a_leaf_at_the_host_makes_room_for_one_who_is_turned_away_for_long() {
        let mut rig = Rig::new();
        let config = |upload_bps| Config {
            upload_bps,
            host_slots: 1,
            ..Config::default()
        };
        let host = rig.host(1, 4, config(2_000_000));
        let first = rig.listener(config(0), &[host]);
        rig.run(Duration::from_secs(4));
        // Neither can feed the other, and there is one place in each stripe.
        let second = rig.listener(config(0), &[host]);
        let mut heard = [0, 0];
        for _ in 0..20 {
            let before = [first, second].map(|at| rig.nodes[at].chunks.len());
            rig.run(Duration::from_secs(2));
            let after = [first, second].map(|at| rig.nodes[at].chunks.len());
            for (heard, (before, after)) in heard.iter_mut().zip(before.into_iter().zip(after)) {
                *heard += usize::from(after > before);
            }
        }
        assert!(heard.iter().all(|times| *times >= 5), "{heard:?}");
    }
}
