//! What must hold at every step, checked from outside while a run goes on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::mesh::Message;
use crate::mesh::wire::Need;
use crate::sim::hashing::Mixing;
use crate::sim::healing::Healing;
use crate::sim::last::Last;
use crate::sim::network::{Network, node_of};
use crate::sim::scenario::Scenario;
use crate::sim::story::Story;
use crate::sim::world::SimNode;

/// Audits in a row in which a loop may exist: two moves at once can close one, which its members open as the path comes round.
const LOOP_AUDITS: u8 = 3;
/// Neighbours and other peers known of one public network.
const OF_ONE_NETWORK: usize = 2;
const KNOWN_OF_ONE_NETWORK: usize = 4;
/// Worlds up to this size are watched message by message.
const PARANOID_MAX: usize = 600;
/// What happened last, kept for the report.
const LAST_EVENTS: usize = 1_000;
/// The same in a larger world, where most of it is about others.
const LAST_EVENTS_LARGE: usize = 100_000;
/// Violations kept in words; the rest are counted.
const KEPT_MAX: usize = 20;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An altered chunk was passed on by an honest node.
    Polluted,
    /// A chunk older than D + 1 s was sent.
    Old { age_us: Option<u64> },
    /// A second's upload exceeded 1.1 budgets.
    OverBudget { used: u64, allowed: u64 },
    /// A chunk was sent twice to one neighbour that had not asked.
    Twice { to: u32, chunk: u64 },
    /// A chunk was asked for while the last request for it stood, or of more than two at once.
    WantTwice { chunk: u64 },
    /// More child links than slots.
    Slots { used: usize, slots: usize },
    /// A list inside a node grew past its cap.
    Memory { what: &'static str, len: usize },
    /// The parents of a stripe form a ring.
    Loop { stripe: u8 },
    /// A node believes to be fed through one that is gone.
    DeadPath { stripe: u8 },
    /// An honest node banned an honest one.
    HonestBanned { reason: &'static str },
    /// Later than ten seconds after faults had stopped, a stripe had no way to the host for a second.
    NotWhole { stripe: u8 },
    /// A chunk was missed although faults had stopped ten seconds before.
    MissedAfterHealing { chunk: u64 },
}

impl Violation {
    /// The rule, in a word or two.
    pub fn rule(&self) -> &'static str {
        match self {
            Violation::Polluted => "polluted",
            Violation::Old { .. } => "old",
            Violation::OverBudget { .. } => "over budget",
            Violation::Twice { .. } => "sent twice",
            Violation::WantTwice { .. } => "asked twice",
            Violation::Slots { .. } => "slots",
            Violation::Memory { .. } => "memory",
            Violation::Loop { .. } => "ring",
            Violation::DeadPath { .. } => "dead path",
            Violation::HonestBanned { .. } => "honest banned",
            Violation::NotWhole { .. } => "not whole",
            Violation::MissedAfterHealing { .. } => "missed",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Polluted => write!(f, "passed an altered chunk on"),
            Violation::Old { age_us } => write!(f, "sent a chunk of age {age_us:?} us"),
            Violation::OverBudget { used, allowed } => {
                write!(f, "uploaded {used} bytes in a second, {allowed} allowed")
            }
            Violation::Twice { to, chunk } => write!(f, "sent chunk {chunk} twice to node {to}"),
            Violation::WantTwice { chunk } => write!(f, "asked for chunk {chunk} while it was being asked for"),
            Violation::Slots { used, slots } => write!(f, "uses {used} slots of {slots}"),
            Violation::Memory { what, len } => write!(f, "holds {len} {what}"),
            Violation::Loop { stripe } => write!(f, "is in a ring of parents in stripe {stripe}"),
            Violation::DeadPath { stripe } => {
                write!(f, "believes in a way to the host in stripe {stripe} that is gone")
            }
            Violation::HonestBanned { reason } => write!(f, "banned an honest peer: {reason}"),
            Violation::NotWhole { stripe } => write!(f, "has no way to the host in stripe {stripe} after healing"),
            Violation::MissedAfterHealing { chunk } => write!(f, "missed chunk {chunk} after healing"),
        }
    }
}

/// The last time a chunk was asked for, in microseconds: when, of how many at once, and until when that stands.
#[derive(Clone, Copy, Default)]
struct Asked {
    at: u64,
    of: u32,
    until: u64,
}

/// Watches a run.
pub struct Watcher {
    pub seed: u64,
    pub count: u64,
    pub by_rule: BTreeMap<&'static str, u64>,
    /// Time, node, rule and what had happened before, for the first few.
    pub kept: Vec<(u64, u32, Violation, Vec<String>)>,
    last: Last,
    story: Story,
    paranoid: bool,
    /// Chunks sent from one to another that were not asked for again; negative when asked for and not yet sent.
    sent: HashMap<(u32, u32, u64), i8, Mixing>,
    /// Requests to be fed, by parent and child, and the newest chunk at the last: each asks for all that is missing.
    attached: HashMap<(u32, u32), (i8, u64), Mixing>,
    newest: u64,
    asked: HashMap<(u32, u64), Asked, Mixing>,
    rings: HashMap<(u32, u8), u8, Mixing>,
    /// How often in a row, and where the way ends.
    dead: HashMap<(u32, u8), (u8, u32), Mixing>,
    /// Audits in a row in which a dead way is believed in: two rounds are waited for a silent parent, and a second passes until
    /// the last below it has heard.
    dead_audits: u8,
    pub(super) healing: Healing,
    stripes: u8,
}

impl Watcher {
    pub fn new(scenario: &Scenario) -> Watcher {
        let round_us = scenario.chunk_time().as_micros() as u64 * u64::from(scenario.stripes);
        let paranoid = scenario.listeners <= PARANOID_MAX;
        Watcher {
            seed: scenario.seed,
            count: 0,
            by_rule: BTreeMap::new(),
            kept: Vec::new(),
            last: Last::of(if paranoid { LAST_EVENTS } else { LAST_EVENTS_LARGE }),
            story: Story::default(),
            paranoid,
            sent: HashMap::default(),
            attached: HashMap::default(),
            newest: 0,
            asked: HashMap::default(),
            rings: HashMap::default(),
            dead: HashMap::default(),
            dead_audits: LOOP_AUDITS.max((round_us * 2).div_ceil(1_000_000) as u8 + 2),
            healing: Healing::new(scenario.stripes),
            stripes: scenario.stripes,
        }
    }

    /// Notes a broken rule.
    pub fn violate(&mut self, now: u64, node: u32, violation: Violation) {
        self.count += 1;
        *self.by_rule.entry(violation.rule()).or_default() += 1;
        if self.kept.len() < KEPT_MAX {
            let before = match &violation {
                Violation::MissedAfterHealing { chunk } if self.paranoid => self.story.about(node, *chunk),
                _ => self.last.about(node),
            };
            self.kept.push((now, node, violation, before));
        }
    }

    /// A chunk is sent: never twice to one neighbour unless it asked again.
    pub fn on_chunk_sent(&mut self, from: u32, to: u32, chunk: u64) -> Option<Violation> {
        if !self.paranoid {
            return None;
        }
        self.newest = self.newest.max(chunk);
        let sent = self.sent.entry((from, to, chunk)).or_insert(0);
        *sent = sent.saturating_add(1);
        let pardoned = match self.attached.get(&(from, to)) {
            Some((times, newest)) if chunk <= newest + 3 => *times,
            Some(_) | None => 0,
        };
        (*sent > pardoned.saturating_add(1)).then_some(Violation::Twice { to, chunk })
    }

    /// What anybody asks for, honest or not, may be sent to it again.
    pub fn note_request(&mut self, from: u32, to: u32, message: &Message, epochs: &[u64]) {
        if !self.paranoid {
            return;
        }
        let base = epochs.last().copied().unwrap_or(0);
        if let Message::Want { set, .. } = message {
            for seq in set.iter() {
                let sent = self.sent.entry((to, from, base + seq.0)).or_insert(0);
                *sent = sent.saturating_sub(1);
            }
        }
        // One who refuses may be followed by another at once.
        if let Message::Lack(set) = message {
            for seq in set.iter() {
                self.asked.remove(&(to, base + seq.0));
            }
        }
        // A request to be fed asks for all that is missing, which may have been sent before.
        if let Message::Attach(attach) = message
            && (attach.from.is_some() || attach.need == Need::Newcomer)
        {
            let (times, newest) = self.attached.entry((to, from)).or_insert((0, 0));
            *times = times.saturating_add(1);
            *newest = self.newest;
        }
    }

    /// Any message of an honest node.
    pub fn on_sent(&mut self, from: u32, to: u32, message: &Message, epochs: &[u64], now: u64) {
        // Once enough are kept, nobody asks any more.
        if self.kept.len() < KEPT_MAX {
            self.last.remember(from, to, message, now);
        }
        if !self.paranoid {
            return;
        }
        self.note_request(from, to, message, epochs);
        let base = epochs.last().copied().unwrap_or(0);
        match message {
            Message::Want { within, set } => {
                let until = now + within.as_micros() as u64;
                for seq in set.iter() {
                    let chunk = base + seq.0;
                    let asked = self.asked.entry((from, chunk)).or_default();
                    let stands = now < asked.until && (asked.at != now || asked.of > 1);
                    let of = if asked.at == now { asked.of + 1 } else { 1 };
                    *asked = Asked { at: now, of, until };
                    if stands {
                        self.violate(now, from, Violation::WantTwice { chunk });
                    }
                }
            }
            Message::Accept { .. } => {
                // The request may have been on its way for long.
                if let Some((_, newest)) = self.attached.get_mut(&(from, to)) {
                    *newest = self.newest;
                }
            }
            Message::Hello(_)
            | Message::Session(_)
            | Message::Peers { .. }
            | Message::Attach(_)
            | Message::Refuse { .. }
            | Message::Redirect { .. }
            | Message::Detach { .. }
            | Message::Path { .. }
            | Message::Chunk(_)
            | Message::Lack(_)
            | Message::Status(_)
            | Message::Ping { .. }
            | Message::Pong { .. }
            | Message::Audience(_)
            | Message::Farewell(_)
            | Message::Offer { .. }
            | Message::Hint { .. }
            | Message::Bye { .. } => {}
        }
    }

    /// What became of a message on its way.
    pub fn note_fate(&mut self, from: u32, to: u32, message: &Message, base: u64, now: u64, arrival: Option<u64>) {
        if self.paranoid && self.healing.is_over(now) {
            self.story.note(from, to, message, base, now, arrival);
        }
    }

    /// Looks at every node: sizes, loops, ways to the host.
    pub fn audit(&mut self, nodes: &[Option<Box<SimNode>>], network: &Network, stripes: u8, now: u64) {
        for (at, node) in nodes.iter().enumerate() {
            if let Some(node) = node.as_ref().filter(|node| node.behaviour.is_honest()) {
                self.audit_sizes(at as u32, node, now);
                self.audit_networks(at as u32, node, network, now);
            }
        }
        for stripe in 0..stripes {
            self.audit_stripe(nodes, stripe, now);
        }
        self.healing.audit(nodes, now);
        if self.paranoid && self.sent.len() > 400_000 {
            let newest = self.newest;
            self.sent.retain(|(_, _, chunk), _| *chunk + 400 > newest);
            self.asked.retain(|(_, chunk), _| *chunk + 400 > newest);
        }
    }

    fn audit_sizes(&mut self, at: u32, node: &SimNode, now: u64) {
        let sizes = node.mesh.sizes();
        if sizes.used > sizes.slots {
            let (used, slots) = (sizes.used, sizes.slots);
            self.violate(now, at, Violation::Slots { used, slots });
        }
        // One child at a time makes room for another, in each stripe of the host.
        let moving = if at == 0 { usize::from(self.stripes) } else { 1 };
        let caps = [
            ("children leaving", sizes.leaving, moving),
            ("neighbours", sizes.neighbours, 96),
            ("records", sizes.passive, 64),
            ("wants", sizes.wants, 128),
            ("held wants", sizes.held, 64),
            ("bursts", sizes.bursts, 96),
            ("chunks owed", sizes.owed, 256),
        ];
        for (what, len, cap) in caps {
            if len > cap {
                self.violate(now, at, Violation::Memory { what, len });
            }
        }
    }

    fn audit_networks(&mut self, at: u32, node: &SimNode, network: &Network, now: u64) {
        let near = node
            .mesh
            .neighbour_ids()
            .map(|peer| network.sites[node_of(&peer) as usize].net);
        let known = node.mesh.known_addrs().filter_map(|addr| network.node_at(&addr));
        let known = known.map(|node| network.sites[node as usize].net);
        let lists: [(&'static str, Vec<u32>, usize); 2] = [
            ("neighbours of one network", near.collect(), OF_ONE_NETWORK),
            ("records of one network", known.collect(), KNOWN_OF_ONE_NETWORK),
        ];
        for (what, mut nets, cap) in lists {
            nets.sort_unstable();
            let len = nets.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(0);
            if len > cap {
                self.violate(now, at, Violation::Memory { what, len });
            }
        }
    }

    fn audit_stripe(&mut self, nodes: &[Option<Box<SimNode>>], stripe: u8, now: u64) {
        let mut good = vec![0u8; nodes.len()];
        good[0] = 1;
        for start in 1..nodes.len() {
            let Some(node) = nodes[start].as_ref().filter(|node| node.behaviour.is_honest()) else {
                continue;
            };
            if !node.mesh.has_path(stripe) || good[start] == 1 {
                self.forgive(start as u32, stripe);
                continue;
            }
            match walk(nodes, stripe, start, &mut good) {
                Walk::Host => self.forgive(start as u32, stripe),
                Walk::Ring => self.note_ring(start as u32, stripe, now),
                Walk::Broken { at } => self.note_dead(start as u32, stripe, at, now),
            }
        }
    }

    fn forgive(&mut self, node: u32, stripe: u8) {
        if !self.rings.is_empty() {
            self.rings.remove(&(node, stripe));
        }
        if !self.dead.is_empty() {
            self.dead.remove(&(node, stripe));
        }
    }

    fn note_ring(&mut self, node: u32, stripe: u8, now: u64) {
        let times = self.rings.entry((node, stripe)).or_insert(0);
        *times += 1;
        if *times == LOOP_AUDITS {
            self.violate(now, node, Violation::Loop { stripe });
        }
    }

    /// Silence takes a moment to notice: only what lasts is a violation, and each end of the way is a silence of its own. (Of ten
    /// ancestors who stay for a minute, one dies every six seconds.)
    fn note_dead(&mut self, node: u32, stripe: u8, end: u32, now: u64) {
        let (times, last) = self.dead.entry((node, stripe)).or_insert((0, end));
        *times = if *last == end { *times + 1 } else { 1 };
        *last = end;
        if *times == self.dead_audits {
            self.violate(now, node, Violation::DeadPath { stripe });
        }
    }
}

enum Walk {
    Host,
    Ring,
    /// Ends at one that is gone, or has no parent.
    Broken {
        at: u32,
    },
}

/// Follows the parents of a stripe; those on a good way are marked so that the next walk stops there.
fn walk(nodes: &[Option<Box<SimNode>>], stripe: u8, start: usize, good: &mut [u8]) -> Walk {
    let mut way = vec![start];
    let mut at = start;
    loop {
        let Some(node) = &nodes[at] else {
            return Walk::Broken { at: at as u32 };
        };
        if !node.behaviour.is_honest() {
            return Walk::Host;
        }
        let Some(parent) = node.mesh.parent(stripe) else {
            return Walk::Broken { at: at as u32 };
        };
        at = node_of(&parent) as usize;
        if good[at] == 1 {
            for node in way {
                good[node] = 1;
            }
            return Walk::Host;
        }
        if way.contains(&at) {
            return Walk::Ring;
        }
        way.push(at);
    }
}
