//! The proof that a node carries a channel: the session that the channel's key signed, and the newest chunk of it, which
//! nobody can have who does not receive the stream.

use bytes::Bytes;

use crate::limits::{CHUNK_PAYLOAD_MAX_BYTES, CONTROL_MESSAGE_MAX_BYTES};
use crate::mesh::Session;
use crate::mesh::chunk::SignedChunk;
use crate::mesh::crypto;
use crate::mesh::wire::WireError;
use crate::mesh::wire::layout::{Reader, Sink};
use crate::units::{ChannelId, Epoch, Seq};

/// A session and its newest chunk at some node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub session: Session,
    pub chunk: SignedChunk,
}

impl Proof {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        let session = self.session.to_bytes();
        let mut out = Vec::with_capacity(session.len() + self.chunk.payload.len() + 96);
        out.u16(session.len() as u16);
        out.put(&session);
        out.u64(self.chunk.seq.0);
        out.put(&self.chunk.signature);
        out.u16(self.chunk.payload.len() as u16);
        out.put(&self.chunk.payload);
        out
    }

    /// Reads what [`Proof::encode`] wrote; nothing is verified.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn decode(bytes: &Bytes) -> Result<Proof, WireError> {
        let mut from = Reader::new(bytes);
        let length = usize::from(from.u16()?);
        if length > CONTROL_MESSAGE_MAX_BYTES {
            return Err(WireError::Value("the length of a session"));
        }
        let session = Session::from_bytes(&from.share(length)?)?;
        let (seq, signature) = (Seq(from.u64()?), from.array()?);
        let length = usize::from(from.u16()?);
        if length > CHUNK_PAYLOAD_MAX_BYTES {
            return Err(WireError::Value("the length of a payload"));
        }
        let payload = from.share(length)?;
        let chunk = SignedChunk {
            seq,
            payload,
            signature,
        };
        Ok(Proof { session, chunk })
    }

    /// The place of the chunk, when the channel signed the session, the session the chunk, and it lies beyond what was
    /// proved before.
    pub fn verify(&self, channel: ChannelId, beyond: Option<(Epoch, Seq)>, now_unix_s: u64) -> Option<(Epoch, Seq)> {
        let Proof { session, chunk } = self;
        let place = (session.epoch, chunk.seq);
        let signed = session.channel == channel
            && session.expires_unix_s > now_unix_s
            && session.verify().is_ok()
            && crypto::verify(
                &session.signing_key,
                &chunk.signed_bytes(channel, session.epoch),
                &chunk.signature,
            );
        (signed && beyond.is_none_or(|beyond| place > beyond)).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::mesh::crypto::Ed25519;
    use crate::units::Codec;

    const NOW: u64 = 1_800_000_000;

    fn proof(seq: u64) -> (ChannelId, Proof) {
        let channel_key = SigningKey::from_bytes(&[1; 32]);
        let session_key = SigningKey::from_bytes(&[2; 32]);
        let session = Session {
            channel: ChannelId([0; 32]),
            epoch: Epoch(NOW * 1_000),
            signing_key: session_key.verifying_key().to_bytes(),
            host: crate::units::PeerId([3; 32]),
            stripes: 4,
            chunk_time: Duration::from_millis(60),
            codec: Codec::Opus,
            bitrate_bps: 128_000,
            expires_unix_s: NOW + 100,
            name: "Night".into(),
            genre: String::new(),
            description: String::new(),
            private: false,
            signature: [0; 64],
        }
        .sign(&channel_key);
        let crypto = Ed25519 {
            peer_key: channel_key,
            session_key: Some(session_key),
        };
        let chunk = SignedChunk::sign(
            session.channel,
            session.epoch,
            Seq(seq),
            Bytes::from_static(b"sound"),
            &crypto,
        );
        let chunk = (*chunk).clone();
        (session.channel, Proof { session, chunk })
    }

    #[test]
    fn a_proof_counts_for_its_channel_and_only_when_the_stream_moves_on() {
        let (channel, proof) = proof(7);
        let read = Proof::decode(&proof.encode().into()).unwrap();
        assert_eq!(read, proof);
        let place = (Epoch(NOW * 1_000), Seq(7));
        assert_eq!(read.verify(channel, None, NOW), Some(place));
        assert_eq!(read.verify(channel, Some((place.0, Seq(6))), NOW), Some(place));
        assert_eq!(read.verify(channel, Some(place), NOW), None);
        assert_eq!(read.verify(ChannelId([9; 32]), None, NOW), None);
        assert_eq!(read.verify(channel, None, NOW + 200), None);
        let mut touched = read.clone();
        touched.chunk.seq = Seq(8);
        assert_eq!(touched.verify(channel, None, NOW), None);
    }

    proptest! {
        #[test]
        fn nothing_received_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..300_usize) {
            let _ = Proof::decode(&Bytes::from(bytes));
            let whole = proof(1).1.encode();
            let _ = Proof::decode(&Bytes::from(whole[..cut.min(whole.len())].to_vec()));
        }
    }
}
