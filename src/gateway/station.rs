//! Internet radio stations as a source of sound: Icecast, SHOUTcast and HLS over HTTP(S), with their titles, behind
//! redirects and playlists, and connected anew when they break off.
//!
//! Three threads work one after the other: `station` fetches, `station-decode` decodes, and whoever fills blocks takes
//! them at the pace of the clock. Every queue between them is bounded, so that a station that sends faster than real time
//! waits. Nothing on this machine's own network is fetched unless the person named it.

mod decode;
pub mod fetch;
mod hls;
pub mod icy;
mod open;
pub mod playlist;
mod transport_stream;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use crate::audio::source::{Fill, Note, Source};
use crate::units::{PACKET_SAMPLES, PACKET_TIME};

pub use open::StationError;

/// Runs of sound that may wait for the clock: about 3 s.
const AHEAD: usize = 128;
/// Sound gathered before it is heard, at the start and after a gap.
const GATHER_SAMPLES: usize = PACKET_SAMPLES * 25;
/// Bytes of the stream that may wait for the decoder: 64 pieces of at most 16 KB.
const PIECES_MAX: usize = 64;

/// From the fetching thread to the decoding one.
pub enum Fetched {
    /// A new stream begins, of the kind that the server says, on this connection.
    Begin {
        kind: &'static str,
        attempt: u64,
    },
    Bytes(Vec<u8>),
    Title(String),
    /// For a person; the fetching goes on or not, whatever it says.
    Trouble {
        message: String,
        hint: String,
    },
}

/// From the decoding thread to whoever fills blocks.
enum Heard {
    Sound(Vec<f32>),
    Title(String),
    Trouble { message: String, hint: String },
}

/// What the decoding thread tells the fetching one.
#[derive(Default)]
pub(super) struct Shared {
    /// The last connection whose stream could not be decoded to its end.
    spoiled: AtomicU64,
    sounded: AtomicBool,
}

impl Shared {
    fn is_spoiled(&self, attempt: u64) -> bool {
        self.spoiled.load(Ordering::Relaxed) == attempt
    }

    /// Whether the station has ever been heard.
    fn has_sounded(&self) -> bool {
        self.sounded.load(Ordering::Relaxed)
    }
}

/// A station that is being received.
pub struct Station {
    heard: Receiver<Heard>,
    ready: VecDeque<f32>,
    notes: VecDeque<Note>,
    gathering: bool,
    ended: bool,
    blocks: u32,
}

impl Station {
    /// Starts to receive; what goes wrong later comes as notes.
    ///
    /// # Errors
    /// When the address is none, or the system refuses a thread.
    pub fn start(url: &str) -> Result<Station, StationError> {
        let url = open::parse(url)?;
        let thread = |error: std::io::Error| StationError::Failed(error.to_string());
        let (fetched, pieces) = sync_channel(PIECES_MAX);
        let (out, heard) = sync_channel(AHEAD);
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("station".into())
            .spawn(move || fetch::run(&url, &fetched, &told))
            .map_err(thread)?;
        std::thread::Builder::new()
            .name("station-decode".into())
            .spawn(move || decode::run(pieces, &out, &shared))
            .map_err(thread)?;
        Ok(Station {
            heard,
            ready: VecDeque::new(),
            notes: VecDeque::new(),
            gathering: true,
            ended: false,
            blocks: 0,
        })
    }

    fn receive(&mut self) {
        let wanted = if self.gathering { GATHER_SAMPLES } else { PACKET_SAMPLES };
        while self.ready.len() < wanted && !self.ended {
            match self.heard.try_recv() {
                Ok(Heard::Sound(sound)) => self.ready.extend(sound),
                Ok(Heard::Title(title)) => self.notes.push_back(Note::Title(title)),
                Ok(Heard::Trouble { message, hint }) => self.notes.push_back(Note::Trouble { message, hint }),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
        self.gathering = self.gathering && !self.ended && self.ready.len() < wanted;
    }
}

impl Source for Station {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        self.receive();
        if self.gathering {
            return Fill::Starved;
        }
        if self.ready.len() < PACKET_SAMPLES && !self.ended {
            self.gathering = true;
            return Fill::Starved;
        }
        out.fill(0.0);
        for sample in out.iter_mut() {
            let Some(next) = self.ready.pop_front() else { break };
            *sample = next;
        }
        self.blocks += 1;
        match self.ended && self.ready.is_empty() {
            true => Fill::Ended,
            false => Fill::Full,
        }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn position(&self) -> Duration {
        PACKET_TIME * self.blocks
    }
}

#[cfg(test)]
mod tests;
