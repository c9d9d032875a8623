//! When the next frame is due: soon after what asked for it, and never more of them than a terminal is given in a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The part of the cap that keys may draw beyond it when meters and spectrum have used it up: a person waits for a key's frame.
const BORROWED_PART: usize = 2;
const SECOND: Duration = Duration::from_secs(1);

/// The frames of the last second, and the one that is due.
pub struct Frames {
    most: usize,
    drawn: VecDeque<Instant>,
    due: Option<Instant>,
}

impl Frames {
    /// At most so many a second. The first is due at once.
    pub fn new(most: usize) -> Frames {
        Frames {
            most,
            drawn: VecDeque::with_capacity(most + most / BORROWED_PART),
            due: Some(Instant::now()),
        }
    }

    /// A frame at the latest `gap` after the last one, or as soon as the cap allows.
    pub fn wish(&mut self, gap: Duration, now: Instant) {
        self.wish_within(gap, self.most, now);
    }

    /// The same for what a person did.
    pub fn wish_for_key(&mut self, gap: Duration, now: Instant) {
        self.wish_within(gap, self.most + self.most / BORROWED_PART, now);
    }

    fn wish_within(&mut self, gap: Duration, most: usize, now: Instant) {
        while self.drawn.front().is_some_and(|first| *first + SECOND <= now) {
            self.drawn.pop_front();
        }
        let after_last = self.drawn.back().map_or(now, |last| *last + gap);
        let full = self.drawn.len().checked_sub(most).and_then(|at| self.drawn.get(at));
        let at = after_last.max(full.map_or(now, |first| *first + SECOND)).max(now);
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When the next frame is due, if one is.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, now: Instant) {
        self.due = None;
        self.drawn.push_back(now);
        if self.drawn.len() > self.most + self.most / BORROWED_PART {
            self.drawn.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames drawn in a second of wishes every millisecond.
    fn count(most: usize, wish: impl Fn(&mut Frames, Instant)) -> usize {
        let start = Instant::now();
        let mut frames = Frames::new(most);
        let mut drawn = 0;
        for ms in 0..5_000 {
            let now = start + Duration::from_millis(ms);
            wish(&mut frames, now);
            if frames.due().is_some_and(|due| due <= now) {
                frames.drawn(now);
                drawn += 1;
            }
        }
        drawn / 5
    }

    #[test]
    fn neither_keys_nor_meters_draw_more_than_the_terminal_is_given() {
        for most in [30, 10] {
            let gap = Duration::from_millis(1_000 / most as u64);
            let meters = count(most, |frames, now| frames.wish(gap, now));
            assert!((most - 2..=most).contains(&meters), "{meters}");
            let keys = count(most, |frames, now| frames.wish_for_key(Duration::from_millis(16), now));
            assert!(keys <= most + most / BORROWED_PART, "{keys}");
        }
    }

    #[test]
    fn a_key_pressed_while_the_spectrum_moves_does_not_wait_for_the_cap() {
        let start = Instant::now();
        let mut frames = Frames::new(30);
        for ms in 0..1_000 {
            let now = start + Duration::from_millis(ms);
            frames.wish(Duration::from_millis(33), now);
            if frames.due().is_some_and(|due| due <= now) {
                frames.drawn(now);
            }
        }
        let now = start + Duration::from_millis(1_000);
        frames.wish_for_key(Duration::from_millis(16), now);
        assert!(frames.due().unwrap() <= now + Duration::from_millis(16));
    }
}
