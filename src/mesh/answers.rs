//! How long those who are asked for chunks take to answer: some pass sound on late, and say nothing of it.

use std::time::Duration;

use crate::mesh::record::Key;
use crate::units::{Seq, Time};

/// Asks remembered, and for how long.
const PENDING_MAX: usize = 16;
const PENDING_FOR: Duration = Duration::from_secs(3);
/// Neighbours of whose lateness we know.
const LATE_MAX: usize = 16;
/// What is less may be chance.
const LATE_MIN: Duration = Duration::from_millis(100);
/// Answers in a row that must be late: those who have to wait for a chunk themselves are late now and then.
const IN_A_ROW: usize = 2;

/// Asks under way, and who answers late.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pending: Vec<Asked>,
    late: Vec<Late>,
}

#[derive(Clone, Debug)]
struct Asked {
    of: Key,
    seq: Seq,
    within: Duration,
    at: Time,
}

/// By how much the last answers of one were late, in milliseconds.
#[derive(Clone, Debug)]
struct Late {
    by: Key,
    ms: [u16; IN_A_ROW],
}

impl Answers {
    /// Reads something of both lists.
    pub fn touch(&self) -> u64 {
        let asked = self.pending.first().map_or(0, |asked| asked.seq.0);
        self.late.first().map_or(asked, |late| asked ^ u64::from(late.by.0))
    }

    /// Somebody is asked for a chunk and may wait for it itself so long.
    pub fn ask(&mut self, of: Key, seq: Seq, within: Duration, now: Time) {
        self.pending.retain(|asked| now.since(asked.at) < PENDING_FOR);
        if self.pending.len() < PENDING_MAX {
            self.pending.push(Asked {
                of,
                seq,
                within,
                at: now,
            });
        }
    }

    /// A chunk comes from somebody at such a distance. A parent that lacks a chunk itself sends it when it comes; others wait no longer
    /// than they were asked to.
    pub fn came(&mut self, from: Key, seq: Seq, rtt: Duration, is_parent: bool, now: Time) {
        let Some(at) = self
            .pending
            .iter()
            .position(|asked| asked.of == from && asked.seq == seq)
        else {
            return;
        };
        let asked = self.pending.swap_remove(at);
        let wait = if is_parent { Duration::ZERO } else { asked.within };
        let late = now.since(asked.at).saturating_sub(rtt + wait);
        let known = self.late.iter().position(|late| late.by == from);
        if late < LATE_MIN {
            if let Some(known) = known {
                self.late.remove(known);
            }
            return;
        }
        let at = known.unwrap_or_else(|| {
            if self.late.len() == LATE_MAX {
                self.late.remove(0);
            }
            self.late.push(Late {
                by: from,
                ms: [0; IN_A_ROW],
            });
            self.late.len() - 1
        });
        self.late[at].ms.rotate_right(1);
        self.late[at].ms[0] = u16::try_from(late.as_millis()).unwrap_or(u16::MAX);
    }

    /// By how much somebody passes chunks on late, as far as its last answers show.
    pub fn lateness(&self, of: Key) -> Duration {
        let known = self.late.iter().find(|late| late.by == of);
        let least = known.and_then(|late| late.ms.iter().min()).copied();
        Duration::from_millis(u64::from(least.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    /// The lateness of one whose answers take so long, in milliseconds, when it may wait for 100 ms itself.
    fn lateness(is_parent: bool, answers: &[u64]) -> u64 {
        let mut known = Answers::default();
        for (n, took) in answers.iter().enumerate() {
            let now = Time::ZERO + Duration::from_secs(1) * n as u32;
            known.ask(Key(1), Seq(n as u64), Duration::from_millis(100), now);
            let came = now + Duration::from_millis(*took);
            known.came(Key(2), Seq(n as u64), RTT, is_parent, came);
            known.came(Key(1), Seq(n as u64), RTT, is_parent, came);
            // A copy of it.
            known.came(Key(1), Seq(n as u64), RTT, is_parent, now + Duration::from_secs(2));
        }
        assert_eq!(known.lateness(Key(2)), Duration::ZERO);
        known.lateness(Key(1)).as_millis() as u64
    }

    #[test]
    fn who_answers_late_again_and_again_is_late() {
        assert_eq!(lateness(true, &[450]), 0, "once may be chance");
        assert_eq!(lateness(true, &[450, 350]), 300);
        assert_eq!(lateness(true, &[450, 60, 350]), 0);
        assert_eq!(lateness(true, &[450, 60, 350, 400]), 300);
    }

    #[test]
    fn who_is_not_the_parent_may_have_waited_for_the_chunk_itself() {
        assert_eq!(lateness(false, &[240, 240]), 0);
        assert_eq!(lateness(false, &[450, 350]), 200);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Answers::default();
        for n in 0..100 {
            known.ask(Key(n), Seq(1), Duration::ZERO, Time::ZERO);
        }
        assert_eq!(known.pending.len(), PENDING_MAX);
        for n in 0..100 {
            let now = Time::ZERO + Duration::from_secs(9) * n;
            known.ask(Key(n), Seq(1), Duration::ZERO, now);
            known.came(Key(n), Seq(1), RTT, true, now + Duration::from_millis(500));
        }
        assert_eq!((known.pending.len(), known.late.len()), (0, LATE_MAX));
    }
}
