//! Running a node until it is done: signals, `--for`, events to lines or a screen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::args::{Everywhere, NodeArgs};
use crate::cli::report::{self, Style};
use crate::cli::{Failure, draws};
use crate::engine::command::Command;
use crate::engine::event::Level;
use crate::engine::node::{NodeConfig, StartError};
use crate::engine::{Event, FindingConfig, Handle, node};
use crate::net::Identity;

/// How long a goodbye may take: files, farewells, and a reader that does not read.
const GOODBYE_MAX: Duration = Duration::from_secs(10);

/// What ends a session besides the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The channel's end is the command's end: a host.
    OffAir,
    /// The same for a listener without a screen; to have heard nothing at all is a failure.
    Heard,
    /// Only the person.
    Told,
    /// The person, or the loss of the last of so many channels: relays wait for the next show.
    Lost { channels: usize },
}

/// Starts a node as the command line wants it.
///
/// # Errors
/// A taken port, an unusable address.
pub fn start(
    args: &NodeArgs,
    everywhere: &Everywhere,
    identity: Identity,
    default_bind: Vec<SocketAddr>,
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
    let first = asked.first().copied();
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
            Ok(handle) => {
                say_port_taken(first, bind, everywhere);
                return Ok(handle);
            }
            Err(error) => trouble = Some(error),
        }
    }
    Err(start_failure(trouble))
}

/// Says that the usual port was taken and any other one is used: the link will not be the same next time.
pub fn say_port_taken(usual: Option<SocketAddr>, bound: SocketAddr, everywhere: &Everywhere) {
    let Some(port) = usual
        .map(|addr| addr.port())
        .filter(|port| *port != 0 && bound.port() == 0)
    else {
        return;
    };
    let notice = Event::Notice {
        level: Level::Warn,
        message: format!("UDP port {port} is taken by another program: a free one is used this time"),
        hint: "links name it; end the other program, or choose a port with --bind ADDR:PORT".into(),
    };
    let _ = report::event(&notice, style(everywhere));
}

fn style(everywhere: &Everywhere) -> Style {
    if everywhere.json {
        Style::Json
    } else {
        Style::Lines {
            quiet: everywhere.quiet,
        }
    }
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

/// Writes events until the node has stopped.
///
/// # Errors
/// What the engine said had failed, with its exit status.
pub fn follow(mut handle: Handle, everywhere: &Everywhere, until: Until) -> Result<(), Failure> {
    let style = style(everywhere);
    let commander = handle.commander();
    let timed_out = stop_when_told(commander.clone(), everywhere.stop_after)?;
    let mut course = Course {
        until,
        lost: 0,
        heard: false,
        failed: None,
    };
    while let Some(event) = handle.blocking_event() {
        let (event, over) = course.on(event);
        // A closed pipe is a person who has heard enough.
        if report::event(&event, style).is_err() || over {
            let _ = commander.try_send(Command::Quit);
        }
        if matches!(event, Event::Stopped) {
            break;
        }
    }
    if !handle.has_stopped() {
        return Err(broken());
    }
    course.end(timed_out.load(Ordering::Relaxed))
}

/// How a session goes that nobody watches on a screen.
struct Course {
    until: Until,
    /// Channels that came to nothing.
    lost: usize,
    heard: bool,
    failed: Option<Failure>,
}

impl Course {
    /// What is to be said of an event, and whether it is the end.
    fn on(&mut self, event: Event) -> (Event, bool) {
        let ends = matches!(self.until, Until::OffAir | Until::Heard);
        if let Event::Failed { code, message, hint } = event {
            self.lost += 1;
            if matches!(self.until, Until::Lost { channels } if self.lost < channels) {
                let level = Level::Error;
                return (Event::Notice { level, message, hint }, false);
            }
            self.failed
                .get_or_insert(Failure::new(message.as_str(), hint.as_str()).code(code));
            return (Event::Failed { code, message, hint }, true);
        }
        self.heard |= matches!(event, Event::Joined { .. });
        let over = matches!(event, Event::OffAir { ended: true, .. } | Event::Summary(_));
        (event, ends && over)
    }

    fn end(self, timed_out: bool) -> Result<(), Failure> {
        match self.failed {
            Some(failure) => Err(failure),
            None if self.until == Until::Heard && timed_out && !self.heard => Err(Failure::new(
                "nothing was heard of the channel in the time of --for",
                "give it longer, or ask the host for a fresh link",
            )
            .code(3)),
            None => Ok(()),
        }
    }
}

/// The engine ended without its last word.
fn broken() -> Failure {
    Failure::new(
        "inonda has broken down by a mistake of its own",
        "start it again, and report what was said before this",
    )
}

/// Shows the full screen, or numbered lines where none can be drawn, until the person leaves or the node stops.
///
/// # Errors
/// What the screen or the engine said had failed.
pub fn watch(mut handle: Handle, everywhere: &Everywhere, options: crate::tui::Options) -> Result<(), Failure> {
    stop_when_told(handle.commander(), everywhere.stop_after)?;
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
                failed.get_or_insert(Failure::new(message, hint).code(code));
            }
            Event::Stopped => break,
            _ => {}
        }
    }
    if !handle.has_stopped() {
        return Err(failed.unwrap_or_else(broken));
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
        follow(handle, everywhere, Until::Heard)
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

/// Asks the node to say goodbye on Ctrl-C, SIGTERM, SIGHUP or at the end of `--for`, from a thread of its own: the caller may be
/// writing to somebody who does not read. Gives what becomes true when it was the time.
fn stop_when_told(commander: mpsc::Sender<Command>, stop_after: Option<Duration>) -> Result<Arc<AtomicBool>, Failure> {
    let timed_out = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&timed_out);
    let runtime = runtime()?;
    let wait = move || runtime.block_on(quit_when_told(&commander, stop_after, &told));
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map_err(|error| {
            Failure::new(
                format!("no thread could be started: {error}"),
                "close some programs and try again",
            )
        })?;
    Ok(timed_out)
}

/// A second signal ends the process at once, and so does a goodbye that takes too long.
async fn quit_when_told(commander: &mpsc::Sender<Command>, stop_after: Option<Duration>, timed_out: &AtomicBool) {
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
        () = timer => timed_out.store(true, Ordering::Relaxed),
    }
    let _ = commander.send_timeout(Command::Quit, GOODBYE_MAX).await;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = tokio::time::sleep(GOODBYE_MAX) => {}
    }
    impatient();
}

/// Nothing is worth waiting for any more.
#[allow(clippy::disallowed_methods, reason = "a second Ctrl-C means now")]
fn impatient() -> ExitCode {
    crate::tui::terminal::give_back();
    std::process::exit(1)
}
