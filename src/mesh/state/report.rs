//! What a node tells about itself.

use std::sync::Arc;

use super::Mesh;
use crate::mesh::Session;
use crate::mesh::chunk::SignedChunk;
use crate::mesh::stats::{Neighbour, Stats};
use crate::units::{PeerId, Seq, Time};

impl Mesh {
    /// The session and the newest chunk held: who has them receives the stream.
    pub fn newest(&self) -> Option<(Arc<Session>, Arc<SignedChunk>)> {
        let chunk = self.window.get(self.window.newest())?;
        Some((self.session.clone()?, Arc::clone(chunk)))
    }

    /// Totals and gauges at this moment.
    pub fn stats(&self, now: Time) -> Stats {
        let second = std::time::Duration::from_secs(1);
        let confirming = self.members.list.iter().filter_map(|n| Some((n, n.child.as_ref()?)));
        let below = self.below();
        Stats {
            epoch: self.epoch(),
            chunks_due: self.playback.due,
            chunks_missed: self.playback.missed,
            repaired: self.totals.repaired,
            duplicates: self.totals.duplicates,
            lag: self.playback.lag(),
            hops: (0..self.stripe_count())
                .map(|stripe| self.hops_of(stripe))
                .max()
                .unwrap_or(0),
            parents: self.parents(),
            children: self.members.list.iter().filter(|n| n.fed != 0).count(),
            slots: usize::from(self.slots),
            neighbours: self.neighbours(now),
            listeners: if self.is_source {
                Some(u64::from(below.listeners))
            } else {
                self.audience.map(|audience| u64::from(audience.listeners))
            },
            downstream: (u64::from(below.listeners) + u64::from(below.relays))
                .saturating_sub(u64::from(!self.is_source)),
            continuity_mean: self.audience.map(|audience| f64::from(audience.mean_ppm) / 1e6),
            continuity_worst: self.audience.map(|audience| f64::from(audience.worst_ppm) / 1e6),
            sent_bytes: self.totals.sent_bytes,
            received_bytes: self.totals.received_bytes,
            payload_received_bytes: self.totals.payload_received_bytes,
            payload_sent_bytes: self.totals.payload_sent_bytes,
            confirming_peers: confirming
                // Being attached is no proof; only what was acknowledged is.
                .filter(|(n, child)| child.acknowledged > Seq(0) && now.since(n.alive) < second)
                .count(),
            parent_switches: self.totals.parent_switches,
        }
    }

    fn parents(&self) -> Vec<Option<PeerId>> {
        let peer = |key| self.members.by_key(key).map(|at| self.members.list[at].peer);
        self.stripes.iter().map(|state| state.parent.and_then(peer)).collect()
    }

    fn neighbours(&self, now: Time) -> Vec<Neighbour> {
        let silent = self.config.ping_every + self.config.status_every * 4;
        let each = self.members.list.iter().enumerate().map(|(at, n)| {
            let asked = f32::from(n.met) + f32::from(n.unmet);
            Neighbour {
                peer: n.peer,
                remote: self.members.remote(at),
                feeds_us: n.feeds,
                fed_by_us: n.fed,
                spare: n.is_spare(),
                is_host: n.is_host(),
                stalled: now.since(n.heard) > if n.is_spare() { silent } else { self.config.dead_child },
                rtt: (n.rtt_us > 0).then(|| std::time::Duration::from_micros(u64::from(n.rtt_us))),
                jitter: std::time::Duration::from_micros(u64::from(n.jitter_us)),
                loss: if asked > 0.0 { f32::from(n.unmet) / asked } else { 0.0 },
                received_bytes: n.received_bytes,
                sent_bytes: n.sent_bytes,
                age: now.since(n.since),
            }
        });
        each.collect()
    }
}

/// Sizes inside a node, for those who check its limits from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    pub slots: usize,
    /// Child links in use, and those whose child was asked to go.
    pub used: usize,
    pub leaving: usize,
    pub neighbours: usize,
    pub passive: usize,
    pub wants: usize,
    pub held: usize,
    pub bursts: usize,
    /// Chunks owed to children.
    pub owed: usize,
}

impl Mesh {
    /// How much of everything this node holds.
    pub fn sizes(&self) -> Sizes {
        let leaving = self.members.list.iter().map(|n| n.leaving.count_ones());
        Sizes {
            slots: usize::from(self.slots),
            used: self.slots_used(),
            leaving: leaving.sum::<u32>() as usize,
            neighbours: self.members.list.len(),
            passive: self.members.passive_len(),
            wants: self.repair.wants.len(),
            held: self.repair.held.len(),
            bursts: self.bursts.len(),
            owed: self.arrears.len(),
        }
    }

    /// Who feeds a stripe.
    pub fn parent(&self, stripe: u8) -> Option<PeerId> {
        let key = self.stripes.get(usize::from(stripe))?.parent?;
        self.members.by_key(key).map(|at| self.members.list[at].peer)
    }

    /// Whether this node believes that a stripe has a way to the host.
    pub fn has_path(&self, stripe: u8) -> bool {
        self.is_fed(stripe)
    }

    /// Everybody this node is connected to.
    pub fn neighbour_ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.members.list.iter().map(|n| n.peer)
    }

    /// The addresses of all records it keeps of peers that are no neighbours.
    pub fn known_addrs(&self) -> impl Iterator<Item = std::net::SocketAddr> + '_ {
        self.members.passive_addrs()
    }

    /// Whether it is connected to this peer.
    pub fn is_connected_to(&self, peer: &PeerId) -> bool {
        self.members.find(peer).is_some()
    }
}

impl Mesh {
    /// The oldest chunk held.
    pub fn oldest_chunk(&self) -> Option<std::sync::Arc<crate::mesh::chunk::SignedChunk>> {
        let (oldest, newest) = (self.window.oldest().0, self.window.newest().0);
        (oldest..=newest).find_map(|seq| self.window.get(crate::units::Seq(seq)).cloned())
    }
}
