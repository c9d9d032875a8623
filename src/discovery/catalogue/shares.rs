//! Who brought which channels: when the list is full, room is made at the cost of whoever brought most.

use std::collections::{BTreeMap, BTreeSet};

use crate::discovery::listing::Origin;
use crate::units::ChannelId;

/// Channels by the source that brought them; each counts for one.
#[derive(Debug, Default)]
pub(super) struct Shares(BTreeMap<Origin, BTreeSet<ChannelId>>);

impl Shares {
    pub(super) fn count(&self, origin: &Origin) -> usize {
        self.0.get(origin).map_or(0, BTreeSet::len)
    }

    pub(super) fn give(&mut self, origin: &Origin, channel: ChannelId) {
        self.0.entry(origin.clone()).or_default().insert(channel);
    }

    pub(super) fn take(&mut self, origin: &Origin, channel: ChannelId) {
        if let Some(brought) = self.0.get_mut(origin) {
            brought.remove(&channel);
        }
    }

    /// Who brought most, and what.
    pub(super) fn largest(&self) -> Option<(&Origin, &BTreeSet<ChannelId>)> {
        self.0.iter().max_by_key(|(_, brought)| brought.len())
    }
}
