//! The host's media clock as this node can tell it: when, by our own clock, which moment of the show was live.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Time;

/// Chunks are judged in blocks of this length, each of which keeps its least delayed one.
const BLOCK: Duration = Duration::from_secs(1);
/// Blocks whose minimum counts for the present: long enough to outlast jitter, short enough for 500 ppm to stay below 5 ms.
const RECENT_BLOCKS: usize = 8;
/// Blocks that the drift is measured over.
const DRIFT_BLOCKS: usize = 180;
/// Blocks without which no drift is told.
const DRIFT_MIN_BLOCKS: usize = 15;
/// How quickly the estimate follows a better one.
const FOLLOW: Duration = Duration::from_secs(4);
/// A change this large is not drift but another clock: a suspended machine, a host that was stopped.
const JUMP: Duration = Duration::from_millis(400);
/// Blocks after which a show that is late by a jump is believed.
const JUMP_BLOCKS: usize = 2;
/// A chunk that claims to be this much younger or older than most of its block is not believed: a relay may lie about ages.
const CREDIBLE: Duration = Duration::from_millis(100);
/// Chunks of one block that are looked at.
const BLOCK_CHUNKS: usize = 64;
/// Lags that are remembered: about eight seconds of them.
const LAGS: usize = 128;
/// Lags without which only the least one counts, since a join begins with old chunks.
const LAGS_MIN: usize = 16;
/// What the road may add to the wanted delay.
const LAG_MAX: Duration = Duration::from_secs(5);

/// Estimates the moment at which the show began, by our clock, from chunks that each claim an age.
pub(super) struct MediaClock {
    chunk_us: f64,
    /// Time of media zero in microseconds of our clock; negative when the show is older than this process.
    origin_us: Option<f64>,
    updated: Time,
    block_began: Time,
    /// Origins that the chunks of this block speak for.
    block: Vec<f64>,
    /// Least credible origin of each block with its time; the last one is still growing.
    minima: VecDeque<(f64, f64)>,
    newest_seq: Option<u64>,
    lags_us: VecDeque<f64>,
    lag_us: f64,
    lag_at: Time,
}

impl MediaClock {
    pub(super) fn new(chunk_time: Duration) -> MediaClock {
        MediaClock {
            chunk_us: chunk_time.as_micros() as f64,
            origin_us: None,
            updated: Time::ZERO,
            block_began: Time::ZERO,
            block: Vec::with_capacity(BLOCK_CHUNKS),
            minima: VecDeque::with_capacity(DRIFT_BLOCKS + 1),
            newest_seq: None,
            lags_us: VecDeque::with_capacity(LAGS + 1),
            lag_us: 0.0,
            lag_at: Time::ZERO,
        }
    }

    /// Learns from one chunk: it was published when its last sample had been heard by the host, `age` before it arrived.
    pub(super) fn on_chunk(&mut self, seq: u64, age: Duration, arrived: Time) {
        let at = arrived.as_micros() as f64;
        let media_end = (seq as f64 + 1.0) * self.chunk_us;
        self.learn(at - age.as_micros() as f64 - media_end, arrived);
        self.follow(arrived);
        let newer = self.newest_seq.is_none_or(|newest| seq > newest);
        if newer {
            self.newest_seq = Some(seq);
        }
        // Chunks that come together after a stall tell of one stall.
        let apart = arrived.since(self.lag_at).as_micros() as f64 >= self.chunk_us / 2.0;
        if newer
            && apart
            && let Some(origin) = self.origin_us
        {
            self.lag_at = arrived;
            self.remember_lag((at - media_end - origin).max(0.0));
        }
    }

    fn learn(&mut self, origin: f64, now: Time) {
        if self.minima.is_empty() || now.since(self.block_began) >= BLOCK {
            self.block_began = now;
            self.block.clear();
            self.minima.push_back((now.as_micros() as f64, origin));
            if self.minima.len() > DRIFT_BLOCKS {
                self.minima.pop_front();
            }
        }
        if self.block.len() == BLOCK_CHUNKS {
            return;
        }
        let place = self.block.partition_point(|other| *other < origin);
        self.block.insert(place, origin);
        let median = self.block[self.block.len() / 2];
        let credible = self.block.iter().find(|o| **o >= median - CREDIBLE.as_micros() as f64);
        if let (Some(least), Some(last)) = (credible, self.minima.back_mut())
            && (last.1 - least).abs() > 0.5
        {
            *last = (now.as_micros() as f64, *least);
        }
    }

    fn follow(&mut self, now: Time) {
        let least = |blocks: usize| {
            self.minima
                .iter()
                .rev()
                .take(blocks)
                .map(|m| m.1)
                .fold(f64::INFINITY, f64::min)
        };
        let best = least(RECENT_BLOCKS);
        let Some(origin) = self.origin_us else {
            self.origin_us = Some(best);
            self.updated = now;
            return;
        };
        let jump = JUMP.as_micros() as f64;
        let share = (now.since(self.updated).as_secs_f64() / FOLLOW.as_secs_f64()).min(1.0);
        // While young, every better chunk counts at once.
        let share = if self.minima.len() <= 2 && best < origin {
            1.0
        } else {
            share
        };
        let late = least(JUMP_BLOCKS + 1);
        self.updated = now;
        if best < origin - jump {
            self.origin_us = Some(best);
        } else if self.minima.len() > JUMP_BLOCKS && late > origin + jump {
            self.minima.drain(..self.minima.len() - JUMP_BLOCKS);
            self.origin_us = Some(late);
        } else {
            self.origin_us = Some(origin + (best - origin) * share);
        }
    }

    fn remember_lag(&mut self, lag: f64) {
        self.lags_us.push_back(lag.min(LAG_MAX.as_micros() as f64));
        if self.lags_us.len() > LAGS {
            self.lags_us.pop_front();
        }
        let mut lags: Vec<f64> = self.lags_us.iter().copied().collect();
        let most = if lags.len() < LAGS_MIN { 0 } else { lags.len() * 9 / 10 };
        self.lag_us = *lags.select_nth_unstable_by(most, f64::total_cmp).1;
    }

    /// Frames of the show that had been heard by the host at `now`; `None` before the first chunk.
    pub(super) fn live_frame(&self, now: Time, rate: f64) -> Option<f64> {
        self.origin_us
            .map(|origin| (now.as_micros() as f64 - origin) * rate / 1e6)
    }

    /// The delay below which every tenth chunk would come too late as things are: a chunk must be complete and have travelled.
    pub(super) fn least_delay(&self) -> Duration {
        Duration::from_micros((self.chunk_us + self.lag_us) as u64)
    }

    /// The host's clock against ours in parts per million, positive when it is faster; zero until it is known.
    pub(super) fn drift_ppm(&self) -> f32 {
        let n = self.minima.len();
        if n < DRIFT_MIN_BLOCKS {
            return 0.0;
        }
        // Leave the newest block out: its minimum may still come.
        let points = || self.minima.iter().take(n - 1);
        let count = (n - 1) as f64;
        let (mean_x, mean_y) = (
            points().map(|p| p.0).sum::<f64>() / count,
            points().map(|p| p.1).sum::<f64>() / count,
        );
        let (mut xy, mut xx) = (0.0, 0.0);
        for (x, y) in points() {
            xy += (x - mean_x) * (y - mean_y);
            xx += (x - mean_x) * (x - mean_x);
        }
        if xx > 0.0 { (-xy / xx * 1e6) as f32 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(60);

    fn feed(ppm: f64, seconds: u64, jitter_ms: u64) -> (MediaClock, Time) {
        let mut clock = MediaClock::new(T);
        let mut seed = 1u64;
        let mut arrived = Time::ZERO;
        for seq in 0..seconds * 1_000 / 60 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let late = if jitter_ms == 0 {
                0
            } else {
                (seed >> 33) % (jitter_ms * 1_000)
            };
            let published = 5e6 + (seq as f64 + 1.0) * 60_000.0 * (1.0 - ppm * 1e-6);
            arrived = Time(published as u64 + 20_000 + late);
            clock.on_chunk(seq, Duration::from_millis(20), arrived);
        }
        (clock, arrived)
    }

    #[test]
    fn the_live_moment_is_known_within_milliseconds_in_spite_of_jitter() {
        let (clock, now) = feed(0.0, 30, 150);
        let live = clock.live_frame(now, 1_000.0).unwrap();
        let truth = (now.as_micros() as f64 - 5e6) / 1e3;
        assert!((live - truth).abs() < 8.0, "{live} {truth}");
    }

    #[test]
    fn drift_is_told_with_its_sign() {
        for ppm in [-200.0, 0.0, 200.0] {
            let (clock, _) = feed(ppm, 180, 20);
            assert!(
                (f64::from(clock.drift_ppm()) - ppm).abs() < 30.0,
                "{ppm} {}",
                clock.drift_ppm()
            );
        }
    }

    #[test]
    fn the_least_delay_covers_a_chunk_and_its_road() {
        let (clock, _) = feed(0.0, 30, 150);
        let least = clock.least_delay().as_millis();
        assert!((190..=225).contains(&least), "{least}");
    }

    #[test]
    fn one_liar_among_four_parents_is_not_believed() {
        let mut clock = MediaClock::new(T);
        let mut now = Time::ZERO;
        for seq in 0..500u64 {
            now = Time(5_000_000 + (seq + 1) * 60_000 + 20_000);
            let age = if seq % 4 == 0 {
                Duration::from_secs(3)
            } else {
                Duration::from_millis(20)
            };
            clock.on_chunk(seq, age, now);
        }
        let live = clock.live_frame(now, 1_000.0).unwrap();
        assert!((live - (now.as_micros() as f64 - 5e6) / 1e3).abs() < 2.0, "{live}");
    }

    #[test]
    fn a_host_that_was_suspended_is_believed_after_two_seconds() {
        let mut clock = MediaClock::new(T);
        let mut now = Time::ZERO;
        for seq in 0..300u64 {
            let slept = if seq >= 240 { 10_000_000 } else { 0 };
            now = Time(5_000_000 + (seq + 1) * 60_000 + 20_000 + slept);
            clock.on_chunk(seq, Duration::from_millis(20), now);
        }
        let live = clock.live_frame(now, 1_000.0).unwrap();
        assert!((live - (now.as_micros() as f64 - 15e6) / 1e3).abs() < 2.0, "{live}");
    }
}
