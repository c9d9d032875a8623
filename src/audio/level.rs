//! Meters: peak, RMS, loudness, spectrum, and how long there has been silence.

use std::sync::Arc;
use std::time::Duration;

use ebur128::{EbuR128, Mode};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::units::{CHANNELS, SAMPLE_RATE};

/// Bands of the spectrum, evenly spaced in pitch.
pub const BANDS: usize = 24;
/// Lower edge of the first band and upper edge of the last, in hertz.
pub const BAND_EDGES_HZ: (f64, f64) = (32.0, 16_000.0);
/// Below this a block counts as silence.
pub const SILENCE_DB: f32 = -60.0;

/// Short-term loudness is the mean energy of the last three seconds, here in parts of a tenth: summing all of it for each
/// reading would cost more than the rest of a meter.
const LOUDNESS_PARTS: usize = 30;
const PARTS_PER_SECOND: u32 = 10;
const PART_MS: u32 = 1_000 / PARTS_PER_SECOND;
/// Between the mean square of weighted sound in dB and its loudness in LUFS (ITU-R BS.1770).
const LOUDNESS_OFFSET: f64 = -0.691;

/// Frames in one transform: bins of 12 Hz at 48 kHz, so that the lowest bands differ.
const FFT_FRAMES: usize = 4_096;

/// Levels in dB below full scale; a full-scale sine has a peak and a band of 0 dB and an RMS of -3 dB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    pub peak_db: [f32; CHANNELS],
    pub rms_db: [f32; CHANNELS],
    /// Short-term loudness (3 s) in LUFS; minus infinity unless asked for.
    pub loudness: f32,
    /// Minus infinity unless asked for.
    pub bands: [f32; BANDS],
}

impl Default for Levels {
    fn default() -> Levels {
        Levels {
            peak_db: [f32::NEG_INFINITY; CHANNELS],
            rms_db: [f32::NEG_INFINITY; CHANNELS],
            loudness: f32::NEG_INFINITY,
            bands: [f32::NEG_INFINITY; BANDS],
        }
    }
}

/// What is asked of a meter; what is not asked costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Peak and RMS.
    Levels,
    /// Loudness as well.
    Loudness,
    /// And the bands of the spectrum.
    Spectrum,
}

/// Measures interleaved stereo at one rate.
pub struct Meter {
    rate_hz: u32,
    loudness: Option<Loudness>,
    peak: [f32; CHANNELS],
    squares: [f64; CHANNELS],
    frames: u64,
    spectrum: Option<Spectrum>,
}

impl Meter {
    /// A meter that has heard nothing.
    pub fn new(rate_hz: u32) -> Meter {
        Meter {
            rate_hz,
            loudness: None,
            peak: [0.0; CHANNELS],
            squares: [0.0; CHANNELS],
            frames: 0,
            spectrum: None,
        }
    }

    /// Takes sound in.
    pub fn push(&mut self, samples: &[f32]) {
        for frame in samples.chunks_exact(CHANNELS) {
            for (c, sample) in frame.iter().enumerate() {
                self.peak[c] = self.peak[c].max(sample.abs());
                self.squares[c] += f64::from(sample * sample);
            }
        }
        self.frames += (samples.len() / CHANNELS) as u64;
        if let Some(loudness) = &mut self.loudness {
            loudness.push(samples);
        }
        if let Some(spectrum) = &mut self.spectrum {
            spectrum.push(samples);
        }
    }

    /// Peak and RMS since the last reading and, if asked for, loudness and bands of the present: from the first reading that
    /// asks for them on.
    pub fn levels(&mut self, detail: Detail) -> Levels {
        if (detail >= Detail::Loudness) != self.loudness.is_some() {
            self.loudness = (detail >= Detail::Loudness)
                .then(|| Loudness::new(self.rate_hz))
                .flatten();
        }
        if (detail == Detail::Spectrum) != self.spectrum.is_some() {
            self.spectrum = (detail == Detail::Spectrum).then(|| Spectrum::new(self.rate_hz));
        }
        let frames = self.frames.max(1) as f64;
        let levels = Levels {
            peak_db: self.peak.map(db),
            rms_db: self.squares.map(|sum| db((sum / frames).sqrt() as f32)),
            loudness: self.loudness.as_ref().map_or(f32::NEG_INFINITY, Loudness::read),
            bands: self
                .spectrum
                .as_mut()
                .map_or([f32::NEG_INFINITY; BANDS], Spectrum::bands),
        };
        (self.peak, self.squares, self.frames) = ([0.0; CHANNELS], [0.0; CHANNELS], 0);
        levels
    }
}

/// Short-term loudness (EBU Tech 3341), a part at a time.
struct Loudness {
    filter: EbuR128,
    part_frames: usize,
    /// Frames until the part is whole.
    left: usize,
    /// Mean squares of the last parts, as a ring, and how many there have been.
    parts: [f64; LOUDNESS_PARTS],
    ended: usize,
}

impl Loudness {
    fn new(rate_hz: u32) -> Option<Loudness> {
        let part_frames = (rate_hz / PARTS_PER_SECOND) as usize;
        Some(Loudness {
            filter: EbuR128::new(CHANNELS as u32, rate_hz, Mode::M).ok()?,
            part_frames,
            left: part_frames,
            parts: [0.0; LOUDNESS_PARTS],
            ended: 0,
        })
    }

    fn push(&mut self, samples: &[f32]) {
        let mut rest = &samples[..samples.len() / CHANNELS * CHANNELS];
        while !rest.is_empty() {
            let (part, later) = rest.split_at(rest.len().min(self.left * CHANNELS));
            // It fails only for lengths that are no whole frames.
            let _ = self.filter.add_frames_f32(part);
            self.left -= part.len() / CHANNELS;
            rest = later;
            if self.left == 0 {
                self.left = self.part_frames;
                self.end_part();
            }
        }
    }

    fn end_part(&mut self) {
        let lufs = self.filter.loudness_window(PART_MS).unwrap_or(f64::NEG_INFINITY);
        self.parts[self.ended % LOUDNESS_PARTS] = 10f64.powf((lufs - LOUDNESS_OFFSET) / 10.0);
        self.ended += 1;
    }

    /// Before three seconds have passed, of those that have.
    fn read(&self) -> f32 {
        let mean = self.parts.iter().sum::<f64>() / self.ended.clamp(1, LOUDNESS_PARTS) as f64;
        (LOUDNESS_OFFSET + 10.0 * mean.log10()) as f32
    }
}

/// Tells how long a show has been silent; it takes 48 kHz.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilenceDetector {
    frames: u64,
}

impl SilenceDetector {
    /// Takes interleaved stereo in.
    pub fn push(&mut self, samples: &[f32]) {
        let loudest = samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
        self.frames = if db(loudest) > SILENCE_DB {
            0
        } else {
            self.frames + (samples.len() / CHANNELS) as u64
        };
    }

    /// For how long nothing has exceeded [`SILENCE_DB`].
    pub fn silent_for(&self) -> Duration {
        Duration::from_micros(self.frames * 1_000_000 / u64::from(SAMPLE_RATE))
    }
}

/// Amplitude as dB below full scale.
pub fn db(amplitude: f32) -> f32 {
    20.0 * amplitude.log10()
}

struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// The newest frames, both sides added, as a ring.
    ring: Vec<f32>,
    at: usize,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// First bin of each band and the end of the last.
    edges: [usize; BANDS + 1],
}

impl Spectrum {
    fn new(rate_hz: u32) -> Spectrum {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(FFT_FRAMES);
        let turn = std::f32::consts::TAU / FFT_FRAMES as f32;
        let (low, high) = BAND_EDGES_HZ;
        let edge = |band: usize| {
            let hz = low * (high / low).powf(band as f64 / BANDS as f64);
            ((hz / f64::from(rate_hz.max(1)) * FFT_FRAMES as f64).round() as usize).clamp(1, FFT_FRAMES / 2)
        };
        Spectrum {
            window: (0..FFT_FRAMES).map(|i| 0.5 - 0.5 * (turn * i as f32).cos()).collect(),
            ring: vec![0.0; FFT_FRAMES],
            at: 0,
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            edges: std::array::from_fn(edge),
            fft,
        }
    }

    fn push(&mut self, samples: &[f32]) {
        for frame in samples.chunks_exact(CHANNELS) {
            self.ring[self.at] = (frame[0] + frame[1]) * 0.5;
            self.at = (self.at + 1) % FFT_FRAMES;
        }
    }

    fn bands(&mut self) -> [f32; BANDS] {
        let oldest_first = self.ring[self.at..].iter().chain(&self.ring[..self.at]);
        for ((to, from), weight) in self.input.iter_mut().zip(oldest_first).zip(&self.window) {
            *to = from * weight;
        }
        if self
            .fft
            .process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch)
            .is_err()
        {
            return [f32::NEG_INFINITY; BANDS];
        }
        // A Hann window spreads a sine's power over 1.5 bins and halves its amplitude.
        let scale = 16.0 / (1.5 * (FFT_FRAMES * FFT_FRAMES) as f32);
        std::array::from_fn(|band| {
            let (from, to) = (self.edges[band], self.edges[band + 1].max(self.edges[band] + 1));
            let power: f32 = self.output[from..to].iter().map(Complex::norm_sqr).sum();
            10.0 * (power * scale).log10()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f32, amplitude: f32, seconds: f32) -> Vec<f32> {
        (0..(seconds * 48_000.0) as usize)
            .flat_map(|i| [amplitude * (i as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin(); CHANNELS])
            .collect()
    }

    #[test]
    fn a_sine_reads_as_the_standards_say() {
        let mut meter = Meter::new(48_000);
        meter.levels(Detail::Loudness);
        // EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS reads -23 LUFS.
        meter.push(&sine(1_000.0, 10f32.powf(-23.0 / 20.0), 5.0));
        let levels = meter.levels(Detail::Loudness);
        assert!((levels.loudness + 23.0).abs() < 0.1, "{}", levels.loudness);
        assert!((levels.peak_db[0] + 23.0).abs() < 0.05 && (levels.rms_db[1] + 26.01).abs() < 0.05);
        let silent = meter.levels(Detail::Levels);
        assert_eq!(
            (silent.peak_db, silent.loudness),
            ([f32::NEG_INFINITY; 2], f32::NEG_INFINITY)
        );
    }

    #[test]
    fn loudness_in_parts_is_that_of_the_whole() {
        for rate_hz in [44_100, 48_000] {
            let mut meter = Meter::new(rate_hz);
            meter.levels(Detail::Loudness);
            let mut whole = EbuR128::new(CHANNELS as u32, rate_hz, Mode::S).unwrap();
            // Sound that swells and fades, in blocks that no part is a multiple of.
            let sound = sine(440.0, 1.0, 5.0);
            let block = rate_hz as usize / 75 * CHANNELS;
            let (mut pushed, mut compared) = (0, 0);
            for (at, samples) in sound.chunks(block).enumerate() {
                let gain = 0.5 + 0.4 * (at as f32 / 9.0).sin();
                let samples: Vec<f32> = samples.iter().map(|sample| sample * gain).collect();
                meter.push(&samples);
                whole.add_frames_f32(&samples).unwrap();
                pushed += samples.len() / CHANNELS;
                if pushed % (rate_hz as usize / 10) == 0 {
                    let window = (pushed * 1_000 / rate_hz as usize).min(3_000) as u32;
                    let exact = whole.loudness_window(window).unwrap() as f32;
                    let read = meter.levels(Detail::Loudness).loudness;
                    assert!((read - exact).abs() < 0.01, "{read} for {exact} after {pushed} frames");
                    compared += 1;
                }
            }
            assert!(compared > 20);
        }
    }

    #[test]
    fn a_tone_lights_its_own_band() {
        let mut meter = Meter::new(48_000);
        meter.levels(Detail::Spectrum);
        for band in 0..BANDS {
            let hz = 32.0 * 500f32.powf((band as f32 + 0.5) / BANDS as f32);
            meter.push(&sine(hz, 0.5, 0.2));
            let bands = meter.levels(Detail::Spectrum).bands;
            let loudest = (0..BANDS).max_by(|a, b| bands[*a].total_cmp(&bands[*b])).unwrap();
            assert_eq!(loudest, band, "{hz} Hz: {bands:?}");
            assert!((bands[band] + 6.0).abs() < 3.0, "{hz} Hz: {}", bands[band]);
        }
    }

    #[test]
    fn silence_is_counted_until_a_sound() {
        let mut silence = SilenceDetector::default();
        silence.push(&vec![0.0005; 96_000]);
        assert_eq!(silence.silent_for(), Duration::from_secs(1));
        silence.push(&vec![0.0; 96_000]);
        assert_eq!(silence.silent_for(), Duration::from_secs(2));
        silence.push(&[0.1, 0.0]);
        assert_eq!(silence.silent_for(), Duration::ZERO);
    }
}
