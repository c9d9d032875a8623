//! Judging the parent of a stripe: silent, late, or barren.

use std::sync::Arc;

use super::Mesh;
use crate::mesh::record::Key;
use crate::mesh::stripe::Unrest;
use crate::units::Time;

impl Mesh {
    /// Judges the parent of a stripe: silent ones are as good as lost, late ones are worth a look around. Says when to look again.
    pub(super) fn judge_parent(&mut self, stripe: u8, now: Time) -> Time {
        let round = self.round();
        let config = Arc::clone(&self.config);
        let best = self.best_offset().0;
        let state = &mut self.stripes[usize::from(stripe)];
        if state.parent.is_none() {
            return now + config.attach_timeout;
        }
        let patience = state.patience(&config, round);
        let silent_at = state.pushed.max(state.since) + patience;
        let probe_at = state.pushed.max(state.since) + round * 2 - config.repair_margin / 3;
        if probe_at <= now {
            self.probe(now);
        }
        let state = &mut self.stripes[usize::from(stripe)];
        if silent_at <= now {
            let waits = state.parent_lost_at.is_some_and(|at| now.since(at) < config.patience);
            let barren = state
                .parent
                .filter(|_| state.pushed < state.since && state.path.is_some());
            if state.path.is_some() {
                state.path = None;
                state.lost.get_or_insert(now);
                self.announce_path(stripe, now);
            }
            if let Some(key) = barren {
                self.note_barren(key);
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

    /// A neighbour took us in and gave nothing: it is asked last from now on.
    pub(super) fn note_barren(&mut self, key: Key) {
        if let Some(at) = self.members.by_key(key) {
            let neighbour = &mut self.members.list[at];
            neighbour.barren = neighbour.barren.saturating_add(1);
        }
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
