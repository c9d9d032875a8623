//! Watches over an open stream until it is told to end or fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait};

use crate::device::output::Control;
use crate::device::quiet;

/// How often a stream is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A stream whose callback is not called for this long is dead: a stopped sound server says nothing.
const STALL: Duration = Duration::from_secs(3);
/// How often a sound server is asked whether the device is still there.
const PRESENCE: Duration = Duration::from_secs(2);

/// Told once, with the reason, when a device is lost. Called from the device's own thread, never from its callback.
pub(super) type Notify = Box<dyn FnOnce(String) + Send>;

/// Why a stream is over.
pub(super) enum End {
    Stop { fade_frames: u32 },
    Quit,
    Lost(String),
}

/// Blocks until the stream is over. `clock` counts what the callback has been asked for.
pub(super) fn watch_over(orders: &Receiver<Control>, clock: impl Fn() -> u64) -> End {
    let (mut seen, mut since) = (clock(), Instant::now());
    loop {
        match orders.recv_timeout(LOOK) {
            Ok(Control::Stop { fade_frames }) => return End::Stop { fade_frames },
            Ok(Control::Fault(why)) => return End::Lost(why),
            Ok(Control::Quit) | Err(RecvTimeoutError::Disconnected) => return End::Quit,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = clock();
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STALL {
            return End::Lost("it has stopped working".to_owned());
        }
    }
}

/// What a stream's error means for its guard; `None` when it goes on by itself.
pub(super) fn fault(error: &cpal::Error) -> Option<Control> {
    match error.kind() {
        cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged => None,
        _ => Some(Control::Fault(error.to_string())),
    }
}

/// Asks a sound server from time to time whether it still has a device. When one vanishes, the server moves its streams
/// elsewhere and no error ever comes. Ends when dropped.
pub(super) struct Presence {
    wanted: Arc<AtomicBool>,
    thread: Option<thread::Thread>,
}

impl Presence {
    /// Starts asking; does nothing on systems that report a vanished device as an error.
    pub fn of(host: &cpal::Host, device: &cpal::Device, control: SyncSender<Control>) -> Presence {
        let wanted = Arc::new(AtomicBool::new(true));
        let mut presence = Presence {
            wanted: Arc::clone(&wanted),
            thread: None,
        };
        if !is_pulse(host) {
            return presence;
        }
        let Ok(id) = device.id() else { return presence };
        let started = thread::Builder::new().name("inonda-presence".into()).spawn(move || {
            quiet::this_thread();
            let host = cpal::default_host();
            while wanted.load(Relaxed) {
                let begun = Instant::now();
                while wanted.load(Relaxed) && begun.elapsed() < PRESENCE {
                    thread::park_timeout(PRESENCE.saturating_sub(begun.elapsed()));
                }
                let Ok(mut devices) = host.devices() else { continue };
                if wanted.load(Relaxed) && !devices.any(|device| device.id().is_ok_and(|other| other == id)) {
                    let _ = control.try_send(Control::Fault("it was removed".to_owned()));
                    return;
                }
            }
        });
        presence.thread = started.ok().map(|handle| handle.thread().clone());
        presence
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.wanted.store(false, Relaxed);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

/// Whether the devices of a host are those of a sound server of the pulse protocol.
pub(super) fn is_pulse(host: &cpal::Host) -> bool {
    host.id().to_string() == "pulseaudio"
}

/// Ends a stream on a thread of its own: a sound server that hangs would keep the caller.
pub(super) fn end(stream: impl Send + 'static) {
    let _ = thread::Builder::new()
        .name("inonda-device-end".into())
        .spawn(move || drop(stream));
}
