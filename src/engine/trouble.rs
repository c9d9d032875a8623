//! Why a sound thread cannot start or go on, in words for people.

use crate::engine::event::Level;
use crate::engine::report::Report;
use crate::units::ChannelId;

/// What happened, what to do, and the exit status it deserves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// 1 failed, 4 no usable sound device.
    pub code: u8,
    pub message: String,
    pub hint: String,
}

impl Trouble {
    /// Trouble with a file or a codec.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Trouble {
        Trouble {
            code: 1,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Trouble with a sound device.
    pub fn device(message: impl Into<String>, hint: impl Into<String>) -> Trouble {
        Trouble {
            code: 4,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The report that tells a person of it while everything else goes on.
    pub fn into_notice(self) -> Report {
        Report::Notice {
            level: Level::Error,
            message: self.message,
            hint: self.hint,
        }
    }

    /// The report that ends a channel for this reason.
    pub fn into_report(self, channel: ChannelId) -> Report {
        Report::Failed {
            channel,
            code: self.code,
            message: self.message,
            hint: self.hint,
        }
    }
}
