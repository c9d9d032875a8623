//! What the engine tells people, once each.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::snapshot::{ChannelView, RecordingView};
use crate::units::{ChannelId, PeerId};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node is bound and can be dialled at `addrs`.
    Ready { peer: PeerId, addrs: Vec<SocketAddr> },
    /// A directory publishes its list over HTTP here, or a listener its sound.
    Published { http: SocketAddr },
    /// Every source of listings has answered once, or failed: the snapshot shows what there is.
    Listed,
    OnAir {
        channel: ChannelId,
        link: String,
        name: String,
    },
    /// First decoded sample at the output, this long after the request.
    Joined { channel: ChannelId, startup: Duration },
    /// The title that is now heard.
    Title { channel: ChannelId, title: String },
    /// A recording was closed, because a person said so, the channel was left or the disk failed; this much of it is kept.
    Recorded { channel: ChannelId, view: RecordingView },
    /// Each second, for each channel.
    Stats(Box<ChannelView>),
    ParentChanged {
        channel: ChannelId,
        stripe: u8,
        from: Option<PeerId>,
        to: Option<PeerId>,
        gap: Duration,
    },
    /// `ended` when the host said so; otherwise the sound has stopped and the node keeps looking.
    OffAir {
        channel: ChannelId,
        reason: String,
        ended: bool,
    },
    /// A person should see this; `hint` says what to do.
    Notice {
        level: Level,
        message: String,
        hint: String,
    },
    /// A command failed; `code` is the exit status that `cli.md` gives it.
    Failed { code: u8, message: String, hint: String },
    /// Last event of a channel: its totals.
    Summary(Box<ChannelView>),
    /// Everything is flushed and said; nothing follows.
    Stopped,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Warn,
    Error,
}
