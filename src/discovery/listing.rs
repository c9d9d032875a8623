//! A channel as lists show it, from whatever source it was found.

use std::time::Duration;

use crate::units::ChannelId;

/// One row of the channel list. Text is already clipped and free of control characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// `None` for an internet radio station, which has no key.
    pub channel: Option<ChannelId>,
    /// An `inonda:` link, or the URL of a station.
    pub link: String,
    pub name: String,
    pub genre: String,
    pub language: String,
    pub description: String,
    /// Where its people are met: an address that is opened in a browser, never played. May be empty.
    pub contact: String,
    /// Groups that the person put the favourite into.
    pub groups: Vec<String>,
    pub title: String,
    pub listeners: Option<u64>,
    pub relays: Option<u64>,
    pub bitrate_kbps: Option<u32>,
    pub codec: String,
    /// Unix seconds when it went on air.
    pub since_unix_s: Option<u64>,
    pub sources: Vec<Origin>,
    pub on_air: bool,
    pub favourite: bool,
    pub hidden: bool,
    /// False for what a foreign list names and inonda cannot play.
    pub playable: bool,
    /// Listeners over the last hour as far as this node saw them, oldest first; empty when unknown.
    pub trend: Vec<u32>,
}

/// Where a listing came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Lan,
    Dht,
    /// The directory's `host:port`.
    Directory(String),
    Favourite,
    /// A link given by the person.
    Invite,
    /// An internet radio station saved by the person or named by a station directory.
    Station,
}

/// State of one source of listings, for the side bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginState {
    pub origin: Origin,
    pub channels: usize,
    /// What went wrong last, in words, and when it is tried again.
    pub trouble: Option<(String, Duration)>,
}
