//! Files and streams of any kind symphonia reads, as stereo at their own rate.

mod mixdown;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::{MetadataOptions, MetadataRevision, StandardTag};
use symphonia::default::formats;

use crate::audio::{codec, title};
use mixdown::Mixdown;

/// Broken packets in a row after which a file counts as broken.
const BROKEN_MAX: u32 = 40;
/// Packets passed over in one read, of other tracks or with nothing in them.
const PASSED_MAX: u32 = 10_000;
/// A file that ends this much before its own announcement is cut off; a frame or two less is a habit of encoders.
const CUT: Duration = Duration::from_millis(500);

/// Why a file cannot be played, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("it cannot be opened: {0}; check that it exists and may be read")]
    Open(String),
    #[error("it is a folder; name it with --file to play what is in it")]
    Folder,
    #[error("it is empty")]
    Empty,
    #[error("its format is not known ({0}); use MP3, AAC in M4A, FLAC, Ogg Vorbis, Ogg Opus, WAV, AIFF or ALAC")]
    Unsupported(String),
    #[error("it holds no sound")]
    NoSound,
    #[error("it is damaged: {0}; copy or download it again")]
    Damaged(String),
    #[error("it is cut off after {} of {}; copy or download it again", clock(*.heard), clock(*.announced))]
    Cut { heard: Duration, announced: Duration },
}

/// One file or stream that is being read.
pub struct Track {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    rate_hz: u32,
    mixdown: Mixdown,
    raw: Vec<f32>,
    frames: u64,
    length_frames: Option<u64>,
    lead: Lead,
    title: Option<String>,
    /// Broken packets in a row, and in all.
    broken: u32,
    broken_in_all: u64,
    is_file: bool,
}

/// Frames at the beginning that only bring the decoder in step. The Opus decoder leaves them out of the first packet alone,
/// and a file that was cut out of a stream has many packets of them.
#[derive(Clone, Copy)]
enum Lead {
    /// Nothing was decoded yet.
    Announced(u64),
    Left(u64),
}

impl Lead {
    /// How many of `frames`, which a packet of `length` gave, are to be left out.
    fn take(&mut self, length: u64, frames: usize) -> usize {
        let (skip, left) = match *self {
            Lead::Announced(all) => (0, all.saturating_sub(length)),
            Lead::Left(left) => {
                let skip = left.min(frames as u64);
                (skip as usize, left - skip)
            }
        };
        *self = Lead::Left(left);
        skip
    }
}

impl Track {
    /// Opens a file and finds its first sound.
    ///
    /// # Errors
    /// When there is nothing to play in it; the message says why and what to do.
    pub fn open(path: &Path) -> Result<Track, DecodeError> {
        let file = File::open(path).map_err(|e| DecodeError::Open(plain(&e)))?;
        let about = file.metadata().map_err(|e| DecodeError::Open(plain(&e)))?;
        if about.is_dir() {
            return Err(DecodeError::Folder);
        }
        if about.is_file() && about.len() == 0 {
            return Err(DecodeError::Empty);
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let mut track = Track::from_source(Box::new(file), extension)?;
        track.is_file = true;
        Ok(track)
    }

    /// Reads anything; `extension` is a guess at the format and may be empty.
    ///
    /// # Errors
    /// As [`Track::open`].
    pub fn from_source(source: Box<dyn MediaSource>, extension: &str) -> Result<Track, DecodeError> {
        let mut hint = Hint::new();
        if !extension.is_empty() {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| unsupported(&e))?;
        Track::from_format(format)
    }

    /// Reads a live stream of a known kind: `mp3`, `aac` (ADTS), `ogg`, `flac` or `wav`. Unlike [`Track::from_source`] it
    /// searches for nothing else, which would read a megabyte first.
    ///
    /// # Errors
    /// As [`Track::open`].
    pub fn from_live(source: Box<dyn MediaSource>, kind: &str) -> Result<Track, DecodeError> {
        let stream = MediaSourceStream::new(source, Default::default());
        let options = FormatOptions::default();
        let boxed = |error| unsupported(&error);
        let format: Box<dyn FormatReader> = match kind {
            "mp3" => Box::new(formats::MpaReader::try_new(stream, options).map_err(boxed)?),
            "aac" => Box::new(formats::AdtsReader::try_new(stream, options).map_err(boxed)?),
            "ogg" => Box::new(formats::OggReader::try_new(stream, options).map_err(boxed)?),
            "flac" => Box::new(formats::FlacReader::try_new(stream, options).map_err(boxed)?),
            "wav" => Box::new(formats::WavReader::try_new(stream, options).map_err(boxed)?),
            other => return Err(DecodeError::Unsupported(other.to_owned())),
        };
        Track::from_format(format)
    }

    fn from_format(mut format: Box<dyn FormatReader>) -> Result<Track, DecodeError> {
        let Chosen {
            decoder,
            track_id,
            rate_hz,
            length_frames,
            lead,
        } = choose(format.as_ref())?;
        let title = format.metadata().skip_to_latest().and_then(title_of);
        Ok(Track {
            format,
            decoder,
            track_id,
            rate_hz,
            mixdown: Mixdown::default(),
            raw: Vec::new(),
            frames: 0,
            length_frames,
            lead,
            title,
            broken: 0,
            broken_in_all: 0,
            is_file: false,
        })
    }

    /// Frames a second; it may change after a [`Track::read`] of a chained stream.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// "Artist – Title" from the tags, once for each time they say something new.
    pub fn title(&mut self) -> Option<String> {
        self.title.take()
    }

    /// How long it is, when it says so.
    pub fn length(&self) -> Option<Duration> {
        self.length_frames.map(|frames| self.time(frames))
    }

    /// How much of it was read.
    pub fn position(&self) -> Duration {
        self.time(self.frames)
    }

    /// Appends the next interleaved stereo at [`Track::rate_hz`]; false at the end, where a file that announced more than it
    /// had is an error.
    ///
    /// # Errors
    /// When it is damaged beyond going on, or cut off.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        for _ in 0..PASSED_MAX {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(Error::ResetRequired) => {
                    self.renew()?;
                    continue;
                }
                Err(Error::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => return self.end(),
                Err(Error::IoError(e)) => return Err(DecodeError::Damaged(plain(&e))),
                Err(e) => return Err(DecodeError::Damaged(e.to_string())),
            };
            self.notice_title();
            if packet.track_id != self.track_id {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(sound) => {
                    let skip = self.lead.take(packet.dur.get(), sound.frames());
                    if sound.frames() == skip {
                        continue;
                    }
                    self.broken = 0;
                    self.rate_hz = sound.spec().rate().max(1);
                    sound.copy_to_vec_interleaved(&mut self.raw);
                    self.frames += (sound.frames() - skip) as u64;
                    let channels = sound.spec().channels();
                    self.mixdown.apply(&self.raw[skip * channels.count()..], channels, out);
                    return Ok(true);
                }
                Err(Error::ResetRequired) => self.decoder.reset(),
                Err(e) => self.tolerate(&e)?,
            }
        }
        Err(DecodeError::Damaged("there is no sound in much of it".to_owned()))
    }

    /// Whether parts of it were unreadable and left out.
    pub fn was_damaged(&self) -> bool {
        self.broken_in_all > 0
    }

    fn tolerate(&mut self, error: &Error) -> Result<(), DecodeError> {
        self.broken += 1;
        self.broken_in_all += 1;
        match self.broken < BROKEN_MAX {
            true => Ok(()),
            false => Err(DecodeError::Damaged(error.to_string())),
        }
    }

    fn end(&self) -> Result<bool, DecodeError> {
        let Some(announced) = self.length().filter(|_| self.is_file) else {
            return Ok(false);
        };
        let heard = self.position();
        // Lengths of some formats are estimates, so that a long file may be off by a few seconds.
        if heard + CUT.max(announced / 100) < announced {
            return Err(DecodeError::Cut { heard, announced });
        }
        Ok(false)
    }

    /// A chained stream goes on with other parameters.
    fn renew(&mut self) -> Result<(), DecodeError> {
        let chosen = choose(self.format.as_ref())?;
        (self.decoder, self.track_id, self.rate_hz) = (chosen.decoder, chosen.track_id, chosen.rate_hz);
        self.length_frames = chosen.length_frames.map(|frames| frames + self.frames);
        self.lead = chosen.lead;
        self.title = self
            .format
            .metadata()
            .skip_to_latest()
            .and_then(title_of)
            .or(self.title.take());
        Ok(())
    }

    fn notice_title(&mut self) {
        if !self.format.metadata().is_latest()
            && let Some(title) = self.format.metadata().skip_to_latest().and_then(title_of)
        {
            self.title = Some(title);
        }
    }

    fn time(&self, frames: u64) -> Duration {
        Duration::from_micros(frames.saturating_mul(1_000_000) / u64::from(self.rate_hz.max(1)))
    }
}

struct Chosen {
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    rate_hz: u32,
    length_frames: Option<u64>,
    lead: Lead,
}

fn choose(format: &dyn FormatReader) -> Result<Chosen, DecodeError> {
    let track = format.default_track(TrackType::Audio).ok_or(DecodeError::NoSound)?;
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        return Err(DecodeError::NoSound);
    };
    let decoder = codec::registry()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|e| unsupported(&e))?;
    let rate_hz = decoder
        .codec_params()
        .sample_rate
        .or(params.sample_rate)
        .unwrap_or(crate::units::SAMPLE_RATE);
    let lead = if params.codec == CODEC_ID_OPUS {
        track.delay.unwrap_or(0)
    } else {
        0
    };
    Ok(Chosen {
        decoder,
        track_id: track.id,
        rate_hz,
        length_frames: track.num_frames,
        lead: Lead::Announced(u64::from(lead)),
    })
}

fn unsupported(error: &Error) -> DecodeError {
    match error {
        Error::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            DecodeError::Unsupported("nothing in it looks like sound".to_owned())
        }
        Error::IoError(e) => DecodeError::Damaged(plain(e)),
        other => DecodeError::Unsupported(other.to_string()),
    }
}

fn title_of(revision: &MetadataRevision) -> Option<String> {
    let (mut artist, mut album_artist, mut name) = (None, None, None);
    let tags = revision
        .media
        .tags
        .iter()
        .chain(revision.per_track.iter().flat_map(|track| &track.metadata.tags));
    for tag in tags {
        match &tag.std {
            Some(StandardTag::Artist(text) | StandardTag::Performer(text)) => _ = artist.get_or_insert(text),
            Some(StandardTag::AlbumArtist(text)) => _ = album_artist.get_or_insert(text),
            Some(StandardTag::TrackTitle(text)) => _ = name.get_or_insert(text),
            Some(_) | None => {}
        }
    }
    title::compose(artist.or(album_artist).map(|a| a.as_str()), name.map(|n| n.as_str()))
}

/// An error without the number that the system gives it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Minutes and whole seconds, rounded.
fn clock(time: Duration) -> String {
    let seconds = (time + Duration::from_millis(500)).as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
