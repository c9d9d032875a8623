//! Strong children are told of a place above: that is how they rise, one level at a time.

use std::sync::Arc;
use std::time::Duration;

use super::rise::{links_used, outranks};
use super::spend::PRESSED;
use super::{Mesh, Phase, bit, stripes_of};
use crate::mesh::Delivery;
use crate::mesh::member::Neighbour;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::wire::Message;
use crate::units::{Stripe, Time};

/// How long a parent's word of its room is taken for true, and the pause between two questions.
const NEWS_LAST: Duration = Duration::from_millis(600);
const NEWS_PAUSE: Duration = Duration::from_millis(400);
/// The pause for the sake of a child that is no newcomer any more: a question each 400 ms takes 3 % of an upload of 48 kbit/s.
const NEWS_PAUSE_LONG: Duration = Duration::from_secs(3);
const NEWCOMER: Duration = Duration::from_secs(5);

impl Mesh {
    /// Tells the strongest child that our own parent has a place for it: strong nodes rise, and the tree stays shallow. (At every
    /// third turn 3,000 listeners changed parents 5.1 times a minute each in place of 4.1, since they took longer to settle.)
    pub(super) fn lift(&mut self, now: Time) {
        if self.is_source || self.phase != Phase::Running {
            return;
        }
        self.lift_at_home(now);
        for stripe in stripes_of(self.members.feeding & self.all_stripes() & !bit(self.home())) {
            self.lift_over_guest(stripe, now);
        }
        self.rise_over_guest(now);
    }

    /// What the parent said of its room is good for one child, and for a moment: with what it had said up to 21 s before, a third of
    /// those who were sent there came in vain, and each paid for a handshake.
    pub(super) fn lift_at_home(&mut self, now: Time) {
        let home = self.home();
        let Some((above, free)) = self.place_above(home) else {
            return;
        };
        let (key, pinged) = (above.key, above.pinged);
        let takes = |slots: u8| slots > 0 && (free || outranks(slots, above.load.weakest));
        let children = self.members.list.iter().enumerate();
        let able = children.filter_map(|(at, n)| {
            let slots = self.strength(n, now).filter(|slots| takes(*slots))?;
            Some((slots, links_used(n), at))
        });
        let Some((_, _, best)) = able.max() else { return };
        if now.since(self.told_above) <= NEWS_LAST {
            self.told_above = Time::ZERO;
            self.point_above(best, home, now);
            return;
        }
        // It is asked more rarely for one whom it has not taken.
        let child = self.members.list[best].child.as_ref();
        let is_new = child.is_some_and(|child| now.since(child.since) < NEWCOMER);
        let pause = if is_new { NEWS_PAUSE } else { NEWS_PAUSE_LONG };
        if now.since(pinged) >= pause
            && let Some(at) = self.members.by_key(key)
        {
            self.ping(at, now);
        }
    }

    /// The parent in our own stripe has told how full it is.
    pub(super) fn hear_above(&mut self, at: usize, now: Time) {
        let home = self.home();
        if self.is_source || self.phase != Phase::Running || self.members.list[at].feeds & bit(home) == 0 {
            return;
        }
        self.told_above = now;
        if !self.is_pressed(PRESSED, now) {
            self.lift_at_home(now);
        }
    }

    /// Tells a child whose own stripe we pass on as a guest that it could stand where we do. (Four guests held a stripe at a host that
    /// knew nobody at home in it: 214 of 219 listeners hung on the one link that a guest could spare, and it was taken back each second.)
    fn lift_over_guest(&mut self, stripe: u8, now: Time) {
        let count = self.stripe_count();
        let is_guest_of = |n: &Neighbour| n.is_host() || n.key.home(count) == stripe;
        if !self.place_above(stripe).is_some_and(|(above, _)| is_guest_of(above)) {
            return;
        }
        let at_home =
            |n: &Neighbour| n.fed & !n.leaving & bit(stripe) != 0 && n.key.home(count) == stripe && n.slots() > 0;
        let children = self.members.list.iter().enumerate().filter(|(_, n)| at_home(n));
        if let Some((_, at)) = children.map(|(at, n)| (n.slots(), at)).max() {
            self.point_above(at, stripe, now);
        }
    }

    /// The parent of a stripe that is fed, if one could dial it, and whether it has a free place there.
    fn place_above(&self, stripe: u8) -> Option<(&Neighbour, bool)> {
        let parent = self.stripes.get(usize::from(stripe)).and_then(|state| state.parent);
        let parent = parent.filter(|_| self.is_fed(stripe))?;
        let above = &self.members.list[self.members.by_key(parent)?];
        let free = if above.is_host() {
            above.load.fed & bit(stripe) != 0
        } else {
            above.load.free > 1
        };
        let named = above.record.as_ref().is_some_and(|record| !record.addrs.is_empty());
        named.then_some((above, free))
    }

    /// Names the parent of a stripe to a child.
    fn point_above(&mut self, at: usize, stripe: u8, now: Time) {
        let record = self.place_above(stripe).and_then(|(above, _)| above.record.clone());
        if let Some(record) = record {
            let stripe = Stripe(stripe);
            self.send(at, Message::Hint { stripe, record }, Delivery::Reliable, now);
        }
    }

    /// The parent says that its own parent has a place for us, or anybody that somebody else looks for one.
    pub(super) fn on_hint(&mut self, at: usize, stripe: Stripe, record: &Arc<PeerRecord>, now: Time) {
        let key = self.members.list[at].key;
        let Some(state) = self.stripes.get(usize::from(stripe.0)) else {
            return;
        };
        let named = Key::of(&record.peer);
        let is_above = state.path.as_ref().is_some_and(|path| path.contains(&named));
        if !is_above {
            return self.on_introduction(at, stripe.0, record, now);
        }
        if state.parent != Some(key) || !self.learn(at, std::slice::from_ref(record), now) {
            return;
        }
        if let Some(near) = self.members.find(&record.peer) {
            self.ask_for_better(near, stripe.0, now);
        } else if self.dial(record, now) {
            self.stripes[usize::from(stripe.0)].hint = Some(Key::of(&record.peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::wire::Load;
    use crate::mesh::{Config, Output};

    #[test]
    fn a_child_is_sent_above_on_fresh_word_only_and_one_for_each() {
        let (mut rig, host, relay) = Rig::relayed();
        let child = rig.listener(Config::default(), &[relay]);
        rig.run(NEWCOMER + Duration::from_secs(4));
        let (now, above, child) = (rig.now, rig.nodes[host].peer, rig.nodes[child].peer);
        let mesh = &mut rig.nodes[relay].mesh;
        let at = mesh.members.find(&above).unwrap();
        let strong = mesh.members.find(&child).unwrap();
        assert!(mesh.members.list[strong].fed & bit(0) != 0 && mesh.members.list[strong].slots() > 0);
        let says = |weakest| Load {
            weakest,
            ..Load::default()
        };
        mesh.members.list[at].load = says(0);
        let mut does = |word: Option<Load>, later: Duration| {
            let now = now + later;
            match word {
                Some(load) => mesh.on_pong(at, 0, load, now),
                None => mesh.lift_at_home(now),
            }
            let outputs = std::iter::from_fn(|| mesh.poll_output());
            let named = |output: Output| match output {
                Output::Send { to, message, .. } => match message {
                    Message::Hint { .. } => (to == child).then_some("hint"),
                    Message::Ping { .. } => (to == above).then_some("ping"),
                    _ => None,
                },
                _ => None,
            };
            outputs.filter_map(named).collect::<Vec<_>>()
        };
        let after = |millis| Duration::from_millis(millis);
        assert_eq!(does(None, after(0)), ["ping"], "what it said long ago is not believed");
        assert!(does(None, after(100)).is_empty(), "it has been asked");
        assert_eq!(does(Some(says(0)), after(150)), ["hint"]);
        assert!(does(None, after(200)).is_empty(), "one child for one word");
        assert!(
            does(None, after(1_000)).is_empty(),
            "it did not take it, and is asked rarely"
        );
        assert_eq!(does(None, NEWS_PAUSE_LONG), ["ping"]);
        assert!(
            does(Some(says(u8::MAX)), NEWS_PAUSE_LONG + after(50)).is_empty(),
            "it has no place"
        );
    }
}
