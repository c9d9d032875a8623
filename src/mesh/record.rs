//! Where a peer can be found, in its own words and signed by it, so that others may pass it on.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::limits::ADDRS_MAX;
use crate::mesh::chunk::Crypto;
use crate::mesh::wire::WireError;
use crate::mesh::wire::layout::{Reader, Sink};
use crate::units::PeerId;

const RECORD_CONTEXT: &[u8; 16] = b"inonda peer v1\0\0";

/// A peer's signed description of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    pub peer: PeerId,
    /// Greater in every newer record of the same peer: Unix seconds, so that it is so in its next process, too.
    pub serial: u32,
    /// Child links it has room for in all; zero for a peer that only listens.
    pub slots: u8,
    /// At most [`ADDRS_MAX`].
    pub addrs: Vec<SocketAddr>,
    /// By the peer's own key.
    pub signature: [u8; 64],
}

/// A node's short name inside path vectors and tables. Two neighbours of one node never share one: the second is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

impl Key {
    /// The short name of a peer.
    pub fn of(peer: &PeerId) -> Key {
        let [a, b, c, d, ..] = peer.0;
        Key(u32::from_be_bytes([a, b, c, d]))
    }

    /// The one stripe whose chunks this peer passes on, out of `stripes`.
    pub const fn home(self, stripes: u8) -> u8 {
        (crate::mesh::rng::mix(self.0 as u64) % stripes as u64) as u8
    }
}

impl PeerRecord {
    /// Makes and signs a record with this node's own key.
    pub fn sign(
        peer: PeerId,
        serial: u32,
        slots: u8,
        mut addrs: Vec<SocketAddr>,
        crypto: &dyn Crypto,
    ) -> Arc<PeerRecord> {
        addrs.truncate(ADDRS_MAX);
        let mut record = PeerRecord {
            peer,
            serial,
            slots,
            addrs,
            signature: [0; 64],
        };
        record.signature = crypto.sign_as_peer(&record.signed_bytes());
        Arc::new(record)
    }

    /// Whether the named peer signed this.
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        crypto.verify(&self.peer.0, &self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = RECORD_CONTEXT.to_vec();
        self.encode_body(&mut bytes);
        bytes
    }

    fn encode_body(&self, out: &mut impl Sink) {
        out.put(&self.peer.0);
        out.u32(self.serial);
        out.u8(self.slots);
        out.u8(self.addrs.len() as u8);
        for addr in &self.addrs {
            out.addr(addr);
        }
    }

    pub(crate) fn encode(&self, out: &mut impl Sink) {
        self.encode_body(out);
        out.put(&self.signature);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Arc<PeerRecord>, WireError> {
        let peer = PeerId(from.array()?);
        let (serial, slots) = (from.u32()?, from.u8()?);
        let count = from.count(ADDRS_MAX)?;
        let addrs = (0..count).map(|_| from.addr()).collect::<Result<_, _>>()?;
        let signature = from.array()?;
        Ok(Arc::new(PeerRecord {
            peer,
            serial,
            slots,
            addrs,
            signature,
        }))
    }
}

/// The network an address belongs to for the prefix caps: /24 or /48; `None` for loopback and private ranges, which are exempt.
pub fn prefix(ip: IpAddr) -> Option<u64> {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() => None,
        IpAddr::V4(ip) => Some(u64::from(u32::from(ip) >> 8)),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => prefix(IpAddr::V4(ip)),
            None if ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local() => {
                None
            }
            None => Some((u128::from(ip) >> 80) as u64 | 1 << 63),
        },
    }
}
