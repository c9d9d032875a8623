//! The terminal interface.
//!
//! One queue brings keys, snapshots, events and time to [`update::update`], the only place where the [`model::Model`]
//! changes; [`view::draw`] draws from `&Model` alone; [`terminal`] is the only part that touches the terminal, the clock
//! and files. Keys, the `:` line, help and `keys.toml` share one vocabulary, [`action::VOCABULARY`].

pub mod action;
pub mod channels;
pub mod heard;
pub mod journal;
pub mod keys;
pub mod look;
pub mod mask;
pub mod meters;
pub mod model;
pub mod neighbours;
pub mod reception;
pub mod settings;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
pub mod wish;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::action::Screen;
use self::model::Visit;
use crate::engine::command::{OutputTarget, Programme, Show};

pub use self::terminal::run;

/// How the interface starts.
#[derive(Clone, Debug)]
pub struct Options {
    pub visit: Visit,
    pub screen: Screen,
    /// A theme for this visit; without one, the settings' own.
    pub theme: Option<String>,
    /// Holds `keys.toml`, `tui.toml` and the folder `themes`; without it nothing is read or kept.
    pub config: Option<PathBuf>,
    /// A file in place of `tui.toml`.
    pub settings: Option<PathBuf>,
    /// Titles heard and exported logs go here.
    pub state: Option<PathBuf>,
    /// Recordings go here, in a folder a day; without it, into the state's folder `recordings`.
    pub music: Option<PathBuf>,
    pub hearing: Hearing,
    /// What the command line said, and the kept settings therefore do not.
    pub given: Given,
    /// Makes a show of a name and a source; without it, this visit cannot go on air.
    pub studio: Option<Studio>,
}

/// Makes a show of a name, which may be empty, and a source: whoever opens the interface knows the keys and the usual
/// values. An error is in words for the person.
#[derive(Clone)]
pub struct Studio(pub Arc<MakeShow>);

/// See [`Studio`].
pub type MakeShow = dyn Fn(&str, Programme) -> Result<Show, String> + Send + Sync;

impl fmt::Debug for Studio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Studio")
    }
}

/// What was said on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub delay: bool,
    pub output: bool,
    pub upload: bool,
}

/// How channels chosen in the interface are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// Wanted delay from the host's sound to this ear.
    pub delay: Duration,
    /// Where the sound goes; the default device when empty.
    pub outputs: Vec<OutputTarget>,
    /// Percent of full scale that was asked for on the command line; it counts for the first channel, whatever was kept.
    pub volume: Option<u8>,
}

/// The delay when nothing else was said.
pub const DELAY: Duration = Duration::from_secs(2);

impl Default for Hearing {
    /// The command line's defaults.
    fn default() -> Hearing {
        Hearing {
            delay: DELAY,
            outputs: Vec::new(),
            volume: None,
        }
    }
}

impl Options {
    fn of(visit: Visit) -> Options {
        Options {
            visit,
            screen: update::first_screen(visit),
            theme: None,
            config: None,
            settings: None,
            state: None,
            music: None,
            hearing: Hearing::default(),
            given: Given::default(),
            studio: None,
        }
    }

    /// `inonda` with no arguments: the channels first.
    pub fn browsing() -> Options {
        Options::of(Visit::Browse)
    }

    /// `inonda listen`: what plays first.
    pub fn listening() -> Options {
        Options::of(Visit::Listen)
    }

    /// `inonda demo`: what plays first; leaving does not ask about the demo's own host.
    pub fn demo() -> Options {
        Options::of(Visit::Demo)
    }

    /// `inonda host`: the studio first.
    pub fn hosting() -> Options {
        Options::of(Visit::Host)
    }
}

/// How the person left. The engine still runs, except after [`Left::Stopped`]: whoever called says goodbye to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The person quit.
    Quit,
    /// The engine stopped by itself.
    Stopped,
    /// A signal ended it, or the terminal is gone.
    Terminated,
}

/// The interface cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no terminal to draw in: use --plain, or --json for scripts")]
    NoTerminal,
    #[error("the terminal cannot be used: {0}; --plain needs none")]
    Terminal(#[source] std::io::Error),
}
