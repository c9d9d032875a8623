//! What a person keeps about channels, as plain data: favourites, hidden channels, history, and the newest session of each
//! channel, on which the defence against replayed sound rests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::limits::{BLOCKED_MAX, GROUPS_MAX, HISTORY_MAX, NAME_MAX_BYTES, NEWEST_MAX, PEERS_KEPT_MAX};
use crate::units::{ChannelId, Epoch, PeerId};

/// The setting that holds blocked peers, separated by spaces.
const BLOCKED: &str = "blocked";

/// A channel or station that a person marked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Favourite {
    /// An `inonda:` link or the URL of a station.
    pub link: String,
    pub name: String,
    /// Where peers of the channel were last reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<SocketAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub genre: String,
    /// Percent, when it differs from the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u8>,
    #[serde(default)]
    pub added_unix_s: u64,
}

/// A channel that was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    pub link: String,
    pub name: String,
    pub last_unix_s: u64,
    pub times: u64,
}

/// The newest session of a channel that this person's nodes have accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    pub epoch: u64,
    pub seen_unix_s: u64,
}

/// Everything kept. Keys are channel IDs, or URLs of stations: see [`place`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    pub favourites: BTreeMap<String, Favourite>,
    pub hidden: BTreeSet<String>,
    pub history: BTreeMap<String, Visit>,
    pub newest: BTreeMap<String, Newest>,
    /// Small facts of the program itself, such as directories a person added.
    pub settings: BTreeMap<String, String>,
}

/// One change; the same code applies it to memory and to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Marks a channel, or renews what is known of a marked one.
    Favour(Favourite),
    Unfavour {
        place: String,
    },
    /// Where a marked channel's peers were reached; nothing for one that is not marked.
    Reached {
        place: String,
        peers: Vec<SocketAddr>,
    },
    Hide {
        place: String,
        on: bool,
    },
    /// The channel was listened to.
    Heard(Visit),
    /// A session was accepted; an older one than is known changes nothing.
    Session {
        channel: ChannelId,
        epoch: Epoch,
        seen_unix_s: u64,
    },
    Set {
        key: String,
        value: Option<String>,
    },
}

/// The key of a link: the channel's ID, or the URL itself.
pub fn place(link: &str) -> &str {
    match link.strip_prefix("inonda:") {
        Some(rest) => rest.split('?').next().unwrap_or(rest).trim_matches('/'),
        None if link.starts_with("peercast:") => link.split('?').next().unwrap_or(link),
        None => link,
    }
}

impl Favourite {
    /// The key of this favourite.
    pub fn place(&self) -> &str {
        place(&self.link)
    }

    /// Cuts everything to its cap; what comes from an imported file may be anything.
    pub fn clipped(mut self) -> Favourite {
        self.name = clip(&self.name, NAME_MAX_BYTES);
        self.genre = clip(&self.genre, NAME_MAX_BYTES);
        self.peers.truncate(PEERS_KEPT_MAX);
        self.groups.truncate(GROUPS_MAX);
        for group in &mut self.groups {
            *group = clip(group, NAME_MAX_BYTES);
        }
        self.volume = self.volume.map(|percent| percent.min(100));
        self
    }
}

/// The text without control characters, at most `max` bytes of it.
pub fn clip(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

impl Library {
    /// The newest session known of a channel; zero when none is.
    pub fn newest_epoch(&self, channel: ChannelId) -> Epoch {
        Epoch(self.newest.get(&channel.to_string()).map_or(0, |newest| newest.epoch))
    }

    /// Peers that a person has blocked for good.
    pub fn blocked(&self) -> Vec<PeerId> {
        let kept = self.settings.get(BLOCKED).map(String::as_str).unwrap_or_default();
        kept.split(' ')
            .filter_map(|key| key.parse().ok())
            .take(BLOCKED_MAX)
            .collect()
    }

    /// The change that blocks one more; `None` when it is blocked already. The oldest goes when there are
    /// [`BLOCKED_MAX`].
    pub fn blocking(&self, peer: PeerId) -> Option<Change> {
        let mut blocked = self.blocked();
        if blocked.contains(&peer) {
            return None;
        }
        blocked.push(peer);
        let from = blocked.len().saturating_sub(BLOCKED_MAX);
        let keys: Vec<String> = blocked[from..].iter().map(ToString::to_string).collect();
        Some(Change::Set {
            key: BLOCKED.to_owned(),
            value: Some(keys.join(" ")),
        })
    }

    /// Applies a change in memory.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Favour(favourite) => {
                let old = self.favourites.remove(favourite.place());
                self.favourites
                    .insert(favourite.place().to_owned(), favour(old, favourite));
            }
            Change::Unfavour { place } => {
                self.favourites.remove(place);
            }
            Change::Reached { place, peers } => {
                if let Some(favourite) = self.favourites.get_mut(place) {
                    favourite.peers = reached(peers, &favourite.peers);
                }
            }
            Change::Hide { place, on: true } => {
                self.hidden.insert(place.clone());
            }
            Change::Hide { place, on: false } => {
                self.hidden.remove(place);
            }
            Change::Heard(visit) => {
                let old = self.history.remove(place(&visit.link));
                self.history.insert(place(&visit.link).to_owned(), heard(old, visit));
                forget_oldest(&mut self.history, HISTORY_MAX, |visit| visit.last_unix_s);
            }
            Change::Session {
                channel,
                epoch,
                seen_unix_s,
            } => {
                let known = self.newest.entry(channel.to_string()).or_default();
                *known = newest(*known, *epoch, *seen_unix_s);
                forget_oldest(&mut self.newest, NEWEST_MAX, |newest| newest.seen_unix_s);
            }
            Change::Set {
                key,
                value: Some(value),
            } => {
                self.settings.insert(key.clone(), value.clone());
            }
            Change::Set { key, value: None } => {
                self.settings.remove(key);
            }
        }
    }
}

/// A favourite marked anew keeps what the new mark does not say.
pub fn favour(old: Option<Favourite>, new: &Favourite) -> Favourite {
    let old = old.unwrap_or_default();
    let kept = |new: &String, old: String| if new.is_empty() { old } else { new.clone() };
    Favourite {
        link: new.link.clone(),
        name: kept(&new.name, old.name),
        peers: reached(&new.peers, &old.peers),
        groups: if new.groups.is_empty() {
            old.groups
        } else {
            new.groups.clone()
        },
        genre: kept(&new.genre, old.genre),
        volume: new.volume.or(old.volume),
        added_unix_s: if old.added_unix_s > 0 {
            old.added_unix_s
        } else {
            new.added_unix_s
        },
    }
    .clipped()
}

/// The newest peers first, then the ones known before, without repetition.
pub fn reached(new: &[SocketAddr], old: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut peers: Vec<SocketAddr> = Vec::new();
    for addr in new.iter().chain(old) {
        if !peers.contains(addr) && peers.len() < PEERS_KEPT_MAX {
            peers.push(*addr);
        }
    }
    peers
}

/// A visit added to earlier ones.
pub fn heard(old: Option<Visit>, new: &Visit) -> Visit {
    Visit {
        times: old.map_or(0, |old| old.times).saturating_add(new.times.max(1)),
        ..new.clone()
    }
}

/// The greater of two sessions.
pub fn newest(known: Newest, epoch: Epoch, seen_unix_s: u64) -> Newest {
    Newest {
        epoch: known.epoch.max(epoch.0),
        seen_unix_s: known.seen_unix_s.max(seen_unix_s),
    }
}

fn forget_oldest<T>(map: &mut BTreeMap<String, T>, max: usize, age: impl Fn(&T) -> u64) {
    while map.len() > max {
        let oldest = map
            .iter()
            .min_by_key(|(_, value)| age(value))
            .map(|(key, _)| key.clone());
        match oldest {
            Some(key) => map.remove(&key),
            None => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_session_never_replaces_a_newer_one() {
        let mut library = Library::default();
        let channel = ChannelId([7; 32]);
        for epoch in [5, 9, 3] {
            library.apply(&Change::Session {
                channel,
                epoch: Epoch(epoch),
                seen_unix_s: epoch,
            });
        }
        assert_eq!(library.newest_epoch(channel), Epoch(9));
        assert_eq!(library.newest_epoch(ChannelId([8; 32])), Epoch(0));
    }

    #[test]
    fn marking_again_keeps_groups_peers_and_the_day() {
        let mut library = Library::default();
        let first = Favourite {
            link: "inonda:abc?via=127.0.0.1:1".into(),
            name: "Night".into(),
            peers: vec!["127.0.0.1:1".parse().unwrap()],
            groups: vec!["Jazz".into()],
            added_unix_s: 5,
            ..Favourite::default()
        };
        library.apply(&Change::Favour(first));
        let again = Favourite {
            link: "inonda:abc".into(),
            peers: vec!["127.0.0.1:2".parse().unwrap()],
            added_unix_s: 9,
            ..Favourite::default()
        };
        library.apply(&Change::Favour(again));
        let kept = &library.favourites["abc"];
        assert_eq!(
            (kept.name.as_str(), kept.added_unix_s, kept.peers.len()),
            ("Night", 5, 2)
        );
        assert_eq!(kept.groups, ["Jazz"]);
    }

    #[test]
    fn a_blocked_peer_stays_blocked_and_is_kept_once() {
        let mut library = Library::default();
        for n in 0..BLOCKED_MAX + 1 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(n as u64).to_be_bytes());
            let change = library.blocking(PeerId(key)).unwrap();
            library.apply(&change);
            assert_eq!(library.blocking(PeerId(key)), None);
        }
        let blocked = library.blocked();
        assert_eq!(blocked.len(), BLOCKED_MAX);
        assert!(!blocked.contains(&PeerId([0; 32])), "the oldest made room");
    }

    #[test]
    fn history_is_bounded_and_counts_visits() {
        let mut library = Library::default();
        for turn in 0..HISTORY_MAX as u64 + 20 {
            let link = format!("http://example/{turn}");
            library.apply(&Change::Heard(Visit {
                link,
                last_unix_s: turn,
                ..Visit::default()
            }));
        }
        assert_eq!(library.history.len(), HISTORY_MAX);
        assert!(!library.history.contains_key("http://example/0"));
        let visit = Visit {
            link: "http://example/100".into(),
            last_unix_s: 9_999,
            ..Visit::default()
        };
        library.apply(&Change::Heard(visit));
        assert_eq!(library.history["http://example/100"].times, 2);
    }
}
