//! The task of the discovery thread: it owns the catalogue, hears every source, and speaks for this node's own shows.

mod ears;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::asker::{Asker, Told};
use crate::discovery::catalogue::Catalogue;
use crate::discovery::dht::{Dht, DhtNews};
use crate::discovery::directory::follow::News;
use crate::discovery::foreign;
use crate::discovery::lan::{Lan, LanNews};
use crate::discovery::listing::{Listing, Origin, OriginState};
use crate::discovery::now::unix_s;
use crate::discovery::service::{Carried, Config, Found, Order, Wants};
use crate::limits::DIRECTORIES_MAX;
use crate::net::Endpoint;
use crate::store::library::Library;
use crate::units::ChannelId;

use voice::Said;

/// News of one source that may wait.
const NEWS_MAX: usize = 64;
/// How often the list is made anew while it changes.
const LIST_EVERY: Duration = Duration::from_millis(250);
/// How often this node announces in the DHT what it carries; nodes there forget after half an hour or more.
const CARRY_EVERY: Duration = Duration::from_secs(600);
/// How often a channel that is wanted is looked for again in the DHT.
const SEEK_EVERY: Duration = Duration::from_secs(4);
/// How often hosts on the local network are asked whether they are still there, while a person looks.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// Answers missing in a row after which one is gone, and channels asked at once.
const MISSING_MAX: u8 = 2;
const CHECKED_MAX: usize = 64;
/// Times it is looked for.
const SEEKS_MAX: u8 = 8;
/// After this long a source that has not answered counts as silent.
const SETTLED_AFTER: Duration = Duration::from_millis(2_500);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(400);

/// The state of the thread.
pub struct Scout {
    config: Config,
    endpoint: Endpoint,
    found: mpsc::Sender<Found>,
    catalogue: Catalogue,
    origins: BTreeMap<Origin, OriginState>,
    /// Sources that have answered or failed.
    answered: BTreeSet<Origin>,
    started: Instant,
    dirty: bool,
    settled_said: bool,
    carried: Arc<Vec<Carried>>,
    said: BTreeMap<ChannelId, Said>,
    shows: watch::Sender<Arc<Vec<Signed>>>,
    wants: watch::Sender<Wants>,
    /// Channels looked for in the DHT: when next, and how often still.
    seeking: BTreeMap<ChannelId, (Instant, u8)>,
    lan: Option<Lan>,
    /// What is heard on the local network, and how many times in a row its host did not answer.
    neighbours: BTreeMap<ChannelId, (Signed, u8)>,
    check_at: Instant,
    dht: Option<Dht>,
    carry_at: Instant,
    refused: BTreeSet<Refusal>,
    tasks: JoinSet<()>,
    /// Tasks that end by themselves once they have said the last words.
    askers: JoinSet<()>,
    senders: Senders,
}

#[derive(Clone)]
struct Senders {
    news: mpsc::Sender<News>,
    told: mpsc::Sender<Told>,
    lan: mpsc::Sender<LanNews>,
    alive: mpsc::Sender<(ChannelId, bool)>,
    dht: mpsc::Sender<DhtNews>,
    foreign: mpsc::Sender<(String, Result<Vec<Listing>, String>)>,
}

struct Receivers {
    news: mpsc::Receiver<News>,
    told: mpsc::Receiver<Told>,
    lan: mpsc::Receiver<LanNews>,
    alive: mpsc::Receiver<(ChannelId, bool)>,
    dht: mpsc::Receiver<DhtNews>,
    foreign: mpsc::Receiver<(String, Result<Vec<Listing>, String>)>,
}

fn channels() -> (Senders, Receivers) {
    let (news, news_rx) = mpsc::channel(NEWS_MAX);
    let (told, told_rx) = mpsc::channel(NEWS_MAX);
    let (lan, lan_rx) = mpsc::channel(NEWS_MAX);
    let (alive, alive_rx) = mpsc::channel(NEWS_MAX);
    let (dht, dht_rx) = mpsc::channel(NEWS_MAX);
    let (foreign, foreign_rx) = mpsc::channel(NEWS_MAX);
    let senders = Senders {
        news,
        told,
        lan,
        alive,
        dht,
        foreign,
    };
    let receivers = Receivers {
        news: news_rx,
        told: told_rx,
        lan: lan_rx,
        alive: alive_rx,
        dht: dht_rx,
        foreign: foreign_rx,
    };
    (senders, receivers)
}

impl Scout {
    /// A scout that has not looked anywhere yet.
    pub fn new(config: Config, endpoint: Endpoint, library: Arc<Library>, found: mpsc::Sender<Found>) -> Scout {
        let mut catalogue = Catalogue::default();
        catalogue.set_library(library);
        let (senders, _) = channels();
        let wants = Wants {
            browse: config.browse,
            ..Wants::default()
        };
        Scout {
            config,
            endpoint,
            found,
            catalogue,
            origins: BTreeMap::new(),
            answered: BTreeSet::new(),
            started: Instant::now(),
            dirty: true,
            settled_said: false,
            carried: Arc::default(),
            said: BTreeMap::new(),
            shows: watch::channel(Arc::default()).0,
            wants: watch::channel(wants).0,
            seeking: BTreeMap::new(),
            lan: None,
            neighbours: BTreeMap::new(),
            check_at: Instant::now(),
            dht: None,
            carry_at: Instant::now(),
            refused: BTreeSet::new(),
            tasks: JoinSet::new(),
            askers: JoinSet::new(),
            senders,
        }
    }

    /// Works until nobody gives orders any more, then takes back what it said.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut carried: watch::Receiver<Arc<Vec<Carried>>>,
    ) {
        let (senders, mut from) = channels();
        self.senders = senders;
        let mut lines = self.endpoint.lines();
        self.open_sources();
        let mut tick = tokio::time::interval(LIST_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.on_order(order),
                    None => break,
                },
                Ok(()) = carried.changed() => {
                    let now = Arc::clone(&carried.borrow_and_update());
                    self.on_carried(now);
                }
                Some(line) = lines.recv() => self.on_line(line),
                Some(news) = from.news.recv() => self.on_news(news),
                Some(told) = from.told.recv() => self.on_told(told).await,
                Some(news) = from.lan.recv() => self.on_lan(news).await,
                Some((channel, alive)) = from.alive.recv() => self.on_alive(channel, alive),
                Some(news) = from.dht.recv() => self.on_dht(news).await,
                Some((list, read)) = from.foreign.recv() => self.on_foreign(list, read),
                _ = tick.tick() => self.on_tick().await,
            }
            while self.tasks.try_join_next().is_some() {}
        }
        self.on_carried(Arc::default());
        self.close().await;
    }

    fn open_sources(&mut self) {
        if self.config.lan {
            match Lan::start(self.senders.lan.clone()) {
                Ok(lan) => self.lan = Some(lan),
                Err(error) => tracing::info!(%error, "the local network cannot be listened to"),
            }
            self.origin(Origin::Lan);
        }
        if self.config.dht {
            match Dht::start(&self.config.bootstrap, self.senders.dht.clone()) {
                Ok(dht) => {
                    dht.find_directories();
                    self.dht = Some(dht);
                }
                Err(error) => tracing::info!(%error, "the DHT cannot be used"),
            }
            self.origin(Origin::Dht);
        }
        for directory in self.config.directories.clone() {
            self.open_directory(directory);
        }
    }

    fn origin(&mut self, origin: Origin) -> &mut OriginState {
        self.origins.entry(origin.clone()).or_insert(OriginState {
            origin,
            channels: 0,
            trouble: None,
        })
    }

    fn open_directory(&mut self, directory: String) {
        let origin = Origin::Directory(directory.clone());
        if self.origins.contains_key(&origin) || self.origins.len() >= DIRECTORIES_MAX {
            return;
        }
        self.origin(origin);
        if foreign::is_list(&directory) {
            let task = foreign::follow(directory, self.wants.subscribe(), self.senders.foreign.clone());
            self.tasks.spawn(task);
            return;
        }
        let asker = Asker {
            directory,
            endpoint: self.endpoint.clone(),
            shows: self.shows.subscribe(),
            wants: self.wants.subscribe(),
            news: self.senders.news.clone(),
            told: self.senders.told.clone(),
        };
        self.askers.spawn(asker.run());
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Find(channel) => {
                let addrs = self.catalogue.addrs(channel);
                self.tell_peers(channel, addrs);
                self.seeking.insert(channel, (Instant::now(), SEEKS_MAX));
                self.wants.send_modify(|wants| {
                    wants.wanted.insert(channel);
                });
            }
            Order::Browse => self.wants.send_modify(|wants| wants.browse = true),
            Order::Refresh => {
                self.wants.send_modify(|wants| wants.refresh += 1);
                if let Some(dht) = &self.dht {
                    dht.find_directories();
                }
                self.seek_favourites();
            }
            Order::Library(library) => {
                self.catalogue.set_library(library);
                self.dirty = true;
            }
        }
    }

    /// Looks for what a person marked: the newest words of each, wherever its host is.
    fn seek_favourites(&self) {
        if let Some(dht) = &self.dht {
            let marked = self.catalogue.silent_favourites();
            marked.into_iter().take(32).for_each(|channel| dht.find_newest(channel));
        }
    }

    async fn on_tick(&mut self) {
        let now = unix_s();
        self.renew(now);
        self.dirty |= self.catalogue.expire(now);
        self.use_dht();
        self.check_neighbours();
        let settled = self.is_settled();
        if !self.dirty && settled == self.settled_said {
            return;
        }
        self.dirty = false;
        self.settled_said = settled;
        for (origin, state) in &mut self.origins {
            state.channels = self.catalogue.count(origin);
        }
        let listings = Found::Listings {
            listings: Arc::new(self.catalogue.listings()),
            origins: self.origins.values().cloned().collect(),
            settled,
        };
        let _ = self.found.send(listings).await;
    }

    /// Whether every directory has answered or failed, and the local network had its two seconds.
    fn is_settled(&self) -> bool {
        let directories = self
            .origins
            .keys()
            .filter(|origin| matches!(origin, Origin::Directory(_)))
            .all(|origin| self.answered.contains(origin));
        let waited = self.started.elapsed();
        let slow = self.config.lan || self.config.dht;
        directories && (!slow || waited >= SETTLED_AFTER) || waited >= 2 * SETTLED_AFTER
    }

    /// Waits a moment for the last announcements to leave.
    async fn close(mut self) {
        self.shows = watch::channel(Arc::default()).0;
        let last_words = async {
            if let Some(lan) = self.lan.take() {
                lan.close().await;
            }
            while self.askers.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
        self.askers.abort_all();
        self.tasks.abort_all();
    }
}
