//! Internet radio stations as a source of sound: Icecast, SHOUTcast and HLS over HTTP(S), with their titles, behind
//! redirects and playlists, and connected anew when they break off.
//!
//! Three threads work one after the other: `station` fetches, `station-decode` decodes, and whoever fills blocks takes
//! them at the pace of the clock. Every queue between them is bounded, so that a station that sends faster than real time
//! waits. Nothing on this machine's own network is fetched unless the person named it.

pub mod fetch;
mod hls;
pub mod icy;
mod open;
pub mod playlist;
mod transport_stream;

use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use symphonia::core::io::ReadOnlySource;

use crate::audio::decode::Track;
use crate::audio::resample::{Quality, Resampler};
use crate::audio::source::{Fill, Note, Source};
use crate::units::{PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

pub use open::StationError;

/// Runs of sound that may wait for the clock: about 3 s.
const AHEAD: usize = 128;
/// Sound gathered before it is heard, at the start and after a gap.
const GATHER_SAMPLES: usize = PACKET_SAMPLES * 25;
/// Bytes of the stream that may wait for the decoder: 64 pieces of at most 16 KB.
const PIECES_MAX: usize = 64;

/// From the fetching thread to the decoding one.
pub enum Fetched {
    /// A new stream begins; the ending is a guess at its format.
    Begin(String),
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
        std::thread::Builder::new()
            .name("station".into())
            .spawn(move || fetch::run(&url, &fetched))
            .map_err(thread)?;
        std::thread::Builder::new()
            .name("station-decode".into())
            .spawn(move || decode(pieces, &out))
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

/// What the decoder has not read yet.
struct Pieces {
    from: Receiver<Fetched>,
    part: VecDeque<u8>,
    words: VecDeque<Heard>,
    /// The format of the stream that comes next.
    next: Option<String>,
    /// No more bytes come for this stream.
    broken: bool,
    over: bool,
}

impl Pieces {
    /// Waits for one thing from the fetching thread.
    fn wait(&mut self) {
        match self.from.recv() {
            Ok(Fetched::Begin(ending)) => (self.next, self.broken) = (Some(ending), true),
            Ok(Fetched::Bytes(bytes)) => self.part.extend(bytes),
            Ok(Fetched::Title(title)) => self.words.push_back(Heard::Title(title)),
            Ok(Fetched::Trouble { message, hint }) => {
                self.words.push_back(Heard::Trouble { message, hint });
                self.broken = true;
            }
            Err(_) => (self.over, self.broken) = (true, true),
        }
    }

    /// The next stream's format once it has begun; what was not read of the last one is forgotten.
    fn begin(&mut self) -> Option<String> {
        self.part.clear();
        let ending = self.next.take()?;
        self.broken = false;
        Some(ending)
    }
}

/// Decodes stream after stream until the fetching ends or nobody listens.
fn decode(from: Receiver<Fetched>, out: &SyncSender<Heard>) {
    let pieces = Arc::new(Mutex::new(Pieces {
        from,
        part: VecDeque::new(),
        words: VecDeque::new(),
        next: None,
        broken: false,
        over: false,
    }));
    loop {
        // What went wrong is said at once, not when the station is heard again.
        let (words, begun, over) = {
            let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
            if pieces.words.is_empty() && pieces.next.is_none() && !pieces.over {
                pieces.wait();
            }
            (std::mem::take(&mut pieces.words), pieces.begin(), pieces.over)
        };
        for word in words {
            if out.send(word).is_err() {
                return;
            }
        }
        let Some(ending) = begun else {
            match over {
                true => return,
                false => continue,
            }
        };
        let stream = Stream(Arc::clone(&pieces));
        match one(stream, &ending, &pieces, out) {
            Ok(true) => {}
            Ok(false) => return,
            Err(why) => {
                let trouble = Heard::Trouble {
                    message: format!("what the station sends cannot be played: {why}"),
                    hint: "it may use HE-AAC or send no sound at all; try another of its addresses".into(),
                };
                if out.send(trouble).is_err() {
                    return;
                }
            }
        }
    }
}

/// The bytes of one stream as a reader; it ends where the stream breaks off or the next one begins.
struct Stream(Arc<Mutex<Pieces>>);

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while pieces.part.is_empty() && !pieces.broken {
            pieces.wait();
        }
        pieces.part.read(out)
    }
}

/// Decodes one stream; `Ok(false)` when nobody listens any more.
fn one(stream: Stream, ending: &str, pieces: &Mutex<Pieces>, out: &SyncSender<Heard>) -> Result<bool, String> {
    let mut track =
        Track::from_source(Box::new(ReadOnlySource::new(stream)), ending).map_err(|error| error.to_string())?;
    let mut rate = track.rate_hz();
    let mut resampler = Resampler::new(rate, SAMPLE_RATE, Quality::Studio);
    let mut samples = Vec::new();
    loop {
        samples.clear();
        let more = track.read(&mut samples).map_err(|error| error.to_string())?;
        if track.rate_hz() != rate {
            rate = track.rate_hz();
            resampler = Resampler::new(rate, SAMPLE_RATE, Quality::Studio);
        }
        let mut sound = Vec::new();
        resampler.push(&samples, &mut sound);
        let words: Vec<Heard> = {
            let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
            let tags = track.title().map(Heard::Title);
            pieces.words.drain(..).chain(tags).collect()
        };
        for word in words
            .into_iter()
            .chain((!sound.is_empty()).then_some(Heard::Sound(sound)))
        {
            if out.send(word).is_err() {
                return Ok(false);
            }
        }
        if !more {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests;
