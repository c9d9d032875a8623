//! The upload budget. Steady feeding is admitted by slots and never waits; bursts and repairs wait for what is left.

use std::time::Duration;

use crate::mesh::wire::CHUNK_HEADER_BYTES;
use crate::mesh::{Config, Delivery};
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

    /// Gives back what was taken for nothing.
    pub fn give_back(&mut self, amount: f64) {
        self.tokens = (self.tokens + amount).min(self.cap);
    }
}

/// Bytes sent in the last second beside the steady feeding of children, in parts. Feeding is admitted by slots; bursts and
/// repairs look first whether the budget has room beside it. (A token bucket for everything that held a tenth of a second was
/// empty after each chunk to four children and declined a third of all repairs.)
///
/// A second is as many whole rounds of the stripes as fill one: 1.04 rounds of 960 ms would be two chunks to each child at
/// times and one at others.
#[derive(Clone, Debug)]
pub struct Upload {
    extra: [u32; PARTS as usize],
    /// Everything, feeding too: what children that have just left were sent in this second is spent.
    total: [u32; PARTS as usize],
    at: u64,
    part_us: u64,
    budget_bytes: u32,
}

/// Kept free of bursts and repairs in each second: the answers to a newcomer.
const CONTROL_KEPT_BYTES: f64 = 1_000.0;
/// Of a small budget no more than this: what feeding leaves of 48 kbit/s is hardly a chunk a second.
const CONTROL_KEPT_SHARE: f64 = 0.04;
const PARTS: u64 = 16;

impl Upload {
    /// A budget of which nothing is used; `round` is that of the stripes, zero when there are none yet.
    pub fn new(bits_per_second: u64, round: Duration) -> Upload {
        let round_us = (round.as_micros() as u64).max(1);
        Upload {
            extra: [0; PARTS as usize],
            total: [0; PARTS as usize],
            at: 0,
            part_us: 1_000_000u64.div_ceil(round_us) * round_us / PARTS,
            budget_bytes: u32::try_from(bits_per_second / 8).unwrap_or(u32::MAX),
        }
    }

    /// Reads something of each part of it that is loaded at once.
    pub fn touch(&self) -> u64 {
        u64::from(self.extra[0] ^ self.total[0]) ^ self.at
    }

    /// What was sent under the last one is still spent, as if it had been sent now.
    pub fn after(mut self, last: &mut Upload, now: Time) -> Upload {
        self.turn(now);
        last.turn(now);
        let sent: u32 = last.total.iter().sum();
        self.total[(self.at % PARTS) as usize] = sent;
        self
    }

    fn turn(&mut self, now: Time) {
        let at = now.0 / self.part_us;
        let passed = at.saturating_sub(self.at).min(PARTS);
        for n in 0..passed {
            self.extra[((at - n) % PARTS) as usize] = 0;
            self.total[((at - n) % PARTS) as usize] = 0;
        }
        self.at = self.at.max(at);
    }

    /// Counts what was sent.
    pub fn charge(&mut self, bytes: usize, now: Time) {
        self.turn(now);
        let part = &mut self.extra[(self.at % PARTS) as usize];
        *part = part.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.feed(bytes, now);
    }

    /// Counts what a child was fed.
    pub fn feed(&mut self, bytes: usize, now: Time) {
        self.turn(now);
        let part = &mut self.total[(self.at % PARTS) as usize];
        *part = part.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Whether the running second has room for so many bytes within a share of the budget, beside what feeding takes a second
    /// and what is kept for control messages that cannot wait.
    pub fn has_room(&mut self, bytes: usize, feeding: u64, share: f64, now: Time) -> bool {
        self.turn(now);
        let seconds = (self.part_us * PARTS) as f64 / 1e6;
        let used = (feeding as f64 * seconds + sum(&self.extra)).max(sum(&self.total));
        let budget = f64::from(self.budget_bytes);
        let kept = CONTROL_KEPT_BYTES.min(budget * CONTROL_KEPT_SHARE);
        used + bytes as f64 <= (budget * share - kept) * seconds
    }

    /// Whether so many bytes may be sent at all: what was really sent in the running second, and nothing that is owed.
    pub fn bears(&mut self, bytes: usize, share: f64, now: Time) -> bool {
        self.turn(now);
        let seconds = (self.part_us * PARTS) as f64 / 1e6;
        sum(&self.total) + bytes as f64 <= f64::from(self.budget_bytes) * share * seconds
    }
}

fn sum(parts: &[u32]) -> f64 {
    parts.iter().map(|bytes| f64::from(*bytes)).sum()
}

/// What lies around messages on the wire. The ordered messages of one moment to one neighbour travel in one packet: they are
/// queued while the mesh is drained, and written together.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    at: Time,
    /// Bytes of the packets of this moment, by neighbour.
    filled: Vec<(u64, usize)>,
}

/// An ordered message has a longer head than a datagram, once in a packet; each has a length and the channel's tag.
const ORDERED_BYTES: usize = 5;
const FOLLOWING_BYTES: usize = 6;
/// Where a packet ends.
const PACKET_MAX_BYTES: usize = 1_150;

impl Packets {
    /// Bytes around a message of `len` bytes that is sent now.
    pub fn around(&mut self, to: u64, len: usize, delivery: Delivery, config: &Config, now: Time) -> usize {
        let alone = config.packet_overhead_bytes;
        if delivery == Delivery::Datagram {
            return alone;
        }
        if self.at != now {
            self.at = now;
            self.filled.clear();
        }
        let open = self.filled.iter_mut().find(|(other, _)| *other == to);
        match open {
            Some((_, filled)) if *filled + len + FOLLOWING_BYTES <= PACKET_MAX_BYTES => {
                *filled += len + FOLLOWING_BYTES;
                FOLLOWING_BYTES
            }
            Some((_, filled)) => {
                *filled = len;
                alone + ORDERED_BYTES
            }
            None => {
                self.filled.push((to, len));
                alone + ORDERED_BYTES
            }
        }
    }
}

/// How long to wait when there is no room.
pub const NO_ROOM_WAIT: Duration = Duration::from_millis(40);

/// Bits a second that a child costs in one stripe, with all that is around the payload of a chunk.
pub fn link_bps(config: &Config, bitrate_bps: u32, chunk_time: Duration, stripes: u8) -> f64 {
    let around = (CHUNK_HEADER_BYTES + config.packet_overhead_bytes) as f64 * 8.0;
    (f64::from(bitrate_bps.max(1)) + around / chunk_time.as_secs_f64().max(1e-3)) / f64::from(stripes.max(1))
}

/// What reports, pings, greetings and refusals take of an uplink in bits a second: at all, and for each stripe. Measured; it
/// matters for streams of 32 kbit/s and less.
const CONTROL_BPS: f64 = 4_000.0;
const CONTROL_STRIPE_BPS: f64 = 1_000.0;

/// Child links a budget admits for a stream of `bitrate_bps` in `stripes` stripes.
pub fn links(config: &Config, bitrate_bps: u32, chunk_time: Duration, stripes: u8) -> u32 {
    let a_link = link_bps(config, bitrate_bps, chunk_time, stripes);
    let control = CONTROL_BPS + CONTROL_STRIPE_BPS * f64::from(stripes);
    ((config.slots_share * config.upload_bps as f64 - control).max(0.0) / a_link).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_exceeds_a_tenth_more_than_the_budget() {
        let mut upload = Upload::new(800_000, Duration::ZERO);
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
    fn what_was_sent_is_still_spent_under_another_budget() {
        let mut upload = Upload::new(80_000, Duration::ZERO);
        upload.charge(6_000, Time(5_000_000));
        let mut upload = Upload::new(80_000, Duration::from_millis(240)).after(&mut upload, Time(5_100_000));
        // 1.2 s of 10,000 bytes.
        assert!(upload.bears(6_000, 1.0, Time(5_100_000)));
        assert!(!upload.bears(6_001, 1.0, Time(5_100_000)));
        assert!(upload.bears(12_000, 1.0, Time(6_400_000)));
    }

    #[test]
    fn ordered_messages_of_one_moment_share_a_packet() {
        let (mut packets, config) = (Packets::default(), Config::default());
        let mut around = |to, len, delivery, at| packets.around(to, len, delivery, &config, Time(at));
        assert_eq!(around(1, 100, Delivery::Reliable, 1), 63);
        assert_eq!(around(2, 100, Delivery::Reliable, 1), 63);
        assert_eq!(around(1, 900, Delivery::Reliable, 1), 6);
        assert_eq!(around(1, 200, Delivery::Reliable, 1), 63, "it is full");
        assert_eq!(around(1, 100, Delivery::Datagram, 1), 58);
        assert_eq!(around(1, 100, Delivery::Reliable, 2), 63);
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
            [0, 4, 12, 222]
        );
        assert_eq!([links(192_000, 1), links(1_280_000, 1)], [1, 7]);
    }
}
