//! Where a show's sound comes from, 20 ms at a time.

mod generated;
mod kind;
mod live;
mod pcm;
mod playlist;
mod tone;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use crate::units::PACKET_SAMPLES;

pub use generated::Generated;
pub use live::Live;
pub use pcm::PcmStream;
pub use playlist::Playlist;
pub use tone::Tone;

/// What [`Source::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All of the block is sound.
    Full,
    /// A live input does not have 20 ms yet; nothing was written, ask again soon.
    Starved,
    /// There is nothing more; the block is silence, or the end of the sound and then silence, and must still be aired.
    Ended,
}

/// What a source has to say besides sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// From the block just filled on, the show has this title.
    Title(String),
    /// This file could not be played, or not to its end; `why` says what was wrong and what to do.
    Skipped { path: PathBuf, why: String },
    /// The source as a whole is in trouble; a person should see this.
    Trouble { message: String, hint: String },
}

/// A programme. Blocks are 48 kHz interleaved stereo of 20 ms; pacing is the caller's business.
pub trait Source: Send {
    /// Writes the next 20 ms.
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill;
    /// The next note, if any; ask after each fill.
    fn note(&mut self) -> Option<Note>;
    /// Goes to the next track, with a short fade; without tracks nothing happens.
    fn skip(&mut self) {}
    /// How far into the track the sound is.
    fn position(&self) -> Duration;
    /// How long the track is, when that is known.
    fn length(&self) -> Option<Duration> {
        None
    }
    /// What comes next, as far as anything is known of it; at most three.
    fn upcoming(&self) -> Vec<String> {
        Vec::new()
    }
    /// Whether the input itself sets the pace: a microphone does, a file does not.
    fn is_live(&self) -> bool {
        false
    }
}

/// Notes that wait to be fetched; more than anybody forgets to ask for.
const NOTES_MAX: usize = 64;

/// A bounded list of notes.
#[derive(Default)]
struct Notes(VecDeque<Note>);

impl Notes {
    fn say(&mut self, note: Note) {
        if self.0.len() == NOTES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(note);
    }

    fn next(&mut self) -> Option<Note> {
        self.0.pop_front()
    }
}
