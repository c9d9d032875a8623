//! The node's own account of what it should have heard: when chunks are due, and which did not come in time.

use std::time::Duration;

use crate::mesh::window::Window;
use crate::units::{Seq, Time};

/// Ages kept for the median lag: about the last second at 60 ms a chunk.
const AGES: usize = 16;
/// Half-minute halves of the last minute's continuity.
const SPAN: Duration = Duration::from_secs(30);

/// Due and missed chunks.
#[derive(Clone, Debug, Default)]
pub struct Playback {
    /// Next chunk whose deadline has not passed; `None` before the first chunk.
    next: Option<u64>,
    /// When the host published chunk 0, on our clock, as far as the ages of chunks tell.
    source_us: i64,
    pub due: u64,
    pub missed: u64,
    ages_ms: [u16; AGES],
    ages: u8,
    /// Due and missed in the running and in the last half minute.
    recent: [(u32, u32); 2],
    turned: Time,
}

impl Playback {
    /// A fresh chunk came.
    pub fn on_chunk(&mut self, seq: Seq, age: Duration, chunk_time: Duration, now: Time) {
        let published = now.0 as i64 - age.as_micros() as i64;
        let sample = published - (seq.0 * chunk_time.as_micros() as u64) as i64;
        match self.next {
            None => {
                self.next = Some(seq.0);
                self.source_us = sample;
                self.turned = now;
            }
            Some(next) => {
                self.source_us += (sample - self.source_us) / 32;
                if self.due == 0 && seq.0 < next {
                    self.next = Some(seq.0);
                }
            }
        }
        let slot = usize::from(self.ages) % AGES;
        self.ages_ms[slot] = u16::try_from(age.as_millis()).unwrap_or(u16::MAX);
        self.ages = if usize::from(self.ages) + 1 >= 2 * AGES {
            AGES as u8
        } else {
            self.ages + 1
        };
    }

    /// When the host published chunk 0, in microseconds on our clock, which may have started later.
    pub fn source_us(&self) -> i64 {
        self.source_us
    }

    /// When the host published a chunk, on our clock.
    pub fn published(&self, seq: Seq, chunk_time: Duration) -> Time {
        Time((self.source_us + (seq.0 * chunk_time.as_micros() as u64) as i64).max(0) as u64)
    }

    /// Counts the chunks whose deadline has passed; after a farewell none beyond the `last` one is due.
    pub fn advance(&mut self, window: &Window, deadline: Duration, chunk_time: Duration, last: Option<Seq>, now: Time) {
        let Some(mut next) = self.next else { return };
        // A jump of the session's clock must not be counted chunk by chunk.
        next = next.max(window.oldest().0);
        while last.is_none_or(|last| next <= last.0) && self.published(Seq(next), chunk_time) + deadline <= now {
            let missed = !window.has(Seq(next));
            self.due += 1;
            self.missed += u64::from(missed);
            self.recent[0].0 += 1;
            self.recent[0].1 += u32::from(missed);
            next += 1;
            if next > window.newest().0 + 1_000 {
                break;
            }
        }
        self.next = Some(next);
        if now.since(self.turned) > SPAN {
            self.turned = now;
            self.recent = [(0, 0), self.recent[0]];
        }
    }

    /// Median age of the latest chunks at their arrival.
    pub fn lag(&self) -> Duration {
        let count = usize::from(self.ages).min(AGES);
        let mut ages = self.ages_ms;
        let ages = &mut ages[..count];
        ages.sort_unstable();
        Duration::from_millis(u64::from(ages.get(count / 2).copied().unwrap_or(0)))
    }

    /// Continuity of the last minute in millionths; whole when nothing was due yet.
    pub fn continuity_ppm(&self) -> u32 {
        let due = u64::from(self.recent[0].0) + u64::from(self.recent[1].0);
        let missed = u64::from(self.recent[0].1) + u64::from(self.recent[1].1);
        1_000_000 - (missed * 1_000_000).checked_div(due).unwrap_or(0) as u32
    }
}
