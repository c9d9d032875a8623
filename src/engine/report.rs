//! What sound threads and look-ups tell the engine.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::event::Level;
use crate::engine::snapshot::{PlayerView, RecordingView};
use crate::units::{ChannelId, Time};

/// One message of a thread to the engine.
#[derive(Debug)]
pub enum Report {
    /// A name in a link stands for these addresses; none when it could not be resolved.
    Resolved {
        channel: ChannelId,
        name: String,
        addrs: Vec<SocketAddr>,
    },
    /// The host's sources and encoder are ready; chunks follow.
    BroadcastReady { channel: ChannelId },
    /// The payload of the next chunk.
    Payload { channel: ChannelId, payload: Bytes },
    /// The title that our own show now has.
    HostTitle { channel: ChannelId, title: String },
    /// Where our own show stands.
    HostPosition {
        position: Duration,
        length: Option<Duration>,
        next: Vec<String>,
        silent_for: Duration,
        /// Times that this machine was too busy to take what a microphone brought.
        overruns: u64,
    },
    /// Our own show is over.
    BroadcastEnded { channel: ChannelId },
    /// First decoded sample at the output, at this moment.
    FirstSound { channel: ChannelId, at: Time },
    /// The title that is now heard.
    Title { channel: ChannelId, title: String },
    /// Gauges and totals of the player.
    Player { channel: ChannelId, view: PlayerView },
    /// The host said goodbye and all that came has been heard.
    PlayedOut { channel: ChannelId },
    /// Whoever read the sound has closed the pipe and wants no more.
    Closed { channel: ChannelId },
    /// The output is flushed and every file is closed.
    ListenEnded { channel: ChannelId },
    /// A recording is over, for whatever reason.
    Recorded { channel: ChannelId, view: RecordingView },
    /// A person should see this.
    Notice {
        level: Level,
        message: String,
        hint: String,
    },
    /// A sound thread cannot go on; `code` is the exit status.
    Failed {
        channel: ChannelId,
        code: u8,
        message: String,
        hint: String,
    },
}
