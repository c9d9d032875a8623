//! What devices tell, and how they fail.

use crate::device::list::Kind;

/// Something happened to the device behind a [`Playback`](crate::device::Playback) or
/// [`Capture`](crate::device::Capture), which goes on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// The device is gone or has failed.
    Lost { kind: Kind, name: String, why: String },
    /// Another one has taken its place.
    Moved { kind: Kind, name: String },
    /// The device is back in use.
    Back { kind: Kind, name: String },
}

impl DeviceChange {
    /// For people: whether it is a warning, what happened, and what to do.
    pub fn words(&self) -> (bool, String, String) {
        match self {
            DeviceChange::Lost { kind, name, why } => {
                let message = format!("the sound {kind} {name} is lost: {why}");
                (
                    true,
                    message,
                    "plug it in again; everything else goes on, and it is taken up when it is back".into(),
                )
            }
            DeviceChange::Moved {
                kind: Kind::Output,
                name,
            } => (false, format!("the sound now comes out of {name}"), String::new()),
            DeviceChange::Moved {
                kind: Kind::Input,
                name,
            } => (false, format!("the sound now comes from {name}"), String::new()),
            DeviceChange::Back { kind, name } => (false, format!("the sound {kind} {name} is back"), String::new()),
        }
    }
}

/// A device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("this machine has no sound {kind}: plug one in or start a sound server{}", .kind.instead())]
    None { kind: Kind },
    #[error("no sound {kind} is called {wanted:?}; there is {}: choose one of them, or leave the name out", named(.there))]
    NotFound {
        kind: Kind,
        wanted: String,
        there: Vec<String>,
    },
    #[error("{wanted:?} may be any of {}: say more of the name", named(.matching))]
    Ambiguous { wanted: String, matching: Vec<String> },
    #[error(
        "the sound {kind} {name:?} cannot be opened ({why}): close what else uses it, or choose another of `inonda devices`"
    )]
    Open { kind: Kind, name: String, why: String },
    #[error("the sound system does not answer: restart the sound server{}", .kind.instead())]
    Hung { kind: Kind },
}

fn named(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
