//! Repair, both ways: asking neighbours for what is missing, and answering those who ask.

use std::sync::Arc;
use std::time::Duration;

use super::{Mesh, Phase, bit};
use crate::mesh::Delivery;
use crate::mesh::member::Neighbour;
use crate::mesh::repair::Want;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Message, SeqSet};
use crate::units::{Seq, Time};

/// Pause after each refusal of a want, longer from one to the next.
const LACK_PAUSE: Duration = Duration::from_millis(30);

/// Chunks beyond the newest that a neighbour may be ahead of us; what lies further is not held for anybody.
const HOLD_AHEAD: u64 = 64;

impl Mesh {
    /// Asks for every chunk whose time has come, each of one neighbour.
    pub(super) fn ask(&mut self, now: Time) {
        let Some(session) = self.session.clone() else { return };
        let config = Arc::clone(&self.config);
        let deadline = |mesh: &Mesh, seq| mesh.playback.published(seq, session.chunk_time) + config.deadline;
        let mut batches: Vec<(usize, SeqSet)> = Vec::new();
        let mut next = Time(u64::MAX);
        let mut wants = std::mem::take(&mut self.repair.wants);
        wants.retain_mut(|want| {
            let useless = self.window.has(want.seq) || self.window.is_past(want.seq) || deadline(self, want.seq) <= now;
            if useless || (want.tries >= config.repair_tries && want.due <= now) {
                return false;
            }
            if want.due <= now {
                match self.whom_to_ask(want, now) {
                    Some(at) if want.tries > 0 || self.repair.allowance.take(1.0, now) => {
                        want.ask(self.members.list[at].key, now + config.repair_retry);
                        add_to_batch(&mut batches, at, want.seq);
                    }
                    Some(_) | None => want.due = now + config.repair_retry / 2,
                }
            }
            next = next.min(want.due);
            true
        });
        self.repair.wants = wants;
        for (at, set) in batches {
            self.send(at, Message::Want(set), Delivery::Datagram, now);
        }
        if next < Time(u64::MAX) {
            self.timers.by(Timer::Repair, next);
        }
    }

    /// The neighbour most likely to have a chunk soon: those who feed us other stripes first, the host last.
    fn whom_to_ask(&mut self, want: &Want, now: Time) -> Option<usize> {
        let stripe = want.seq.stripe(self.stripe_count()).0;
        let parent = self.stripes[usize::from(stripe)].parent;
        let rank = |n: &Neighbour| -> u32 {
            let slow = n.rtt_us / 20_000;
            let silent = u32::from(now.since(n.heard) > self.config.repair_retry * 3) * 8;
            let unmet = u32::from(n.unmet.saturating_sub(n.met)).min(8);
            let kind = if n.is_host() {
                12
            } else if n.feeds & !bit(stripe) != 0 {
                0
            } else if n.feeds == 0 && n.fed == 0 {
                3
            } else {
                5
            };
            let own = u32::from(parent == Some(n.key)) * 20;
            let poor = u32::from(n.load.free == 0 && n.feeds == 0) * 2;
            kind + poor + slow + silent + unmet + own
        };
        let can = |n: &Neighbour| {
            n.record.is_some()
                && n.slots() > 0
                && !want.has_asked(n.key)
                && n.fed & bit(stripe) == 0
                && n.unanswered < 2
        };
        let start = self.rng.below(4) as u32;
        self.members
            .list
            .iter()
            .enumerate()
            .filter(|(_, n)| can(n))
            .min_by_key(|(at, n)| rank(n) * 4 + (*at as u32 + start) % 4)
            .map(|(at, _)| at)
    }

    pub(super) fn on_want(&mut self, at: usize, set: SeqSet, now: Time) {
        // After the host's farewell the last chunks are still asked for.
        if self.phase == Phase::Left || self.session.is_none() {
            return;
        }
        let key = self.members.list[at].key;
        let mut lack: Option<SeqSet> = None;
        for seq in set.iter() {
            let held = self.window.get(seq).cloned();
            let served = match held {
                Some(chunk) if self.slots > 0 && self.may_spend(chunk.payload.len(), now) => {
                    let age = now.since(self.playback.published(seq, self.chunk_time()));
                    let hops = self.hops_of(seq.stripe(self.stripe_count()).0);
                    self.pass_on(at, &chunk, hops, age, true, now)
                }
                Some(_) => false,
                None if self.slots == 0 || self.is_source || self.window.is_past(seq) => false,
                None if seq.0 > self.window.newest().0 + HOLD_AHEAD => false,
                None => self.repair.hold(seq, key, now + self.config.repair_hold),
            };
            if !served {
                match &mut lack {
                    None => lack = Some(SeqSet::one(seq)),
                    Some(lack) => _ = lack.add(seq),
                }
            }
        }
        if let Some(lack) = lack {
            self.send(at, Message::Lack(lack), Delivery::Datagram, now);
        }
    }

    pub(super) fn on_lack(&mut self, at: usize, set: SeqSet, now: Time) {
        let neighbour = &mut self.members.list[at];
        neighbour.unmet = neighbour.unmet.saturating_add(1);
        let key = neighbour.key;
        let mut due = Time(u64::MAX);
        for seq in set.iter() {
            if let Ok(index) = self.repair.wants.binary_search_by_key(&seq, |want| want.seq)
                && self.repair.wants[index].asked[2] == Some(key)
            {
                let want = &mut self.repair.wants[index];
                // Whoever is asked at once may lack it for the same reason.
                want.due = now + LACK_PAUSE * u32::from(want.tries);
                due = due.min(want.due);
            }
        }
        if due < Time(u64::MAX) {
            self.timers.by(Timer::Repair, due);
        }
    }
}

fn add_to_batch(batches: &mut Vec<(usize, SeqSet)>, at: usize, seq: Seq) {
    for (other, set) in batches.iter_mut() {
        if *other == at && set.add(seq) {
            return;
        }
    }
    batches.push((at, SeqSet::one(seq)));
}
