//! Judging the parent of a stripe: silent, late, or barren.

use std::sync::Arc;
use std::time::Duration;

use super::Mesh;
use crate::mesh::stripe::Unrest;
use crate::units::Time;

impl Mesh {
    /// Judges the parent of a stripe: silent ones are as good as lost, late ones are worth a look around. Says when to look again.
    pub(super) fn judge_parent(&mut self, stripe: u8, now: Time) -> Time {
        let round = self.round();
        let config = Arc::clone(&self.config);
        let best = self.best_offset().0;
        if self.stripes[usize::from(stripe)].parent.is_none() {
            return now + config.attach_timeout;
        }
        let silent_at = self.silent_at(stripe);
        let is_gone = self.is_parent_gone(stripe, now);
        let state = &mut self.stripes[usize::from(stripe)];
        let probe_at = state.pushed.max(state.since) + round * 2 - config.repair_margin / 3;
        if probe_at <= now {
            self.probe(now);
        }
        let state = &mut self.stripes[usize::from(stripe)];
        if silent_at <= now || is_gone {
            let waits = state.parent_lost_at.is_some_and(|at| now.since(at) < config.patience);
            let barren = state.parent.filter(|_| !state.proven && state.path.is_some());
            if state.path.is_some() {
                state.silenced = state.path.take();
                state.lost.get_or_insert(now);
                self.announce_path(stripe, now);
            }
            if let Some(key) = barren {
                self.members.barren.note(key, now);
            }
            if !waits {
                self.seek_stripe(stripe, now);
            }
            return now + config.attach_timeout;
        }
        let behind = best.map_or(0, |best| state.offset_us - best);
        let lag = state.offset_us - self.playback.source_us();
        let limit = (config.deadline * 2 / 5).as_micros() as i64;
        let is_late = behind > limit.min(config.lag_switch.as_micros() as i64) || lag > limit;
        if state.unrest == Unrest::Late && !is_late {
            state.unrest = Unrest::Calm;
        }
        if is_late
            && state.unrest == Unrest::Calm
            && now.since(state.moved) > config.lag_cooldown
            && state.path.is_some()
        {
            state.unrest = Unrest::Late;
            self.note_excess(stripe);
            self.seek_stripe(stripe, now);
        }
        if probe_at > now { probe_at } else { silent_at }
    }

    /// When the parent of a stripe counts as silent.
    pub(super) fn silent_at(&self, stripe: u8) -> Time {
        let state = &self.stripes[usize::from(stripe)];
        let last = state.pushed.max(state.since);
        // One that has spoken since its chunk was due is there, and what it sent was lost. (Each who gave it up told all below that there
        // was no way.)
        let due = last + self.round() + self.config.repair_margin;
        let parent = state
            .parent
            .filter(|_| state.proven)
            .and_then(|key| self.members.by_key(key));
        let speaks = parent.is_some_and(|at| self.members.list[at].heard > due);
        let more = if speaks { self.round() } else { Duration::ZERO };
        last + state.patience(&self.config, self.round()) + more
    }

    /// Asks all who have been silent whether they are there, and have room: a parent is about to be given up.
    pub(super) fn probe(&mut self, now: Time) {
        if now.since(self.probed) < self.config.lag_cooldown {
            return;
        }
        self.probed = now;
        for at in 0..self.members.list.len() {
            if now.since(self.members.list[at].heard) > self.config.patience {
                self.ping(at, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn a_parent_that_still_speaks_may_be_silent_for_a_round_more() {
        let (mut rig, _, relay) = Rig::relayed();
        let child = rig.listener(Config::default(), &[relay]);
        rig.run(Duration::from_secs(6));
        let (now, parent) = (rig.now, rig.nodes[relay].peer);
        let mesh = &mut rig.nodes[child].mesh;
        let at = mesh.members.find(&parent).unwrap();
        let (round, margin) = (mesh.round(), mesh.config.repair_margin);
        let state = &mut mesh.stripes[0];
        assert_eq!(state.parent, Some(mesh.members.list[at].key));
        (state.pushed, state.since) = (now, now - Duration::from_secs(5));
        mesh.members.list[at].heard = now + round + margin;
        let silent_at = mesh.silent_at(0);
        // A microsecond after its chunk was due.
        mesh.members.list[at].heard = now + round + margin + Duration::from_micros(1);
        assert_eq!(mesh.silent_at(0), silent_at + round);
        mesh.stripes[0].proven = false;
        assert!(mesh.silent_at(0) <= silent_at, "one that never gave anything");
    }
}
