//! Keeps what libraries write to standard error off the screen: sound servers' clients complain there, whatever one asks.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Standard error while the screens are drawn; it is left alone when it does not lead to the terminal.
#[derive(Default)]
pub struct Hush(Mutex<Option<OwnedFd>>);

impl Hush {
    /// Sends standard error to nowhere.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn begin(&self) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() || !io::stderr().is_terminal() {
            return Ok(());
        }
        let own = io::stderr().as_fd().try_clone_to_owned()?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stderr(nowhere)?;
        *kept = Some(own);
        Ok(())
    }

    /// Gives it back; a panic is told after this.
    pub fn end(&self) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(own) = kept {
            // Nothing can be said about a failure here.
            let _ = rustix::stdio::dup2_stderr(own);
        }
    }
}
