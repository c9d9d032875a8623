//! A handful of nodes on a desk: real signatures, real bytes, a fixed latency, and a hand that can stop any of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;

use crate::mesh::session::Codec;
use crate::mesh::{Chunk, Config, Delivery, Ed25519, Event, Input, Mesh, Message, Output, Session};
use crate::units::{ChannelId, Epoch, PeerId, Time};

pub struct Node {
    pub mesh: Mesh,
    pub peer: PeerId,
    pub addr: SocketAddr,
    pub chunks: Vec<Arc<Chunk>>,
    pub events: Vec<Event>,
    /// Takes nothing in and sends nothing: SIGSTOP.
    pub stopped: bool,
    /// Gone without a word: kill -9.
    pub dead: bool,
}

enum Happening {
    Input(usize, Input),
    Encoded(usize, PeerId, Bytes),
    Dialled(usize, Option<PeerId>, Vec<SocketAddr>),
}

pub struct Rig {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub latency: Duration,
    pub publishing: Vec<usize>,
    /// Whether nothing passes between the first node and the others.
    pub cut: bool,
    /// What is added to the latency between two nodes, in both directions.
    pub detours: Vec<(usize, usize, Duration)>,
    /// The next chunk from one node to another gets lost.
    pub loses: Option<(usize, usize)>,
    /// Requests to be fed, dials, and chunks sent, of all nodes so far.
    pub asked: usize,
    pub dialled: usize,
    pub sent_chunks: usize,
    queue: BTreeMap<(Time, u64), Happening>,
    count: u64,
    next_chunk: Time,
}

pub fn channel_key() -> SigningKey {
    SigningKey::from_bytes(&[77; 32])
}

pub fn session_of(epoch: u64, host: PeerId, stripes: u8, session_key: &SigningKey) -> Session {
    Session {
        channel: ChannelId([0; 32]),
        epoch: Epoch(epoch),
        signing_key: session_key.verifying_key().to_bytes(),
        host,
        stripes,
        chunk_time: Duration::from_millis(60),
        codec: Codec::Opus,
        bitrate_bps: 128_000,
        expires_unix_s: 4_000_000_000,
        name: "Test".into(),
        genre: String::new(),
        description: String::new(),
        private: false,
        signature: [0; 64],
    }
    .sign(&channel_key())
}

impl Rig {
    pub fn new() -> Rig {
        Rig {
            now: Time(1_000_000),
            nodes: Vec::new(),
            latency: Duration::from_millis(1),
            publishing: Vec::new(),
            cut: false,
            detours: Vec::new(),
            loses: None,
            asked: 0,
            dialled: 0,
            sent_chunks: 0,
            queue: BTreeMap::new(),
            count: 0,
            next_chunk: Time(1_000_000),
        }
    }

    /// A host with a single place, and who has it: whoever comes later hangs below.
    pub fn relayed() -> (Rig, usize, usize) {
        let mut rig = Rig::new();
        let one = Config {
            host_slots: 1,
            ..Config::default()
        };
        let host = rig.host(1, 1, one);
        let relay = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        (rig, host, relay)
    }

    pub fn host(&mut self, epoch: u64, stripes: u8, config: Config) -> usize {
        let n = self.nodes.len();
        let session_key = SigningKey::from_bytes(&[200 + n as u8; 32]);
        let (peer, crypto) = keys(n, Some(session_key.clone()));
        let session = session_of(epoch, peer, stripes, &session_key);
        let mesh = Mesh::source(config, peer, session, crypto, n as u64, self.now);
        self.publishing.push(n);
        self.place(mesh, peer)
    }

    /// Another process of the first node: same key, later session, the given address.
    pub fn restart_host(&mut self, epoch: u64, addr: SocketAddr) -> usize {
        let at = self.nodes.len();
        let session_key = SigningKey::from_bytes(&[150; 32]);
        let (peer, crypto) = keys(0, Some(session_key.clone()));
        let session = session_of(epoch, peer, 4, &session_key);
        let mesh = Mesh::source(Config::default(), peer, session, crypto, 99, self.now);
        self.nodes[0].peer = PeerId([0; 32]);
        self.place(mesh, peer);
        self.nodes[at].addr = addr;
        self.input(at, Input::OwnAddrs { addrs: vec![addr] });
        self.publishing = vec![at];
        at
    }

    pub fn listener(&mut self, config: Config, via: &[usize]) -> usize {
        let n = self.nodes.len();
        let (peer, crypto) = keys(n, None);
        let channel = ChannelId(channel_key().verifying_key().to_bytes());
        let mesh = Mesh::listener(config, peer, channel, Epoch(0), crypto, n as u64, self.now);
        let at = self.place(mesh, peer);
        let addrs = via.iter().map(|other| self.nodes[*other].addr).collect();
        self.input(at, Input::AddAddrs { addrs });
        at
    }

    fn place(&mut self, mesh: Mesh, peer: PeerId) -> usize {
        let at = self.nodes.len();
        let addr = SocketAddr::from(([127, 0, 0, 1], 1_000 + at as u16));
        self.nodes.push(Node {
            mesh,
            peer,
            addr,
            chunks: Vec::new(),
            events: Vec::new(),
            stopped: false,
            dead: false,
        });
        self.input(at, Input::OwnAddrs { addrs: vec![addr] });
        at
    }

    pub fn input(&mut self, at: usize, input: Input) {
        let now = self.now;
        self.nodes[at].mesh.handle_input(input, now);
        self.drain(at);
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timeouts = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| !node.stopped && !node.dead);
            let timer = timeouts
                .filter_map(|(at, node)| Some((node.mesh.poll_timeout()?.0, at)))
                .min();
            let queued = self.queue.keys().next().copied();
            let chunk = self.next_chunk;
            let next = [timer.map(|t| t.0), queued.map(|q| q.0), Some(chunk)]
                .into_iter()
                .flatten()
                .min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            if chunk <= self.now {
                self.next_chunk += Duration::from_millis(60);
                for host in self.publishing.clone() {
                    if !self.nodes[host].dead && !self.nodes[host].stopped {
                        self.input(
                            host,
                            Input::Publish {
                                payload: Bytes::from(vec![7; 960]),
                            },
                        );
                    }
                }
            } else if let Some(key) = queued.filter(|(time, _)| *time <= self.now) {
                let happening = self.queue.remove(&key).unwrap();
                self.happen(happening);
            } else if let Some((_, at)) = timer {
                let now = self.now;
                self.nodes[at].mesh.handle_timeout(now);
                self.drain(at);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(at, input) => {
                if !self.nodes[at].dead && !self.nodes[at].stopped {
                    self.input(at, input);
                }
            }
            Happening::Encoded(at, from, bytes) => {
                if !self.nodes[at].dead && !self.nodes[at].stopped {
                    let message = Message::decode(&bytes).expect("what a node sends can be read");
                    self.input(at, Input::Received { from, message });
                }
            }
            Happening::Dialled(at, peer, addrs) => {
                let found = self
                    .nodes
                    .iter()
                    .position(|node| addrs.contains(&node.addr) && !node.dead && !node.stopped);
                let Some(other) = found.filter(|other| self.passes(at, *other)) else {
                    return self.input(at, Input::DialFailed { peer, addrs });
                };
                let (from, to) = (self.nodes[at].peer, self.nodes[other].peer);
                let (here, there) = (self.nodes[at].addr, self.nodes[other].addr);
                self.input(
                    other,
                    Input::Connected {
                        peer: from,
                        remote: here,
                        dialled: false,
                        rtt: None,
                    },
                );
                self.input(
                    at,
                    Input::Connected {
                        peer: to,
                        remote: there,
                        dialled: true,
                        rtt: None,
                    },
                );
            }
        }
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        !self.cut || (from == 0) == (to == 0)
    }

    fn way(&self, from: usize, to: usize) -> Duration {
        let is_it = |(a, b, _): &&(usize, usize, Duration)| [(*a, *b), (*b, *a)].contains(&(from, to));
        self.latency
            + self
                .detours
                .iter()
                .find(is_it)
                .map_or(Duration::ZERO, |detour| detour.2)
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.count += 1;
        self.queue.insert((self.now + after, self.count), happening);
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].mesh.poll_output() {
            match output {
                Output::Send { to, message, delivery } => {
                    self.asked += usize::from(matches!(message, Message::Attach(_)));
                    let mut bytes = Vec::new();
                    message.encode(&mut bytes);
                    assert_eq!(bytes.len(), message.encoded_len());
                    assert!(delivery == Delivery::Reliable || bytes.len() < 1_162);
                    let other = self.nodes.iter().position(|node| node.peer == to).unwrap();
                    if !self.passes(at, other) {
                        continue;
                    }
                    if matches!(message, Message::Chunk(_)) {
                        self.sent_chunks += 1;
                        if self.loses.take_if(|link| *link == (at, other)).is_some() {
                            continue;
                        }
                    }
                    let from = self.nodes[at].peer;
                    self.later(self.way(at, other), Happening::Encoded(other, from, bytes.into()));
                }
                Output::Dial { peer, addrs } => {
                    self.dialled += 1;
                    self.later(self.latency * 2, Happening::Dialled(at, peer, addrs));
                }
                Output::Disconnect { peer, .. } => {
                    let from = self.nodes[at].peer;
                    let other = self.nodes.iter().position(|node| node.peer == peer).unwrap();
                    self.later(
                        self.latency,
                        Happening::Input(other, Input::Disconnected { peer: from }),
                    );
                }
                Output::Event(Event::Chunk(chunk)) => self.nodes[at].chunks.push(chunk),
                Output::Event(event) => self.nodes[at].events.push(event),
            }
        }
    }

    /// Numbers missing between the first and the last chunk of a node.
    pub fn holes(&self, at: usize) -> Vec<u64> {
        let have: std::collections::BTreeSet<u64> = self.nodes[at].chunks.iter().map(|chunk| chunk.seq.0).collect();
        let (Some(first), Some(last)) = (have.first(), have.last()) else {
            return vec![];
        };
        (*first..*last).filter(|seq| !have.contains(seq)).collect()
    }

    /// The longest time from publication to arrival since a moment, in milliseconds, as the rig's own clock tells.
    pub fn worst_lag_ms(&self, at: usize, since: Time) -> u64 {
        let lag = |chunk: &Arc<Chunk>| {
            chunk
                .arrived
                .since(Time(1_000_000) + Duration::from_millis(60) * chunk.seq.0 as u32)
        };
        let late = self.nodes[at].chunks.iter().filter(|chunk| chunk.arrived >= since);
        late.map(|chunk| lag(chunk).as_millis() as u64)
            .max()
            .unwrap_or(u64::MAX)
    }
}

fn keys(n: usize, session_key: Option<SigningKey>) -> (PeerId, Arc<Ed25519>) {
    let peer_key = SigningKey::from_bytes(&[n as u8 + 1; 32]);
    let peer = PeerId(peer_key.verifying_key().to_bytes());
    (peer, Arc::new(Ed25519 { peer_key, session_key }))
}
