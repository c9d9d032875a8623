//! Finding channels: what discovery is told of this node, and what it finds for the channels and people here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::discovery::announcement::Announcement;
use crate::discovery::listing::{Listing, OriginState};
use crate::discovery::proof::Proof;
use crate::discovery::service::{Carried, Found, Service};
use crate::engine::channel::{Channel, Voice};
use crate::engine::command::Listen;
use crate::engine::event::Level;
use crate::engine::snapshot::Role;
use crate::engine::state::Engine;
use crate::engine::{Event, Link, Target, clock};
use crate::limits::ADDRS_MAX;
use crate::mesh::{self, Input};
use crate::units::{ChannelId, Time};

/// How long a name may take to be found.
const NAME_PATIENCE: Duration = Duration::from_secs(8);
/// A beginning that fits one name only may fit another one that comes a moment later.
const PREFIX_PATIENCE: Duration = Duration::from_millis(1_500);

/// The engine's part of discovery.
#[derive(Default)]
pub struct Finding {
    pub finder: Option<Service>,
    pub listings: Arc<Vec<Listing>>,
    pub origins: Vec<OriginState>,
    settled: bool,
    /// Names that somebody wants to join.
    pending: Vec<Pending>,
}

struct Pending {
    name: String,
    wish: Wish,
    since: Time,
}

/// What is wanted of a channel once it is found.
#[derive(Clone, Debug)]
pub enum Wish {
    Listen(Listen),
    Relay,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Match {
    One(Target, bool),
    Several(Vec<String>),
    None,
}

impl Engine {
    /// Starts to look and to speak, if the node is to.
    pub(super) fn start_finding(&mut self, found: mpsc::Sender<Found>) {
        let Some(config) = self.config.finding.clone() else {
            return;
        };
        let library = Arc::new(self.library.clone());
        match Service::start(config, self.endpoint.clone(), library, found) {
            Ok(finder) => self.finding.finder = Some(finder),
            Err(error) => {
                let message = format!("channels cannot be looked for: {error}");
                self.notice(Level::Warn, message, "close some programs and start again");
            }
        }
    }

    /// Joins what a person named, at once or when it is found.
    pub(super) fn reach(&mut self, target: Target, wish: Wish) {
        match (target, wish) {
            (Target::Channel(link), Wish::Listen(listen)) => self.join_to_listen(link, &listen),
            (Target::Channel(link), Wish::Relay) => {
                self.join(link, Role::Relay, mesh::config::DEADLINE_DEFAULT);
            }
            (Target::Station(url), Wish::Listen(listen)) => self.tune(url, &listen),
            (Target::Station(url), Wish::Relay) => self.tell(Event::Failed {
                code: 2,
                message: format!("{url} is a station, which has no mesh to be relayed in"),
                hint: "`inonda host NAME --station URL` puts it into the mesh".into(),
            }),
            (Target::Name(name), wish) => {
                let since = clock::now();
                self.finding.pending.push(Pending { name, wish, since });
                if let Some(finder) = &self.finding.finder {
                    finder.browse();
                }
                self.resolve_names();
            }
        }
    }

    /// Leaves what was to be heard and has not been heard yet.
    pub(super) fn cancel_join(&mut self) {
        self.finding
            .pending
            .retain(|pending| matches!(pending.wish, Wish::Relay));
        let silent = |channel: &&Channel| channel.listener.is_some() && channel.joined.is_none();
        let waiting: Vec<ChannelId> = self.channels.values().filter(silent).map(|c| c.id).collect();
        waiting.into_iter().for_each(|id| self.leave(id));
    }

    /// Looks for somebody who carries a channel of which nobody to ask is known, for this reason.
    pub(super) fn seek(&mut self, id: ChannelId, why: &str) {
        let private = self.channels.get(&id).is_some_and(Channel::is_private);
        let blind = private || self.config.finding.as_ref().is_none_or(|config| config.is_blind());
        let kept = self.library.favourites.get(&id.to_string());
        if blind && kept.is_none_or(|favourite| favourite.peers.is_empty()) {
            return self.give_up(id, &format!("{why}, and there is nowhere to look"));
        }
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.search.begun(clock::now());
            self.search(id);
        }
    }

    /// Asks everybody for a channel, or for a private one only those who were reached before: its ID is a secret.
    fn search(&mut self, id: ChannelId) {
        let kept = self.library.favourites.get(&id.to_string());
        let kept = kept.map(|favourite| favourite.peers.clone()).unwrap_or_default();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if !kept.is_empty() {
            channel.mesh.handle_input(Input::AddAddrs { addrs: kept }, clock::now());
        }
        if let Some(finder) = self.finding.finder.as_ref().filter(|_| !channel.is_private()) {
            finder.find(id);
        }
    }

    /// Takes in what discovery found.
    pub(super) fn on_found(&mut self, found: Found) {
        match found {
            Found::Peers { channel, addrs } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.mesh.handle_input(Input::AddAddrs { addrs }, clock::now());
                }
            }
            Found::Listings {
                listings,
                origins,
                settled,
            } => {
                self.finding.listings = listings;
                self.finding.origins = origins;
                if settled && !self.finding.settled {
                    self.finding.settled = true;
                    self.tell(Event::Listed);
                }
                self.resolve_names();
            }
            Found::Prove { channel, reply } => {
                let newest = self.channels.get(&channel).and_then(|channel| channel.mesh.newest());
                let proof = newest.map(|(session, chunk)| {
                    Box::new(Proof {
                        session: (*session).clone(),
                        chunk: (*chunk).clone(),
                    })
                });
                let _ = reply.send(proof);
            }
            Found::Trouble { message, hint } => self.notice(Level::Warn, message, hint),
        }
    }

    /// Once a second: what is carried, who is still looked for.
    pub(super) fn on_second_of_finding(&mut self) {
        let now = clock::now();
        let mut due = Vec::new();
        for channel in self.channels.values_mut() {
            let alone = channel.is_alone();
            if channel.search.due(alone, now) {
                due.push(channel.id);
            }
        }
        due.into_iter().for_each(|id| self.search(id));
        self.resolve_names();
        self.tell_carried();
    }

    /// Tells discovery what this node carries.
    pub(super) fn tell_carried(&self) {
        let Some(finder) = &self.finding.finder else { return };
        let gives = self.config.upload_bps != Some(0);
        let carried = self.channels.values().filter_map(|channel| match channel.role {
            Role::Host => {
                let voice = channel.show.as_ref().filter(|_| channel.ready && !self.leaving)?;
                let says = self.announcement(channel, voice)?;
                Some(Carried {
                    channel: channel.id,
                    show: Some((says, voice.key.clone())),
                })
            }
            Role::Listener | Role::Relay => {
                let told = gives && channel.joined.is_some() && !channel.is_private();
                told.then_some(Carried {
                    channel: channel.id,
                    show: None,
                })
            }
        });
        finder.set_carried(carried.collect());
    }

    /// This node is seen from outside at other addresses than before: links of its shows name them from now on.
    pub(super) fn renew_links(&mut self) {
        let addrs = self.dialable_addrs();
        let mut renewed = Vec::new();
        for channel in self.channels.values_mut().filter(|channel| channel.role == Role::Host) {
            let name = channel.link.name.clone().unwrap_or_default();
            let link = Link {
                private: channel.link.private,
                ..Link::new(channel.id, addrs.clone(), &name)
            };
            if link != channel.link {
                channel.link = link;
                renewed.push(channel.id);
            }
        }
        renewed.into_iter().for_each(|id| self.say_on_air(id));
    }

    /// Tells the link of a show of ours that is on air.
    pub(super) fn say_on_air(&self, id: ChannelId) {
        let on_air = |channel: &&Channel| channel.ready && channel.part() == Role::Host;
        if let Some(channel) = self.channels.get(&id).filter(on_air) {
            self.tell(Event::OnAir {
                channel: id,
                link: channel.link.to_string(),
                name: channel.name(),
            });
        }
    }

    fn announcement(&self, channel: &Channel, voice: &Voice) -> Option<Announcement> {
        let session = channel.session.as_ref()?;
        let stats = channel.mesh.stats(clock::now());
        let hosts = self.dialable_addrs();
        // One socket dials and accepts, so that where a relay comes from is where it can be asked.
        let relays_at = stats
            .neighbours
            .iter()
            .filter(|neighbour| neighbour.fed_by_us != 0)
            .map(|neighbour| neighbour.remote)
            .take(ADDRS_MAX)
            .collect();
        Some(Announcement {
            channel: channel.id,
            epoch: session.epoch,
            issued_unix_s: 0,
            on_air: true,
            name: session.name.clone(),
            genre: session.genre.clone(),
            language: voice.language.clone(),
            contact: voice.contact.clone(),
            description: session.description.clone(),
            title: channel.title.clone(),
            codec: session.codec,
            bitrate_bps: session.bitrate_bps,
            started_unix_s: session.epoch.0 / 1_000,
            listeners: stats
                .listeners
                .map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            relays: u32::try_from(stats.children).unwrap_or(u32::MAX),
            health_permille: stats.continuity_mean.map_or(1_000, |mean| (mean * 1_000.0) as u16),
            hosts,
            relays_at,
        })
    }

    /// Joins what has been found by its name, and gives up what has not been for too long.
    fn resolve_names(&mut self) {
        let now = clock::now();
        for pending in std::mem::take(&mut self.finding.pending) {
            let waited = now.since(pending.since);
            let found = self.match_name(&pending.name);
            match found {
                Match::One(target, exact) if exact || waited > PREFIX_PATIENCE => self.reach(target, pending.wish),
                Match::One(..) => self.finding.pending.push(pending),
                _ if waited < NAME_PATIENCE && self.finding.finder.is_some() => self.finding.pending.push(pending),
                Match::Several(names) => self.tell(Event::Failed {
                    code: 3,
                    message: format!("{:?} fits several channels: {}", pending.name, names.join(", ")),
                    hint: "write more of the name, or give the link".into(),
                }),
                Match::None => self.tell(Event::Failed {
                    code: 3,
                    message: format!("no channel is called {:?}", pending.name),
                    hint: "`inonda channels` lists what is on air; a link or an ID always works".into(),
                }),
            }
        }
    }

    fn match_name(&self, name: &str) -> Match {
        let kept = self
            .library
            .favourites
            .values()
            .map(|favourite| (favourite.name.clone(), favourite.link.clone()));
        let listed = self
            .finding
            .listings
            .iter()
            .filter(|listing| listing.playable && listing.on_air)
            .map(|listing| (listing.name.clone(), listing.link.clone()));
        match_name(name, kept, listed)
    }
}

/// A favourite's name first, then a listed name, then the beginning of one; upper and lower case are the same.
fn match_name(
    name: &str,
    kept: impl Iterator<Item = (String, String)>,
    listed: impl Iterator<Item = (String, String)>,
) -> Match {
    let wanted = name.to_lowercase();
    let listed: Vec<(String, String)> = listed.collect();
    let exactly = |(name, _): &(String, String)| name.to_lowercase() == wanted;
    let begins = |(name, _): &(String, String)| name.to_lowercase().starts_with(&wanted);
    let stages: [(Vec<(String, String)>, bool); 3] = [
        (kept.filter(exactly).collect(), true),
        (listed.iter().filter(|row| exactly(row)).cloned().collect(), true),
        (listed.iter().filter(|row| begins(row)).cloned().collect(), false),
    ];
    for (mut found, exact) in stages {
        found.dedup_by(|a, b| same_place(&a.1, &b.1));
        match found.as_slice() {
            [] => {}
            [(_, link)] => return link.parse().map_or(Match::None, |target| Match::One(target, exact)),
            several => {
                let names = several.iter().take(8).map(|(name, link)| match link.parse::<Link>() {
                    Ok(link) => format!("{name} ({})", link.channel.short()),
                    Err(_) => name.clone(),
                });
                return Match::Several(names.collect());
            }
        }
    }
    Match::None
}

fn same_place(a: &str, b: &str) -> bool {
    crate::store::library::place(a) == crate::store::library::place(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, id: u8) -> (String, String) {
        (name.into(), format!("inonda:{}", ChannelId([id; 32])))
    }

    fn found(name: &str, kept: &[(String, String)], listed: &[(String, String)]) -> Match {
        match_name(name, kept.iter().cloned(), listed.iter().cloned())
    }

    #[test]
    fn favourites_come_before_listed_names_and_whole_names_before_beginnings() {
        let kept = [row("Night", 1)];
        let listed = [row("night", 2), row("Nightfall", 3), row("Dawn Chorus", 4)];
        let one = |id, exact| Match::One(row("", id).1.parse().unwrap(), exact);
        assert_eq!(found("NIGHT", &kept, &listed), one(1, true));
        assert_eq!(found("night", &[], &listed), one(2, true));
        assert_eq!(found("dawn", &kept, &listed), one(4, false));
        assert!(matches!(found("nigh", &kept, &listed), Match::Several(names) if names.len() == 2));
        assert_eq!(found("x", &kept, &listed), Match::None);
    }
}
