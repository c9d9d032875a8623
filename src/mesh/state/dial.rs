//! Dialling: peers that were named, peers we know of, addresses to begin with.

use std::sync::Arc;

use super::Mesh;
use crate::mesh::Output;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::stripe::Unrest;
use crate::mesh::wire::Need;
use crate::units::Time;

/// With which chance, for each child link it has, an orphan that finds nobody turns to the host: a few of ten thousand.
const ROOTLESS_CHANCE: f64 = 0.004;

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
        if peer == self.me
            || self.members.barren.is_shunned(Key::of(&peer), now)
            || self.members.is_near(&peer)
            || self.standing.is_banned(&peer, now)
        {
            return false;
        }
        let under_way = self.members.dials.eager(now) + 1;
        if !self.bears(DIAL_BYTES * under_way, now)
            || !self.dial_allowance.take(1.0, now)
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
        if let Some(record) = pick.cloned() {
            self.dial(&record, now);
        } else if need != Need::Better
            && let Some(host) = self.members.host.clone()
        {
            self.dial(&host, now);
        }
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
    use std::net::SocketAddr;
    use std::time::Duration;

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
        let record = |n: u8| {
            Arc::new(PeerRecord {
                peer: PeerId([n; 32]),
                serial: 1,
                slots: 1,
                addrs: vec![SocketAddr::from(([127, 0, 0, n], 1))],
                signature: [0; 64],
            })
        };
        while mesh.bears(DIAL_BYTES * 3, now) {
            mesh.upload.charge(50, now);
        }
        assert_eq!([1, 2, 3].map(|n| mesh.dial(&record(n), now)), [true, true, false]);
    }
}
