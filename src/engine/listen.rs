//! The listener's sound thread: chunks in, jitter buffer and decoder, sound out at the pace of the output.
#![allow(clippy::disallowed_methods, reason = "sound threads live on the system's clock")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::audio::level::{Detail, Levels, Meter};
use crate::audio::player::{Player, PlayerStats, Rendered, State};
use crate::engine::clock;
use crate::engine::command::{Listen, Recording};
use crate::engine::ending::{LastWord, Stop};
use crate::engine::handle::LevelsCell;
use crate::engine::output::{Interrupted, Outputs};
use crate::engine::recording::{self, Recorder};
use crate::engine::report::Report;
use crate::engine::snapshot::{PlayerState, PlayerView};
use crate::engine::state::Sound;
use crate::engine::trouble::Trouble;
use crate::gateway::listen::Tap;
use crate::mesh::{Chunk, Session};
use crate::units::{CHANNELS, ChannelId, Codec, Time};

/// Chunks and orders that may wait for the thread: a minute of sound. What comes when it is full is lost to the ear only.
const FEEDS_MAX: usize = 1_024;
/// How often sound is rendered and its levels are told: 20 Hz, or 30 Hz while somebody looks at the spectrum. The output holds
/// more than twice as much.
const TICK: Duration = Duration::from_millis(50);
const SPECTRUM_TICK: Duration = Duration::from_millis(33);
/// How long meters go on after somebody looked.
const METERED_FOR: Duration = Duration::from_secs(1);
/// How often gauges and totals are told.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// Most frames rendered at once: 100 ms, so that orders are heard soon even after a stall.
const RENDER_MAX_FRAMES: usize = 4_800;
/// The last sound fades over a fiftieth of a second.
const FADE_PER_SECOND: u32 = 50;

/// What the thread is told.
pub enum Feed {
    Session(Arc<Session>),
    Chunk(Arc<Chunk>),
    Sound(Sound),
    Fade(Option<Duration>),
    Record(Option<Recording>),
    /// The host said goodbye: play what is left.
    End,
}

/// A running listener thread.
pub struct Listener {
    feeds: SyncSender<Feed>,
    stop: Stop,
}

impl Listener {
    /// Opens the outputs on a thread of their own; reports tell everything after.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        channel: ChannelId,
        listen: &Listen,
        tap: Option<Tap>,
        sound: Sound,
        levels: LevelsCell,
        reports: mpsc::Sender<Report>,
    ) -> std::io::Result<Listener> {
        let (feeds, receiver) = sync_channel(FEEDS_MAX);
        let (listen, stop) = (listen.clone(), Stop::default());
        let stopped = stop.clone();
        std::thread::Builder::new().name("listen".into()).spawn(move || {
            let _last = LastWord::new(channel, reports.clone(), Report::ListenEnded { channel });
            let outputs = match Outputs::open(&listen.outputs, &reports) {
                Ok(outputs) => outputs,
                Err(trouble) => {
                    return drop(reports.blocking_send(trouble.into_report(channel)));
                }
            };
            let mut playing = Playing::new(channel, listen.delay, outputs, sound, levels, reports);
            playing.tap = tap;
            playing.run(&receiver, &stopped);
        })?;
        Ok(Listener { feeds, stop })
    }

    /// Fades out, closes the files and ends the thread, whose last word follows.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// Hands something over without waiting.
    pub fn feed(&self, feed: Feed) {
        if self.feeds.try_send(feed).is_err() {
            tracing::debug!("the sound thread is behind; something for it was dropped");
        }
    }
}

struct Playing {
    channel: ChannelId,
    delay: Duration,
    outputs: Outputs,
    player: Option<Player>,
    sound: Sound,
    levels: LevelsCell,
    meter: Meter,
    recorder: Option<Recorder>,
    /// Players of this machine, over HTTP.
    tap: Option<Tap>,
    reports: mpsc::Sender<Report>,
    frames: Vec<f32>,
    /// Until when meters run: a while after anybody looked at them.
    metered_until: Time,
    view_due: Time,
    codec: Option<Codec>,
    station: String,
    heard: bool,
    played_out: bool,
}

impl Playing {
    fn new(
        channel: ChannelId,
        delay: Duration,
        outputs: Outputs,
        sound: Sound,
        levels: LevelsCell,
        reports: mpsc::Sender<Report>,
    ) -> Playing {
        let rate = outputs.rate();
        Playing {
            channel,
            delay,
            outputs,
            player: None,
            sound,
            levels,
            meter: Meter::new(rate),
            recorder: None,
            tap: None,
            reports,
            frames: Vec::new(),
            metered_until: Time::ZERO,
            view_due: Time::ZERO,
            codec: None,
            station: String::new(),
            heard: false,
            played_out: false,
        }
    }

    fn run(mut self, feeds: &Receiver<Feed>, stop: &Stop) {
        let mut tick = Instant::now();
        while !stop.is_asked() {
            let mut wait = tick.saturating_duration_since(Instant::now());
            if self.heard {
                // Once sound flows nothing is urgent: what comes waits for the next tick, which spares a wake-up a chunk.
                std::thread::sleep(std::mem::take(&mut wait));
            }
            match feeds.recv_timeout(wait) {
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(feed) => {
                    self.take(feed);
                    // Until the first sound every chunk may be the one that starts it.
                    if !self.heard {
                        self.render();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.render();
                    let now = clock::now();
                    let seen = self.sound.detail == Detail::Spectrum && now < self.metered_until;
                    tick = (tick + if seen { SPECTRUM_TICK } else { TICK }).max(Instant::now());
                }
            }
        }
        self.stop();
    }

    fn take(&mut self, feed: Feed) {
        match feed {
            Feed::Session(session) => self.begin(&session),
            Feed::Chunk(chunk) => {
                if let Some(player) = &mut self.player
                    && let Err(error) = player.on_chunk(chunk.seq, &chunk.payload, chunk.age, chunk.arrived)
                {
                    tracing::debug!(seq = chunk.seq.0, %error, "a signed chunk holds no sound");
                }
            }
            Feed::Sound(sound) => {
                self.sound = sound;
                if let Some(player) = &mut self.player {
                    player.set_volume(sound.volume);
                    player.set_muted(sound.muted);
                    player.set_paused(sound.paused);
                }
            }
            Feed::Fade(over) => {
                if let Some(player) = &mut self.player {
                    player.set_fading(over);
                }
            }
            Feed::Record(wanted) => self.record(wanted.as_ref()),
            Feed::End => {
                if let Some(player) = &mut self.player {
                    player.end();
                }
            }
        }
    }

    /// A session begins, or another one of the same channel: the sound of the old one fades.
    fn begin(&mut self, session: &Session) {
        // What was played of the last session belongs into its files.
        self.pass_on_played();
        if let Some(tap) = &self.tap {
            tap.about(|about| {
                about.name.clone_from(&session.name);
                about.codec = Some(session.codec);
            });
        }
        self.played_out = false;
        let made = match &mut self.player {
            Some(player) => player.restart(session.codec, session.chunk_time).map(|()| None),
            None => Player::new(session.codec, session.chunk_time, self.delay, self.outputs.rate()).map(Some),
        };
        match made {
            Ok(Some(mut player)) => {
                player.set_volume(self.sound.volume);
                player.set_muted(self.sound.muted);
                player.set_paused(self.sound.paused);
                self.player = Some(player);
            }
            Ok(None) => {}
            Err(error) => self.fail(Trouble::new(
                error.to_string(),
                "report this with the version of inonda",
            )),
        }
        let keeps = match self.outputs.begin(session.codec) {
            Ok(keeps) => keeps || self.recorder.is_some() || self.tap.is_some(),
            Err(trouble) => return self.fail(trouble),
        };
        if let Some(player) = &mut self.player {
            player.set_keep_played(keeps);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.session(session.codec);
        }
        self.codec = Some(session.codec);
        self.station.clone_from(&session.name);
    }

    fn record(&mut self, wanted: Option<&Recording>) {
        if let Some(recorder) = self.recorder.take() {
            recorder.close(self.channel, &self.reports);
        }
        let (Some(wanted), Some(codec)) = (wanted, self.codec) else {
            return;
        };
        match Recorder::begin(wanted, codec, &self.station) {
            Ok(mut recorder) => {
                if let Some(player) = &mut self.player {
                    player.set_keep_played(true);
                    recorder.title(player.title());
                }
                self.recorder = Some(recorder);
            }
            Err(trouble) => {
                let _ = self.reports.blocking_send(trouble.into_notice());
            }
        }
        self.view_due = Time::ZERO;
    }

    /// Renders as much as the outputs want and hands it to them.
    fn render(&mut self) {
        let now = clock::now();
        if let Some(change) = self.outputs.poll(&self.reports) {
            if let Some(player) = &mut self.player {
                player.retune(change);
            }
            self.meter = Meter::new(change);
        }
        let wanted = self.outputs.wanted_frames().min(RENDER_MAX_FRAMES);
        if wanted > 0 && !self.played_out {
            self.frames.clear();
            self.frames.resize(wanted * CHANNELS, 0.0);
            if let Some(player) = &mut self.player {
                let rendered = player.render(&mut self.frames, now, self.outputs.latency());
                self.tell(rendered, now);
            }
            if now < self.metered_until {
                self.meter.push(&self.frames);
            }
            self.pass_on_played();
            match self.outputs.write(&self.frames, self.heard) {
                Ok(()) => {}
                Err(Interrupted::Closed) => {
                    self.played_out = true;
                    let channel = self.channel;
                    let _ = self.reports.blocking_send(Report::Closed { channel });
                }
                Err(Interrupted::Trouble(trouble)) => self.fail(trouble),
            }
        }
        self.tell_levels(now);
        self.tell_view(now);
    }

    fn tell(&mut self, rendered: Rendered, now: Time) {
        if rendered.first_sound && !self.heard {
            self.heard = true;
            let _ = self.reports.blocking_send(Report::FirstSound {
                channel: self.channel,
                at: now + self.outputs.latency(),
            });
        }
        if let Some(title) = rendered.title {
            self.outputs.title(&title);
            if let Some(tap) = &self.tap {
                tap.about(|about| about.title.clone_from(&title));
            }
            let _ = self.reports.blocking_send(Report::Title {
                channel: self.channel,
                title,
            });
        }
    }

    /// Hands packets that were played to whoever keeps them as they came.
    fn pass_on_played(&mut self) {
        let Some(player) = &mut self.player else { return };
        while let Some(played) = player.poll_played() {
            if let Some(recorder) = &mut self.recorder {
                if let Some(title) = &played.title {
                    recorder.title(title);
                }
                recorder.packet(played.packet.as_ref());
            }
            if let Some(tap) = &self.tap {
                tap.packet(played.packet.as_ref());
            }
            self.outputs.packet(played.packet.as_ref());
        }
        recording::settle(&mut self.recorder, self.channel, &self.reports);
    }

    fn tell_levels(&mut self, now: Time) {
        if self.levels.take_looked_at() {
            self.metered_until = now + METERED_FOR;
        }
        if now < self.metered_until {
            self.levels.set(self.meter.levels(self.sound.detail));
        }
    }

    fn tell_view(&mut self, now: Time) {
        let Some(player) = &self.player else { return };
        let stats = player.stats();
        // The last words of a show have been heard once nothing waits any more.
        if stats.state == State::Ended && !self.played_out {
            self.played_out = true;
            let _ = self.reports.blocking_send(Report::PlayedOut { channel: self.channel });
        }
        if now < self.view_due {
            return;
        }
        self.view_due = now + VIEW_EVERY;
        let view = self.view(&stats);
        let _ = self.reports.blocking_send(Report::Player {
            channel: self.channel,
            view,
        });
    }

    fn view(&self, stats: &PlayerStats) -> PlayerView {
        let state = match stats.state {
            _ if self.played_out => PlayerState::OffAir,
            State::Ended => PlayerState::OffAir,
            _ if self.outputs.is_lost() => PlayerState::NoOutput,
            State::Joining => PlayerState::Joining,
            State::Playing | State::Paused => PlayerState::Playing,
            State::BufferLow => PlayerState::BufferLow,
            State::Reconnecting => PlayerState::Reconnecting,
        };
        PlayerView {
            state,
            buffer: stats.buffer,
            wanted_delay: stats.wanted,
            delay: stats.delay,
            played: stats.played,
            silence: stats.silence,
            underruns: stats.underruns + self.outputs.underruns(),
            drift_ppm: stats.drift_ppm,
            output: self.outputs.name(),
            volume: self.sound.volume,
            muted: self.sound.muted,
            paused: self.sound.paused,
            recording: self.recorder.as_ref().map(Recorder::view),
        }
    }

    /// Nothing more can be heard: says why; the engine will tell this thread to stop.
    fn fail(&mut self, trouble: Trouble) {
        self.played_out = true;
        let _ = self.reports.blocking_send(trouble.into_report(self.channel));
    }

    /// Fades out, closes every file, and says the last totals.
    fn stop(mut self) {
        if let Some(player) = &mut self.player {
            player.set_muted(true);
            let frames = (self.outputs.rate() / FADE_PER_SECOND) as usize;
            self.frames.clear();
            self.frames.resize(frames * CHANNELS, 0.0);
            if !self.played_out {
                player.render(&mut self.frames, clock::now(), self.outputs.latency());
                let _ = self.outputs.write(&self.frames, self.heard);
            }
            let stats = player.stats();
            let view = self.view(&stats);
            let _ = self.reports.blocking_send(Report::Player {
                channel: self.channel,
                view,
            });
        }
        // What has ended has no level any more.
        self.levels.set(Levels::default());
        if let Some(recorder) = self.recorder.take() {
            recorder.close(self.channel, &self.reports);
        }
        if let Err(trouble) = self.outputs.finish() {
            let _ = self.reports.blocking_send(trouble.into_notice());
        }
    }
}
