//! Arrears: chunks that children were owed and were not sent when they came, for want of upload. They follow as soon as there is room.
//! When the roots of a stripe die, it stands still for a second and then comes all at once, and those near the host, whose links are all
//! in use, cannot pass it on at once: what they left out nobody below had, and it spread too slowly from one who asks to the next.

use super::{Mesh, bit};
use crate::mesh::budget::NO_ROOM_WAIT;
use crate::mesh::record::Key;
use crate::mesh::timer::Timer;
use crate::mesh::wire::CHUNK_HEADER_BYTES;
use crate::units::{Seq, Time};

/// A chunk that a child was not sent.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    to: Key,
    seq: Seq,
}

/// Chunks owed at once; what is beyond it children have to ask for.
const OWED_MAX: usize = 256;
/// Share of the budget up to which they are sent: what was really sent in the last second counts, not what feeding takes, for after a
/// gap nothing was.
const OWED_SHARE: f64 = 1.0;

impl Mesh {
    /// Remembers a chunk that a child was not sent.
    pub(super) fn owe(&mut self, at: usize, seq: Seq, now: Time) {
        let to = self.members.list[at].key;
        if self.arrears.len() < OWED_MAX && !self.is_owed(to, seq) {
            let place = self.arrears.partition_point(|owed| owed.seq <= seq);
            self.arrears.insert(place, Owed { to, seq });
        }
        self.timers.by(Timer::Burst, now + NO_ROOM_WAIT);
    }

    /// Whether a child will be sent this chunk later.
    pub(super) fn is_owed(&self, to: Key, seq: Seq) -> bool {
        self.arrears.iter().any(|owed| owed.to == to && owed.seq == seq)
    }

    /// Sends what is owed as far as there is room, the oldest first and one chunk to each child at a time.
    pub(super) fn pay_arrears(&mut self, now: Time) {
        if self.arrears.is_empty() {
            return;
        }
        let mut arrears = std::mem::take(&mut self.arrears);
        let (mut paid, mut is_full) = (Vec::new(), false);
        arrears.retain(|owed| {
            let stripe = owed.seq.stripe(self.stripe_count()).0;
            let child = self.members.by_key(owed.to);
            let child = child.filter(|at| self.members.list[*at].fed & bit(stripe) != 0);
            let (Some(at), Some(chunk)) = (child, self.window.get(owed.seq).cloned()) else {
                return false;
            };
            let age = self.age_of(owed.seq, now);
            if age > self.config.deadline {
                return false;
            }
            let bytes = chunk.payload.len() + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
            is_full = is_full || !self.upload.bears(bytes, OWED_SHARE, now);
            if is_full || paid.contains(&owed.to) {
                return true;
            }
            paid.push(owed.to);
            let hops = self.hops_of(stripe);
            self.pass_on(at, &chunk, hops, age, false, now);
            false
        });
        if !arrears.is_empty() {
            let pause = if is_full {
                NO_ROOM_WAIT
            } else {
                self.round() / self.config.join_speed.max(1)
            };
            self.timers.by(Timer::Burst, now + pause);
        }
        self.arrears = arrears;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::budget::Upload;
    use crate::mesh::state::rig::Rig;
    use std::time::Duration;

    #[test]
    fn what_a_full_second_does_not_bear_follows_in_the_next() {
        let (mut rig, _, relay) = Rig::relayed();
        let child = rig.listener(Config::default(), &[relay]);
        rig.run(Duration::from_secs(6));
        let (peer, parent) = (rig.nodes[child].peer, rig.nodes[relay].peer);
        assert_eq!(rig.nodes[child].mesh.parent(0), Some(parent));
        let now = rig.now;
        rig.nodes[relay].mesh.upload.charge(300_000, now);
        // Not for so long that the child looks for another parent.
        rig.run(Duration::from_millis(200));
        let mesh = &mut rig.nodes[relay].mesh;
        mesh.upload = Upload::new(mesh.upload_bps, mesh.round());
        let oldest = mesh.arrears.first().cloned().expect("some is owed");
        assert!(mesh.is_owed(Key::of(&peer), oldest.seq) && mesh.arrears.is_sorted_by_key(|owed| owed.seq));
        rig.run(Duration::from_millis(1_500));
        assert!(rig.nodes[relay].mesh.arrears.is_empty());
        assert_eq!(rig.holes(child), [0; 0]);
        let mesh = &rig.nodes[child].mesh;
        let at = mesh.members.find(&parent).unwrap();
        assert_eq!(
            mesh.members.list[at].unmet, 0,
            "nobody was told that it had to ask elsewhere"
        );
    }

    #[test]
    fn nothing_is_owed_to_one_who_has_left() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let relay = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        let now = rig.now;
        let peer = rig.nodes[relay].peer;
        let mesh = &mut rig.nodes[host].mesh;
        let at = mesh.members.find(&peer).unwrap();
        for seq in 0..2 * OWED_MAX as u64 {
            mesh.owe(at, Seq(seq), now);
        }
        assert_eq!(mesh.arrears.len(), OWED_MAX);
        mesh.members.list[at].fed = 0;
        mesh.pay_arrears(now);
        assert!(mesh.arrears.is_empty() && mesh.poll_output().is_none());
    }
}
