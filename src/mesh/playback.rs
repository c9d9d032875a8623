//! The node's own account of what it should have heard: when chunks are due, and which did not come in time.

use std::time::Duration;

use crate::limits::STRIPES_MAX;
use crate::mesh::window::Window;
use crate::units::{Seq, Time};

/// Ages kept for the median lag: about the last second at 60 ms a chunk.
const AGES: usize = 16;
/// How far one chunk's age may lie from what its stripe told before and be believed.
const STEP_MAX_US: i64 = 1_000_000;
/// The best way is forgotten by this share of what it is ahead of today's with each live chunk: half of it in three seconds.
const RELAX: i64 = 64;
/// How long it takes at least until the best way is known.
const SETTLING: Duration = Duration::from_secs(1);
/// Contiguous sound with which playback begins.
const START: Duration = Duration::from_millis(360);
/// Half-minute halves of the last minute's continuity.
const SPAN: Duration = Duration::from_secs(30);

/// Due and missed chunks.
#[derive(Clone, Debug, Default)]
pub struct Playback {
    /// Next chunk whose deadline has not passed; `None` before the first chunk.
    next: Option<u64>,
    /// Whether playback has begun: with the first run of chunks that is long enough, and only what follows is due.
    begun: bool,
    /// When the host published chunk 0, on our clock: the middle of what the stripes tell, so that no single parent moves it
    /// by what it says of the age of its chunks.
    source_us: i64,
    /// The same as the chunks of each stripe tell.
    by_stripe: Vec<Told>,
    /// When chunk 0 would have come here at the best, as all chunks tell, and when the first live one came.
    earliest_us: Option<i64>,
    live_since: Option<Time>,
    pub due: u64,
    pub missed: u64,
    ages_ms: [u16; AGES],
    ages: u8,
    /// Due and missed in the running and in the last half minute.
    recent: [(u32, u32); 2],
    turned: Time,
}

/// What the chunks of one stripe tell.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// When the host published chunk 0, in microseconds on our clock.
    source_us: i64,
    /// The newest chunk that told it: what comes after it and is older was on its way for longer than anybody knows, or is sent again
    /// by one who says that it is new.
    newest: Seq,
    /// How many have told, up to [`Told::MEMORY`].
    count: u8,
}

impl Told {
    /// Later chunks count for one part in so many. The first ones count for more: the very first may lie.
    const MEMORY: u8 = 8;

    fn add(&mut self, seq: Seq, sample_us: i64) {
        if self.count > 0 && seq < self.newest {
            return;
        }
        self.newest = seq;
        self.count = (self.count + 1).min(Self::MEMORY);
        if self.count == 1 {
            self.source_us = sample_us;
        } else {
            self.source_us += (sample_us - self.source_us).clamp(-STEP_MAX_US, STEP_MAX_US) / i64::from(self.count);
        }
    }
}

impl Playback {
    /// A fresh chunk of a stripe came, published at that moment as its sender says; the best way here is no longer than `way`.
    pub fn on_chunk(&mut self, seq: Seq, stripe: u8, published: Time, chunk_time: Duration, way: Duration, now: Time) {
        let sample = published.0 as i64 - (seq.0 * chunk_time.as_micros() as u64) as i64;
        self.sample(stripe, seq, sample);
        // Whatever is said of its age, it was not published after it came.
        let come = now.0 as i64 - (seq.0 * chunk_time.as_micros() as u64) as i64;
        self.earliest_us = Some(self.earliest_us.map_or(come, |earliest| earliest.min(come)));
        if let Some((low, high)) = self.bounds(way, chunk_time, now) {
            self.source_us = self.source_us.clamp(low, high);
        }
        match self.next {
            None => {
                self.next = Some(seq.0);
                self.turned = now;
            }
            Some(next) if !self.begun && seq.0 < next => self.next = Some(seq.0),
            Some(_) => {}
        }
        let age = now.since(self.published(seq, chunk_time));
        let slot = usize::from(self.ages) % AGES;
        self.ages_ms[slot] = u16::try_from(age.as_millis()).unwrap_or(u16::MAX);
        self.ages = if usize::from(self.ages) + 1 >= 2 * AGES {
            AGES as u8
        } else {
            self.ages + 1
        };
    }

    /// A chunk came that is of the present; `usual_us` is when chunk 0 would come by the best of today's ways. What was once seen
    /// is remembered, for after a loss the only way that is left may be a very late one, but not for ever: a host can stall.
    pub fn on_live(&mut self, seq: Seq, chunk_time: Duration, usual_us: i64, now: Time) {
        let sample = now.0 as i64 - (seq.0 * chunk_time.as_micros() as u64) as i64;
        self.live_since.get_or_insert(now);
        let known = self.earliest_us.unwrap_or(sample);
        let relaxed = known + (usual_us - known).max(0) / RELAX;
        self.earliest_us = Some(relaxed.min(sample));
    }

    /// The next chunk that is due; zero before the first one.
    pub fn next(&self) -> Seq {
        Seq(self.next.unwrap_or(0))
    }

    /// Reads something of each part of it that is loaded at once.
    pub fn touch(&self) -> u64 {
        self.source_us as u64 ^ self.due ^ self.turned.0 ^ u64::from(self.ages_ms[0])
    }

    /// Reads what the stripes tell.
    pub fn touch_told(&self) -> u64 {
        let ends = [self.by_stripe.first(), self.by_stripe.last()];
        ends.into_iter().flatten().fold(0, |sum, told| sum ^ told.newest.0)
    }

    /// Whether a live chunk has come.
    pub fn has_lived(&self) -> bool {
        self.live_since.is_some()
    }

    /// Whether live chunks have come for so long.
    pub fn has_lived_for(&self, span: Duration, now: Time) -> bool {
        self.live_since.is_some_and(|since| now.since(since) > span)
    }

    /// Between what two moments, in microseconds on our clock, the host published chunk 0, whatever peers say: not after it came
    /// here at the best, and not long before, for the best `way` is no longer. The first ones that come may all be late, so until
    /// some rounds have passed peers are believed.
    fn bounds(&self, way: Duration, chunk_time: Duration, now: Time) -> Option<(i64, i64)> {
        let earliest = self.earliest_us?;
        let settling = (chunk_time * self.by_stripe.len() as u32 * 2).max(SETTLING);
        let is_settled = self.has_lived_for(settling, now);
        let low = if is_settled {
            earliest - way.as_micros() as i64
        } else {
            i64::MIN
        };
        Some((low, earliest))
    }

    fn sample(&mut self, stripe: u8, seq: Seq, sample_us: i64) {
        let at = usize::from(stripe);
        if self.by_stripe.len() <= at {
            self.by_stripe.resize(at + 1, Told::default());
        }
        self.by_stripe[at].add(seq, sample_us);
        let mut told = [0; STRIPES_MAX as usize];
        let mut count = 0;
        for known in self.by_stripe.iter().filter(|known| known.count > 0) {
            told[count] = known.source_us;
            count += 1;
        }
        told[..count].sort_unstable();
        // With the lower or the upper one of two in the middle, every node down the trees would be a little further off.
        self.source_us = (told[(count - 1) / 2] + told[count / 2]) / 2;
    }

    /// Whether playback has begun.
    pub fn has_begun(&self) -> bool {
        self.begun
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
        if !self.begun {
            let run = START
                .min(deadline / 2)
                .as_micros()
                .div_ceil(chunk_time.as_micros().max(1)) as u64;
            match window.first_run(Seq(next), run.max(1)) {
                Some(first) => next = first.0,
                // Whoever has waited that long and has no run misses what does not come.
                None if now.since(self.turned) < deadline => return,
                None => {}
            }
            self.begun = true;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(60);
    const WAY: Duration = Duration::from_millis(600);

    /// The age that is believed of the last of some chunks, a quarter of which a liar says are so old.
    fn believed(lie: Duration) -> Duration {
        let mut playback = Playback::default();
        let mut age = Duration::ZERO;
        for seq in 0..200u64 {
            let published = Time(10_000_000) + T * seq as u32;
            let now = published + Duration::from_millis(100);
            let stripe = (seq % 4) as u8;
            let claimed = if stripe == 1 { lie } else { Duration::from_millis(100) };
            playback.on_chunk(Seq(seq), stripe, now - claimed, T, WAY, now);
            age = now.since(playback.published(Seq(seq), T));
        }
        age
    }

    /// The age that is believed of the last of some chunks, the first of which was called new though it was three seconds old; with
    /// others like it in between, or not.
    fn believed_after_replays(more: bool) -> Duration {
        let mut playback = Playback::default();
        let mut hear = |seq: u64, age_ms: u64, claimed_ms: u64| {
            let now = Time(10_000_000) + T * seq as u32 + Duration::from_millis(age_ms);
            playback.on_chunk(Seq(seq), 0, now - Duration::from_millis(claimed_ms), T, WAY, now);
            now.since(playback.published(Seq(seq), T))
        };
        hear(60, 3_000, 0);
        for seq in 110..180 {
            hear(seq, 100, 100);
            if more {
                hear(seq - 50, 3_100, 0);
            }
        }
        hear(180, 100, 100)
    }

    #[test]
    fn who_sends_the_past_again_as_new_moves_nothing_for_long() {
        let believed = believed_after_replays(true);
        assert_eq!(believed, believed_after_replays(false));
        assert!((95..=100).contains(&believed.as_millis()), "{believed:?}");
    }

    #[test]
    fn one_parent_that_lies_about_ages_moves_nothing() {
        assert_eq!(believed(Duration::from_secs(9)), Duration::from_millis(100));
        assert_eq!(believed(Duration::ZERO), Duration::from_millis(100));
    }
}
