//! The signatures of the air: Ed25519.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::mesh::chunk::Crypto;

/// Ed25519 with the keys this node holds.
#[derive(Clone)]
pub struct Ed25519 {
    /// The key that names this node; it signs the node's record.
    pub peer_key: SigningKey,
    /// The key of this session; a host has one.
    pub session_key: Option<SigningKey>,
}

impl Crypto for Ed25519 {
    /// A node without a session key signs with zeros, which nobody accepts.
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.session_key
            .as_ref()
            .map_or([0; 64], |key| key.sign(message).to_bytes())
    }

    fn sign_as_peer(&self, message: &[u8]) -> [u8; 64] {
        self.peer_key.sign(message).to_bytes()
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        verify(key, message, signature)
    }
}

/// Whether `signature` over `message` was made with the secret half of `key`; weak keys and malleable signatures are refused.
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mesh::chunk::SignedChunk;
    use crate::units::{ChannelId, Epoch, Seq};

    fn keys() -> Ed25519 {
        Ed25519 {
            peer_key: SigningKey::from_bytes(&[1; 32]),
            session_key: Some(SigningKey::from_bytes(&[2; 32])),
        }
    }

    #[test]
    fn a_chunk_verifies_only_as_it_was_signed() {
        let crypto = keys();
        let session = SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes();
        let channel = ChannelId([9; 32]);
        let chunk = SignedChunk::sign(channel, Epoch(5), Seq(7), Bytes::from_static(b"sound"), &crypto);
        assert!(crypto.verify_chunk(&session, channel, Epoch(5), &chunk));
        assert!(!crypto.verify_chunk(&session, channel, Epoch(6), &chunk));
        assert!(!crypto.verify_chunk(&session, ChannelId([8; 32]), Epoch(5), &chunk));
        let altered = [
            SignedChunk {
                seq: Seq(8),
                ..(*chunk).clone()
            },
            SignedChunk {
                payload: Bytes::from_static(b"noise"),
                ..(*chunk).clone()
            },
        ];
        assert!(
            altered
                .iter()
                .all(|chunk| !crypto.verify_chunk(&session, channel, Epoch(5), chunk))
        );
    }

    #[test]
    fn a_node_without_a_session_key_signs_nothing_that_verifies() {
        let crypto = Ed25519 {
            session_key: None,
            ..keys()
        };
        let key = SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes();
        assert!(!crypto.verify(&key, b"x", &crypto.sign(b"x")));
        assert!(!crypto.verify(&[0; 32], b"x", &[0; 64]));
    }
}
