//! Dialling: peers that were named, peers we know of, addresses to begin with.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Mesh;
use crate::mesh::Output;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::stripe::Unrest;
use crate::mesh::wire::Need;
use crate::units::Time;

/// With which chance, for each child link it has, an orphan that finds nobody turns to the host: a few of ten thousand.
const ROOTLESS_CHANCE: f64 = 0.004;

/// Dials at once that may still be answered, of one who has a neighbour that answers.
const DIALS_AT_ONCE: usize = 8;

/// What greeting and asking one who was dialled takes: all who are being dialled may answer at once.
const DIAL_BYTES: usize = 500;

impl Mesh {
    pub(super) fn reconnect(&mut self, now: Time) {
        for state in &mut self.stripes {
            state.unrest = Unrest::Sent;
            state.moved = Time::ZERO;
            state.avoid.clear();
        }
        self.dial_bootstrap(usize::MAX, now);
        self.seek(now);
    }

    /// Dials peers that were named as having room.
    pub(super) fn dial_hints(&mut self, others: &[Arc<PeerRecord>], most: usize, now: Time) {
        for record in others.iter().take(most) {
            self.dial(record, now);
        }
    }

    pub(super) fn dial(&mut self, record: &Arc<PeerRecord>, now: Time) -> bool {
        let peer = record.peer;
        self.members.dials.forget(&peer, now);
        if peer == self.me
            || self.members.barren.is_shunned(Key::of(&peer), now)
            || self.members.is_near(&peer)
            || self.standing.is_banned(&peer, now)
        {
            return false;
        }
        // Whose neighbours are all gone has no time to lose: most of those it has heard of may be gone as well. (Of 900 who were left of
        // 3,000 two tried seventeen in four seconds until one answered.)
        let is_alone = self.is_alone(now);
        let under_way = self.members.dials.eager(now) + 1;
        if under_way > DIALS_AT_ONCE && !is_alone
            || !self.bears(DIAL_BYTES * under_way, now)
            || !(self.dial_allowance.take(1.0, now) || is_alone)
            || !self.members.dials.start(Some(peer), &record.addrs, now)
        {
            return false;
        }
        let addrs = record.addrs.clone();
        self.out.push_back(Output::Dial {
            peer: Some(peer),
            addrs,
        });
        true
    }

    /// Dials somebody new for a stripe: at home in it by preference, and the host when nothing else is left.
    pub(super) fn dial_for(&mut self, stripe: u8, need: Need, now: Time) {
        let count = self.stripe_count();
        let fits = |record: &PeerRecord| {
            record.slots > 0 && !record.addrs.is_empty() && !self.members.barren.is_shunned(Key::of(&record.peer), now)
        };
        // After a crash those named last are the likeliest to be alive; but who names many must not be all we hear of.
        let found = if need == Need::Orphan && self.rng.chance(0.5) {
            self.members.newest(fits)
        } else {
            self.members.candidates(&mut self.rng, fits)
        };
        // When nobody has a stripe any more, all its roots are gone: some strong ones turn to the host.
        let is_rootless =
            need == Need::Orphan && self.home() == stripe && self.rng.chance(ROOTLESS_CHANCE * f64::from(self.slots));
        if is_rootless && let Some(host) = self.members.host.clone() {
            self.dial(&host, now);
            return;
        }
        let home = |record: &&Arc<PeerRecord>| {
            Key::of(&record.peer).home(count) == stripe && !self.members.is_host(&record.peer)
        };
        let pick = found
            .iter()
            .find(home)
            .or_else(|| found.iter().find(|_| need != Need::Better));
        if found.is_empty() {
            self.members.dials.forget_all(now);
        }
        if let Some(record) = pick.cloned() {
            self.dial(&record, now);
        } else if need != Need::Better
            && let Some(host) = self.members.host.clone()
        {
            self.dial(&host, now);
        }
    }

    /// Takes addresses to begin with.
    pub(super) fn add_addrs(&mut self, addrs: &[SocketAddr], now: Time) {
        self.members.add_bootstrap(addrs);
        // Who has nobody has waited for just these.
        if self.is_alone(now) {
            self.dial_again = now;
        }
        self.seek(now);
    }

    /// Dials addresses to begin with, at most so many.
    pub(super) fn dial_bootstrap(&mut self, most: usize, now: Time) {
        for addr in self.members.bootstrap().into_iter().take(most) {
            if self.members.dials.start(None, &[addr], now) {
                self.out.push_back(Output::Dial {
                    peer: None,
                    addrs: vec![addr],
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;
    use crate::units::PeerId;
    use std::time::Duration;

    fn record(n: u8) -> Arc<PeerRecord> {
        Arc::new(PeerRecord {
            peer: PeerId([n; 32]),
            serial: 1,
            slots: 1,
            addrs: vec![SocketAddr::from(([127, 0, 0, n], 1))],
            signature: [0; 64],
        })
    }

    #[test]
    fn who_has_no_neighbour_that_answers_tries_many_and_those_who_did_not_answer_do_not_count() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(8));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        let second = Duration::from_secs(1);
        let begun = |mesh: &mut Mesh, first: u8, now: Time| {
            let begun: Vec<u8> = (first..first + 40).filter(|n| mesh.dial(&record(*n), now)).collect();
            for n in &begun {
                mesh.on_dial_failed(Some(record(*n).peer), &[], now + second);
            }
            begun.len()
        };
        assert_eq!(begun(mesh, 1, now), DIALS_AT_ONCE);
        // Had they counted there would be room for six.
        assert_eq!(begun(mesh, 50, now + second), DIALS_AT_ONCE);
        for neighbour in &mut mesh.members.list {
            neighbour.unanswered = 2;
        }
        assert_eq!(begun(mesh, 100, now + second * 2), 2 * DIALS_AT_ONCE);
    }

    #[test]
    fn the_only_one_known_is_dialled_again_after_it_was_silent() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        assert!(mesh.dial(&record(1), now));
        mesh.on_dial_failed(Some(record(1).peer), &[], now + Duration::from_secs(5));
        assert!(!mesh.dial(&record(1), now + Duration::from_secs(7)));
        assert!(mesh.dial(&record(1), now + Duration::from_secs(9)));
    }

    #[test]
    fn who_did_not_answer_is_forgotten_even_by_a_host_unless_nobody_was_heard() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        let now = rig.now;
        let mesh = &mut rig.nodes[host].mesh;
        for n in 1..4 {
            mesh.members.learn(&record(n), Key(9), 8, &mut mesh.rng);
        }
        let known = mesh.members.passive_len();
        assert!(mesh.dial(&record(1), now) && mesh.dial(&record(2), now));
        mesh.on_dial_failed(Some(record(1).peer), &[], now);
        assert_eq!(mesh.members.passive_len(), known, "it may be our own line");
        while mesh.poll_output().is_some() {}
        rig.run(Duration::from_secs(2));
        let now = rig.now;
        let mesh = &mut rig.nodes[host].mesh;
        let known = mesh.members.passive_len();
        mesh.on_dial_failed(Some(record(2).peer), &[], now);
        assert_eq!(mesh.members.passive_len(), known - 1);
    }

    #[test]
    fn nobody_is_dialled_whose_greeting_the_second_does_not_bear_if_all_answer() {
        let mut rig = Rig::new();
        let with = |upload_bps| Config {
            upload_bps,
            ..Config::default()
        };
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(with(800_000), &[host]);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        while mesh.bears(DIAL_BYTES * 3, now) {
            mesh.upload.charge(50, now);
        }
        assert_eq!([1, 2, 3].map(|n| mesh.dial(&record(n), now)), [true, true, false]);
    }
}
