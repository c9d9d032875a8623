//! Virtual time: nodes, what happens to them, and the loop that lets it happen. The nodes are the product's own `Mesh`.

mod faults;
mod foresight;
mod hearing;
mod people;
mod traffic;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::mesh::budget::Packets;
use crate::mesh::chunk::SignedChunk;
use crate::mesh::rng::{Rng, mix};
use crate::mesh::wire::Load;
use crate::mesh::{Config, Delivery, Event, Input, Mesh, Message, Output, Session};
use crate::sim::ack::{self, Debts};
use crate::sim::behaviour::Behaviour;
use crate::sim::hashing::{Hashing, Mixing};
use crate::sim::invariant::{Violation, Watcher};
use crate::sim::metrics::{ACKNOWLEDGEMENTS, HANDSHAKES, Heard, Metrics, Second};
use crate::sim::network::{Network, node_of, peer_id};
use crate::sim::plan;
use crate::sim::scenario::Scenario;
use crate::sim::wheel::Wheel;
use crate::units::{ChannelId, Codec, Epoch, PeerId, Time};

/// QUIC gives a silent connection up after this long.
const IDLE_TIMEOUT_US: u64 = 13_000_000;
/// When a dial that nobody answers is given up.
const DIAL_TIMEOUT_US: u64 = 2_000_000;
/// Who hears nothing is given fresh addresses after this long, again and again, as a directory or the DHT would.
const LOOK_UP_US: u64 = 5_000_000;
/// Addresses given to a newcomer: random members that can be dialled and pass something on, for only those announce
/// themselves.
const BOOTSTRAP: usize = 3;
/// Lateness of those who pass everything on late.
const SLOW_US: u64 = 400_000;

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    Deliver {
        to: u32,
        from: u32,
        message: Message,
    },
    Connected {
        at: u32,
        with: u32,
        dialled: bool,
    },
    Disconnected {
        at: u32,
        with: u32,
    },
    /// The connection to one that vanished times out, unless it is back.
    TimedOut {
        at: u32,
        with: u32,
    },
    /// Boxed, for it is rare and larger than the rest, which fill the wheel.
    DialFailed(Box<FailedDial>),
    Timer {
        at: u32,
    },
    Publish,
    Join,
    Depart {
        node: u32,
    },
    /// A node that still hears nothing is given addresses again.
    LookUp {
        node: u32,
    },
    Fault(Fault),
    /// Ordered messages that were lost are sent again: nothing has followed them.
    Repeat {
        from: u32,
        to: u32,
    },
    Attack,
    Audit,
    Measure,
}

/// A dial that nobody answers.
#[derive(Debug)]
struct FailedDial {
    at: u32,
    peer: Option<PeerId>,
    addrs: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Crash(usize),
    CutOff(usize),
    Rejoin,
    HostDies,
    HostReturns,
    Heal,
}

/// The timer of a node.
#[derive(Clone, Copy, Debug)]
struct Alarm {
    /// The earliest timer event on the wheel.
    armed: u64,
    /// When the node wants to be woken; each chunk puts it off.
    due: u64,
}

const NEVER: Alarm = Alarm {
    armed: u64::MAX,
    due: u64::MAX,
};

/// A node that is alive.
pub struct SimNode {
    pub mesh: Mesh,
    pub behaviour: Behaviour,
    pub heard: Heard,
    /// Its playback deadline.
    pub deadline_us: u64,
    /// Bytes of the running second, for the budget, and when it was last told to be over it.
    second: Second,
    over_at: u64,
    pub payload_sent: u64,
    /// Acknowledgements it owes, and what its packets hold.
    debts: Debts,
    packets: Packets,
    /// Place in the list of the living.
    place: u32,
}

/// A run of one scenario.
pub struct World {
    pub scenario: Scenario,
    pub now: u64,
    pub end: u64,
    /// When the measured part begins.
    pub from: u64,
    wheel: Wheel<Happening>,
    pub nodes: Vec<Option<Box<SimNode>>>,
    /// Apart from the nodes: a timer that comes too soon looks at nothing else of them.
    alarms: Vec<Alarm>,
    living: Vec<u32>,
    pub network: Network,
    /// Ordered messages that were lost and have not been sent again.
    lost: HashMap<(u32, u32), Vec<Message>, Mixing>,
    rng: Rng,
    pub metrics: Metrics,
    pub watcher: Watcher,
    config: Arc<Config>,
    /// Those of the listeners, one for each upload and deadline there is.
    configs: HashMap<(u64, u64), Arc<Config>>,
    channel: ChannelId,
    payload: Bytes,
    chunk_us: u64,
    deadline_us: u64,
    run: u64,
    /// When each chunk of the whole run was published.
    pub published: Vec<u64>,
    /// Chunks published before each session.
    epochs: Vec<u64>,
    stay_us: f64,
    /// A second for the upload budget, in whole rounds of the stripes: 4.17 rounds of 240 ms would make every sixth second
    /// look a fifth too full.
    second_us: u64,
    pub events: u64,
    pub hash: u64,
    outputs: VecDeque<Output>,
    host_died: bool,
}

impl World {
    /// A world at time zero: the host is on air, the audience on its way.
    pub fn new(scenario: Scenario) -> World {
        let rng = Rng::new(mix(scenario.seed));
        let chunk_us = scenario.chunk_time().as_micros() as u64;
        let config = Config {
            deadline: Duration::from_secs_f64(scenario.deadline_s),
            host_slots: scenario.host_slots,
            passive_max: if scenario.listeners > 200_000 { 24 } else { 64 },
            ..Config::default()
        };
        let mut world = World {
            network: Network::new(&scenario),
            end: ((scenario.settle_s + scenario.seconds) * 1e6) as u64,
            from: (scenario.settle_s * 1e6) as u64,
            stay_us: scenario.stay_s * 1e6,
            payload: Bytes::from(vec![0x5a; scenario.payload_bytes()]),
            second_us: {
                let round_us = chunk_us * u64::from(scenario.stripes);
                1_000_000u64.div_ceil(round_us) * round_us
            },
            deadline_us: (scenario.deadline_s * 1e6) as u64,
            run: 360_000u64.div_ceil(chunk_us),
            watcher: Watcher::new(&scenario),
            config: Arc::new(config),
            configs: HashMap::new(),
            channel: ChannelId([0xc4; 32]),
            now: 0,
            wheel: Wheel::default(),
            nodes: Vec::new(),
            alarms: Vec::new(),
            living: Vec::new(),
            lost: HashMap::default(),
            rng,
            metrics: Metrics::default(),
            chunk_us,
            published: Vec::new(),
            epochs: Vec::new(),
            events: 0,
            hash: 0,
            outputs: VecDeque::with_capacity(256),
            host_died: false,
            scenario,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let host_budget = self
            .scenario
            .host_upload_bps
            .unwrap_or(u64::from(self.scenario.rate_bps) * 30);
        let mut rng = self.rng.fork();
        self.network.add(&self.scenario, host_budget, false, &mut rng);
        self.nodes.push(None);
        self.alarms.push(NEVER);
        self.host_on_air();
        self.wheel.push(0, Happening::Publish);
        if self.from > 0 {
            self.wheel.push(self.from, Happening::Measure);
        }
        let listeners = self.scenario.listeners as u64;
        let ramp_us = (self.scenario.ramp_s * 1e6) as u64;
        for n in 0..listeners {
            // Rising: as many come in a second as the audience grows by then, not all at once to an empty house.
            let at = ramp_us as f64 * ((n as f64 + 0.5) / listeners as f64).sqrt();
            self.wheel.push(500_000 + at as u64, Happening::Join);
        }
        let from = self.from as f64;
        for flash in self.scenario.flash.clone() {
            for n in 0..flash.joins as u64 {
                let at = from + flash.at_s * 1e6 + n as f64 * flash.over_s * 1e6 / flash.joins as f64;
                self.wheel.push(at as u64, Happening::Join);
            }
        }
        let mut fault = |at_s: f64, fault| self.wheel.push((from + at_s * 1e6) as u64, Happening::Fault(fault));
        for (n, crash) in self.scenario.crash.iter().enumerate() {
            fault(crash.at_s, Fault::Crash(n));
        }
        for (n, partition) in self.scenario.partition.iter().enumerate() {
            fault(partition.at_s, Fault::CutOff(n));
            fault(partition.at_s + partition.for_s, Fault::Rejoin);
        }
        if let Some(at_s) = self.scenario.host_restart_s {
            fault(at_s, Fault::HostDies);
            fault(at_s + 2.0, Fault::HostReturns);
        }
        if let Some(at_s) = self.scenario.heal_s {
            fault(at_s, Fault::Heal);
        }
        if self.scenario.attackers.flooders + self.scenario.attackers.replayers + self.scenario.attackers.liars > 0.0 {
            self.wheel.push(1_000_000, Happening::Attack);
        }
        self.wheel.push(1_000_000, Happening::Audit);
    }

    /// Lets things happen until `until` (microseconds) or the end; false at the end.
    pub fn run_until(&mut self, until: u64) -> bool {
        let until = until.min(self.end);
        while let Some((time, happening)) = self.wheel.pop_before(until) {
            self.now = self.now.max(time);
            self.events += 1;
            self.foresee();
            self.happen(happening);
        }
        self.now = until;
        self.now < self.end
    }

    /// Closes all accounts; call once, at the end.
    pub fn finish(&mut self) {
        let is_healed = self.watcher.healing.is_begun();
        if is_healed && plan::is_possible(&self.nodes, &self.network, self.scenario.stripes) {
            for (node, violation) in self.watcher.healing.broken(&self.nodes, &self.published, self.now) {
                self.violate(node, violation);
            }
        }
        for at in 0..self.nodes.len() as u32 {
            if at != 0 {
                self.close(at);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { to, from, message } => self.deliver(to, from, message),
            Happening::Connected { at, with, dialled } => {
                let (peer, remote) = (self.peer(with), self.network.addr(with));
                self.mark(3, at);
                let rtt_us = self.network.latency_us(at, with) * 2.0 + self.scenario.jitter_ms * 2e3;
                let connected = Input::Connected {
                    peer,
                    remote,
                    dialled,
                    rtt: Some(Duration::from_micros(rtt_us as u64)),
                };
                self.input(at, connected);
            }
            Happening::Disconnected { at, with } => {
                self.mark(4, at);
                let peer = self.peer(with);
                self.input(at, Input::Disconnected { peer });
            }
            Happening::TimedOut { at, with } => {
                let partitioned = !self.network.connects(at, with);
                let gone = self.nodes[with as usize].is_none();
                if gone || partitioned {
                    let peer = self.peer(with);
                    self.input(at, Input::Disconnected { peer });
                }
            }
            Happening::DialFailed(dial) => {
                let FailedDial { at, peer, addrs } = *dial;
                self.input(at, Input::DialFailed { peer, addrs });
            }
            Happening::Timer { at } => self.timer(at),
            Happening::Publish => self.publish(),
            Happening::Join => self.join(),
            Happening::Depart { node } => {
                if self.nodes[node as usize].is_some() && !self.network.healed {
                    if self.rng.chance(self.scenario.graceful) {
                        self.leave(node);
                    } else {
                        self.vanish(node);
                    }
                    self.wheel.push(self.now, Happening::Join);
                }
            }
            Happening::LookUp { node } => self.look_up(node),
            Happening::Fault(fault) => self.fault(fault),
            Happening::Measure => {
                self.metrics.begin();
                for node in self
                    .living
                    .iter()
                    .filter_map(|node| self.nodes[*node as usize].as_ref())
                {
                    let before_us = self.now.saturating_sub(node.heard.joined_us);
                    self.metrics.node_seconds -= before_us as f64 / 1e6;
                }
            }
            Happening::Repeat { from, to } => {
                if self.nodes[from as usize].is_none() {
                    // (While the dead repeated what was lost, children believed in the ways those told of a second later.)
                    self.lost.remove(&(from, to));
                } else if self.network.connects(from, to) {
                    let arrival = self.now + self.network.latency_us(from, to) as u64;
                    self.repeat(from, to, arrival);
                }
            }
            Happening::Attack => self.attack(),
            Happening::Audit => {
                self.watcher
                    .audit(&self.nodes, &self.network, self.scenario.stripes, self.now);
                let every = if self.living.len() > 20_000 {
                    5_000_000
                } else {
                    1_000_000
                };
                self.wheel.push(self.now + every, Happening::Audit);
            }
        }
    }

    fn peer(&self, node: u32) -> PeerId {
        peer_id(self.scenario.seed, node)
    }

    /// The clock of a node.
    fn local(&self, node: u32, true_us: u64) -> Time {
        let drift = i64::from(self.network.sites[node as usize].drift_ppm);
        Time((true_us as i64 + 1_000_000 + true_us as i64 * drift / 1_000_000) as u64)
    }

    /// True time of a moment on the clock of a node, rounded up.
    fn global(&self, node: u32, local: Time) -> u64 {
        let drift = i64::from(self.network.sites[node as usize].drift_ppm);
        let elapsed = local.0 as i64 - 1_000_000;
        if drift == 0 {
            return elapsed.max(0) as u64;
        }
        let mut guess = (elapsed * 1_000_000 / (1_000_000 + drift)).max(0) as u64;
        while self.local(node, guess) < local {
            guess += 1;
        }
        guess
    }

    fn violate(&mut self, node: u32, violation: Violation) {
        self.watcher.violate(self.now, node, violation);
    }

    fn publish(&mut self) {
        self.wheel.push(self.now + self.chunk_us, Happening::Publish);
        if self.nodes[0].is_none() {
            return;
        }
        self.published.push(self.now);
        self.metrics.published(self.payload.len() as u64);
        let payload = self.payload.clone();
        self.input(0, Input::Publish { payload });
    }

    /// Nodes alive, the host among them.
    pub fn living(&self) -> usize {
        self.living.len()
    }

    /// Hash of all that happened, in order.
    pub fn event_hash(&self) -> u64 {
        mix(self.hash ^ self.events)
    }
}

impl SimNode {
    /// An old chunk for those who replay; the window's oldest.
    fn behaviour_memory(&self) -> Option<crate::mesh::wire::Pushed> {
        let chunk: Arc<SignedChunk> = self.mesh.oldest_chunk()?;
        Some(crate::mesh::wire::Pushed {
            hops: 1,
            age: Duration::ZERO,
            mark: self.mesh.epoch().mark(),
            chunk,
        })
    }
}
