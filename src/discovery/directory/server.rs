//! A running directory: the desk, the lines to it, the other directories, and the page for browsers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::discovery::dht::{Dht, DhtNews};
use crate::discovery::directory::desk::Desk;
use crate::discovery::directory::follow::{self, Sink};
use crate::discovery::directory::ledger::{Ledger, LedgerError};
use crate::discovery::directory::roll::{Counts, Rules};
use crate::discovery::directory::wire::{Frame, Question};
use crate::discovery::directory::{serve, web};
use crate::discovery::{probe, reach};
use crate::limits::{DIRECTORIES_MAX, DIRECTORY_LINES_MAX};
use crate::net::{Endpoint, Identity, NetError};
use crate::units::PeerId;

/// Pause before another directory is dialled again; it doubles up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// How often the DHT is told and asked, and how soon after the first time, which comes before much of it is known.
const DHT_EVERY: Duration = Duration::from_secs(600);
const DHT_SOON: Duration = Duration::from_secs(30);
/// Failures in a row after which a directory that only the DHT named makes room for another.
const STRANGER_FAILURES_MAX: u32 = 3;
/// How long the goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// How a directory runs.
pub struct Config {
    pub identity: Identity,
    pub bind: SocketAddr,
    /// Where the list is kept.
    pub state: Option<PathBuf>,
    pub rules: Rules,
    /// Other directories to exchange lists with, as `host:port`.
    pub others: Vec<String>,
    /// Where to publish over HTTP.
    pub http: Option<SocketAddr>,
    /// Entrances of the DHT, none for its usual ones; `None` does not use it.
    pub dht: Option<Vec<String>>,
}

/// Why a directory cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("TCP {0} cannot be used for HTTP ({1}): choose another with --http ADDR:PORT")]
    Http(SocketAddr, std::io::Error),
}

/// A directory that runs until it is closed.
pub struct Server {
    endpoint: Endpoint,
    desk: Desk,
    http: Option<SocketAddr>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts to serve. Must run within a tokio runtime.
    ///
    /// # Errors
    /// A taken port, a list held by another directory.
    pub async fn start(config: Config) -> Result<Server, ServeError> {
        let ledger = config.state.as_deref().map(Ledger::open).transpose()?;
        let (endpoint, mut events) = Endpoint::bind(config.bind, &config.identity)?;
        let (desk, due) = Desk::open(config.rules, ledger)?;
        let mut tasks = JoinSet::new();
        // Nobody's mesh runs here: whoever dials for one is shown the door.
        let door = endpoint.clone();
        tasks.spawn(async move {
            while let Some(event) = events.recv().await {
                if let crate::net::NetEvent::Connected { peer, .. } = event {
                    door.disconnect(peer, None);
                }
            }
        });
        tasks.spawn(probe::run(endpoint.clone(), desk.clone(), due));
        tasks.spawn(hear(endpoint.clone(), desk.clone()));
        tasks.spawn(exchange(endpoint.clone(), desk.clone(), config.others, config.dht));
        let http = match config.http {
            Some(addr) => {
                let listener = tokio::net::TcpListener::bind(addr).await;
                let listener = listener.map_err(|error| ServeError::Http(addr, error))?;
                let bound = listener.local_addr().map_err(|error| ServeError::Http(addr, error))?;
                tasks.spawn(web::run(listener, desk.clone()));
                Some(bound)
            }
            None => None,
        };
        Ok(Server {
            endpoint,
            desk,
            http,
            tasks,
        })
    }

    /// The name of this directory's node.
    pub fn peer(&self) -> PeerId {
        self.endpoint.peer()
    }

    /// Where it can be asked.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.endpoint.local_addrs()
    }

    /// Where it publishes over HTTP.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// What it has seen.
    pub async fn counts(&self) -> Counts {
        self.desk.counts().await
    }

    /// Says goodbye; what was accepted is on disk already.
    pub async fn close(mut self) {
        self.tasks.abort_all();
        self.endpoint.close(GOODBYE_MAX).await;
    }
}

/// Answers every line, so many at once.
async fn hear(endpoint: Endpoint, desk: Desk) {
    let mut waiting = endpoint.lines();
    let mut lines = JoinSet::new();
    while let Some(line) = waiting.recv().await {
        while lines.try_join_next().is_some() {}
        if lines.len() >= DIRECTORY_LINES_MAX {
            line.close();
            continue;
        }
        lines.spawn(serve::line(line, desk.clone()));
    }
}

/// Exchanges lists with the directories named and with those that the DHT names.
async fn exchange(endpoint: Endpoint, desk: Desk, others: Vec<String>, bootstrap: Option<Vec<String>>) {
    let mut known: Vec<String> = Vec::new();
    let mut partners = JoinSet::new();
    let (sender, mut news) = mpsc::channel(8);
    for other in others {
        known.push(other.clone());
        partners.spawn(partner(endpoint.clone(), desk.clone(), other, None));
    }
    let dht = match bootstrap {
        Some(entrances) => Dht::join(entrances, sender).await.ok(),
        None => None,
    };
    let mut pause = DHT_SOON;
    loop {
        if let Some(dht) = &dht {
            dht.be_directory(outside_port(&endpoint));
            dht.find_directories();
        }
        let again = tokio::time::sleep(pause);
        tokio::pin!(again);
        pause = DHT_EVERY;
        loop {
            tokio::select! {
                () = &mut again => break,
                Some(item) = news.recv() => {
                    let DhtNews::Directories(addrs) = item else { continue };
                    for addr in addrs {
                        let other = addr.to_string();
                        let ours = endpoint.local_addrs().contains(&addr);
                        if !ours && !known.contains(&other) && known.len() < DIRECTORIES_MAX {
                            known.push(other.clone());
                            let patience = Some(STRANGER_FAILURES_MAX);
                            partners.spawn(partner(endpoint.clone(), desk.clone(), other, patience));
                        }
                    }
                }
                // Its place goes to somebody else.
                Some(Ok(gone)) = partners.join_next() => known.retain(|other| *other != gone),
            }
        }
    }
}

/// Keeps a line to one other directory: each follows the other's list on it. One that nobody named is given up, by its
/// name, after so many failures in a row.
async fn partner(endpoint: Endpoint, desk: Desk, other: String, patience: Option<u32>) -> String {
    let (mut pause, mut failures) = (RETRY_FIRST, 0);
    while patience.is_none_or(|most| failures < most) {
        match talk(&endpoint, &desk, &other, patience.is_none()).await {
            Some(()) => (pause, failures) = (RETRY_FIRST, 0),
            None => (pause, failures) = ((pause * 2).min(RETRY_LAST), failures + 1),
        }
        tokio::time::sleep(pause).await;
    }
    other
}

/// The port at which others see this node, as far as they said so.
fn outside_port(endpoint: &Endpoint) -> u16 {
    let observed = endpoint.observed();
    observed
        .first()
        .map_or_else(|| endpoint.bound().port(), |(addr, _)| addr.port())
}

async fn talk(endpoint: &Endpoint, desk: &Desk, other: &str, named: bool) -> Option<()> {
    let line = reach::line(endpoint, other).await.ok()?;
    let answer = line.ask_once(&Question::Exchange.encode()).await.ok()?;
    if Frame::decode(&answer) != Ok(Frame::Taken) {
        return None;
    }
    tracing::debug!(directory = %line.peer().short(), "exchanging lists");
    let mut sink = Sink::Desk {
        desk: desk.clone(),
        stranger: (!named).then(|| serve::stranger(&line)),
    };
    let over = tokio::select! {
        over = follow::run(&line, &mut sink) => over,
        () = serve::line(line.clone(), desk.clone()) => Ok(()),
    };
    if let Err(error) = over {
        tracing::debug!(%error, "an exchange of lists ended");
    }
    Some(())
}
