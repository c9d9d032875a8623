//! A small room: four combs and two all-passes a side, after Schroeder.

use crate::units::CHANNELS;

/// Lengths in frames at 48 kHz, without common factors; the right side is a little longer.
const COMBS: [usize; 4] = [1_687, 1_601, 2_053, 2_251];
const ALL_PASSES: [usize; 2] = [347, 113];
const SPREAD: usize = 37;
const FEEDBACK: f32 = 0.82;
/// Share of the high notes that each echo loses.
const DAMPING: f32 = 0.35;

pub(super) struct Reverb {
    sides: [Side; CHANNELS],
}

struct Side {
    combs: [Delay; 4],
    dull: [f32; 4],
    all_passes: [Delay; 2],
}

struct Delay {
    ring: Vec<f32>,
    at: usize,
}

impl Reverb {
    pub(super) fn new() -> Reverb {
        let side = |extra: usize| Side {
            combs: COMBS.map(|n| Delay::new(n + extra)),
            dull: [0.0; 4],
            all_passes: ALL_PASSES.map(|n| Delay::new(n + extra)),
        };
        Reverb {
            sides: [side(0), side(SPREAD)],
        }
    }

    pub(super) fn next(&mut self, input: f32) -> [f32; CHANNELS] {
        std::array::from_fn(|c| self.sides[c].next(input))
    }
}

impl Side {
    fn next(&mut self, input: f32) -> f32 {
        let mut sum = 0.0;
        for (comb, dull) in self.combs.iter_mut().zip(&mut self.dull) {
            let out = comb.oldest();
            *dull = out + (*dull - out) * DAMPING;
            comb.push(input + *dull * FEEDBACK);
            sum += out;
        }
        self.all_passes.iter_mut().fold(sum * 0.25, |x, delay| {
            let out = delay.oldest();
            delay.push(x + out * 0.5);
            out - x * 0.5
        })
    }
}

impl Delay {
    fn new(frames: usize) -> Delay {
        Delay {
            ring: vec![0.0; frames],
            at: 0,
        }
    }

    fn oldest(&self) -> f32 {
        self.ring[self.at]
    }

    fn push(&mut self, x: f32) {
        // Far below hearing, and slow to compute with.
        self.ring[self.at] = if x.abs() < 1e-15 { 0.0 } else { x };
        self.at = (self.at + 1) % self.ring.len();
    }
}
