//! Bursts: the past of a stripe for a child that has just come.

use super::Mesh;
use crate::mesh::budget::NO_ROOM_WAIT;
use crate::mesh::record::Key;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Attach, CHUNK_HEADER_BYTES};
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
/// Share of the budget up to which bursts may fill a second; repairs keep the more of it, for they are sooner too late.
const BURST_SHARE: f64 = 0.93;

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
        let young = |seq: u64| now.since(self.playback.published(Seq(seq), session.chunk_time));
        let limit = match attach.from {
            Some(_) => self.config.deadline,
            None => self.config.join_past.min(attach.past),
        };
        let mut next = wanted + (u64::from(stripe) + count - wanted % count) % count;
        while next < end && young(next) > limit {
            next += count;
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

    /// Sends the next chunk of each burst that is due and sets the timer for the rest.
    pub(super) fn pace_bursts(&mut self, now: Time) {
        let step = self.round() / self.config.join_speed.max(1);
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
                let age = now.since(self.playback.published(chunk.seq, self.chunk_time()));
                let hops = self.hops_of(burst.stripe);
                self.pass_on(at, &chunk, hops, age, true, now);
                burst.next += count;
                burst.due = now + step;
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
