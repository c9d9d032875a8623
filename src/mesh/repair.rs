//! What is missing: what to ask for, from whom, before when; and what others asked of us and we wait for ourselves.

use std::time::Duration;

use crate::mesh::answers::Answers;
use crate::mesh::budget::Bucket;
use crate::mesh::record::Key;
use crate::units::{Seq, Time};

/// Those remembered who were asked for a chunk.
const ASKED_MAX: usize = 8;

/// A chunk that was asked for or is about to be.
#[derive(Clone, Debug)]
pub struct Want {
    pub seq: Seq,
    /// The last ones asked; the newest first. (With three, some were asked twice that lacked it while others were never asked.)
    asked: [Option<Key>; ASKED_MAX],
    pub tries: u8,
    /// When it was last asked for.
    pub asked_at: Time,
    /// When to ask, or to ask the next one.
    pub due: Time,
}

impl Want {
    /// Whether this peer was asked already.
    pub fn has_asked(&self, key: Key) -> bool {
        self.asked.contains(&Some(key))
    }

    /// Notes who is asked.
    pub fn ask(&mut self, key: Key, now: Time) {
        self.ask_too(key);
        self.tries += 1;
        self.asked_at = now;
    }

    /// Notes who is asked beside another one.
    pub fn ask_too(&mut self, key: Key) {
        self.asked.rotate_right(1);
        self.asked[0] = Some(key);
    }

    /// Whether what this peer says now answers the last ask: not when it had been asked before, and nobody answers in so short a time.
    pub fn is_answer(&self, key: Key, soonest: Duration, now: Time) -> bool {
        let is_again = self.asked[1..].contains(&Some(key));
        self.asked[0] == Some(key) && !(is_again && now.since(self.asked_at) < soonest)
    }
}

/// A chunk that somebody asked us for and that we do not have yet.
#[derive(Clone, Debug)]
pub struct Held {
    pub seq: Seq,
    pub by: Key,
    pub until: Time,
}

/// Open wants, oldest chunk first, and held ones.
#[derive(Clone, Debug)]
pub struct Repair {
    pub wants: Vec<Want>,
    pub held: Vec<Held>,
    /// The last ones that came late, and when.
    pub late: [(Seq, Time); 4],
    /// How many chunks may be asked for.
    pub allowance: Bucket,
    pub answers: Answers,
}

/// Open wants of one node: more than a window never helps.
const WANTS_MAX: usize = 128;
/// Chunks held for others, and for one of them: half of what one may ask for in a message.
const HELD_MAX: usize = 64;
const HELD_EACH_MAX: usize = 32;

impl Repair {
    /// `per_second` asks in the long run, `burst` at once.
    pub fn new(per_second: f64, burst: f64, now: Time) -> Repair {
        Repair {
            wants: Vec::new(),
            held: Vec::new(),
            late: [(Seq(u64::MAX), Time::ZERO); 4],
            allowance: Bucket::new(per_second, burst, now),
            answers: Answers::default(),
        }
    }

    /// Reads something of each part of it that is loaded at once.
    pub fn touch(&self) -> u64 {
        (self.wants.len() ^ self.held.len()) as u64 ^ self.late[0].1.0 ^ self.late[3].1.0
    }

    /// Opens a want; the earliest deadline stays first.
    pub fn want(&mut self, seq: Seq, due: Time) {
        let Err(at) = self.wants.binary_search_by_key(&seq, |want| want.seq) else {
            return;
        };
        if self.wants.len() < WANTS_MAX {
            let want = Want {
                seq,
                asked: [None; ASKED_MAX],
                tries: 0,
                asked_at: Time::ZERO,
                due,
            };
            self.wants.insert(at, want);
        }
    }

    /// Closes a want; returns it if it had been asked.
    pub fn close(&mut self, seq: Seq) -> Option<Want> {
        let at = self.wants.binary_search_by_key(&seq, |want| want.seq).ok()?;
        let want = self.wants.remove(at);
        (want.tries > 0).then_some(want)
    }

    /// Notes one that came after it was asked for.
    pub fn note_late(&mut self, seq: Seq, now: Time) {
        self.late.rotate_right(1);
        self.late[0] = (seq, now);
    }

    /// When one of the last that were late came.
    pub fn came_late(&self, seq: Seq) -> Option<Time> {
        self.late.iter().find(|(other, _)| *other == seq).map(|(_, at)| *at)
    }

    /// Whether somebody has been asked for a chunk.
    pub fn is_asked(&self, seq: Seq) -> bool {
        let at = self.wants.binary_search_by_key(&seq, |want| want.seq);
        at.is_ok_and(|at| self.wants[at].tries > 0)
    }

    /// Remembers to send a chunk when it comes; false when too many wait, or too many for this one.
    pub fn hold(&mut self, seq: Seq, by: Key, until: Time) -> bool {
        let own = self.held.iter().filter(|held| held.by == by).count();
        if self.held.len() >= HELD_MAX || own >= HELD_EACH_MAX {
            return false;
        }
        if !self.held.iter().any(|held| held.seq == seq && held.by == by) {
            self.held.push(Held { seq, by, until });
        }
        true
    }

    /// Who waits for a chunk that has come.
    pub fn release(&mut self, seq: Seq, now: Time) -> Vec<Key> {
        if self.held.is_empty() {
            return Vec::new();
        }
        self.held.retain(|held| held.until > now);
        let waiting = self
            .held
            .iter()
            .filter(|held| held.seq == seq)
            .map(|held| held.by)
            .collect();
        self.held.retain(|held| held.seq != seq);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_is_asked_first_and_each_chunk_once() {
        let mut repair = Repair::new(4.0, 4.0, Time(0));
        for seq in [9, 3, 5, 3] {
            repair.want(Seq(seq), Time(1));
        }
        let order: Vec<_> = repair.wants.iter().map(|want| want.seq.0).collect();
        assert_eq!(order, [3, 5, 9]);
        assert!(repair.close(Seq(5)).is_none());
        repair.wants[0].ask(Key(7), Time(1));
        assert!(repair.close(Seq(3)).unwrap().has_asked(Key(7)));
    }

    #[test]
    fn a_held_chunk_goes_to_those_who_still_wait() {
        let mut repair = Repair::new(4.0, 4.0, Time(0));
        repair.hold(Seq(1), Key(1), Time(10));
        repair.hold(Seq(1), Key(2), Time(30));
        repair.hold(Seq(2), Key(3), Time(30));
        assert_eq!(repair.release(Seq(1), Time(20)), [Key(2)]);
        assert_eq!(repair.held.len(), 1);
    }
}
