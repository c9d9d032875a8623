//! The listener's sound path: packets wait on the media clock, are decoded or concealed, and leave at the speed that keeps the
//! delay from source to ear where it is wanted. Nothing is ever dropped or repeated to get there: the resampler runs up to
//! half a percent faster or slower. While the delay is right, samples are passed on as they were decoded.

mod clock;
mod feed;
mod jitter;
mod ramp;
mod report;
mod steer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::audio::codec::{CodecError, Decoder};
use crate::audio::payload::{self, PayloadError};
use crate::audio::resample::{Quality, Sinc};
use crate::units::{CHANNELS, Codec, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE, Seq, Time};
use clock::MediaClock;
use jitter::Jitter;
use ramp::Ramp;
pub use report::{Played, PlayerStats, Rendered, State};
use steer::Rest;

/// Ramp of start, stop, mute and volume.
const RAMP_SECONDS: f32 = 0.010;
/// Played packets that wait to be recorded.
const PLAYED_MAX: usize = 1_000;

enum Mode {
    /// Waiting for enough contiguous sound.
    Waiting,
    Playing,
    /// Fading out, then waiting.
    Ending,
    /// Moving on in silence.
    Paused,
    /// Nothing will come any more.
    Ended,
}

/// Plays one channel at one output rate.
pub struct Player {
    codec: Codec,
    per_chunk: u64,
    wanted: Duration,
    decoder: Decoder,
    clock: MediaClock,
    jitter: Jitter,
    mode: Mode,
    paused: bool,
    /// The host said goodbye.
    ending: bool,
    /// The next packet to decode; `None` before the first start.
    next: Option<u64>,
    sinc: Sinc,
    output_rate_hz: u32,
    /// Decoded interleaved sound, [`Sinc::before`] frames ahead of the position on.
    fifo: Vec<f32>,
    /// Position within `fifo`, in frames beyond the first `before` ones.
    position: f64,
    speed: f64,
    rest: Rest,
    error_s: f64,
    gate: Ramp,
    volume: Ramp,
    /// The slow fade of a sleep timer, which leaves the volume as it is.
    dusk: Ramp,
    percent: u8,
    muted: bool,
    /// Packets missing in a row.
    missing: u32,
    /// Packets put in without moving on, in a row.
    held: u32,
    sounded: bool,
    title: String,
    keep_played: bool,
    played: VecDeque<Played>,
    stats: PlayerStats,
    played_frames: u64,
    silent_frames: u64,
    packet: Box<[f32; PACKET_SAMPLES]>,
}

impl Player {
    /// A player that waits for its first chunk.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub fn new(
        codec: Codec,
        chunk_time: Duration,
        wanted_delay: Duration,
        output_rate_hz: u32,
    ) -> Result<Player, CodecError> {
        let sinc = Sinc::new(SAMPLE_RATE, output_rate_hz, Quality::Live);
        let fifo = vec![0.0; sinc.before() * CHANNELS];
        Ok(Player {
            codec,
            per_chunk: packets_in(chunk_time),
            wanted: wanted_delay,
            decoder: Decoder::new(codec)?,
            clock: MediaClock::new(chunk_time),
            jitter: Jitter::default(),
            mode: Mode::Waiting,
            paused: false,
            ending: false,
            next: None,
            sinc,
            output_rate_hz,
            fifo,
            position: 0.0,
            speed: 0.0,
            rest: Rest::Steering,
            error_s: 0.0,
            gate: Ramp::new(0.0, RAMP_SECONDS, output_rate_hz),
            volume: Ramp::new(1.0, RAMP_SECONDS, output_rate_hz),
            dusk: Ramp::new(1.0, RAMP_SECONDS, output_rate_hz),
            percent: 100,
            muted: false,
            missing: 0,
            held: 0,
            sounded: false,
            title: String::new(),
            keep_played: false,
            played: VecDeque::new(),
            stats: PlayerStats::default(),
            played_frames: 0,
            silent_frames: 0,
            packet: Box::new([0.0; PACKET_SAMPLES]),
        })
    }

    /// Starts over for another session of the channel; volume, title and totals stay, what sounds now fades.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub fn restart(&mut self, codec: Codec, chunk_time: Duration) -> Result<(), CodecError> {
        let decoder = Decoder::new(codec)?;
        self.leave_sound();
        self.codec = codec;
        self.decoder = decoder;
        self.per_chunk = packets_in(chunk_time);
        self.clock = MediaClock::new(chunk_time);
        self.jitter.clear();
        self.next = None;
        self.ending = false;
        if matches!(self.mode, Mode::Ended) {
            self.mode = Mode::Waiting;
        }
        Ok(())
    }

    /// The host said goodbye: what is held is played in its time, then the sound fades and the state is [`State::Ended`] until
    /// [`Player::restart`].
    pub fn end(&mut self) {
        self.ending = true;
    }

    /// Takes a verified chunk: `age` after the host published it, at `arrived` by our clock. Late and repeated ones do no harm.
    ///
    /// # Errors
    /// When the payload is not one; nothing of it is kept.
    pub fn on_chunk(&mut self, seq: Seq, payload: &Bytes, age: Duration, arrived: Time) -> Result<(), PayloadError> {
        let payload = payload::unpack(payload)?;
        let Some(first) = seq
            .0
            .checked_mul(self.per_chunk)
            .filter(|first| *first < u64::MAX / 4_096)
        else {
            return Err(PayloadError::Packets);
        };
        if payload.packets.len() as u64 != self.per_chunk {
            return Err(PayloadError::Packets);
        }
        self.clock.on_chunk(seq.0, age, arrived);
        let due = self.next.unwrap_or(0);
        if first + self.per_chunk <= due {
            self.stats.late += 1;
            return Ok(());
        }
        for (index, packet) in (first..).zip(payload.packets) {
            if index >= due {
                self.jitter.insert(index, packet);
            }
        }
        if let Some(titled) = payload.title {
            self.jitter
                .insert_title(first.saturating_sub(u64::from(titled.back)), titled.text);
        }
        Ok(())
    }

    /// Fills `out` with interleaved stereo at the output rate. `now` is the moment of the call; what it writes is heard
    /// `output_latency` later.
    pub fn render(&mut self, out: &mut [f32], now: Time, output_latency: Duration) -> Rendered {
        let mut rendered = Rendered::default();
        let silent_before = self.silent_frames;
        let ear = now + output_latency;
        self.steer(out.len() / CHANNELS, ear);
        self.change_mode(ear, &mut rendered);
        let step = f64::from(SAMPLE_RATE) / f64::from(self.output_rate_hz) * (1.0 + self.speed);
        for frame in out.chunks_exact_mut(CHANNELS) {
            let [left, right] = match self.mode {
                Mode::Playing | Mode::Ending => self.next_frame(step, ear, &mut rendered),
                Mode::Waiting | Mode::Paused | Mode::Ended => [0.0; CHANNELS],
            };
            let dusk = self.dusk.next();
            let gain = self.gate.next() * self.volume.next() * dusk * dusk;
            frame[0] = (left * gain).clamp(-1.0, 1.0);
            frame[1] = (right * gain).clamp(-1.0, 1.0);
        }
        self.count(out.len() / CHANNELS);
        rendered.concealed_frames = self.silent_frames - silent_before;
        let block = Duration::from_secs_f64((out.len() / CHANNELS) as f64 / f64::from(self.output_rate_hz));
        self.measure(ear + block);
        rendered
    }

    /// Percent of full scale, over 100 counts as 100; half is a quarter of the amplitude, as ears have it.
    pub fn set_volume(&mut self, percent: u8) {
        self.percent = percent.min(100);
        self.apply_volume();
    }

    /// Fades to nothing or back; time goes on.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        self.apply_volume();
    }

    /// Fades to nothing over this time, whatever the volume is and becomes; `None` brings the sound back at once.
    pub fn set_fading(&mut self, over: Option<Duration>) {
        let seconds = over.map_or(RAMP_SECONDS, |over| over.as_secs_f32());
        self.dusk.retune(seconds, self.output_rate_hz);
        self.dusk.go_to(if over.is_some() { 0.0 } else { 1.0 });
    }

    /// Fades out and stops decoding, or joins the present again. Packets for recording keep coming.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The wanted delay from source to ear; the player drifts there.
    pub fn set_wanted_delay(&mut self, wanted: Duration) {
        self.wanted = wanted;
    }

    /// Goes on at the rate of another output, fading in.
    pub fn retune(&mut self, output_rate_hz: u32) {
        let sinc = Sinc::new(SAMPLE_RATE, output_rate_hz, Quality::Live);
        let (old, new) = (self.sinc.before(), sinc.before());
        if new > old {
            self.fifo.splice(0..0, std::iter::repeat_n(0.0, (new - old) * CHANNELS));
        } else {
            self.fifo.drain(..(old - new) * CHANNELS);
        }
        self.sinc = sinc;
        self.output_rate_hz = output_rate_hz;
        let open = matches!(self.mode, Mode::Playing);
        self.gate = Ramp::new(0.0, RAMP_SECONDS, output_rate_hz);
        self.gate.go_to(if open { 1.0 } else { 0.0 });
        self.volume.retune(RAMP_SECONDS, output_rate_hz);
    }

    /// Whether fading out has ended, so that an output may be closed without a click.
    pub fn is_silent(&self) -> bool {
        self.gate.is_closed()
    }

    /// Keeps what is played for [`Player::poll_played`]; without it packets are forgotten.
    pub fn set_keep_played(&mut self, keep: bool) {
        self.keep_played = keep;
        if !keep {
            self.played.clear();
        }
    }

    /// The next played packet, in the order of the show; a bounded number waits.
    pub fn poll_played(&mut self) -> Option<Played> {
        self.played.pop_front()
    }

    /// Totals and gauges as of the last [`Player::render`].
    pub fn stats(&self) -> PlayerStats {
        self.stats
    }

    /// The title heard now; empty when unknown.
    pub fn title(&self) -> &str {
        &self.title
    }

    fn apply_volume(&mut self) {
        let share = f32::from(self.percent) / 100.0;
        self.volume.go_to(if self.muted { 0.0 } else { share * share });
    }
}

fn packets_in(time: Duration) -> u64 {
    ((time.as_micros() / PACKET_TIME.as_micros()) as u64).max(1)
}
