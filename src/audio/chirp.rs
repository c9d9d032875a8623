//! A signal that tells its own time, and the ear that reads it: proof that sound arrived whole, once, in tune and as loud.
//!
//! Left is a steady 1 kHz, of which the phase tells the time modulo a millisecond; right sweeps from 2 to 7 kHz in 5 s, so that
//! its frequency says which millisecond. Together they date every block of received sound to a fraction of a sample, through
//! any codec and at any speed.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

use crate::units::{CHANNELS, SAMPLE_RATE};

/// Amplitude of either side.
pub const AMPLITUDE: f64 = 0.25;
/// Seconds after which the sweep starts again.
pub const PERIOD_SECONDS: f64 = 5.0;

const LEFT_HZ: f64 = 1_000.0;
const RIGHT_FROM_HZ: f64 = 2_000.0;
const RIGHT_HZ_A_SECOND: f64 = 1_000.0;
/// Frames in one measured block, and between two of them.
const BLOCK: usize = 4_096;
const HOP: usize = 1_024;
/// Hops that a break may cost: the blocks over it, their neighbours that are not trusted, and what a codec smears. The seam of
/// the sweep costs the same.
const BREAK_HOPS: usize = BLOCK / HOP + 10;
/// Left out at the start, as a part of a second: an Opus decoder that begins within a stream takes 80 ms to be exact (RFC 7845,
/// section 4.6). At the end: a fade.
const START_PARTS: usize = 10;
const END_PARTS: usize = 50;
/// Frames over which silence is looked for: five periods of the left side.
const QUIET_BLOCK: usize = 240;

/// The frame of the signal at `index` frames of 48 kHz after its start.
pub fn frame(index: u64) -> [f32; CHANNELS] {
    let period = (PERIOD_SECONDS * f64::from(SAMPLE_RATE)) as u64;
    let t = (index % period) as f64 / f64::from(SAMPLE_RATE);
    // Both sides pass a whole number of waves in a period, so that it joins itself.
    let right = RIGHT_FROM_HZ * t + RIGHT_HZ_A_SECOND * t * t / 2.0;
    [(LEFT_HZ * t).fract(), right.fract()].map(|turns| ((turns * TAU).sin() * AMPLITUDE) as f32)
}

/// Interleaved stereo from `start` on.
pub fn samples(start: u64, frames: usize) -> Vec<f32> {
    (start..start + frames as u64).flat_map(frame).collect()
}

/// A place where received time does not go on as it should.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jump {
    /// Received frame before which it was noticed; it lies at most 200 ms earlier.
    pub at: usize,
    /// Frames of 48 kHz left out (positive) or heard again (negative).
    pub frames: f64,
}

/// When a moment of the signal was received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dated {
    /// Received frame.
    pub at: usize,
    /// Frame of the signal, at 48 kHz, modulo the period only at the first one.
    pub source: f64,
    /// Speed against the signal's own.
    pub speed: f64,
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// First and last received frame with sound, and silent frames between them.
    pub first: usize,
    pub last: usize,
    pub silent: usize,
    /// Time that is missing or came twice.
    pub jumps: Vec<Jump>,
    /// Received frames at which the wave breaks.
    pub clicks: Vec<usize>,
    /// Blocks that could not be dated and that no single break explains: sound that is not the signal.
    pub strange: usize,
    pub dated: Vec<Dated>,
    /// Lowest and highest speed of any dated block, 1 being right.
    pub speed: (f64, f64),
    /// Lowest and highest level of the left side against what was sent, in dB, over dated blocks.
    pub level_db: (f64, f64),
}

impl Findings {
    /// Whether nothing is missing, repeated, broken or strange between the first and the last sound.
    pub fn is_whole(&self) -> bool {
        self.dated.len() > 1 && self.silent == 0 && self.jumps.is_empty() && self.clicks.is_empty() && self.strange == 0
    }
}

/// Examines interleaved stereo that was received at `rate_hz`. The first 100 ms and the last 20 ms, where the decoder settles
/// and fades are, are not looked at.
pub fn examine(received: &[f32], rate_hz: u32) -> Findings {
    let mut findings = Findings {
        speed: (f64::MAX, f64::MIN),
        level_db: (f64::MAX, f64::MIN),
        ..Findings::default()
    };
    let left: Vec<f32> = received.iter().step_by(CHANNELS).copied().collect();
    let right: Vec<f32> = received.iter().skip(1).step_by(CHANNELS).copied().collect();
    let audible = |sample: &f32| sample.abs() > 0.003;
    let (Some(first), Some(last)) = (left.iter().position(audible), left.iter().rposition(audible)) else {
        return findings;
    };
    (findings.first, findings.last) = (first, last);
    let (from, to) = (
        first + rate_hz as usize / START_PARTS,
        last.saturating_sub(rate_hz as usize / END_PARTS),
    );
    if to < from + 2 * BLOCK {
        return findings;
    }
    let quiet = |block: &&[f32]| block.iter().all(|s| s.abs() < 0.02);
    findings.silent = left[from..to].chunks_exact(QUIET_BLOCK).filter(quiet).count() * QUIET_BLOCK;
    findings.clicks = clicks(&left[from..to], rate_hz)
        .into_iter()
        .map(|at| at + from)
        .collect();
    let mut ear = Ear::new(rate_hz);
    let looks: Vec<_> = (from..to - BLOCK)
        .step_by(HOP)
        .map(|at| ear.look(&left[at..at + BLOCK], &right[at..at + BLOCK], at + BLOCK / 2))
        .collect();
    let dates: Vec<_> = (0..looks.len()).map(|i| date(&looks, i)).collect();
    follow(&dates, rate_hz, &mut findings);
    findings
}

/// Goes through the dates, leaves out those of blocks that straddle a break, and measures what each break left out.
fn follow(dates: &[Option<(Dated, f64)>], rate_hz: u32, findings: &mut Findings) {
    let steady: Vec<bool> = dates
        .windows(2)
        .map(|pair| is_steady(pair[0], pair[1], rate_hz))
        .collect();
    let mut before: Option<Dated> = None;
    for (i, date) in dates.iter().enumerate() {
        // A block counts when it agrees with two neighbours on either side: a block and its neighbours overlap.
        let around = i.saturating_sub(2)..(i + 2).min(steady.len());
        let Some((dated, level_db)) = date.filter(|_| steady[around].iter().all(|s| *s)) else {
            continue;
        };
        let dated = before.map_or(dated, |before| unwrap(dated, &before, rate_hz));
        if let Some(before) = before {
            findings.jumps.extend(jump(&before, &dated, rate_hz));
            let most = dated.at - before.at;
            findings.strange += (most / HOP).saturating_sub(BREAK_HOPS);
        }
        findings.speed = (findings.speed.0.min(dated.speed), findings.speed.1.max(dated.speed));
        findings.level_db = (findings.level_db.0.min(level_db), findings.level_db.1.max(level_db));
        findings.dated.push(dated);
        before = Some(dated);
    }
}

fn is_steady(a: Option<(Dated, f64)>, b: Option<(Dated, f64)>, rate_hz: u32) -> bool {
    let (Some((a, _)), Some((b, _))) = (a, b) else {
        return false;
    };
    let b = unwrap(b, &a, rate_hz);
    lost_between(&a, &b, rate_hz).abs() < 0.8
}

fn frames_at_48k(at: usize, rate_hz: u32) -> f64 {
    at as f64 * f64::from(SAMPLE_RATE) / f64::from(rate_hz)
}

/// Moves a date by whole periods to the one next after the block before it.
fn unwrap(mut dated: Dated, before: &Dated, rate_hz: u32) -> Dated {
    let period = PERIOD_SECONDS * f64::from(SAMPLE_RATE);
    let expected = before.source + frames_at_48k(dated.at - before.at, rate_hz) * before.speed;
    dated.source += ((expected - dated.source) / period).round() * period;
    dated
}

fn lost_between(before: &Dated, after: &Dated, rate_hz: u32) -> f64 {
    let passed = frames_at_48k(after.at - before.at, rate_hz) * (before.speed + after.speed) / 2.0;
    after.source - before.source - passed
}

fn jump(before: &Dated, dated: &Dated, rate_hz: u32) -> Option<Jump> {
    let frames = lost_between(before, dated, rate_hz);
    (frames.abs() > 2.0).then_some(Jump { at: dated.at, frames })
}

/// Places where the left side bends more sharply than its wave can.
fn clicks(left: &[f32], rate_hz: u32) -> Vec<usize> {
    let turn = TAU * LEFT_HZ * 1.01 / f64::from(rate_hz);
    // A steady wave obeys x[n+1] = 2 cos(turn) x[n] - x[n-1]; what is left over is noise or a break.
    let k = 2.0 * turn.cos();
    let limit = 0.12 * AMPLITUDE;
    let broken = |w: &[f32]| (f64::from(w[2]) - k * f64::from(w[1]) + f64::from(w[0])).abs() > limit;
    let mut found: Vec<usize> = Vec::new();
    for (at, w) in left.windows(3).enumerate() {
        if broken(w) && found.last().is_none_or(|last| at > last + 48) {
            found.push(at);
        }
    }
    found
}

/// The date of a block's middle and its level, unless it is not the signal.
fn date(looks: &[Look], i: usize) -> Option<(Dated, f64)> {
    let look = &looks[i];
    // Speed changes slowly; the middle of nine looks is less noisy than one, and a break spoils only some of them.
    let mut near: Vec<f64> = looks[i.saturating_sub(4)..(i + 5).min(looks.len())]
        .iter()
        .map(|l| l.left_hz)
        .collect();
    near.sort_by(f64::total_cmp);
    let speed = near[near.len() / 2] / LEFT_HZ;
    let coarse = (look.right_hz / speed - RIGHT_FROM_HZ) / RIGHT_HZ_A_SECOND;
    let possible = (speed - 1.0).abs() < 0.02 && (look.left_hz / LEFT_HZ - speed).abs() < 0.001;
    if !possible || !(0.0..=PERIOD_SECONDS).contains(&coarse) || !(-30.0..=6.0).contains(&look.level_db) {
        return None;
    }
    // The wave began as a sine, whose phase lags that of the cosine which was projected on.
    let fine = (look.phase / TAU + 0.25).rem_euclid(1.0) / LEFT_HZ;
    let whole = ((coarse - fine) * LEFT_HZ).round() / LEFT_HZ;
    let source = (whole + fine) * f64::from(SAMPLE_RATE);
    Some((
        Dated {
            at: look.at,
            source,
            speed,
        },
        look.level_db,
    ))
}

/// What one block looks like by itself.
struct Look {
    at: usize,
    left_hz: f64,
    right_hz: f64,
    phase: f64,
    level_db: f64,
}

/// Measures blocks.
struct Ear {
    rate: f64,
    window: Vec<f64>,
    half_window: Vec<f64>,
    fft: std::sync::Arc<dyn realfft::RealToComplex<f64>>,
}

impl Ear {
    fn new(rate_hz: u32) -> Ear {
        let hann = |n: usize| -> Vec<f64> {
            (0..n)
                .map(|i| 0.5 - 0.5 * (TAU * (i as f64 + 0.5) / n as f64).cos())
                .collect()
        };
        Ear {
            rate: f64::from(rate_hz),
            window: hann(BLOCK),
            half_window: hann(BLOCK / 2),
            fft: RealFftPlanner::<f64>::new().plan_fft_forward(BLOCK),
        }
    }

    fn look(&mut self, left: &[f32], right: &[f32], at: usize) -> Look {
        let left_hz = self.refine(left, LEFT_HZ);
        let (phase, level) = project(left, &self.window, left_hz, self.rate);
        let right_hz = self.loudest(right).map_or(0.0, |guess| self.refine(right, guess));
        Look {
            at,
            left_hz,
            right_hz,
            phase,
            level_db: 20.0 * (level / AMPLITUDE).log10(),
        }
    }

    /// Frequency of a tone near `guess_hz`: from how its phase turns between the two halves of the block.
    fn refine(&self, block: &[f32], guess_hz: f64) -> f64 {
        // Off its frequency a projection is bent by what leaks in; the second look is straight.
        self.refine_once(block, self.refine_once(block, guess_hz))
    }

    fn refine_once(&self, block: &[f32], guess_hz: f64) -> f64 {
        let half = block.len() / 2;
        let (early, _) = project(&block[..half], &self.half_window, guess_hz, self.rate);
        let (late, _) = project(&block[half..], &self.half_window, guess_hz, self.rate);
        let turned = late - early - TAU * guess_hz * half as f64 / self.rate;
        let turned = turned - (turned / TAU).round() * TAU;
        guess_hz + turned / TAU * self.rate / half as f64
    }

    /// Rough frequency of the loudest tone above 1.5 kHz.
    fn loudest(&self, block: &[f32]) -> Option<f64> {
        let mut input: Vec<f64> = block.iter().zip(&self.window).map(|(s, w)| f64::from(*s) * w).collect();
        let mut output = self.fft.make_output_vec();
        self.fft.process(&mut input, &mut output).ok()?;
        let power: Vec<f64> = output.iter().map(|bin| bin.norm()).collect();
        let lowest = (1_500.0 / self.rate * BLOCK as f64) as usize;
        let peak = (lowest..power.len() - 1).max_by(|a, b| power[*a].total_cmp(&power[*b]))?;
        let (a, b, c) = (power[peak - 1], power[peak], power[peak + 1]);
        if b < 1e-3 {
            return None;
        }
        let shift = (a - c) / (2.0 * (a - 2.0 * b + c)).min(-1e-12);
        Some((peak as f64 + shift) * self.rate / BLOCK as f64)
    }
}

/// Phase at the middle of a block and amplitude of its part at `hz`.
fn project(block: &[f32], window: &[f64], hz: f64, rate: f64) -> (f64, f64) {
    let middle = block.len() as f64 / 2.0;
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (i, (sample, weight)) in block.iter().zip(window).enumerate() {
        let (sin, cos) = (TAU * hz * (i as f64 - middle) / rate).sin_cos();
        re += f64::from(*sample) * weight * cos;
        im -= f64::from(*sample) * weight * sin;
        sum += weight;
    }
    (im.atan2(re), 2.0 * re.hypot(im) / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: f64) -> usize {
        (n * f64::from(SAMPLE_RATE)) as usize
    }

    #[test]
    fn an_untouched_signal_is_whole_and_dated_to_a_fraction_of_a_sample() {
        let findings = examine(&samples(seconds(10.0) as u64, seconds(5.0)), SAMPLE_RATE);
        assert!(
            findings.is_whole(),
            "{:?} {} {:?}",
            findings.jumps,
            findings.strange,
            findings.clicks
        );
        for dated in &findings.dated {
            // The signal began ten seconds in, which is two whole periods.
            assert!((dated.source - dated.at as f64).abs() < 0.05, "{dated:?}");
        }
        assert!(findings.level_db.0 > -0.01 && findings.level_db.1 < 0.01);
    }

    #[test]
    fn missing_and_repeated_time_is_measured() {
        for (skip, again) in [(960, 0), (7, 0), (0, 960), (0, 1_000), (48, 0)] {
            let mut sound = samples(0, seconds(2.0));
            sound.extend(samples((seconds(2.0) + skip - again) as u64, seconds(2.0)));
            let findings = examine(&sound, SAMPLE_RATE);
            let total: f64 = findings.jumps.iter().map(|jump| jump.frames).sum();
            let expected = skip as f64 - again as f64;
            assert!((total - expected).abs() < 0.5, "{skip} {again}: {:?}", findings.jumps);
            assert!(!findings.is_whole());
        }
    }

    #[test]
    fn silence_and_clicks_are_found() {
        let mut sound = samples(0, seconds(3.0));
        sound[seconds(1.0) * 2..seconds(1.02) * 2].fill(0.0);
        let findings = examine(&sound, SAMPLE_RATE);
        assert!((720..=960).contains(&findings.silent), "{}", findings.silent);
        let mut sound = samples(0, seconds(3.0));
        sound[seconds(1.5) * 2] += 0.1;
        assert_eq!(examine(&sound, SAMPLE_RATE).clicks.len(), 1);
    }

    #[test]
    fn speed_and_level_are_measured() {
        let slow: Vec<f32> = {
            let sinc = crate::audio::resample::Sinc::new(48_000, 48_000, crate::audio::resample::Quality::Studio);
            let input = samples(0, seconds(4.0));
            (0..seconds(3.0))
                .flat_map(|i| {
                    let position = i as f64 * 0.997;
                    sinc.frame(&input[position as usize * CHANNELS..], position.fract())
                })
                .map(|sample| sample * 0.5f32.sqrt())
                .collect()
        };
        let findings = examine(&slow, SAMPLE_RATE);
        assert!(findings.jumps.is_empty() && findings.strange == 0);
        assert!((findings.speed.0 - 0.997).abs() < 5e-5 && (findings.speed.1 - 0.997).abs() < 5e-5);
        assert!((findings.level_db.0 + 3.01).abs() < 0.05, "{:?}", findings.level_db);
    }
}
