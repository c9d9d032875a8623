//! The upload budget. Steady feeding is admitted by slots and never waits; bursts and repairs wait for what is left.

use std::time::Duration;

use crate::mesh::wire::CHUNK_HEADER_BYTES;
use crate::units::Time;

/// Tokens that fill at a steady rate up to a cap.
#[derive(Clone, Debug)]
pub struct Bucket {
    tokens: f64,
    cap: f64,
    per_second: f64,
    at: Time,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: f64, cap: f64, now: Time) -> Bucket {
        Bucket {
            tokens: cap,
            cap,
            per_second,
            at: now,
        }
    }

    fn fill(&mut self, now: Time) {
        let passed = now.since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.cap);
        self.at = now;
    }

    /// Takes tokens if they are there.
    pub fn take(&mut self, amount: f64, now: Time) -> bool {
        self.fill(now);
        if self.tokens < amount {
            return false;
        }
        self.tokens -= amount;
        true
    }
}

/// Bytes sent in the last second beside the steady feeding of children, in eighths. Feeding is admitted by slots and never
/// waits; bursts and repairs look first whether the budget has room beside it. (A token bucket for everything that held a
/// tenth of a second was empty after each chunk to four children and declined a third of all repairs.)
#[derive(Clone, Debug)]
pub struct Upload {
    eighths: [u32; EIGHTHS as usize],
    /// Everything, feeding too: what children that have just left were sent in this second is spent.
    total: [u32; EIGHTHS as usize],
    at: u64,
    budget_bytes: u32,
}

const EIGHTHS: u64 = 8;
const EIGHTH_US: u64 = 1_000_000 / EIGHTHS;

impl Upload {
    /// A budget of which nothing is used.
    pub fn new(bits_per_second: u64) -> Upload {
        Upload {
            eighths: [0; EIGHTHS as usize],
            total: [0; EIGHTHS as usize],
            at: 0,
            budget_bytes: u32::try_from(bits_per_second / 8).unwrap_or(u32::MAX),
        }
    }

    fn turn(&mut self, now: Time) {
        let at = now.0 / EIGHTH_US;
        let passed = at.saturating_sub(self.at).min(EIGHTHS);
        for n in 0..passed {
            self.eighths[((at - n) % EIGHTHS) as usize] = 0;
            self.total[((at - n) % EIGHTHS) as usize] = 0;
        }
        self.at = self.at.max(at);
    }

    /// Counts what was sent.
    pub fn charge(&mut self, bytes: usize, now: Time) {
        self.turn(now);
        let eighth = &mut self.eighths[(self.at % EIGHTHS) as usize];
        *eighth = eighth.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.feed(bytes, now);
    }

    /// Counts what a child was fed.
    pub fn feed(&mut self, bytes: usize, now: Time) {
        self.turn(now);
        let eighth = &mut self.total[(self.at % EIGHTHS) as usize];
        *eighth = eighth.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Whether the running second has room for so many bytes within a share of the budget, beside what feeding takes a second.
    pub fn has_room(&mut self, bytes: usize, feeding: u64, share: f64, now: Time) -> bool {
        self.turn(now);
        let sum = |eighths: &[u32]| -> u64 { eighths.iter().map(|bytes| u64::from(*bytes)).sum() };
        let used = (feeding + sum(&self.eighths)).max(sum(&self.total));
        (used + bytes as u64) as f64 <= f64::from(self.budget_bytes) * share
    }
}

/// How long to wait when there is no room.
pub const NO_ROOM_WAIT: Duration = Duration::from_micros(EIGHTH_US);

/// Bits a second that a child costs in one stripe, with all that is around the payload of a chunk.
pub fn link_bps(config: &crate::mesh::Config, bitrate_bps: u32, chunk_time: Duration, stripes: u8) -> f64 {
    let around = (CHUNK_HEADER_BYTES + config.packet_overhead_bytes) as f64 * 8.0;
    (f64::from(bitrate_bps.max(1)) + around / chunk_time.as_secs_f64().max(1e-3)) / f64::from(stripes.max(1))
}

/// What reports, pings, greetings and refusals take of an uplink in bits a second: at all, and for each stripe. Measured; it
/// matters for streams of 32 kbit/s and less.
const CONTROL_BPS: f64 = 4_000.0;
const CONTROL_STRIPE_BPS: f64 = 1_000.0;

/// Child links a budget admits for a stream of `bitrate_bps` in `stripes` stripes.
pub fn links(config: &crate::mesh::Config, bitrate_bps: u32, chunk_time: Duration, stripes: u8) -> u32 {
    let a_link = link_bps(config, bitrate_bps, chunk_time, stripes);
    let control = CONTROL_BPS + CONTROL_STRIPE_BPS * f64::from(stripes);
    ((config.slots_share * config.upload_bps as f64 - control).max(0.0) / a_link).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;

    #[test]
    fn no_second_exceeds_a_tenth_more_than_the_budget() {
        let mut upload = Upload::new(800_000);
        let mut sent = Vec::new();
        for ms in 0..5_000u64 {
            while upload.has_room(1_000, 20_000, 1.0, Time(ms * 1_000)) {
                upload.charge(1_000, Time(ms * 1_000));
                sent.push(ms);
            }
        }
        let most = (0..4_000)
            .map(|from| sent.iter().filter(|ms| (from..from + 1_000).contains(*ms)).count())
            .max();
        assert!(most.is_some_and(|most| (70..=90).contains(&most)), "{most:?}");
    }

    #[test]
    fn links_follow_the_budget() {
        let links = |upload_bps, stripes| {
            let config = Config {
                upload_bps,
                ..Config::default()
            };
            super::links(&config, 128_000, Duration::from_millis(60), stripes)
        };
        assert_eq!(
            [links(0, 4), links(192_000, 4), links(512_000, 4), links(9_000_000, 4)],
            [0, 4, 12, 220]
        );
        assert_eq!([links(192_000, 1), links(1_280_000, 1)], [1, 7]);
    }
}
