//! The mesh: how listeners carry the stream. A sans-IO core: inputs, outputs and one next deadline; time and randomness are
//! arguments. `Mesh` is one node's part in one channel.

mod answers;
mod barren;
mod bootstrap;
pub mod budget;
pub mod chunk;
pub mod config;
pub mod crypto;
mod dials;
pub mod member;
pub mod neighbour;
pub mod playback;
pub mod record;
pub mod repair;
pub mod rng;
pub mod session;
pub mod standing;
pub mod state;
pub mod stats;
pub mod stripe;
pub mod timer;
pub mod window;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::units::{Epoch, PeerId, Stripe};
pub use chunk::{Chunk, Crypto};
pub use config::Config;
pub use crypto::Ed25519;
pub use record::PeerRecord;
pub use session::Session;
pub use state::Mesh;
pub use stats::Stats;
pub use timer::Timer;
pub use wire::Message;

/// Which QUIC service a message wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Ordered and retransmitted: control.
    Reliable,
    /// One datagram, the oldest dropped first when the path is full: chunks, wants, pings.
    Datagram,
}

/// Everything that may happen to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// The host has encoded the payload of the next chunk.
    Publish { payload: Bytes },
    /// A neighbour's message, already decoded.
    Received { from: PeerId, message: Message },
    /// An authenticated connection stands; `dialled` when this node opened it, `rtt` as its handshake took it, if it did.
    Connected {
        peer: PeerId,
        remote: SocketAddr,
        dialled: bool,
        rtt: Option<Duration>,
    },
    /// The connection to a neighbour ended.
    Disconnected { peer: PeerId },
    /// A dial asked for by [`Output::Dial`] came to nothing.
    DialFailed {
        peer: Option<PeerId>,
        addrs: Vec<SocketAddr>,
    },
    /// Addresses at which somebody on the channel may be found: from a link, `--peer` or discovery.
    AddAddrs { addrs: Vec<SocketAddr> },
    /// Where this node can be dialled, as far as it knows, for its own signed record.
    OwnAddrs { addrs: Vec<SocketAddr> },
    /// The person changed the upload budget; zero means listen only.
    SetUpload { bits_per_second: u64 },
    /// What is heard now left the host so long ago: a show that has just begun is heard with less than the deadline in reserve.
    Heard { delay: Duration },
    /// The person wants nothing more to do with this peer.
    Block { peer: PeerId },
    /// The person asks to look for better parents now.
    Reconnect,
    /// Say goodbye: outputs after this are farewells, then nothing.
    Leave,
}

/// Everything a node may want done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send to a connected neighbour.
    Send {
        to: PeerId,
        message: Message,
        delivery: Delivery,
    },
    /// Connect to any of these addresses; `peer` is known unless the address came from a link.
    Dial {
        peer: Option<PeerId>,
        addrs: Vec<SocketAddr>,
    },
    /// This channel needs the connection no longer.
    Disconnect { peer: PeerId, reason: CloseReason },
    /// Tell the layer above.
    Event(Event),
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing more to exchange.
    Done,
    /// The peer broke the protocol, signed badly or flooded; it is not dialled or accepted again for a while.
    Banned,
}

/// What the layer above learns.
#[derive(Clone, Debug)]
pub enum Event {
    /// The host's signed session is known (again after each newer one): codec, chunk time and names come from here.
    Session(Arc<Session>),
    /// A verified chunk of the current session, each once, in order of arrival.
    Chunk(Arc<Chunk>),
    /// A stripe has a new parent; `gap` since its last fresh chunk came from the old one.
    ParentChanged {
        stripe: Stripe,
        from: Option<PeerId>,
        to: Option<PeerId>,
        gap: Duration,
    },
    /// The host said goodbye or has been silent for longer than the mesh waits.
    OffAir { reason: OffAirReason },
    /// This host is not the only one on air with this channel key. Each other session is told once: a newer one as soon as it
    /// is known, an older one when it goes on beside ours.
    AnotherHost { epoch: Epoch },
    /// A neighbour sees this node at `addr`.
    Observed { by: PeerId, addr: SocketAddr },
    /// A neighbour was banned; `reason` is for the log.
    Banned { peer: PeerId, reason: &'static str },
}

/// Why a channel ended for this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffAirReason {
    /// The host ended the show.
    Ended,
    /// No chunk from anybody for longer than the mesh waits; the node keeps trying.
    Silent,
}
