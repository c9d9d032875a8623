//! What the network tells the engine, and how it fails.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::net::framing::Tag;
use crate::units::PeerId;

/// Something happened on the network.
#[derive(Clone, Debug)]
pub enum NetEvent {
    /// An authenticated connection stands; `dialled` when this node opened it. Once per peer until `Disconnected`.
    Connected {
        peer: PeerId,
        remote: SocketAddr,
        dialled: bool,
    },
    /// A message of at most `MESSAGE_MAX_BYTES`, always between `Connected` and `Disconnected` of its peer.
    Message { peer: PeerId, tag: Tag, bytes: Bytes },
    /// The connection is over. Follows every `Connected` exactly once, also when this node ended it.
    Disconnected { peer: PeerId, reason: DisconnectReason },
    /// A dial found a peer that is connected already; nothing changed.
    AlreadyConnected { peer: PeerId, addrs: Vec<SocketAddr> },
    /// A dial came to nothing.
    DialFailed {
        peer: Option<PeerId>,
        addrs: Vec<SocketAddr>,
        why: DialError,
    },
    /// A peer sees this node at `addr`; told when this peer says it first. Peers may lie: see `Endpoint::observed`.
    Observed { peer: PeerId, addr: SocketAddr },
}

/// Why a dial came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    #[error("no address that this node can dial")]
    NoAddress,
    #[error("the address leads back to this node")]
    Itself,
    #[error("somebody else answers there: {0}")]
    WrongPeer(PeerId),
    #[error("the peer is banned for now")]
    Banned,
    #[error("too many dials at once; try again in a moment")]
    TooMany,
    #[error("no answer in time")]
    TimedOut,
    #[error("another version of inonda answers there")]
    OtherVersion,
    #[error("the peer refused: {0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectReason {
    #[error("this node ended it")]
    Local,
    #[error("the peer said goodbye")]
    Goodbye,
    #[error("the peer banned this node")]
    BannedByPeer,
    #[error("the peer dialled anew")]
    Replaced,
    #[error("silence for too long")]
    TimedOut,
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    #[error("the peer says that this node broke the protocol: {0}")]
    Accused(String),
    #[error("the peer reads too slowly")]
    Overflow,
    #[error("{0}")]
    Lost(String),
}

/// The network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error(
        "UDP port {} on {} is taken: stop the program that uses it, or choose another with --bind {}:PORT (0 picks a free one)",
        .0.port(), .0.ip(), bracketed(.0)
    )]
    PortTaken(SocketAddr),
    #[error("{addr} is no address of this machine ({source}): use --bind 0.0.0.0:PORT or [::]:PORT for all of them")]
    NotOurs { addr: SocketAddr, source: io::Error },
    #[error("not allowed to bind UDP {0}: use a port above 1023, or run with more rights")]
    Denied(SocketAddr),
    #[error("cannot bind UDP {addr}: {source}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("the keys of this node cannot be used for TLS: {0}")]
    Tls(String),
}

impl NetError {
    pub(super) fn tls(error: impl std::fmt::Display) -> NetError {
        NetError::Tls(error.to_string())
    }

    pub(super) fn bind(addr: SocketAddr, source: io::Error) -> NetError {
        match source.kind() {
            io::ErrorKind::AddrInUse => NetError::PortTaken(addr),
            io::ErrorKind::AddrNotAvailable => NetError::NotOurs { addr, source },
            io::ErrorKind::PermissionDenied => NetError::Denied(addr),
            _ => NetError::Bind { addr, source },
        }
    }
}

fn bracketed(addr: &SocketAddr) -> String {
    match addr {
        SocketAddr::V4(addr) => addr.ip().to_string(),
        SocketAddr::V6(addr) => format!("[{}]", addr.ip()),
    }
}
