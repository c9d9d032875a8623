//! What people may ask of a running node.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use crate::audio::level::Detail;
use crate::engine::Target;
use crate::units::{ChannelId, Codec, PeerId};

/// One request; the answer, if any, comes as events and in the next snapshot.
#[derive(Clone, Debug)]
pub enum Command {
    /// Join, play and relay. A channel that is already played stays; another one is left first.
    Listen(Listen),
    /// Carry without playing.
    Relay {
        target: Target,
    },
    /// Go on air.
    Host(Box<Show>),
    /// Leave a channel, or end the show when it is our own.
    Leave {
        channel: ChannelId,
    },
    /// Leave whatever is being joined to be heard and does not sound yet, and look no longer for names to be heard.
    CancelJoin,
    /// Percent of full scale, 0 to 100.
    SetVolume(u8),
    SetMuted(bool),
    /// Let the sound fade to nothing over this time without touching the volume, as before sleep; `None` brings it back.
    Fade(Option<Duration>),
    /// Stop the sound and keep relaying; playing again joins the present, not the past.
    SetPaused(bool),
    /// Bits a second for everything this node passes on; zero is listen only.
    SetUpload(u64),
    /// Never talk to this peer again, in any channel, also after a restart where a state folder is kept.
    Block(PeerId),
    /// Look for better parents now.
    Reconnect,
    /// Title of our own show.
    SetTitle(String),
    /// Tells others of a station that is listened to, so that one connection to it feeds many; or no longer.
    Recast {
        channel: ChannelId,
        on: bool,
    },
    /// Next track of our own show.
    Skip,
    /// How much of [`crate::engine::snapshot::Levels`] is computed for what is heard; a spectrum costs an FFT thirty times a second.
    Measure(Detail),
    /// Keep what is heard, as it came; `None` stops.
    Record(Option<Recording>),
    /// Marks a channel or station; `link` as its listing has it.
    SetFavourite {
        link: String,
        name: String,
        on: bool,
    },
    /// Leaves a channel or station out of the list.
    SetHidden {
        link: String,
        on: bool,
    },
    /// Ask every source of listings again.
    Refresh,
    /// Ask these nodes for the channels we carry, too.
    AddPeers(Vec<SocketAddr>),
    /// Say goodbye to the mesh, flush files, stop.
    Quit,
}

/// What to hear, and how.
#[derive(Clone, Debug)]
pub struct Listen {
    pub target: Target,
    /// Wanted delay from the host's sound to this ear.
    pub delay: Duration,
    /// Where to offer what is heard to any player over HTTP.
    pub http: Option<SocketAddr>,
    /// Where the sound goes; the default device when empty.
    pub outputs: Vec<OutputTarget>,
}

/// What is kept of what is heard, and where. Ogg files, Opus or FLAC; none is ever written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// A file, which gets an extension if it has none; with `split`, the folder of the pieces.
    pub place: PathBuf,
    /// A file a title.
    pub split: bool,
    /// The day, for the tags, as `2026-11-25`.
    pub date: String,
}

impl Recording {
    /// A station's or a title's name as part of a file's name: short, on one line, and nothing that leaves its folder.
    pub fn stem(name: &str) -> String {
        let is_kept = |c: char| c.is_alphanumeric() || " -–_.,".contains(c);
        let kept = name.chars().map(|c| if is_kept(c) { c } else { '_' }).take(60);
        let kept: String = kept.collect();
        match kept.trim_matches(['.', ' ']) {
            "" => "inonda".to_owned(),
            kept => kept.to_owned(),
        }
    }
}

/// One place where sound goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputTarget {
    /// A playback device, the default one when unnamed.
    Device(Option<String>),
    /// The default device, or nowhere with a word about it on a machine that has none.
    DeviceIfAny,
    /// Nowhere, at the pace of the clock.
    Null,
    /// A WAV file of what is heard.
    Wav(PathBuf),
    /// An Ogg file of what came, without encoding it again.
    Ogg(PathBuf),
    /// Raw 48 kHz stereo 16 bit on standard output.
    Stdout,
}

/// What a host puts on air.
#[derive(Clone, Debug)]
pub struct Show {
    /// The address of the station that is only listened to, for now: no show of the person's own.
    pub station: Option<String>,
    /// The channel's key; its public half is the channel's ID.
    pub key: SigningKey,
    pub name: String,
    pub genre: String,
    pub description: String,
    pub language: String,
    /// Where its people are met: the address of a page or a mailbox; may be empty.
    pub contact: String,
    /// Told to nobody: whoever has the link can listen.
    pub private: bool,
    pub sources: Vec<Programme>,
    pub bitrate_bps: u32,
    pub codec: Codec,
    pub stripes: u8,
    /// Children a stripe that the host feeds itself.
    pub host_slots: u8,
    /// Start again after the last file.
    pub repeat: bool,
    pub record: Option<PathBuf>,
    /// Keeps others of this machine from going on air with the same key, for as long as it is held.
    pub held: Option<Arc<File>>,
}

/// Where a show's sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Programme {
    /// A file, a folder or a playlist.
    File(PathBuf),
    /// A capture device, the default one when unnamed.
    Microphone(Option<String>),
    /// WAV, or raw 48 kHz stereo 16 bit, on standard input.
    Stdin,
    /// An internet radio station, by its address.
    Station(String),
    /// A test tone.
    Tone,
    /// Music made from oscillators, with titles.
    Generated,
}
