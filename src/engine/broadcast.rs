//! The host's sound thread: source → encoder → chunk payloads, at the pace of the sound card or the clock.
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::audio::level::{Detail, Levels, Meter, SilenceDetector};
use crate::audio::payload::Framer;
use crate::audio::source::{Fill, Note, Source};
use crate::device::Capture;
use crate::engine::command::{Programme, Show};
use crate::engine::ending::{LastWord, Stop};
use crate::engine::event::Level;
use crate::engine::handle::LevelsCell;
use crate::engine::programme::{self, Ready};
use crate::engine::recording::{self, Recorder};
use crate::engine::report::Report;
use crate::units::{ChannelId, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

/// Orders that may wait for the thread; it looks fifty times a second.
const ORDERS_MAX: usize = 16;
/// A live source that brings nothing for this long is replaced by silence, so that the show goes on.
const STARVED_MAX: Duration = Duration::from_millis(100);
/// How long the host stays after its last chunk, so that whoever lost it can still ask.
const LINGER: Duration = Duration::from_millis(700);
/// How often the position in the programme is told.
const POSITION_EVERY: u64 = 25;
/// Packets between two readings of the meters: 60 ms.
const LEVELS_EVERY: u64 = 3;
/// How long meters go on after somebody looked: a second.
const METERED_PACKETS: u64 = 50;

/// What people may ask of a show on air.
#[derive(Clone, Debug)]
pub enum Order {
    Title(String),
    Skip,
}

/// A running host thread.
pub struct Broadcast {
    orders: SyncSender<Order>,
    stop: Stop,
}

impl Broadcast {
    /// Opens the sources on a thread of their own; reports tell when it is ready and everything after.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        channel: ChannelId,
        show: Show,
        levels: LevelsCell,
        reports: mpsc::Sender<Report>,
    ) -> std::io::Result<Broadcast> {
        let (orders, receiver) = sync_channel(ORDERS_MAX);
        let stop = Stop::default();
        let stopped = stop.clone();
        std::thread::Builder::new().name("broadcast".into()).spawn(move || {
            let _last = LastWord::new(channel, reports.clone(), Report::BroadcastEnded { channel });
            let ready = match programme::open(&show, &reports) {
                Ok(ready) => ready,
                Err(trouble) => {
                    let _ = reports.blocking_send(trouble.into_report(channel));
                    return;
                }
            };
            let framer = match Framer::new(show.codec, show.bitrate_bps, show.stripes) {
                Ok(framer) => framer,
                Err(error) => {
                    let hint = "choose another --bitrate".into();
                    let _ = reports.blocking_send(Report::Failed {
                        channel,
                        code: 1,
                        message: error.to_string(),
                        hint,
                    });
                    return;
                }
            };
            // A station may never sound: then there is nothing to go on air with.
            let waits = matches!(show.sources.as_slice(), [Programme::Station(_)]);
            if !waits {
                let _ = reports.blocking_send(Report::BroadcastReady { channel });
            }
            let recorder = Recorder::for_show(&show, &reports);
            let mut on_air = OnAir {
                channel,
                framer,
                recorder,
                silence: SilenceDetector::default(),
                levels,
                meter: Meter::new(SAMPLE_RATE),
                metered: 0,
                reports,
                frames: Box::new([0.0; PACKET_SAMPLES]),
                packets: 0,
                waits,
                over: false,
                sounded: false,
                skipped: false,
                trouble: None,
            };
            on_air.run(ready, &receiver, &stopped);
        })?;
        Ok(Broadcast { orders, stop })
    }

    /// Ends the show: the last chunks follow, then the thread's last word.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// Asks something of the show; a thread that has ended hears nothing.
    pub fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

struct OnAir {
    channel: ChannelId,
    framer: Framer,
    recorder: Option<Recorder>,
    silence: SilenceDetector,
    levels: LevelsCell,
    meter: Meter,
    /// Packets for which the meter still runs: a while after anybody looked.
    metered: u64,
    reports: mpsc::Sender<Report>,
    frames: Box<[f32; PACKET_SAMPLES]>,
    packets: u64,
    /// Nothing has come from the station yet, and nobody is told that it is on air.
    waits: bool,
    /// The programme has ended by itself.
    over: bool,
    /// Whether anything of the programme was ever put on air.
    sounded: bool,
    /// Whether a file of it could not be.
    skipped: bool,
    /// What was last wrong with it.
    trouble: Option<(String, String)>,
}

impl OnAir {
    fn run(&mut self, ready: Ready, orders: &Receiver<Order>, stop: &Stop) {
        let Ready {
            mut source,
            mut capture,
        } = ready;
        let live = source.is_live();
        let mut due = Instant::now();
        while !self.over && !stop.is_asked() {
            match orders.try_recv() {
                Ok(Order::Title(title)) => self.title(title),
                Ok(Order::Skip) => source.skip(),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            self.over = !self.packet(source.as_mut(), live, &mut due);
            while let Some(note) = source.note() {
                self.note(note);
            }
            if let Some(change) = capture.as_mut().and_then(Capture::poll) {
                let (warn, message, hint) = change.words();
                let level = if warn { Level::Warn } else { Level::Info };
                let _ = self.reports.blocking_send(Report::Notice { level, message, hint });
            }
            let overruns = capture.as_ref().map_or(0, Capture::overruns);
            self.tell_position(source.as_ref(), overruns);
        }
        let is_broken = self.skipped || self.trouble.is_some();
        match self.over && (self.waits || is_broken && !self.sounded) {
            true => self.fail(),
            false => self.finish(),
        }
    }

    /// One packet of sound, when its time has come; false when the programme is over.
    fn packet(&mut self, source: &mut dyn Source, live: bool, due: &mut Instant) -> bool {
        loop {
            match source.fill(&mut self.frames) {
                Fill::Starved if self.waits => {
                    std::thread::sleep(Duration::from_millis(4));
                    *due = Instant::now();
                    return true;
                }
                Fill::Ended if self.waits => return false,
                Fill::Full if self.waits => {
                    self.waits = false;
                    self.sounded = true;
                    let ready = Report::BroadcastReady { channel: self.channel };
                    let _ = self.reports.blocking_send(ready);
                    *due = pace(*due);
                }
                Fill::Full => {
                    self.sounded = true;
                    *due = if live { Instant::now() + PACKET_TIME } else { pace(*due) };
                }
                Fill::Ended => {
                    self.sounded |= self.frames.iter().any(|sample| *sample != 0.0);
                    *due = pace(*due);
                    self.publish();
                    return false;
                }
                Fill::Starved if Instant::now() < *due + STARVED_MAX => {
                    std::thread::sleep(Duration::from_millis(4));
                    continue;
                }
                Fill::Starved => {
                    self.frames.fill(0.0);
                    *due += PACKET_TIME;
                }
            }
            break;
        }
        self.publish()
    }

    /// Encodes the block and hands on the chunk it completes; false when the encoder has failed.
    fn publish(&mut self) -> bool {
        self.silence.push(self.frames.as_ref());
        self.measure();
        let framed = match self.framer.push(&self.frames) {
            Ok(framed) => framed,
            Err(error) => {
                let hint = "the show cannot go on; start it again".into();
                let failed = Report::Failed {
                    channel: self.channel,
                    code: 1,
                    message: error.to_string(),
                    hint,
                };
                let _ = self.reports.blocking_send(failed);
                return false;
            }
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.packet(Some(&framed.packet));
        }
        recording::settle(&mut self.recorder, self.channel, &self.reports);
        self.packets += 1;
        if let Some(payload) = framed.chunk {
            let _ = self.reports.blocking_send(Report::Payload {
                channel: self.channel,
                payload,
            });
        }
        true
    }

    fn measure(&mut self) {
        if self.levels.take_looked_at() {
            self.metered = METERED_PACKETS;
        }
        if self.metered == 0 {
            return;
        }
        self.metered -= 1;
        self.meter.push(self.frames.as_ref());
        if self.packets.is_multiple_of(LEVELS_EVERY) {
            self.levels.set(self.meter.levels(Detail::Loudness));
        }
    }

    fn title(&mut self, title: String) {
        self.framer.set_title(&title);
        if let Some(recorder) = &mut self.recorder {
            recorder.title(&title);
        }
        let _ = self.reports.blocking_send(Report::HostTitle {
            channel: self.channel,
            title,
        });
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Title(title) => self.title(title),
            Note::Trouble { message, hint } => {
                self.trouble = Some((message.clone(), hint.clone()));
                let _ = self.reports.blocking_send(Report::Notice {
                    level: Level::Warn,
                    message,
                    hint,
                });
            }
            Note::Skipped { path, why } => {
                self.skipped = true;
                let message = format!("{} is left out: {why}", path.display());
                let hint = "the show goes on with the next one".into();
                let _ = self.reports.blocking_send(Report::Notice {
                    level: Level::Warn,
                    message,
                    hint,
                });
            }
        }
    }

    fn tell_position(&self, source: &dyn Source, overruns: u64) {
        if !self.packets.is_multiple_of(POSITION_EVERY) {
            return;
        }
        let _ = self.reports.try_send(Report::HostPosition {
            position: source.position(),
            length: source.length(),
            next: source.upcoming(),
            silent_for: self.silence.silent_for(),
            overruns,
        });
    }

    /// Nothing was ever heard of the programme.
    fn fail(&mut self) {
        let (code, message, hint) = match self.waits {
            true => (
                3,
                "the station cannot be received: it sends nothing",
                "try another of its addresses",
            ),
            false => (
                1,
                "nothing of this programme can be played",
                "name audio files, or folders and playlists that hold some",
            ),
        };
        let said = self.trouble.take();
        let (message, hint) = said.unwrap_or_else(|| (message.into(), hint.into()));
        let _ = self.reports.blocking_send(Report::Failed {
            channel: self.channel,
            code,
            message,
            hint,
        });
    }

    fn finish(&mut self) {
        self.levels.set(Levels::default());
        // Listeners hear whole chunks only: silence fills the last one up.
        self.frames.fill(0.0);
        for _ in 0..self.framer.missing() {
            self.publish();
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.close(self.channel, &self.reports);
        }
        std::thread::sleep(LINGER);
    }
}

/// Waits until `due` and gives the next due time. A machine that slept or stalled for more than a second starts its clock
/// anew instead of sending the lost time in a burst.
fn pace(due: Instant) -> Instant {
    let now = Instant::now();
    if let Some(wait) = due.checked_duration_since(now) {
        std::thread::sleep(wait);
    } else if now.duration_since(due) > Duration::from_secs(1) {
        return now + PACKET_TIME;
    }
    due + PACKET_TIME
}
