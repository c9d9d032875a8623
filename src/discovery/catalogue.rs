//! Everything known of channels from every source, folded into one row a channel. Pure: time is an argument.
//!
//! The newest announcement wins wherever it came from, and a channel stays as long as any source lists it: a directory that
//! drops, invents or keeps old entries can neither hide a channel nor bring one back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::discovery::announcement::{Announcement, Signed, VALID_S};
use crate::discovery::invite::Link;
use crate::discovery::listing::{Listing, Origin};
use crate::limits::CATALOGUE_MAX;
use crate::store::library::{Favourite, Library, place};
use crate::units::{ChannelId, Codec};

/// Seconds for which an answer of a favourite's peer counts: it is asked each minute.
const ANSWER_COUNTS_S: u64 = 150;
/// Seconds between two points of a trend, and how many make the hour.
const TREND_EVERY_S: u64 = 300;
const TREND_POINTS: usize = 12;

/// What is known.
#[derive(Default)]
pub struct Catalogue {
    channels: BTreeMap<ChannelId, Known>,
    /// Lists of other programs, by their address.
    foreign: BTreeMap<Origin, Vec<Listing>>,
    library: Arc<Library>,
    /// Favourites that nobody lists and that answered where they were last reached; until when that counts.
    answering: BTreeMap<ChannelId, u64>,
}

struct Known {
    says: Announcement,
    /// Who lists it, and until when that counts.
    sources: BTreeMap<Origin, u64>,
    /// When its host said that the show is over, until that can no longer be contradicted.
    ended: bool,
    trend: Vec<u32>,
    trend_at: u64,
}

impl Catalogue {
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
        let room = self.channels.len() < CATALOGUE_MAX;
        let Some(known) = self.channels.get_mut(&says.channel) else {
            if room {
                let mut known = Known {
                    says: says.clone(),
                    sources: BTreeMap::new(),
                    ended: !says.on_air,
                    trend: vec![says.listeners],
                    trend_at: now_unix_s,
                };
                if says.on_air {
                    known.sources.insert(origin.clone(), says.expires_unix_s());
                }
                self.channels.insert(says.channel, known);
            }
            return room;
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
        news || first
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
    pub fn set_foreign(&mut self, origin: Origin, listings: Vec<Listing>) {
        self.foreign.insert(origin, listings);
    }

    /// Forgets what has expired; true when something that was shown went.
    pub fn expire(&mut self, now_unix_s: u64) -> bool {
        let answering = self.answering.len();
        self.answering.retain(|_, until| *until > now_unix_s);
        let mut changed = self.answering.len() != answering;
        self.channels.retain(|_, known| {
            let before = known.sources.len();
            known.sources.retain(|_, until| *until > now_unix_s);
            changed |= known.sources.len() != before;
            !known.sources.is_empty() || known.says.issued_unix_s + VALID_S > now_unix_s
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
        own + self.foreign.get(origin).map_or(0, Vec::len)
    }

    /// Every row, favourites that nobody announces included.
    pub fn listings(&self) -> Vec<Listing> {
        let mut listings = Vec::with_capacity(self.channels.len());
        let mut shown: BTreeSet<String> = BTreeSet::new();
        for (channel, known) in self.channels.iter().filter(|(_, known)| !known.sources.is_empty()) {
            shown.insert(channel.to_string());
            listings.push(self.row(known));
        }
        for listing in self.foreign.values().flatten() {
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

    fn row(&self, known: &Known) -> Listing {
        let says = &known.says;
        let link = Link::new(says.channel, says.addrs(), &says.name);
        self.marked(Listing {
            channel: Some(says.channel),
            link: link.to_string(),
            name: says.name.clone(),
            genre: says.genre.clone(),
            language: says.language.clone(),
            description: says.description.clone(),
            title: says.title.clone(),
            listeners: Some(u64::from(says.listeners)),
            relays: Some(u64::from(says.relays)),
            bitrate_kbps: Some(says.bitrate_bps / 1_000),
            codec: match says.codec {
                Codec::Opus => "opus".into(),
                Codec::Flac => "flac".into(),
            },
            since_unix_s: Some(says.started_unix_s),
            sources: known.sources.keys().cloned().collect(),
            on_air: true,
            favourite: false,
            hidden: false,
            playable: true,
            trend: known.trend.clone(),
        })
    }

    /// What the person said about the row.
    fn marked(&self, mut listing: Listing) -> Listing {
        let place = place(&listing.link);
        listing.hidden = self.library.hidden.contains(place);
        listing.favourite = self.library.favourites.contains_key(place);
        if listing.favourite && !listing.sources.contains(&Origin::Favourite) {
            listing.sources.push(Origin::Favourite);
        }
        listing
    }
}

/// A favourite of which nothing is announced; `answering` is whether somebody proved to carry it.
fn silent(favourite: &Favourite, answering: bool) -> Listing {
    let link = favourite.link.parse::<Link>().ok();
    let is_station = link.is_none();
    let source = if is_station { Origin::Station } else { Origin::Favourite };
    Listing {
        channel: link.as_ref().map(|link| link.channel),
        link: link.map_or_else(
            || favourite.link.clone(),
            |link| with_peers(link, favourite).to_string(),
        ),
        name: favourite.name.clone(),
        genre: favourite.genre.clone(),
        language: String::new(),
        description: String::new(),
        title: String::new(),
        listeners: None,
        relays: None,
        bitrate_kbps: None,
        codec: String::new(),
        since_unix_s: None,
        sources: vec![source],
        // A station is there day and night as far as anybody knows.
        on_air: is_station || answering,
        favourite: true,
        hidden: false,
        playable: true,
        trend: Vec::new(),
    }
}

fn with_peers(link: Link, favourite: &Favourite) -> Link {
    if favourite.peers.is_empty() {
        return link;
    }
    Link::new(link.channel, favourite.peers.clone(), &favourite.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::announcement::tests::{announcement, key, with};
    use crate::store::library::Change;
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
