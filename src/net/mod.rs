//! QUIC between nodes: one UDP socket, one authenticated connection to each peer, small messages over it.
//!
//! [`Endpoint`] dials and accepts on the same socket; what happens is told as [`NetEvent`]s on one bounded channel. A
//! connection counts only when the dialler's first frame, a hello, has arrived: connections that lost a race between
//! addresses never say it and vanish unseen. When two peers dial each other at once, the connection that the smaller
//! [`PeerId`](crate::units::PeerId) dialled stays; the other is emptied by its dialler and closed, so nothing sent is lost.
//!
//! Nothing here ever waits for a peer: datagrams push the oldest out of a bounded buffer, ordered messages overflow a
//! bounded queue and end the connection with a reason.
#![allow(clippy::disallowed_methods, reason = "connections live on the system's clock")]

mod accept;
mod acks;
mod addrs;
pub mod ask;
mod congestion;
mod dial;
mod endpoint;
mod event;
mod framing;
pub mod identity;
mod link;
mod reading;
pub mod rough;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod unheard;
#[cfg(feature = "discovery")]
pub mod web;

pub use endpoint::{Endpoint, PathStats, SendError, Traffic};
pub use event::{DialError, DisconnectReason, NetError, NetEvent};
pub use framing::Tag;
pub use identity::Identity;
