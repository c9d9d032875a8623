//! The task of the discovery thread: it owns the catalogue, hears every source, and speaks for this node's own shows.

mod directories;
mod ears;
mod search;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::asker::Told;
use crate::discovery::catalogue::Catalogue;
use crate::discovery::dht::{Dht, DhtNews};
use crate::discovery::directory::follow::News;
use crate::discovery::lan::{Lan, LanNews};
use crate::discovery::listing::{Listing, Origin, OriginState};
use crate::discovery::now::unix_s;
use crate::discovery::service::{Carried, Config, Found, Order, Wants};
use crate::net::Endpoint;
use crate::store::library::Library;
use crate::units::ChannelId;

use directories::Directories;
use ears::{Alive, Neighbour};
use search::Search;
use voice::Said;

/// News of one source that may wait.
const NEWS_MAX: usize = 64;
/// How soon it is looked whether something is due after something has happened, and how often while nothing happens.
const TICK: Duration = Duration::from_millis(250);
const QUIET_TICK: Duration = Duration::from_secs(1);
/// How often the list is made anew while it changes; the first change after a pause is shown at once.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// After this long a source that has not answered counts as silent.
const SETTLED_AFTER: Duration = Duration::from_millis(2_500);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(600);

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
    listed_at: Option<Instant>,
    directories: Directories,
    carried: Arc<Vec<Carried>>,
    said: BTreeMap<ChannelId, Said>,
    shows: watch::Sender<Arc<Vec<Signed>>>,
    wants: watch::Sender<Wants>,
    search: Search,
    lan: Option<Lan>,
    neighbours: BTreeMap<ChannelId, Neighbour>,
    check_at: Instant,
    dht: Option<Dht>,
    refused: BTreeSet<Refusal>,
    tasks: JoinSet<()>,
    lines: JoinSet<()>,
    /// Tasks that end by themselves once they have said the last words.
    askers: JoinSet<()>,
    /// Last words on their way into the DHT.
    farewells: Vec<JoinHandle<()>>,
    senders: Senders,
}

#[derive(Clone)]
struct Senders {
    news: mpsc::Sender<News>,
    told: mpsc::Sender<Told>,
    lan: mpsc::Sender<LanNews>,
    alive: mpsc::Sender<Alive>,
    dht: mpsc::Sender<DhtNews>,
    foreign: mpsc::Sender<(String, Result<Vec<Listing>, String>)>,
}

struct Receivers {
    news: mpsc::Receiver<News>,
    told: mpsc::Receiver<Told>,
    lan: mpsc::Receiver<LanNews>,
    alive: mpsc::Receiver<Alive>,
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
            listed_at: None,
            directories: Directories::default(),
            carried: Arc::default(),
            said: BTreeMap::new(),
            shows: watch::channel(Arc::default()).0,
            wants: watch::channel(wants).0,
            search: Search::new(Instant::now()),
            lan: None,
            neighbours: BTreeMap::new(),
            check_at: Instant::now(),
            dht: None,
            refused: BTreeSet::new(),
            tasks: JoinSet::new(),
            lines: JoinSet::new(),
            askers: JoinSet::new(),
            farewells: Vec::new(),
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
        let mut due = Instant::now();
        loop {
            let mut ticked = false;
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
                Some(alive) = from.alive.recv() => self.on_alive(&alive),
                Some(news) = from.dht.recv() => self.on_dht(news).await,
                Some((list, read)) = from.foreign.recv() => self.on_foreign(list, read),
                () = tokio::time::sleep_until(due) => {
                    ticked = true;
                    self.on_tick().await;
                    let quiet = !self.dirty && self.settled_said;
                    due = Instant::now() + if quiet { QUIET_TICK } else { TICK };
                }
            }
            if !ticked {
                due = due.min(Instant::now() + TICK);
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
            let (entrances, news) = (self.config.bootstrap.clone(), self.senders.dht.clone());
            self.tasks.spawn(async move {
                match Dht::join(entrances, news.clone()).await {
                    Ok(dht) => drop(news.send(DhtNews::Joined(dht)).await),
                    Err(error) => tracing::info!(%error, "the DHT cannot be used"),
                }
            });
            self.origin(Origin::Dht);
        }
        for directory in self.config.directories.clone() {
            self.open_directory(directory, true);
        }
    }

    fn origin(&mut self, origin: Origin) -> &mut OriginState {
        self.origins.entry(origin.clone()).or_insert(OriginState {
            origin,
            channels: 0,
            trouble: None,
        })
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Find(channel) => self.seek(channel),
            Order::Forget(channel) => self.forget(channel),
            Order::Browse => {
                self.wants.send_modify(|wants| wants.browse = true);
                self.search.favourites_at = Instant::now();
            }
            Order::Refresh => {
                self.wants.send_modify(|wants| wants.refresh += 1);
                self.search.look_again(Instant::now());
            }
            Order::Library(library) => {
                self.catalogue.set_library(library);
                self.dirty = true;
            }
        }
    }

    async fn on_tick(&mut self) {
        let now = unix_s();
        self.renew(now);
        self.dirty |= self.catalogue.expire(now);
        self.use_dht();
        self.seek_favourites();
        self.check_neighbours();
        let settled = self.is_settled();
        let recent = self.listed_at.is_some_and(|at| at.elapsed() < LIST_EVERY);
        if settled == self.settled_said && (!self.dirty || recent) {
            return;
        }
        self.listed_at = Some(Instant::now());
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
            for farewell in self.farewells.drain(..) {
                let _ = farewell.await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
        self.askers.abort_all();
        self.tasks.abort_all();
    }
}
