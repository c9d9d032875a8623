//! The parent's side: who gets a slot, who gives it back, and what children are told about the way to the host.

use std::sync::Arc;
use std::time::Duration;

use super::spend::PRESSED;
use super::{Mesh, Phase, bit, stripes_of};
use crate::limits::CONTROL_MESSAGE_MAX_BYTES;
use crate::mesh::Delivery;
use crate::mesh::budget::NO_ROOM_WAIT;
use crate::mesh::member::Child;
use crate::mesh::stripe::Unrest;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Attach, HOPS_MAX, Message, Need, Path, Reason, Status};
use crate::units::{Epoch, Seq, Stripe, Time};

/// Others named by one who has hardly any upload left.
const OTHERS_WHEN_FULL: usize = 2;
/// Share of the budget up to which newcomers are let in: beyond it they would wait for the past, which others give at once.
const NEWCOMER_SHARE: f64 = 0.9;
/// Who has been here for so long and has still nothing is let in even then: where all are busy with bursts and repairs for those who
/// have no parent, nobody would ever get one. Those who pass the stripe on always are, for they bring more places than they take.
const WAITED: Duration = Duration::from_secs(1);

/// A parent of which one hears for so long loses a child by mistake only.
const MISTAKEN_AFTER: Duration = Duration::from_secs(3);

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
                Err(reason) => {
                    refused[reason as usize] |= bit(stripe);
                    let has_waited = now.since(self.members.list[at].since) > WAITED;
                    let is_in_need = attach.need == Need::Orphan || attach.need == Need::Newcomer && has_waited;
                    if is_in_need && matches!(reason, Reason::NotFed | Reason::Full) {
                        self.note_waiting(at, stripe, now);
                    }
                    if attach.need == Need::Orphan && reason == Reason::Full {
                        self.probe_children(now);
                    }
                }
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
                    self.others_for(at, stripes, attach.need, now)
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
                let bears = if attach.need == Need::Better {
                    self.bears_small_message(&message, now)
                } else {
                    self.bears_message(&message, now)
                };
                if bears {
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
        let is_barren = self.is_source && interior && self.members.barren.is_shunned(neighbour.key, now);
        if !interior && self.is_kept(stripe, now) || is_barren {
            return Err(Reason::Full);
        }
        if self.has_room(stripe, attach.need) {
            return Ok(None);
        }
        // One who could pass the stripe on and finds nobody else comes first even then, or trees full of others stay as they are. So does
        // one whom nobody can dial, for others can go where it cannot, and one that has been turned away again and again.
        let neighbour = &self.members.list[at];
        let is_first = attach.need == Need::Orphan && (interior || neighbour.is_hidden());
        if is_pressed && !is_first && !self.waits_long(neighbour.key, stripe, now) {
            return Err(Reason::Full);
        }
        let victim = self.victim(at, stripe, interior, attach, now);
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
            if stripe == self.home() && !self.is_source && !self.is_pressed(PRESSED, now) {
                self.lift_at_home(now);
            }
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
            // Who was fed for a while and not asked to go was taken for gone: its place is likely to be free still. (A listener whose
            // answers were lost had nobody but the host, and did not ask it again for two seconds.)
            let state = &self.stripes[usize::from(stripe)];
            let was_mistaken = state.unrest != Unrest::Sent && now.since(state.since) > MISTAKEN_AFTER;
            self.lose_parent(stripe, key, now);
            if !was_mistaken {
                self.stripes[usize::from(stripe)].shun(key, now + self.config.refusal_backoff, now);
            }
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
            self.offer_freed(freed, now);
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
        self.offer_freed(stripes, now);
    }

    /// Offers places that have just become free to those who wait for them.
    pub(super) fn offer_freed(&mut self, stripes: u16, now: Time) {
        self.offer_roots(stripes, now);
        let first = stripes & bit(self.home());
        for stripe in stripes_of(first).chain(stripes_of(self.all_stripes() & !first)) {
            self.call_back(stripe, now);
        }
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
                if self.bears_way(&message, now) {
                    self.send(at, message, Delivery::Reliable, now);
                } else {
                    self.stripes[usize::from(stripe)].untold = true;
                }
            }
        }
        if self.stripes[usize::from(stripe)].untold {
            self.timers.by(Timer::Seek, now + NO_ROOM_WAIT);
        }
        self.call_back(stripe, now);
    }

    /// Tells of the ways that could not be told before.
    pub(super) fn announce_untold(&mut self, now: Time) {
        for stripe in 0..self.stripe_count() {
            if std::mem::take(&mut self.stripes[usize::from(stripe)].untold) {
                self.announce_path(stripe, now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::record::Key;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::{Config, Output};

    #[test]
    fn who_is_cut_without_a_word_asks_the_same_parent_at_once() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let (now, host) = (rig.now, rig.nodes[host].peer);
        let mesh = &mut rig.nodes[at].mesh;
        let mut asks = |fed_for: Duration, unrest: Unrest| {
            let near = mesh.members.find(&host).unwrap();
            let state = &mut mesh.stripes[0];
            (state.parent, state.since, state.unrest) = (Some(Key::of(&host)), now - fed_for, unrest);
            state.asked.clear();
            state.avoid.clear();
            mesh.members.list[near].feeds = 1;
            mesh.on_detach(near, 1, now);
            let outputs = std::iter::from_fn(|| mesh.poll_output());
            let asks =
                |output: &Output| matches!(output, Output::Send { to, message: Message::Attach(_), .. } if *to == host);
            outputs.filter(asks).count()
        };
        assert_eq!(
            asks(MISTAKEN_AFTER / 2, Unrest::Calm),
            0,
            "it may cut us again and again"
        );
        assert_eq!(asks(MISTAKEN_AFTER * 2, Unrest::Sent), 0, "it was asked to go");
        assert_eq!(asks(MISTAKEN_AFTER * 2, Unrest::Calm), 1);
    }
}
