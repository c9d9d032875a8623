//! Where this person's settings, state and recordings lie.

use std::path::PathBuf;

use etcetera::{BaseStrategy, choose_base_strategy};

use crate::cli::Failure;
use crate::cli::args::Everywhere;
use crate::tui;

/// The folder of keys, favourites and history.
///
/// # Errors
/// When no folder is named and the person has no home.
pub fn state(everywhere: &Everywhere) -> Result<PathBuf, Failure> {
    if let Some(folder) = &everywhere.state {
        return Ok(folder.clone());
    }
    let base = choose_base_strategy().map_err(|error| {
        Failure::new(
            format!("there is no home folder: {error}"),
            "name a folder with --state DIR",
        )
    })?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("inonda"))
}

/// The folder of `tui.toml`, `keys.toml` and `themes`, when one is named or the person has a home.
pub fn config(everywhere: &Everywhere) -> Option<PathBuf> {
    match &everywhere.config {
        Some(file) => Some(file.parent().map(PathBuf::from).unwrap_or_default()),
        None => choose_base_strategy().ok().map(|base| base.config_dir().join("inonda")),
    }
}

/// Tells the terminal interface where to read and keep things.
pub fn furnish(options: tui::Options, everywhere: &Everywhere) -> tui::Options {
    let music = etcetera::home_dir().ok().map(|home| home.join("Music").join("inonda"));
    tui::Options {
        config: config(everywhere),
        settings: everywhere.config.clone(),
        state: state(everywhere).ok(),
        music,
        ..options
    }
}
