//! Quantities and names that every layer shares, as types that carry their unit.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER};

use crate::limits::CHUNK_PAYLOAD_GOAL_BYTES;

/// Frames a second on air: everything between capture and playback runs at 48 kHz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Channels on air: interleaved stereo, left first.
pub const CHANNELS: usize = 2;
/// Frames in one encoded packet: 20 ms at [`SAMPLE_RATE`].
pub const PACKET_FRAMES: usize = 960;
/// Interleaved samples in one encoded packet.
pub const PACKET_SAMPLES: usize = PACKET_FRAMES * CHANNELS;
/// How long one encoded packet sounds.
pub const PACKET_TIME: Duration = Duration::from_millis(20);

/// A moment in microseconds since an origin that only its owner knows: the process start on the air, zero in the simulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The origin.
    pub const ZERO: Time = Time(0);

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, by: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, by: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A name that is a public key was not 52 characters of lower-case base32.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: expected 52 characters of a-z and 2-7")]
pub struct KeyError(pub String);

macro_rules! key_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first eight hexadecimal digits, for people to tell keys apart in a list.
            pub fn short(&self) -> String {
                HEXLOWER.encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = KeyError;
            fn from_str(text: &str) -> Result<Self, KeyError> {
                let error = || KeyError(text.chars().take(80).collect());
                let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| error())?;
                Ok($name(bytes.try_into().map_err(|_| error())?))
            }
        }
    };
}

key_type!(
    /// An Ed25519 public key that names a node.
    PeerId
);
key_type!(
    /// An Ed25519 public key that names a channel.
    ChannelId
);

/// A host's session on a channel: Unix milliseconds when it went on air, so that a later session is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// What tells the sessions of a channel apart that may be about at one time, in two bytes: every chunk says it.
    pub const fn mark(self) -> u16 {
        self.0 as u16
    }
}

/// The number of a chunk within a session, from zero; chunk `n` sounds from `n * T` to `(n + 1) * T` on the media clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// One of the K interleaved trees: chunk `n` travels in stripe `n mod K`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stripe(pub u8);

/// How packets are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus, 48 kHz stereo, 20 ms packets.
    Opus,
    /// FLAC frames, 48 kHz stereo 16 bit, 20 ms packets.
    Flac,
}

/// The longest chunk: with more, one lost datagram is a hole that concealment cannot fill.
pub const CHUNK_TIME_MAX: Duration = Duration::from_millis(240);
/// The longest time in which every stripe has its turn: that a parent is gone is only known when its next chunk is due. (At 32 kbit/s 8
/// stripes of 240 ms have theirs each two seconds.)
const ROUND_MAX: Duration = Duration::from_secs(1);

impl Codec {
    /// The media time of one chunk, so that its payload is about [`CHUNK_PAYLOAD_GOAL_BYTES`]: for Opus 20-240 ms in steps of
    /// 20 ms, and less where there are so many stripes that a round of them would take longer than a second; for FLAC, whose packets
    /// fill a chunk alone, 20 ms.
    pub fn chunk_time(self, bitrate_bps: u32, stripes: u8) -> Duration {
        match self {
            Codec::Flac => PACKET_TIME,
            Codec::Opus => {
                let packet_bytes = u64::from(bitrate_bps) * PACKET_TIME.as_millis() as u64 / 8_000;
                let most = CHUNK_TIME_MAX.min(ROUND_MAX / u32::from(stripes.max(1)));
                let packets_max = (most.as_millis() / PACKET_TIME.as_millis()).max(1);
                let packets = (CHUNK_PAYLOAD_GOAL_BYTES as u64 / packet_bytes.max(1)).clamp(1, packets_max as u64);
                PACKET_TIME * packets as u32
            }
        }
    }
}

impl Seq {
    /// The stripe that carries this chunk when there are `stripes` of them.
    pub const fn stripe(self, stripes: u8) -> Stripe {
        Stripe((self.0 % stripes as u64) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_written_form() {
        let id = ChannelId(std::array::from_fn(|i| (i * 7) as u8));
        assert_eq!(id.to_string().len(), 52);
        assert_eq!(id.to_string().parse::<ChannelId>().unwrap(), id);
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        for text in ["", "abc", "inonda:", &"a".repeat(51), &"1".repeat(52), &"é".repeat(26)] {
            assert!(text.parse::<PeerId>().is_err(), "{text}");
        }
    }

    #[test]
    fn chunks_fill_the_goal_and_a_round_of_all_stripes_takes_a_second_at_most() {
        let ms = |stripes| move |rate| Codec::Opus.chunk_time(rate, stripes).as_millis();
        let rates = [6_000, 16_000, 32_000, 64_000, 96_000, 128_000, 256_000, 510_000];
        assert_eq!(rates.map(ms(4)), [240, 240, 240, 120, 80, 60, 20, 20]);
        assert_eq!(rates.map(ms(8)), [120, 120, 120, 120, 80, 60, 20, 20]);
        assert_eq!(rates.map(ms(16)), [60, 60, 60, 60, 60, 60, 20, 20]);
        assert_eq!(rates.map(ms(255)), [20; 8]);
        assert_eq!(Codec::Flac.chunk_time(900_000, 16).as_millis(), 20);
    }
}
