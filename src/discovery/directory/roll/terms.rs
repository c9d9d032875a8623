//! What a directory's list is given and what it gives.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::discovery::announcement::Refusal;
use crate::limits::{DIRECTORY_CHANNELS_MAX, DIRECTORY_PREFIX_MAX};
use crate::units::{ChannelId, Epoch, Seq};

/// How a directory decides.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether a channel has to prove that it is on air before it is listed.
    pub probe: bool,
    pub channels_max: usize,
    /// Channels of one public /24 or /48.
    pub prefix_max: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            probe: true,
            channels_max: DIRECTORY_CHANNELS_MAX,
            prefix_max: DIRECTORY_PREFIX_MAX,
        }
    }
}

/// What became of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new and should be kept on disk.
    New,
    /// It is known already.
    Known,
}

/// One step of the list, for clients and other directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Listed(Bytes),
    Gone(ChannelId),
}

/// A channel that should prove that it is on air.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub channel: ChannelId,
    pub addrs: Vec<SocketAddr>,
    /// What it proved last; a new proof must be later.
    pub beyond: Option<(Epoch, Seq)>,
}

/// What the list has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub listed: usize,
    pub candidates: usize,
    pub accepted: u64,
    pub refused: BTreeMap<Refusal, u64>,
}
