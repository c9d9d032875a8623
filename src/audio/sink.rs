//! Files that keep what is heard.

mod ogg;
mod wav;

use std::io;
use std::path::{Path, PathBuf};

pub use ogg::{About, OggWriter};
pub use wav::WavWriter;

/// A recording that failed; what was written before stays playable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    #[error("cannot create {}: {reason}; choose another place", path.display())]
    Create { path: PathBuf, reason: String },
    #[error("{} is there already and stays as it is; choose another name", path.display())]
    Exists { path: PathBuf },
    #[error("the disk is full, {} ends here; free some space or choose another disk", path.display())]
    Full { path: PathBuf },
    #[error("cannot write {}: {reason}; check the disk it is on", path.display())]
    Write { path: PathBuf, reason: String },
}

impl SinkError {
    /// Whether there is no room left, which trying again does not change.
    pub fn is_full(&self) -> bool {
        matches!(self, SinkError::Full { .. })
    }

    fn create(path: &Path, error: &io::Error) -> SinkError {
        match is_full(error) {
            true => SinkError::Full { path: path.to_owned() },
            false => SinkError::Create {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    fn write(path: &Path, error: &io::Error) -> SinkError {
        match is_full(error) {
            true => SinkError::Full { path: path.to_owned() },
            false => SinkError::Write {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | WriteZero)
}
