//! One resampler for everything: files, microphones and the drift of clocks. A windowed sinc of which the fractional part of
//! the position picks the phase, so that the ratio may change at every frame and the position stays exact.

use crate::units::CHANNELS;

/// Phases between two input frames; values between two phases are interpolated linearly, which leaves errors below -85 dB.
/// The whole table of a listener's filter then stays in the first cache of a core.
const PHASES: usize = 128;
/// Kaiser window for about 96 dB of stop band.
const KAISER_BETA: f64 = 9.6;
/// The longest filter, for ratios that are far from any sound card's.
const TAPS_MAX: usize = 1_024;

/// How much is spent on the edge of the band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Flat to 19 kHz at 48 kHz: for the listener's drift correction, which runs all day.
    Live,
    /// Flat to 20 kHz at 44.1 kHz: for files and capture.
    Studio,
}

/// A table of filter phases for one pair of rates.
pub struct Sinc {
    taps: usize,
    /// `PHASES + 1` rows of `taps`.
    table: Vec<f32>,
}

impl Sinc {
    /// A filter that reads at `from_hz` and writes at about `to_hz`; both are clamped to 1 kHz to 1 MHz.
    pub fn new(from_hz: u32, to_hz: u32, quality: Quality) -> Sinc {
        let (from, to) = (
            f64::from(from_hz.clamp(1_000, 1_000_000)),
            f64::from(to_hz.clamp(1_000, 1_000_000)),
        );
        let (base, edge) = match quality {
            Quality::Live => (48, 0.472),
            Quality::Studio => (96, 0.482),
        };
        let narrow = (to / from).min(1.0);
        let taps = (((f64::from(base) / narrow) as usize).next_multiple_of(8)).min(TAPS_MAX);
        let cutoff = edge * narrow;
        let half = taps as f64 / 2.0;
        let mut table = Vec::with_capacity((PHASES + 1) * taps);
        for phase in 0..=PHASES {
            let shift = phase as f64 / PHASES as f64;
            let row = table.len();
            for tap in 0..taps {
                let x = tap as f64 - (half - 1.0) - shift;
                table.push((sinc(2.0 * cutoff * x) * kaiser(x / half)) as f32);
            }
            let sum: f32 = table[row..].iter().sum();
            table[row..].iter_mut().for_each(|tap| *tap /= sum);
        }
        Sinc { taps, table }
    }

    /// Input frames that a frame at position `p` needs before `p`'s whole part.
    pub fn before(&self) -> usize {
        self.taps / 2 - 1
    }

    /// Input frames that it needs after it.
    pub fn after(&self) -> usize {
        self.taps / 2
    }

    /// The stereo frame at `first + before + fraction`, where `window` holds interleaved frames from `first` on.
    pub fn frame(&self, window: &[f32], fraction: f64) -> [f32; CHANNELS] {
        let scaled = fraction * PHASES as f64;
        let phase = (scaled as usize).min(PHASES - 1);
        let mix = (scaled - phase as f64) as f32;
        let a = &self.table[phase * self.taps..(phase + 1) * self.taps];
        let b = &self.table[(phase + 1) * self.taps..(phase + 2) * self.taps];
        let window = &window[..self.taps * CHANNELS];
        // Four taps at a time in separate sums, which the compiler turns into vector instructions.
        let mut sums = [0f32; 4 * CHANNELS];
        for ((x, a), b) in window
            .chunks_exact(4 * CHANNELS)
            .zip(a.chunks_exact(4))
            .zip(b.chunks_exact(4))
        {
            for i in 0..4 {
                let tap = a[i] + (b[i] - a[i]) * mix;
                sums[i * CHANNELS] += x[i * CHANNELS] * tap;
                sums[i * CHANNELS + 1] += x[i * CHANNELS + 1] * tap;
            }
        }
        [
            sums[0] + sums[2] + sums[4] + sums[6],
            sums[1] + sums[3] + sums[5] + sums[7],
        ]
    }
}

/// Interleaved stereo from one fixed rate to another, without delay: the first frame out is the first frame in.
pub struct Resampler {
    sinc: Option<Sinc>,
    step: f64,
    /// Interleaved input from [`Sinc::before`] frames ahead of the next position's whole part.
    pending: Vec<f32>,
    fraction: f64,
}

impl Resampler {
    /// From `from_hz` to `to_hz`; equal rates pass the sound through untouched.
    pub fn new(from_hz: u32, to_hz: u32, quality: Quality) -> Resampler {
        let sinc = (from_hz != to_hz).then(|| Sinc::new(from_hz, to_hz, quality));
        let lead = sinc.as_ref().map_or(0, Sinc::before);
        Resampler {
            sinc,
            step: f64::from(from_hz.max(1)) / f64::from(to_hz.max(1)),
            pending: vec![0.0; lead * CHANNELS],
            fraction: 0.0,
        }
    }

    /// Takes interleaved stereo in and appends what can be made of it.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) {
        let Some(sinc) = &self.sinc else {
            out.extend_from_slice(input);
            return;
        };
        self.pending.extend_from_slice(input);
        let taps = sinc.before() + sinc.after() + 1;
        let frames = self.pending.len() / CHANNELS;
        let mut position = self.fraction;
        while position as usize + taps <= frames {
            let whole = position as usize;
            out.extend(sinc.frame(&self.pending[whole * CHANNELS..], position - whole as f64));
            position += self.step;
        }
        let used = (position as usize).min(frames);
        self.pending.drain(..used * CHANNELS);
        self.fraction = position - used as f64;
    }

    /// Appends the frames that still wait for a future that will not come.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(sinc) = &self.sinc {
            let silence = vec![0.0; sinc.after() * CHANNELS];
            self.push(&silence, out);
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        1.0
    } else {
        (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
    }
}

fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        0.0
    } else {
        bessel_i0(KAISER_BETA * (1.0 - x * x).sqrt()) / bessel_i0(KAISER_BETA)
    }
}

/// The modified Bessel function of order zero by its power series, which converges quickly for the small arguments here.
fn bessel_i0(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    for k in 1..60 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64, frames: usize) -> Vec<f32> {
        let sample = |i: usize| (i as f64 / f64::from(rate) * hz * std::f64::consts::TAU).sin() as f32 * 0.5;
        (0..frames).flat_map(|i| [sample(i), -sample(i)]).collect()
    }

    fn resample(from: u32, to: u32, hz: f64, quality: Quality) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to, quality);
        let mut out = Vec::new();
        for block in tone(from, hz, from as usize / 2).chunks(2 * 777) {
            resampler.push(block, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    /// Worst difference in the middle of the sound, in dB below full scale.
    fn error_db(from: u32, to: u32, hz: f64, quality: Quality) -> f32 {
        let out = resample(from, to, hz, quality);
        let expected = tone(to, hz, out.len() / 2);
        let range = 2_000..out.len() - 2_000;
        let worst = range.map(|i| (out[i] - expected[i]).abs()).fold(0.0, f32::max);
        20.0 * worst.max(1e-9).log10()
    }

    #[test]
    fn a_tone_comes_out_where_and_as_loud_as_it_went_in() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (96_000, 48_000),
            (22_050, 48_000),
            (8_000, 48_000),
            (47_990, 48_000),
        ] {
            for quality in [Quality::Live, Quality::Studio] {
                let error = error_db(from, to, 1_000.0, quality);
                assert!(error < -80.0, "{from} to {to} {quality:?}: {error} dB");
            }
        }
        assert!(error_db(44_100, 48_000, 19_000.0, Quality::Studio) < -70.0);
    }

    #[test]
    fn what_would_fold_back_is_silenced() {
        let out = resample(96_000, 48_000, 30_000.0, Quality::Studio);
        let worst = out[4_000..out.len() - 4_000].iter().fold(0f32, |m, s| m.max(s.abs()));
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn no_frame_is_lost_or_invented() {
        for (from, to) in [(44_100, 48_000), (48_000, 48_000), (11_025, 48_000), (192_000, 48_000)] {
            let frames = resample(from, to, 100.0, Quality::Studio).len() / 2;
            assert!(frames.abs_diff(24_000) <= 4, "{from}: {frames}");
        }
    }
}
