//! Where a listener's sound goes: one output sets the pace, files take the same sound or the packets it came from.
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::audio::sink::WavWriter;
use crate::device::Playback;
use crate::engine::command::OutputTarget;
use crate::engine::event::Level;
use crate::engine::recording::{Recorder, file_trouble};
use crate::engine::report::Report;
use crate::engine::trouble::Trouble;
use crate::mesh::Session;
use crate::units::SAMPLE_RATE;

/// The clocked null output asks for at most this much after a stall; what lies before is lost, as on a device.
const STALL_MAX_FRAMES: u64 = SAMPLE_RATE as u64 / 2;

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
    recorders: Vec<Recorder>,
    stdout: bool,
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
            recorders: Vec::new(),
            stdout: false,
            bytes: Vec::new(),
        };
        let device = match targets.iter().find(|target| matches!(target, OutputTarget::Device(_))) {
            Some(OutputTarget::Device(name)) => Some(name.as_deref()),
            _ if targets.is_empty() => Some(None),
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
                    let writer = WavWriter::create(path, outputs.rate()).map_err(|error| file_trouble(&error))?;
                    outputs.wavs.push(writer);
                    outputs.file.get_or_insert(format!("wav:{}", path.display()));
                }
                OutputTarget::Ogg(path) => {
                    outputs.oggs.push(path.clone());
                    outputs.file.get_or_insert(format!("ogg:{}", path.display()));
                }
                OutputTarget::Stdout => outputs.stdout = true,
                OutputTarget::Device(_) | OutputTarget::Null => {}
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
        Ok(outputs)
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
        (device.rate() != before).then(|| device.rate())
    }

    /// A session begins: files of packets are made once its codec is known. True when packets are to be kept.
    ///
    /// # Errors
    /// A file that cannot be created.
    pub fn begin(&mut self, session: &Session) -> Result<bool, Trouble> {
        // A later session of another codec could not go into the same file; the first one's file is whole and stays.
        for path in self.oggs.drain(..) {
            self.recorders.push(Recorder::create(&path, session.codec)?);
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
    pub fn write(&mut self, frames: &[f32], heard: bool) -> Result<(), Trouble> {
        match &mut self.pace {
            Pace::Device(device) => device.write(frames),
            Pace::Clock { frames: done, .. } => *done += frames.len() as u64 / 2,
        }
        if !heard {
            return Ok(());
        }
        for writer in &mut self.wavs {
            writer.write(frames).map_err(|error| file_trouble(&error))?;
        }
        if self.stdout {
            self.bytes.clear();
            for sample in frames {
                let value = (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16;
                self.bytes.extend_from_slice(&value.to_le_bytes());
            }
            let mut out = std::io::stdout().lock();
            out.write_all(&self.bytes).map_err(|error| {
                Trouble::new(
                    format!("standard output takes no more sound: {error}"),
                    "keep the reading program running",
                )
            })?;
        }
        if self.recorders.iter().any(Recorder::failed) {
            let failed = self
                .recorders
                .iter()
                .position(Recorder::failed)
                .map(|at| self.recorders.remove(at));
            if let Some(trouble) = failed.and_then(Recorder::finish) {
                return Err(trouble);
            }
        }
        Ok(())
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
