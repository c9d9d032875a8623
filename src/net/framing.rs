//! How messages lie in datagrams and streams.
//!
//! - A datagram is a tag of four bytes and a message.
//! - A unidirectional stream starts with one byte. [`STREAM_BULK`]: one tag and message follow until its end, for a message
//!   too long for a datagram. [`STREAM_CONTROL`], once in each direction and first of all streams: frames follow, each a
//!   length (u16, big endian, of tag and message), a tag and a message.
//! - The first frame of a control stream is a [`Hello`], under a tag that no layer above may use.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use crate::limits::MESSAGE_MAX_BYTES;

/// Says which protocol above the network a message belongs to.
pub type Tag = [u8; 4];

/// Bytes of a [`Tag`].
pub(super) const TAG_BYTES: usize = 4;
/// A tag and the longest message.
pub(super) const FRAME_MAX_BYTES: usize = TAG_BYTES + MESSAGE_MAX_BYTES;
/// First byte of the ordered stream.
pub(super) const STREAM_CONTROL: u8 = 0;
/// First byte of a stream that carries one long message.
pub(super) const STREAM_BULK: u8 = 1;
/// The network's own messages.
pub(super) const NET_TAG: Tag = *b"\0net";
/// What a [`Hello`] may grow to in later versions.
const HELLO_MAX_BYTES: usize = 128;

const _: () = assert!(FRAME_MAX_BYTES <= u16::MAX as usize);

/// What a peer sent cannot be read; the connection is closed with this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a datagram shorter than its tag")]
    ShortDatagram,
    #[error("a frame length outside its limits")]
    Length,
    #[error("an unknown kind of stream")]
    StreamKind,
    #[error("a second control stream")]
    SecondControl,
    #[error("a hello that cannot be read")]
    Hello,
    #[error("a tag that belongs to the network itself")]
    ReservedTag,
    #[error("no hello in time")]
    NoHello,
}

/// Tag and message in one buffer, for a datagram.
pub(super) fn datagram(tag: Tag, message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(TAG_BYTES + message.len());
    out.put_slice(&tag);
    out.put_slice(message);
    out.freeze()
}

/// Appends one frame of the control stream.
pub(super) fn put_frame(out: &mut BytesMut, tag: Tag, message: &[u8]) {
    debug_assert!(message.len() <= MESSAGE_MAX_BYTES);
    out.reserve(2 + TAG_BYTES + message.len());
    out.put_u16((TAG_BYTES + message.len()) as u16);
    out.put_slice(&tag);
    out.put_slice(message);
}

/// The length of the frame that follows, checked before anything is allocated for it.
pub(super) fn frame_length(header: [u8; 2]) -> Result<usize, FrameError> {
    match usize::from(u16::from_be_bytes(header)) {
        length @ TAG_BYTES..=FRAME_MAX_BYTES => Ok(length),
        _ => Err(FrameError::Length),
    }
}

/// Takes a tag and a message apart.
pub(super) fn split(mut frame: Bytes) -> Result<(Tag, Bytes), FrameError> {
    if frame.len() < TAG_BYTES {
        return Err(FrameError::ShortDatagram);
    }
    if frame.len() > FRAME_MAX_BYTES {
        return Err(FrameError::Length);
    }
    let head = frame.split_to(TAG_BYTES);
    let tag: Tag = head.as_ref().try_into().map_err(|_| FrameError::ShortDatagram)?;
    Ok((tag, frame))
}

/// The first thing each side says: which run of the program it is, and at which address it sees the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// Random for each run, so that a peer that was restarted is told from one that dialled twice.
    pub instance: [u8; 8],
    /// Where the other side's packets come from.
    pub observed: SocketAddr,
}

impl Hello {
    /// Version, instance, address family, address, port.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HELLO_MAX_BYTES);
        out.put_u8(1);
        out.put_slice(&self.instance);
        match self.observed.ip() {
            IpAddr::V4(ip) => {
                out.put_u8(4);
                out.put_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.put_u8(6);
                out.put_slice(&ip.octets());
            }
        }
        out.put_u16(self.observed.port());
        out.freeze()
    }

    /// Reads what [`Hello::encode`] wrote; bytes that a later version adds at the end are passed over.
    pub(super) fn decode(bytes: &[u8]) -> Result<Hello, FrameError> {
        let bad = FrameError::Hello;
        if bytes.len() > HELLO_MAX_BYTES {
            return Err(bad);
        }
        let (&[version], rest) = bytes.split_first_chunk::<1>().ok_or(bad)?;
        let (instance, rest) = rest.split_first_chunk::<8>().ok_or(bad)?;
        let (&[family], rest) = rest.split_first_chunk::<1>().ok_or(bad)?;
        let (ip, rest): (IpAddr, &[u8]) = match family {
            4 => rest
                .split_first_chunk::<4>()
                .map(|(ip, rest)| (IpAddr::from(*ip), rest))
                .ok_or(bad)?,
            6 => rest
                .split_first_chunk::<16>()
                .map(|(ip, rest)| (IpAddr::from(*ip), rest))
                .ok_or(bad)?,
            _ => return Err(bad),
        };
        let (port, _) = rest.split_first_chunk::<2>().ok_or(bad)?;
        if version == 0 {
            return Err(bad);
        }
        Ok(Hello {
            instance: *instance,
            observed: SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(*port)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hello_survives_the_wire_in_both_families() {
        for observed in ["192.0.2.1:7144", "[2001:db8::9]:1"] {
            let hello = Hello {
                instance: *b"12345678",
                observed: observed.parse().unwrap(),
            };
            assert_eq!(Hello::decode(&hello.encode()).unwrap(), hello);
        }
    }

    #[test]
    fn a_hello_with_more_at_its_end_is_still_read() {
        let hello = Hello {
            instance: [3; 8],
            observed: "192.0.2.1:7144".parse().unwrap(),
        };
        let longer = [&hello.encode()[..], b"later"].concat();
        assert_eq!(Hello::decode(&longer).unwrap(), hello);
    }

    #[test]
    fn lengths_outside_the_limits_are_refused_before_anything_is_read() {
        assert_eq!(frame_length([0, 3]), Err(FrameError::Length));
        assert_eq!(frame_length([0xff, 0xff]), Err(FrameError::Length));
        assert_eq!(
            frame_length((FRAME_MAX_BYTES as u16).to_be_bytes()),
            Ok(FRAME_MAX_BYTES)
        );
    }

    proptest! {
        #[test]
        fn nothing_received_makes_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Hello::decode(&bytes);
            if let Ok((tag, message)) = split(Bytes::from(bytes.clone())) {
                prop_assert_eq!(datagram(tag, &message), Bytes::from(bytes));
            }
        }
    }
}
