//! The file of the library. It is opened for each operation and closed at once, so that several inondas of one person can
//! share a state folder: the file's lock is held for milliseconds, and whoever finds it held waits.
#![allow(clippy::disallowed_methods, reason = "waiting for a lock needs the clock")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{HISTORY_MAX, NEWEST_MAX};
use crate::store::library::{self, Change, Library, Newest, Visit};

const FAVOURITES: Table = TableDefinition::new("favourites");
const HIDDEN: Table = TableDefinition::new("hidden");
const HISTORY: Table = TableDefinition::new("history");
const NEWEST: Table = TableDefinition::new("newest");
const SETTINGS: Table = TableDefinition::new("settings");

/// How long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(8);
/// What redb may keep in memory; the file is small and open for milliseconds.
const CACHE_BYTES: usize = 1 << 20;

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// The library could not be read or written. Nothing was lost: a write is whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("{0} is held by another program for too long: stop it, or choose another folder with --state DIR")]
    Busy(PathBuf),
    #[error("the folder {0} cannot be made ({1}): choose another with --state DIR")]
    Folder(PathBuf, std::io::Error),
    #[error("{0} cannot be used ({1}): free some space, mend its permissions, or move it away to start anew")]
    File(PathBuf, Box<redb::Error>),
}

/// Where the library lies.
#[derive(Clone, Debug)]
pub struct Shelf {
    file: PathBuf,
}

impl Shelf {
    /// The library of a state folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path) -> Result<Shelf, ShelfError> {
        std::fs::create_dir_all(folder).map_err(|error| ShelfError::Folder(folder.to_owned(), error))?;
        Ok(Shelf {
            file: folder.join("library.redb"),
        })
    }

    /// Everything kept. Rows that cannot be read, of a later version perhaps, are passed over and stay.
    ///
    /// # Errors
    /// When the file is held for too long or broken.
    pub fn load(&self) -> Result<Library, ShelfError> {
        if !self.file.exists() {
            return Ok(Library::default());
        }
        let database = self.open()?;
        self.mend(read(&database))
    }

    /// Makes changes, all or none.
    ///
    /// # Errors
    /// As [`Shelf::load`].
    pub fn write(&self, changes: &[Change]) -> Result<(), ShelfError> {
        let database = self.open()?;
        self.mend(write(&database, changes))
    }

    fn open(&self) -> Result<Database, ShelfError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match Database::builder().set_cache_size(CACHE_BYTES).create(&self.file) {
                Ok(database) => return Ok(database),
                Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < until => std::thread::sleep(RETRY),
                Err(DatabaseError::DatabaseAlreadyOpen) => return Err(ShelfError::Busy(self.file.clone())),
                Err(error) => return self.mend(Err(error.into())),
            }
        }
    }

    fn mend<T>(&self, result: Result<T, redb::Error>) -> Result<T, ShelfError> {
        result.map_err(|error| ShelfError::File(self.file.clone(), Box::new(error)))
    }
}

fn read(database: &Database) -> Result<Library, redb::Error> {
    let rows = database.begin_read()?;
    Ok(Library {
        favourites: table(&rows, FAVOURITES)?,
        hidden: table::<bool, std::collections::BTreeMap<String, bool>>(&rows, HIDDEN)?
            .into_keys()
            .collect(),
        history: table(&rows, HISTORY)?,
        newest: table(&rows, NEWEST)?,
        settings: table(&rows, SETTINGS)?,
    })
}

fn table<T, C>(rows: &redb::ReadTransaction, which: Table) -> Result<C, redb::Error>
where
    T: DeserializeOwned,
    C: FromIterator<(String, T)>,
{
    let table = match rows.open_table(which) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(C::from_iter([])),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        match serde_json::from_slice(value.value()) {
            Ok(value) => found.push((key.value().to_owned(), value)),
            Err(error) => tracing::debug!(key = key.value(), %error, "a row of the library cannot be read"),
        }
    }
    Ok(found.into_iter().collect())
}

fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let rows = database.begin_write()?;
    for change in changes {
        match change {
            Change::Favour(favourite) => update(&rows, FAVOURITES, favourite.place(), |old| {
                Some(library::favour(old, favourite))
            })?,
            Change::Unfavour { place } => update(&rows, FAVOURITES, place, |_: Option<library::Favourite>| None)?,
            Change::Reached { place, peers } => {
                update(&rows, FAVOURITES, place, |old: Option<library::Favourite>| {
                    old.map(|old| library::Favourite {
                        peers: library::reached(peers, &old.peers),
                        ..old
                    })
                })?;
            }
            Change::Hide { place, on } => update(&rows, HIDDEN, place, |_| on.then_some(true))?,
            Change::Heard(visit) => update(&rows, HISTORY, library::place(&visit.link), |old| {
                Some(library::heard(old, visit))
            })?,
            Change::Session {
                channel,
                epoch,
                seen_unix_s,
            } => update(&rows, NEWEST, &channel.to_string(), |old: Option<library::Newest>| {
                Some(library::newest(old.unwrap_or_default(), *epoch, *seen_unix_s))
            })?,
            Change::Set { key, value } => update(&rows, SETTINGS, key, |_: Option<String>| value.clone())?,
        }
    }
    if changes.iter().any(|change| matches!(change, Change::Heard(_))) {
        prune(&rows, HISTORY, HISTORY_MAX, |visit: &Visit| visit.last_unix_s)?;
    }
    if changes.iter().any(|change| matches!(change, Change::Session { .. })) {
        prune(&rows, NEWEST, NEWEST_MAX, |newest: &Newest| newest.seen_unix_s)?;
    }
    rows.commit()?;
    Ok(())
}

/// Forgets the oldest rows of a table that has grown a tenth beyond its cap, as memory does row by row.
fn prune<T: DeserializeOwned>(
    rows: &WriteTransaction,
    which: Table,
    max: usize,
    age: impl Fn(&T) -> u64,
) -> Result<(), redb::Error> {
    let mut table = rows.open_table(which)?;
    if table.len()? <= (max + max / 10) as u64 {
        return Ok(());
    }
    let mut ages = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        // What cannot be read, of a later version perhaps, is not ours to forget.
        if let Ok(value) = serde_json::from_slice(value.value()) {
            ages.push((age(&value), key.value().to_owned()));
        }
    }
    ages.sort();
    let extra = ages.len().saturating_sub(max);
    for (_, key) in &ages[..extra] {
        table.remove(key.as_str())?;
    }
    Ok(())
}

fn update<T>(
    rows: &WriteTransaction,
    which: Table,
    key: &str,
    change: impl FnOnce(Option<T>) -> Option<T>,
) -> Result<(), redb::Error>
where
    T: Serialize + DeserializeOwned,
{
    let mut table = rows.open_table(which)?;
    let old = table
        .get(key)?
        .and_then(|value| serde_json::from_slice(value.value()).ok());
    match change(old).map(|new| serde_json::to_vec(&new)) {
        Some(Ok(bytes)) => {
            table.insert(key, bytes.as_slice())?;
        }
        Some(Err(error)) => tracing::debug!(key, %error, "a row of the library cannot be written"),
        None => {
            table.remove(key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::library::Favourite;
    use crate::units::{ChannelId, Epoch};

    fn favourite(number: usize) -> Change {
        Change::Favour(Favourite {
            link: format!("http://example/{number}"),
            name: format!("Station {number}"),
            ..Favourite::default()
        })
    }

    #[test]
    fn file_and_memory_agree_after_any_changes() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path()).unwrap();
        assert_eq!(shelf.load().unwrap(), Library::default());
        let changes = [
            favourite(1),
            favourite(2),
            Change::Unfavour {
                place: "http://example/1".into(),
            },
            Change::Reached {
                place: "http://example/2".into(),
                peers: vec!["127.0.0.1:9".parse().unwrap()],
            },
            Change::Hide {
                place: "x".into(),
                on: true,
            },
            Change::Hide {
                place: "y".into(),
                on: true,
            },
            Change::Hide {
                place: "x".into(),
                on: false,
            },
            Change::Heard(Visit {
                link: "http://example/2".into(),
                last_unix_s: 3,
                ..Visit::default()
            }),
            Change::Session {
                channel: ChannelId([1; 32]),
                epoch: Epoch(8),
                seen_unix_s: 1,
            },
            Change::Session {
                channel: ChannelId([1; 32]),
                epoch: Epoch(2),
                seen_unix_s: 2,
            },
            Change::Set {
                key: "k".into(),
                value: Some("v".into()),
            },
        ];
        let mut library = Library::default();
        changes.iter().for_each(|change| library.apply(change));
        for pair in changes.chunks(2) {
            shelf.write(pair).unwrap();
        }
        assert_eq!(shelf.load().unwrap(), library);
    }

    #[test]
    fn the_history_on_disk_keeps_the_newest_and_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path()).unwrap();
        let visits: Vec<Change> = (0..HISTORY_MAX as u64 + 100)
            .map(|n| {
                Change::Heard(Visit {
                    link: format!("http://example/{n}"),
                    last_unix_s: n,
                    ..Visit::default()
                })
            })
            .collect();
        shelf.write(&visits).unwrap();
        let kept = shelf.load().unwrap().history;
        assert_eq!(kept.len(), HISTORY_MAX);
        assert!(kept.values().all(|visit| visit.last_unix_s >= 100));
    }

    #[test]
    fn many_who_write_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let shelf = shelf.clone();
                scope.spawn(move || (0..10).for_each(|n| shelf.write(&[favourite(writer * 10 + n)]).unwrap()));
            }
        });
        assert_eq!(shelf.load().unwrap().favourites.len(), 40);
    }

    #[test]
    fn a_broken_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("library.redb"), vec![7; 5_000]).unwrap();
        let error = Shelf::new(folder.path()).unwrap().load().unwrap_err().to_string();
        assert!(
            error.contains("library.redb") && error.contains("move it away"),
            "{error}"
        );
    }
}
