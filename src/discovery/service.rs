//! Discovery as a node uses it: one thread that listens to every source, says what this node carries, and finds channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot, watch};

use crate::discovery::announcement::Announcement;
use crate::discovery::listing::{Listing, OriginState};
use crate::discovery::proof::Proof;
use crate::discovery::scout::Scout;
use crate::net::Endpoint;
use crate::store::library::Library;
use crate::units::ChannelId;

/// Orders that may wait.
const ORDERS_MAX: usize = 64;

/// Where a node looks and speaks.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub lan: bool,
    pub dht: bool,
    /// Entrances of the DHT as `host:port`; its usual ones when empty.
    pub bootstrap: Vec<String>,
    /// Directories as `host:port`, and lists of other programs as `http://…/index.txt`.
    pub directories: Vec<String>,
    /// Whether a person looks at lists from the start.
    pub browse: bool,
}

impl Config {
    /// Whether there is anywhere to look.
    pub fn is_blind(&self) -> bool {
        !self.lan && !self.dht && self.directories.is_empty()
    }
}

/// A channel that this node carries and may be found for.
#[derive(Clone)]
pub struct Carried {
    pub channel: ChannelId,
    /// Our own show, with the key that signs what is said about it.
    pub show: Option<(Announcement, SigningKey)>,
}

impl PartialEq for Carried {
    fn eq(&self, other: &Carried) -> bool {
        let says = |carried: &Carried| carried.show.as_ref().map(|(says, _)| says.clone());
        self.channel == other.channel && says(self) == says(other)
    }
}

/// What is asked of discovery.
#[derive(Debug)]
pub(super) enum Order {
    Find(ChannelId),
    Forget(ChannelId),
    Refresh,
    Browse,
    Library(Arc<Library>),
}

/// What discovery tells the engine.
#[derive(Debug)]
pub enum Found {
    /// Somebody at these addresses may carry the channel.
    Peers { channel: ChannelId, addrs: Vec<SocketAddr> },
    /// The list as it is now, and how its sources do.
    Listings {
        listings: Arc<Vec<Listing>>,
        origins: Vec<OriginState>,
        /// Whether every source has answered or failed at least once.
        settled: bool,
    },
    /// Somebody wants to know whether this node carries a channel.
    Prove {
        channel: ChannelId,
        reply: oneshot::Sender<Option<Box<Proof>>>,
    },
    /// A person should know.
    Trouble { message: String, hint: String },
}

/// The handle of the discovery thread.
pub struct Service {
    orders: mpsc::Sender<Order>,
    carried: watch::Sender<Arc<Vec<Carried>>>,
    done: Option<oneshot::Receiver<()>>,
}

impl Service {
    /// Starts on a thread of its own; what is found goes to `found`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        config: Config,
        endpoint: Endpoint,
        library: Arc<Library>,
        found: mpsc::Sender<Found>,
    ) -> std::io::Result<Service> {
        let (orders, waiting) = mpsc::channel(ORDERS_MAX);
        let (carried, carrying) = watch::channel(Arc::default());
        let (finished, done) = oneshot::channel();
        std::thread::Builder::new().name("discovery".into()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::warn!(%error, "channels cannot be looked for");
                    return;
                }
            };
            runtime.block_on(Scout::new(config, endpoint, library, found).run(waiting, carrying));
            // Look-ups that still wait for the network are left behind.
            runtime.shutdown_timeout(Duration::from_millis(50));
            let _ = finished.send(());
        })?;
        Ok(Service {
            orders,
            carried,
            done: Some(done),
        })
    }

    /// Looks for peers of a channel everywhere; they come as [`Found::Peers`].
    pub fn find(&self, channel: ChannelId) {
        self.order(Order::Find(channel));
    }

    /// A channel is wanted no more.
    pub fn forget(&self, channel: ChannelId) {
        self.order(Order::Forget(channel));
    }

    /// Asks every source again.
    pub fn refresh(&self) {
        self.order(Order::Refresh);
    }

    /// A person looks at the list from now on.
    pub fn browse(&self) {
        self.order(Order::Browse);
    }

    /// Favourites or hidden channels have changed.
    pub fn set_library(&self, library: Arc<Library>) {
        self.order(Order::Library(library));
    }

    /// Says what this node carries, all of it.
    pub fn set_carried(&self, carried: Vec<Carried>) {
        self.carried.send_if_modified(|now| {
            let changed = **now != carried;
            if changed {
                *now = Arc::new(carried);
            }
            changed
        });
    }

    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::debug!("discovery does not keep up");
        }
    }

    /// Takes back what was announced and stops, at most so long.
    pub async fn close(&mut self, at_most: Duration) {
        self.set_carried(Vec::new());
        let (closed, _) = mpsc::channel(1);
        self.orders = closed;
        if let Some(done) = self.done.take() {
            let _ = tokio::time::timeout(at_most, done).await;
        }
    }
}

/// Which channels are wanted and what is said of ours: what every directory's task follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    /// With the number of the wish: a new one is asked again.
    pub wanted: BTreeMap<ChannelId, u64>,
    pub browse: bool,
    /// Grows with each wish to ask again at once.
    pub refresh: u64,
}
