//! From packets to frames: decoding, concealing, and joining what does not belong together.

use std::time::Duration;

use bytes::Bytes;

use super::steer::Rest;
use super::{Mode, PLAYED_MAX, Played, Player, Rendered};
use crate::units::{CHANNELS, PACKET_FRAMES, PACKET_SAMPLES, PACKET_TIME, Time};

/// Packets concealed by guessing; from then on there is silence.
pub(super) const GUESSED_MAX: u32 = 5;
/// Packets put in without moving on, when the buffer ran dry before the wanted delay was reached.
const HELD_MAX: u32 = 3;
/// After this much of nothing the player says so and starts anew.
const GIVE_UP: Duration = Duration::from_secs(1);

impl Player {
    pub(super) fn next_frame(&mut self, step: f64, ear: Time, rendered: &mut Rendered) -> [f32; CHANNELS] {
        let taps = self.sinc.before() + self.sinc.after() + 1;
        while self.position as usize + taps > self.fifo.len() / CHANNELS {
            match self.mode {
                Mode::Playing => self.decode_next(ear, rendered),
                Mode::Ending | Mode::Waiting | Mode::Paused | Mode::Ended => return [0.0; CHANNELS],
            }
        }
        let whole = self.position as usize;
        let fraction = self.position - whole as f64;
        if self.rest == Rest::Resting {
            let at = (whole + self.sinc.before()) * CHANNELS;
            self.position += 1.0;
            return [self.fifo[at], self.fifo[at + 1]];
        }
        let frame = self.sinc.frame(&self.fifo[whole * CHANNELS..], fraction);
        self.position += step;
        // The fraction of the next frame passes a whole sample.
        let next = fraction + (step - 1.0);
        if self.rest == Rest::Settling && !(next > 0.0 && next < 1.0) {
            self.position = self.position.round();
            self.rest = Rest::Resting;
        }
        frame
    }

    pub(super) fn decode_next(&mut self, ear: Time, rendered: &mut Rendered) {
        let used = (self.position as usize).min(self.fifo.len() / CHANNELS - self.sinc.before());
        self.fifo.drain(..used * CHANNELS);
        self.position -= used as f64;
        let Some(index) = self.next else {
            return;
        };
        let Some(packet) = self.jitter.take(index) else {
            self.miss(index, ear);
            return;
        };
        if self.missing > GUESSED_MAX {
            self.decoder.reset();
        }
        let real = self.decoder.decode(Some(&packet), &mut self.packet);
        if self.missing >= GUESSED_MAX || self.held >= HELD_MAX {
            fade(&mut self.packet, Fade::In);
        }
        (self.missing, self.held) = (0, 0);
        if !real {
            self.stats.lost += 1;
            self.silent_frames += PACKET_FRAMES as u64;
        }
        self.fifo.extend_from_slice(&self.packet[..]);
        self.next = Some(index + 1);
        let title = self.new_title(index, rendered);
        self.hand_out(index, real.then_some(packet), title);
        if !self.sounded {
            self.sounded = true;
            rendered.first_sound = true;
        }
    }

    /// A packet is due and not there.
    pub(super) fn miss(&mut self, index: u64, ear: Time) {
        let dry = !self.jitter.any_from(index);
        if dry && self.ending {
            self.guess(true);
            self.mode = Mode::Ending;
            self.gate.go_to(0.0);
            return;
        }
        if dry && self.missing == 0 && self.held == 0 {
            self.stats.underruns += 1;
        }
        let early = match (self.target(ear), self.here()) {
            (Some(target), Some(here)) => here > target + (PACKET_FRAMES * 2) as f64,
            _ => true,
        };
        self.silent_frames += PACKET_FRAMES as u64;
        if dry && early && self.missing == 0 {
            // Nothing has come although there is time: wait for it instead of running away from it.
            self.held += 1;
            self.guess(self.held == HELD_MAX);
            if self.held == HELD_MAX {
                self.mode = Mode::Ending;
                self.gate.go_to(0.0);
            }
            return;
        }
        self.missing += 1;
        match self.missing.cmp(&GUESSED_MAX) {
            std::cmp::Ordering::Less => self.guess(false),
            std::cmp::Ordering::Equal => self.guess(true),
            std::cmp::Ordering::Greater => self.fifo.extend(std::iter::repeat_n(0.0, PACKET_SAMPLES)),
        }
        self.next = Some(index + 1);
        self.stats.lost += 1;
        self.hand_out(index, None, None);
        if dry && PACKET_TIME * self.missing >= GIVE_UP {
            self.mode = Mode::Ending;
            self.gate.go_to(0.0);
        }
    }

    /// Appends a concealed packet, fading to nothing when it is the last one.
    pub(super) fn guess(&mut self, last: bool) {
        self.decoder.decode(None, &mut self.packet);
        if last {
            fade(&mut self.packet, Fade::Out);
        }
        self.fifo.extend_from_slice(&self.packet[..]);
    }

    /// Jumps over what is too old to be wanted, fading from the one place to the other within a packet.
    pub(super) fn skip_to(&mut self, target: f64) {
        let Some(next) = self.next else {
            return;
        };
        let to = (target.max(0.0) / PACKET_FRAMES as f64) as u64;
        let Some(to) = self.jitter.first_run(to.max(next + 1), 2) else {
            return;
        };
        let old = self.jitter.take(next);
        self.decoder.decode(old.as_deref(), &mut self.packet);
        fade(&mut self.packet, Fade::Out);
        let mut mixed = self.packet.clone();
        let new = self.jitter.take(to);
        self.decoder.decode(new.as_deref(), &mut self.packet);
        fade(&mut self.packet, Fade::In);
        mixed
            .iter_mut()
            .zip(&self.packet[..])
            .for_each(|(sum, new)| *sum += new);
        self.fifo.extend_from_slice(&mixed[..]);
        self.hand_out(next, old, None);
        for index in (next + 1).max(to.saturating_sub(PLAYED_MAX as u64))..to {
            let packet = self.jitter.take(index);
            self.hand_out(index, packet, None);
        }
        self.hand_out(to, new, None);
        self.next = Some(to + 1);
        self.stats.skips += 1;
        self.error_s = 0.0;
    }

    /// Lets what sounds now fade, with a guess at how it would have gone on.
    pub(super) fn leave_sound(&mut self) {
        if matches!(self.mode, Mode::Playing) {
            self.guess(true);
            self.mode = Mode::Ending;
            self.gate.go_to(0.0);
        }
    }

    /// The title that begins at `index`, when it is another one; it is told, too.
    pub(super) fn new_title(&mut self, index: u64, rendered: &mut Rendered) -> Option<String> {
        let title = self.jitter.take_title(index).filter(|title| *title != self.title)?;
        self.title.clone_from(&title);
        rendered.title = Some(title.clone());
        Some(title)
    }

    pub(super) fn hand_out(&mut self, index: u64, packet: Option<Bytes>, title: Option<String>) {
        if self.keep_played {
            if self.played.len() == PLAYED_MAX {
                self.played.pop_front();
            }
            self.played.push_back(Played { index, packet, title });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fade {
    In,
    Out,
}

/// Fades over the whole of a packet, but for a millisecond at the silent end that the resampler may already look at.
fn fade(packet: &mut [f32; PACKET_SAMPLES], way: Fade) {
    const QUIET_FRAMES: usize = 48;
    let length = (PACKET_FRAMES - QUIET_FRAMES) as f32;
    for (i, frame) in packet.chunks_exact_mut(CHANNELS).enumerate() {
        let gain = match way {
            Fade::In => i as f32 / length,
            Fade::Out => 1.0 - i as f32 / length,
        };
        frame.iter_mut().for_each(|sample| *sample *= gain.clamp(0.0, 1.0));
    }
}
