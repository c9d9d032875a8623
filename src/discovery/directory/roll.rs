//! The list a directory keeps, as a pure state machine: time is an argument, and nobody is asked anything.
//!
//! A channel that announces itself is a candidate until somebody there proved that it carries the stream; only then it is
//! listed. Every change of the list has a version, so that a client that knows version V is told what changed since. Two
//! directories compare sums of 256 buckets and exchange the buckets that differ.

mod proofs;
mod terms;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::discovery::announcement::{Refusal, Signed};
use crate::mesh::record::prefix;
use crate::units::{ChannelId, Epoch, Seq};

pub use terms::{Counts, Probe, Rules, Step, Taken};
use waiting::Waiting;

/// Buckets of the digest: by the first byte of the channel's key.
pub const BUCKETS: usize = 256;
/// Announcements of one channel that are taken within [`BURST_S`].
const BURST_MAX: u8 = 12;
/// Seconds after which a channel may announce as often again.
const BURST_S: u64 = 60;
/// Removals remembered for clients; one that is further behind gets the whole list.
const GONE_MAX: usize = 4_096;

/// The list.
#[derive(Debug)]
pub struct Roll {
    rules: Rules,
    entries: BTreeMap<ChannelId, Entry>,
    by_version: BTreeMap<u64, ChannelId>,
    gone: BTreeMap<u64, ChannelId>,
    /// Clients that know less than this get everything.
    floor: u64,
    version: u64,
    sums: [u64; BUCKETS],
    prefixes: HashMap<u64, usize>,
    due: BTreeSet<(u64, ChannelId)>,
    expiry: BTreeSet<(u64, ChannelId)>,
    /// Candidates that have proved nothing yet.
    waiting: Waiting,
    listed: usize,
    accepted: u64,
    refused: BTreeMap<Refusal, u64>,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    digest: u64,
    epoch: Epoch,
    issued_unix_s: u64,
    expires_unix_s: u64,
    addrs: Vec<SocketAddr>,
    on_air: bool,
    listed: bool,
    version: u64,
    /// The public networks it counts for: where it says it is, and where it announced from.
    prefixes: Vec<u64>,
    burst_from: u64,
    burst: u8,
    probe_due: u64,
    failures: u8,
    proved: Option<(Epoch, Seq)>,
    /// Its place among those that have proved nothing yet, and which stranger brought it.
    waits: Option<(u64, Option<u64>)>,
}

impl Roll {
    /// An empty list.
    pub fn new(rules: Rules) -> Roll {
        Roll {
            rules,
            entries: BTreeMap::new(),
            by_version: BTreeMap::new(),
            gone: BTreeMap::new(),
            floor: 0,
            version: 0,
            sums: [0; BUCKETS],
            prefixes: HashMap::new(),
            due: BTreeSet::new(),
            expiry: BTreeSet::new(),
            waiting: Waiting::default(),
            listed: 0,
            accepted: 0,
            refused: BTreeMap::new(),
        }
    }

    /// Takes an announcement whose signature has been checked; `from` is the public network that it came from, if any.
    ///
    /// # Errors
    /// Says why it is not taken; the reason is counted.
    pub fn take(&mut self, signed: &Signed, from: Option<u64>, now_unix_s: u64) -> Result<Taken, Refusal> {
        self.take_as(signed, networks(signed, from), from, now_unix_s)
    }

    /// Takes what another directory passes on; `stranger` says which one, unless a person named it.
    ///
    /// # Errors
    /// As [`Roll::take`]; a stranger may also have brought too many that have proved nothing yet.
    pub fn take_from(&mut self, stranger: Option<u64>, signed: &Signed, now_unix_s: u64) -> Result<Taken, Refusal> {
        let newcomer = !self.entries.contains_key(&signed.says.channel);
        if newcomer && self.rules.probe && !self.waiting.admits(stranger) {
            self.count(Refusal::PrefixFull);
            return Err(Refusal::PrefixFull);
        }
        self.take_as(signed, networks(signed, None), stranger, now_unix_s)
    }

    fn take_as(
        &mut self,
        signed: &Signed,
        networks: Vec<u64>,
        by: Option<u64>,
        now_unix_s: u64,
    ) -> Result<Taken, Refusal> {
        let taken = self.judge(signed, &networks, now_unix_s);
        match taken {
            Ok(Taken::New) => {
                self.accepted += 1;
                self.put(signed, networks, by, now_unix_s);
            }
            Ok(Taken::Known) => {}
            Err(why) => self.count(why),
        }
        taken
    }

    /// Counts a refusal that was decided before the list saw the announcement.
    pub fn count(&mut self, why: Refusal) {
        *self.refused.entry(why).or_default() += 1;
    }

    /// Takes back what was kept on disk: it is shown at once if it was shown before, and asked for proof soon.
    /// False when it is worth nothing any more and can be forgotten.
    pub fn restore(&mut self, signed: &Signed, listed: bool, now_unix_s: u64) -> bool {
        let networks = networks(signed, None);
        let good = self.judge(signed, &networks, now_unix_s) == Ok(Taken::New);
        if good {
            self.put(signed, networks, None, now_unix_s);
            if listed && signed.says.on_air {
                self.list(signed.says.channel);
            }
        }
        good
    }

    fn judge(&self, signed: &Signed, networks: &[u64], now_unix_s: u64) -> Result<Taken, Refusal> {
        let says = &signed.says;
        says.check_time(now_unix_s)?;
        if says.addrs().is_empty() {
            return Err(Refusal::Nowhere);
        }
        let newcomer: Vec<u64> = match self.entries.get(&says.channel) {
            Some(entry) if entry.bytes == signed.bytes => return Ok(Taken::Known),
            Some(entry) if says.age_order() <= (entry.epoch, entry.issued_unix_s) => return Err(Refusal::Replayed),
            Some(entry) if now_unix_s < entry.burst_from + BURST_S && entry.burst >= BURST_MAX && says.on_air => {
                return Err(Refusal::TooOften);
            }
            // A show ends once: goodbyes are no way round the limit.
            Some(entry) if !says.on_air && !entry.on_air => return Err(Refusal::TooOften),
            Some(entry) => networks
                .iter()
                .filter(|one| !entry.prefixes.contains(one))
                .copied()
                .collect(),
            None if self.entries.len() >= self.rules.channels_max && self.waiting.oldest().is_none() => {
                return Err(Refusal::Full);
            }
            None => networks.to_vec(),
        };
        let crowded = |prefix: &u64| {
            self.prefixes
                .get(prefix)
                .is_some_and(|count| *count >= self.rules.prefix_max)
        };
        if newcomer.iter().any(crowded) {
            return Err(Refusal::PrefixFull);
        }
        Ok(Taken::New)
    }

    fn put(&mut self, signed: &Signed, prefixes: Vec<u64>, by: Option<u64>, now_unix_s: u64) {
        let says = &signed.says;
        let old = self.remove(says.channel);
        if self.entries.len() >= self.rules.channels_max
            && let Some(oldest) = self.waiting.oldest()
        {
            // Whoever has proved nothing for longest makes room.
            self.remove(oldest);
        }
        let was_listed = old.as_ref().is_some_and(|old| old.listed);
        let fresh = old.as_ref().is_none_or(|old| now_unix_s >= old.burst_from + BURST_S);
        for prefix in &prefixes {
            *self.prefixes.entry(*prefix).or_default() += 1;
        }
        let same_show = old.as_ref().is_some_and(|old| old.epoch == says.epoch);
        let entry = Entry {
            bytes: signed.bytes.clone(),
            digest: signed.digest(),
            epoch: says.epoch,
            issued_unix_s: says.issued_unix_s,
            expires_unix_s: says.expires_unix_s(),
            addrs: says.addrs(),
            on_air: says.on_air,
            listed: false,
            version: 0,
            prefixes,
            burst_from: old.as_ref().filter(|_| !fresh).map_or(now_unix_s, |old| old.burst_from),
            burst: old
                .as_ref()
                .filter(|_| !fresh)
                .map_or(1, |old| old.burst.saturating_add(1)),
            probe_due: old
                .as_ref()
                .filter(|_| same_show)
                .map_or(now_unix_s, |old| old.probe_due),
            failures: old.as_ref().filter(|_| same_show).map_or(0, |old| old.failures),
            waits: match &old {
                Some(old) if old.waits.is_none() => None,
                Some(_) | None => self.rules.probe.then(|| (self.waiting.add(says.channel, by), by)),
            },
            proved: old.and_then(|old| old.proved),
        };
        self.expiry.insert((entry.expires_unix_s, says.channel));
        if entry.on_air && self.rules.probe {
            self.due.insert((entry.probe_due, says.channel));
        }
        let on_air = entry.on_air;
        self.entries.insert(says.channel, entry);
        if on_air && (!self.rules.probe || (was_listed && same_show)) {
            self.list(says.channel);
        } else if was_listed {
            self.say_gone(says.channel);
        }
    }

    fn list(&mut self, channel: ChannelId) {
        let Some(entry) = self.entries.get_mut(&channel) else {
            return;
        };
        if entry.listed {
            return;
        }
        self.version += 1;
        entry.listed = true;
        entry.version = self.version;
        self.by_version.insert(self.version, channel);
        self.sums[usize::from(channel.0[0])] ^= entry.digest;
        self.listed += 1;
        self.gone.retain(|_, gone| *gone != channel);
    }

    /// Takes an entry out of every index; whether clients are told is the caller's business.
    fn remove(&mut self, channel: ChannelId) -> Option<Entry> {
        let entry = self.entries.remove(&channel)?;
        self.due.remove(&(entry.probe_due, channel));
        self.expiry.remove(&(entry.expires_unix_s, channel));
        for prefix in &entry.prefixes {
            if let Some(count) = self.prefixes.get_mut(prefix) {
                *count -= 1;
            }
            if self.prefixes.get(prefix) == Some(&0) {
                self.prefixes.remove(prefix);
            }
        }
        if let Some((ticket, by)) = entry.waits {
            self.waiting.remove(ticket, by);
        }
        if entry.listed {
            self.by_version.remove(&entry.version);
            self.sums[usize::from(channel.0[0])] ^= entry.digest;
            self.listed -= 1;
        }
        Some(entry)
    }

    fn unlist(&mut self, channel: ChannelId) {
        let Some(entry) = self.entries.get_mut(&channel).filter(|entry| entry.listed) else {
            return;
        };
        entry.listed = false;
        self.by_version.remove(&entry.version);
        self.sums[usize::from(channel.0[0])] ^= entry.digest;
        self.listed -= 1;
        self.say_gone(channel);
    }

    fn say_gone(&mut self, channel: ChannelId) {
        self.version += 1;
        self.gone.insert(self.version, channel);
        if self.gone.len() > GONE_MAX
            && let Some((version, _)) = self.gone.pop_first()
        {
            self.floor = version;
        }
    }

    /// Forgets what has expired; the channels whose rows on disk may go.
    pub fn expire(&mut self, now_unix_s: u64) -> Vec<ChannelId> {
        let mut forgotten = Vec::new();
        while let Some((at, channel)) = self.expiry.first().copied() {
            if at > now_unix_s {
                break;
            }
            if self.remove(channel).is_some_and(|entry| entry.listed) {
                self.say_gone(channel);
            }
            forgotten.push(channel);
        }
        forgotten
    }

    /// The version of the list.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What changed since a version; everything, and `true`, for one that this list does not know.
    pub fn since(&self, version: u64) -> (bool, Vec<Step>) {
        let whole = version == 0 || version < self.floor || version > self.version;
        let after = if whole { 0 } else { version };
        let listed = self
            .by_version
            .range(after + 1..)
            .filter_map(|(_, channel)| self.entries.get(channel).map(|entry| Step::Listed(entry.bytes.clone())));
        if whole {
            return (true, listed.collect());
        }
        // A show that its host ended goes with the signed goodbye: nobody can bring it back with older words.
        let gone = self
            .gone
            .range(after + 1..)
            .map(|(_, channel)| match self.entries.get(channel) {
                Some(entry) if !entry.on_air => Step::Listed(entry.bytes.clone()),
                Some(_) | None => Step::Gone(*channel),
            });
        (false, gone.chain(listed).collect())
    }

    /// Sums of what is listed, one for each bucket.
    pub fn sums(&self) -> &[u64; BUCKETS] {
        &self.sums
    }

    /// What is listed in the buckets named, and the goodbyes of shows that have ended.
    pub fn buckets(&self, wanted: &BTreeSet<u8>) -> Vec<Bytes> {
        wanted.iter().flat_map(|bucket| self.bucket(*bucket)).collect()
    }

    fn bucket(&self, first: u8) -> impl Iterator<Item = Bytes> {
        let (mut low, mut high) = ([0; 32], [0xff; 32]);
        low[0] = first;
        high[0] = first;
        self.entries
            .range(ChannelId(low)..=ChannelId(high))
            .filter(|(_, entry)| entry.listed || !entry.on_air)
            .map(|(_, entry)| entry.bytes.clone())
    }

    /// Everything listed, in the order of the keys.
    pub fn listed(&self) -> impl Iterator<Item = &Bytes> {
        self.entries
            .values()
            .filter(|entry| entry.listed)
            .map(|entry| &entry.bytes)
    }

    /// The newest announcement of a channel, listed or not.
    pub fn announcement(&self, channel: ChannelId) -> Option<&Bytes> {
        self.entries.get(&channel).map(|entry| &entry.bytes)
    }

    /// Whether a channel is listed at this moment.
    pub fn is_listed(&self, channel: ChannelId) -> bool {
        self.entries.get(&channel).is_some_and(|entry| entry.listed)
    }

    /// What the list has seen.
    pub fn counts(&self) -> Counts {
        Counts {
            listed: self.listed,
            candidates: self.entries.len() - self.listed,
            accepted: self.accepted,
            refused: self.refused.clone(),
        }
    }
}

/// The public networks that an announcement counts for.
fn networks(signed: &Signed, from: Option<u64>) -> Vec<u64> {
    let says = signed.says.addrs().first().and_then(|addr| prefix(addr.ip()));
    match (says, from) {
        (Some(says), Some(from)) if says != from => vec![says, from],
        (says, from) => says.or(from).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
