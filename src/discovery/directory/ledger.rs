//! What a directory keeps on disk: the announcements themselves. Several are written at once, and whoever announced is
//! answered only when it is on disk, so that a crash loses nothing that was accepted.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use tokio::sync::oneshot;

use crate::units::ChannelId;

/// Channel's key → one byte that says whether it was listed, and the announcement.
const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("announcements");
/// Batches that may wait for the disk; each is gathered while the one before is written.
const BATCHES_MAX: usize = 2;
/// What redb keeps in memory.
const CACHE_BYTES: usize = 8 << 20;

/// One row to write; `None` takes it away.
pub type Row = (ChannelId, Option<(bool, Bytes)>);

/// Rows written together, and whoever waits for that.
#[derive(Default)]
pub struct Batch {
    pub rows: Vec<Row>,
    pub waiting: Vec<oneshot::Sender<()>>,
}

/// The directory's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{0} is held by another directory: stop it, or choose another folder with --state DIR")]
    Held(PathBuf),
    #[error("the folder {0} cannot be made ({1}): choose another with --state DIR")]
    Folder(PathBuf, std::io::Error),
    #[error("{0} cannot be used ({1}): free some space, mend its permissions, or move it away to start anew")]
    File(PathBuf, Box<redb::Error>),
}

/// The file, opened for as long as the directory runs.
pub struct Ledger {
    database: Database,
    file: PathBuf,
}

/// The thread that writes.
pub struct Writer {
    batches: SyncSender<Batch>,
}

impl Ledger {
    /// Opens or makes the file in a folder.
    ///
    /// # Errors
    /// When another directory holds it, or it is of no use.
    pub fn open(folder: &Path) -> Result<Ledger, LedgerError> {
        std::fs::create_dir_all(folder).map_err(|error| LedgerError::Folder(folder.to_owned(), error))?;
        let file = folder.join("directory.redb");
        match Database::builder().set_cache_size(CACHE_BYTES).create(&file) {
            Ok(database) => Ok(Ledger { database, file }),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(LedgerError::Held(file)),
            Err(error) => Err(LedgerError::File(file, Box::new(error.into()))),
        }
    }

    /// Everything kept: whether it was listed, and the announcement.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn load(&self) -> Result<Vec<(bool, Bytes)>, LedgerError> {
        load(&self.database).map_err(|error| LedgerError::File(self.file.clone(), Box::new(error)))
    }

    /// Writes rows, all or none.
    ///
    /// # Errors
    /// When the disk is full or the file broken.
    pub fn write(&self, rows: &[Row]) -> Result<(), LedgerError> {
        write(&self.database, rows).map_err(|error| LedgerError::File(self.file.clone(), Box::new(error)))
    }

    /// Writes on a thread of its own from now on.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn into_writer(self) -> std::io::Result<Writer> {
        let (batches, waiting) = sync_channel(BATCHES_MAX);
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || run(&self, &waiting))?;
        Ok(Writer { batches })
    }
}

impl Writer {
    /// Hands a batch over; gives it back while the disk is busy.
    pub fn hand_over(&self, batch: Batch) -> Result<(), Batch> {
        match self.batches.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => Err(batch),
        }
    }
}

fn run(ledger: &Ledger, waiting: &Receiver<Batch>) {
    while let Ok(batch) = waiting.recv() {
        if let Err(error) = ledger.write(&batch.rows) {
            tracing::error!(%error, "the list is not kept; a restart would lose what was announced since");
        }
        for waiting in batch.waiting {
            let _ = waiting.send(());
        }
    }
}

fn load(database: &Database) -> Result<Vec<(bool, Bytes)>, redb::Error> {
    let rows = database.begin_read()?;
    let table = match rows.open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for row in table.iter()? {
        let (_, value) = row?;
        if let Some((listed, bytes)) = value.value().split_first() {
            found.push((*listed != 0, Bytes::copy_from_slice(bytes)));
        }
    }
    Ok(found)
}

fn write(database: &Database, rows: &[Row]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(TABLE)?;
        let mut value = Vec::new();
        for (channel, row) in rows {
            match row {
                Some((listed, bytes)) => {
                    value.clear();
                    value.push(u8::from(*listed));
                    value.extend_from_slice(bytes);
                    table.insert(channel.0.as_slice(), value.as_slice())?;
                }
                None => {
                    table.remove(channel.0.as_slice())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_and_a_second_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        assert!(ledger.load().unwrap().is_empty());
        let row = |n: u8| (ChannelId([n; 32]), Some((n == 1, Bytes::from(vec![n; 600]))));
        ledger.write(&[row(1), row(2), row(3)]).unwrap();
        ledger.write(&[(ChannelId([2; 32]), None)]).unwrap();
        let told = Ledger::open(folder.path()).err().unwrap().to_string();
        assert!(told.contains("held") && told.contains("--state"), "{told}");
        drop(ledger);
        let kept = Ledger::open(folder.path()).unwrap().load().unwrap();
        assert_eq!(
            kept,
            [(true, Bytes::from(vec![1; 600])), (false, Bytes::from(vec![3; 600]))]
        );
    }
}
