//! `inonda devices`: what can play and record here.

use std::io::Write;

use serde_json::json;

use crate::cli::Failure;
use crate::cli::args::Everywhere;
use crate::device;

/// Lists the devices, one a line.
///
/// # Errors
/// Exit status 4 when there is none.
pub fn run(everywhere: &Everywhere) -> Result<(), Failure> {
    let devices = device::list();
    let mut out = std::io::stdout().lock();
    for found in &devices {
        let line = if everywhere.json {
            json!({"event": "device", "kind": found.kind.word(), "name": found.name, "default": found.default})
                .to_string()
        } else {
            format!(
                "{:8} {}{}",
                found.kind.word(),
                found.name,
                if found.default { "  (default)" } else { "" }
            )
        };
        if writeln!(out, "{line}").is_err() {
            return Ok(());
        }
    }
    if devices.is_empty() {
        let hint = "start a sound server such as PipeWire or PulseAudio, or listen with --output null";
        return Err(Failure::new("no sound device was found", hint).code(4));
    }
    Ok(())
}
