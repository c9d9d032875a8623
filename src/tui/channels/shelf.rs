//! The rows of the side bar, what stands on each of them, and what the person keeps that no source lists.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::query::has_genre;
use crate::engine::listing::Listing;
use crate::engine::place;
use crate::engine::snapshot::{Entry, Kept};

/// A row of the side bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shelf {
    OnAir,
    #[default]
    Everything,
    Favourites,
    /// Heard of late, the newest first.
    Recent,
    /// Channels whose key is here.
    Mine,
    /// A group that the person put favourites into.
    Group(String),
    Genre(String),
}

impl Shelf {
    /// The words of the row.
    pub fn name(&self) -> &str {
        match self {
            Shelf::OnAir => "On air now",
            Shelf::Everything => "Everything",
            Shelf::Favourites => "Favourites",
            Shelf::Recent => "Recent",
            Shelf::Mine => "My channels",
            Shelf::Group(name) | Shelf::Genre(name) => name,
        }
    }
}

/// Whether a listing, which no source may list, stands on a shelf.
pub(super) type Test<'a> = Box<dyn Fn(&Listing, bool) -> bool + 'a>;

/// Where the kept channels are, for quick questions.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// How long ago in the order of visits, the newest being zero.
    pub recent: HashMap<String, usize>,
    mine: HashSet<String>,
    pub groups: BTreeMap<String, HashSet<String>>,
}

impl Places {
    pub fn of(kept: &Kept) -> Places {
        let recent = kept.recent.iter().enumerate();
        let own = |link: &String| place(link).to_owned();
        Places {
            recent: recent.map(|(at, entry)| (own(&entry.link), at)).collect(),
            mine: kept.mine.iter().map(|entry| own(&entry.link)).collect(),
            groups: kept
                .groups
                .iter()
                .map(|(name, links)| (name.clone(), links.iter().map(own).collect()))
                .collect(),
        }
    }

    /// Whether a listing stands on a shelf; what no source lists stands only where it is kept.
    pub fn test<'a>(&'a self, shelf: &'a Shelf) -> Test<'a> {
        match shelf {
            Shelf::OnAir => Box::new(|listing, unlisted| listing.on_air && !unlisted),
            Shelf::Everything => Box::new(|_, unlisted| !unlisted),
            Shelf::Favourites => Box::new(|listing, unlisted| listing.favourite && !unlisted),
            Shelf::Recent => Box::new(|listing, _| self.recent.contains_key(place(&listing.link))),
            Shelf::Mine => Box::new(|listing, _| self.mine.contains(place(&listing.link))),
            Shelf::Group(name) => {
                let places = self.groups.get(name);
                Box::new(move |listing, _| places.is_some_and(|places| places.contains(place(&listing.link))))
            }
            Shelf::Genre(name) => Box::new(move |listing, unlisted| !unlisted && has_genre(&listing.genre, name)),
        }
    }
}

/// Rows for what was heard or is the person's own and no source lists now.
pub(super) fn unlisted(listings: &[Listing], kept: &Kept) -> Vec<Listing> {
    let mut missing: HashMap<&str, &Entry> = HashMap::new();
    for entry in &kept.recent {
        missing.insert(place(&entry.link), entry);
    }
    for entry in &kept.mine {
        missing.insert(place(&entry.link), entry);
    }
    for listing in listings {
        missing.remove(place(&listing.link));
    }
    let row = |entry: &Entry| {
        let is_station = !entry.link.starts_with("inonda:");
        Listing {
            channel: None,
            link: entry.link.clone(),
            name: entry.name.clone(),
            genre: String::new(),
            language: String::new(),
            description: String::new(),
            contact: String::new(),
            groups: Vec::new(),
            title: String::new(),
            listeners: None,
            relays: None,
            bitrate_kbps: None,
            codec: String::new(),
            since_unix_s: None,
            sources: Vec::new(),
            // A station is there as a rule; nobody has told of this channel.
            on_air: is_station,
            favourite: false,
            hidden: false,
            playable: true,
            trend: Vec::new(),
        }
    };
    let mut rows: Vec<Listing> = missing.into_values().map(row).collect();
    rows.sort_by(|a, b| a.link.cmp(&b.link));
    rows
}
