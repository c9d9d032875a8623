//! The parent's side: who gets a slot, who gives it back, and what children are told about the way to the host.

use std::sync::Arc;
use std::time::Duration;

use super::rise::outranks;
use super::spend::PRESSED;
use super::{Mesh, Phase, bit, stripes_of};
use crate::limits::CONTROL_MESSAGE_MAX_BYTES;
use crate::mesh::Delivery;
use crate::mesh::budget;
use crate::mesh::member::Child;
use crate::mesh::wire::{Attach, HOPS_MAX, Message, Need, Path, Reason, Status};
use crate::units::{Epoch, Seq, Stripe, Time};

/// Share of the budget that feeding may take while one child makes room for another.
const OVERLAP_SHARE: f64 = 0.94;
/// Where the two together are more than that: how long the one who goes is still fed, and how long until the next.
const SHORT_GRACE: Duration = Duration::from_millis(400);
const REDIRECT_PAUSE: Duration = Duration::from_secs(2);
/// Others named by one who has hardly any upload left.
const OTHERS_WHEN_FULL: usize = 2;
/// Share of the budget up to which newcomers are let in: beyond it they would wait for the past, which others give at once.
const NEWCOMER_SHARE: f64 = 0.9;
/// Who has been here for so long and has still nothing is let in even then: where all are busy with bursts and repairs for those who
/// have no parent, nobody would ever get one. Those who pass the stripe on always are, for they bring more places than they take.
const WAITED: Duration = Duration::from_secs(1);

impl Mesh {
    pub(super) fn on_attach(&mut self, at: usize, attach: Attach, now: Time) {
        if attach.epoch != Epoch(0) && attach.epoch != self.epoch() {
            return self.refuse_session(at, &attach, now);
        }
        let mut refused = [0u16; 5];
        // Without a session there is nothing to give in any stripe, and nothing else to say.
        let known = (1u32 << self.stripe_count()) - 1;
        for stripe in stripes_of(attach.stripes & known as u16) {
            if attach.need != Need::Better && !self.has_room(stripe, attach.need) {
                self.cut_silent(at, now);
            }
            match self.admit(at, stripe, &attach, now) {
                Ok(victim) => {
                    if let Some(victim) = victim {
                        self.redirect(victim, stripe, Some(at), now);
                    }
                    self.feed(at, stripe, &attach, now);
                }
                Err(reason) => refused[reason as usize] |= bit(stripe),
            }
        }
        if self.stripes.is_empty() {
            refused[Reason::NotFed as usize] = attach.stripes;
        }
        for reason in [
            Reason::Full,
            Reason::NotFed,
            Reason::Loop,
            Reason::LeafOnly,
            Reason::Ended,
        ] {
            let stripes = refused[reason as usize];
            if stripes != 0 {
                // Where nobody is fed, to name others only makes them be asked.
                let mut others = if reason == Reason::NotFed && self.is_starving(now) {
                    Vec::new()
                } else {
                    self.others_for(at, stripes, now)
                };
                // Many are refused at once when many come: then each is told of a few. (Told of nobody, one in fifty of a crowd
                // stood for two seconds before doors that had been closed to it.)
                if !self.may_spend(CONTROL_MESSAGE_MAX_BYTES, now) {
                    others.truncate(OTHERS_WHEN_FULL);
                }
                let message = Message::Refuse {
                    stripes,
                    reason,
                    others,
                };
                // Without an answer it asks another one, a little later.
                if self.bears_message(&message, now) {
                    self.send(at, message, Delivery::Reliable, now);
                }
            }
        }
    }

    /// Somebody of another session asks: they learn of ours, and ask again once they are in it.
    fn refuse_session(&mut self, at: usize, attach: &Attach, now: Time) {
        let refuse = Message::Refuse {
            stripes: attach.stripes,
            reason: Reason::NotFed,
            others: Vec::new(),
        };
        if self.bears_message(&refuse, now) {
            self.send(at, refuse, Delivery::Reliable, now);
        }
        self.members.list[at].epoch = attach.epoch;
        self.share_session(at, now);
    }

    /// Whether a request is granted, and which child must go for it.
    fn admit(&mut self, at: usize, stripe: u8, attach: &Attach, now: Time) -> Result<Option<usize>, Reason> {
        if self.phase != Phase::Running {
            return Err(Reason::Ended);
        }
        // Children that have only just gone were sent their part of this second, too.
        let is_pressed = self.is_pressed(PRESSED, now);
        let is_busy = attach.need == Need::Newcomer && !self.is_source && self.is_pressed(NEWCOMER_SHARE, now);
        let neighbour = &self.members.list[at];
        let has_waited = now.since(neighbour.since) > WAITED;
        if neighbour.fed & !neighbour.leaving & bit(stripe) != 0 {
            return Ok(None);
        }
        if neighbour.leaving & bit(stripe) != 0 {
            return if self.has_room(stripe, attach.need) {
                Ok(None)
            } else {
                Err(Reason::Full)
            };
        }
        if self.slots == 0 {
            return Err(Reason::LeafOnly);
        }
        let state = &self.stripes[usize::from(stripe)];
        let Some(path) = state
            .path
            .as_ref()
            .filter(|_| self.is_fed(stripe) && self.is_fresh(stripe, now) && !self.is_starving(now))
        else {
            return Err(Reason::NotFed);
        };
        // While we look for a parent here ourselves, somebody we ask could be below the one who asks us.
        let looking = !state.asked.is_empty() || state.candidate.is_some();
        if path.contains(&neighbour.key) || path.len() >= HOPS_MAX {
            return Err(Reason::Loop);
        }
        if looking {
            return Err(Reason::NotFed);
        }
        let interior = attach.slots > 0 && neighbour.key.home(self.stripe_count()) == stripe;
        if is_busy && !interior && !has_waited || is_pressed && attach.need == Need::Better {
            return Err(Reason::Full);
        }
        if !interior && self.is_kept(stripe, now) {
            return Err(Reason::Full);
        }
        if self.has_room(stripe, attach.need) {
            return Ok(None);
        }
        // One who could pass the stripe on and finds nobody else comes first even then, or trees full of others stay as they are.
        if is_pressed && !(interior && attach.need == Need::Orphan) {
            return Err(Reason::Full);
        }
        let victim = self.victim(at, stripe, if interior { attach.slots } else { 0 }, attach.need, now);
        victim.map(Some).ok_or(Reason::Full)
    }

    /// Whether a slot is free for this stripe without sending anybody away.
    pub(super) fn has_room(&self, stripe: u8, need: Need) -> bool {
        if self.is_source {
            let in_stripe = self.children_in(stripe);
            return in_stripe < usize::from(self.slots / self.stripe_count().max(1));
        }
        let used = self.slots_used();
        let slots = usize::from(self.slots);
        if stripe == self.home() {
            // One slot is kept for those who have nothing.
            let kept = usize::from(need == Need::Better && slots > 1);
            used + kept < slots
        } else {
            // Foreign stripes only rescue; a guest makes room as soon as one comes whose home this is. (While orphans were let in only
            // up to half of the slots, some found no place in a stripe with few nodes of its own, though many links were free.)
            need != Need::Better && used < slots
        }
    }

    /// The child that has to make room: a guest from a foreign stripe, or a leaf where an interior node could stand.
    fn victim(&self, at: usize, stripe: u8, slots: u8, need: Need, now: Time) -> Option<usize> {
        if now.since(self.redirected) < REDIRECT_PAUSE && !self.bears_overlap() {
            return None;
        }
        let moving = self.members.list.iter().any(|n| n.leaving != 0);
        if moving && !self.is_source || self.is_source && self.members.list.iter().any(|n| n.leaving & bit(stripe) != 0)
        {
            return None;
        }
        let stripes = self.stripe_count();
        // The one who asks may be a guest in another stripe, and must not be sent away for itself.
        let is_guest = |(other, n): (usize, &crate::mesh::member::Neighbour)| {
            other != at && !self.is_source && n.fed & !bit(self.home()) != 0
        };
        let home = stripe == self.home() || self.is_source;
        if home && let Some(guest) = self.members.list.iter().enumerate().position(is_guest) {
            return Some(guest);
        }
        if slots == 0 || !home {
            return None;
        }
        let rank = |n: &crate::mesh::member::Neighbour| {
            let interior = n.key.home(stripes) == stripe;
            let idle = self.is_source && self.is_idle_root(n, stripe, now);
            if interior && !idle { n.slots() } else { 0 }
        };
        let children = self.members.list.iter().enumerate();
        let (victim, weakest) = children
            .filter(|(other, n)| n.fed & bit(stripe) != 0 && *other != at)
            .map(|(other, n)| (other, rank(n)))
            .min_by_key(|(_, rank)| *rank)?;
        outranks(slots, weakest)
            .then_some(victim)
            .or_else(|| self.oldest_child(at, stripe, need, now))
    }

    /// Asks a child to make room for the one that has just come; its stripe is taken back if it does not.
    fn redirect(&mut self, victim: usize, stripe: u8, newcomer: Option<usize>, now: Time) {
        let home = bit(self.home());
        let neighbour = &mut self.members.list[victim];
        let lost = if neighbour.fed & bit(stripe) != 0 {
            stripe
        } else {
            stripes_of(neighbour.fed & !home).next().unwrap_or(stripe)
        };
        neighbour.leaving |= bit(lost);
        // Where two links in place of one are more than the budget bears, the one who goes must make haste.
        // Who passes nothing on at the host must make haste, too: a whole stripe may wait for the place.
        let is_idle = self.is_source && self.is_idle_root(&self.members.list[victim], lost, now);
        let grace = if self.bears_overlap() && !is_idle {
            self.config.redirect_grace
        } else {
            SHORT_GRACE
        };
        let leave_by = now + grace;
        self.redirected = now;
        let neighbour = &mut self.members.list[victim];
        if let Some(child) = neighbour.child.as_mut() {
            child.leave_by = leave_by;
        }
        let mut others = self.others_for(victim, bit(lost), now);
        let newcomer = newcomer.and_then(|at| self.members.list[at].record.clone());
        if let Some(record) = newcomer.filter(|_| lost == stripe) {
            others.retain(|other| other.peer != record.peer);
            others.insert(0, record);
        }
        let stripe = Stripe(lost);
        self.send(victim, Message::Redirect { stripe, others }, Delivery::Reliable, now);
    }

    /// Whether the budget bears one child link more than there are.
    fn bears_overlap(&self) -> bool {
        let Some(session) = &self.session else { return true };
        let link = budget::link_bps(&self.config, session.bitrate_bps, session.chunk_time, session.stripes);
        let links = self.slots_used() + 1;
        links as f64 * link <= self.upload_bps as f64 * OVERLAP_SHARE
    }

    fn feed(&mut self, at: usize, stripe: u8, attach: &Attach, now: Time) {
        let path = self.stripes[usize::from(stripe)]
            .path
            .clone()
            .unwrap_or_else(|| Arc::from([].as_slice()));
        let newest = self.window.newest();
        self.members.feeding |= bit(stripe);
        let neighbour = &mut self.members.list[at];
        let is_new = neighbour.fed & bit(stripe) == 0;
        neighbour.fed |= bit(stripe);
        neighbour.leaving &= !bit(stripe);
        neighbour.child.get_or_insert_with(|| {
            Box::new(Child {
                since: now,
                acknowledged: Seq(0),
                below: None,
                leave_by: now,
            })
        });
        neighbour.alive = now;
        neighbour.load.slots = attach.slots;
        let stripe_id = Stripe(stripe);
        let accept = Message::Accept {
            stripe: stripe_id,
            path,
            newest,
        };
        self.send(at, accept, Delivery::Reliable, now);
        self.load.free = self.slots.saturating_sub(self.slots_used() as u8);
        // Who asks again has been pushed all since; what it misses it asks for as everybody does.
        if is_new {
            self.start_burst(at, stripe, attach, now);
        }
    }

    pub(super) fn on_detach(&mut self, at: usize, stripes: u16, now: Time) {
        let neighbour = &mut self.members.list[at];
        let freed = neighbour.fed & stripes;
        let lost = neighbour.feeds & stripes;
        neighbour.fed &= !stripes;
        neighbour.leaving &= !stripes;
        let key = neighbour.key;
        if neighbour.fed == 0 {
            neighbour.child = None;
        }
        self.bursts
            .retain(|burst| burst.to != key || stripes & bit(burst.stripe) == 0);
        for stripe in stripes_of(lost) {
            self.lose_parent(stripe, key, now);
            self.stripes[usize::from(stripe)].shun(key, now + self.config.refusal_backoff, now);
        }
        let all = self.all_stripes();
        for stripe in stripes_of(stripes & all) {
            if let Some(state) = self.stripes.get_mut(usize::from(stripe))
                && state.candidate.as_ref().is_some_and(|candidate| candidate.key == key)
            {
                state.candidate = None;
                state.shun(key, now + self.config.refusal_backoff, now);
            }
        }
        if freed != 0 {
            self.offer_roots(freed, now);
        }
        if lost != 0 {
            self.seek(now);
        }
    }

    /// Takes the slots of a child that has missed a report, for somebody who has nothing.
    fn cut_silent(&mut self, newcomer: usize, now: Time) {
        let silent = self.report_span() * 2 + self.config.repair_margin;
        let is_silent = |n: &crate::mesh::member::Neighbour| {
            n.fed != 0 && now.since(n.heard) > silent && now.since(n.alive) > silent
        };
        let found = self
            .members
            .list
            .iter()
            .position(is_silent)
            .filter(|at| *at != newcomer);
        if let Some(at) = found {
            let fed = self.members.list[at].fed;
            self.cut(at, fed, now);
        }
    }

    /// Takes stripes back from a child.
    pub(super) fn cut(&mut self, at: usize, stripes: u16, now: Time) {
        let neighbour = &mut self.members.list[at];
        neighbour.fed &= !stripes;
        neighbour.leaving &= !stripes;
        if neighbour.fed == 0 {
            neighbour.child = None;
        }
        let key = neighbour.key;
        self.bursts
            .retain(|burst| burst.to != key || stripes & bit(burst.stripe) == 0);
        self.send(at, Message::Detach { stripes }, Delivery::Reliable, now);
        self.offer_roots(stripes, now);
    }

    pub(super) fn on_status(&mut self, at: usize, status: Status, now: Time) {
        let newest = self.window.newest();
        let neighbour = &mut self.members.list[at];
        neighbour.load = status.load;
        let stray = status.fed & !neighbour.fed;
        if let Some(child) = neighbour.child.as_mut() {
            // A number beyond all there are belongs to an older session, or is made up.
            let grew = status.progress > child.acknowledged && status.progress <= newest;
            if grew || status.fed == 0 {
                child.acknowledged = if grew { status.progress } else { child.acknowledged };
                neighbour.alive = now;
            }
            child.below = status.below;
        }
        if stray != 0 {
            self.send(at, Message::Detach { stripes: stray }, Delivery::Reliable, now);
        }
    }

    /// Tells the children of a stripe which way they hang, or that there is none at the moment.
    pub(super) fn announce_path(&mut self, stripe: u8, now: Time) {
        let path: Path = match &self.stripes[usize::from(stripe)].path {
            Some(path) => Arc::clone(path),
            None => Arc::from([].as_slice()),
        };
        for at in 0..self.members.list.len() {
            if self.members.list[at].fed & bit(stripe) != 0 {
                let message = Message::Path {
                    stripe: Stripe(stripe),
                    path: Arc::clone(&path),
                };
                self.send(at, message, Delivery::Reliable, now);
            }
        }
    }

    /// Child links in use, those about to be given back not counted.
    pub(super) fn slots_used(&self) -> usize {
        let used = self.members.list.iter().map(|n| (n.fed & !n.leaving).count_ones());
        used.sum::<u32>() as usize
    }

    pub(super) fn children_in(&self, stripe: u8) -> usize {
        let bit = bit(stripe);
        self.members
            .list
            .iter()
            .filter(|n| n.fed & !n.leaving & bit != 0)
            .count()
    }

    /// Sends children away after the budget was lowered.
    pub(super) fn shed(&mut self, now: Time) {
        while self.slots_used() > usize::from(self.slots) {
            let fed = |n: &crate::mesh::member::Neighbour| n.fed & !n.leaving != 0;
            let Some(at) = self.members.list.iter().rposition(fed) else {
                return;
            };
            let stripe = stripes_of(self.members.list[at].fed & !self.members.list[at].leaving)
                .next()
                .unwrap_or(0);
            self.redirect(at, stripe, None, now);
        }
    }

    /// Whether a stripe has a way to the host and flows.
    pub(super) fn is_fed(&self, stripe: u8) -> bool {
        self.stripes
            .get(usize::from(stripe))
            .is_some_and(|state| state.path.is_some() && (self.is_source || state.parent.is_some()))
    }

    /// Whether chunks come as they should: one that waits for its parent must not adopt the children of others.
    fn is_fresh(&self, stripe: u8, now: Time) -> bool {
        let state = &self.stripes[usize::from(stripe)];
        let limit = self.round() + self.round() / 2 + self.config.silence / 2;
        self.is_source || now.since(state.pushed.max(state.since)) <= limit
    }

    /// The stripes that are fed, as a mask.
    pub(super) fn fed_mask(&self) -> u16 {
        (0..self.stripe_count())
            .filter(|stripe| self.is_fed(*stripe))
            .fold(0, |mask, stripe| mask | bit(stripe))
    }
}
