//! The thread that writes the library, so that nobody waits for a disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::store::library::{Change, Library};
use crate::store::shelf::{Shelf, ShelfError};

/// Changes that may wait for the disk; a person and a mesh make a few a second.
const CHANGES_MAX: usize = 256;

/// Takes changes and writes them in the order they came, several at once when they pile up.
pub struct Keeper {
    changes: Option<SyncSender<Change>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// A keeper that keeps nothing, for nodes without a state folder.
    pub fn none() -> Keeper {
        Keeper {
            changes: None,
            thread: None,
        }
    }

    /// Reads the library of a folder and starts to keep it.
    ///
    /// # Errors
    /// When the folder or the file is of no use.
    pub fn start(folder: &Path) -> Result<(Keeper, Library), ShelfError> {
        let shelf = Shelf::new(folder)?;
        let library = shelf.load()?;
        let (changes, waiting) = sync_channel(CHANGES_MAX);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || run(&shelf, &waiting))
            .map_err(|error| ShelfError::Folder(folder.to_owned(), error))?;
        let keeper = Keeper {
            changes: Some(changes),
            thread: Some(thread),
        };
        Ok((keeper, library))
    }

    /// Keeps a change, a moment later.
    pub fn keep(&self, change: Change) {
        if let Some(changes) = &self.changes
            && changes.try_send(change).is_err()
        {
            tracing::warn!("the disk is too slow: a change to favourites or history is not kept");
        }
    }
}

impl Drop for Keeper {
    /// Waits until all is written.
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shelf: &Shelf, waiting: &Receiver<Change>) {
    while let Ok(first) = waiting.recv() {
        let mut changes = vec![first];
        changes.extend(waiting.try_iter().take(CHANGES_MAX));
        if let Err(error) = shelf.write(&changes) {
            tracing::warn!(%error, "favourites and history are not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ChannelId, Epoch};

    #[test]
    fn what_was_kept_is_there_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let (keeper, _) = Keeper::start(folder.path()).unwrap();
        for epoch in [3, 5, 4] {
            keeper.keep(Change::Session {
                channel: ChannelId([2; 32]),
                epoch: Epoch(epoch),
                seen_unix_s: epoch,
            });
        }
        drop(keeper);
        let (_keeper, library) = Keeper::start(folder.path()).unwrap();
        assert_eq!(library.newest_epoch(ChannelId([2; 32])), Epoch(5));
    }
}
