//! An output without a sound card: the system's clock asks for sound as a device would, and it goes nowhere.

use std::time::{Duration, Instant};

use crate::device::output::READY;
use crate::device::ring::{frames_in, time_of};

/// Behind by more than this (a suspended machine), what lies before is skipped instead of asked for.
const STALL_MAX: Duration = Duration::from_millis(500);

/// Plays to nobody, in real time.
pub(super) struct Null {
    rate: u32,
    begun: Instant,
    taken: u64,
}

impl Null {
    pub fn new(rate: u32, now: Instant) -> Null {
        Null {
            rate,
            begun: now,
            taken: 0,
        }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Frames that would fill it up, as a device's ring would be.
    pub fn wanted_frames(&mut self, now: Instant) -> usize {
        let heard = frames_in(now.saturating_duration_since(self.begun), self.rate) as u64;
        let stall = frames_in(STALL_MAX, self.rate) as u64;
        self.taken = self.taken.max(heard.saturating_sub(stall));
        (heard + frames_in(READY, self.rate) as u64).saturating_sub(self.taken) as usize
    }

    pub fn write(&mut self, frames: usize) {
        self.taken += frames as u64;
    }

    /// What a device would still hold.
    pub fn latency(&self, now: Instant) -> Duration {
        let heard = frames_in(now.saturating_duration_since(self.begun), self.rate) as u64;
        time_of(self.taken.saturating_sub(heard) as usize, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames kept ready at 48 kHz.
    fn ready() -> usize {
        READY.as_millis() as usize * 48
    }

    #[test]
    fn it_asks_for_as_much_as_time_passes() {
        let begun = Instant::now();
        let mut null = Null::new(48_000, begun);
        let mut total = 0;
        for step in 0..=500 {
            let wanted = null.wanted_frames(begun + Duration::from_millis(20 * step));
            null.write(wanted);
            total += wanted;
        }
        assert_eq!(total, 480_000 + ready());
        assert_eq!(null.latency(begun + Duration::from_secs(10)), READY);
    }

    #[test]
    fn a_suspended_machine_is_not_asked_for_the_hours_it_slept() {
        let begun = Instant::now();
        let mut null = Null::new(48_000, begun);
        let wanted = null.wanted_frames(begun + Duration::from_secs(7_200));
        assert_eq!(wanted, 24_000 + ready());
    }
}
