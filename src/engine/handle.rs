//! The other end of a running engine, for the terminal interface and the command line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::engine::snapshot::{Levels, Snapshot};
use crate::engine::{Command, Event};

/// Commands that may wait for the engine; a person cannot type faster than it takes them.
pub const COMMANDS_MAX: usize = 64;
/// Events that may wait for a reader; a reader that is slower loses the oldest snapshot, never the engine's time.
pub const EVENTS_MAX: usize = 1_024;

/// Commands in, events and snapshots out. Cloning shares the command side only, through [`Handle::commander`].
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(crate) levels: LevelsCell,
    pub(crate) programme: LevelsCell,
    pub(crate) has_stopped: bool,
}

/// The engine has stopped and takes no more commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("inonda is stopping and takes no more commands")]
pub struct Stopped;

impl Handle {
    /// Asks for something without waiting.
    ///
    /// # Errors
    /// When the engine has stopped, or [`COMMANDS_MAX`] commands already wait.
    pub fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.try_send(command).map_err(|_| Stopped)
    }

    /// A sender that can be kept by signal handlers and other threads.
    pub fn commander(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// The newest picture of the engine.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// For waiting until the picture changes.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Levels of what is heard at this moment.
    pub fn levels(&self) -> Levels {
        self.levels.get()
    }

    /// Levels of our own show as it leaves; silence while there is none.
    pub fn programme_levels(&self) -> Levels {
        self.programme.get()
    }

    /// For reading levels from another thread.
    pub fn levels_cell(&self) -> LevelsCell {
        self.levels.clone()
    }

    /// Whether the engine has said that all is done. Events that end without it tell of an engine that broke down.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    fn note(&mut self, event: Option<Event>) -> Option<Event> {
        self.has_stopped |= matches!(event, Some(Event::Stopped));
        event
    }

    /// The next event, if one waits.
    pub fn try_event(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok();
        self.note(event)
    }

    /// Waits for the next event; `None` after the engine has stopped.
    pub async fn event(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.note(event)
    }

    /// Waits for the next event on a thread that runs no tasks; `None` after the engine has stopped.
    pub fn blocking_event(&mut self) -> Option<Event> {
        let event = self.events.blocking_recv();
        self.note(event)
    }
}

/// The newest levels, written by the sound thread and read by whoever draws. The lock is held for one copy of 130 bytes and
/// never by the audio callback. Metering costs a fifth of what listening costs, so the sound thread asks whether anybody looks.
#[derive(Clone, Default)]
pub struct LevelsCell(Arc<Gauge>);

/// Where the engine writes levels: of what is heard, and of our own show as it leaves.
#[derive(Clone, Default)]
pub struct Gauges {
    pub heard: LevelsCell,
    pub programme: LevelsCell,
}

#[derive(Default)]
struct Gauge {
    levels: Mutex<Levels>,
    looked_at: AtomicBool,
}

impl LevelsCell {
    /// Stores new levels.
    pub fn set(&self, levels: Levels) {
        *self.0.levels.lock().unwrap_or_else(PoisonError::into_inner) = levels;
    }

    /// The levels last stored; silence at first.
    pub fn get(&self) -> Levels {
        self.0.looked_at.store(true, Ordering::Relaxed);
        *self.0.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody has looked since this was last asked.
    pub fn take_looked_at(&self) -> bool {
        self.0.looked_at.swap(false, Ordering::Relaxed)
    }
}
