//! Running a directory as a node is run: on a thread of its own, commands in, events out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::discovery::directory::server::{Config, Server};
use crate::engine::handle::{COMMANDS_MAX, EVENTS_MAX, LevelsCell};
use crate::engine::{Command, Event, Handle, Snapshot, StartError};

/// How often the counts are told.
const COUNTS_EVERY: Duration = Duration::from_secs(60);

pub use crate::discovery::directory::roll::Rules;
pub use crate::discovery::directory::server::Config as DirectoryConfig;

/// Serves a directory until [`Command::Quit`]; other commands mean nothing to it.
///
/// # Errors
/// A taken port, a list that another directory holds, a system without threads.
pub fn start(config: Config) -> Result<Handle, StartError> {
    let (command_tx, commands) = mpsc::channel(COMMANDS_MAX);
    let (event_tx, events) = mpsc::channel(EVENTS_MAX);
    let (_, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let (started_tx, started) = oneshot::channel();
    std::thread::Builder::new().name("directory".into()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started_tx.send(Err(StartError::Thread(error)));
                return;
            }
        };
        runtime.block_on(run(config, commands, event_tx, started_tx));
        runtime.shutdown_timeout(Duration::from_millis(100));
    })?;
    started.blocking_recv().unwrap_or(Err(StartError::Gone))?;
    Ok(Handle {
        commands: command_tx,
        events,
        snapshot,
        levels: LevelsCell::default(),
        programme: LevelsCell::default(),
        has_stopped: false,
    })
}

async fn run(
    config: Config,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    started: oneshot::Sender<Result<(), StartError>>,
) {
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            let _ = started.send(Err(error.into()));
            return;
        }
    };
    let _ = started.send(Ok(()));
    let ready = Event::Ready {
        peer: server.peer(),
        addrs: server.addrs(),
    };
    let _ = events.send(ready).await;
    if let Some(http) = server.http() {
        let _ = events.send(Event::Published { http }).await;
    }
    let mut tick = tokio::time::interval(COUNTS_EVERY);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Quit) | None => break,
                Some(_) => {}
            },
            _ = tick.tick() => {
                let counts = server.counts().await;
                tracing::info!(?counts, "the directory's list");
            }
        }
    }
    server.close().await;
    let _ = events.send(Event::Stopped).await;
}
