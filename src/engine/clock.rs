//! The one place where the wall meets [`Time`].
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Time;

static ORIGIN: OnceLock<Instant> = OnceLock::new();
/// What the clock shows when the process begins, so that what happened before it, as the chunks that a newcomer is given
/// first, has a time, too.
const HEAD_START: Duration = Duration::from_secs(24 * 3_600);

/// Time since a day before the process first asked: one origin for every thread and every node in it.
pub fn now() -> Time {
    let passed = HEAD_START + ORIGIN.get_or_init(Instant::now).elapsed();
    Time(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
}

/// The same moment for timers of the runtime.
pub fn instant(time: Time) -> tokio::time::Instant {
    let passed = Duration::from_micros(time.0).saturating_sub(HEAD_START);
    tokio::time::Instant::from_std(*ORIGIN.get_or_init(Instant::now) + passed)
}

/// Milliseconds since the Unix epoch, zero on a machine whose clock stands before it.
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Unix seconds when [`now`] was zero.
pub fn unix_at_origin_s() -> u64 {
    (unix_ms() / 1_000).saturating_sub(now().as_micros() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_the_process_has_its_true_age() {
        let at = now();
        let before = at - Duration::from_secs(60);
        assert_eq!(at.since(before), Duration::from_secs(60));
    }

    #[test]
    fn timers_of_the_runtime_run_by_the_same_clock() {
        let later = instant(now() + Duration::from_secs(600));
        let left = later.saturating_duration_since(tokio::time::Instant::now());
        assert!(left <= Duration::from_secs(600) && left > Duration::ZERO, "{left:?}");
    }
}
