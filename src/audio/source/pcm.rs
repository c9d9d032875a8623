//! Sound on standard input or any other pipe: WAV, raw samples, or whatever else can be decoded.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use symphonia::core::io::ReadOnlySource;

use super::kind::{HEAD_BYTES, Kind, kind_of};
use super::{Fill, Note, Notes, Source};
use crate::audio::decode::Track;
use crate::audio::resample::{Quality, Resampler};
use crate::units::{CHANNELS, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

/// Blocks of about 20 ms read ahead; a pipe that is written faster than real time waits.
const AHEAD: usize = 16;
/// Bytes before the samples of a WAV, for tags that some programs put there.
const WAV_CHUNK_MAX_BYTES: u32 = 1 << 20;
/// A length of samples from here on is what programs write that do not know it: all ones, the largest number, or near it.
const WAV_UNKNOWN_BYTES: u32 = 0x7fff_0000;
/// Name and length.
const CHUNK_HEAD_BYTES: u64 = 8;

type Input = Box<dyn Read + Send>;

enum Piece {
    /// Interleaved stereo at 48 kHz.
    Sound(Vec<f32>),
    Title(String),
    Failed(String),
}

/// A stream of sound that is read in a thread of its own, since a pipe may keep its reader waiting.
pub struct PcmStream {
    pieces: Receiver<Piece>,
    ready: Vec<f32>,
    notes: Notes,
    ended: bool,
    blocks: u32,
}

impl PcmStream {
    /// Starts reading. WAV says its own format, other containers are decoded, and what looks like nothing known is taken for
    /// 48 kHz stereo of 16 bits, little endian.
    pub fn new(input: Input) -> PcmStream {
        let (sender, pieces) = sync_channel(AHEAD);
        let failed = sender.clone();
        let spawned = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            if let Err(why) = read_all(input, &sender) {
                // Nobody listens any more when this fails.
                let _ = sender.send(Piece::Failed(why));
            }
        });
        if let Err(error) = spawned {
            // The channel is empty, so that this cannot wait.
            let _ = failed.try_send(Piece::Failed(error.to_string()));
        }
        PcmStream {
            pieces,
            ready: Vec::new(),
            notes: Notes::default(),
            ended: false,
            blocks: 0,
        }
    }

    fn receive(&mut self) {
        while self.ready.len() < PACKET_SAMPLES && !self.ended {
            match self.pieces.try_recv() {
                Ok(Piece::Sound(sound)) => self.ready.extend(sound),
                Ok(Piece::Title(title)) => self.notes.say(Note::Title(title)),
                Ok(Piece::Failed(why)) => self.notes.say(Note::Trouble {
                    message: format!("the input cannot be played on: {why}"),
                    hint: "pipe in WAV, raw 48 kHz stereo s16le, or any file that --file takes".to_owned(),
                }),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
    }
}

impl Source for PcmStream {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        self.receive();
        if self.ready.len() < PACKET_SAMPLES && !self.ended {
            return Fill::Starved;
        }
        let taken = self.ready.len().min(PACKET_SAMPLES);
        out[..taken].copy_from_slice(&self.ready[..taken]);
        out[taken..].fill(0.0);
        self.ready.drain(..taken);
        self.blocks += 1;
        match self.ended && self.ready.is_empty() {
            true => Fill::Ended,
            false => Fill::Full,
        }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.next()
    }

    fn position(&self) -> Duration {
        PACKET_TIME * self.blocks
    }
}

fn read_all(mut input: Input, out: &SyncSender<Piece>) -> Result<(), String> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|e| e.to_string())?;
    let kind = kind_of(&head);
    let is_empty = head.is_empty();
    let mut whole: Input = Box::new(Cursor::new(head).chain(input));
    match kind {
        _ if is_empty => Err("it is empty".to_owned()),
        Kind::Wav => {
            let (format, declared) = wav_format(&mut whole)?;
            wav_samples(whole, &format, declared, out)
        }
        Kind::Container => container(whole, out),
        Kind::Foreign(name) => Err(format!("it is {name}, which cannot be decoded")),
        Kind::Raw => samples(&mut whole, &RAW, out),
    }
}

/// How samples are written.
struct Format {
    rate_hz: u32,
    channels: usize,
    bits: u16,
    float: bool,
}

const RAW: Format = Format {
    rate_hz: SAMPLE_RATE,
    channels: CHANNELS,
    bits: 16,
    float: false,
};

/// Reads the chunks of a WAV up to the first sample; with the format goes what the header says of the length in bytes. A
/// program that writes to a pipe cannot know it and says nothing, or nonsense.
fn wav_format(input: &mut Input) -> Result<(Format, Option<u64>), String> {
    let early = || "the WAV ends before its first sample".to_owned();
    input.read_exact(&mut [0; 12]).map_err(|_| early())?;
    let (mut format, mut long) = (None, None);
    loop {
        let mut head = [0; 8];
        input.read_exact(&mut head).map_err(|_| early())?;
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if &head[..4] == b"data" {
            let format = format.ok_or_else(|| "the WAV does not say its format".to_owned())?;
            let declared = long.or((1..WAV_UNKNOWN_BYTES).contains(&len).then_some(u64::from(len)));
            return Ok((format, declared));
        }
        if len > WAV_CHUNK_MAX_BYTES {
            return Err("the WAV has an impossible header".to_owned());
        }
        let mut body = vec![0; (len as usize).next_multiple_of(2)];
        input.read_exact(&mut body).map_err(|_| early())?;
        match &head[..4] {
            b"fmt " => format = Some(parse_format(&body)?),
            // The 64-bit form says the length of its samples here.
            b"ds64" => long = body.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes),
            _ => {}
        }
    }
}

/// The samples of a WAV. After as many as the header says there are, tags may follow; where samples go on, the header was wrong.
fn wav_samples(
    mut input: Input,
    format: &Format,
    declared: Option<u64>,
    out: &SyncSender<Piece>,
) -> Result<(), String> {
    let Some(declared) = declared else {
        return samples(&mut input, format, out);
    };
    let mut tail = Tail {
        input,
        declared,
        next: Vec::new(),
    };
    samples(&mut tail, format, out)?;
    // Whoever writes shall not find the pipe closed.
    io::copy(&mut tail.input, &mut io::sink())
        .map(|_| ())
        .map_err(|e| e.to_string())
}

/// A stream that ends where tags begin after the declared bytes.
struct Tail {
    input: Input,
    declared: u64,
    /// What was read to see what follows.
    next: Vec<u8>,
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.declared > 0 {
            let most = usize::try_from(self.declared).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.input.read(&mut buffer[..most])?;
            self.declared -= read as u64;
            if self.declared == 0 {
                self.input.by_ref().take(CHUNK_HEAD_BYTES).read_to_end(&mut self.next)?;
                if is_tag(&self.next) {
                    self.next.clear();
                    self.input = Box::new(io::empty());
                }
            }
            return Ok(read);
        }
        if !self.next.is_empty() {
            let taken = self.next.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&self.next[..taken]);
            self.next.drain(..taken);
            return Ok(taken);
        }
        self.input.read(buffer)
    }
}

/// Whether this is the head of a chunk, perhaps behind the byte that fills an odd one: four printable characters.
fn is_tag(head: &[u8]) -> bool {
    let named = |at: usize| {
        head.get(at..at + 4)
            .is_some_and(|name| name.iter().all(|byte| matches!(byte, b' '..=b'~')))
    };
    named(0) || (head.first() == Some(&0) && named(1))
}

fn parse_format(body: &[u8]) -> Result<Format, String> {
    let word = |at: usize| body.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let rate_hz = u32::from(word(4)) | u32::from(word(6)) << 16;
    // 0xfffe is "extensible"; the real tag follows later.
    let tag = if word(0) == 0xfffe { word(24) } else { word(0) };
    let format = Format {
        rate_hz,
        channels: usize::from(word(2)),
        bits: word(14),
        float: tag == 3,
    };
    let known = matches!((tag, format.bits), (1, 8 | 16 | 24 | 32) | (3, 32));
    match known && (1..=32).contains(&format.channels) && (1_000..=768_000).contains(&rate_hz) {
        true => Ok(format),
        false => Err(format!(
            "WAV of kind {tag} with {} bits and {} channels is not known",
            format.bits, format.channels
        )),
    }
}

fn samples(input: &mut impl Read, format: &Format, out: &SyncSender<Piece>) -> Result<(), String> {
    let frame_bytes = usize::from(format.bits / 8) * format.channels;
    let mut resampler = Resampler::new(format.rate_hz, SAMPLE_RATE, Quality::Studio);
    let mut bytes = vec![0; frame_bytes * (format.rate_hz as usize / 50)];
    let mut held = 0;
    loop {
        let read = match input.read(&mut bytes[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.to_string()),
        };
        held += read;
        let whole = held / frame_bytes * frame_bytes;
        let stereo = to_stereo(&bytes[..whole], format);
        bytes.copy_within(whole..held, 0);
        held -= whole;
        let mut sound = Vec::new();
        resampler.push(&stereo, &mut sound);
        if out.send(Piece::Sound(sound)).is_err() {
            return Ok(());
        }
    }
    let mut tail = Vec::new();
    resampler.finish(&mut tail);
    // A listener who has left needs no tail.
    let _ = out.send(Piece::Sound(tail));
    Ok(())
}

fn to_stereo(bytes: &[u8], format: &Format) -> Vec<f32> {
    let width = usize::from(format.bits / 8);
    let sample = |b: &[u8]| match (b, format.float) {
        (&[a], _) => (f32::from(a) - 128.0) / 128.0,
        (&[a, b], _) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
        (&[a, b, c], _) => (i32::from_le_bytes([0, a, b, c]) as f64 / 2_147_483_648.0) as f32,
        (&[a, b, c, d], false) => (f64::from(i32::from_le_bytes([a, b, c, d])) / 2_147_483_648.0) as f32,
        (&[a, b, c, d], true) => f32::from_le_bytes([a, b, c, d]).clamp(-1.0, 1.0),
        _ => 0.0,
    };
    let mut out = Vec::with_capacity(bytes.len() / width);
    for frame in bytes.chunks_exact(width * format.channels) {
        let left = sample(&frame[..width]);
        out.extend([
            left,
            if format.channels > 1 {
                sample(&frame[width..2 * width])
            } else {
                left
            },
        ]);
    }
    out
}

/// A reader that symphonia may share, which it never does.
struct Pipe(Mutex<Input>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

fn container(input: Input, out: &SyncSender<Piece>) -> Result<(), String> {
    let source = Box::new(ReadOnlySource::new(Pipe(Mutex::new(input))));
    let mut track = Track::from_source(source, "").map_err(|e| e.to_string())?;
    let mut resampler: Option<(u32, Resampler)> = None;
    loop {
        let mut decoded = Vec::new();
        if !track.read(&mut decoded).map_err(|e| e.to_string())? {
            return Ok(());
        }
        if let Some(title) = track.title()
            && out.send(Piece::Title(title)).is_err()
        {
            return Ok(());
        }
        if resampler.as_ref().is_none_or(|(rate, _)| *rate != track.rate_hz()) {
            resampler = Some((
                track.rate_hz(),
                Resampler::new(track.rate_hz(), SAMPLE_RATE, Quality::Studio),
            ));
        }
        let mut sound = Vec::new();
        if let Some((_, resampler)) = &mut resampler {
            resampler.push(&decoded, &mut sound);
        }
        if out.send(Piece::Sound(sound)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::chirp;

    fn play(bytes: Vec<u8>) -> (Vec<f32>, Vec<Note>) {
        let mut stream = PcmStream::new(Box::new(Cursor::new(bytes)));
        let (mut sound, mut notes) = (Vec::new(), Vec::new());
        let mut block = [0.0; PACKET_SAMPLES];
        loop {
            match stream.fill(&mut block) {
                Fill::Full => sound.extend(block),
                Fill::Starved => thread::yield_now(),
                Fill::Ended => {
                    sound.extend(block);
                    break;
                }
            }
            notes.extend(stream.note());
        }
        notes.extend(stream.note());
        (sound, notes)
    }

    fn s16(sound: &[f32]) -> Vec<u8> {
        sound
            .iter()
            .flat_map(|s| ((s * 32_768.0) as i16).to_le_bytes())
            .collect()
    }

    #[test]
    fn raw_samples_pass_unchanged() {
        let (sound, notes) = play(s16(&chirp::samples(0, 100_000)));
        assert!(chirp::examine(&sound, SAMPLE_RATE).is_whole());
        assert!(sound.len() >= 200_000 && notes.is_empty());
    }

    #[test]
    fn a_wav_of_unknown_length_is_read_to_its_end() {
        let mut wav =
            b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0".to_vec();
        wav.extend(b"LIST\x03\0\0\0abc\0data\xff\xff\xff\xff");
        wav.extend(s16(&chirp::samples(0, 100_000)));
        let (sound, notes) = play(wav);
        assert!(chirp::examine(&sound, SAMPLE_RATE).is_whole());
        assert!(notes.is_empty());
    }

    fn header(data_bytes: u32) -> Vec<u8> {
        let mut wav =
            b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0data".to_vec();
        wav.extend(data_bytes.to_le_bytes());
        wav
    }

    #[test]
    fn tags_behind_the_samples_of_a_wav_are_not_played() {
        let mut wav = header(400_000);
        wav.extend(s16(&chirp::samples(0, 100_000)));
        wav.extend(b"LIST\xa0\x0f\0\0");
        wav.extend([0x7f; 4_000]);
        let (sound, notes) = play(wav);
        assert!(sound.len() < 200_000 + 2 * PACKET_SAMPLES && notes.is_empty());
        assert!(sound.iter().all(|sample| sample.abs() < 0.9));
    }

    #[test]
    fn a_wav_whose_header_is_too_short_is_played_on() {
        let mut wav = header(40_000);
        wav.extend(s16(&chirp::samples(0, 100_000)));
        let (sound, _) = play(wav);
        assert!(chirp::examine(&sound, SAMPLE_RATE).is_whole());
        assert!(sound.len() >= 200_000);
    }

    #[test]
    fn what_cannot_be_decoded_is_refused_and_not_aired_as_noise() {
        for bytes in [
            [b"\x1a\x45\xdf\xa3".to_vec(), vec![0x5a; 20_000]].concat(),
            b"<html><body>404 Not Found</body></html>".repeat(100),
        ] {
            let (sound, notes) = play(bytes);
            assert!(sound.iter().all(|sample| *sample == 0.0));
            assert!(matches!(&notes[..], [Note::Trouble { .. }]), "{notes:?}");
        }
    }

    #[test]
    fn nothing_and_nonsense_are_named() {
        for bytes in [
            Vec::new(),
            b"RIFF1234WAVEfmt \x02\0\0\0\x01\0".to_vec(),
            [b"OggS".to_vec(), vec![7; 5_000]].concat(),
        ] {
            let (_, notes) = play(bytes);
            assert!(matches!(&notes[..], [Note::Trouble { .. }]), "{notes:?}");
        }
    }
}
