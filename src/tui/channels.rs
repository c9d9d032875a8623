//! The channel list: what is shown of all listings, in which order, and where the person is in it.

use std::cmp::Reverse;
use std::sync::Arc;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::engine::listing::{Listing, Origin};
use crate::engine::place;

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

/// A row of the side bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shelf {
    OnAir,
    #[default]
    Everything,
    Favourites,
    Genre(String),
}

/// What of the listings is shown, and where the person is.
#[derive(Clone, Debug, Default)]
pub struct ChannelList {
    pub listings: Arc<Vec<Listing>>,
    /// Indexes into `listings`, in the order shown.
    pub rows: Vec<u32>,
    pub selected: usize,
    pub query: String,
    pub sort: Sort,
    pub reversed: bool,
    pub shelf: Shelf,
    pub show_hidden: bool,
    pub info: bool,
    /// The side bar: rows and how many channels each holds.
    pub shelves: Vec<(Shelf, usize)>,
    pub shelf_selected: usize,
    /// Rows that are folded away because a person hid them.
    pub folded: usize,
}

/// Genres in the side bar.
const GENRES_MAX: usize = 24;

impl ChannelList {
    /// Takes new listings and keeps the selected channel selected.
    pub fn take(&mut self, listings: &Arc<Vec<Listing>>) {
        if Arc::ptr_eq(&self.listings, listings) {
            return;
        }
        let selected = self.selected().map(|listing| listing.link.clone());
        self.listings = Arc::clone(listings);
        self.count_shelves();
        self.filter();
        if let Some(link) = selected {
            self.select_link(&link);
        }
    }

    /// Moves the selection to a link's channel, if it is shown; the addresses in the link do not matter.
    pub fn select_link(&mut self, link: &str) {
        if let Some(row) = self
            .rows
            .iter()
            .position(|index| place(&self.listings[*index as usize].link) == place(link))
        {
            self.selected = row;
        }
    }

    /// The selected listing.
    pub fn selected(&self) -> Option<&Listing> {
        self.rows
            .get(self.selected)
            .and_then(|index| self.listings.get(*index as usize))
    }

    /// The listing of a row.
    pub fn row(&self, row: usize) -> Option<&Listing> {
        self.rows.get(row).and_then(|index| self.listings.get(*index as usize))
    }

    /// Works out the rows from query, shelf and order.
    pub fn filter(&mut self) {
        let query = Query::parse(&self.query);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut letters = Vec::new();
        let mut found: Vec<(u32, u32)> = Vec::new();
        self.folded = 0;
        for (index, listing) in self.listings.iter().enumerate() {
            if listing.hidden && !self.show_hidden {
                self.folded += 1;
                continue;
            }
            if !on_shelf(listing, &self.shelf) {
                continue;
            }
            if let Some(score) = query.score(listing, &mut matcher, &mut letters) {
                found.push((index as u32, score));
            }
        }
        let fuzzy = query.words.is_some();
        let listings = &self.listings;
        let sort = self.sort;
        found.sort_by(|a, b| {
            let (x, y) = (&listings[a.0 as usize], &listings[b.0 as usize]);
            let best_first = if fuzzy {
                b.1.cmp(&a.1)
            } else {
                std::cmp::Ordering::Equal
            };
            best_first.then_with(|| compare(sort, x, y)).then_with(|| a.0.cmp(&b.0))
        });
        if self.reversed {
            found.reverse();
        }
        self.rows = found.into_iter().map(|(index, _)| index).collect();
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    fn count_shelves(&mut self) {
        let mut genres: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for listing in self.listings.iter().filter(|listing| !listing.hidden) {
            let genre =
                super::text::clean(listing.genre.split([',', '/', ';']).next().unwrap_or_default()).to_lowercase();
            if !genre.is_empty() {
                *genres.entry(genre).or_default() += 1;
            }
        }
        let count = |shelf: &Shelf| self.listings.iter().filter(|l| !l.hidden && on_shelf(l, shelf)).count();
        self.shelves = [Shelf::OnAir, Shelf::Everything, Shelf::Favourites]
            .into_iter()
            .map(|shelf| (shelf.clone(), count(&shelf)))
            .collect();
        let mut genres: Vec<(String, usize)> = genres.into_iter().collect();
        genres.sort_by_key(|(name, count)| (Reverse(*count), name.clone()));
        genres.truncate(GENRES_MAX);
        self.shelves
            .extend(genres.into_iter().map(|(name, count)| (Shelf::Genre(name), count)));
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

impl Shelf {
    /// The words of the row.
    pub fn name(&self) -> &str {
        match self {
            Shelf::OnAir => "On air now",
            Shelf::Everything => "Everything",
            Shelf::Favourites => "Favourites",
            Shelf::Genre(name) => name,
        }
    }
}

fn on_shelf(listing: &Listing, shelf: &Shelf) -> bool {
    match shelf {
        Shelf::OnAir => listing.on_air,
        Shelf::Everything => true,
        Shelf::Favourites => listing.favourite,
        Shelf::Genre(name) => listing.genre.to_lowercase().contains(name.as_str()),
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

/// A filter line: words to be found fuzzily, and `tag:`, `host:`, `lang:` terms that must all hold.
struct Query {
    words: Option<Pattern>,
    terms: Vec<(Field, String)>,
}

#[derive(Clone, Copy)]
enum Field {
    Tag,
    Host,
    Language,
}

impl Query {
    fn parse(text: &str) -> Query {
        let mut words = String::new();
        let mut terms = Vec::new();
        for word in text.split_whitespace() {
            let field = match word.split_once(':') {
                Some(("tag" | "genre", rest)) => Some((Field::Tag, rest)),
                Some(("host" | "key", rest)) => Some((Field::Host, rest)),
                Some(("lang", rest)) => Some((Field::Language, rest)),
                Some(_) | None => None,
            };
            match field {
                Some((field, rest)) => terms.push((field, rest.to_lowercase())),
                None => {
                    words.push(' ');
                    words.push_str(word);
                }
            }
        }
        let words = (!words.is_empty()).then(|| Pattern::parse(&words, CaseMatching::Ignore, Normalization::Smart));
        Query { words, terms }
    }

    /// How well a listing suits; `None` when it does not.
    fn score(&self, listing: &Listing, matcher: &mut Matcher, letters: &mut Vec<char>) -> Option<u32> {
        for (field, wanted) in &self.terms {
            let held =
                match field {
                    Field::Tag => listing.genre.to_lowercase().contains(wanted),
                    Field::Language => listing.language.to_lowercase().contains(wanted),
                    Field::Host => listing.link.to_lowercase().contains(wanted)
                        || listing.sources.iter().any(
                            |source| matches!(source, Origin::Directory(name) if name.to_lowercase().contains(wanted)),
                        ),
                };
            if !held {
                return None;
            }
        }
        let Some(words) = &self.words else { return Some(0) };
        let mut score = |text: &str, weight: u32| {
            if text.is_empty() {
                None
            } else {
                words.score(Utf32Str::new(text, letters), matcher).map(|s| s * weight)
            }
        };
        let name = score(&listing.name, 4);
        let title = score(&listing.title, 2);
        let genre = score(&listing.genre, 2);
        [name, title, genre].into_iter().flatten().max()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A listing with a name, a genre and listeners.
    pub fn listing(name: &str, genre: &str, listeners: u64) -> Listing {
        Listing {
            channel: None,
            link: format!("https://radio.example/{name}"),
            name: name.into(),
            genre: genre.into(),
            language: "en".into(),
            description: String::new(),
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
        list.take(&Arc::new(all));
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
        list.take(&Arc::new(more));
        assert_eq!(list.selected().unwrap().name, "Ambient Drift");
    }

    #[test]
    fn hidden_rows_fold_away_and_are_counted() {
        let mut list = list();
        let mut all: Vec<Listing> = list.listings.to_vec();
        all[0].hidden = true;
        list.take(&Arc::new(all));
        assert_eq!((list.rows.len(), list.folded), (3, 1));
        list.show_hidden = true;
        list.filter();
        assert_eq!(list.rows.len(), 4);
    }
}
