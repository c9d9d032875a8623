//! The one place where the wall meets [`Time`].
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Time;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// Time since the process first asked: one origin for every thread and every node in it.
pub fn now() -> Time {
    Time(u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// The same moment for timers of the runtime.
pub fn instant(time: Time) -> tokio::time::Instant {
    tokio::time::Instant::from_std(*ORIGIN.get_or_init(Instant::now) + Duration::from_micros(time.0))
}

/// Milliseconds since the Unix epoch, zero on a machine whose clock stands before it.
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Unix seconds at the origin of [`now`].
pub fn unix_at_origin_s() -> u64 {
    (unix_ms() / 1_000).saturating_sub(now().as_micros() / 1_000_000)
}
