//! For a driver of very many nodes: the memory of a node comes before its turn, and that of several nodes at once.

use super::{Mesh, bit};
use crate::mesh::record::Key;
use crate::mesh::timer::Timer;
use crate::units::Seq;

impl Mesh {
    /// Reads from every part of the node itself, and changes nothing. The sum is worth nothing; it keeps the reads from being
    /// left out.
    pub fn touch(&self) -> u64 {
        u64::from(self.key.0)
            ^ self.members.list.len() as u64
            ^ self.stripes.len() as u64
            ^ self.window.newest().0
            ^ self.repair.wants.len() as u64
            ^ self.bursts.len() as u64
            ^ self.upload.touch()
            ^ self.timers.next().map_or(0, |(at, _)| at.0)
            ^ self.totals.received_bytes
            ^ self.totals.payload_sent_bytes
            ^ self.fresh_at.0
            ^ self.watch_due.0
            ^ u64::from(self.load.free)
    }

    /// The same for what hangs on the node and is about to be looked at: by a message `from` a neighbour, a chunk if it has a
    /// number, or else by a timer.
    pub fn touch_lists(&self, from: Option<Key>, chunk: Option<Seq>) -> u64 {
        let mut sum = from
            .and_then(|from| self.members.by_key(from))
            .map_or(0, |at| self.members.list[at].touch());
        let is_walked = match (from, chunk) {
            (Some(_), Some(seq)) => self.members.feeding & bit(seq.stripe(self.stripe_count().max(1)).0) != 0,
            (Some(_), None) => self.slots > 0,
            (None, _) => self.timers.next().is_some_and(|(_, timer)| timer == Timer::Status),
        };
        if is_walked {
            sum ^= self.members.list.iter().fold(0, |sum, n| sum ^ u64::from(n.fed));
        }
        for stripe in &self.stripes {
            sum ^= stripe.touch();
        }
        sum ^ self.window.touch() ^ self.playback.touch()
    }
}
