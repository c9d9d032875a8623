//! After a crash a stripe first hangs wherever there was a place, one below the other: for a few seconds those who are deep ask their
//! neighbours how they stand, and move up.

use std::time::Duration;

use super::{Mesh, bit};
use crate::mesh::member::Neighbour;
use crate::mesh::stripe::Unrest;
use crate::units::Time;

/// For so long after it was without a parent a stripe is looked after.
const MENDING: Duration = Duration::from_secs(4);
/// Who hangs no deeper than this stays where it is.
const SHALLOW: usize = 5;
/// Between two questions to one neighbour.
const ASK_AGAIN: Duration = Duration::from_millis(450);

impl Mesh {
    /// Asks those at home in stripes that had no parent a moment ago how they stand: what they said may be nine seconds old. (Six
    /// seconds after 70 % of 3,000 had gone 6 % hung deeper than nine, and 16 % without this.)
    pub(super) fn mend(&mut self, now: Time) {
        for stripe in 0..self.stripe_count() {
            if !self.is_mending(stripe, now) {
                continue;
            }
            for at in 0..self.members.list.len() {
                let n = &self.members.list[at];
                if self.could_feed(n, stripe) && !n.is_mute(now) && now.since(n.pinged) > ASK_AGAIN {
                    self.ping(at, now);
                }
            }
        }
    }

    /// A neighbour has said how it stands in its home stripe: a better place is taken at once.
    pub(super) fn hear_of_place(&mut self, at: usize, now: Time) {
        let stripe = self.members.list[at].key.home(self.stripe_count().max(1));
        if !self.is_mending(stripe, now) {
            return;
        }
        // How late we are ourselves is known once something has come.
        let state = &mut self.stripes[usize::from(stripe)];
        if state.pushed > state.since {
            state.moved = Time::ZERO;
            self.look(stripe, Unrest::Curious, now);
        }
    }

    fn is_mending(&self, stripe: u8, now: Time) -> bool {
        let state = self.stripes.get(usize::from(stripe)).filter(|_| !self.is_source);
        state.is_some_and(|state| {
            state.depth() > SHALLOW && state.mended != Time::ZERO && now.since(state.mended) < MENDING
        })
    }

    fn could_feed(&self, n: &Neighbour, stripe: u8) -> bool {
        n.key.home(self.stripe_count()) == stripe && n.slots() > 0 && (n.feeds | n.fed) & bit(stripe) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::record::Key;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::wire::{Load, Message};
    use crate::mesh::{Config, Output};
    use std::sync::Arc;

    #[test]
    fn who_hangs_deep_since_a_moment_asks_its_neighbours_and_moves_up() {
        let (mut rig, host, relay) = Rig::relayed();
        let other = rig.listener(Config::default(), &[host]);
        let at = rig.listener(Config::default(), &[relay, other]);
        rig.run(Duration::from_secs(6));
        let (now, relay, other) = (rig.now, rig.nodes[relay].peer, rig.nodes[other].peer);
        let mesh = &mut rig.nodes[at].mesh;
        let parent = mesh.parent(0).unwrap();
        let better = if parent == relay { other } else { relay };
        let path: Vec<Key> = (90..96).map(Key).chain([Key::of(&parent), mesh.key]).collect();
        mesh.stripes[0].path = Some(Arc::from(path));
        mesh.stripes[0].offset_us += 900_000;
        let sent = |mesh: &mut Mesh| {
            let outputs: Vec<Output> = std::iter::from_fn(|| mesh.poll_output()).collect();
            let to = |wanted: fn(&Message) -> bool| {
                let is_it = |output: &Output| matches!(output, Output::Send { to, message, .. } if *to == better && wanted(message));
                outputs.iter().filter(|output| is_it(output)).count()
            };
            [
                to(|message| matches!(message, Message::Ping { .. })),
                to(|message| matches!(message, Message::Attach(_))),
            ]
        };
        let place = mesh.members.find(&better).unwrap();
        let load = Load {
            free: 5,
            slots: 12,
            fed: 1,
            lag_ms: 1,
            ..Load::default()
        };
        let mut does = |mended: Time| {
            mesh.stripes[0].mended = mended;
            mesh.mend(now);
            mesh.on_pong(place, 0, load, now);
            sent(mesh)
        };
        assert_eq!(does(Time::ZERO), [0, 0], "it has hung there since it came");
        assert_eq!(does(now - MENDING), [0, 0], "it has had its time");
        assert_eq!(does(now - MENDING / 2), [1, 1]);
    }
}
