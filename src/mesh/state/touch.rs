//! For a driver of very many nodes: the memory of a node comes before its turn, and that of several nodes at once. So it does
//! only while nothing waits for what is read: each step reads what the one before has brought, for all nodes before the next.

use super::{Mesh, bit};
use crate::mesh::record::Key;
use crate::mesh::timer::Timer;
use crate::units::{PeerId, Seq};

impl Mesh {
    /// The first step: reads from every part of the node itself, and changes nothing. The sum is worth nothing; it keeps the
    /// reads from being left out.
    pub fn touch(&self) -> u64 {
        u64::from(self.key.0)
            ^ self.members.list.len() as u64
            ^ self.stripes.len() as u64
            ^ self.window.newest().0
            ^ self.repair.wants.len() as u64
            ^ self.bursts.len() as u64
            ^ self.playback.touch()
            ^ self.upload.touch()
            ^ self.timers.touch()
            ^ self.totals.received_bytes
            ^ self.totals.payload_sent_bytes
            ^ self.fresh_at.0
            ^ self.watch_due.0
            ^ u64::from(self.load.free)
    }

    /// The second step: what hangs on the node and is looked at each time.
    pub fn touch_lists(&self, chunk: Option<Seq>) -> u64 {
        let stripes = self.stripes.iter().fold(0, |sum, state| sum ^ state.touch());
        let chunk = chunk.unwrap_or(self.window.newest());
        let own = self.stripes.get(usize::from(self.stripe_of(chunk)));
        stripes
            ^ own.map_or(0, |state| state.touch_own())
            ^ self.members.touch()
            ^ self.playback.touch_stripes()
            ^ self.window.touch(chunk)
    }

    /// The third step: the neighbour that a message comes from, a chunk if it has a number, and all neighbours where they will
    /// be walked along.
    pub fn touch_neighbours(&self, from: Option<Key>, chunk: Option<Seq>) -> u64 {
        let list = &self.members.list;
        let from = from.and_then(|from| self.members.by_key(from)).map(|at| &list[at]);
        let is_walked = match (from, chunk) {
            (Some(_), Some(seq)) => self.members.feeding & bit(self.stripe_of(seq)) != 0,
            // A ping asks what there is room for beside the children.
            (Some(_), None) => self.members.feeding != 0,
            (None, _) => self.timers.next().is_some_and(|(_, timer)| timer == Timer::Status),
        };
        let walked = if is_walked { &list[..] } else { &[] };
        let sum = walked.iter().fold(0, |sum, n| sum ^ u64::from(n.fed));
        sum ^ from.map_or(0, |from| from.touch()) ^ self.window.touch(self.playback.next())
    }

    /// Those whom a chunk will be passed on to, for a last step.
    pub fn touch_children(&self, chunk: Seq) -> impl Iterator<Item = PeerId> + '_ {
        let bit = bit(self.stripe_of(chunk));
        let feeding = self.members.feeding & bit != 0;
        let walked = if feeding { &self.members.list[..] } else { &[] };
        walked.iter().filter(move |n| n.fed & bit != 0).map(|n| n.peer)
    }

    fn stripe_of(&self, seq: Seq) -> u8 {
        seq.stripe(self.stripe_count().max(1)).0
    }
}
