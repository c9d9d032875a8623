//! What a node knows about its own part.

use std::net::SocketAddr;
use std::time::Duration;

use crate::units::{Epoch, PeerId};

/// Totals since the start and gauges of this moment, for one channel.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub epoch: Epoch,
    /// Chunks whose deadline has passed since the first one received, and those of them that never came in time.
    pub chunks_due: u64,
    pub chunks_missed: u64,
    /// Chunks that came by asking for them.
    pub repaired: u64,
    pub duplicates: u64,
    /// Source to this node: median of the last second.
    pub lag: Duration,
    pub hops: u8,
    /// One entry a stripe.
    pub parents: Vec<Option<PeerId>>,
    pub children: usize,
    /// Child links this node has room for, over all stripes.
    pub slots: usize,
    pub neighbours: Vec<Neighbour>,
    /// Listeners of the whole channel as the mesh's aggregates say; `None` until known.
    pub listeners: Option<u64>,
    /// Relays and listeners below this node.
    pub downstream: u64,
    /// Mean and worst continuity of the channel in the last minute, as the aggregates say.
    pub continuity_mean: Option<f64>,
    pub continuity_worst: Option<f64>,
    /// Bytes this channel's messages took, and payload bytes received and sent.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub payload_received_bytes: u64,
    pub payload_sent_bytes: u64,
    /// Host only: children that confirmed a chunk in the last second.
    pub confirming_peers: usize,
    /// Times a stripe got another parent.
    pub parent_switches: u64,
}

/// One neighbour, for the mesh screen.
#[derive(Clone, Debug)]
pub struct Neighbour {
    pub peer: PeerId,
    pub remote: SocketAddr,
    /// Stripes it feeds us with, and stripes we feed it with, as bit masks.
    pub feeds_us: u16,
    pub fed_by_us: u16,
    pub spare: bool,
    pub is_host: bool,
    pub stalled: bool,
    pub rtt: Option<Duration>,
    pub jitter: Duration,
    /// Shares from 0 to 1.
    pub loss: f32,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub age: Duration,
}
