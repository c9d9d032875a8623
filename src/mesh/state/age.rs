//! How old chunks are, as far as one can know whose neighbours may lie, and which are too old for anybody.

use std::time::Duration;

use super::Mesh;
use crate::units::{Seq, Time};

/// Beyond the deadline, after which a chunk is sent to nobody: D + 1 s is the limit, and ages are estimates, poor ones in the first
/// seconds, when all that has come may be what others sent again and called new.
const OLD: Duration = Duration::from_millis(700);
const OLD_AT_FIRST: Duration = Duration::from_millis(100);
const AT_FIRST: Duration = Duration::from_secs(5);

impl Mesh {
    /// Whether a chunk of this age serves nobody any more. At first it is held to be no younger than those who took us in say: when they
    /// lie, nothing is passed on for a few seconds. (Who heard an old chunk first that was called new passed on others for younger than
    /// they were.)
    pub(super) fn is_old(&self, seq: Seq, age: Duration, now: Time) -> bool {
        if self.is_source || self.playback.has_lived_for(AT_FIRST, now) {
            return age > self.config.deadline + OLD;
        }
        let told = self.stripes.iter().filter_map(|state| state.told).max();
        let least = told.map_or(Duration::ZERO, |newest| self.time_between(seq, newest));
        !self.playback.has_lived() || age.max(least) > self.config.deadline + OLD_AT_FIRST
    }

    /// The age of a chunk: as the best of what peers say tells, and no less than what newer chunks tell, which nobody can make up.
    pub(super) fn age_of(&self, seq: Seq, now: Time) -> Duration {
        let least = self.time_between(seq, self.window.newest());
        now.since(self.playback.published(seq, self.chunk_time())).max(least)
    }

    /// The media time from one chunk to a later one.
    fn time_between(&self, seq: Seq, later: Seq) -> Duration {
        let chunks = later.0.saturating_sub(seq.0);
        self.chunk_time() * u32::try_from(chunks).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn what_came_first_and_was_called_new_is_as_old_as_those_who_took_us_in_say() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        let relay = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(8));
        let now = rig.now;
        let mesh = &mut rig.nodes[relay].mesh;
        let newest = mesh.window.newest();
        // Its clock is lost, and one of three seconds ago is the first that tells the time.
        mesh.playback = Default::default();
        let old = Seq(newest.0 - 50);
        let chunk_time = mesh.chunk_time();
        mesh.playback
            .on_chunk(old, 0, now, chunk_time, Duration::from_millis(600), now);
        assert!(mesh.age_of(old, now) >= Duration::from_secs(3));
        assert!(
            mesh.is_old(newest, Duration::ZERO, now),
            "nobody is sent anything before live sound has come"
        );
        mesh.playback.on_live(newest, chunk_time, 0, now);
        mesh.window = Default::default();
        let age = mesh.age_of(old, now);
        assert!(age < Duration::from_secs(1), "{age:?}");
        mesh.stripes[1].told = Some(newest);
        assert!(mesh.is_old(old, age, now) && !mesh.is_old(newest, age, now));
        mesh.stripes.iter_mut().for_each(|state| state.told = None);
        assert!(!mesh.is_old(old, age, now), "nobody knows better");
    }
}
