//! How a simulated peer behaves: honestly, or like one of the attackers.

use std::sync::Arc;
use std::time::Duration;

use crate::mesh::Message;
use crate::mesh::rng::Rng;
use crate::mesh::wire::Load;
use crate::sim::scenario::Attackers;

/// What a peer does with the messages its core wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Honest,
    /// Accepts children and sends them no sound.
    Dropper,
    /// Alters the sound it passes on.
    Polluter,
    /// Sends old chunks again.
    Replayer,
    /// Claims free slots and no lag.
    Liar,
    /// Says that what it passes on is a minute old.
    Inflater,
    /// Sends a thousand messages a second.
    Flooder,
    /// A dropper among many of one network.
    Sybil,
    /// Honest, but its line passes sound on late.
    Slow,
}

impl Behaviour {
    /// Draws a behaviour by the shares of a scenario.
    pub fn draw(attackers: &Attackers, rng: &mut Rng) -> Behaviour {
        if attackers.total() == 0.0 {
            return Behaviour::Honest;
        }
        let mut left = rng.unit();
        let shares = [
            (attackers.droppers, Behaviour::Dropper),
            (attackers.polluters, Behaviour::Polluter),
            (attackers.replayers, Behaviour::Replayer),
            (attackers.liars, Behaviour::Liar),
            (attackers.inflaters, Behaviour::Inflater),
            (attackers.flooders, Behaviour::Flooder),
            (attackers.sybils, Behaviour::Sybil),
            (attackers.slow, Behaviour::Slow),
        ];
        for (share, behaviour) in shares {
            if left < share {
                return behaviour;
            }
            left -= share;
        }
        Behaviour::Honest
    }

    /// Whether its rules are the product's.
    pub fn is_honest(self) -> bool {
        matches!(self, Behaviour::Honest | Behaviour::Slow)
    }

    /// Whether what it hears is measured.
    pub fn counts(self) -> bool {
        self.is_honest()
    }

    /// Changes a message on its way out; false when it is not sent at all.
    pub fn alter(self, message: &mut Message, rng: &mut Rng) -> bool {
        match (self, &mut *message) {
            (Behaviour::Dropper | Behaviour::Sybil, Message::Chunk(_)) => false,
            (Behaviour::Polluter, Message::Chunk(pushed)) => {
                let mut chunk = (*pushed.chunk).clone();
                let mut payload = chunk.payload.to_vec();
                if let Some(first) = payload.first_mut() {
                    *first ^= 1 + rng.below(255) as u8;
                }
                chunk.payload = payload.into();
                pushed.chunk = Arc::new(chunk);
                true
            }
            (Behaviour::Liar, Message::Chunk(pushed)) => {
                pushed.age = Duration::ZERO;
                pushed.hops = 1;
                true
            }
            (Behaviour::Inflater, Message::Chunk(pushed)) => {
                pushed.age = Duration::from_secs(65);
                true
            }
            (Behaviour::Liar, Message::Ping { load, .. } | Message::Pong { load, .. }) => {
                *load = LIE;
                true
            }
            (Behaviour::Liar, Message::Status(status)) => {
                status.load = LIE;
                true
            }
            (
                Behaviour::Honest
                | Behaviour::Dropper
                | Behaviour::Polluter
                | Behaviour::Replayer
                | Behaviour::Liar
                | Behaviour::Inflater
                | Behaviour::Flooder
                | Behaviour::Sybil
                | Behaviour::Slow,
                _,
            ) => true,
        }
    }
}

const LIE: Load = Load {
    free: 24,
    weakest: 0,
    slots: 24,
    fed: u16::MAX,
    lag_ms: 0,
};
