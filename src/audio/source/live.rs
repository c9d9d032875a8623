//! A capture device, through the ring that its callback fills.

use std::time::Duration;

use super::{Fill, Note, Source};
use crate::audio::resample::{Quality, Resampler};
use crate::units::{CHANNELS, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

/// Sound that the ring may hold before the oldest of it is given up: a machine that slept must not lag for ever.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// Interleaved samples at the device's own rate and channel count.
pub struct Live {
    ring: rtrb::Consumer<f32>,
    rate_hz: u32,
    channels: usize,
    resampler: Resampler,
    stereo: Vec<f32>,
    ready: Vec<f32>,
    blocks: u32,
}

impl Live {
    /// Reads what a callback pushes in whole frames of `channels`: one goes to both sides, of more the first two are taken.
    pub fn new(ring: rtrb::Consumer<f32>, rate_hz: u32, channels: usize) -> Live {
        Live {
            ring,
            rate_hz,
            channels: channels.max(1),
            resampler: Resampler::new(rate_hz, SAMPLE_RATE, Quality::Studio),
            stereo: Vec::new(),
            ready: Vec::new(),
            blocks: 0,
        }
    }

    fn drain(&mut self) {
        let frames = self.ring.slots() / self.channels;
        let most = (BEHIND_MAX.as_secs_f64() * f64::from(self.rate_hz)) as usize;
        let stale = if frames > most { frames - most / 2 } else { 0 };
        let Ok(chunk) = self.ring.read_chunk(frames * self.channels) else {
            return;
        };
        let (a, b) = chunk.as_slices();
        let mut samples = a.iter().chain(b).copied().skip(stale * self.channels);
        self.stereo.clear();
        while let Some(left) = samples.next() {
            let right = if self.channels > 1 {
                samples.next().unwrap_or(left)
            } else {
                left
            };
            self.stereo.extend([left, right]);
            for _ in 2..self.channels {
                samples.next();
            }
        }
        chunk.commit_all();
        self.resampler.push(&self.stereo, &mut self.ready);
    }
}

impl Source for Live {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        self.drain();
        if self.ready.len() >= PACKET_SAMPLES {
            out.copy_from_slice(&self.ready[..PACKET_SAMPLES]);
            self.ready.drain(..PACKET_SAMPLES);
            self.blocks += 1;
            return Fill::Full;
        }
        if !self.ring.is_abandoned() || self.ring.slots() >= self.channels {
            return Fill::Starved;
        }
        // The device is gone: what is left, fading, and then silence.
        let left = self.ready.len();
        out.fill(0.0);
        for (i, (to, from)) in out.iter_mut().zip(self.ready.drain(..)).enumerate() {
            *to = from * (1.0 - (i / CHANNELS * CHANNELS) as f32 / left as f32);
        }
        Fill::Ended
    }

    fn note(&mut self) -> Option<Note> {
        None
    }

    fn position(&self) -> Duration {
        PACKET_TIME * self.blocks
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mono_microphone_at_its_own_rate_fills_both_sides() {
        let (mut producer, consumer) = rtrb::RingBuffer::new(48_000);
        let mut live = Live::new(consumer, 44_100, 1);
        let mut block = [0.0; PACKET_SAMPLES];
        assert_eq!(live.fill(&mut block), Fill::Starved);
        let mut heard = Vec::new();
        for i in 0..44_100u32 {
            producer
                .push((i as f32 / 44_100.0 * 500.0 * std::f32::consts::TAU).sin())
                .unwrap();
            if i % 441 == 0 {
                while live.fill(&mut block) == Fill::Full {
                    heard.extend(block);
                }
            }
        }
        assert!(heard.len() / CHANNELS > 46_000, "{}", heard.len());
        assert!(heard.chunks_exact(2).all(|f| f[0] == f[1]));
        let ups = heard.chunks_exact(2).map(|f| f[0]).collect::<Vec<_>>();
        let ups = ups.windows(2).filter(|w: &&[f32]| w[0] < 0.0 && w[1] >= 0.0).count();
        let seconds = heard.len() as f64 / 2.0 / 48_000.0;
        assert!((ups as f64 / seconds - 500.0).abs() < 2.0, "{ups} in {seconds}");
        drop(producer);
        while live.fill(&mut block) == Fill::Full {}
        assert_eq!(live.fill(&mut block), Fill::Ended);
    }

    #[test]
    fn what_piled_up_while_nobody_read_is_given_up() {
        let (mut producer, consumer) = rtrb::RingBuffer::new(200_000);
        let mut live = Live::new(consumer, 48_000, 2);
        (0..192_000).for_each(|_| producer.push(0.1).unwrap());
        let mut block = [0.0; PACKET_SAMPLES];
        let blocks = std::iter::repeat_with(|| live.fill(&mut block))
            .take_while(|fill| *fill == Fill::Full)
            .count();
        assert!((10..=13).contains(&blocks), "{blocks}");
    }
}
