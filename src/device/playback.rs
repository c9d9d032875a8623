//! What a listener plays to: a device while there is one, whatever happens to it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::device::event::{DeviceChange, DeviceError};
use crate::device::guard::Notify;
use crate::device::list::Kind;
use crate::device::null::Null;
use crate::device::output::Output;
use crate::device::{quiet, speaker};
use crate::units::SAMPLE_RATE;

/// How often a lost device is looked for.
const SEEK: Duration = Duration::from_secs(2);
/// What the ring may play out at the end.
const DRAIN_MAX: Duration = Duration::from_millis(200);
/// How a device ends that another one replaces.
const FADE: Duration = Duration::from_millis(10);

/// An open output that survives its device. Interleaved stereo at [`Playback::rate`].
///
/// Call [`Playback::poll`] every 20 ms or so: the device, and with it the rate, changes only there.
pub struct Playback {
    now: Now,
    /// Which of the outputs opened so far is in use; word of earlier ones is old.
    serial: u64,
    /// Outputs below this number are known to be lost.
    lost_up_to: u64,
    /// The device that was asked for, by its id.
    home: String,
    name: String,
    news: Receiver<News>,
    post: SyncSender<News>,
    seeker: Option<SyncSender<()>>,
    past_underruns: u64,
    dropped_frames: u64,
}

enum Now {
    Device(Output),
    Null(Null),
}

enum News {
    Lost {
        serial: u64,
        why: String,
    },
    /// An output that can be used, and whether it is the one that was asked for.
    Arrived {
        output: Output,
        serial: u64,
        home: bool,
    },
}

impl Playback {
    /// Opens the output called `name` (an id, a name, or a part of one that fits a single device), or the default.
    ///
    /// # Errors
    /// When there is no such device or it cannot be opened; the message says what there is. After at most four seconds.
    pub fn open(name: Option<&str>) -> Result<Playback, DeviceError> {
        let (post, news) = sync_channel(16);
        let output = speaker::open(name, notify(&post, 0))?;
        Ok(Playback {
            serial: 0,
            lost_up_to: 0,
            home: output.id.clone(),
            name: output.name.clone(),
            now: Now::Device(output),
            news,
            post,
            seeker: None,
            past_underruns: 0,
            dropped_frames: 0,
        })
    }

    /// Frames a second that it takes; may change with [`Playback::poll`].
    pub fn rate(&self) -> u32 {
        match &self.now {
            Now::Device(output) => output.rate,
            Now::Null(null) => null.rate(),
        }
    }

    /// Frames that would fill it up now.
    pub fn wanted_frames(&mut self) -> usize {
        match &mut self.now {
            Now::Device(output) => output.frames_wanted(),
            Now::Null(null) => null.wanted_frames(Instant::now()),
        }
    }

    /// From a write now to the ear: what waits here and in the device.
    pub fn latency(&self) -> Duration {
        match &self.now {
            Now::Device(output) => output.latency(),
            Now::Null(null) => null.latency(Instant::now()),
        }
    }

    /// What plays, for people.
    pub fn name(&self) -> String {
        match &self.now {
            Now::Device(_) => self.name.clone(),
            Now::Null(_) => format!("none ({} is lost)", self.name),
        }
    }

    /// Whether no device takes the sound at this moment.
    pub fn is_lost(&self) -> bool {
        matches!(self.now, Now::Null(_))
    }

    /// Times that a device ran out of sound while some was expected.
    pub fn underruns(&self) -> u64 {
        self.past_underruns + self.current_underruns()
    }

    /// Frames written that found no room.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped_frames
    }

    /// Appends interleaved stereo without ever waiting; what does not fit is dropped and counted.
    pub fn write(&mut self, samples: &[f32]) {
        let frames = samples.len() / 2;
        match &mut self.now {
            Now::Device(output) => self.dropped_frames += (frames - output.push(samples)) as u64,
            Now::Null(null) => null.write(frames),
        }
    }

    /// Says that nothing comes for a while: silence until the next write is not counted as an underrun.
    pub fn rest(&self) {
        match &self.now {
            Now::Device(output) => output.rest(),
            Now::Null(_) => {}
        }
    }

    /// Notices a lost device, or one that is back, and changes over. Cheap; opening happens elsewhere.
    pub fn poll(&mut self) -> Option<DeviceChange> {
        while let Ok(news) = self.news.try_recv() {
            let change = match news {
                News::Lost { serial, why } => self.on_lost(serial, why),
                News::Arrived { output, serial, home } => self.on_arrived(output, serial, home),
            };
            if change.is_some() {
                return change;
            }
        }
        None
    }

    /// Plays out what is held, at most 200 ms of it, and closes without a click. Blocks that long.
    pub fn drain(self) {
        let Now::Device(output) = self.now else { return };
        output.rest();
        let limit = Instant::now() + DRAIN_MAX;
        while output.is_running() && output.waiting() > Duration::ZERO && Instant::now() < limit {
            thread::sleep(Duration::from_millis(2));
        }
        output.stop(FADE);
    }

    fn current_underruns(&self) -> u64 {
        match &self.now {
            Now::Device(output) => output.underruns(),
            Now::Null(_) => 0,
        }
    }

    fn on_lost(&mut self, serial: u64, why: String) -> Option<DeviceChange> {
        self.lost_up_to = self.lost_up_to.max(serial + 1);
        if serial != self.serial || matches!(self.now, Now::Null(_)) {
            return None;
        }
        self.past_underruns += self.current_underruns();
        self.now = Now::Null(Null::new(SAMPLE_RATE, Instant::now()));
        self.seek_another();
        Some(DeviceChange::Lost {
            kind: Kind::Output,
            name: self.name.clone(),
            why,
        })
    }

    fn seek_another(&mut self) {
        let seeking = self.seeker.as_ref().is_some_and(|seeker| seeker.try_send(()).is_ok());
        if !seeking {
            let serial = self.serial.max(self.lost_up_to);
            self.seeker = seek(self.home.clone(), serial, self.post.clone());
        }
    }

    fn on_arrived(&mut self, output: Output, serial: u64, home: bool) -> Option<DeviceChange> {
        if serial < self.lost_up_to {
            // It was gone again before it could be used.
            self.seek_another();
            return None;
        }
        self.past_underruns += self.current_underruns();
        self.serial = serial;
        self.name.clone_from(&output.name);
        let before = std::mem::replace(&mut self.now, Now::Device(output));
        if let Now::Device(before) = before {
            // Its fade takes longer than the caller may wait.
            let _ = thread::Builder::new()
                .name("inonda-device-end".into())
                .spawn(move || before.stop(FADE));
        }
        let (kind, name) = (Kind::Output, self.name.clone());
        if home {
            self.seeker = None;
        }
        Some(if home {
            DeviceChange::Back { kind, name }
        } else {
            DeviceChange::Moved { kind, name }
        })
    }
}

fn notify(post: &SyncSender<News>, serial: u64) -> Notify {
    let post = post.clone();
    Box::new(move |why| {
        let _ = post.try_send(News::Lost { serial, why });
    })
}

/// Looks for the device `home` until it can be opened, and for any other to use meanwhile. A message on the returned
/// channel says that the other is lost, too; closing the channel ends the search.
fn seek(home: String, mut serial: u64, post: SyncSender<News>) -> Option<SyncSender<()>> {
    let (orders_tx, orders) = sync_channel::<()>(4);
    let search = move || {
        quiet::this_thread();
        let mut need_other = true;
        loop {
            serial += 1;
            let found = match speaker::open(Some(&home), notify(&post, serial)) {
                Ok(output) => Some((output, true)),
                Err(_) if need_other => speaker::open(None, notify(&post, serial))
                    .ok()
                    .map(|output| (output, false)),
                Err(_) => None,
            };
            if let Some((output, home)) = found {
                need_other = false;
                if post.send(News::Arrived { output, serial, home }).is_err() || home {
                    return;
                }
            }
            match orders.recv_timeout(SEEK) {
                Ok(()) => need_other = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    match thread::Builder::new().name("inonda-device-seek".into()).spawn(search) {
        Ok(_) => Some(orders_tx),
        Err(error) => {
            tracing::warn!(%error, "cannot look for the lost sound device");
            None
        }
    }
}
