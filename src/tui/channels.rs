//! The channel list: what is shown of all listings, in which order, and where the person is in it.

mod query;
mod shelf;

pub use query::Finder;
pub use shelf::Shelf;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use nucleo_matcher::{Config, Matcher};

use self::query::Query;
use self::shelf::{Places, unlisted};
use crate::engine::listing::Listing;
use crate::engine::place;
use crate::engine::snapshot::Kept;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Listeners,
    Name,
    Bitrate,
    Newest,
}

impl Sort {
    /// Every order, as `s` walks through them.
    pub const ALL: [Sort; 4] = [Sort::Listeners, Sort::Name, Sort::Bitrate, Sort::Newest];

    /// The word in the pane's title.
    pub const fn name(self) -> &'static str {
        match self {
            Sort::Listeners => "listeners",
            Sort::Name => "name",
            Sort::Bitrate => "bitrate",
            Sort::Newest => "newest",
        }
    }
}

/// What of the listings is shown, and where the person is.
#[derive(Clone, Debug, Default)]
pub struct ChannelList {
    pub listings: Arc<Vec<Listing>>,
    /// What is kept here and no source lists at this moment; counted on from the end of `listings`.
    unlisted: Vec<Listing>,
    /// What the person has: history, own channels, groups.
    kept: Arc<Kept>,
    /// Places of the kept, by shelf.
    places: Places,
    /// Indexes into `listings` and then `unlisted`, in the order shown.
    pub rows: Vec<u32>,
    pub selected: usize,
    pub query: String,
    pub sort: Sort,
    pub reversed: bool,
    pub shelf: Shelf,
    pub show_hidden: bool,
    /// Only what is on air, on whatever shelf.
    pub on_air_only: bool,
    pub info: bool,
    /// The side bar: rows and how many channels each holds.
    pub shelves: Vec<(Shelf, usize)>,
    pub shelf_selected: usize,
    /// Rows that are folded away because a person hid them.
    pub folded: usize,
    taken_at: Duration,
    behind: bool,
}

/// From so many listings on, new ones are taken only after a pause: sorting 100,000 costs 20 to 50 ms.
const LONG: usize = 20_000;
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Genres in the side bar.
const GENRES_MAX: usize = 24;

impl ChannelList {
    /// Takes new listings, and what the person keeps, and leaves the selected channel selected. A long list that changes
    /// all the time is taken once in a while, so that keys are never kept waiting: see [`ChannelList::is_behind`].
    pub fn take(&mut self, listings: &Arc<Vec<Listing>>, kept: &Arc<Kept>, now: Duration) {
        self.behind = false;
        if Arc::ptr_eq(&self.listings, listings) && (Arc::ptr_eq(&self.kept, kept) || self.kept == *kept) {
            return;
        }
        let long = self.listings.len().min(listings.len()) > LONG;
        if long && self.kept == *kept && now < self.taken_at + LONG_PAUSE {
            self.behind = true;
            return;
        }
        self.taken_at = now;
        let selected = self.selected().map(|listing| listing.link.clone());
        self.listings = Arc::clone(listings);
        self.kept = Arc::clone(kept);
        self.places = Places::of(kept);
        self.unlisted = unlisted(listings, kept);
        self.count_shelves();
        self.filter();
        if let Some(link) = selected {
            self.select_link(&link);
        }
    }

    /// True while newer listings wait to be taken.
    pub const fn is_behind(&self) -> bool {
        self.behind
    }

    /// Moves the selection to a link's channel, if it is shown; the addresses in the link do not matter.
    pub fn select_link(&mut self, link: &str) {
        if let Some(row) = self.rows.iter().position(|index| {
            self.at(*index)
                .is_some_and(|listing| place(&listing.link) == place(link))
        }) {
            self.selected = row;
        }
    }

    /// The selected listing.
    pub fn selected(&self) -> Option<&Listing> {
        self.row(self.selected)
    }

    fn at(&self, index: u32) -> Option<&Listing> {
        let index = index as usize;
        let beyond = index.checked_sub(self.listings.len());
        beyond.map_or_else(|| self.listings.get(index), |at| self.unlisted.get(at))
    }

    /// The listing of a row.
    pub fn row(&self, row: usize) -> Option<&Listing> {
        self.rows.get(row).and_then(|index| self.at(*index))
    }

    /// Works out the rows from query, shelf and order.
    pub fn filter(&mut self) {
        let query = Query::parse(&self.query);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut letters = Vec::new();
        let mut found: Vec<(u32, u32)> = Vec::new();
        self.folded = 0;
        let on_shelf = self.places.test(&self.shelf);
        for (index, listing) in self.listings.iter().chain(&self.unlisted).enumerate() {
            if !on_shelf(listing, index >= self.listings.len()) || (self.on_air_only && !listing.on_air) {
                continue;
            }
            let Some(score) = query.score(listing, &mut matcher, &mut letters) else {
                continue;
            };
            if listing.hidden && !self.show_hidden {
                self.folded += 1;
                continue;
            }
            found.push((index as u32, score));
        }
        let fuzzy = query.words.is_some();
        let of = |index: u32| self.at(index);
        let recency = |index: u32| of(index).and_then(|l| self.places.recent.get(place(&l.link)).copied());
        let sort = self.sort;
        found.sort_unstable_by(|a, b| {
            let best_first = match (fuzzy, &self.shelf) {
                (true, _) => b.1.cmp(&a.1),
                (false, Shelf::Recent) => recency(a.0).cmp(&recency(b.0)),
                (false, _) => std::cmp::Ordering::Equal,
            };
            let by_sort = || match (of(a.0), of(b.0)) {
                (Some(x), Some(y)) => compare(sort, x, y),
                _ => std::cmp::Ordering::Equal,
            };
            best_first.then_with(by_sort).then_with(|| a.0.cmp(&b.0))
        });
        if self.reversed {
            found.reverse();
        }
        self.rows = found.into_iter().map(|(index, _)| index).collect();
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    fn count_shelves(&mut self) {
        let mut genres: HashMap<String, usize> = HashMap::new();
        let mut fixed = vec![
            Shelf::OnAir,
            Shelf::Everything,
            Shelf::Favourites,
            Shelf::Recent,
            Shelf::Mine,
        ];
        fixed.extend(self.places.groups.keys().cloned().map(Shelf::Group));
        let tests: Vec<_> = fixed.iter().map(|shelf| self.places.test(shelf)).collect();
        let mut counts = vec![0; fixed.len()];
        for (index, listing) in self.listings.iter().chain(&self.unlisted).enumerate() {
            if listing.hidden {
                continue;
            }
            let unlisted = index >= self.listings.len();
            for (count, test) in counts.iter_mut().zip(&tests) {
                *count += usize::from(test(listing, unlisted));
            }
            let genre = listing.genre.split([',', '/', ';']).next().unwrap_or_default();
            if unlisted || genre.is_empty() {
                continue;
            }
            match genres.get_mut(genre) {
                Some(count) => *count += 1,
                None => drop(genres.insert(genre.to_owned(), 1)),
            }
        }
        drop(tests);
        // The same word in other letters is the same shelf.
        let mut words: BTreeMap<String, usize> = BTreeMap::new();
        for (genre, count) in genres {
            let word = super::text::clean(&genre).to_lowercase();
            if !word.is_empty() {
                *words.entry(word).or_default() += count;
            }
        }
        let mut words: Vec<(String, usize)> = words.into_iter().collect();
        words.sort_by_key(|(name, count)| (Reverse(*count), name.clone()));
        words.truncate(GENRES_MAX);
        self.shelves = fixed.into_iter().zip(counts).collect();
        let optional = |shelf: &Shelf| matches!(shelf, Shelf::Recent | Shelf::Mine);
        self.shelves
            .retain(|(shelf, count)| *count > 0 || !optional(shelf) || *shelf == self.shelf);
        self.shelves
            .extend(words.into_iter().map(|(name, count)| (Shelf::Genre(name), count)));
        self.shelf_selected = self
            .shelves
            .iter()
            .position(|(shelf, _)| *shelf == self.shelf)
            .unwrap_or(1);
    }

    /// Shows what stands on the n-th row of the side bar.
    pub fn open_shelf(&mut self, row: usize) {
        let Some((shelf, _)) = self.shelves.get(row) else {
            return;
        };
        self.shelf = shelf.clone();
        self.shelf_selected = row;
        self.selected = 0;
        self.filter();
    }

    /// The favourite before or after a link's channel, in the order of the list. Those off the air are passed over unless
    /// all are.
    pub fn favourite_beside(&self, link: Option<&str>, forward: bool) -> Option<&Listing> {
        let marked = self
            .listings
            .iter()
            .filter(|listing| listing.favourite && listing.playable);
        let mut favourites: Vec<&Listing> = marked.collect();
        if favourites.iter().any(|listing| listing.on_air) {
            favourites.retain(|listing| listing.on_air || link.is_some_and(|link| place(&listing.link) == place(link)));
        }
        favourites.sort_by(|a, b| compare(self.sort, a, b));
        if self.reversed {
            favourites.reverse();
        }
        let count = favourites.len();
        let at = link.and_then(|link| {
            favourites
                .iter()
                .position(|listing| place(&listing.link) == place(link))
        });
        let next = match (at, forward) {
            _ if count == 0 => return None,
            (Some(at), true) => (at + 1) % count,
            (Some(at), false) => (at + count - 1) % count,
            (None, true) => 0,
            (None, false) => count - 1,
        };
        favourites.get(next).copied()
    }
}

fn compare(sort: Sort, a: &Listing, b: &Listing) -> std::cmp::Ordering {
    match sort {
        Sort::Listeners => b.on_air.cmp(&a.on_air).then(b.listeners.cmp(&a.listeners)),
        Sort::Name => a.name.cmp(&b.name),
        Sort::Bitrate => b.bitrate_kbps.cmp(&a.bitrate_kbps),
        Sort::Newest => b.since_unix_s.cmp(&a.since_unix_s),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::listing::Origin;

    /// A listing with a name, a genre and listeners.
    pub fn listing(name: &str, genre: &str, listeners: u64) -> Listing {
        Listing {
            channel: None,
            link: format!("https://radio.example/{name}"),
            name: name.into(),
            genre: genre.into(),
            language: "en".into(),
            description: String::new(),
            contact: String::new(),
            groups: Vec::new(),
            title: String::new(),
            listeners: Some(listeners),
            relays: None,
            bitrate_kbps: Some(128),
            codec: "opus".into(),
            since_unix_s: None,
            sources: vec![Origin::Directory("yp.example:80".into())],
            on_air: true,
            favourite: false,
            hidden: false,
            playable: true,
            trend: vec![],
        }
    }

    fn list() -> ChannelList {
        let mut list = ChannelList::default();
        let all = vec![
            listing("Midnight Jazz FM", "jazz", 128),
            listing("深夜ラジオ", "talk", 96),
            listing("Ambient Drift", "ambient", 81),
            listing("Jazz Attic", "jazz, swing", 5),
        ];
        list.take(&Arc::new(all), &Arc::default(), Duration::ZERO);
        list
    }

    fn names(list: &ChannelList) -> Vec<&str> {
        (0..list.rows.len())
            .filter_map(|row| list.row(row))
            .map(|l| l.name.as_str())
            .collect()
    }

    #[test]
    fn the_most_heard_come_first_and_s_changes_that() {
        let mut list = list();
        assert_eq!(names(&list)[0], "Midnight Jazz FM");
        list.sort = Sort::Name;
        list.filter();
        assert_eq!(names(&list)[0], "Ambient Drift");
    }

    #[test]
    fn a_filter_finds_fuzzily_and_terms_must_hold() {
        let mut list = list();
        list.query = "mjz".into();
        list.filter();
        assert_eq!(names(&list), ["Midnight Jazz FM"]);
        list.query = "tag:swing".into();
        list.filter();
        assert_eq!(names(&list), ["Jazz Attic"]);
        list.query = "tag:jazz attic".into();
        list.filter();
        assert_eq!(names(&list), ["Jazz Attic"]);
        list.query = "lang:de".into();
        list.filter();
        assert!(names(&list).is_empty());
        list.query = "深夜 host:yp".into();
        list.filter();
        assert_eq!(names(&list), ["深夜ラジオ"]);
    }

    #[test]
    fn the_selected_channel_stays_selected_when_listings_change() {
        let mut list = list();
        list.selected = 2;
        let mut more: Vec<Listing> = list.listings.to_vec();
        more.insert(0, listing("New One", "x", 9_999));
        list.take(&Arc::new(more), &Arc::default(), Duration::ZERO);
        assert_eq!(list.selected().unwrap().name, "Ambient Drift");
    }

    #[test]
    fn a_long_list_that_changes_all_the_time_is_taken_once_in_a_while() {
        let many = |first: &str| {
            let name = |n: usize| if n == 0 { first.to_owned() } else { format!("c{n}") };
            Arc::new((0..LONG + 1).map(|n| listing(&name(n), "jazz", 9)).collect::<Vec<_>>())
        };
        let mut list = ChannelList::default();
        list.take(&many("a"), &Arc::default(), Duration::from_secs(10));
        let newer = many("b");
        list.take(&newer, &Arc::default(), Duration::from_millis(10_250));
        assert_eq!((list.listings[0].name.as_str(), list.is_behind()), ("a", true));
        list.take(&newer, &Arc::default(), Duration::from_secs(12));
        assert_eq!((list.listings[0].name.as_str(), list.is_behind()), ("b", false));
    }

    #[test]
    fn hidden_rows_fold_away_and_are_counted() {
        let mut list = list();
        let mut all: Vec<Listing> = list.listings.to_vec();
        all[0].hidden = true;
        list.take(&Arc::new(all), &Arc::default(), Duration::ZERO);
        assert_eq!((list.rows.len(), list.folded), (3, 1));
        list.show_hidden = true;
        list.filter();
        assert_eq!(list.rows.len(), 4);
    }
}
