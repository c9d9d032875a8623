//! A test tone that proves both channels.

use std::time::Duration;

use super::{Fill, Note, Source};
use crate::units::{CHANNELS, PACKET_FRAMES, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

/// 440 Hz on the left and 554.37 Hz on the right at -20 dB, with a soft start.
pub struct Tone {
    phases: [f64; CHANNELS],
    frame: u64,
    said: bool,
}

const HERTZ: [f64; CHANNELS] = [440.0, 554.365_262];
const AMPLITUDE: f64 = 0.1;

impl Tone {
    /// A tone that begins at nothing.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Tone {
        Tone {
            phases: [0.0; CHANNELS],
            frame: 0,
            said: false,
        }
    }
}

impl Source for Tone {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        for frame in out.chunks_exact_mut(CHANNELS) {
            let rise = (self.frame as f64 / 2_400.0).min(1.0);
            for c in 0..CHANNELS {
                frame[c] = ((self.phases[c] * std::f64::consts::TAU).sin() * AMPLITUDE * rise) as f32;
                self.phases[c] = (self.phases[c] + HERTZ[c] / f64::from(SAMPLE_RATE)).fract();
            }
            self.frame += 1;
        }
        Fill::Full
    }

    fn note(&mut self) -> Option<Note> {
        let first = !std::mem::replace(&mut self.said, true);
        first.then(|| Note::Title("Test tone, 440 Hz left, 554 Hz right".to_owned()))
    }

    fn position(&self) -> Duration {
        PACKET_TIME * (self.frame / PACKET_FRAMES as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_goes_on_without_a_seam() {
        let mut tone = Tone::new();
        let mut left = Vec::new();
        let mut block = [0.0; PACKET_SAMPLES];
        for _ in 0..50 {
            assert_eq!(tone.fill(&mut block), Fill::Full);
            left.extend(block.iter().step_by(CHANNELS).copied());
        }
        let step = left.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.1 * 440.0 / 48_000.0 * 6.4, "{step}");
        let ups = left.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        assert!((438..=440).contains(&ups), "{ups}");
    }
}
