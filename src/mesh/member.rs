//! Who a node knows: neighbours it is connected to, records of others, addresses to begin with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::mesh::barren::Barren;
use crate::mesh::bootstrap::Bootstrap;
use crate::mesh::dials::Dials;
pub use crate::mesh::neighbour::{Child, Neighbour};
use crate::mesh::record::{Key, PeerRecord, prefix};
use crate::mesh::rng::{Rng, mix};
use crate::units::{PeerId, Seq, Time};

/// Neighbours from one public /24 or /48.
const ACTIVE_PER_PREFIX_MAX: usize = 2;
/// Places by which the lists of neighbours grow: room for as many again would be a third of a node.
const STEP: usize = 4;
/// Passive records from one public /24 or /48.
const PASSIVE_PER_PREFIX_MAX: usize = 4;
/// One part in so many of a full list of records may come from one neighbour, so that none can fill it by talking much.
const PASSIVE_SHARE: usize = 4;
/// Peers that did not answer, remembered, and for how long: after a crash of most of an audience all were dialled again each second.
const GONE_FOR: Duration = Duration::from_secs(30);
const GONE_MAX: usize = 64;

/// The record of a peer that is not connected, with what it is looked up by.
#[derive(Clone, Debug)]
struct Known {
    key: Key,
    /// The neighbour that told us of it.
    by: Key,
    record: Arc<PeerRecord>,
    /// One bit for each public network of its addresses: records of other networks need not be read.
    nets: u64,
}

impl Known {
    /// The public networks of its addresses.
    fn nets(record: &PeerRecord) -> impl Iterator<Item = u64> {
        record.addrs.iter().filter_map(|addr| prefix(addr.ip()))
    }

    /// The bit of a network.
    fn bit(net: u64) -> u64 {
        1 << (mix(net) >> 58)
    }
}

/// All the peers a node knows.
#[derive(Clone, Debug, Default)]
pub struct Members {
    pub list: Vec<Neighbour>,
    /// The short names of `list`, in its order: they are looked up for every message.
    keys: Vec<Key>,
    /// Where each of `list` is connected from, in its order.
    remotes: Vec<SocketAddr>,
    /// Stripes in which somebody may be fed: those of none are not looked for along the whole list. A stripe stays until
    /// [`Members::count_fed`].
    pub feeding: u16,
    /// In the order in which they were named.
    passive: Vec<Known>,
    pub dials: Dials,
    /// Who did not answer a dial lately, and when: others go on naming them for long.
    gone: Vec<(Key, Time)>,
    bootstrap: Bootstrap,
    /// Who took us in and gave nothing; outlives the connection.
    pub barren: Barren,
    /// The host's record, kept whatever happens to the connection: it is where a lost listener turns to.
    pub host: Option<Arc<PeerRecord>>,
    /// Who the host is, by the session.
    host_peer: Option<PeerId>,
}

impl Members {
    /// Reads something of each part of it that is loaded at once.
    pub fn touch(&self) -> u64 {
        (self.list.len() ^ self.passive.len() ^ self.gone.len()) as u64 ^ u64::from(self.feeding)
    }

    /// Reads the ends of the list of short names.
    pub fn touch_keys(&self) -> u64 {
        let ends = [self.keys.first(), self.keys.last()];
        ends.into_iter().flatten().fold(0, |sum, key| sum ^ u64::from(key.0))
    }

    /// The neighbour's place in the list.
    pub fn find(&self, peer: &PeerId) -> Option<usize> {
        let at = self.by_key(Key::of(peer))?;
        (self.list[at].peer == *peer).then_some(at)
    }

    /// The neighbour's place in the list by its short name.
    pub fn by_key(&self, key: Key) -> Option<usize> {
        self.keys.iter().position(|other| *other == key)
    }

    /// Adds a connection; `None` when there are too many, or too many of its network, or one of its short name.
    pub fn add(&mut self, peer: PeerId, remote: SocketAddr, dialled: bool, max: usize, now: Time) -> Option<usize> {
        self.dials.end(Some(peer), &[remote]);
        self.bootstrap.answered(remote);
        self.forgive(Key::of(&peer), now);
        if let Some(at) = self.find(&peer) {
            self.remotes[at] = remote;
            return Some(at);
        }
        let crowded = self.crowded(remote);
        if self.list.len() >= max || crowded || self.by_key(Key::of(&peer)).is_some() {
            return None;
        }
        let host = self.host_peer == Some(peer);
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(STEP);
            self.keys.reserve_exact(STEP);
            self.remotes.reserve_exact(STEP);
        }
        self.list.push(Neighbour {
            host,
            ..Neighbour::new(peer, dialled, now)
        });
        self.keys.push(Key::of(&peer));
        self.remotes.push(remote);
        Some(self.list.len() - 1)
    }

    /// A session begins with nobody feeding anybody; `host` is the one its channel names.
    pub fn begin_session(&mut self, host: PeerId) {
        self.host_peer = Some(host);
        for neighbour in &mut self.list {
            neighbour.host = neighbour.peer == host;
            neighbour.feeds = 0;
            neighbour.fed = 0;
            neighbour.leaving = 0;
            neighbour.child = None;
            // Chunks are numbered anew: a report of the old numbers would never grow again.
            neighbour.progress = Seq(0);
        }
        if self.host.as_ref().is_none_or(|record| record.peer != host) {
            let near = self.list.iter().find(|n| n.peer == host).and_then(|n| n.record.clone());
            let known = || self.passive.iter().find(|known| known.record.peer == host);
            self.host = near.or_else(|| known().map(|known| Arc::clone(&known.record)));
        }
    }

    /// Whether the session names this peer as its host.
    pub fn is_host(&self, peer: &PeerId) -> bool {
        self.host_peer == Some(*peer)
    }

    /// Takes a neighbour out; the last one moves to its place.
    pub fn remove(&mut self, at: usize) -> Neighbour {
        self.keys.swap_remove(at);
        self.remotes.swap_remove(at);
        self.list.swap_remove(at)
    }

    /// Where a neighbour is connected from.
    pub fn remote(&self, at: usize) -> SocketAddr {
        self.remotes[at]
    }

    /// Notes in which stripes anybody is fed.
    pub fn count_fed(&mut self) {
        self.feeding = self.list.iter().fold(0, |mask, n| mask | n.fed);
    }

    /// Takes all neighbours out.
    pub fn remove_all(&mut self) -> Vec<Neighbour> {
        self.keys.clear();
        self.remotes.clear();
        std::mem::take(&mut self.list)
    }

    /// Whether the network of this address has all the neighbours it may have.
    fn crowded(&self, remote: SocketAddr) -> bool {
        let Some(net) = prefix(remote.ip()) else { return false };
        let same = self.remotes.iter().filter(|other| prefix(other.ip()) == Some(net));
        same.count() >= ACTIVE_PER_PREFIX_MAX
    }

    /// Remembers a verified record that the neighbour `by` told us of; a newer one replaces an older one of the same peer.
    pub fn learn(&mut self, record: &Arc<PeerRecord>, by: Key, max: usize, rng: &mut Rng) {
        let is_newer = |known: &PeerRecord| known.peer != record.peer || known.serial <= record.serial;
        if self.is_host(&record.peer) && self.host.as_deref().is_none_or(is_newer) {
            self.host = Some(Arc::clone(record));
        }
        let key = Key::of(&record.peer);
        let at = self.passive.iter().position(|known| known.key == key);
        if let Some(known) = at.map(|at| &self.passive[at].record)
            && (known.peer != record.peer || known.serial >= record.serial)
        {
            return;
        }
        let is_gone = self.gone.iter().any(|(other, _)| *other == key);
        if record.addrs.is_empty() || max == 0 || is_gone || self.has_many_of(record, key) {
            return;
        }
        let new = Known {
            key,
            by,
            record: Arc::clone(record),
            nets: Known::nets(record).fold(0, |nets, net| nets | Known::bit(net)),
        };
        let goes = at.or_else(|| (self.passive.len() >= max).then(|| self.victim(by, max, rng)));
        if let Some(at) = goes {
            self.passive.remove(at);
        }
        self.passive.push(new);
    }

    /// Whether one of the networks of a record has all the records it may have.
    fn has_many_of(&self, record: &PeerRecord, key: Key) -> bool {
        Known::nets(record).any(|net| {
            let bit = Known::bit(net);
            let others = self
                .passive
                .iter()
                .filter(|known| known.nets & bit != 0 && known.key != key);
            let same = others.filter(|known| Known::nets(&known.record).any(|other| other == net));
            same.count() >= PASSIVE_PER_PREFIX_MAX
        })
    }

    /// Whose record makes room for one that `by` tells: any, but a neighbour that has filled its share replaces only its own.
    fn victim(&self, by: Key, max: usize, rng: &mut Rng) -> usize {
        let share = (max / PASSIVE_SHARE).max(1);
        let own: Vec<usize> = (0..self.passive.len())
            .filter(|at| self.passive[*at].by == by)
            .collect();
        if own.len() >= share {
            own[rng.below(own.len())]
        } else {
            rng.below(self.passive.len())
        }
    }

    /// Whether a record of this peer is known that is at least as new, so that it need not be verified again; it counts as named
    /// anew.
    pub fn knows(&mut self, record: &PeerRecord) -> bool {
        let key = Key::of(&record.peer);
        let Some(at) = self.passive.iter().position(|known| known.key == key) else {
            return false;
        };
        let known = &self.passive[at].record;
        let is_known = known.peer == record.peer && known.serial >= record.serial;
        if is_known {
            self.passive[at..].rotate_left(1);
        }
        is_known
    }

    /// Forgets the record of a peer that did not answer, whoever names it again soon.
    pub fn forget(&mut self, peer: &PeerId, now: Time) {
        self.passive.retain(|known| known.record.peer != *peer);
        let key = Key::of(peer);
        self.forgive(key, now);
        if self.gone.len() < GONE_MAX {
            self.gone.push((key, now));
        }
    }

    /// One who did not answer has come after all; some others are long enough ago to be tried again.
    fn forgive(&mut self, key: Key, now: Time) {
        self.gone
            .retain(|(other, at)| *other != key && now.since(*at) < GONE_FOR);
    }

    /// Records of peers that are neither connected nor being dialled and that `fits`, in random order.
    pub fn candidates(&self, rng: &mut Rng, fits: impl Fn(&PeerRecord) -> bool) -> Vec<Arc<PeerRecord>> {
        let mut found: Vec<_> = self
            .passive
            .iter()
            .filter(|known| !self.is_near_key(known.key) && fits(&known.record))
            .map(|known| Arc::clone(&known.record))
            .collect();
        for at in (1..found.len()).rev() {
            found.swap(at, rng.below(at + 1));
        }
        found
    }

    /// The same without the chance: those who were named last first.
    pub fn newest(&self, fits: impl Fn(&PeerRecord) -> bool) -> Vec<Arc<PeerRecord>> {
        let last = self.passive.iter().rev();
        last.filter(|known| !self.is_near_key(known.key) && fits(&known.record))
            .map(|known| Arc::clone(&known.record))
            .collect()
    }

    /// Whether the peer is connected or being dialled.
    pub fn is_near(&self, peer: &PeerId) -> bool {
        self.find(peer).is_some() || self.dials.is_under_way(peer)
    }

    fn is_near_key(&self, key: Key) -> bool {
        self.by_key(key).is_some() || self.dials.is_recent(key)
    }

    /// Up to `count` random records, of neighbours and others.
    pub fn sample(&self, count: usize, not: &PeerId, rng: &mut Rng) -> Vec<Arc<PeerRecord>> {
        let mut picked: Vec<Arc<PeerRecord>> = Vec::with_capacity(count);
        let near = self.list.iter().filter_map(|n| n.record.as_ref());
        let near = near.filter(|record| record.peer != *not && !record.addrs.is_empty());
        // Records are only kept that have an address, and most are told by their short names: they need not be read.
        let key = Key::of(not);
        let others = self
            .passive
            .iter()
            .filter(|known| known.key != key || known.record.peer != *not);
        let pool: Vec<_> = near.chain(others.map(|known| &known.record)).collect();
        for _ in 0..count * 3 {
            if picked.len() >= count || pool.is_empty() {
                break;
            }
            let record = pool[rng.below(pool.len())];
            if picked.iter().all(|other| other.peer != record.peer) {
                picked.push(Arc::clone(record));
            }
        }
        picked
    }

    /// A dial came to nothing.
    pub fn dial_failed(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr], now: Time) {
        self.bootstrap.failed(addrs);
        self.dials.fail(peer, addrs, now);
    }

    /// Keeps addresses to begin with.
    pub fn add_bootstrap(&mut self, addrs: &[SocketAddr]) {
        self.bootstrap.add(addrs);
    }

    /// Addresses to begin with that no neighbour has.
    pub fn bootstrap(&self) -> Vec<SocketAddr> {
        let near = |addr: &SocketAddr| {
            self.remotes.contains(addr)
                || self
                    .list
                    .iter()
                    .any(|n| n.record.as_ref().is_some_and(|r| r.addrs.contains(addr)))
        };
        self.bootstrap.all().into_iter().filter(|addr| !near(addr)).collect()
    }

    /// Their addresses.
    pub fn passive_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.passive.iter().flat_map(|known| known.record.addrs.iter().copied())
    }

    /// Records of peers not connected.
    pub fn passive_len(&self) -> usize {
        self.passive.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId([n; 32])
    }

    #[test]
    fn two_neighbours_of_one_public_network_are_enough() {
        let mut members = Members::default();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(members.add(peer(1), at("8.8.8.1:1"), false, 9, Time(0)).is_some());
        assert!(members.add(peer(2), at("8.8.8.2:1"), false, 9, Time(0)).is_some());
        assert!(members.add(peer(3), at("8.8.8.3:1"), false, 9, Time(0)).is_none());
        assert!(members.add(peer(3), at("8.8.9.3:1"), false, 9, Time(0)).is_some());
        for n in 4..9 {
            assert!(members.add(peer(n), at("192.168.0.9:1"), false, 99, Time(0)).is_some());
        }
    }

    #[test]
    fn who_did_not_answer_is_not_learnt_again_for_a_while() {
        let mut members = Members::default();
        let mut rng = Rng::new(1);
        let record = Arc::new(PeerRecord {
            peer: peer(1),
            serial: 1,
            slots: 1,
            addrs: vec![SocketAddr::from(([127, 0, 0, 1], 1))],
            signature: [0; 64],
        });
        members.learn(&record, Key(9), 8, &mut rng);
        members.forget(&peer(1), Time(0));
        members.learn(&record, Key(9), 8, &mut rng);
        assert_eq!(members.passive_len(), 0);
        // Time passes; another one is forgotten.
        members.forget(&peer(2), Time(0) + GONE_FOR + Duration::from_secs(1));
        members.learn(&record, Key(9), 8, &mut rng);
        assert_eq!(members.passive_len(), 1);
        // Whoever comes by itself is there.
        members.forget(&peer(1), Time(0));
        members.add(peer(1), record.addrs[0], false, 9, Time(1));
        members.learn(&record, Key(9), 8, &mut rng);
        assert_eq!(members.passive_len(), 1);
    }

    #[test]
    fn a_newer_record_replaces_the_older_one() {
        let mut members = Members::default();
        let record = |serial, port| {
            Arc::new(PeerRecord {
                peer: peer(1),
                serial,
                slots: 1,
                addrs: vec![SocketAddr::from(([127, 0, 0, 1], port))],
                signature: [0; 64],
            })
        };
        let mut rng = Rng::new(1);
        for (serial, port) in [(1, 10), (3, 30), (2, 20)] {
            members.learn(&record(serial, port), Key(1), 8, &mut rng);
        }
        let known = members.candidates(&mut rng, |_| true);
        assert_eq!((known.len(), known[0].addrs[0].port()), (1, 30));
    }
}
