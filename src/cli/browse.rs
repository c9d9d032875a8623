//! `inonda` alone: the terminal interface.

use crate::cli::args::{Everywhere, HearArgs, NodeArgs};
use crate::cli::{Failure, folders, host, identity, listen, session};
use crate::engine::command::{Command, OutputTarget};
use crate::tui;

/// Shows the channels until the person leaves.
///
/// # Errors
/// Outputs that a screen leaves no room for; when no node can be started or the terminal cannot be drawn on.
pub fn run(args: &NodeArgs, hear: &HearArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    if hear.outputs.contains(&OutputTarget::Stdout) {
        let hint = "use `inonda listen CHANNEL --output stdout`";
        return Err(Failure::new("the screen and --output stdout both want standard output", hint).code(2));
    }
    if hear.http.is_some() {
        let hint = "use `inonda listen CHANNEL --http ADDR:PORT`";
        return Err(Failure::new("--http offers one channel, and none is named", hint).code(2));
    }
    let held = identity::node(everywhere)?;
    let handle = session::start(
        args,
        everywhere,
        held.identity.clone(),
        listen::any_port(),
        Some(folders::state(everywhere)?),
        true,
    )?;
    let _ = handle.send(Command::SetVolume(hear.volume.unwrap_or(100)));
    let options = tui::Options {
        studio: Some(host::studio(everywhere)),
        ..listen::heard_as(tui::Options::browsing(), args.upload, hear)
    };
    session::watch(handle, everywhere, folders::furnish(options, everywhere))
}
