//! The directories that are followed: those that a person named, and strangers that the DHT names, which make room for
//! others when they do not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::task::AbortHandle;

use super::Scout;
use crate::discovery::asker::Asker;
use crate::discovery::foreign;
use crate::discovery::listing::Origin;
use crate::limits::DIRECTORIES_MAX;
use crate::mesh::record::prefix;

/// Directories that only the DHT names, of all, and of one public network: names there cost nothing.
const STRANGERS_MAX: usize = DIRECTORIES_MAX / 2;
const STRANGERS_PER_PREFIX_MAX: usize = 2;
/// Failures in a row after which a stranger makes room.
const FAILURES_MAX: u32 = 3;
/// Strangers remembered that were of no use.
const BARREN_MAX: usize = 256;

/// Who is followed.
#[derive(Default)]
pub(super) struct Directories {
    followed: BTreeMap<String, Followed>,
    barren: BTreeSet<String>,
}

struct Followed {
    task: AbortHandle,
    /// Set for a stranger, by the public network it is in.
    stranger: Option<Option<u64>>,
    failures: u32,
}

impl Directories {
    /// Whether there is a place for a stranger.
    fn admits(&self, addr: SocketAddr) -> bool {
        let net = prefix(addr.ip());
        let strangers = || self.followed.values().filter_map(|followed| followed.stranger);
        let near = strangers().filter(|other| net.is_some() && *other == net).count();
        strangers().count() < STRANGERS_MAX
            && near < STRANGERS_PER_PREFIX_MAX
            && !self.barren.contains(&addr.to_string())
    }

    /// Notes that one was reached.
    pub(super) fn reached(&mut self, directory: &str) {
        if let Some(followed) = self.followed.get_mut(directory) {
            followed.failures = 0;
        }
    }

    /// Notes that one was not reached; true when it is followed no more.
    pub(super) fn failed(&mut self, directory: &str) -> bool {
        let Some(followed) = self.followed.get_mut(directory) else {
            return false;
        };
        followed.failures += 1;
        if followed.stranger.is_none() || followed.failures < FAILURES_MAX {
            return false;
        }
        followed.task.abort();
        self.followed.remove(directory);
        if self.barren.len() >= BARREN_MAX {
            // Whoever was down for a while gets another chance.
            self.barren.clear();
        }
        self.barren.insert(directory.to_owned());
        true
    }
}

impl Scout {
    /// Follows a directory that the DHT names, if there is a place for it.
    pub(super) fn open_stranger(&mut self, addr: SocketAddr) {
        if self.directories.admits(addr) {
            self.open_directory(addr.to_string(), false);
        }
    }

    /// Follows a directory, or another program's list.
    pub(super) fn open_directory(&mut self, directory: String, named: bool) {
        let known = &self.directories.followed;
        if known.contains_key(&directory) || known.len() >= DIRECTORIES_MAX {
            return;
        }
        self.origin(Origin::Directory(directory.clone()));
        let task = if foreign::is_list(&directory) {
            let list = foreign::follow(directory.clone(), self.wants.subscribe(), self.senders.foreign.clone());
            self.tasks.spawn(list)
        } else {
            let asker = Asker {
                directory: directory.clone(),
                endpoint: self.endpoint.clone(),
                shows: self.shows.subscribe(),
                wants: self.wants.subscribe(),
                news: self.senders.news.clone(),
                told: self.senders.told.clone(),
                done: Default::default(),
            };
            self.askers.spawn(asker.run())
        };
        let net = directory.parse::<SocketAddr>().ok().and_then(|addr| prefix(addr.ip()));
        let followed = Followed {
            task,
            stranger: (!named).then_some(net),
            failures: 0,
        };
        self.directories.followed.insert(directory, followed);
    }

    /// A directory was not reached: a stranger that never is makes room for another.
    pub(super) fn on_unreached(&mut self, directory: &str) {
        if self.directories.failed(directory) {
            let origin = Origin::Directory(directory.to_owned());
            self.catalogue.keep_only(&origin, &BTreeSet::new());
            self.origins.remove(&origin);
            self.answered.remove(&origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(directories: &mut Directories, addr: &str, named: bool) -> bool {
        let addr: SocketAddr = addr.parse().unwrap();
        if !named && !directories.admits(addr) {
            return false;
        }
        let followed = Followed {
            task: tokio::spawn(std::future::pending::<()>()).abort_handle(),
            stranger: (!named).then_some(prefix(addr.ip())),
            failures: 0,
        };
        directories.followed.insert(addr.to_string(), followed);
        true
    }

    #[tokio::test]
    async fn strangers_take_some_places_only_and_make_room_when_they_do_not_answer() {
        let mut directories = Directories::default();
        assert!(follow(&mut directories, "198.51.100.1:1", true));
        let taken: Vec<bool> = (0..4)
            .map(|at| follow(&mut directories, &format!("198.51.100.{at}:9"), false))
            .collect();
        assert_eq!(taken, [true, true, false, false], "two of one network");
        let others = (0..40).filter(|at| follow(&mut directories, &format!("192.0.{at}.1:9"), false));
        assert_eq!(others.count(), STRANGERS_MAX - 2);
        for _ in 0..9 {
            assert!(!directories.failed("198.51.100.1:1"), "a person named it");
        }
        let failed: Vec<bool> = (0..3).map(|_| directories.failed("192.0.0.1:9")).collect();
        assert_eq!(failed, [false, false, true]);
        assert!(!follow(&mut directories, "192.0.0.1:9", false));
        assert!(follow(&mut directories, "203.0.113.1:9", false));
    }
}
