//! When nothing comes from anybody: those around us may starve as well, as on an island that is cut off from the host, and to
//! ask and dial them often feeds nobody.

use std::time::Duration;

use super::{Mesh, Phase};
use crate::mesh::Timer;
use crate::mesh::member::Neighbour;
use crate::mesh::wire::{Load, Need};
use crate::units::Time;

/// Without a chunk from anybody for this long a node starves: a crash of half the audience is mended faster by asking everybody,
/// and by then those who are fed say so.
const STARVING: Duration = Duration::from_secs(2);
/// The same for one that has never had any: in a crowd it may stand before several doors first.
const STARVING_NEWCOMER: Duration = Duration::from_secs(4);
/// How long it waits between two dials: a quarter of the time it has starved, within these.
const DIAL_PAUSE_MIN: Duration = Duration::from_millis(500);
const DIAL_PAUSE_MAX: Duration = Duration::from_secs(3);
/// Dials at once of one that has no neighbour who answers.
const DIALS_ALONE: usize = 3;

impl Mesh {
    /// Whether nothing has come from anybody for a while.
    pub(super) fn is_starving(&self, now: Time) -> bool {
        let limit = if self.fresh_at == Time::ZERO {
            STARVING_NEWCOMER
        } else {
            STARVING
        };
        !self.is_source && self.phase == Phase::Running && self.hungry_for(now) >= limit
    }

    fn hungry_for(&self, now: Time) -> Duration {
        now.since(self.fresh_at.max(self.adopted_at))
    }

    /// Whether it is worth asking a neighbour for a stripe: one who starves asks only those who say that they have it.
    pub(super) fn is_worth_asking(&self, n: &Neighbour, stripes: u16, now: Time) -> bool {
        n.load.fed & stripes != 0 || n.is_host() || !self.is_starving(now)
    }

    /// Dials somebody now and then: the more rarely the longer nothing has come.
    pub(super) fn dial_sparingly(&mut self, now: Time) {
        self.has_starved = true;
        if now >= self.dial_again {
            let pause = (self.hungry_for(now) / 4).clamp(DIAL_PAUSE_MIN, DIAL_PAUSE_MAX);
            self.dial_again = now + pause.mul_f64(0.75 + self.rng.unit() / 2.0);
            // Who knows nobody asks nobody in vain: most of those it has heard of may be dead, and one address of three out of its reach.
            let is_alone = self.is_alone(now);
            let dials = if is_alone { DIALS_ALONE } else { 1 };
            for _ in 0..dials.min(usize::from(self.stripe_count()) * DIALS_ALONE) {
                let stripe = self.rng.below(usize::from(self.stripe_count())) as u8;
                self.dial_for(stripe, Need::Orphan, now);
            }
            self.dial_bootstrap(if is_alone { usize::MAX } else { 1 }, now);
        }
        self.timers.by(Timer::Seek, self.dial_again);
    }

    /// Whether no neighbour answers.
    pub(super) fn is_alone(&self, now: Time) -> bool {
        self.members.list.iter().all(|n| n.is_mute(now))
    }

    /// One who starves asks a neighbour as soon as it says that it is fed.
    pub(super) fn take_relief(&mut self, load: Load, now: Time) {
        if load.fed != 0 && self.is_starving(now) {
            self.seek(now);
        }
    }

    /// Tells those who starve as well that something has come at last.
    pub(super) fn share_relief(&mut self, now: Time) {
        if !self.has_starved || self.load.fed == 0 || self.is_starving(now) {
            return;
        }
        self.has_starved = false;
        for at in 0..self.members.list.len() {
            if self.members.list[at].load.fed == 0 {
                self.ping(at, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::{Config, Input};

    const SECOND: Duration = Duration::from_secs(1);

    /// Ten listeners, cut off from their host.
    fn island() -> Rig {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        for n in 0..10 {
            rig.listener(Config::default(), &[host, n / 2]);
        }
        rig.run(SECOND * 10);
        rig.cut = true;
        rig
    }

    #[test]
    fn those_who_all_starve_leave_each_other_alone() {
        let mut rig = island();
        rig.run(SECOND * 5);
        let (asked, dialled) = (rig.asked, rig.dialled);
        rig.run(SECOND * 20);
        let (asked, dialled) = (rig.asked - asked, rig.dialled - dialled);
        // Two addresses in two seconds at the most; nobody says that it is fed.
        assert!(dialled <= 10 * 20, "{dialled}");
        assert!(asked <= 10, "{asked}");
    }

    #[test]
    fn who_knows_nobody_tries_all_addresses_it_is_given() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        // Nobody answers there.
        let lonely = rig.listener(Config::default(), &[]);
        rig.run(SECOND * 6);
        let nowhere = |n: u8| std::net::SocketAddr::from(([198, 51, 100, n], 1));
        let addrs = vec![nowhere(1), nowhere(2), rig.nodes[host].addr];
        rig.input(lonely, Input::AddAddrs { addrs });
        rig.run(SECOND * 4);
        assert!(
            rig.nodes[lonely].chunks.len() > 10,
            "{}",
            rig.nodes[lonely].chunks.len()
        );
    }

    #[test]
    fn who_has_nobody_tries_new_addresses_at_once() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        let lonely = rig.listener(Config::default(), &[]);
        rig.run(SECOND * 9);
        let nowhere = std::net::SocketAddr::from(([198, 51, 100, 1], 1));
        rig.input(lonely, Input::AddAddrs { addrs: vec![nowhere] });
        rig.run(SECOND / 10);
        let (dialled, addrs) = (rig.dialled, vec![rig.nodes[host].addr]);
        rig.input(lonely, Input::AddAddrs { addrs });
        assert!(rig.dialled > dialled);
    }

    #[test]
    fn who_is_fed_again_tells_those_who_starve() {
        let mut rig = island();
        rig.run(SECOND * 15);
        rig.cut = false;
        let before: Vec<usize> = rig.nodes.iter().map(|node| node.chunks.len()).collect();
        rig.run(SECOND * 6);
        for (node, before) in rig.nodes.iter().zip(before).skip(1) {
            // Of a hundred in this time, and two seconds of the past.
            let come = node.chunks.len() - before;
            assert!(come > 60, "{come}");
        }
    }
}
