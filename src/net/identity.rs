//! Who this node is on the network: an Ed25519 key whose public half is its name.

use std::fmt;

use ed25519_dalek::SigningKey;

use crate::units::PeerId;

/// A node's secret key and the name that follows from it. Its `Debug` form shows the name only.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    peer: PeerId,
}

impl Identity {
    /// The identity that belongs to `key`.
    pub fn new(key: SigningKey) -> Identity {
        let peer = PeerId(key.verifying_key().to_bytes());
        Identity { key, peer }
    }

    /// A fresh identity from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Identity, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Identity::new(SigningKey::from_bytes(&secret)))
    }

    /// The public half: how others name this node.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The secret half, for signing records about this node.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_not_shown() {
        let identity = Identity::new(SigningKey::from_bytes(&[7; 32]));
        assert_eq!(
            format!("{identity:?}"),
            format!("Identity({})", identity.peer().short())
        );
    }

    #[test]
    fn two_fresh_identities_differ() {
        assert_ne!(
            Identity::generate().unwrap().peer(),
            Identity::generate().unwrap().peer()
        );
    }
}
