//! The network: where nodes are, who can reach whom, what a message costs in time and whether it arrives.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::mesh::Delivery;
use crate::mesh::record::Key;
use crate::mesh::rng::{Rng, mix};
use crate::sim::hashing::Mixing;
use crate::sim::scenario::Scenario;
use crate::units::PeerId;

/// Where a node is and what its line is like.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    x: f32,
    y: f32,
    /// Its public /24.
    pub net: u32,
    /// Whether others can dial it.
    pub dialable: bool,
    pub budget_bps: u64,
    /// Clock against true time.
    pub drift_ppm: i32,
    /// Line rate in bytes a second; zero for no limit.
    uplink: f32,
    busy_until: u64,
}

/// The sites of all nodes there ever were, and the state of the network between them.
pub struct Network {
    pub sites: Vec<Site>,
    near_us: f64,
    span_us: f64,
    jitter_us: f64,
    loss: f64,
    bursts: f64,
    queue_us: u64,
    unreachable: f64,
    seed: u64,
    /// Share of the sites that are cut off at the moment.
    pub cut_off: f64,
    /// Earliest delivery of the next reliable message of a pair, after one of theirs had to be sent again.
    held_up: HashMap<(u32, u32), u64, Mixing>,
    pub healed: bool,
}

/// The network of all Sybils, and the one that many honest peers share.
const SYBIL_NET: u32 = 0x0b_00_01;
pub const CAMPUS_NET: u32 = 0x0b_00_02;
/// Length of a burst of losses.
const BURST_US: u64 = 200_000;
/// Loss inside a burst.
const BURST_LOSS: f64 = 0.5;

impl Network {
    pub fn new(scenario: &Scenario) -> Network {
        Network {
            sites: Vec::new(),
            near_us: scenario.latency_ms.0 * 1_000.0,
            span_us: (scenario.latency_ms.1 - scenario.latency_ms.0) * 1_000.0,
            jitter_us: scenario.jitter_ms * 1_000.0,
            loss: scenario.loss,
            bursts: scenario.loss_bursts,
            queue_us: scenario.uplink.map_or(0, |uplink| (uplink.queue_ms * 1_000.0) as u64),
            unreachable: scenario.unreachable_pairs,
            seed: scenario.seed,
            cut_off: 0.0,
            held_up: HashMap::default(),
            healed: false,
        }
    }

    /// Adds a node at a random place.
    pub fn add(&mut self, scenario: &Scenario, budget_bps: u64, sybil: bool, rng: &mut Rng) -> u32 {
        let index = self.sites.len() as u32;
        let drift = (rng.unit() * 2.0 - 1.0) * scenario.drift_ppm;
        let limited = scenario.uplink.filter(|uplink| rng.chance(uplink.share));
        let net = if sybil {
            SYBIL_NET
        } else if index != 0 && rng.chance(scenario.campus) {
            CAMPUS_NET
        } else {
            // As many networks as listeners: some have two or three of them.
            CAMPUS_NET + 1 + rng.below(scenario.listeners.max(256)) as u32
        };
        // The host can be dialled: somebody must be.
        let dialable = index == 0 || !rng.chance(scenario.leaf_only);
        self.sites.push(Site {
            x: rng.unit() as f32,
            y: rng.unit() as f32,
            net,
            dialable,
            budget_bps,
            drift_ppm: drift as i32,
            uplink: limited.map_or(0.0, |uplink| {
                (budget_bps as f64 / 8.0 * uplink.times_budget).max(16_000.0) as f32
            }),
            busy_until: 0,
        });
        index
    }

    /// One way without jitter.
    pub fn latency_us(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (&self.sites[a as usize], &self.sites[b as usize]);
        let distance = f64::from(((a.x - b.x).powi(2) + (a.y - b.y).powi(2)).sqrt());
        self.near_us + self.span_us * distance.min(1.0)
    }

    /// Whether packets pass between two nodes at the moment.
    pub fn connects(&self, a: u32, b: u32) -> bool {
        self.cut_off == 0.0 || self.is_cut_off(a) == self.is_cut_off(b)
    }

    /// Whether a node is in the part that is cut off.
    pub fn is_cut_off(&self, node: u32) -> bool {
        self.would_be_cut_off(node, self.cut_off)
    }

    /// Whether a node is in the part that a partition of this share cuts off.
    pub fn would_be_cut_off(&self, node: u32, share: f64) -> bool {
        node != 0 && unit(self.seed ^ 77 ^ (u64::from(node) << 20)) < share
    }

    /// Whether one can dial the other.
    pub fn can_dial(&self, from: u32, to: u32) -> bool {
        let pair = (u64::from(from.min(to)) << 32) | u64::from(from.max(to));
        self.sites[to as usize].dialable && self.connects(from, to) && unit(self.seed ^ mix(pair)) >= self.unreachable
    }

    /// When a message that is sent now arrives; `None` when it is lost.
    pub fn transmit(
        &mut self,
        from: u32,
        to: u32,
        bytes: usize,
        delivery: Delivery,
        now: u64,
        rng: &mut Rng,
    ) -> Option<u64> {
        if !self.connects(from, to) {
            return None;
        }
        let latency = self.latency_us(from, to);
        let queued = self.queue(from, bytes, now);
        let lost = rng.chance(self.loss_now(from, now));
        let jitter = rng.unit() * 2.0 * self.jitter_us;
        // What finds the queue full is lost, too.
        let queued = queued.filter(|_| !lost)?;
        let arrival = now + queued + latency as u64;
        Some(match delivery {
            Delivery::Datagram => arrival + jitter as u64,
            Delivery::Reliable => self.in_order(from, to, arrival),
        })
    }

    /// Ordered messages keep their order: one that must be sent again holds up those behind it.
    fn in_order(&mut self, from: u32, to: u32, arrival: u64) -> u64 {
        if self.held_up.is_empty() {
            return arrival;
        }
        let until = self.held_up.get(&(from, to)).copied().unwrap_or(0);
        arrival.max(until)
    }

    /// The next ordered message of a pair arrives no sooner.
    pub fn hold_up(&mut self, from: u32, to: u32, until: u64) {
        if self.held_up.len() > 100_000 {
            self.held_up.clear();
        }
        self.held_up.insert((from, to), until);
    }

    fn loss_now(&self, node: u32, now: u64) -> f64 {
        if self.bursts == 0.0 || self.healed {
            return self.loss;
        }
        let slot = now / BURST_US;
        let in_burst = unit(self.seed ^ mix(u64::from(node) << 24 ^ slot)) < self.bursts;
        if in_burst { BURST_LOSS } else { self.loss }
    }

    /// Time in the sender's queue; `None` when it is full.
    fn queue(&mut self, from: u32, bytes: usize, now: u64) -> Option<u64> {
        let site = &mut self.sites[from as usize];
        if site.uplink == 0.0 {
            return Some(0);
        }
        let start = site.busy_until.max(now);
        if start - now > self.queue_us {
            return None;
        }
        site.busy_until = start + (bytes as f64 / f64::from(site.uplink) * 1e6) as u64;
        Some(site.busy_until - now)
    }

    /// The address of a node: its network in the first three bytes, its number in the last byte and the port.
    pub fn addr(&self, node: u32) -> SocketAddr {
        let net = self.sites[node as usize].net;
        let ip = std::net::Ipv4Addr::from(net << 8 | node >> 16);
        SocketAddr::from((ip, node as u16))
    }

    /// The node at an address.
    pub fn node_at(&self, addr: &SocketAddr) -> Option<u32> {
        let std::net::IpAddr::V4(ip) = addr.ip() else {
            return None;
        };
        let node = (u32::from(ip) & 0xff) << 16 | u32::from(addr.port());
        ((node as usize) < self.sites.len()).then_some(node)
    }
}

/// The name of a node: random in the bytes that matter to the mesh, its number behind them.
pub fn peer_id(seed: u64, node: u32) -> PeerId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&key_of(seed, node).0.to_be_bytes());
    id[4..8].copy_from_slice(&node.to_be_bytes());
    PeerId(id)
}

/// The short name of a node.
fn key_of(seed: u64, node: u32) -> Key {
    Key(mix(seed ^ mix(u64::from(node))) as u32)
}

/// The node of a name.
pub fn node_of(peer: &PeerId) -> u32 {
    let [_, _, _, _, a, b, c, d, ..] = peer.0;
    u32::from_be_bytes([a, b, c, d])
}

fn unit(value: u64) -> f64 {
    (mix(value) >> 11) as f64 / (1u64 << 53) as f64
}
