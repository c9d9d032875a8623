//! How well the channel comes in of late: totals in snapshots never forget, people want to know about this minute.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::snapshot::ChannelView;
use crate::units::ChannelId;

/// What "of late" means.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Time between two points.
const STEP: Duration = Duration::from_secs(1);

/// Chunks due and missed over the last minute.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    channel: Option<ChannelId>,
    points: VecDeque<Point>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Duration,
    due: u64,
    missed: u64,
}

impl Reception {
    /// Takes the totals of one snapshot; another channel, or a new session of it, begins anew.
    pub fn take(&mut self, view: &ChannelView, now: Duration) {
        let fell = self.points.back().is_some_and(|last| view.chunks_due < last.due);
        if self.channel != Some(view.channel) || fell {
            self.points.clear();
            self.channel = Some(view.channel);
        }
        if self
            .points
            .back()
            .is_some_and(|last| now.saturating_sub(last.at) < STEP)
        {
            return;
        }
        self.points.push_back(Point {
            at: now,
            due: view.chunks_due,
            missed: view.chunks_missed,
        });
        while self.points.len() > 1 && now.saturating_sub(self.points[0].at) > WINDOW {
            self.points.pop_front();
        }
    }

    /// Chunks missed and due in the last minute, as far as this channel was watched.
    pub fn lately(&self, view: &ChannelView) -> (u64, u64) {
        match self.points.front() {
            Some(first) if self.channel == Some(view.channel) => (
                view.chunks_missed.saturating_sub(first.missed),
                view.chunks_due.saturating_sub(first.due),
            ),
            Some(_) | None => (0, 0),
        }
    }

    /// The share of chunks missed in the last minute, from 0 to 1.
    pub fn missed_share(&self, view: &ChannelView) -> f64 {
        let (missed, due) = self.lately(view);
        missed.min(due) as f64 / due.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_minute_is_forgotten_after_a_minute() {
        let mut reception = Reception::default();
        let mut view = crate::tui::sample::channel(None);
        (view.chunks_due, view.chunks_missed) = (1_000, 0);
        reception.take(&view, Duration::ZERO);
        (view.chunks_due, view.chunks_missed) = (1_100, 50);
        reception.take(&view, Duration::from_secs(10));
        assert!((reception.missed_share(&view) - 0.5).abs() < 1e-9);
        for second in 11..80 {
            view.chunks_due += 10;
            reception.take(&view, Duration::from_secs(second));
        }
        assert_eq!(
            reception.lately(&view).0,
            0,
            "what was missed lies more than a minute back"
        );
    }

    #[test]
    fn another_channel_begins_without_a_past() {
        let mut reception = Reception::default();
        let mut view = crate::tui::sample::channel(None);
        reception.take(&view, Duration::ZERO);
        view.channel = ChannelId([9; 32]);
        view.chunks_missed += 1_000;
        assert_eq!(reception.lately(&view), (0, 0));
    }
}
