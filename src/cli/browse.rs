//! `inonda` alone: the terminal interface.

use crate::cli::args::{Everywhere, HearArgs, NodeArgs};
use crate::cli::{Failure, folders, host, identity, listen, session};
use crate::engine::command::Command;
use crate::tui;

/// Shows the channels until the person leaves.
///
/// # Errors
/// When no node can be started or the terminal cannot be drawn on.
pub fn run(args: &NodeArgs, hear: &HearArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let held = identity::node(everywhere)?;
    let handle = session::start(
        args,
        held.identity.clone(),
        listen::any_port(),
        Some(folders::state(everywhere)?),
        true,
    )?;
    let _ = handle.send(Command::SetVolume(hear.volume));
    let options = tui::Options {
        studio: Some(host::studio(everywhere)),
        ..listen::heard_as(tui::Options::browsing(), hear)
    };
    session::watch(handle, everywhere, folders::furnish(options, everywhere))
}
