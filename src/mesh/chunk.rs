//! A chunk: an addressed run of packets, signed by the host.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::units::{ChannelId, Epoch, Seq, Time};

/// Keeps a chunk's signature from being worth anything as the signature of something else.
const CHUNK_CONTEXT: &[u8; 16] = b"inonda chunk v2\0";

/// What the host signed, with what the last hop said about it.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub channel: ChannelId,
    pub epoch: Epoch,
    pub seq: Seq,
    pub payload: Bytes,
    pub signature: [u8; 64],
    /// Hops from the host to this node (set at arrival; zero at the host).
    pub hops: u8,
    /// Estimated time since the host published it (set at arrival).
    pub age: Duration,
    /// When it arrived here.
    pub arrived: Time,
}

/// The part of a chunk that the host made: it is the same at every node, and nodes share it. Its session is known to whoever holds it, and
/// signed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedChunk {
    pub seq: Seq,
    pub payload: Bytes,
    pub signature: [u8; 64],
}

impl SignedChunk {
    /// Makes and signs a chunk with the session key inside `crypto`.
    pub fn sign(channel: ChannelId, epoch: Epoch, seq: Seq, payload: Bytes, crypto: &dyn Crypto) -> Arc<SignedChunk> {
        let mut chunk = SignedChunk {
            seq,
            payload,
            signature: [0; 64],
        };
        chunk.signature = crypto.sign_chunk(channel, epoch, &chunk);
        Arc::new(chunk)
    }

    /// What the signature covers: context, channel, epoch, sequence, payload.
    pub fn signed_bytes(&self, channel: ChannelId, epoch: Epoch) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CHUNK_CONTEXT.len() + 48 + self.payload.len());
        bytes.extend_from_slice(CHUNK_CONTEXT);
        bytes.extend_from_slice(&channel.0);
        bytes.extend_from_slice(&epoch.0.to_be_bytes());
        bytes.extend_from_slice(&self.seq.0.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The chunk as the layer above sees it at this node.
    pub fn at(&self, channel: ChannelId, epoch: Epoch, hops: u8, age: Duration, arrived: Time) -> Chunk {
        Chunk {
            channel,
            epoch,
            seq: self.seq,
            payload: self.payload.clone(),
            signature: self.signature,
            hops,
            age,
            arrived,
        }
    }
}

/// Signing and checking, as an argument: Ed25519 on the air, a keyed hash in the simulator (a million real
/// verifications a virtual second would measure the curve, not the mesh).
pub trait Crypto: Send + Sync {
    /// Signs with this node's session key; only a source calls it.
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// Signs with this node's own key, the one that names it: for its record.
    fn sign_as_peer(&self, message: &[u8]) -> [u8; 64];
    /// Whether `signature` over `message` was made with the secret half of `key`.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;

    /// Signs the bytes of a chunk of a session.
    fn sign_chunk(&self, channel: ChannelId, epoch: Epoch, chunk: &SignedChunk) -> [u8; 64] {
        self.sign(&chunk.signed_bytes(channel, epoch))
    }

    /// Whether a chunk of a session was signed with its key `key`.
    fn verify_chunk(&self, key: &[u8; 32], channel: ChannelId, epoch: Epoch, chunk: &SignedChunk) -> bool {
        self.verify(key, &chunk.signed_bytes(channel, epoch), &chunk.signature)
    }
}
