//! Everything known of channels from every source, folded into one row a channel. Pure: time is an argument.
//!
//! No source can fill it: when it is full, a newcomer takes the place of a channel that only the largest source lists.
//! The newest announcement wins wherever it came from, and a channel stays as long as any source lists it: a directory that
//! drops, invents or keeps old entries can neither hide a channel nor bring one back.

mod rows;
mod shares;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::discovery::announcement::{Announcement, Signed, VALID_S};
use crate::discovery::invite::Link;
use crate::discovery::listing::{Listing, Origin};
use crate::limits::CATALOGUE_MAX;
use crate::store::library::{Library, place};
use crate::units::ChannelId;

use rows::silent;
use shares::Shares;

/// Channels of the largest source that are looked at for one that nobody else lists.
const VICTIMS_MAX: usize = 64;
/// Seconds for which an answer of a favourite's peer counts: it is asked each minute.
const ANSWER_COUNTS_S: u64 = 150;
/// Seconds between two points of a trend, and how many make the hour.
const TREND_EVERY_S: u64 = 300;
const TREND_POINTS: usize = 12;

/// What is known.
pub struct Catalogue {
    channels: BTreeMap<ChannelId, Known>,
    channels_max: usize,
    shares: Shares,
    /// Lists of other programs, by their address, and until when each counts.
    foreign: BTreeMap<Origin, (u64, Vec<Listing>)>,
    library: Arc<Library>,
    /// Favourites that nobody lists and that answered where they were last reached; until when that counts.
    answering: BTreeMap<ChannelId, u64>,
}

struct Known {
    says: Announcement,
    /// Who lists it, and until when that counts.
    sources: BTreeMap<Origin, u64>,
    /// The source for which it counts.
    brought_by: Origin,
    /// When its host said that the show is over, until that can no longer be contradicted.
    ended: bool,
    trend: Vec<u32>,
    trend_at: u64,
}

impl Default for Catalogue {
    fn default() -> Catalogue {
        Catalogue::of_at_most(CATALOGUE_MAX)
    }
}

impl Catalogue {
    /// An empty one that holds so many channels.
    pub fn of_at_most(channels_max: usize) -> Catalogue {
        Catalogue {
            channels: BTreeMap::new(),
            channels_max,
            shares: Shares::default(),
            foreign: BTreeMap::new(),
            library: Arc::default(),
            answering: BTreeMap::new(),
        }
    }

    /// Takes favourites and hidden channels anew.
    pub fn set_library(&mut self, library: Arc<Library>) {
        self.library = library;
    }

    /// Takes an announcement from a source; false when it says nothing new.
    pub fn hear(&mut self, origin: &Origin, signed: &Signed, now_unix_s: u64) -> bool {
        let says = &signed.says;
        if says.check_time(now_unix_s).is_err() {
            return false;
        }
        let Some(known) = self.channels.get_mut(&says.channel) else {
            return self.add(origin, says, now_unix_s);
        };
        let older = says.age_order() < known.says.age_order();
        if older && known.ended {
            return false;
        }
        let news = says.age_order() > known.says.age_order();
        if news {
            known.says = says.clone();
            known.ended = !says.on_air;
            if now_unix_s >= known.trend_at + TREND_EVERY_S {
                known.trend_at = now_unix_s;
                known.trend.push(says.listeners);
                let extra = known.trend.len().saturating_sub(TREND_POINTS);
                known.trend.drain(..extra);
            }
        }
        if known.ended {
            known.sources.clear();
            return news;
        }
        let until = known.sources.entry(origin.clone()).or_default();
        let first = *until == 0;
        *until = (*until).max(says.expires_unix_s());
        // It counts for the smallest of those that list it, so that nobody makes honest channels their own.
        if first && self.shares.count(origin) < self.shares.count(&known.brought_by) {
            self.shares.take(&known.brought_by, says.channel);
            self.shares.give(origin, says.channel);
            known.brought_by = origin.clone();
        }
        news || first
    }

    fn add(&mut self, origin: &Origin, says: &Announcement, now_unix_s: u64) -> bool {
        if self.channels.len() >= self.channels_max && !self.make_room(origin) {
            return false;
        }
        let mut known = Known {
            says: says.clone(),
            sources: BTreeMap::new(),
            brought_by: origin.clone(),
            ended: !says.on_air,
            trend: vec![says.listeners],
            trend_at: now_unix_s,
        };
        if says.on_air {
            known.sources.insert(origin.clone(), says.expires_unix_s());
        }
        self.shares.give(origin, says.channel);
        self.channels.insert(says.channel, known);
        true
    }

    /// Takes out a channel that only the largest source lists, for one of a smaller source.
    fn make_room(&mut self, origin: &Origin) -> bool {
        let Some((largest, brought)) = self.shares.largest() else {
            return false;
        };
        if brought.len() <= self.shares.count(origin) + 1 {
            return false;
        }
        let only = |channel: &&ChannelId| {
            let known = self.channels.get(channel);
            known.is_none_or(|known| known.sources.keys().all(|source| source == largest))
        };
        let Some(victim) = brought.iter().take(VICTIMS_MAX).find(only).copied() else {
            return false;
        };
        let largest = largest.clone();
        self.shares.take(&largest, victim);
        self.channels.remove(&victim);
        true
    }

    /// A source no longer lists a channel.
    pub fn lose(&mut self, origin: &Origin, channel: ChannelId) -> bool {
        self.channels
            .get_mut(&channel)
            .is_some_and(|known| known.sources.remove(origin).is_some())
    }

    /// A source lists nothing but these.
    pub fn keep_only(&mut self, origin: &Origin, listed: &BTreeSet<ChannelId>) {
        for (channel, known) in &mut self.channels {
            if !listed.contains(channel) {
                known.sources.remove(origin);
            }
        }
    }

    /// Takes the list of another program in place of the one before.
    pub fn set_foreign(&mut self, origin: Origin, listings: Vec<Listing>, now_unix_s: u64) {
        self.foreign.insert(origin, (now_unix_s + VALID_S, listings));
    }

    /// Forgets what has expired; true when something that was shown went.
    pub fn expire(&mut self, now_unix_s: u64) -> bool {
        let answering = self.answering.len();
        self.answering.retain(|_, until| *until > now_unix_s);
        let mut changed = self.answering.len() != answering;
        let foreign = self.foreign.len();
        self.foreign.retain(|_, (until, _)| *until > now_unix_s);
        changed |= self.foreign.len() != foreign;
        let shares = &mut self.shares;
        self.channels.retain(|channel, known| {
            let before = known.sources.len();
            known.sources.retain(|_, until| *until > now_unix_s);
            changed |= known.sources.len() != before;
            let stays = !known.sources.is_empty() || known.says.issued_unix_s + VALID_S > now_unix_s;
            if !stays {
                shares.take(&known.brought_by, *channel);
            }
            stays
        });
        changed
    }

    /// Where a channel may be asked for, the freshest words first.
    pub fn addrs(&self, channel: ChannelId) -> Vec<SocketAddr> {
        let announced = self
            .channels
            .get(&channel)
            .filter(|known| !known.ended)
            .map(|known| known.says.addrs());
        let kept = self
            .library
            .favourites
            .get(&channel.to_string())
            .map(|favourite| favourite.peers.clone());
        announced
            .into_iter()
            .flatten()
            .chain(kept.into_iter().flatten())
            .collect()
    }

    /// Favourites of which nobody but the DHT speaks at this moment, and where each was last reached.
    pub fn silent_favourites(&self) -> Vec<(ChannelId, Vec<SocketAddr>)> {
        let spoken = |channel: &ChannelId| {
            self.channels
                .get(channel)
                .is_some_and(|known| known.sources.keys().any(|origin| *origin != Origin::Dht))
        };
        self.library
            .favourites
            .iter()
            // Of a private channel nobody is told, not even by asking.
            .filter(|(_, favourite)| !favourite.link.parse::<Link>().is_ok_and(|link| link.private))
            .filter_map(|(place, favourite)| Some((place.parse().ok()?, favourite.peers.clone())))
            .filter(|(channel, _)| !spoken(channel))
            .collect()
    }

    /// Whether a favourite answered where it was last reached; true when that is news.
    pub fn answers(&mut self, channel: ChannelId, answers: bool, now_unix_s: u64) -> bool {
        match answers {
            true => self.answering.insert(channel, now_unix_s + ANSWER_COUNTS_S).is_none(),
            false => self.answering.remove(&channel).is_some(),
        }
    }

    /// Channels that one source lists.
    pub fn count(&self, origin: &Origin) -> usize {
        let own = self
            .channels
            .values()
            .filter(|known| known.sources.contains_key(origin))
            .count();
        own + self.foreign.get(origin).map_or(0, |(_, listings)| listings.len())
    }

    /// Every row, favourites that nobody announces included.
    pub fn listings(&self) -> Vec<Listing> {
        let mut listings = Vec::with_capacity(self.channels.len());
        let mut shown: BTreeSet<String> = BTreeSet::new();
        for (channel, known) in self.channels.iter().filter(|(_, known)| !known.sources.is_empty()) {
            shown.insert(channel.to_string());
            listings.push(self.row(known));
        }
        for listing in self.foreign.values().flat_map(|(_, listings)| listings) {
            if shown.insert(place(&listing.link).to_owned()) {
                listings.push(self.marked(listing.clone()));
            }
        }
        for (place, favourite) in &self.library.favourites {
            if !shown.contains(place) {
                let answering = place.parse().is_ok_and(|channel| self.answering.contains_key(&channel));
                listings.push(self.marked(silent(favourite, answering)));
            }
        }
        listings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::announcement::tests::{announcement, key, with};
    use crate::store::library::{Change, Favourite};
    use crate::units::Epoch;

    const NOW: u64 = 1_800_000_000;

    fn directory(name: &str) -> Origin {
        Origin::Directory(name.into())
    }

    fn id(seed: u32) -> ChannelId {
        ChannelId(key(seed).verifying_key().to_bytes())
    }

    #[test]
    fn one_row_a_channel_with_all_its_sources_and_the_newest_words() {
        let mut catalogue = Catalogue::default();
        let newer = with(1, NOW + 5, |says| {
            says.epoch = Epoch(NOW * 1_000);
            says.title = "New".into();
        });
        assert!(catalogue.hear(&directory("a"), &announcement(1, NOW), NOW + 5));
        assert!(catalogue.hear(&Origin::Lan, &newer, NOW + 5));
        assert!(!catalogue.hear(&directory("a"), &announcement(1, NOW), NOW + 5));
        let rows = catalogue.listings();
        assert_eq!((rows.len(), rows[0].title.as_str()), (1, "New"));
        assert_eq!(rows[0].sources, [Origin::Lan, directory("a")]);
    }

    #[test]
    fn a_directory_that_drops_a_channel_cannot_hide_it() {
        let mut catalogue = Catalogue::default();
        for name in ["honest", "liar"] {
            catalogue.hear(&directory(name), &announcement(1, NOW), NOW);
        }
        catalogue.lose(&directory("liar"), id(1));
        catalogue.keep_only(&directory("liar"), &BTreeSet::new());
        assert_eq!(catalogue.listings().len(), 1);
        catalogue.lose(&directory("honest"), id(1));
        assert!(catalogue.listings().is_empty());
    }

    #[test]
    fn a_stale_directory_cannot_bring_an_ended_show_back() {
        let mut catalogue = Catalogue::default();
        let stale = announcement(1, NOW);
        let goodbye = with(1, NOW + 9, |says| {
            says.epoch = Epoch(NOW * 1_000);
            says.on_air = false;
        });
        catalogue.hear(&directory("a"), &stale, NOW);
        assert!(catalogue.hear(&directory("b"), &goodbye, NOW + 9));
        assert!(!catalogue.hear(&directory("a"), &stale, NOW + 10));
        assert!(catalogue.listings().is_empty());
        // The next show is another matter.
        assert!(catalogue.hear(&directory("a"), &announcement(1, NOW + 60), NOW + 60));
        assert_eq!(catalogue.listings().len(), 1);
    }

    #[test]
    fn a_directory_that_invents_channels_pushes_out_its_own_only() {
        let mut catalogue = Catalogue::of_at_most(40);
        let list = |catalogue: &mut Catalogue, who: &str, seeds: std::ops::Range<u32>| {
            seeds
                .filter(|seed| catalogue.hear(&directory(who), &announcement(*seed, NOW), NOW))
                .count()
        };
        list(&mut catalogue, "honest", 0..10);
        // It repeats what others list, too, as if it had brought it.
        list(&mut catalogue, "liar", 0..10);
        assert_eq!(list(&mut catalogue, "liar", 100..200), 30);
        assert_eq!(list(&mut catalogue, "friend", 20..30), 10);
        let rows = catalogue.listings();
        let shown = |seeds: std::ops::Range<u32>| {
            seeds
                .filter(|seed| rows.iter().any(|row| row.channel == Some(id(*seed))))
                .count()
        };
        assert_eq!((shown(0..10), shown(20..30), rows.len()), (10, 10, 40));
    }

    #[test]
    fn a_list_of_another_program_goes_when_it_can_no_longer_be_read() {
        let mut catalogue = Catalogue::default();
        let origin = directory("http://yp.example/index.txt");
        let line = |id: &str| {
            format!(
                "Same contact<>{id}<>127.0.0.1:7144<>http://forum.example/<>g<>d<>1<>1<>64<>OPUS<><><><><><><><><>0"
            )
        };
        let text = [line("AA11"), line("BB22"), line("BB22")].join("\n");
        catalogue.set_foreign(origin.clone(), crate::discovery::index_txt::read(&text, &origin), NOW);
        let rows = catalogue.listings();
        assert_eq!(rows.len(), 2, "two channels of one contact are two");
        assert!(
            rows.iter()
                .all(|row| !row.playable && row.contact == "http://forum.example/")
        );
        assert!(!catalogue.expire(NOW + VALID_S - 1) && catalogue.expire(NOW + VALID_S));
        assert!(catalogue.listings().is_empty());
    }

    #[test]
    fn what_is_not_renewed_goes() {
        let mut catalogue = Catalogue::default();
        catalogue.hear(&directory("a"), &announcement(1, NOW), NOW);
        assert!(!catalogue.expire(NOW + VALID_S - 1));
        assert!(catalogue.expire(NOW + VALID_S));
        assert!(catalogue.listings().is_empty());
    }

    #[test]
    fn favourites_are_listed_even_when_nobody_announces_them() {
        let mut catalogue = Catalogue::default();
        let mut library = Library::default();
        for link in [format!("inonda:{}", id(1)), "http://radio.example/live".to_owned()] {
            library.apply(&Change::Favour(Favourite {
                link,
                name: "Kept".into(),
                peers: vec!["127.0.0.1:5".parse().unwrap()],
                ..Favourite::default()
            }));
        }
        library.apply(&Change::Hide {
            place: id(2).to_string(),
            on: true,
        });
        catalogue.set_library(Arc::new(library));
        catalogue.hear(&Origin::Lan, &announcement(2, NOW), NOW);
        let rows = catalogue.listings();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().any(|row| row.hidden && row.channel == Some(id(2))));
        assert!(
            rows.iter()
                .any(|row| row.channel == Some(id(1)) && !row.on_air && row.favourite)
        );
        assert_eq!(catalogue.addrs(id(1)), ["127.0.0.1:5".parse().unwrap()]);
        catalogue.hear(&Origin::Lan, &announcement(1, NOW), NOW);
        assert_eq!(catalogue.listings().len(), 3);
        assert_eq!(catalogue.addrs(id(1))[0], "127.0.0.1:7144".parse().unwrap());
    }
}
