//! Repair: answering those who ask for what they miss.

use std::time::Duration;

use super::spend::REPAIR_SHARE;
use super::{Mesh, Phase, bit};
use crate::mesh::Delivery;
use crate::mesh::wire::{Message, SeqSet};
use crate::units::{Seq, Time};

/// Share of the budget up to which a child is sent what it asks for: it may ask others, and what its links take is in the budget
/// already. (With [`REPAIR_SHARE`] some sent 53 bytes too many in a second.)
const CHILD_REPAIR_SHARE: f64 = 0.96;
/// Chunks beyond the newest that a neighbour may be ahead of us; what lies further is not held for anybody.
const HOLD_AHEAD: u64 = 64;

impl Mesh {
    pub(super) fn on_want(&mut self, at: usize, set: SeqSet, within: Duration, now: Time) {
        // After the host's farewell the last chunks are still asked for.
        if self.phase == Phase::Left || self.session.is_none() {
            return;
        }
        let mut lack: Option<SeqSet> = None;
        for seq in set.iter() {
            let served = self.serve(at, seq, within, now);
            if !served {
                match &mut lack {
                    None => lack = Some(SeqSet::one(seq)),
                    Some(lack) => _ = lack.add(seq),
                }
            }
        }
        // Without an answer it asks another one, a little later.
        if let Some(message) = lack.map(Message::Lack)
            && self.bears_small_message(&message, now)
        {
            self.send(at, message, Delivery::Datagram, now);
        }
    }

    /// Gives an asker a chunk, or will when it comes; false when it had better ask somebody else.
    fn serve(&mut self, at: usize, seq: Seq, within: Duration, now: Time) -> bool {
        let stripe = seq.stripe(self.stripe_count()).0;
        let n = &self.members.list[at];
        let (key, rtt_us) = (n.key, u64::from(n.rtt_us));
        let is_child = n.fed & bit(stripe) != 0;
        // What it was just sent, and asked for meanwhile.
        let crosses = is_child
            && self
                .repair
                .came_late(seq)
                .is_some_and(|came| now.since(came) < Duration::from_micros(rtt_us));
        if crosses || self.is_in_burst(key, stripe, seq) || self.is_owed(key, seq) {
            return true;
        }
        let share = if is_child { CHILD_REPAIR_SHARE } else { REPAIR_SHARE };
        if let Some(chunk) = self.window.get(seq).cloned() {
            let age = self.age_of(seq, now);
            let hops = self.hops_of(stripe);
            return self.slots > 0
                && self.may_spend_up_to(share, chunk.payload.len(), now)
                && self.pass_on(at, &chunk, hops, age, true, now);
        }
        if self.window.is_past(seq) || seq.0 > self.window.newest().0 + HOLD_AHEAD {
            return false;
        }
        // What we lack all below us lack. It goes to them when it comes: an answer would make each of them fetch a copy elsewhere.
        if is_child && self.is_fed(stripe) && self.stripes[usize::from(stripe)].is_settled(now) {
            return true;
        }
        // Who looks for it as well may look for long: the other one had better ask somebody else at once.
        self.slots > 0
            && !self.is_source
            && !self.repair.is_asked(seq)
            && self.repair.hold(seq, key, now + within.min(self.config.repair_hold))
    }
}
