//! The time of day, for what is valid until a certain time of day.
#![allow(clippy::disallowed_methods, reason = "announcements live by the calendar")]

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds; zero on a machine whose clock stands before 1970.
pub fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
