//! Judging the parent of a stripe: silent, late, or barren.

use std::sync::Arc;

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
        state.pushed.max(state.since) + state.patience(&self.config, self.round())
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
