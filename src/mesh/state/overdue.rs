//! When chunks should have come, and are asked for.

use std::time::Duration;

use super::Mesh;
use super::flow::WATCH_MIN;
use crate::mesh::stripe::StripeState;
use crate::mesh::timer::Timer;
use crate::units::{Seq, Time};

/// A chunk is asked for while there is time to ask two neighbours: this, or a part of the time in which it must be here.
const TWO_TRIES: Duration = Duration::from_millis(300);
const TWO_TRIES_PART: u32 = 3;

impl Mesh {
    /// Wants every chunk of a stripe that should have come by now; says when the next one should.
    pub(super) fn want_overdue(&mut self, stripe: u8, now: Time) -> Time {
        let chunk_time = self.chunk_time();
        let count = u64::from(self.stripe_count());
        let newest = self.window.newest().0;
        let margin_min = self.config.repair_margin;
        if self.window.is_empty() {
            return now + margin_min;
        }
        // A stripe that was never fed is expected as the best of the others is.
        if self.stripes[usize::from(stripe)].offset_us == 0 {
            let (Some(offset), deviation) = self.best_offset() else {
                return now + margin_min;
            };
            let state = &mut self.stripes[usize::from(stripe)];
            state.offset_us = offset;
            state.deviation_us = deviation;
        }
        let margin = self.margin(&self.stripes[usize::from(stripe)]);
        let early = self.hurry(stripe, margin);
        let state = &mut self.stripes[usize::from(stripe)];
        let first = newest.saturating_sub(newest % count) + u64::from(stripe);
        let oldest = self.window.oldest().0;
        // After a jump, what lies before the window is not looked at one by one.
        let skipped = oldest.saturating_sub(state.expect.get().unwrap_or(first)) / count * count;
        let mut expect = state.expect.get().unwrap_or(first) + skipped;
        let live = newest + count * 2;
        loop {
            let due = state.usual_arrival(expect, chunk_time) + margin - early;
            if due > now || expect > live {
                state.expect.set(expect);
                return due.max(now + WATCH_MIN);
            }
            if !self.window.has(Seq(expect)) && !self.window.is_past(Seq(expect)) {
                self.repair.want(Seq(expect), now);
                self.timers.by(Timer::Repair, now);
            }
            expect += count;
        }
    }

    /// How much sooner than otherwise chunks of a stripe are asked for that usually come so late that, were one lost, there would be no
    /// time to ask. (Somebody missed a chunk in 38 worlds of 4,000, in many of them below a slow parent until a better one was found; with
    /// this in 19 to 28, in eight builds.)
    fn hurry(&self, stripe: u8, margin: Duration) -> Duration {
        let Some(lag_us) = self.lag_of(stripe).filter(|_| self.playback.has_begun()) else {
            return Duration::ZERO;
        };
        let asked = Duration::from_micros(lag_us.max(0) as u64) + margin;
        let wanted = (self.heard / TWO_TRIES_PART).min(TWO_TRIES);
        let sooner = (asked + wanted).saturating_sub(self.heard);
        if sooner.is_zero() {
            return sooner;
        }
        // No sooner than others have it, as far as one knows.
        let offset = self.stripes[usize::from(stripe)].offset_us;
        let behind = self.best_offset().0.map_or(0, |best| (offset - best).max(0) as u64);
        sooner.min(Duration::from_micros(behind))
    }

    /// How late a chunk of a stripe may be before it is asked for.
    pub(super) fn margin(&self, state: &StripeState) -> Duration {
        let lag_us = (state.offset_us - self.playback.source_us()).max(0) as u64;
        state.margin(&self.config, self.heard.saturating_sub(Duration::from_micros(lag_us)))
    }

    /// The smallest usual offset among fed stripes, with its deviation.
    pub(super) fn best_offset(&self) -> (Option<i64>, u32) {
        let fed = self
            .stripes
            .iter()
            .filter(|state| state.offset_us != 0 && state.path.is_some());
        let best = fed.min_by_key(|state| state.offset_us);
        (
            best.map(|state| state.offset_us),
            best.map_or(0, |state| state.deviation_us),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn what_comes_too_late_to_be_asked_for_in_time_is_asked_for_before_unless_all_is_late() {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let mesh = &mut rig.nodes[at].mesh;
        assert_eq!(mesh.heard, Duration::from_secs(2));
        let (source, margin) = (mesh.playback.source_us(), Duration::from_millis(40));
        let mut sooner = |lag_ms: i64, best_ms: i64| {
            mesh.stripes[0].offset_us = source + best_ms * 1_000;
            mesh.stripes[1].offset_us = source + lag_ms * 1_000;
            mesh.hurry(1, margin).as_millis()
        };
        assert_eq!(sooner(1_600, 100), 0);
        assert_eq!(sooner(1_900, 100), 240);
        assert_eq!(sooner(1_900, 1_800), 100, "no sooner than others have it");
        assert_eq!(sooner(1_900, 1_900), 0);
    }
}
