//! `inonda listen CHANNEL`: join, play and relay.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::cli::args::{Everywhere, HearArgs, ListenArgs};
use crate::cli::{Failure, draws, folders, host, identity, session};
use crate::engine::command::{Command, Listen, OutputTarget};
use crate::engine::{Handle, Target};
use crate::tui;

/// Listens until the person leaves or the show ends.
///
/// # Errors
/// An unreadable link, a channel that nobody carries, a missing sound device.
pub fn run(args: &ListenArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let target = target(&args.channel)?;
    let everywhere = &for_output(&args.hear, everywhere)?;
    let held = identity::node(everywhere)?;
    let handle = session::start(
        &args.node,
        everywhere,
        held.identity.clone(),
        any_port(),
        Some(folders::state(everywhere)?),
        draws(everywhere),
    )?;
    hear(&handle, target, &args.hear);
    let options = tui::Options {
        studio: Some(host::studio(everywhere)),
        ..heard_as(tui::Options::listening(), args.node.upload, &args.hear)
    };
    session::show(handle, everywhere, folders::furnish(options, everywhere))
}

/// Tells the terminal interface how channels chosen in it are heard.
pub fn heard_as(options: tui::Options, upload: Option<u64>, hear: &HearArgs) -> tui::Options {
    tui::Options {
        hearing: tui::Hearing {
            delay: hear.delay.unwrap_or(tui::DELAY),
            outputs: hear.outputs.clone(),
            volume: hear.volume,
        },
        given: tui::Given {
            delay: hear.delay.is_some(),
            output: !hear.outputs.is_empty(),
            upload: upload.is_some(),
        },
        ..options
    }
}

/// Sound on standard output leaves no room there for lines or a screen.
///
/// # Errors
/// Exit status 2 when `--json` wants it, too.
pub fn for_output(hear: &HearArgs, everywhere: &Everywhere) -> Result<Everywhere, Failure> {
    let piped = hear.outputs.contains(&OutputTarget::Stdout);
    if piped && everywhere.json {
        let hint = "take one of them away, or write the sound to a file";
        return Err(Failure::new("--json and --output stdout both want standard output", hint).code(2));
    }
    Ok(Everywhere {
        plain: everywhere.plain || piped,
        quiet: everywhere.quiet || piped,
        ..everywhere.clone()
    })
}

/// Asks a node to play a channel.
pub fn hear(handle: &Handle, target: Target, hear: &HearArgs) {
    // A command is refused only by an engine that has stopped, and then its events say why.
    let _ = handle.send(Command::SetVolume(hear.volume.unwrap_or(100)));
    let _ = handle.send(Command::Listen(Listen {
        target,
        http: hear.http,
        delay: hear.delay.unwrap_or(tui::DELAY),
        outputs: hear.outputs.clone(),
    }));
}

/// Reads what names a channel.
///
/// # Errors
/// Exit status 2 when it is a broken link.
pub fn target(text: &str) -> Result<Target, Failure> {
    text.parse::<Target>().map_err(|error| {
        Failure::new(
            format!("{text:?} names no channel: {error}"),
            "give a link as `inonda host` prints it: inonda:ID?via=HOST:PORT",
        )
        .code(2)
    })
}

/// Any free port on every address, IPv6 and IPv4 together where the system can.
pub fn any_port() -> Vec<SocketAddr> {
    vec![
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
    ]
}
