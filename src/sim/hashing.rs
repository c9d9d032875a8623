//! Signatures for simulated nodes: a keyed hash that costs nanoseconds. Nobody in the simulator tries to break it; attackers
//! there alter bytes, and altered bytes do not verify.

use crate::mesh::chunk::{Crypto, SignedChunk};
use crate::mesh::rng::mix;
use crate::units::{ChannelId, Epoch};

/// Signs with the secret it is given; the public key is the secret itself.
#[derive(Clone, Copy)]
pub struct Hashing {
    pub peer: [u8; 32],
    pub session: [u8; 32],
}

/// Hashes the keys of the simulator's own tables, the same way in every run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixing;

impl std::hash::BuildHasher for Mixing {
    type Hasher = Mixer;
    fn build_hasher(&self) -> Mixer {
        Mixer(0)
    }
}

/// One key on its way through [`mix`].
#[derive(Clone, Copy, Debug)]
pub struct Mixer(u64);

impl std::hash::Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.write_u64(word(chunk));
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0 ^ value);
    }
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(word)
}

fn digest(key: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let start = mix(word(&key[..8]) ^ word(&key[24..]).rotate_left(17));
    let hash = message.chunks(8).fold(start, |hash, chunk| mix(hash ^ word(chunk)));
    tag(hash)
}

fn tag(hash: u64) -> [u8; 64] {
    let mut tag = [0; 64];
    tag[..8].copy_from_slice(&hash.to_le_bytes());
    tag
}

/// A chunk's hash covers its header, its length and the ends of its payload.
fn chunk_digest(key: &[u8; 32], channel: ChannelId, epoch: Epoch, chunk: &SignedChunk) -> [u8; 64] {
    let payload = &chunk.payload;
    let ends = word(payload) ^ word(&payload[payload.len().saturating_sub(8)..]).rotate_left(32);
    let words = [word(&channel.0), epoch.0, chunk.seq.0, payload.len() as u64, ends];
    tag(words.iter().fold(mix(word(&key[..8])), |hash, word| mix(hash ^ word)))
}

impl Crypto for Hashing {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        digest(&self.session, message)
    }

    fn sign_as_peer(&self, message: &[u8]) -> [u8; 64] {
        digest(&self.peer, message)
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        digest(key, message) == *signature
    }

    fn sign_chunk(&self, channel: ChannelId, epoch: Epoch, chunk: &SignedChunk) -> [u8; 64] {
        chunk_digest(&self.session, channel, epoch, chunk)
    }

    fn verify_chunk(&self, key: &[u8; 32], channel: ChannelId, epoch: Epoch, chunk: &SignedChunk) -> bool {
        chunk_digest(key, channel, epoch, chunk) == chunk.signature
    }
}
