//! What a host says about its channel to whoever lists channels, signed with the channel's key.
//!
//! The encoded form is what travels and is stored, so that the signature outlives every hand it goes through: a version
//! byte, the fields, whatever later versions add, and 64 bytes of signature over all before it. It fits 960 bytes, so that
//! it also fits an item of the DHT (1,000 bytes) and one packet of multicast DNS.

use std::net::SocketAddr;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};

use crate::limits::{
    ADDRS_MAX, ANNOUNCEMENT_MAX_BYTES, CONTACT_MAX_BYTES, DESCRIPTION_MAX_BYTES, GENRE_MAX_BYTES, LANGUAGE_MAX_BYTES,
    NAME_MAX_BYTES, TITLE_MAX_BYTES,
};
use crate::mesh::crypto;
use crate::mesh::wire::WireError;
use crate::mesh::wire::layout::{Reader, Sink};
use crate::units::{ChannelId, Codec, Epoch};

/// Keeps the signature from being worth anything as the signature of something else.
const CONTEXT: &[u8; 23] = b"inonda announcement v1\0";
/// The second version has a contact.
const VERSION: u8 = 2;
const CONTACT_SINCE: u8 = 2;
const SIGNATURE_BYTES: usize = 64;

/// How long an announcement is worth something.
pub const VALID_S: u64 = 600;
/// How often a host renews it: two renewals may be lost.
pub const RENEW_S: u64 = 180;
/// How far ahead of ours a host's clock may go.
pub const AHEAD_MAX_S: u64 = 120;

const _: () = assert!(RENEW_S * 3 < VALID_S + RENEW_S);

/// A channel as its host describes it. Text is clipped and free of control characters once it was signed or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub channel: ChannelId,
    pub epoch: Epoch,
    /// Unix seconds; a later one of the same epoch replaces an earlier one.
    pub issued_unix_s: u64,
    /// False in the last one of a show.
    pub on_air: bool,
    pub name: String,
    pub genre: String,
    pub language: String,
    pub description: String,
    pub title: String,
    /// Where the channel's people are met; may be empty.
    pub contact: String,
    pub codec: Codec,
    pub bitrate_bps: u32,
    pub started_unix_s: u64,
    pub listeners: u32,
    pub relays: u32,
    /// Mean continuity of the audience in thousandths.
    pub health_permille: u16,
    /// Where the host can be dialled, at most [`ADDRS_MAX`]: the contact of the link.
    pub hosts: Vec<SocketAddr>,
    /// Relays that can be asked in its place, at most [`ADDRS_MAX`].
    pub relays_at: Vec<SocketAddr>,
}

/// An announcement with the bytes that its channel signed. There is none whose signature is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub says: Announcement,
    pub bytes: Bytes,
}

/// Why an announcement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("it is longer than an announcement may be")]
    Oversized,
    #[error("it cannot be read")]
    Unreadable,
    #[error("its channel did not sign it")]
    Forged,
    #[error("it has expired; check the clock of the host")]
    Expired,
    #[error("it comes from the future; check the clock of the host")]
    Future,
    #[error("a newer one is known")]
    Replayed,
    #[error("the channel announces too often")]
    TooOften,
    #[error("too many channels come from the same network")]
    PrefixFull,
    #[error("this directory is full")]
    Full,
    #[error("it names no address at which anybody could be asked")]
    Nowhere,
}

impl Refusal {
    /// Every reason, in the order of their codes on the wire.
    pub const ALL: [Refusal; 10] = [
        Refusal::Oversized,
        Refusal::Unreadable,
        Refusal::Forged,
        Refusal::Expired,
        Refusal::Future,
        Refusal::Replayed,
        Refusal::TooOften,
        Refusal::PrefixFull,
        Refusal::Full,
        Refusal::Nowhere,
    ];

    /// The word for counters.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::Oversized => "oversized",
            Refusal::Unreadable => "unreadable",
            Refusal::Forged => "forged",
            Refusal::Expired => "expired",
            Refusal::Future => "future",
            Refusal::Replayed => "replayed",
            Refusal::TooOften => "too_often",
            Refusal::PrefixFull => "prefix_full",
            Refusal::Full => "full",
            Refusal::Nowhere => "nowhere",
        }
    }
}

impl Announcement {
    /// Clips every text, shortens the description until all fits, and signs with the channel's key.
    pub fn sign(mut self, key: &SigningKey) -> Signed {
        self.channel = ChannelId(key.verifying_key().to_bytes());
        self.name = clean(&self.name, NAME_MAX_BYTES);
        self.genre = clean(&self.genre, GENRE_MAX_BYTES);
        self.language = clean(&self.language, LANGUAGE_MAX_BYTES);
        self.title = clean(&self.title, TITLE_MAX_BYTES);
        self.contact = clean(&self.contact, CONTACT_MAX_BYTES);
        self.description = clean(&self.description, DESCRIPTION_MAX_BYTES);
        self.hosts.truncate(ADDRS_MAX);
        self.relays_at.truncate(ADDRS_MAX);
        let mut bytes = self.body();
        let too_long = (bytes.len() + SIGNATURE_BYTES).saturating_sub(ANNOUNCEMENT_MAX_BYTES);
        if too_long > 0 {
            self.description = clean(&self.description, self.description.len().saturating_sub(too_long));
            bytes = self.body();
        }
        let signature = key.sign(&signed_bytes(&bytes));
        bytes.extend_from_slice(&signature.to_bytes());
        Signed {
            says: self,
            bytes: bytes.into(),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ANNOUNCEMENT_MAX_BYTES);
        out.u8(VERSION);
        out.put(&self.channel.0);
        out.u48(self.epoch.0);
        out.u48(self.issued_unix_s);
        out.u8(u8::from(self.on_air));
        out.u8(match self.codec {
            Codec::Opus => 1,
            Codec::Flac => 2,
        });
        out.u32(self.bitrate_bps);
        out.u48(self.started_unix_s);
        out.u32(self.listeners);
        out.u32(self.relays);
        out.u16(self.health_permille);
        for addrs in [&self.hosts, &self.relays_at] {
            out.u8(addrs.len() as u8);
            addrs.iter().for_each(|addr| out.addr(addr));
        }
        let texts = [
            &self.name,
            &self.genre,
            &self.language,
            &self.title,
            &self.description,
            &self.contact,
        ];
        texts.into_iter().for_each(|text| out.text(text));
        out
    }

    /// Addresses to ask, the host's first.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.hosts.iter().chain(&self.relays_at).copied().collect()
    }

    /// Which of two announcements of a channel is newer.
    pub fn age_order(&self) -> (Epoch, u64) {
        (self.epoch, self.issued_unix_s)
    }

    /// Unix seconds after which it is worth nothing.
    pub fn expires_unix_s(&self) -> u64 {
        self.issued_unix_s.saturating_add(VALID_S)
    }

    /// Whether it can be believed at this moment.
    ///
    /// # Errors
    /// When it has expired or comes from the future.
    pub fn check_time(&self, now_unix_s: u64) -> Result<(), Refusal> {
        if self.expires_unix_s() <= now_unix_s {
            return Err(Refusal::Expired);
        }
        if self.issued_unix_s > now_unix_s + AHEAD_MAX_S || self.epoch.0 / 1_000 > now_unix_s + AHEAD_MAX_S {
            return Err(Refusal::Future);
        }
        Ok(())
    }
}

impl Signed {
    /// Reads and verifies what somebody passed on; whether it is still valid is another question.
    ///
    /// # Errors
    /// When it is too long, cannot be read, or is not signed by its channel.
    pub fn read(bytes: &Bytes) -> Result<Signed, Refusal> {
        let signed = Signed::read_unverified(bytes)?;
        let (body, signature) = bytes.split_at(bytes.len() - SIGNATURE_BYTES);
        let signature: [u8; SIGNATURE_BYTES] = signature.try_into().map_err(|_| Refusal::Unreadable)?;
        if crypto::verify(&signed.says.channel.0, &signed_bytes(body), &signature) {
            Ok(signed)
        } else {
            Err(Refusal::Forged)
        }
    }

    /// Reads what was verified before it was stored.
    ///
    /// # Errors
    /// When it is too long or cannot be read.
    pub fn read_unverified(bytes: &Bytes) -> Result<Signed, Refusal> {
        if bytes.len() > ANNOUNCEMENT_MAX_BYTES {
            return Err(Refusal::Oversized);
        }
        let body = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(Refusal::Unreadable)?;
        let says = read_body(&bytes.slice(..body)).map_err(|_| Refusal::Unreadable)?;
        Ok(Signed {
            says,
            bytes: bytes.clone(),
        })
    }

    /// A number that differs between any two announcements: the beginning of the signature.
    pub fn digest(&self) -> u64 {
        let at = self.bytes.len() - SIGNATURE_BYTES;
        self.bytes[at..at + 8]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [CONTEXT.as_slice(), body].concat()
}

fn read_body(bytes: &Bytes) -> Result<Announcement, WireError> {
    let mut from = Reader::new(bytes);
    let version = from.u8()?;
    if version == 0 {
        return Err(WireError::Value("a version"));
    }
    let channel = ChannelId(from.array()?);
    let (epoch, issued_unix_s, on_air) = (Epoch(from.u48()?), from.u48()?, from.flag()?);
    let codec = match from.u8()? {
        1 => Codec::Opus,
        2 => Codec::Flac,
        _ => return Err(WireError::Value("a codec")),
    };
    let (bitrate_bps, started_unix_s) = (from.u32()?, from.u48()?);
    let (listeners, relays, health_permille) = (from.u32()?, from.u32()?, from.u16()?);
    let mut addrs = || -> Result<Vec<SocketAddr>, WireError> {
        let count = from.count(ADDRS_MAX)?;
        (0..count).map(|_| from.addr()).collect()
    };
    let (hosts, relays_at) = (addrs()?, addrs()?);
    let mut text = |max| Ok::<_, WireError>(clean(&from.text(max)?, max));
    Ok(Announcement {
        channel,
        epoch,
        issued_unix_s,
        on_air,
        codec,
        bitrate_bps,
        started_unix_s,
        listeners,
        relays,
        health_permille,
        hosts,
        relays_at,
        name: text(NAME_MAX_BYTES)?,
        genre: text(GENRE_MAX_BYTES)?,
        language: text(LANGUAGE_MAX_BYTES)?,
        title: text(TITLE_MAX_BYTES)?,
        description: text(DESCRIPTION_MAX_BYTES)?,
        contact: match version {
            CONTACT_SINCE.. => text(CONTACT_MAX_BYTES)?,
            _ => String::new(),
        },
    })
}

/// Text without control characters and without marks that reorder or join what stands beside it, at most `max` bytes.
pub fn clean(text: &str, max: usize) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut out = String::new();
    for c in text.chars().filter(|c| !harmful(*c)) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An announcement of a channel that `seed` names.
    pub fn announcement(seed: u32, issued_unix_s: u64) -> Signed {
        with(seed, issued_unix_s, |_| {})
    }

    /// The same with something changed before it is signed.
    pub fn with(seed: u32, issued_unix_s: u64, change: impl FnOnce(&mut Announcement)) -> Signed {
        let mut says = Announcement {
            channel: ChannelId([0; 32]),
            epoch: Epoch((issued_unix_s.min(1_800_000_000)) * 1_000),
            issued_unix_s,
            on_air: true,
            name: format!("Radio {seed}"),
            genre: "jazz".into(),
            language: "en".into(),
            description: "Late".into(),
            title: "Waltz".into(),
            contact: "https://radio.example/".into(),
            codec: Codec::Opus,
            bitrate_bps: 128_000,
            started_unix_s: issued_unix_s.saturating_sub(60),
            listeners: 3,
            relays: 1,
            health_permille: 1_000,
            hosts: vec!["127.0.0.1:7144".parse().unwrap()],
            relays_at: vec![],
        };
        change(&mut says);
        says.sign(&key(seed))
    }

    /// The key of the channel that `seed` names.
    pub fn key(seed: u32) -> SigningKey {
        let mut secret = [7; 32];
        secret[..4].copy_from_slice(&seed.to_be_bytes());
        SigningKey::from_bytes(&secret)
    }

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn an_announcement_survives_the_wire() {
        let signed = with(1, NOW, |says| says.relays_at = vec!["[2001:db8::1]:9".parse().unwrap()]);
        assert_eq!(Signed::read(&signed.bytes).unwrap(), signed);
        assert_eq!(signed.says.check_time(NOW), Ok(()));
    }

    #[test]
    fn the_longest_texts_and_addresses_fit() {
        let signed = with(1, NOW, |says| {
            says.name = "é".repeat(500);
            says.genre = "g".repeat(500);
            says.language = "l".repeat(500);
            says.title = "t".repeat(500);
            says.contact = "c".repeat(500);
            says.description = "d\u{202e}\n".repeat(500);
            says.hosts = vec!["[2001:db8::1]:9".parse().unwrap(); 9];
            says.relays_at = vec!["[2001:db8::2]:9".parse().unwrap(); 9];
        });
        assert!(signed.bytes.len() <= ANNOUNCEMENT_MAX_BYTES);
        assert_eq!(Signed::read(&signed.bytes).unwrap(), signed);
        assert_eq!(signed.says.title.len(), TITLE_MAX_BYTES);
        assert!(signed.says.description.len() > 50 && !signed.says.description.contains('\u{202e}'));
    }

    #[test]
    fn forged_expired_future_and_oversized_ones_are_refused() {
        let good = announcement(1, NOW);
        for at in [0, 1, 40, 60, good.bytes.len() - 70, good.bytes.len() - 1] {
            let mut touched = good.bytes.to_vec();
            touched[at] ^= 1;
            assert!(Signed::read(&touched.into()).is_err(), "byte {at}");
        }
        assert_eq!(Signed::read(&Bytes::from(vec![1; 2_000])), Err(Refusal::Oversized));
        assert_eq!(good.says.check_time(NOW + VALID_S), Err(Refusal::Expired));
        assert_eq!(good.says.check_time(NOW - AHEAD_MAX_S - 1), Err(Refusal::Future));
        let epoch = with(1, NOW, |says| says.epoch = Epoch((NOW + 10_000) * 1_000));
        assert_eq!(epoch.says.check_time(NOW), Err(Refusal::Future));
    }

    #[test]
    fn what_later_versions_add_is_passed_over_and_stays_signed() {
        let signed = announcement(1, NOW);
        let mut bytes = signed.bytes[..signed.bytes.len() - SIGNATURE_BYTES].to_vec();
        bytes[0] = VERSION + 1;
        bytes.extend_from_slice(b"later");
        let signature = key(1).sign(&signed_bytes(&bytes));
        bytes.extend_from_slice(&signature.to_bytes());
        let read = Signed::read(&bytes.into()).unwrap();
        assert_eq!(read.says, signed.says);
    }

    proptest! {
        #[test]
        fn nothing_received_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_100)) {
            prop_assert!(Signed::read(&Bytes::from(bytes)).is_err());
        }

        #[test]
        fn a_touched_announcement_never_passes(at in 0..300_usize, flip in 1..=255_u8) {
            let mut bytes = announcement(1, NOW).bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(Signed::read(&Bytes::from(bytes)).is_err());
        }
    }
}
