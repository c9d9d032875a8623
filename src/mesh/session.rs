//! What the host says about its show, signed with the channel's key.

use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};

use crate::limits::{CONTROL_MESSAGE_MAX_BYTES, DESCRIPTION_MAX_BYTES, GENRE_MAX_BYTES, NAME_MAX_BYTES, STRIPES_MAX};
use crate::mesh::crypto;
use crate::mesh::wire::WireError;
use crate::mesh::wire::layout::{Reader, Sink};
pub use crate::units::Codec;
use crate::units::{CHUNK_TIME_MAX, ChannelId, Epoch, PACKET_TIME, PeerId};

const SESSION_CONTEXT: &[u8; 18] = b"inonda session v1\0";

/// A session: one stay on air. The channel key signs it; chunks are signed with `signing_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub channel: ChannelId,
    pub epoch: Epoch,
    pub signing_key: [u8; 32],
    /// The node that publishes. Only the channel's word makes a peer the host.
    pub host: PeerId,
    pub stripes: u8,
    /// Media time of one chunk (T), a multiple of 20 ms.
    pub chunk_time: Duration,
    pub codec: Codec,
    pub bitrate_bps: u32,
    /// Unix seconds after which the session key is worth nothing.
    pub expires_unix_s: u64,
    pub name: String,
    pub genre: String,
    pub description: String,
    /// Nobody is to hear of the channel but whoever has its link.
    pub private: bool,
    /// By the channel key over everything above.
    pub signature: [u8; 64],
}

/// A session that cannot be trusted or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not signed by the channel's key.
    #[error("the session is not signed by the channel's key; it comes from somebody else")]
    Signature,
    /// A field outside its range.
    #[error("the session's {0} is out of range; the host runs another version or is broken")]
    Range(&'static str),
}

impl Session {
    /// Sets channel and signature from the channel's key.
    pub fn sign(mut self, channel_key: &SigningKey) -> Session {
        self.channel = ChannelId(channel_key.verifying_key().to_bytes());
        self.signature = channel_key.sign(&self.signed_bytes()).to_bytes();
        self
    }

    /// Checks the ranges and the channel's signature.
    ///
    /// # Errors
    /// When a field is out of range or the channel's key did not sign it.
    pub fn verify(&self) -> Result<(), SessionError> {
        self.check_ranges()?;
        if crypto::verify(&self.channel.0, &self.signed_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(SessionError::Signature)
        }
    }

    /// Checks what can be checked without the key.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn check_ranges(&self) -> Result<(), SessionError> {
        let packets = self.chunk_time.as_micros() / PACKET_TIME.as_micros();
        let checks = [
            (self.stripes >= 1 && self.stripes <= STRIPES_MAX, "number of stripes"),
            (
                self.chunk_time <= CHUNK_TIME_MAX && packets >= 1 && PACKET_TIME * packets as u32 == self.chunk_time,
                "chunk time",
            ),
            (self.bitrate_bps >= 1_000 && self.bitrate_bps <= 10_000_000, "bit rate"),
            (self.epoch.0 < 1 << 48, "epoch"),
            (is_line(&self.name, NAME_MAX_BYTES), "name"),
            (is_line(&self.genre, GENRE_MAX_BYTES), "genre"),
            (is_line(&self.description, DESCRIPTION_MAX_BYTES), "description"),
        ];
        match checks.iter().find(|(good, _)| !good) {
            Some((_, field)) => Err(SessionError::Range(field)),
            None => Ok(()),
        }
    }

    /// What the channel's signature covers.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = SESSION_CONTEXT.to_vec();
        self.encode_body(&mut bytes);
        bytes
    }

    /// Encoded form, at most [`CONTROL_MESSAGE_MAX_BYTES`]: what travels in the mesh and in announcements.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CONTROL_MESSAGE_MAX_BYTES);
        self.encode(&mut bytes);
        bytes
    }

    /// Reads what [`Session::to_bytes`] wrote; the signature is not checked.
    ///
    /// # Errors
    /// When the bytes are not a whole session.
    pub fn from_bytes(bytes: &Bytes) -> Result<Session, WireError> {
        let mut reader = Reader::new(bytes);
        let session = Session::decode(&mut reader)?;
        if reader.left() > 0 {
            return Err(WireError::Long);
        }
        Ok(session)
    }

    fn encode_body(&self, out: &mut impl Sink) {
        out.put(&self.channel.0);
        out.u48(self.epoch.0);
        out.put(&self.signing_key);
        out.put(&self.host.0);
        out.u8(self.stripes);
        out.u16(self.chunk_time.as_millis() as u16);
        out.u8(match self.codec {
            Codec::Opus => 1,
            Codec::Flac => 2,
        });
        out.u32(self.bitrate_bps);
        out.u64(self.expires_unix_s);
        out.text(&self.name);
        out.text(&self.genre);
        out.text(&self.description);
        out.u8(u8::from(self.private));
    }

    pub(crate) fn encode(&self, out: &mut impl Sink) {
        self.encode_body(out);
        out.put(&self.signature);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Session, WireError> {
        Ok(Session {
            channel: ChannelId(from.array()?),
            epoch: Epoch(from.u48()?),
            signing_key: from.array()?,
            host: PeerId(from.array()?),
            stripes: from.u8()?,
            chunk_time: Duration::from_millis(u64::from(from.u16()?)),
            codec: match from.u8()? {
                1 => Codec::Opus,
                2 => Codec::Flac,
                _ => return Err(WireError::Value("a codec")),
            },
            bitrate_bps: from.u32()?,
            expires_unix_s: from.u64()?,
            name: from.text(NAME_MAX_BYTES)?,
            genre: from.text(GENRE_MAX_BYTES)?,
            description: from.text(DESCRIPTION_MAX_BYTES)?,
            private: from.flag()?,
            signature: from.array()?,
        })
    }
}

/// Whether a text is short enough and holds nothing that moves a terminal's cursor or turns its direction.
fn is_line(text: &str, most_bytes: usize) -> bool {
    let is_hostile = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.len() <= most_bytes && !text.chars().any(is_hostile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            channel: ChannelId([0; 32]),
            epoch: Epoch(1_800_000_000_000),
            signing_key: [3; 32],
            host: PeerId([5; 32]),
            stripes: 4,
            chunk_time: Codec::Opus.chunk_time(128_000, 4),
            codec: Codec::Opus,
            bitrate_bps: 128_000,
            expires_unix_s: 1_900_000_000,
            name: "Night".into(),
            genre: "Ambient".into(),
            description: "d".repeat(DESCRIPTION_MAX_BYTES),
            private: true,
            signature: [0; 64],
        }
        .sign(&SigningKey::from_bytes(&[4; 32]))
    }

    #[test]
    fn a_session_survives_its_encoding_and_fits_a_control_message() {
        let bytes = Bytes::from(session().to_bytes());
        assert!(bytes.len() < CONTROL_MESSAGE_MAX_BYTES);
        let read = Session::from_bytes(&bytes).unwrap();
        assert_eq!(read, session());
        assert_eq!(read.verify(), Ok(()));
    }

    #[test]
    fn a_session_that_was_touched_is_refused() {
        let mut touched = session();
        touched.name.push('!');
        assert_eq!(touched.verify(), Err(SessionError::Signature));
        let mut wrong = session();
        wrong.stripes = 0;
        assert_eq!(wrong.verify(), Err(SessionError::Range("number of stripes")));
    }

    #[test]
    fn names_that_would_write_to_a_terminal_are_refused() {
        for name in ["a\x1b[2J", "a\nb", "a\u{9b}31m", "a\u{202e}b"] {
            let hostile = Session {
                name: name.into(),
                ..session()
            };
            assert_eq!(hostile.check_ranges(), Err(SessionError::Range("name")), "{name:?}");
        }
        let plain = Session {
            name: "深夜 – Nº 1 👩‍🚀".into(),
            ..session()
        };
        assert_eq!(plain.check_ranges(), Ok(()));
    }
}
