//! The instruments, each a voice that dies away.

use std::f32::consts::TAU;

use crate::units::{CHANNELS, SAMPLE_RATE};

/// Who plays a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instrument {
    /// Three detuned saws behind a filter that breathes.
    Pad,
    /// A plucked string by frequency modulation.
    Pluck,
    /// A small bell, likewise.
    Bell,
    Bass,
    Kick,
    Brush,
    Hat,
}

/// One note to be played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sounded {
    pub instrument: Instrument,
    /// MIDI number; drums do not care.
    pub pitch: f32,
    /// From 0 to 1.
    pub strength: f32,
    pub frames: u32,
    /// From -1 (left) to 1.
    pub pan: f32,
}

/// A note that sounds.
pub(super) struct Voice {
    instrument: Instrument,
    strength: f32,
    length: f32,
    sides: [f32; CHANNELS],
    increments: [f32; 3],
    phases: [f32; 3],
    filter: [f32; 2],
    noise: u32,
    age: u32,
    over: bool,
}

const RATE: f32 = SAMPLE_RATE as f32;

impl Voice {
    pub(super) fn new(note: Sounded) -> Voice {
        let step = |cents: f32| 440.0 * 2f32.powf((note.pitch - 69.0 + cents / 100.0) / 12.0) / RATE;
        let increments = match note.instrument {
            Instrument::Pad => [step(-7.0), step(0.0), step(8.0)],
            Instrument::Pluck => [step(0.0), step(0.0) * 2.0, 0.0],
            Instrument::Bell => [step(0.0), step(0.0) * 3.5, 0.0],
            Instrument::Bass => [step(0.0), step(0.0) * 2.0, 0.0],
            Instrument::Kick | Instrument::Brush | Instrument::Hat => [0.0; 3],
        };
        let angle = (note.pan + 1.0) * TAU / 16.0;
        Voice {
            instrument: note.instrument,
            strength: note.strength,
            length: note.frames as f32 / RATE,
            sides: [angle.cos(), angle.sin()],
            increments,
            phases: [0.0, 0.33, 0.71],
            filter: [0.0; 2],
            noise: 0x9e37_79b9 ^ (note.pitch.to_bits()).wrapping_mul(2_654_435_761),
            age: 0,
            over: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next frame, and how much of it goes into the room.
    pub(super) fn next(&mut self) -> ([f32; CHANNELS], f32) {
        let t = self.age as f32 / RATE;
        let (sound, room) = match self.instrument {
            Instrument::Pad => (self.pad(t), 0.5),
            Instrument::Pluck => (self.modulated(t, 2.2, 0.16, 0.5), 0.35),
            Instrument::Bell => (self.modulated(t, 1.6, 0.5, 1.3), 0.6),
            Instrument::Bass => (self.bass(t), 0.03),
            Instrument::Kick => (self.kick(t), 0.04),
            Instrument::Brush => (self.brush(t), 0.3),
            Instrument::Hat => (self.hat(t), 0.1),
        };
        self.age += 1;
        let sound = sound * self.strength;
        ([sound * self.sides[0], sound * self.sides[1]], sound * room)
    }

    fn turn(&mut self, oscillator: usize) -> f32 {
        let phase = self.phases[oscillator];
        self.phases[oscillator] = (phase + self.increments[oscillator]).fract();
        phase
    }

    fn pad(&mut self, t: f32) -> f32 {
        const ATTACK: f32 = 0.5;
        const RELEASE: f32 = 1.1;
        let raw: f32 = (0..3).map(|o| saw(self.increments[o], self.turn(o))).sum::<f32>() / 3.0;
        let cutoff = 520.0 + 380.0 * (t * 0.9 + self.phases[1]).sin().abs() + 600.0 * self.strength;
        let share = 1.0 - (-TAU * cutoff / RATE).exp();
        self.filter[0] += (raw - self.filter[0]) * share;
        self.filter[1] += (self.filter[0] - self.filter[1]) * share;
        let held = (t / ATTACK).min(1.0);
        let left = ((self.length + RELEASE - t) / RELEASE).clamp(0.0, 1.0);
        self.over = left == 0.0;
        self.filter[1] * held * held * left * left
    }

    /// Carrier and modulator; brightness and loudness die away, the former faster.
    fn modulated(&mut self, t: f32, index: f32, bright_s: f32, loud_s: f32) -> f32 {
        let modulator = (self.turn(1) * TAU).sin() * index * (-t / bright_s).exp();
        let loud = (-t / loud_s).exp() * (t / 0.003).min(1.0);
        self.over = t > 0.1 && loud < 1e-4;
        (self.turn(0) * TAU + modulator).sin() * loud
    }

    fn bass(&mut self, t: f32) -> f32 {
        let tone = (self.turn(0) * TAU).sin() + 0.35 * (self.turn(1) * TAU).sin() * (-t / 0.25).exp();
        let left = ((self.length - t) / 0.06).clamp(0.0, 1.0);
        self.over = left == 0.0;
        (tone * 1.3).tanh() * (t / 0.006).min(1.0) * left * (0.6 + 0.4 * (-t / 0.3).exp())
    }

    fn kick(&mut self, t: f32) -> f32 {
        let hertz = 46.0 + 110.0 * (-t / 0.028).exp();
        self.phases[0] = (self.phases[0] * f32::from(u8::from(self.age > 0)) + hertz / RATE).fract();
        let loud = (-t / 0.16).exp() * (t / 0.001).min(1.0);
        self.over = loud < 1e-4 && t > 0.1;
        (self.phases[0] * TAU).sin() * loud
    }

    fn brush(&mut self, t: f32) -> f32 {
        let noise = self.next_noise();
        self.filter[0] += (noise - self.filter[0]) * 0.35;
        self.filter[1] += (self.filter[0] - self.filter[1]) * 0.06;
        let body = (t * 187.0 * TAU).sin() * (-t / 0.05).exp() * 0.5;
        let loud = (-t / 0.11).exp() * (t / 0.004).min(1.0);
        self.over = loud < 1e-4 && t > 0.1;
        (self.filter[0] - self.filter[1]) * loud + body * (t / 0.001).min(1.0)
    }

    fn hat(&mut self, t: f32) -> f32 {
        let noise = self.next_noise();
        self.filter[0] += (noise - self.filter[0]) * 0.6;
        let loud = (-t / (0.02 + self.length * 0.2)).exp() * (t / 0.001).min(1.0);
        self.over = loud < 1e-4 && t > 0.05;
        (noise - self.filter[0]) * loud
    }

    fn next_noise(&mut self) -> f32 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 17;
        self.noise ^= self.noise << 5;
        self.noise as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

/// A saw whose step is rounded over two samples, so that it does not alias much.
fn saw(increment: f32, phase: f32) -> f32 {
    let naive = 2.0 * phase - 1.0;
    let round = if phase < increment {
        let x = phase / increment;
        2.0 * x - x * x - 1.0
    } else if phase > 1.0 - increment {
        let x = (phase - 1.0) / increment;
        x * x + 2.0 * x + 1.0
    } else {
        0.0
    };
    naive - round
}
