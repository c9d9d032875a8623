//! The ring between a sound thread and a device's callback, and what both count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::units::CHANNELS;

/// What a ring can hold: more than anybody keeps in it, so that a slow start of the callback loses nothing.
const CAPACITY: Duration = Duration::from_millis(500);

/// How long sound takes to come up after silence: 5 ms at 48 kHz.
const RISE_FRAMES: u32 = 240;

/// How late a call may come after the sound that was given before has been played.
const LATE: Duration = Duration::from_millis(10);
/// Most that a device is taken to hold beyond what it says: two of its periods.
const HELD_MAX: Duration = Duration::from_millis(80);

/// Numbers that the callback writes and others read.
#[derive(Default)]
pub(super) struct Meter {
    /// Frames that the device asked for.
    pub asked_frames: AtomicU64,
    /// Times that the ring ran empty while sound was expected, or the device did.
    pub underruns: AtomicU64,
    /// The system said that the device ran empty, and nobody counted it yet.
    pub ran_dry: AtomicBool,
    /// Silent frames put in its place.
    pub missing_frames: AtomicU64,
    /// From the callback to the ear, as the device tells it.
    pub device_latency_us: AtomicU64,
    /// Set by the sound thread with its first frames, taken back when it rests.
    expecting: AtomicBool,
    /// Not zero: fade to silence over this many frames.
    fade_frames: AtomicU32,
    faded: AtomicBool,
}

impl Meter {
    /// Asks the callback to fade out.
    pub fn fade(&self, frames: u32) {
        self.fade_frames.store(frames.max(1), Relaxed);
    }

    pub fn has_faded(&self) -> bool {
        self.faded.load(Relaxed)
    }
}

/// A duration in frames at a rate.
pub(super) fn frames_in(time: Duration, rate: u32) -> usize {
    (time.as_secs_f64() * f64::from(rate)).round() as usize
}

/// A duration from frames at a rate.
pub(super) fn time_of(frames: usize, rate: u32) -> Duration {
    Duration::from_secs_f64(frames as f64 / f64::from(rate.max(1)))
}

/// A ring for `rate`, and the meter of its callback.
pub(super) fn ring(rate: u32) -> (Feed, Pull) {
    let (producer, consumer) = RingBuffer::new(frames_in(CAPACITY, rate) * CHANNELS);
    let meter = Arc::new(Meter::default());
    let feed = Feed {
        ring: producer,
        meter: Arc::clone(&meter),
    };
    let pull = Pull {
        ring: consumer,
        meter,
        short: false,
        expected: false,
        rise_left: RISE_FRAMES,
        fade_left: None,
        dry_at: None,
    };
    (feed, pull)
}

/// The sound thread's end.
pub(super) struct Feed {
    ring: Producer<f32>,
    pub meter: Arc<Meter>,
}

impl Feed {
    /// Appends whole frames as far as there is room; the number of frames taken.
    pub fn push(&mut self, samples: &[f32]) -> usize {
        let frames = (samples.len() / CHANNELS).min(self.ring.slots() / CHANNELS);
        if frames > 0 {
            let Ok(chunk) = self.ring.write_chunk_uninit(frames * CHANNELS) else {
                return 0;
            };
            chunk.fill_from_iter(samples.iter().copied());
            self.meter.expecting.store(true, Relaxed);
        }
        frames
    }

    /// Frames that wait for the device.
    pub fn fill_frames(&self) -> usize {
        (self.ring.buffer().capacity() - self.ring.slots()) / CHANNELS
    }

    /// Until the next push an empty ring is meant, not a fault.
    pub fn rest(&self) {
        self.meter.expecting.store(false, Relaxed);
    }
}

/// The callback's end. Never blocks or allocates.
pub(super) struct Pull {
    ring: Consumer<f32>,
    pub meter: Arc<Meter>,
    short: bool,
    /// Sound was expected when the device last called.
    expected: bool,
    /// Frames until full level after silence, so that sound does not begin with a click.
    rise_left: u32,
    /// Frames until silence, once fading; and over how many.
    fade_left: Option<(u32, u32)>,
    /// When the device has played all it was given, and is silent unless it asks before.
    dry_at: Option<Instant>,
}

impl Pull {
    /// Notices that the device ran empty before it asked again, as it does while this process is kept from the processor:
    /// then there was silence, however much waits in the ring. It asks for `time` of sound now, which will be heard after
    /// `latency`; zero means that it does not say.
    pub fn called(&mut self, time: Duration, latency: Duration, now: Instant) {
        let said = self.meter.ran_dry.swap(false, Relaxed);
        let seen = self.dry_at.is_some_and(|at| now > at);
        // What ran out was silence, unless sound was expected at the call before, too.
        let expected = std::mem::replace(&mut self.expected, self.meter.expecting.load(Relaxed));
        if (said || seen) && expected && self.expected && self.fade_left.is_none() {
            self.meter.underruns.fetch_add(1, Relaxed);
        }
        let slack = if latency.is_zero() { HELD_MAX + time } else { LATE };
        let told = now + latency + time + slack;
        // Two calls in a row: the latency may not count what the first one took.
        let added = self.dry_at.map_or(told, |at| at + time);
        self.dry_at = Some(told.max(added.min(told + HELD_MAX)));
    }

    /// Fills interleaved stereo; what is missing is silence, and counted.
    pub fn fill(&mut self, out: &mut [f32]) {
        let wanted = out.len() / CHANNELS;
        let ready = (self.ring.slots() / CHANNELS).min(wanted);
        let mut filled = 0;
        if let Ok(chunk) = self.ring.read_chunk(ready * CHANNELS) {
            let (first, second) = chunk.as_slices();
            out[..first.len()].copy_from_slice(first);
            out[first.len()..first.len() + second.len()].copy_from_slice(second);
            filled = first.len() + second.len();
            chunk.commit_all();
        }
        out[filled..].fill(0.0);
        self.rise(&mut out[..filled]);
        self.meter.asked_frames.fetch_add(wanted as u64, Relaxed);
        self.fade(out);
        let missing = wanted - filled / CHANNELS;
        let fault = missing > 0 && self.meter.expecting.load(Relaxed) && self.fade_left.is_none();
        if fault {
            self.meter.missing_frames.fetch_add(missing as u64, Relaxed);
            if !self.short {
                self.meter.underruns.fetch_add(1, Relaxed);
            }
        }
        self.short = fault;
        if missing > 0 {
            self.rise_left = RISE_FRAMES;
        }
    }

    fn rise(&mut self, out: &mut [f32]) {
        for frame in out.chunks_exact_mut(CHANNELS).take(self.rise_left as usize) {
            self.rise_left -= 1;
            let gain = 1.0 - self.rise_left as f32 / RISE_FRAMES as f32;
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
    }

    fn fade(&mut self, out: &mut [f32]) {
        if self.fade_left.is_none() {
            let frames = self.meter.fade_frames.load(Relaxed);
            if frames == 0 {
                return;
            }
            self.fade_left = Some((frames, frames));
        }
        let Some((left, total)) = &mut self.fade_left else {
            return;
        };
        for frame in out.chunks_exact_mut(CHANNELS) {
            *left = left.saturating_sub(1);
            let gain = *left as f32 / *total as f32;
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
        if *left == 0 {
            self.meter.faded.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulled(pull: &mut Pull, frames: usize) -> Vec<f32> {
        let mut out = vec![9.0; frames * CHANNELS];
        pull.fill(&mut out);
        out
    }

    /// A ring whose beginning has risen to full level.
    fn risen() -> (Feed, Pull) {
        let (mut feed, mut pull) = ring(1_000);
        feed.push(&[0.0; RISE_FRAMES as usize * CHANNELS]);
        pulled(&mut pull, RISE_FRAMES as usize);
        (feed, pull)
    }

    #[test]
    fn sound_after_silence_comes_up_without_a_jump() {
        let (mut feed, mut pull) = ring(1_000);
        feed.push(&[1.0; 500]);
        let out = pulled(&mut pull, 250);
        assert!(out[0] < 0.01 && out[499] == 1.0);
        assert!(
            out.chunks(2)
                .collect::<Vec<_>>()
                .windows(2)
                .all(|pair| pair[1][0] - pair[0][0] <= 0.005)
        );
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_across_the_seam() {
        let (mut feed, mut pull) = risen();
        let mut next = 0.0;
        let mut expected = 0.0;
        for _ in 0..50 {
            let block: Vec<f32> = (0..77 * CHANNELS)
                .map(|_| {
                    next += 1.0;
                    next
                })
                .collect();
            assert_eq!(feed.push(&block), 77);
            for sample in pulled(&mut pull, 77) {
                expected += 1.0;
                assert_eq!(sample, expected);
            }
        }
        assert_eq!(pull.meter.underruns.load(Relaxed), 0);
    }

    #[test]
    fn a_full_ring_takes_whole_frames_only_as_far_as_there_is_room() {
        let (mut feed, _pull) = ring(1_000);
        assert_eq!(feed.push(&vec![0.0; 600 * CHANNELS]), 500);
        assert_eq!((feed.push(&[0.0; 2]), feed.fill_frames()), (0, 500));
    }

    #[test]
    fn missing_sound_is_silence_and_counted_once_it_is_expected() {
        let (_feed, mut pull) = ring(1_000);
        assert_eq!(pulled(&mut pull, 10), vec![0.0; 20]);
        assert_eq!(pull.meter.missing_frames.load(Relaxed), 0, "nothing was expected yet");
        let (mut feed, mut pull) = risen();
        feed.push(&[1.0; 8]);
        assert_eq!(pulled(&mut pull, 10)[..10], [1., 1., 1., 1., 1., 1., 1., 1., 0., 0.]);
        pulled(&mut pull, 10);
        assert_eq!(
            (
                pull.meter.underruns.load(Relaxed),
                pull.meter.missing_frames.load(Relaxed)
            ),
            (1, 16)
        );
        feed.rest();
        pulled(&mut pull, 10);
        assert_eq!(pull.meter.missing_frames.load(Relaxed), 16, "a rest is no fault");
    }

    #[test]
    fn a_device_that_ran_empty_is_counted_although_the_ring_is_full() {
        let (mut feed, mut pull) = risen();
        let ms = Duration::from_millis;
        let mut now = Instant::now();
        let mut count = |pull: &mut Pull, passed, latency| {
            feed.push(&[1.0; 40]);
            now += ms(passed);
            pull.called(ms(20), ms(latency), now);
            pulled(pull, 20);
            pull.meter.underruns.load(Relaxed)
        };
        assert_eq!(count(&mut pull, 0, 20), 0);
        for _ in 0..1_000 {
            assert_eq!(count(&mut pull, 20, 20), 0);
        }
        assert_eq!(count(&mut pull, 0, 20), 0, "two calls in a row");
        assert_eq!(count(&mut pull, 65, 20), 0, "late, and yet in time");
        assert_eq!(count(&mut pull, 1_000, 20), 1);
        pull.meter.ran_dry.store(true, Relaxed);
        assert_eq!(count(&mut pull, 20, 20), 2, "the system said so");
        assert_eq!(count(&mut pull, 20, 0), 2);
        assert_eq!(count(&mut pull, 70, 0), 2, "who does not say may hold more");
        assert_eq!(count(&mut pull, 1_000, 0), 3);
    }

    #[test]
    fn a_device_that_slept_before_the_first_sound_is_no_fault() {
        let (mut feed, mut pull) = ring(1_000);
        let ms = Duration::from_millis;
        let now = Instant::now();
        pull.called(ms(80), Duration::ZERO, now);
        pulled(&mut pull, 80);
        feed.push(&[1.0; 40]);
        pull.called(ms(20), ms(40), now + ms(400));
        assert_eq!(pull.meter.underruns.load(Relaxed), 0);
        pull.called(ms(20), ms(40), now + ms(800));
        assert_eq!(pull.meter.underruns.load(Relaxed), 1);
    }

    #[test]
    fn a_fade_ends_in_silence_without_a_jump() {
        let (mut feed, mut pull) = risen();
        feed.push(&[1.0; 400]);
        pull.meter.fade(100);
        let out: Vec<f32> = (0..20).flat_map(|_| pulled(&mut pull, 10)).collect();
        let steps = out.chunks(2).collect::<Vec<_>>();
        assert!(steps.windows(2).all(|pair| (pair[0][0] - pair[1][0]).abs() <= 0.0101));
        assert!(pull.meter.has_faded() && out[398] == 0.0 && out[0] > 0.98);
        assert_eq!(pull.meter.underruns.load(Relaxed), 0);
    }
}
