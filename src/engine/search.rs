//! When a channel that has lost everybody looks for others. Pure: time is an argument.

use std::time::Duration;

use crate::units::Time;

/// How long a channel may be without anybody before others are looked for.
const ALONE_MAX: Duration = Duration::from_secs(2);
/// Pause after the first search, which itself takes half a minute; it doubles up to the second.
const AGAIN_FIRST: Duration = Duration::from_secs(30);
const AGAIN_LAST: Duration = Duration::from_secs(120);

/// The searches of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// When the next one is due; `None` while somebody is there.
    next: Option<Time>,
    pause: Duration,
}

impl Search {
    /// Whether to search now. `alone` is whether nobody is there from whom the sound could come.
    pub fn due(&mut self, alone: bool, now: Time) -> bool {
        if !alone {
            *self = Search::default();
            return false;
        }
        let Some(next) = self.next else {
            self.next = Some(now + ALONE_MAX);
            return false;
        };
        if now < next {
            return false;
        }
        self.begun(now);
        true
    }

    /// Notes that a search has begun.
    pub fn begun(&mut self, now: Time) {
        self.pause = (self.pause * 2).clamp(AGAIN_FIRST, AGAIN_LAST);
        self.next = Some(now + self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn who_is_alone_searches_again_and_again_with_growing_pauses() {
        let mut search = Search::default();
        let begun: Vec<u64> = (0..400).filter(|second| search.due(true, at(*second))).collect();
        assert_eq!(begun, [2, 32, 92, 212, 332]);
    }

    #[test]
    fn whoever_comes_back_ends_the_search_and_the_next_loss_begins_at_once() {
        let mut search = Search::default();
        assert!(!search.due(true, at(0)) && search.due(true, at(2)));
        assert!(!search.due(false, at(3)));
        assert!(!search.due(true, at(4)) && !search.due(true, at(5)));
        assert!(search.due(true, at(6)));
    }
}
