//! `inonda relay CHANNEL...`: carry channels without playing them.

use crate::cli::args::{Everywhere, RelayArgs};
use crate::cli::session::Until;
use crate::cli::{Failure, folders, identity, listen, session};
use crate::engine::command::Command;

/// Relays until told to stop; a show that ends is waited for.
///
/// # Errors
/// An unreadable link, channels that nobody carries.
pub fn run(args: &RelayArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let targets = args
        .channels
        .iter()
        .map(|text| listen::target(text))
        .collect::<Result<Vec<_>, _>>()?;
    let held = identity::node(everywhere)?;
    let handle = session::start(
        &args.node,
        everywhere,
        held.identity.clone(),
        listen::any_port(),
        Some(folders::state(everywhere)?),
        false,
    )?;
    let channels = targets.len();
    for target in targets {
        let _ = handle.send(Command::Relay { target });
    }
    session::follow(handle, everywhere, Until::Lost { channels })
}
