//! Running a node until it is done: signals, `--for`, events to lines or a screen.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::args::{Everywhere, NodeArgs};
use crate::cli::report::{self, Style};
use crate::cli::{Failure, draws};
use crate::engine::command::Command;
use crate::engine::node::{NodeConfig, StartError};
use crate::engine::{Event, FindingConfig, Handle, node};
use crate::net::Identity;

/// What ends a session besides the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The channel's end is the command's end: a listener without a screen, a host.
    OffAir,
    /// Only the person: relays wait for the next show.
    Told,
}

/// Starts a node as the command line wants it.
///
/// # Errors
/// A taken port, an unusable address.
pub fn start(
    args: &NodeArgs,
    identity: Identity,
    default_bind: Vec<std::net::SocketAddr>,
    state: Option<PathBuf>,
    snapshots: bool,
) -> Result<Handle, Failure> {
    // A demo keeps to itself: it has no state to keep, and nobody is to find it.
    let finding = state.as_ref().map(|_| FindingConfig {
        lan: !args.no_lan,
        dht: !args.no_dht,
        bootstrap: args.bootstrap.clone(),
        directories: args.directories.clone(),
        browse: snapshots,
    });
    let asked: Vec<_> = args.bind.map_or(default_bind, |bind| vec![bind]);
    let mut trouble = None;
    for bind in asked {
        let config = NodeConfig {
            identity: identity.clone(),
            bind,
            peers: args.peers.clone(),
            upload_bps: args.upload,
            state: state.clone(),
            finding: finding.clone(),
            snapshots,
            line: None,
        };
        match node::start(config) {
            Ok(handle) => return Ok(handle),
            Err(error) => trouble = Some(error),
        }
    }
    Err(start_failure(trouble))
}

/// What to do about a node that did not start.
pub fn start_failure(error: Option<StartError>) -> Failure {
    match error {
        Some(error) => Failure::new(
            error.to_string(),
            "choose another address with --bind ADDR:PORT, or port 0 for any free one",
        ),
        None => Failure::new("no address to listen on was given", "name one with --bind ADDR:PORT"),
    }
}

/// Writes events until the node has stopped. `quiet_nodes` run beside it and are stopped with it.
///
/// # Errors
/// What the engine said had failed, with its exit status.
pub fn follow(mut handle: Handle, everywhere: &Everywhere, until: Until) -> Result<(), Failure> {
    let style = if everywhere.json {
        Style::Json
    } else {
        Style::Lines {
            quiet: everywhere.quiet,
        }
    };
    let runtime = runtime()?;
    runtime.block_on(async {
        let commander = handle.commander();
        tokio::spawn(quit_when_told(commander.clone(), everywhere.stop_after));
        let mut failed = None;
        while let Some(event) = handle.event().await {
            let over = until == Until::OffAir && matches!(&event, Event::OffAir { ended: true, .. });
            match &event {
                Event::Failed { code, message, hint } => {
                    failed.get_or_insert(Failure {
                        code: *code,
                        message: message.clone(),
                        hint: hint.clone(),
                    });
                    let _ = commander.try_send(Command::Quit);
                }
                Event::Stopped => break,
                _ => {}
            }
            // A closed pipe is a person who has heard enough.
            if report::event(&event, style).is_err() || over {
                let _ = commander.try_send(Command::Quit);
            }
        }
        failed.map_or(Ok(()), Err)
    })
}

/// Shows the full screen, or numbered lines where none can be drawn, until the person leaves or the node stops.
///
/// # Errors
/// What the screen or the engine said had failed.
pub fn watch(mut handle: Handle, everywhere: &Everywhere, options: crate::tui::Options) -> Result<(), Failure> {
    let commander = handle.commander();
    let stop_after = everywhere.stop_after;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Ok(runtime) = runtime() {
                runtime.block_on(quit_when_told(commander, stop_after));
            }
        })
        .map_err(|error| {
            Failure::new(
                format!("no thread could be started: {error}"),
                "close some programs and try again",
            )
        })?;
    let left = if draws(everywhere) {
        crate::tui::run(&mut handle, options)
    } else {
        crate::tui::terminal::plain::run(&mut handle, &options)
    };
    let _ = handle.send(Command::Quit);
    let mut failed = None;
    while let Some(event) = handle.blocking_event() {
        match event {
            Event::Failed { code, message, hint } => {
                failed.get_or_insert(Failure { code, message, hint });
            }
            Event::Stopped => break,
            _ => {}
        }
    }
    match (left, failed) {
        (Err(error), _) => Err(Failure::new(
            error.to_string(),
            "run with --plain to do without a screen",
        )),
        (Ok(_), Some(failure)) => Err(failure),
        (Ok(_), None) => Ok(()),
    }
}

/// Follows with a screen where one can be drawn, with lines elsewhere.
///
/// # Errors
/// As [`watch`] and [`follow`].
pub fn show(handle: Handle, everywhere: &Everywhere, options: crate::tui::Options) -> Result<(), Failure> {
    if draws(everywhere) {
        watch(handle, everywhere, options)
    } else {
        follow(handle, everywhere, Until::OffAir)
    }
}

/// A runtime for the thread of a command.
///
/// # Errors
/// When the system refuses one.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                format!("the runtime could not start: {error}"),
                "close some programs and try again",
            )
        })
}

/// Waits for Ctrl-C, SIGTERM, SIGHUP or the end of `--for`, then asks the node to say goodbye. A second signal ends the
/// process at once.
async fn quit_when_told(commander: mpsc::Sender<Command>, stop_after: Option<Duration>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        tracing::warn!("signals cannot be caught; Ctrl-C will end inonda without a goodbye");
        return;
    };
    let timer = async {
        match stop_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        () = timer => {}
    }
    let _ = commander.send(Command::Quit).await;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    impatient();
}

/// The person asked twice: nothing is worth waiting for any more.
#[allow(clippy::disallowed_methods, reason = "a second Ctrl-C means now")]
fn impatient() -> ExitCode {
    std::process::exit(1)
}
