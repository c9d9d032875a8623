//! Where the player should be in the show, and how it gets there.

use std::time::Duration;

use super::{Mode, PLAYED_MAX, Player, Rendered, packets_in};
use crate::units::{CHANNELS, PACKET_FRAMES, SAMPLE_RATE, Time};

/// Contiguous sound that must be there before the first sample (a join ends within half a second, a repair takes 250 ms).
const START: Duration = Duration::from_millis(360);
/// Most that the speed may differ from the host's: half a percent, 9 cents, which nobody hears.
const SPEED_MAX: f64 = 0.005;
/// Share of a delay error that is made good in a second.
const CATCH_UP: f64 = 0.2;
/// How fast the speed itself may change, a second.
const SPEED_SLEW: f64 = 0.002;
/// The error is averaged over about this long, since threads wake when they like.
const ERROR_SECONDS: f64 = 1.0;
/// Below this error the sound is left alone, sample by sample as it was sent, until the error has grown to the larger one:
/// clocks that agree within 20 ppm let it rest for minutes.
const NEAR_S: f64 = 0.001;
const AWAY_S: f64 = 0.003;
/// The slowest way back there, half a cent: the last milliseconds would take minutes otherwise.
const SPEED_MIN: f64 = 0.000_3;
/// How fast the last fraction of a sample is made good before a rest: within a fifth of a second.
const SETTLE_SPEED: f64 = 0.000_1;
/// Sound beyond the road's own delay that is always kept.
const MARGIN: Duration = Duration::from_millis(40);

/// Whether the sound is resampled at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The speed differs from the host's, or the output has another rate.
    Steering,
    /// All is well, and the next whole sample begins a rest.
    Settling,
    /// Samples are passed on untouched.
    Resting,
}

impl Player {
    /// The delay to steer for: what is wanted, or what the road needs when that is more.
    pub(super) fn goal(&self) -> Duration {
        self.wanted.max(self.clock.least_delay() + MARGIN)
    }

    /// The frame of the show that should be heard at `ear`.
    pub(super) fn target(&self, ear: Time) -> Option<f64> {
        let live = self.clock.live_frame(ear, f64::from(SAMPLE_RATE))?;
        let behind = self.goal().saturating_sub(self.decoder.delay());
        Some(live - behind.as_secs_f64() * f64::from(SAMPLE_RATE))
    }

    /// The frame of the show that is heard next.
    pub(super) fn here(&self) -> Option<f64> {
        let waiting = (self.fifo.len() / CHANNELS) as f64 - self.sinc.before() as f64 - self.position;
        self.next.map(|next| (next * PACKET_FRAMES as u64) as f64 - waiting)
    }

    pub(super) fn steer(&mut self, frames: usize, ear: Time) {
        let seconds = frames as f64 / f64::from(self.output_rate_hz);
        let wish = match (&self.mode, self.target(ear), self.here()) {
            (Mode::Playing, Some(target), Some(here)) => {
                let error = (target - here) / f64::from(SAMPLE_RATE);
                if error > self.wanted.as_secs_f64() * 2.0 + 1.0 {
                    self.skip_to(target);
                }
                self.error_s += (error - self.error_s) * (seconds / ERROR_SECONDS).min(1.0);
                (self.error_s * CATCH_UP).clamp(-SPEED_MAX, SPEED_MAX)
            }
            _ => 0.0,
        };
        self.rest = self.rest_after_error();
        let wish = match self.rest {
            Rest::Steering if self.error_s.abs() >= NEAR_S => wish.abs().max(SPEED_MIN).copysign(wish),
            Rest::Steering => wish,
            Rest::Settling => wish.abs().max(SETTLE_SPEED).copysign(wish),
            Rest::Resting => return self.speed = 0.0,
        };
        let slew = SPEED_SLEW * seconds;
        self.speed += (wish - self.speed).clamp(-slew, slew);
    }

    fn rest_after_error(&self) -> Rest {
        let off = self.error_s.abs();
        if self.output_rate_hz != SAMPLE_RATE || off > AWAY_S || !matches!(self.mode, Mode::Playing) {
            return Rest::Steering;
        }
        match self.rest {
            Rest::Steering if off < NEAR_S => Rest::Settling,
            rest => rest,
        }
    }

    pub(super) fn change_mode(&mut self, ear: Time, rendered: &mut Rendered) {
        match self.mode {
            Mode::Playing if self.paused => {
                self.gate.go_to(0.0);
                if self.gate.is_closed() {
                    self.mode = Mode::Paused;
                }
            }
            Mode::Playing => self.gate.go_to(1.0),
            Mode::Ending => {
                if self.gate.is_closed() {
                    self.mode = Mode::Waiting;
                }
            }
            Mode::Waiting | Mode::Paused if self.is_played_out() => self.mode = Mode::Ended,
            Mode::Waiting if self.paused => self.mode = Mode::Paused,
            Mode::Waiting => self.try_start(ear),
            Mode::Paused if !self.paused => {
                self.mode = Mode::Waiting;
                self.try_start(ear);
            }
            Mode::Paused | Mode::Ended => {}
        }
        if matches!(self.mode, Mode::Paused) {
            self.pass_over(ear, rendered);
        }
    }

    /// Starts as soon as the wanted place is there, or enough of anything later.
    pub(super) fn try_start(&mut self, ear: Time) {
        let Some(target) = self.target(ear) else {
            return;
        };
        let wanted_place = (target.max(0.0) / PACKET_FRAMES as f64) as u64;
        let earliest = wanted_place.max(self.next.unwrap_or(0));
        self.jitter.discard_before(earliest);
        // What the host said last is played however little it is.
        let enough = if self.ending {
            1
        } else {
            packets_in(START.min(self.wanted / 2)).max(3)
        };
        let at_place = target >= 0.0 && earliest == wanted_place && self.jitter.run(earliest, enough) == enough;
        let Some(start) = (if at_place {
            Some(earliest)
        } else {
            self.jitter.first_run(earliest, enough)
        }) else {
            return;
        };
        for lost in self.next.unwrap_or(start).max(start.saturating_sub(PLAYED_MAX as u64))..start {
            self.hand_out(lost, None, None);
        }
        self.next = Some(start);
        self.decoder.reset();
        self.fifo.clear();
        self.fifo.resize(self.sinc.before() * CHANNELS, 0.0);
        let into = target - (start * PACKET_FRAMES as u64) as f64;
        self.position = if at_place {
            into.round().clamp(0.0, (PACKET_FRAMES - 1) as f64)
        } else {
            0.0
        };
        (self.missing, self.held, self.error_s, self.speed) = (0, 0, 0.0, 0.0);
        self.rest = Rest::Settling;
        self.gate.go_to(1.0);
        self.mode = Mode::Playing;
    }

    pub(super) fn is_played_out(&self) -> bool {
        self.ending && !self.jitter.any_from(self.next.unwrap_or(0))
    }

    /// Moves on without decoding, while paused.
    pub(super) fn pass_over(&mut self, ear: Time, rendered: &mut Rendered) {
        let (Some(target), Some(next)) = (self.target(ear), self.next) else {
            return;
        };
        let to = (target.max(0.0) / PACKET_FRAMES as f64) as u64;
        for index in next..to.max(next).min(next + PLAYED_MAX as u64) {
            let packet = self.jitter.take(index);
            let title = self.new_title(index, rendered);
            self.hand_out(index, packet, title);
        }
        self.jitter.discard_before(to);
        self.next = Some(next.max(to));
    }
}
