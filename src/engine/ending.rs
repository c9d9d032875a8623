//! How sound threads end: when they are told to, and never without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::engine::report::Report;
use crate::units::ChannelId;

/// Tells a thread to end, however full its queue is.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread's last word, said when it is dropped: also by a thread that breaks down, which says so first.
pub struct LastWord {
    channel: ChannelId,
    reports: mpsc::Sender<Report>,
    word: Option<Report>,
}

impl LastWord {
    /// To be dropped after everything else of the thread.
    pub fn new(channel: ChannelId, reports: mpsc::Sender<Report>, word: Report) -> LastWord {
        LastWord {
            channel,
            reports,
            word: Some(word),
        }
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.reports.blocking_send(Report::Failed {
                channel: self.channel,
                code: 1,
                message: "the sound has broken down by a mistake in inonda".into(),
                hint: "start it again, and report what was said before this".into(),
            });
        }
        if let Some(word) = self.word.take() {
            let _ = self.reports.blocking_send(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_breaks_down_says_so_and_has_its_last_word() {
        let (reports, mut heard) = mpsc::channel(8);
        let channel = ChannelId([1; 32]);
        let thread = std::thread::spawn(move || {
            let _last = LastWord::new(channel, reports, Report::ListenEnded { channel });
            panic!("a thread of this test breaks down");
        });
        assert!(thread.join().is_err());
        assert!(matches!(heard.blocking_recv(), Some(Report::Failed { code: 1, .. })));
        assert!(matches!(heard.blocking_recv(), Some(Report::ListenEnded { .. })));
        assert!(heard.blocking_recv().is_none());
    }
}
