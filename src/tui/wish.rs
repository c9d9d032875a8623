//! What a person asked for and the engine has not shown yet.

use std::time::Duration;

/// What the strip says of a channel that does not sound yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited<'a> {
    pub name: &'a str,
    /// Peers found so far.
    pub peers: usize,
}

/// Changes that show at once, before the engine has confirmed them: keys pressed quickly build on each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub volume: Option<u8>,
    pub muted: Option<bool>,
    pub paused: Option<bool>,
    /// From then on the engine's word counts.
    pub until: Duration,
}

/// A short visit to another channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub until: Duration,
    /// Link and name of what was heard before.
    pub back_to: Option<(String, String)>,
}

/// A channel that was asked for and does not play yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    pub name: String,
    /// What it will be known by, see [`crate::engine::place`]; `None` while it has only a name.
    pub place: Option<String>,
    /// What played when it was asked for.
    pub before: Option<String>,
    pub since: Duration,
}
