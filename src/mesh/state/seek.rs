//! The child's side: when a stripe needs a parent, whom to ask, and how one parent follows another without a gap.

use std::sync::Arc;
use std::time::Duration;

use super::{Mesh, Phase, bit, stripes_of};
use crate::mesh::budget::NO_ROOM_WAIT;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::stripe::{Candidate, Unrest};
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Attach, HOPS_MAX, Message, Need, Path, Reason};
use crate::mesh::{Delivery, Event};
use crate::units::{Seq, Stripe, Time};

/// Requests of one stripe under way at once when its parent is lost: one of two may well be dead, too.
const ASKED_MAX: usize = 2;

/// What asking one takes.
const ATTACH_BYTES: usize = 100;

/// Every other stripe.
const EVEN: u16 = 0x5555;

impl Mesh {
    /// Why this stripe looks for a parent now, if it does.
    pub(super) fn need(&self, stripe: u8, now: Time) -> Option<Need> {
        let state = &self.stripes[usize::from(stripe)];
        if state.candidate.is_some() {
            return None;
        }
        if state.parent.is_none() && state.since == Time::ZERO {
            return Some(Need::Newcomer);
        }
        if state.parent.is_none() {
            return Some(Need::Orphan);
        }
        if state.path.is_none() || now > self.silent_at(stripe) {
            return (!self.waits(stripe, now)).then_some(Need::Orphan);
        }
        (state.unrest != Unrest::Calm && now.since(state.moved) > self.config.lag_cooldown).then_some(Need::Better)
    }

    /// Whether a stripe waits for its parent, which says that it looks for one itself.
    fn waits(&self, stripe: u8, now: Time) -> bool {
        let state = &self.stripes[usize::from(stripe)];
        let lost = state.parent_lost_at;
        state.candidate.is_none() && lost.is_some_and(|at| now.since(at) < self.config.patience)
    }

    /// Looks for parents wherever they are needed, and for a first neighbour when there is none.
    pub(super) fn seek(&mut self, now: Time) {
        if self.phase == Phase::Left {
            return;
        }
        if self.is_source {
            // Listeners come to a host; one that comes back itself goes to those who still wait for it.
            if self.members.list.is_empty() {
                self.dial_bootstrap(usize::MAX, now);
            }
            return;
        }
        self.announce_untold(now);
        if self.phase == Phase::Running && !self.stripes.is_empty() {
            for stripe in 0..self.stripe_count() {
                self.seek_stripe(stripe, now);
            }
        }
        if self.is_starving(now) {
            self.dial_sparingly(now);
        } else if self.stripes.is_empty() || self.fed_mask() == 0 {
            // The addresses to begin with are for those who hang nowhere.
            self.dial_bootstrap(usize::MAX, now);
        }
    }

    pub(super) fn seek_stripe(&mut self, stripe: u8, now: Time) {
        self.expire_asked(stripe, now);
        let Some(need) = self.need(stripe, now) else { return };
        let bears = if need == Need::Better {
            self.bears_small_talk(ATTACH_BYTES, now)
        } else {
            self.bears(ATTACH_BYTES, now)
        };
        if !bears {
            return self.timers.by(Timer::Seek, now + NO_ROOM_WAIT);
        }
        let max = if need == Need::Orphan { ASKED_MAX } else { 1 };
        while self.stripes[usize::from(stripe)].asked.len() < max {
            let Some(at) = self.best_candidate(stripe, need, now) else {
                break;
            };
            self.ask_one(at, bit(stripe), need, now);
        }
        if self.stripes[usize::from(stripe)].asked.is_empty() {
            let state = &mut self.stripes[usize::from(stripe)];
            if need == Need::Better {
                state.moved = now;
                match state.unrest {
                    Unrest::Calm | Unrest::Curious | Unrest::Guest => {
                        state.unrest = Unrest::Calm;
                        return;
                    }
                    // One look further for each time it became late.
                    Unrest::Late => state.unrest = Unrest::Calm,
                    // The next look further after a timeout, not a whole cool-down.
                    Unrest::Sent => state.moved = now - self.config.lag_cooldown + self.config.attach_timeout,
                }
            }
            if self.is_starving(now) {
                return;
            }
            self.dial_for(stripe, need, now);
        }
        self.timers.by(Timer::Seek, now + self.config.attach_timeout);
    }

    fn expire_asked(&mut self, stripe: u8, now: Time) {
        let (timeout, backoff) = (self.config.attach_timeout, self.config.refusal_backoff);
        let members = &self.members;
        let state = &mut self.stripes[usize::from(stripe)];
        let mut late = Vec::new();
        state.asked.retain(|(key, at)| {
            let rtt = members.by_key(*key).map_or(0, |at| members.list[at].rtt_us);
            let fine = now.since(*at) < timeout + Duration::from_micros(u64::from(rtt) * 3 / 2);
            if !fine {
                late.push(*key);
            }
            fine
        });
        for key in late {
            state.shun(key, now + backoff, now);
        }
        if let Some(candidate) = state.candidate.take_if(|candidate| candidate.until <= now) {
            state.shun(candidate.key, now + backoff, now);
            self.members.barren.note(candidate.key, now);
            if let Some(at) = self.members.by_key(candidate.key) {
                self.members.list[at].feeds &= !bit(stripe);
                self.send(at, Message::Detach { stripes: bit(stripe) }, Delivery::Reliable, now);
            }
        }
    }

    pub(super) fn ask_one(&mut self, at: usize, stripes: u16, need: Need, now: Time) {
        let key = self.members.list[at].key;
        let count = self.stripe_count();
        let mut from = None;
        for stripe in stripes_of(stripes & self.all_stripes()) {
            let Some(state) = self.stripes.get_mut(usize::from(stripe)) else {
                continue;
            };
            state.asked.push((key, now));
            if need != Need::Newcomer {
                from = Some(self.window.first_missing(stripe, count));
            }
        }
        // Who is sent away has as good a claim as an orphan, which it would soon be.
        let sent = |stripe: u8| {
            self.stripes
                .get(usize::from(stripe))
                .is_some_and(|state| state.unrest == Unrest::Sent)
        };
        let is_sent = need == Need::Better && stripes_of(stripes & self.all_stripes()).any(sent);
        let attach = Attach {
            epoch: self.epoch(),
            stripes,
            slots: self.slots,
            need: if is_sent { Need::Orphan } else { need },
            from,
            past: self.config.useful_past(),
        };
        self.send(at, Message::Attach(attach), Delivery::Reliable, now);
        self.timers.by(Timer::Seek, now + self.config.attach_timeout);
    }

    /// Asks a neighbour that has just been dialled for whatever is needed, in the same flight as the hello.
    pub(super) fn ask_to_attach(&mut self, at: usize, now: Time) {
        if self.is_source || self.phase != Phase::Running {
            return;
        }
        if self.session.is_none() {
            // The first two share the stripes, so that nothing of the past is sent twice; the third waits for their answers.
            let before = self.members.list.iter().filter(|n| n.asked_blind != 0).count();
            let mask = match before {
                0 => EVEN,
                1 => !EVEN,
                _ => return,
            };
            self.members.list[at].asked_blind = mask;
            return self.ask_one(at, mask, Need::Newcomer, now);
        }
        let key = self.members.list[at].key;
        for stripe in 0..self.stripe_count() {
            if self.stripes[usize::from(stripe)]
                .hint
                .take_if(|hint| *hint == key)
                .is_some()
            {
                self.ask_for_better(at, stripe, now);
                continue;
            }
            let Some(need) = self.need(stripe, now) else { continue };
            let state = &self.stripes[usize::from(stripe)];
            let max = if need == Need::Better { 1 } else { ASKED_MAX };
            let pressed = need != Need::Better || state.unrest == Unrest::Sent;
            let worth = self.is_worth_asking(&self.members.list[at], bit(stripe), now)
                && !self.members.barren.is_shunned(key, now);
            if worth && state.asked.len() < max && !state.avoids(key, now) && !state.has_asked(key) && pressed {
                self.ask_one(at, bit(stripe), need, now);
            }
        }
    }

    pub(super) fn on_accept(&mut self, at: usize, stripe: Stripe, path: Path, newest: Seq, now: Time) {
        let (key, bit) = (self.members.list[at].key, bit(stripe.0));
        let index = usize::from(stripe.0);
        if index >= self.stripes.len() || self.is_source {
            return;
        }
        let state = &mut self.stripes[index];
        if state.parent == Some(key) {
            return self.on_path(at, stripe, path, now);
        }
        let asked = state.has_asked(key);
        state.asked.retain(|(other, _)| *other != key);
        let is_loop = path.contains(&self.key)
            || path.is_empty()
            || path.len() >= HOPS_MAX
            || self.members.list[at].fed & bit != 0;
        // Who still waits for its parent to find a way takes what it asked for: the host offers its places in that very moment.
        let needed = self.need(stripe.0, now).is_some() || asked && self.waits(stripe.0, now);
        let wanted = needed && (asked || self.window.is_empty());
        if is_loop || !wanted || self.phase != Phase::Running {
            if is_loop {
                self.stripes[index].shun(key, now + self.config.refusal_backoff, now);
            }
            return self.send(at, Message::Detach { stripes: bit }, Delivery::Reliable, now);
        }
        self.members.list[at].feeds |= bit;
        let until = now + self.round() * 2 + self.config.attach_timeout;
        let is_lost = self.need(stripe.0, now) != Some(Need::Better);
        self.stripes[index].candidate = Some(Candidate {
            key,
            path,
            newest,
            until,
        });
        self.stripes[index].told.get_or_insert(newest);
        if is_lost {
            self.promote(stripe.0, now);
        }
    }

    /// Makes the candidate the parent and lets the old one go.
    pub(super) fn promote(&mut self, stripe: u8, now: Time) {
        let state = &mut self.stripes[usize::from(stripe)];
        let Some(candidate) = state.candidate.take() else {
            return;
        };
        let old = state.parent.replace(candidate.key);
        let mut gap = Duration::ZERO;
        if state.lost.take().is_some() {
            gap = now.since(state.pushed);
            state.mended = now;
        }
        state.since = now;
        state.proven = false;
        state.is_timed = false;
        state.past = candidate.newest;
        state.silenced = None;
        state.moved = now;
        state.unrest = Unrest::Calm;
        state.parent_lost_at = None;
        state.outrun = 0;
        let path: Vec<Key> = candidate.path.iter().copied().chain([self.key]).collect();
        state.path = Some(Arc::from(path));
        self.totals.parent_switches += 1;
        let others: Vec<Key> = state.asked.drain(..).map(|(key, _)| key).collect();
        let left = state.left.take().map(|left| *left);
        let (from, to) = (
            old.and_then(|key| self.peer_of(key)).or(left),
            self.peer_of(candidate.key),
        );
        for key in old.into_iter().chain(others).filter(|key| *key != candidate.key) {
            self.detach_from(key, stripe, now);
        }
        self.tell(Event::ParentChanged {
            stripe: Stripe(stripe),
            from,
            to,
            gap,
        });
        self.announce_path(stripe, now);
    }

    fn detach_from(&mut self, key: Key, stripe: u8, now: Time) {
        if let Some(at) = self.members.by_key(key) {
            self.members.list[at].feeds &= !bit(stripe);
            self.send(at, Message::Detach { stripes: bit(stripe) }, Delivery::Reliable, now);
        }
    }

    fn peer_of(&self, key: Key) -> Option<crate::units::PeerId> {
        self.members.by_key(key).map(|at| self.members.list[at].peer)
    }

    pub(super) fn on_refuse(&mut self, at: usize, stripes: u16, reason: Reason, others: &[Arc<PeerRecord>], now: Time) {
        let is_starving = self.is_starving(now);
        let neighbour = &mut self.members.list[at];
        let key = neighbour.key;
        if reason == Reason::NotFed && is_starving {
            // Not asked again until it says that it is.
            neighbour.load.fed &= !stripes;
        }
        // Or it would count as asked once the session is known.
        neighbour.asked_blind &= !stripes;
        if !self.learn(at, others, now) {
            return;
        }
        let backoff = match reason {
            Reason::Full | Reason::Loop => self.config.refusal_backoff,
            Reason::NotFed => self.config.refusal_backoff / 4,
            Reason::LeafOnly | Reason::Ended => self.config.refusal_backoff * 8,
        };
        for stripe in stripes_of(stripes & self.all_stripes()) {
            if let Some(state) = self.stripes.get_mut(usize::from(stripe)) {
                state.asked.retain(|(other, _)| *other != key);
                state.shun(key, now + backoff, now);
            }
        }
        let pressed = self.stripes.is_empty()
            || stripes_of(stripes & self.all_stripes()).any(|stripe| {
                self.need(stripe, now).is_some_and(|need| need != Need::Better)
                    && self.stripes[usize::from(stripe)].asked.is_empty()
            });
        if pressed {
            self.dial_hints(others, ASKED_MAX, now);
        }
        self.seek(now);
    }

    pub(super) fn on_redirect(&mut self, at: usize, stripe: Stripe, others: &[Arc<PeerRecord>], now: Time) {
        let key = self.members.list[at].key;
        if !self.learn(at, others, now) || self.phase != Phase::Running {
            return;
        }
        let Some(state) = self.stripes.get_mut(usize::from(stripe.0)) else {
            return;
        };
        if state.parent != Some(key) {
            return;
        }
        state.unrest = Unrest::Sent;
        state.moved = Time::ZERO;
        // The first one named is the newcomer that stands where we stood: it has room, whatever we knew of it.
        if let Some(first) = others.first()
            && let Some(near) = self.members.find(&first.peer)
            && self.need(stripe.0, now).is_some()
        {
            self.ask_one(near, bit(stripe.0), Need::Better, now);
        }
        if self.best_candidate(stripe.0, Need::Better, now).is_none() {
            self.dial_hints(others, 1, now);
        }
        self.seek_stripe(stripe.0, now);
    }

    /// A parent's way to the host has changed.
    pub(super) fn on_path(&mut self, at: usize, stripe: Stripe, path: Path, now: Time) {
        let key = self.members.list[at].key;
        let Some(state) = self.stripes.get_mut(usize::from(stripe.0)) else {
            return;
        };
        if let Some(candidate) = state.candidate.as_mut().filter(|candidate| candidate.key == key) {
            // One that has lost its own way, or hangs below us, is no candidate any more.
            if path.is_empty() || path.contains(&self.key) || path.len() >= HOPS_MAX {
                state.candidate = None;
                state.shun(key, now + self.config.refusal_backoff, now);
                return self.detach_from(key, stripe.0, now);
            }
            candidate.path = path;
            return;
        }
        if state.parent != Some(key) {
            return;
        }
        if path.contains(&self.key) {
            // A loop that two moves at once have closed: we are the one who opens it.
            self.detach_from(key, stripe.0, now);
            self.lose_parent(stripe.0, key, now);
            self.stripes[usize::from(stripe.0)].shun(key, now + self.config.refusal_backoff, now);
            return self.seek(now);
        }
        let is_long = path.len() >= HOPS_MAX;
        if path.is_empty() || is_long {
            // A parent that looks for a way itself is waited for; what comes by one that is too long to be told is heard until there is
            // a shorter one.
            state.parent_lost_at = (!is_long).then(|| state.parent_lost_at.unwrap_or(now));
            state.path = None;
            state.silenced = None;
            state.lost.get_or_insert(now);
            self.announce_path(stripe.0, now);
            if is_long {
                self.seek_stripe(stripe.0, now);
            }
            return;
        }
        let own: Vec<Key> = path.iter().copied().chain([self.key]).collect();
        if state.path.as_deref() == Some(own.as_slice()) {
            return;
        }
        state.parent_lost_at = None;
        state.lost = None;
        state.silenced = None;
        state.path = Some(Arc::from(own));
        // The new way may be slower than the old one: patience begins again.
        state.since = now;
        state.is_timed = false;
        self.announce_path(stripe.0, now);
    }

    /// The parent of a stripe is gone.
    pub(super) fn lose_parent(&mut self, stripe: u8, key: Key, now: Time) {
        let peer = self.peer_of(key);
        if let Some(at) = self.members.by_key(key) {
            self.members.list[at].feeds &= !bit(stripe);
        }
        let Some(state) = self.stripes.get_mut(usize::from(stripe)) else {
            return;
        };
        if state.parent != Some(key) {
            return;
        }
        state.parent = None;
        state.silenced = None;
        state.left = peer.map(Box::new).or(state.left.take());
        state.parent_lost_at = None;
        state.lost.get_or_insert(now);
        let had_path = state.path.take().is_some();
        if had_path {
            self.announce_path(stripe, now);
        }
    }
}
