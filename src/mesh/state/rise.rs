//! Strong nodes rise towards the host, and the host keeps its roots: that is what keeps the trees shallow.

use std::sync::Arc;

use super::{Mesh, Phase, bit, stripes_of};
use crate::mesh::Delivery;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::stripe::Unrest;
use crate::mesh::wire::{Message, Need};
use crate::units::{Stripe, Time};

impl Mesh {
    /// How strong a child is in our home stripe: its child links there, zero for one that passes nothing on; `None` for those
    /// who are no children, or about to go.
    pub(super) fn strength(&self, n: &crate::mesh::member::Neighbour) -> Option<u8> {
        let fed = n.fed & !n.leaving;
        let count = self.stripe_count().max(1);
        let ours = if self.is_source { fed } else { fed & bit(self.home()) };
        let interior = ours & bit(n.key.home(count)) != 0;
        (ours != 0).then_some(if interior { n.slots() } else { 0 })
    }

    /// Now and then tells the strongest child that our own parent has a place for it: strong nodes rise, and the tree stays
    /// shallow.
    pub(super) fn lift(&mut self, now: Time) {
        if self.is_source || self.phase != Phase::Running || self.rng.below(3) != 0 || !self.is_fed(self.home()) {
            return;
        }
        let stripe = self.home();
        let parent = self.stripes[usize::from(stripe)]
            .parent
            .and_then(|key| self.members.by_key(key));
        let Some(parent) = parent.map(|at| &self.members.list[at]) else {
            return;
        };
        let (free, weakest) = if parent.is_host() {
            (parent.load.fed & bit(stripe) != 0, parent.load.weakest)
        } else {
            (parent.load.free > 1, parent.load.weakest)
        };
        let Some(record) = parent.record.clone().filter(|record| !record.addrs.is_empty()) else {
            return;
        };
        let takes = |slots: u8| slots > 0 && (free || outranks(slots, weakest));
        let children = self.members.list.iter().enumerate();
        let best = children
            .filter_map(|(at, n)| Some((self.strength(n).filter(|slots| takes(*slots))?, at)))
            .max();
        if let Some((_, at)) = best {
            let stripe = Stripe(stripe);
            self.send(at, Message::Hint { stripe, record }, Delivery::Reliable, now);
        }
    }

    /// A host offers what is free of its slots to neighbours that could stand there, the strongest first: two for each slot,
    /// for one of them may be gone, too.
    pub(super) fn offer_roots(&mut self, stripes: u16, now: Time) {
        if !self.is_source || self.phase != Phase::Running {
            return;
        }
        let count = self.stripe_count();
        for stripe in stripes_of(stripes & self.all_stripes()) {
            let free = usize::from(self.slots / count.max(1)).saturating_sub(self.children_in(stripe));
            let able = |n: &crate::mesh::member::Neighbour| {
                n.key.home(count) == stripe && n.fed & bit(stripe) == 0 && n.slots() > 0 && n.unanswered < 2
            };
            let neighbours = self.members.list.iter().enumerate();
            let mut able: Vec<(u8, usize)> = neighbours
                .filter(|(_, n)| able(n))
                .map(|(at, n)| (n.slots(), at))
                .collect();
            able.sort_unstable_by_key(|(slots, at)| (std::cmp::Reverse(*slots), *at));
            if able.len() < free {
                let fits = |record: &PeerRecord| record.slots > 0 && Key::of(&record.peer).home(count) == stripe;
                if let Some(record) = self.members.candidates(&mut self.rng, fits).first().cloned() {
                    self.dial(&record, now);
                }
            }
            let stripe = Stripe(stripe);
            for (_, at) in able.into_iter().take(free * 2) {
                self.send(at, Message::Offer { stripe }, Delivery::Reliable, now);
            }
        }
    }

    /// A host looks at its roots often: the whole of a stripe hangs on a few of them.
    pub(super) fn check_roots(&mut self, now: Time) {
        if !self.is_source || now.since(self.probed) < self.config.attach_timeout {
            return;
        }
        self.probed = now;
        self.check_children(now);
        let open = (0..self.stripe_count()).filter(|stripe| self.has_room(*stripe, Need::Orphan));
        let open = open.fold(0, |mask, stripe| mask | bit(stripe));
        self.offer_roots(open, now);
    }

    /// The parent says that its own parent has a place for us.
    pub(super) fn on_hint(&mut self, at: usize, stripe: Stripe, record: &Arc<PeerRecord>, now: Time) {
        let key = self.members.list[at].key;
        let is_parent = self
            .stripes
            .get(usize::from(stripe.0))
            .is_some_and(|state| state.parent == Some(key));
        if !is_parent || !self.learn(at, std::slice::from_ref(record), now) {
            return;
        }
        if let Some(near) = self.members.find(&record.peer) {
            self.ask_for_better(near, stripe.0, now);
        } else if self.dial(record, now) {
            self.stripes[usize::from(stripe.0)].hint = Some(Key::of(&record.peer));
        }
    }

    pub(super) fn ask_for_better(&mut self, at: usize, stripe: u8, now: Time) {
        let key = self.members.list[at].key;
        let state = &mut self.stripes[usize::from(stripe)];
        let idle =
            state.candidate.is_none() && state.asked.is_empty() && state.parent.is_some_and(|parent| parent != key);
        if idle && state.path.is_some() && state.unrest == Unrest::Calm && self.members.list[at].fed & bit(stripe) == 0
        {
            state.unrest = Unrest::Curious;
            state.moved = Time::ZERO;
            self.ask_one(at, bit(stripe), Need::Better, now);
        }
    }

    pub(super) fn on_offer(&mut self, at: usize, stripe: Stripe, now: Time) {
        let key = self.members.list[at].key;
        let count = self.stripe_count();
        let Some(state) = self.stripes.get(usize::from(stripe.0)) else {
            return;
        };
        let idle = state.candidate.is_none() && !state.has_asked(key) && state.parent != Some(key);
        if idle && self.key.home(count) == stripe.0 && self.slots > 0 && self.members.list[at].fed & bit(stripe.0) == 0
        {
            self.stripes[usize::from(stripe.0)].unrest = Unrest::Curious;
            self.stripes[usize::from(stripe.0)].moved = Time::ZERO;
            let need = self.need(stripe.0, now).unwrap_or(Need::Better);
            self.ask_one(at, bit(stripe.0), need, now);
        }
    }
}

/// Whether a node with so many child links may take the place of a weaker one.
pub(super) fn outranks(slots: u8, weakest: u8) -> bool {
    slots > 0 && (weakest == 0 || u16::from(weakest) * 2 < u16::from(slots))
}
