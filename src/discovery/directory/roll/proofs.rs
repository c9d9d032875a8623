//! Which channels should prove that they are on air, and what a proof changes.

use super::{Probe, Roll};
use crate::units::{ChannelId, Epoch, Seq};

/// Seconds between two proofs of one channel.
const PROBE_EVERY_S: u64 = 60;
/// Seconds until a channel that failed a proof is asked again.
const PROBE_AGAIN_S: u64 = 10;
/// Seconds until a channel is asked whose network is being asked by others too much.
const POSTPONED_S: u64 = 3;
/// Failures in a row after which a listed channel is no longer shown.
const FAILURES_MAX: u8 = 3;
/// Addresses asked for one proof: what an announcement names may be anybody's.
const PROBE_ADDRS_MAX: usize = 3;

impl Roll {
    /// The next channels that should prove themselves, at most `max`; each is due again later.
    pub fn probes(&mut self, max: usize, now_unix_s: u64) -> Vec<Probe> {
        let mut probes = Vec::new();
        while probes.len() < max {
            let Some((at, channel)) = self.due.first().copied().filter(|(at, _)| *at <= now_unix_s) else {
                break;
            };
            self.due.remove(&(at, channel));
            let Some(entry) = self.entries.get_mut(&channel) else {
                continue;
            };
            // Until an answer comes; a failure brings it forward.
            entry.probe_due = now_unix_s + PROBE_EVERY_S;
            self.due.insert((entry.probe_due, channel));
            probes.push(Probe {
                channel,
                addrs: entry.addrs.iter().take(PROBE_ADDRS_MAX).copied().collect(),
                beyond: entry.proved.filter(|(epoch, _)| *epoch == entry.epoch),
            });
        }
        probes
    }

    /// Takes in what a proof showed: the newest chunk's place, or nothing. True when the channel never proved anything and is
    /// forgotten, so that nobody fills the list with what is not there.
    pub fn proved(&mut self, channel: ChannelId, newest: Option<(Epoch, Seq)>, now_unix_s: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&channel) else {
            return false;
        };
        if let Some((epoch, seq)) = newest.filter(|(epoch, _)| *epoch >= entry.epoch) {
            entry.failures = 0;
            entry.proved = Some((epoch, seq));
            if let Some((ticket, by)) = entry.waits.take() {
                self.waiting.remove(ticket, by);
            }
            if entry.on_air {
                self.list(channel);
            }
            return false;
        }
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures >= FAILURES_MAX && entry.proved.is_none() && !entry.listed {
            self.remove(channel);
            return true;
        }
        self.due.remove(&(entry.probe_due, channel));
        entry.probe_due = now_unix_s + PROBE_AGAIN_S * u64::from(entry.failures.min(6));
        self.due.insert((entry.probe_due, channel));
        if entry.failures >= FAILURES_MAX {
            self.unlist(channel);
        }
        false
    }

    /// A channel could not be asked for its proof yet: it is due again in a moment.
    pub fn postpone(&mut self, channel: ChannelId, now_unix_s: u64) {
        if let Some(entry) = self.entries.get_mut(&channel).filter(|entry| entry.on_air) {
            self.due.remove(&(entry.probe_due, channel));
            entry.probe_due = now_unix_s + POSTPONED_S;
            self.due.insert((entry.probe_due, channel));
        }
    }
}
