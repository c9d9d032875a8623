//! Candidates that have proved nothing yet, in the order in which they came: they cost little to invent, so that they are
//! the first to make room, and no stranger brings many of them at once.

use std::collections::{BTreeMap, HashMap};

use crate::units::ChannelId;

/// Unproved candidates of one stranger. Proving dead ones takes about 4 s for 32 of them: two minutes.
const STRANGER_MAX: usize = 1_024;

/// The candidates.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_arrival: BTreeMap<u64, ChannelId>,
    brought: HashMap<u64, usize>,
    next: u64,
}

impl Waiting {
    /// Whether a stranger may bring another one.
    pub(super) fn admits(&self, stranger: Option<u64>) -> bool {
        stranger
            .and_then(|stranger| self.brought.get(&stranger))
            .is_none_or(|count| *count < STRANGER_MAX)
    }

    /// Adds a candidate; its ticket.
    pub(super) fn add(&mut self, channel: ChannelId, by: Option<u64>) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.by_arrival.insert(ticket, channel);
        if let Some(by) = by {
            *self.brought.entry(by).or_default() += 1;
        }
        ticket
    }

    /// Takes a candidate out that has proved itself or is forgotten.
    pub(super) fn remove(&mut self, ticket: u64, by: Option<u64>) {
        self.by_arrival.remove(&ticket);
        if let Some(by) = by
            && let Some(count) = self.brought.get_mut(&by)
        {
            *count -= 1;
            if *count == 0 {
                self.brought.remove(&by);
            }
        }
    }

    /// The one that has waited for longest.
    pub(super) fn oldest(&self) -> Option<ChannelId> {
        self.by_arrival.first_key_value().map(|(_, channel)| *channel)
    }
}
