//! How peers have behaved: strikes, bans, and who is left alone for a while.

use std::time::Duration;

use crate::units::{PeerId, Time};

/// Peers remembered for misbehaviour; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 64;
/// Peers that the person has blocked; no number of bans pushes them out.
const BLOCKED_MAX: usize = 1_024;

/// A short memory of bad behaviour. Empty for nearly every node, so it is a small list.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    banned: Vec<(PeerId, Time)>,
    blocked: Vec<PeerId>,
}

impl Standing {
    /// Refuses the peer until `until`.
    pub fn ban(&mut self, peer: PeerId, until: Time) {
        self.banned.retain(|(other, _)| *other != peer);
        if self.banned.len() >= REMEMBERED_MAX {
            self.banned.remove(0);
        }
        self.banned.push((peer, until));
    }

    /// Refuses the peer for as long as this node runs.
    pub fn block(&mut self, peer: PeerId) {
        self.blocked.retain(|other| *other != peer);
        if self.blocked.len() >= BLOCKED_MAX {
            self.blocked.remove(0);
        }
        self.blocked.push(peer);
    }

    /// Whether the peer is refused now.
    pub fn is_banned(&self, peer: &PeerId, now: Time) -> bool {
        self.blocked.contains(peer) || self.banned.iter().any(|(other, until)| other == peer && *until > now)
    }
}

/// What one neighbour may send, by kind; each kind has its own allowance over two seconds.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    since: Time,
    counts: [u16; 4],
}

/// Kinds of messages with separate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Hello, session, records, farewell.
    Greeting = 0,
    /// Attach and its answers, paths, status, ping.
    Control = 1,
    /// Want and lack.
    Repair = 2,
    /// Chunks.
    Chunk = 3,
}

/// What became of a message under its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Over the limit: not looked at.
    Dropped,
    /// Over four times the limit: the neighbour is to go.
    Flood,
}

const SPAN: Duration = Duration::from_secs(2);
/// Messages in [`SPAN`]; each about four times what an honest neighbour was seen to send in the worst case.
const GREETINGS_MAX: u16 = 16;
const CONTROLS_MAX: u16 = 80;

impl Allowance {
    /// Counts one message of a kind, or the `weight` chunks that it asks for; `chunks` is the limit for chunks and for asking,
    /// which depends on the stream.
    pub fn count(&mut self, kind: Kind, weight: u16, chunks: u16, now: Time) -> Verdict {
        if now.since(self.since) >= SPAN {
            self.since = now;
            self.counts = [0; 4];
        }
        let limit = match kind {
            Kind::Greeting => GREETINGS_MAX,
            Kind::Control => CONTROLS_MAX,
            Kind::Repair | Kind::Chunk => chunks,
        };
        let count = &mut self.counts[kind as usize];
        *count = count.saturating_add(weight);
        if *count <= limit {
            Verdict::Fine
        } else if *count <= limit.saturating_mul(4) {
            Verdict::Dropped
        } else {
            Verdict::Flood
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_and_a_block_does_not() {
        let (a, b) = (PeerId([1; 32]), PeerId([2; 32]));
        let mut standing = Standing::default();
        standing.ban(a, Time(100));
        standing.block(b);
        assert!(standing.is_banned(&a, Time(99)) && !standing.is_banned(&a, Time(100)));
        for n in 3..200 {
            standing.ban(PeerId([n; 32]), Time(100));
        }
        assert!(standing.is_banned(&b, Time(u64::MAX - 1)));
    }

    #[test]
    fn a_flood_is_dropped_then_ends_the_link() {
        let mut allowance = Allowance::default();
        let verdicts: Vec<_> = (0..70)
            .map(|_| allowance.count(Kind::Greeting, 1, 0, Time(1)))
            .collect();
        assert_eq!(verdicts[15], Verdict::Fine);
        assert_eq!(verdicts[16], Verdict::Dropped);
        assert_eq!(verdicts[64], Verdict::Flood);
        assert_eq!(allowance.count(Kind::Greeting, 1, 0, Time(3_000_000)), Verdict::Fine);
    }

    #[test]
    fn asking_counts_by_the_chunks_that_are_asked_for() {
        let mut allowance = Allowance::default();
        let verdicts: Vec<_> = (0..13)
            .map(|_| allowance.count(Kind::Repair, 65, 200, Time(1)))
            .collect();
        assert_eq!(verdicts[2], Verdict::Fine);
        assert_eq!(verdicts[3], Verdict::Dropped);
        assert_eq!(verdicts[12], Verdict::Flood);
    }
}
