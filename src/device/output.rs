//! A handle over one open speaker.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::device::ring::{Feed, frames_in, time_of};

/// Sound kept ready for the device: three of its periods, so that a sound thread that comes every 50 ms and wakes up 60 ms late is
/// not heard.
pub(super) const READY: Duration = Duration::from_millis(120);
/// How long a device may take to end beyond its fade.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// What the thread of an output is told.
pub(super) enum Control {
    /// Fade out, let it be heard, end.
    Stop { fade_frames: u32 },
    /// End at once.
    Quit,
    /// The device failed.
    Fault(String),
}

/// An open device. Dropping it ends the sound at once; [`Output::stop`] fades.
pub(super) struct Output {
    /// What people call it, and what programs do.
    pub name: String,
    pub id: String,
    /// Frames a second that it plays; push at this rate.
    pub rate: u32,
    pub feed: Feed,
    pub control: SyncSender<Control>,
    pub thread: Option<JoinHandle<()>>,
}

impl Output {
    /// Frames that it would like to have now.
    pub fn frames_wanted(&self) -> usize {
        frames_in(READY, self.rate).saturating_sub(self.feed.fill_frames())
    }

    /// Appends interleaved stereo; the number of frames taken, fewer than given only when half a second waits already.
    pub fn push(&mut self, samples: &[f32]) -> usize {
        self.feed.push(samples)
    }

    /// Says that nothing comes for a while: silence until the next push is not counted as a fault.
    pub fn rest(&self) {
        self.feed.rest();
    }

    /// Sound that waits in the ring.
    pub fn waiting(&self) -> Duration {
        time_of(self.feed.fill_frames(), self.rate)
    }

    /// From a push now to the ear: what waits here and in the device.
    pub fn latency(&self) -> Duration {
        let device = Duration::from_micros(self.feed.meter.device_latency_us.load(Relaxed));
        self.waiting() + device
    }

    /// Times that it ran out of sound while sound was expected.
    pub fn underruns(&self) -> u64 {
        self.feed.meter.underruns.load(Relaxed)
    }

    /// Whether the device still runs; after a loss it does not.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Fades out over `fade`, waits until that has been heard, and ends. Blocks that long, and at
    /// most two seconds longer.
    pub fn stop(mut self, fade: Duration) {
        let fade_frames = u32::try_from(frames_in(fade, self.rate)).unwrap_or(u32::MAX);
        if self.control.send(Control::Stop { fade_frames }).is_err() {
            return;
        }
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + fade + END_TIMEOUT;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // A full queue holds an earlier order to end.
        let _ = self.control.try_send(Control::Quit);
    }
}
