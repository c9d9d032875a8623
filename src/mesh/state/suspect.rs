//! Whether those who should have spoken are still there: they are asked, and who does not answer is gone. Silence alone is slower,
//! and takes the one who only waits for its own parent for one that has died.

use std::time::Duration;

use super::{Mesh, Phase, bit};
use crate::mesh::member::Neighbour;
use crate::mesh::record::Key;
use crate::mesh::stripe::StripeState;
use crate::mesh::timer::Timer;
use crate::units::Time;

/// Between two pings of one that should have spoken: either may be lost.
const PING_AGAIN: Duration = Duration::from_millis(50);
/// A report may be so late before its child is asked.
const REPORT_MARGIN: Duration = Duration::from_millis(100);
/// Between two times that all children are asked.
const CHILDREN_PROBE_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks, at least and at most.
const LOOK_MIN: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Roots report to the host no more often.
const ROOT_SPAN_MIN: Duration = Duration::from_millis(120);

impl Mesh {
    /// The time between two reports of a root: with every second chunk of the host, where these do not come faster than a report is
    /// worth. (With a report each 20 ms a root that was slow for a moment lost its place, and half the mesh its way.)
    pub(super) fn root_span(&self) -> Duration {
        (self.round() * 2).max(ROOT_SPAN_MIN)
    }

    /// The time between two reports of a child: each travels with a chunk.
    pub(super) fn report_span(&self) -> Duration {
        let round = self.round();
        let rounds = self.config.report_every.as_micros() / round.as_micros().max(1);
        round * u32::try_from(rounds.max(1)).unwrap_or(1)
    }

    /// Asks the parents of overdue stripes whether they are there, when at least two are at once (one alone is a lost chunk more often
    /// than a lost parent, and repairs bridge it), and everybody else who has been silent: soon a new parent may be wanted. Says when
    /// to look again, to the millisecond: after a crash nothing else comes that would make a node look.
    pub(super) fn suspect_parents(&mut self, now: Time) -> Time {
        // The two that are due first: the second tells when they are too many for lost chunks.
        let (mut first, mut second) = (Time(u64::MAX), Time(u64::MAX));
        for at in self.stripes.iter().filter_map(|state| self.overdue_at(state)) {
            second = second.min(at.max(first));
            first = first.min(at);
        }
        if second > now {
            // One that stays away for a round more has not only lost a chunk.
            if first > now || now.since(first) < self.round() {
                return second.min(now + LOOK_MAX);
            }
        }
        let overdue = self.stripes.iter().filter(|state| self.is_overdue(state, now));
        let parents: Vec<Key> = overdue.filter_map(|state| state.parent).collect();
        let mut next = now + LOOK_MAX;
        for key in parents {
            if let Some(at) = self.members.by_key(key) {
                next = next.min(self.suspect(at, now));
            }
        }
        self.probe(now);
        next
    }

    /// When the parent of a stripe should have pushed something.
    fn overdue_at(&self, state: &StripeState) -> Option<Time> {
        let due = state.pushed.max(state.since) + self.round() + self.margin(state);
        (state.parent.is_some() && state.path.is_some()).then_some(due)
    }

    fn is_overdue(&self, state: &StripeState, now: Time) -> bool {
        self.overdue_at(state).is_some_and(|at| at <= now)
    }

    /// Whether a stripe has had its parent for a while, which is there as far as one can tell: it pushes, or it alone does not.
    pub(super) fn seems_fed(&self, stripe: u8, now: Time) -> bool {
        let state = &self.stripes[usize::from(stripe)];
        let overdue = || self.stripes.iter().filter(|state| self.is_overdue(state, now));
        let pushes = self
            .overdue_at(state)
            .is_some_and(|at| at > now || overdue().count() <= 1);
        state.is_settled(now) && pushes
    }

    /// Whether a child should have spoken by now: it may be gone, and others may need what it is sent. Anything counts: where a chunk
    /// was lost above us it has nothing to report. (Counting reports only, it was then sent nothing more, and never could report.)
    pub(super) fn is_quiet(&self, n: &Neighbour, now: Time) -> bool {
        let silence = self.report_span() * 3 / 2;
        n.fed != 0 && now.since(n.alive.max(n.heard)) > silence
    }

    pub(super) fn has_quiet_child(&self, stripe: u8, now: Time) -> bool {
        let quiet = |n: &Neighbour| n.fed & bit(stripe) != 0 && self.is_quiet(n, now);
        self.members.feeding & bit(stripe) != 0 && self.members.list.iter().any(quiet)
    }

    /// Asks children whose report is overdue whether they are there, and takes the slots of those who are not. Says when to look
    /// again.
    pub(super) fn suspect_children(&mut self, now: Time) -> Time {
        if now < self.children_due || self.phase != Phase::Running {
            return self.children_due.max(now + LOOK_MIN);
        }
        let limit = if self.is_source {
            self.root_span() + self.config.repair_margin
        } else {
            self.report_span() + REPORT_MARGIN
        };
        let mut due = now + limit;
        for at in 0..self.members.list.len() {
            let neighbour = &self.members.list[at];
            if neighbour.fed == 0 {
                continue;
            }
            let late_at = neighbour.alive.max(neighbour.heard) + limit;
            if late_at > now && neighbour.unanswered == 0 {
                due = due.min(late_at);
            } else if self.is_gone(at, now) {
                let fed = neighbour.fed;
                self.cut(at, fed, now);
            } else {
                due = due.min(self.suspect(at, now));
            }
        }
        self.children_due = due.max(now + LOOK_MIN);
        self.children_due
    }

    /// Asks all children that have been silent for longer than chunks take to come whether they are there: one that has lost its parent
    /// was turned away because of them.
    pub(super) fn probe_children(&mut self, now: Time) {
        if now.since(self.children_probed) < CHILDREN_PROBE_PAUSE {
            return;
        }
        self.children_probed = now;
        let silent = self.round() + self.config.repair_margin;
        for at in 0..self.members.list.len() {
            let neighbour = &self.members.list[at];
            if neighbour.fed != 0 && neighbour.unanswered == 0 && now.since(neighbour.heard) > silent {
                self.ping(at, now);
            }
        }
        self.children_due = now + PING_AGAIN;
        self.watch_due = self.watch_due.min(self.children_due);
        self.timers.by(Timer::Watch, self.children_due);
    }

    /// Whether the parent of a stripe is gone for sure.
    pub(super) fn is_parent_gone(&self, stripe: u8, now: Time) -> bool {
        let state = &self.stripes[usize::from(stripe)];
        let parent = state.parent.filter(|_| state.path.is_some());
        let at = parent.and_then(|key| self.members.by_key(key));
        at.is_some_and(|at| self.is_gone(at, now))
    }

    /// Pings one that should have spoken, twice; says when to look again.
    fn suspect(&mut self, at: usize, now: Time) -> Time {
        let neighbour = &self.members.list[at];
        let again = neighbour.unanswered == 1 && now.since(neighbour.pinged) >= PING_AGAIN;
        if neighbour.unanswered == 0 || again {
            self.ping(at, now);
        }
        now + PING_AGAIN
    }

    /// Whether one has answered none of two pings while others were heard: when nobody is, it is our own line that is down.
    fn is_gone(&self, at: usize, now: Time) -> bool {
        let neighbour = &self.members.list[at];
        neighbour.unanswered > 1 && neighbour.is_overdue(now) && self.spoken_at > neighbour.pinged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn a_child_reports_with_a_chunk_as_late_as_it_may() {
        // With a chunk of each stripe every 60, 240 and 960 ms.
        for (stripes, millis) in [(1, 1_260), (4, 1_200), (16, 960)] {
            let mut rig = Rig::new();
            let host = rig.host(1, stripes, Config::default());
            let at = rig.listener(Config::default(), &[host]);
            rig.run(Duration::from_secs(4));
            assert_eq!(rig.nodes[at].mesh.report_span(), Duration::from_millis(millis));
        }
    }

    #[test]
    fn a_child_that_speaks_and_has_nothing_to_report_is_not_quiet() {
        let (mut rig, _, relay) = Rig::relayed();
        let child = rig.listener(Config::default(), &[relay]);
        rig.run(Duration::from_secs(6));
        let (now, peer) = (rig.now, rig.nodes[child].peer);
        let mesh = &mut rig.nodes[relay].mesh;
        let at = mesh.members.find(&peer).unwrap();
        let long = mesh.report_span() * 2;
        let mut quiet = |alive, heard| {
            (mesh.members.list[at].alive, mesh.members.list[at].heard) = (alive, heard);
            mesh.is_quiet(&mesh.members.list[at], now) && mesh.has_quiet_child(0, now)
        };
        assert!(quiet(now - long, now - long));
        assert!(!quiet(now - long, now));
        assert!(!quiet(now, now));
    }

    #[test]
    fn a_parent_that_alone_is_silent_is_asked_after_a_round_more() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        let (round, margin) = (mesh.round(), mesh.margin(&mesh.stripes[2]));
        let mut asks = |silent: Duration, stripes: usize| {
            for (n, state) in mesh.stripes.iter_mut().enumerate() {
                state.since = now - Duration::from_secs(5);
                state.pushed = if n < stripes { now - silent } else { now };
            }
            mesh.probed = now;
            mesh.members.list[0].unanswered = 0;
            mesh.suspect_parents(now);
            std::mem::take(&mut mesh.members.list[0].unanswered) > 0
        };
        let late = round + margin + Duration::from_millis(1);
        assert!(!asks(late, 1), "a chunk may have been lost");
        assert!(asks(late, 2));
        assert!(asks(late + round, 1));
    }
}
