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
/// Others named in a refusal.
const OTHERS_MAX: usize = 3;

impl Mesh {
    /// Remembers one that is turned away because we have nothing ourselves.
    pub(super) fn note_waiting(&mut self, at: usize, stripe: u8) {
        let one = (self.members.list[at].key, stripe);
        if self.waiting.len() < WAITING_MAX && !self.waiting.contains(&one) {
            self.waiting.push(one);
        }
    }

    /// Offers a stripe that has a way to the host again to those who were turned away while it had none, as far as there is room. (After
    /// a crash all who had lost a stripe asked each other at once, and again half a second later: for so long it spread to nobody.)
    pub(super) fn call_back(&mut self, stripe: u8, now: Time) {
        let room = usize::from(self.slots).saturating_sub(self.slots_used());
        let mut called = Vec::new();
        self.waiting.retain(|(key, wanted)| {
            if *wanted == stripe {
                called.push(*key);
            }
            *wanted != stripe
        });
        for key in called.into_iter().take(room) {
            if let Some(at) = self.members.by_key(key) {
                let stripe = Stripe(stripe);
                self.send(at, Message::Offer { stripe }, Delivery::Reliable, now);
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
