//! Acknowledgements that wait for company.
//!
//! A chunk comes every quarter of a second and its acknowledgement, alone in a packet, is 57 bytes: one for each chunk was
//! 6.6 % of the stream, the largest part of all that is no sound after the headers. A child reports to its parents anyway;
//! an acknowledgement that waits until then costs a few bytes. With QUIC's acknowledgement frequency the sender says how
//! long the receiver may wait, and quinn never says longer than a round trip, unless the receiver has announced that it
//! acknowledges no sooner: so each side announces that, here, in its transport parameters.
//!
//! What is lost is still noticed early: a gap is acknowledged at once, and so is every eighth packet. Only the last packet
//! of a conversation, when it is lost, is repeated later than before.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::{self, Keys, Session, UnsupportedVersion};
use quinn::{ConnectError, ConnectionId, Side};
use quinn_proto::transport_parameters::TransportParameters;

/// How long an acknowledgement waits. Longer than a child waits with its next report, which usually goes with the fifth chunk, 960 ms
/// after the first; 1.5 s would make the repetition of a lost last message audible.
pub(super) const DELAY: Duration = Duration::from_millis(1_100);

/// Names of two transport parameters: `max_ack_delay` (RFC 9000, 18.2) and `min_ack_delay` (ack-frequency draft, 10.2).
const MAX_ACK_DELAY: u64 = 0x0b;
const MIN_ACK_DELAY: u64 = 0xff04_de1b;

/// A TLS configuration whose connections announce that they acknowledge no sooner than [`DELAY`].
#[derive(Debug)]
pub(super) struct Patient<C>(pub Arc<C>);

impl<C: crypto::ClientConfig> crypto::ClientConfig for Patient<C> {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let params = patient(params, Side::Server);
        Arc::clone(&self.0).start_session(version, server_name, &params)
    }
}

impl<C: crypto::ServerConfig> crypto::ServerConfig for Patient<C> {
    fn initial_keys(&self, version: u32, to: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.0.initial_keys(version, to)
    }

    fn retry_tag(&self, version: u32, to: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.0.retry_tag(version, to, packet)
    }

    fn start_session(self: Arc<Self>, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let params = patient(params, Side::Client);
        Arc::clone(&self.0).start_session(version, &params)
    }
}

/// The same parameters with other delays, as `reader` will read them; quinn keeps its fields to itself, so they are changed
/// in their encoded form.
fn patient(params: &TransportParameters, reader: Side) -> TransportParameters {
    let mut encoded = Vec::new();
    params.write(&mut encoded);
    let changed = with_delays(&encoded).and_then(|bytes| TransportParameters::read(reader, &mut bytes.as_slice()).ok());
    debug_assert!(changed.is_some(), "quinn's own parameters can be read");
    changed.unwrap_or(*params)
}

/// Encoded parameters with the two delays in place of whatever was there; `None` when they are cut short.
fn with_delays(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(encoded.len() + 16);
    let mut rest = encoded;
    while !rest.is_empty() {
        let (name, after) = varint(rest)?;
        let (len, after) = varint(after)?;
        let end = usize::try_from(len).ok().filter(|len| *len <= after.len())?;
        let whole = rest.len() - after.len() + end;
        if name != MAX_ACK_DELAY && name != MIN_ACK_DELAY {
            out.extend_from_slice(&rest[..whole]);
        }
        rest = &rest[whole..];
    }
    let delay_ms = DELAY.as_millis() as u16;
    put(&mut out, &[0x0b], &(0x4000 | delay_ms).to_be_bytes());
    let name = (0xc000_0000_0000_0000 | MIN_ACK_DELAY).to_be_bytes();
    put(
        &mut out,
        &name,
        &(0x8000_0000 | (u32::from(delay_ms) * 1_000)).to_be_bytes(),
    );
    Some(out)
}

fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.push(value.len() as u8);
    out.extend_from_slice(value);
}

/// A number of QUIC's variable length, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let (number, rest) = bytes.split_at_checked(len)?;
    let value = number[1..]
        .iter()
        .fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, rest))
}

const _: () = assert!(
    DELAY.as_millis() < 1 << 14,
    "a varint of two bytes, and what the standard allows"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_delays_are_replaced_and_the_rest_stays() {
        // Two bytes of something, a max_ack_delay of 25 ms.
        let encoded = [0x04, 2, 0x41, 0x02, 0x0b, 1, 25];
        let changed = with_delays(&encoded).unwrap();
        assert_eq!(&changed[..4], &encoded[..4]);
        assert_eq!(&changed[4..8], [0x0b, 2, 0x44, 0x4c]);
        assert_eq!(varint(&changed[8..]).map(|(name, _)| name), Some(MIN_ACK_DELAY));
        assert_eq!(varint(&changed[17..]).map(|(us, _)| us), Some(1_100_000));
        let again = with_delays(&changed).unwrap();
        assert_eq!(again, changed);
    }

    #[test]
    fn what_is_cut_short_is_left_alone() {
        assert_eq!(with_delays(&[0x04, 9, 1]), None);
        assert_eq!(with_delays(&[0x41]), None);
    }

    #[test]
    fn quinn_reads_what_is_announced() {
        let plain = TransportParameters::read(Side::Server, &mut [].as_slice()).unwrap();
        let changed = patient(&plain, Side::Server);
        assert_ne!(changed, plain);
        assert_eq!(patient(&changed, Side::Client), changed);
    }
}
