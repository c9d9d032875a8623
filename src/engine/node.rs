//! Starting and running a node: one task that owns everything, select → apply → drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::discovery::directory::server::ServeError;
use crate::engine::handle::{COMMANDS_MAX, EVENTS_MAX, Gauges};
use crate::engine::state::Engine;
use crate::engine::{Command, Event, FindingConfig, Handle, Snapshot, clock};
use crate::net::rough::Line;
use crate::net::{Endpoint, Identity, NetError};

/// Reports of sound threads that may wait for the engine; a full queue makes those threads wait, not the engine.
const REPORTS_MAX: usize = 256;
/// Findings that may wait; a full queue makes discovery wait, not the engine.
const FOUND_MAX: usize = 64;
/// How often the picture for screens is drawn anew at most, but for what a person asked for; and after how long at the latest
/// when something has happened: mostly a chunk comes in between and spares a wake-up.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(250);
const SNAPSHOT_LATEST: Duration = Duration::from_millis(320);
/// How long farewells may take before the process goes anyway.
const FAREWELL_MAX: Duration = Duration::from_millis(800);

/// How a node starts.
pub struct NodeConfig {
    pub identity: Identity,
    /// UDP address to bind; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// `host:port` texts to ask first, for every channel.
    pub peers: Vec<String>,
    /// Bits a second to pass on; `None` is the polite default, zero is listen only.
    pub upload_bps: Option<u64>,
    /// Where favourites, history and the newest sessions are kept; `None` keeps nothing.
    pub state: Option<PathBuf>,
    /// Where to look for channels and to announce; `None` does neither.
    pub finding: Option<FindingConfig>,
    /// Whether anybody looks at snapshots.
    pub snapshots: bool,
    /// What happens to packets between this node and others; `None` is the plain network.
    pub line: Option<Arc<dyn Line>>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Directory(ServeError),
    #[error("no thread could be started for the engine: {0}; close some programs and try again")]
    Thread(#[from] std::io::Error),
    #[error("the engine ended while it started; run with -v and report what it says")]
    Gone,
}

impl From<ServeError> for StartError {
    /// A port that cannot be bound is the same trouble for every node.
    fn from(error: ServeError) -> StartError {
        match error {
            ServeError::Net(error) => StartError::Net(error),
            error @ (ServeError::Ledger(_) | ServeError::Http(..)) => StartError::Directory(error),
        }
    }
}

/// Binds the socket and runs the node on a thread of its own until [`Command::Quit`].
///
/// # Errors
/// When the address cannot be bound or the system refuses a thread.
pub fn start(config: NodeConfig) -> Result<Handle, StartError> {
    let (command_tx, commands) = mpsc::channel(COMMANDS_MAX);
    let (event_tx, events) = mpsc::channel(EVENTS_MAX);
    let (snapshot_tx, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let gauges = Gauges::default();
    let (started_tx, started) = oneshot::channel();
    let cells = gauges.clone();
    std::thread::Builder::new().name("engine".into()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started_tx.send(Err(StartError::Thread(error)));
                return;
            }
        };
        runtime.block_on(run(config, commands, event_tx, snapshot_tx, cells, started_tx));
    })?;
    started.blocking_recv().unwrap_or(Err(StartError::Gone))?;
    Ok(Handle {
        commands: command_tx,
        events,
        snapshot,
        levels: gauges.heard,
        programme: gauges.programme,
        has_stopped: false,
    })
}

async fn run(
    config: NodeConfig,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    gauges: Gauges,
    started: oneshot::Sender<Result<(), StartError>>,
) {
    let (endpoint, mut net_events) = match Endpoint::bind_at(config.bind, &config.identity, config.line.clone()) {
        Ok(bound) => bound,
        Err(error) => {
            let _ = started.send(Err(error.into()));
            return;
        }
    };
    let (report_tx, mut reports) = mpsc::channel(REPORTS_MAX);
    let (found_tx, mut found) = mpsc::channel(FOUND_MAX);
    let snapshots = config.snapshots;
    let mut engine = Engine::new(config, endpoint, events, report_tx, gauges);
    engine.start_finding(found_tx);
    let _ = started.send(Ok(()));
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = clock::now();
    let mut news = true;

    while !engine.finished() {
        let timeout = engine.next_timeout();
        let mut asked = false;
        tokio::select! {
            Some(event) = net_events.recv() => engine.on_net(event),
            Some(report) = reports.recv() => engine.on_report(report),
            Some(found) = found.recv() => engine.on_found(found),
            command = commands.recv() => {
                asked = true;
                engine.on_command(command.unwrap_or(Command::Quit));
            }
            () = tokio::time::sleep_until(clock::instant(timeout.unwrap_or_default())), if timeout.is_some() => engine.on_timeout(),
            _ = second.tick() => engine.on_second(),
            () = tokio::time::sleep_until(clock::instant(shown + SNAPSHOT_LATEST)), if snapshots && news => {}
        }
        engine.drain();
        let now = clock::now();
        news = !(asked || now.since(shown) >= SNAPSHOT_EVERY);
        if snapshots && !news {
            show(&snapshot, engine.snapshot());
            shown = now;
        }
    }
    engine.say_goodbye(FAREWELL_MAX).await;
    if snapshots {
        snapshot.send_replace(Arc::new(engine.snapshot()));
    }
}

/// Hands a picture to the screens unless it shows what they show already: a node that does nothing wakes nobody.
fn show(screens: &watch::Sender<Arc<Snapshot>>, picture: Snapshot) {
    screens.send_if_modified(|last| {
        let news = !picture.is_as_still_as(last);
        if news {
            *last = Arc::new(picture);
        }
        news
    });
}
