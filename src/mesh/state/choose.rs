//! Which neighbour would feed a stripe best: by what it says, corrected by what we have measured.

use std::time::Duration;

use super::rise::outranks;
use super::{Mesh, Phase, bit};
use crate::mesh::member::Neighbour;
use crate::mesh::stripe::Unrest;
use crate::mesh::wire::Need;
use crate::units::Time;

/// A better place must promise so much less lag: for one that passes the stripe on, and for one that only hears it.
const WORTH_INTERIOR_MS: u32 = 25;
const WORTH_LEAF_MS: u32 = 80;
/// A place in its home stripe may be so much later than that of a guest.
const HOME_BONUS_MS: u32 = 150;
/// Half seconds between two looks for a better place, on average, in the home stripe and in another one.
const LOOK_HOME: usize = 3;
const LOOK_OTHER: usize = 16;
/// The same of one that hangs at guests in some stripe. (Of 500 who had come within seconds, in eight stripes, two thirds of all links
/// were such: one below the other, twenty deep, and each time one of them left all that hung below had no way.)
const LOOK_GUEST: usize = 2;

impl Mesh {
    /// The neighbour that would feed a stripe best, as far as it says and we have measured.
    pub(super) fn best_candidate(&self, stripe: u8, need: Need, now: Time) -> Option<usize> {
        let state = &self.stripes[usize::from(stripe)];
        // Who is in a hurry to leave a guest leaves the host's few places to those at home in the stripe. (In a mesh of five all stripes of
        // a listener moved to it within seconds.)
        let spared = |n: &Neighbour| state.unrest == Unrest::Guest && n.is_host() && stripe != self.home();
        let fits = |n: &Neighbour| {
            n.record.is_some()
                && n.slots() > 0
                && state.parent != Some(n.key)
                && n.fed & bit(stripe) == 0
                && !n.is_mute(now)
                && !self.members.barren.is_shunned(n.key, now)
                && !state.has_asked(n.key)
                && !state.avoids(n.key, now)
                && self.is_worth_asking(n, bit(stripe), now)
                && (need != Need::Better
                    || state.unrest == Unrest::Sent && self.has_place(n, stripe)
                    || !spared(n) && self.is_better(n, stripe))
        };
        let candidates = self.members.list.iter().enumerate().filter(|(_, n)| fits(n));
        candidates
            .min_by_key(|(_, n)| self.rank(n, stripe, now))
            .map(|(at, _)| at)
    }

    /// Source to this node in a stripe, in microseconds; `None` before anything came.
    pub(super) fn lag_of(&self, stripe: u8) -> Option<i64> {
        if self.is_source {
            return Some(0);
        }
        let state = self.stripes.get(usize::from(stripe))?;
        (state.offset_us != 0).then(|| state.offset_us - self.playback.source_us())
    }

    /// Whether a neighbour says it has a place for us in its home stripe.
    fn has_place(&self, n: &Neighbour, stripe: u8) -> bool {
        let count = self.stripe_count();
        let interior = self.slots > 0 && self.home() == stripe;
        if n.is_host() {
            return n.load.fed & bit(stripe) != 0 || interior && outranks(self.slots, n.load.weakest);
        }
        let room = n.load.free > 0 || interior && outranks(self.slots, n.load.weakest);
        n.key.home(count) == stripe && n.load.fed & bit(stripe) != 0 && room
    }

    /// The lag we would have below a neighbour, in milliseconds, if what it says and what we measured holds.
    fn promise_ms(&self, n: &Neighbour) -> u32 {
        u32::from(n.load.lag_ms) + u32::from(n.excess_ms) + self.way_of(n).as_millis() as u32
    }

    /// How long a chunk takes from a neighbour to here, with what it waits there unknown to it.
    pub(super) fn way_of(&self, n: &Neighbour) -> Duration {
        n.one_way() + self.repair.answers.lateness(n.key)
    }

    /// Whether somebody who is fed should bother a neighbour at all.
    fn is_better(&self, n: &Neighbour, stripe: u8) -> bool {
        let guest = self.hangs_at_guest(stripe);
        // One that is full may have guests, who make room.
        let is_home = || !n.is_host() && n.key.home(self.stripe_count()) == stripe && n.load.fed & bit(stripe) != 0;
        if !(self.has_place(n, stripe) || guest && is_home()) {
            return false;
        }
        let Some(lag_us) = self.lag_of(stripe) else { return true };
        let lag_ms = (lag_us.max(0) / 1_000) as u32;
        let promise = self.promise_ms(n);
        if guest {
            return promise < lag_ms + HOME_BONUS_MS;
        }
        let worth = if self.slots > 0 && self.home() == stripe {
            WORTH_INTERIOR_MS
        } else {
            WORTH_LEAF_MS
        };
        promise + worth < lag_ms
    }

    /// Whether a stripe comes from somebody who is not at home in it.
    fn hangs_at_guest(&self, stripe: u8) -> bool {
        let parent = self.stripes[usize::from(stripe)]
            .parent
            .and_then(|key| self.members.by_key(key));
        parent.is_some_and(|at| {
            let parent = &self.members.list[at];
            !parent.is_host() && parent.key.home(self.stripe_count()) != stripe
        })
    }

    /// Smaller is better: a likely place in its home stripe with the least lag, then a guest's place, then the unknown.
    fn rank(&self, n: &Neighbour, stripe: u8, now: Time) -> (u8, u32) {
        let home = n.key.home(self.stripe_count()) == stripe;
        let fed = n.load.fed & bit(stripe) != 0;
        let class = if self.has_place(n, stripe) {
            0
        } else if !home && !n.is_host() && fed && n.load.free > 0 {
            1
        } else if home || n.is_host() {
            2
        } else {
            3
        };
        // After a probe, those who answered come before those who did not.
        let is_mute = now.since(self.probed) < self.config.lag_cooldown && n.heard < self.probed;
        let class = if is_mute { class + 4 } else { class };
        let class = class + self.members.barren.times(n.key) * 8;
        let cost = if class == 0 {
            self.promise_ms(n)
        } else {
            n.rtt_us / 1_000
        };
        (class, cost)
    }

    /// Looks now and then, in one stripe, for a place that is better than ours: at home in the stripe, or nearer to the host.
    pub(super) fn improve(&mut self, now: Time) {
        if self.is_source || self.phase != Phase::Running || self.stripes.is_empty() {
            return;
        }
        let (home, count) = (self.home(), self.stripe_count());
        let interior = self.slots > 0;
        let guests: Vec<u8> = (0..count).filter(|stripe| self.hangs_at_guest(*stripe)).collect();
        let (stripe, why) = if !guests.is_empty() && self.rng.below(LOOK_GUEST) == 0 {
            (guests[self.rng.below(guests.len())], Unrest::Guest)
        } else if interior && self.rng.below(LOOK_HOME) == 0 {
            (home, Unrest::Curious)
        } else if self.rng.below(LOOK_OTHER) < usize::from(count) {
            (self.rng.below(usize::from(count)) as u8, Unrest::Curious)
        } else {
            return;
        };
        if now.since(self.stripes[usize::from(stripe)].since) > Duration::from_secs(1) {
            self.look(stripe, why, now);
        }
    }

    /// Asks the neighbour that promises a better place in a stripe, if one does.
    pub(super) fn look(&mut self, stripe: u8, why: Unrest, now: Time) {
        let state = &mut self.stripes[usize::from(stripe)];
        if state.path.is_none() || state.candidate.is_some() || !state.asked.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut state.unrest, why);
        if self.best_candidate(stripe, Need::Better, now).is_some() {
            self.seek_stripe(stripe, now);
        } else {
            self.stripes[usize::from(stripe)].unrest = before;
        }
    }

    /// Notes how far a parent's word lies from what it gives.
    pub(super) fn note_excess(&mut self, stripe: u8) {
        let Some(lag_us) = self.lag_of(stripe) else { return };
        let Some(at) = self.stripes[usize::from(stripe)]
            .parent
            .and_then(|key| self.members.by_key(key))
        else {
            return;
        };
        let n = &self.members.list[at];
        let said_ms = u32::from(n.load.lag_ms) + self.way_of(n).as_millis() as u32;
        let real_ms = (lag_us.max(0) / 1_000) as u32;
        self.members.list[at].excess_ms = real_ms.saturating_sub(said_ms).min(5_000) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::record::Key;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn who_hangs_at_a_guest_asks_one_at_home_that_has_no_place_left_too() {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let others: Vec<usize> = (0..6).map(|_| rig.listener(Config::default(), &[host])).collect();
        let via: Vec<usize> = std::iter::once(host).chain(others.iter().copied()).collect();
        let at = rig.listener(Config::default(), &via);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        let keys: Vec<Key> = mesh
            .members
            .list
            .iter()
            .filter(|n| !n.is_host())
            .map(|n| n.key)
            .collect();
        let of = |home: u8| keys.iter().copied().filter(move |key| key.home(2) == home);
        let stripe = (0..2)
            .find(|stripe| of(*stripe).count() > 1 && of(1 - stripe).count() > 0)
            .unwrap();
        // All are full, and as near to the host as we are.
        let lag_ms = (mesh.lag_of(stripe).unwrap() / 1_000) as u16;
        for n in &mut mesh.members.list {
            (n.load.free, n.load.slots, n.load.weakest, n.load.lag_ms) = (0, 12, u8::MAX, lag_ms);
            n.load.fed = if n.is_host() { 0 } else { 3 };
            (n.fed, n.feeds, n.excess_ms) = (0, 0, 0);
        }
        let state = &mut mesh.stripes[usize::from(stripe)];
        (state.unrest, state.candidate) = (Unrest::Calm, None);
        state.asked.clear();
        state.avoid.clear();
        let mut asks = |parent: Key| {
            mesh.stripes[usize::from(stripe)].parent = Some(parent);
            let best = mesh.best_candidate(stripe, Need::Better, now);
            best.map(|at| mesh.members.list[at].key)
        };
        let home: Vec<Key> = of(stripe).collect();
        assert_eq!(asks(home[0]), None);
        assert!(home.contains(&asks(of(1 - stripe).next().unwrap()).unwrap()));
    }

    #[test]
    fn the_host_is_for_those_at_home_where_one_hurries_to_leave_a_guest() {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let other = rig.listener(Config::default(), &[host]);
        let lot: Vec<usize> = (0..6)
            .map(|_| rig.listener(Config::default(), &[host, other]))
            .collect();
        rig.run(Duration::from_secs(6));
        let (now, host) = (rig.now, rig.nodes[host].peer);
        let other = Key::of(&rig.nodes[other].peer);
        let guest_in = 1 - other.home(2);
        let home_in = |stripe: u8| *lot.iter().find(|at| rig.nodes[**at].mesh.home() == stripe).unwrap();
        let (at_home, away) = (home_in(guest_in), home_in(1 - guest_in));
        let mut asks = |at: usize, unrest: Unrest| {
            let mesh = &mut rig.nodes[at].mesh;
            for n in &mut mesh.members.list {
                // The host and the guest alone have been heard of.
                (n.fed, n.feeds) = (if n.is_host() || n.key == other { 0 } else { 3 }, 0);
                (n.load.fed, n.load.free, n.load.lag_ms, n.excess_ms) = (3, 4, 0, 0);
            }
            let state = &mut mesh.stripes[usize::from(guest_in)];
            (state.parent, state.unrest, state.candidate) = (Some(other), unrest, None);
            state.asked.clear();
            state.avoid.clear();
            let best = mesh.best_candidate(guest_in, Need::Better, now);
            best.map(|at| mesh.members.list[at].peer)
        };
        assert_eq!(asks(at_home, Unrest::Guest), Some(host));
        assert_eq!(asks(away, Unrest::Curious), Some(host));
        assert_eq!(asks(away, Unrest::Guest), None);
    }
}
