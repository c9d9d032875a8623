//! Where a listener's sound goes: one output sets the pace, files take the same sound or the packets it came from.
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::audio::resample::{Quality, Resampler};
use crate::audio::sink::WavWriter;
use crate::device::{Playback, has_output};
use crate::engine::command::OutputTarget;
use crate::engine::event::Level;
use crate::engine::recording::{Recorder, file_trouble};
use crate::engine::report::Report;
use crate::engine::trouble::Trouble;
use crate::units::{Codec, SAMPLE_RATE};

/// The clocked null output asks for at most this much after a stall; what lies before is lost, as on a device.
const STALL_MAX_FRAMES: u64 = SAMPLE_RATE as u64 / 2;

/// Why no more sound is taken.
#[derive(Debug)]
pub enum Interrupted {
    /// Whoever read it has heard enough.
    Closed,
    Trouble(Trouble),
}

impl From<Trouble> for Interrupted {
    fn from(trouble: Trouble) -> Interrupted {
        Interrupted::Trouble(trouble)
    }
}

/// What sets the pace.
enum Pace {
    Device(Box<Playback>),
    /// The system clock: frames handed out since a moment.
    Clock {
        since: Instant,
        frames: u64,
    },
}

/// Every output of one listener.
pub struct Outputs {
    pace: Pace,
    wavs: Vec<WavWriter>,
    /// What the first file is, for people.
    file: Option<String>,
    oggs: Vec<PathBuf>,
    /// What the packets are, and how often that has changed.
    codec: Option<Codec>,
    changes: u32,
    recorders: Vec<Recorder>,
    stdout: bool,
    /// Makes 48 kHz of it for files and pipes while the device has another rate.
    resampler: Option<Resampler>,
    resampled: Vec<f32>,
    /// Bytes for standard output, kept to be used again.
    bytes: Vec<u8>,
}

impl Outputs {
    /// Opens what the person asked for; the default device when nothing is named.
    ///
    /// # Errors
    /// A missing device (exit status 4), a file that cannot be created.
    pub fn open(targets: &[OutputTarget], reports: &mpsc::Sender<Report>) -> Result<Outputs, Trouble> {
        let mut outputs = Outputs {
            pace: Pace::Clock {
                since: Instant::now(),
                frames: 0,
            },
            wavs: Vec::new(),
            file: None,
            oggs: Vec::new(),
            codec: None,
            changes: 0,
            recorders: Vec::new(),
            stdout: false,
            resampler: None,
            resampled: Vec::new(),
            bytes: Vec::new(),
        };
        let device = match targets.iter().find(|target| matches!(target, OutputTarget::Device(_))) {
            Some(OutputTarget::Device(name)) => Some(name.as_deref()),
            _ if targets.is_empty() => Some(None),
            _ if targets.contains(&OutputTarget::DeviceIfAny) => {
                let found = has_output();
                if !found {
                    let _ = reports.blocking_send(Report::Notice {
                        level: Level::Warn,
                        message: "no sound device was found: playing to nowhere, on the clock".into(),
                        hint: "`inonda devices` lists what there is".into(),
                    });
                }
                found.then_some(None)
            }
            _ => None,
        };
        if let Some(name) = device {
            let open = Playback::open(name).map_err(|error| {
                Trouble::device(
                    error.to_string(),
                    "`inonda devices` lists what there is; --output null listens without sound",
                )
            })?;
            outputs.pace = Pace::Device(Box::new(open));
        }
        for target in targets {
            match target {
                OutputTarget::Wav(path) => {
                    let writer = WavWriter::create(path, SAMPLE_RATE).map_err(|error| file_trouble(&error))?;
                    outputs.wavs.push(writer);
                    outputs.file.get_or_insert(format!("wav:{}", path.display()));
                }
                OutputTarget::Ogg(path) => {
                    outputs.oggs.push(path.clone());
                    outputs.file.get_or_insert(format!("ogg:{}", path.display()));
                }
                OutputTarget::Stdout => outputs.stdout = true,
                OutputTarget::Device(_) | OutputTarget::DeviceIfAny | OutputTarget::Null => {}
            }
        }
        if targets
            .iter()
            .filter(|target| matches!(target, OutputTarget::Device(_)))
            .count()
            > 1
        {
            let message = "only the first device is played to: each device has a clock of its own".into();
            let hint = "run another inonda for the second one".into();
            let _ = reports.blocking_send(Report::Notice {
                level: Level::Warn,
                message,
                hint,
            });
        }
        outputs.follow_rate();
        Ok(outputs)
    }

    /// Files and pipes stay at 48 kHz whatever the device does.
    fn follow_rate(&mut self) {
        if let Some(mut before) = self.resampler.take() {
            before.finish(&mut self.resampled);
        }
        if self.rate() != SAMPLE_RATE && (self.stdout || !self.wavs.is_empty()) {
            self.resampler = Some(Resampler::new(self.rate(), SAMPLE_RATE, Quality::Live));
        }
    }

    /// Frames a second of what [`Outputs::write`] takes.
    pub fn rate(&self) -> u32 {
        match &self.pace {
            Pace::Device(device) => device.rate(),
            Pace::Clock { .. } => SAMPLE_RATE,
        }
    }

    /// Frames that would fill the output up now.
    pub fn wanted_frames(&mut self) -> usize {
        match &mut self.pace {
            Pace::Device(device) => device.wanted_frames(),
            Pace::Clock { since, frames } => {
                let due = since.elapsed().as_micros() as u64 * u64::from(SAMPLE_RATE) / 1_000_000;
                if due.saturating_sub(*frames) > STALL_MAX_FRAMES {
                    *frames = due - STALL_MAX_FRAMES;
                }
                due.saturating_sub(*frames) as usize
            }
        }
    }

    /// How long after [`Outputs::write`] the sound is heard.
    pub fn latency(&self) -> Duration {
        match &self.pace {
            Pace::Device(device) => device.latency(),
            Pace::Clock { .. } => Duration::ZERO,
        }
    }

    /// What plays, in words.
    pub fn name(&self) -> String {
        match &self.pace {
            Pace::Device(device) => device.name(),
            Pace::Clock { .. } => match &self.file {
                Some(file) => file.clone(),
                None if self.stdout => "stdout".into(),
                None => "null".into(),
            },
        }
    }

    /// Whether the sound goes nowhere although a device was asked for.
    pub fn is_lost(&self) -> bool {
        match &self.pace {
            Pace::Device(device) => device.is_lost(),
            Pace::Clock { .. } => false,
        }
    }

    /// Times the device ran dry.
    pub fn underruns(&self) -> u64 {
        match &self.pace {
            Pace::Device(device) => device.underruns(),
            Pace::Clock { .. } => 0,
        }
    }

    /// Follows devices that come and go; each returned number is a new rate to render at.
    pub fn poll(&mut self, reports: &mpsc::Sender<Report>) -> Option<u32> {
        let Pace::Device(device) = &mut self.pace else {
            return None;
        };
        let before = device.rate();
        if let Some(change) = device.poll() {
            let (level, message, hint) = change.words();
            let level = if level { Level::Warn } else { Level::Info };
            let _ = reports.try_send(Report::Notice { level, message, hint });
        }
        let now = device.rate();
        if now == before {
            return None;
        }
        self.follow_rate();
        Some(now)
    }

    /// A session begins: files of packets are made once its codec is known; another codec goes on in files of the same name with
    /// a number. True when packets are to be kept.
    ///
    /// # Errors
    /// A file that cannot be created, or finished.
    pub fn begin(&mut self, codec: Codec) -> Result<bool, Trouble> {
        if self.codec.replace(codec) != Some(codec) {
            self.changes += 1;
            for recorder in self.recorders.drain(..) {
                recorder.finish().map_or(Ok(()), Err)?;
            }
            for path in &self.oggs {
                self.recorders
                    .push(Recorder::create(&numbered(path, self.changes), codec)?);
            }
        }
        Ok(!self.recorders.is_empty())
    }

    /// The title that is heard from here on.
    pub fn title(&mut self, title: &str) {
        self.recorders.iter_mut().for_each(|recorder| recorder.title(title));
    }

    /// A packet as it came.
    pub fn packet(&mut self, packet: Option<&Bytes>) {
        self.recorders.iter_mut().for_each(|recorder| recorder.packet(packet));
    }

    /// Interleaved stereo at [`Outputs::rate`]. Files begin with the first sound (`heard`), devices at once.
    ///
    /// # Errors
    /// A file that cannot be written, or a closed pipe.
    pub fn write(&mut self, frames: &[f32], heard: bool) -> Result<(), Interrupted> {
        match &mut self.pace {
            // The silence before the first sound would only keep it waiting.
            Pace::Device(device) if !heard && !device.is_lost() => {}
            Pace::Device(device) => device.write(frames),
            Pace::Clock { frames: done, .. } => *done += frames.len() as u64 / 2,
        }
        if !heard {
            return Ok(());
        }
        match &mut self.resampler {
            Some(resampler) => resampler.push(frames, &mut self.resampled),
            // What an earlier rate has left comes first.
            None if !self.resampled.is_empty() => self.resampled.extend_from_slice(frames),
            None => {}
        }
        let kept = std::mem::take(&mut self.resampled);
        let written = self.keep(if self.resampler.is_some() || !kept.is_empty() {
            &kept
        } else {
            frames
        });
        self.resampled = kept;
        self.resampled.clear();
        written?;
        if self.recorders.iter().any(Recorder::failed) {
            let failed = self
                .recorders
                .iter()
                .position(Recorder::failed)
                .map(|at| self.recorders.remove(at));
            if let Some(trouble) = failed.and_then(Recorder::finish) {
                return Err(trouble.into());
            }
        }
        Ok(())
    }

    /// Writes 48 kHz to whatever keeps or passes on sound.
    fn keep(&mut self, frames: &[f32]) -> Result<(), Interrupted> {
        for writer in &mut self.wavs {
            writer.write(frames).map_err(|error| file_trouble(&error))?;
        }
        if !self.stdout {
            return Ok(());
        }
        self.bytes.clear();
        for sample in frames {
            let value = (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16;
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(&self.bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Interrupted::Closed),
            Err(error) => Err(Interrupted::Trouble(Trouble::new(
                format!("standard output takes no more sound: {error}"),
                "check where it leads to",
            ))),
        }
    }

    /// Closes every file and lets the device play out.
    ///
    /// # Errors
    /// The first file that could not be finished.
    pub fn finish(self) -> Result<(), Trouble> {
        let mut first = None;
        for writer in self.wavs {
            if let Err(error) = writer.finish() {
                first.get_or_insert(file_trouble(&error));
            }
        }
        for recorder in self.recorders {
            if let Some(trouble) = recorder.finish() {
                first.get_or_insert(trouble);
            }
        }
        if let Pace::Device(device) = self.pace {
            device.drain();
        }
        first.map_or(Ok(()), Err)
    }
}

/// The name of the first, second, third file of one output.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number < 2 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path
        .extension()
        .map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::codec::Encoder;
    use crate::audio::decode::Track;
    use crate::units::PACKET_SAMPLES;

    #[test]
    fn a_session_of_another_codec_goes_on_in_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("kept.ogg");
        let (reports, _heard) = mpsc::channel(8);
        let mut outputs = Outputs::open(&[OutputTarget::Ogg(first.clone())], &reports).unwrap();
        for codec in [Codec::Opus, Codec::Opus, Codec::Flac] {
            assert!(outputs.begin(codec).unwrap());
            let mut encoder = Encoder::new(codec, 128_000).unwrap();
            for _ in 0..50 {
                let packet = encoder.encode(&[0.25; PACKET_SAMPLES], 4_000).unwrap();
                outputs.packet(Some(&packet));
            }
        }
        outputs.finish().unwrap();
        for (path, seconds) in [(first, 2), (folder.path().join("kept-2.ogg"), 1)] {
            let mut track = Track::open(&path).unwrap();
            let mut samples = Vec::new();
            while track.read(&mut samples).unwrap() {}
            assert!(
                samples.len() > seconds * 90_000 && samples.len() <= seconds * 96_000,
                "{path:?}"
            );
        }
    }
}
