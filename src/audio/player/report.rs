//! What the player says of itself.

use std::time::Duration;

use bytes::Bytes;

use super::feed::GUESSED_MAX;
use super::{Mode, Player};
use crate::units::{CHANNELS, PACKET_TIME, SAMPLE_RATE, Time};

/// Below this much contiguous sound the buffer counts as low.
const LOW: Duration = Duration::from_millis(100);

/// What the player is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was heard yet.
    #[default]
    Joining,
    Playing,
    /// Playing, with little in reserve.
    BufferLow,
    /// Sound was heard and then ended for want of packets.
    Reconnecting,
    /// The person asked for silence; time goes on.
    Paused,
    /// The host said goodbye and what it sent has been heard.
    Ended,
}

/// What one call of [`Player::render`] brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The first decoded sample of this player is in this block.
    pub first_sound: bool,
    /// The title that is heard from this block on, when it changed.
    pub title: Option<String>,
    /// Frames at 48 kHz in this block that were guessed or silent for want of packets.
    pub concealed_frames: u64,
}

/// A packet in the order of the show; `None` where one never came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// 20 ms steps since the start of the session.
    pub index: u64,
    pub packet: Option<Bytes>,
    /// The title that begins with this packet, when it is another one than before.
    pub title: Option<String>,
}

/// Totals and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlayerStats {
    pub state: State,
    /// Contiguous sound that waits.
    pub buffer: Duration,
    /// Source to ear, and what it should be.
    pub delay: Duration,
    pub wanted: Duration,
    /// Sound handed out since the start.
    pub played: Duration,
    /// Concealed or empty output between the first sound and now, pauses left out.
    pub silence: Duration,
    /// Times the buffer ran dry.
    pub underruns: u64,
    /// Packets that never came in time, and chunks that came too late.
    pub lost: u64,
    pub late: u64,
    /// Jumps ahead because the delay had grown out of hand.
    pub skips: u64,
    /// The host's clock against ours.
    pub drift_ppm: f32,
    /// Present speed against the host's.
    pub speed_ppm: f32,
}

impl Player {
    pub(super) fn count(&mut self, frames: usize) {
        let frames = (frames as f64 * f64::from(SAMPLE_RATE) / f64::from(self.output_rate_hz)) as u64;
        if self.sounded {
            match self.mode {
                Mode::Playing | Mode::Ending => self.played_frames += frames,
                Mode::Waiting if !self.is_played_out() => self.silent_frames += frames,
                Mode::Waiting | Mode::Paused | Mode::Ended => {}
            }
        }
    }

    pub(super) fn measure(&mut self, ear: Time) {
        let rate = f64::from(SAMPLE_RATE);
        let run = self.next.map_or(0, |next| self.jitter.run(next, 1_500));
        let waiting = self.fifo.len() / CHANNELS - self.sinc.before();
        let playing = matches!(self.mode, Mode::Playing);
        let ahead = if playing {
            (waiting as f64 - self.position).max(0.0)
        } else {
            0.0
        };
        self.stats.buffer = PACKET_TIME * run as u32 + Duration::from_secs_f64(ahead / rate);
        self.stats.wanted = self.wanted;
        if playing && let (Some(live), Some(here)) = (self.clock.live_frame(ear, rate), self.here()) {
            self.stats.delay = Duration::from_secs_f64(((live - here) / rate).max(0.0)) + self.decoder.delay();
        }
        self.stats.played = Duration::from_micros(self.played_frames * 1_000 / 48);
        self.stats.silence = Duration::from_micros(self.silent_frames * 1_000 / 48);
        self.stats.drift_ppm = self.clock.drift_ppm();
        self.stats.speed_ppm = (self.speed * 1e6) as f32;
        self.stats.state = match self.mode {
            Mode::Paused => State::Paused,
            Mode::Ended => State::Ended,
            Mode::Ending if self.is_played_out() => State::Ended,
            Mode::Waiting | Mode::Ending if self.sounded => State::Reconnecting,
            Mode::Waiting | Mode::Ending => State::Joining,
            Mode::Playing if self.missing > GUESSED_MAX => State::Reconnecting,
            Mode::Playing if self.stats.buffer < LOW => State::BufferLow,
            Mode::Playing => State::Playing,
        };
    }
}
