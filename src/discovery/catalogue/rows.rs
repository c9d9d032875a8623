//! What is known of a channel as a row of the list.

use super::{Catalogue, Known};
use crate::discovery::invite::Link;
use crate::discovery::listing::{Listing, Origin};
use crate::store::library::{Favourite, place};
use crate::units::Codec;

impl Catalogue {
    pub(super) fn row(&self, known: &Known) -> Listing {
        let says = &known.says;
        let link = Link::new(says.channel, says.addrs(), &says.name);
        self.marked(Listing {
            channel: Some(says.channel),
            link: link.to_string(),
            name: says.name.clone(),
            genre: says.genre.clone(),
            language: says.language.clone(),
            description: says.description.clone(),
            contact: says.contact.clone(),
            groups: Vec::new(),
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
    pub(super) fn marked(&self, mut listing: Listing) -> Listing {
        let place = place(&listing.link);
        listing.hidden = self.library.hidden.contains(place);
        let favourite = self.library.favourites.get(place);
        listing.favourite = favourite.is_some();
        listing.groups = favourite.map(|favourite| favourite.groups.clone()).unwrap_or_default();
        if listing.favourite && !listing.sources.contains(&Origin::Favourite) {
            listing.sources.push(Origin::Favourite);
        }
        listing
    }
}

/// A favourite of which nothing is announced; `answering` is whether somebody proved to carry it.
pub(super) fn silent(favourite: &Favourite, answering: bool) -> Listing {
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
        contact: String::new(),
        groups: Vec::new(),
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
    Link {
        private: link.private,
        ..Link::new(link.channel, favourite.peers.clone(), &favourite.name)
    }
}
