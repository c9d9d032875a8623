//! Bursts: the past of a stripe for a child that has just come.

use std::time::Duration;

use super::Mesh;
use crate::mesh::budget::NO_ROOM_WAIT;
use crate::mesh::record::Key;
use crate::mesh::session::Session;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Attach, CHUNK_HEADER_BYTES, Need};
use crate::units::{Seq, Time};

/// The past of a stripe on its way to a new child, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    pub to: Key,
    pub stripe: u8,
    next: u64,
    /// The first chunk that was pushed the usual way.
    end: u64,
    due: Time,
}

/// Bursts under way at one node; a request beyond it is fed from now on and repairs the rest.
const BURSTS_MAX: usize = 96;
/// Share of the budget up to which bursts may fill a second, as repairs do: a newcomer waits for them in silence. (Less made
/// a crowd wait 40 ms longer and a tenth of it be late.)
const BURST_SHARE: f64 = 1.0;
/// Share of the budget up to which a newcomer is given the whole past it has a use for, at once.
const WHOLE_PAST_SHARE: f64 = 0.5;

impl Mesh {
    /// Whether a burst will bring this chunk to a child anyway.
    pub(super) fn is_in_burst(&self, to: Key, stripe: u8, seq: Seq) -> bool {
        let covers =
            |burst: &Burst| burst.to == to && burst.stripe == stripe && (burst.next..burst.end).contains(&seq.0);
        self.bursts.iter().any(covers)
    }

    /// Sends a new child what it misses of a stripe: from a number on, or as much of the past as it has a use for.
    pub(super) fn start_burst(&mut self, at: usize, stripe: u8, attach: &Attach, now: Time) {
        let Some(session) = self.session.clone() else { return };
        if self.window.is_empty() {
            return;
        }
        let count = u64::from(session.stripes);
        let wanted = attach.from.map_or(0, |seq| seq.0).max(self.window.oldest().0);
        let end = self.window.newest().0 + 1;
        let age = |seq: u64| now.since(self.playback.published(Seq(seq), session.chunk_time));
        let first = wanted + (u64::from(stripe) + count - wanted % count) % count;
        let younger = |limit: Duration| {
            let mut past = (first..end).step_by(count as usize);
            past.find(|seq| age(*seq) <= limit).unwrap_or(end)
        };
        let (useful, usual) = match attach.from {
            Some(_) => (self.config.deadline, self.config.deadline),
            None => (attach.past, attach.past.min(self.config.join_past)),
        };
        let (whole, part) = (younger(useful), younger(usual));
        let mut next = part;
        // All that are asked for at once, so that no stripe reaches further back than the next.
        let asked = (attach.stripes & self.all_stripes()) >> stripe;
        let chunks = (end - whole).div_ceil(count) * u64::from(asked.count_ones());
        if whole < part && self.has_room_for_past(chunks, &session, now) {
            next = whole;
        }
        // Who had a parent until now is owed what that one could not send, as our other children are what we had not: for so long as
        // nothing came nothing was sent, and there is room for it.
        if attach.need == Need::Orphan {
            for seq in (next..end).step_by(count as usize) {
                self.owe(at, Seq(seq), now);
            }
            return self.pay_arrears(now);
        }
        if next >= end || self.bursts.len() >= BURSTS_MAX {
            return;
        }
        let to = self.members.list[at].key;
        self.bursts.retain(|burst| burst.to != to || burst.stripe != stripe);
        self.bursts.push(Burst {
            to,
            stripe,
            next,
            end,
            due: now,
        });
        self.pace_bursts(now);
    }

    /// Whether so many chunks of the past may be sent beside what feeding takes and other bursts will still take.
    fn has_room_for_past(&mut self, chunks: u64, session: &Session, now: Time) -> bool {
        let count = u64::from(session.stripes);
        let under_way = self.bursts.iter().map(|b| b.end.saturating_sub(b.next).div_ceil(count));
        let chunks = chunks + under_way.sum::<u64>();
        let payload = f64::from(session.bitrate_bps) / 8.0 * session.chunk_time.as_secs_f64();
        let bytes = payload as usize + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        let feeding = self.feeding(now);
        self.upload
            .has_room(chunks as usize * bytes, feeding, WHOLE_PAST_SHARE, now)
    }

    /// Sends what is owed and the next chunk of each burst that is due, and sets the timer for the rest.
    pub(super) fn pace_bursts(&mut self, now: Time) {
        self.pay_arrears(now);
        let round = self.round();
        let count = u64::from(self.stripe_count().max(1));
        let mut bursts = std::mem::take(&mut self.bursts);
        bursts.retain_mut(|burst| {
            if burst.due > now {
                return true;
            }
            let Some(at) = self.members.by_key(burst.to) else {
                return false;
            };
            while burst.next < burst.end {
                let Some(chunk) = self.window.get(Seq(burst.next)).cloned() else {
                    burst.next += count;
                    continue;
                };
                let bytes = chunk.payload.len() + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
                if !self.upload.has_room(bytes, self.feeding(now), BURST_SHARE, now) {
                    burst.due = now + NO_ROOM_WAIT;
                    return true;
                }
                let age = self.age_of(chunk.seq, now);
                let hops = self.hops_of(burst.stripe);
                self.pass_on(at, &chunk, hops, age, true, now);
                burst.next += count;
                burst.due = now + round / self.config.join_speed.max(1);
                break;
            }
            burst.next < burst.end
        });
        if let Some(due) = bursts.iter().map(|burst| burst.due).min() {
            self.timers.by(Timer::Burst, due);
        }
        self.bursts = bursts;
    }
}
