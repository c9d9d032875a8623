//! The decoding thread: stream after stream, until the fetching ends or nobody listens. A stream that cannot be decoded is
//! given back to the fetching thread, which dials anew.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use symphonia::core::io::ReadOnlySource;

use super::{Fetched, Heard, Shared};
use crate::audio::decode::Track;
use crate::audio::resample::{Quality, Resampler};
use crate::units::SAMPLE_RATE;

/// Bytes that may come without any sound in them: of formats whose frames are short, and of those that may begin with a
/// picture.
const SOUNDLESS_MAX_BYTES: usize = 256 * 1_024;
const SOUNDLESS_PICTURE_MAX_BYTES: usize = 4 << 20;
/// What a tag in front of the sound begins with.
const TAG_HEAD_BYTES: usize = 10;

/// What the decoder has not read yet.
struct Pieces {
    from: Receiver<Fetched>,
    part: VecDeque<u8>,
    words: VecDeque<Heard>,
    /// The kind and the connection of the stream that comes next.
    next: Option<(&'static str, u64)>,
    /// No more bytes come for this stream.
    broken: bool,
    over: bool,
    /// Bytes read since the last sound.
    soundless: usize,
}

impl Pieces {
    /// Waits for one thing from the fetching thread.
    fn wait(&mut self) {
        match self.from.recv() {
            Ok(Fetched::Begin { kind, attempt }) => (self.next, self.broken) = (Some((kind, attempt)), true),
            Ok(Fetched::Bytes(bytes)) => self.part.extend(bytes),
            Ok(Fetched::Title(title)) => self.words.push_back(Heard::Title(title)),
            Ok(Fetched::Trouble { message, hint }) => {
                self.words.push_back(Heard::Trouble { message, hint });
                self.broken = true;
            }
            Err(_) => (self.over, self.broken) = (true, true),
        }
    }

    /// The next stream's kind and connection once it has begun; what was not read of the last one is forgotten.
    fn begin(&mut self) -> Option<(&'static str, u64)> {
        self.part.clear();
        let next = self.next.take()?;
        self.broken = false;
        self.soundless = 0;
        Some(next)
    }
}

fn lock(pieces: &Mutex<Pieces>) -> std::sync::MutexGuard<'_, Pieces> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decodes stream after stream until the fetching ends or nobody listens.
pub(super) fn run(from: Receiver<Fetched>, out: &SyncSender<Heard>, shared: &Shared) {
    let pieces = Arc::new(Mutex::new(Pieces {
        from,
        part: VecDeque::new(),
        words: VecDeque::new(),
        next: None,
        broken: false,
        over: false,
        soundless: 0,
    }));
    loop {
        // What went wrong is said at once, not when the station is heard again.
        let (words, begun, over) = {
            let mut pieces = lock(&pieces);
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
        let Some((kind, attempt)) = begun else {
            match over {
                true => return,
                false => continue,
            }
        };
        let trouble = match one(&pieces, kind, out, shared) {
            Ok(true) => None,
            Ok(false) => return,
            Err(why) => Some(Heard::Trouble {
                message: format!("what the station sends cannot be played: {why}"),
                hint: "it is dialled again; it may use HE-AAC or send no sound at all".into(),
            }),
        };
        // Bytes that still come are worth nothing to anybody.
        if !lock(&pieces).broken {
            shared.spoiled.store(attempt, Ordering::Relaxed);
        }
        if trouble.is_some_and(|trouble| out.send(trouble).is_err()) {
            return;
        }
    }
}

/// The bytes of one stream as a reader; it ends where the stream breaks off or the next one begins.
struct Stream {
    pieces: Arc<Mutex<Pieces>>,
    soundless_max: usize,
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut pieces = lock(&self.pieces);
        while pieces.part.is_empty() && !pieces.broken {
            pieces.wait();
        }
        if pieces.soundless > self.soundless_max {
            return Err(io::Error::other("no sound is in it"));
        }
        let read = pieces.part.read(out)?;
        pieces.soundless += read;
        Ok(read)
    }
}

/// Opens the stream as what its first bytes show it to be, or else as what the server says; a tag in front is passed over.
fn open(pieces: &Arc<Mutex<Pieces>>, said: &str) -> Result<Track, String> {
    let mut stream = Stream {
        pieces: Arc::clone(pieces),
        soundless_max: SOUNDLESS_PICTURE_MAX_BYTES,
    };
    let mut head = Vec::new();
    let io = |error: io::Error| error.to_string();
    (&mut stream)
        .take(TAG_HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(io)?;
    if let [b'I', b'D', b'3', _, _, _, a, b, c, d] = head[..] {
        let size = [a, b, c, d]
            .into_iter()
            .fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f));
        io::copy(&mut (&mut stream).take(size), &mut io::sink()).map_err(io)?;
        head.clear();
    }
    let kind = match head[..] {
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'R', b'I', b'F', b'F', ..] => "wav",
        [0xff, second, ..] if second & 0xf6 == 0xf0 => "aac",
        _ => said,
    };
    if matches!(kind, "mp3" | "aac") {
        stream.soundless_max = SOUNDLESS_MAX_BYTES;
    }
    let source = ReadOnlySource::new(Cursor::new(head).chain(stream));
    Track::from_live(Box::new(source), kind).map_err(|error| error.to_string())
}

/// Decodes one stream; `Ok(false)` when nobody listens any more.
fn one(pieces: &Arc<Mutex<Pieces>>, kind: &str, out: &SyncSender<Heard>, shared: &Shared) -> Result<bool, String> {
    let mut track = open(pieces, kind)?;
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
            let mut pieces = lock(pieces);
            if !samples.is_empty() {
                pieces.soundless = 0;
                shared.sounded.store(true, Ordering::Relaxed);
            }
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
