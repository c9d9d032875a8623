//! `inonda demo`: a whole mesh on this machine, real QUIC over loopback, no files and no configuration.

use std::net::{Ipv4Addr, SocketAddr};

use crate::cli::args::{DemoArgs, Everywhere, NodeArgs};
use crate::cli::{Failure, draws, folders, identity, listen, session};
use crate::engine::command::{Command, OutputTarget, Programme, Show};
use crate::engine::{Event, Handle, Link};
use crate::tui;
use crate::units::Codec;

/// Relays between the host and the listener.
const RELAYS: usize = 3;

/// Starts host, relays and listener, and shows the listener.
///
/// # Errors
/// When loopback sockets cannot be bound or the listener's output fails.
pub fn run(args: &DemoArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let everywhere = &listen::for_output(&args.hear, everywhere)?;
    let mut host = node(everywhere)?;
    let show = Show {
        station: None,
        key: identity::fresh()?.signing_key().clone(),
        name: "inonda demo".into(),
        genre: "generated".into(),
        description: "Music made from oscillators, carried to you by three relays on this machine.".into(),
        language: String::new(),
        contact: String::new(),
        private: true,
        sources: vec![Programme::Generated],
        bitrate_bps: 128_000,
        codec: Codec::Opus,
        stripes: 4,
        // One child a stripe: the others, and you, hear it through each other.
        host_slots: 1,
        repeat: true,
        record: None,
        held: None,
    };
    let _ = host.send(Command::Host(Box::new(show)));
    let link = on_air(&mut host)?;
    let mut relays = Vec::new();
    let mut via = Vec::new();
    for _ in 0..RELAYS {
        let mut relay = node(everywhere)?;
        via.extend(addrs(&mut relay)?);
        let _ = relay.send(Command::Relay {
            target: link.clone().into(),
        });
        relays.push(relay);
    }
    let listener = node(everywhere)?;
    let link = Link {
        via: via.iter().map(SocketAddr::to_string).collect(),
        ..link
    };
    let mut hear = args.hear.clone();
    if hear.outputs.is_empty() {
        hear.outputs = vec![OutputTarget::DeviceIfAny];
    }
    listen::hear(&listener, link.into(), &hear);
    let options = folders::furnish(listen::heard_as(tui::Options::demo(), None, &hear), everywhere);
    let ended = session::show(listener, everywhere, options);
    for handle in relays.iter().chain([&host]) {
        let _ = handle.send(Command::Quit);
    }
    for mut handle in relays.into_iter().chain([host]) {
        while handle.blocking_event().is_some() {}
    }
    ended
}

fn node(everywhere: &Everywhere) -> Result<Handle, Failure> {
    let args = NodeArgs {
        bind: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        peers: Vec::new(),
        upload: None,
        directories: Vec::new(),
        no_lan: true,
        no_dht: true,
        bootstrap: Vec::new(),
    };
    session::start(
        &args,
        everywhere,
        identity::fresh()?,
        Vec::new(),
        None,
        draws(everywhere),
    )
}

fn addrs(handle: &mut Handle) -> Result<Vec<SocketAddr>, Failure> {
    while let Some(event) = handle.blocking_event() {
        if let Event::Ready { addrs, .. } = event {
            return Ok(addrs);
        }
    }
    Err(Failure::new(
        "a relay of the demo ended at once",
        "run again with -v to see why",
    ))
}

fn on_air(handle: &mut Handle) -> Result<Link, Failure> {
    while let Some(event) = handle.blocking_event() {
        match event {
            Event::OnAir { link, .. } => {
                return link
                    .parse()
                    .map_err(|error| Failure::new(format!("the demo's own link is broken: {error}"), "report this"));
            }
            Event::Failed { code, message, hint } => return Err(Failure::new(message, hint).code(code)),
            _ => {}
        }
    }
    Err(Failure::new(
        "the host of the demo ended at once",
        "run again with -v to see why",
    ))
}
