//! Looking at those to whom something happens next: in a large world what they hold comes from far away, and much of it at once when it is
//! asked for before it is needed. (Half the time of 10,000 listeners was waiting for memory.)

use std::hint::black_box;

use super::*;
use crate::mesh::record::Key;

/// So many things are looked at together.
const AT_ONCE: usize = 4;

impl World {
    /// Looks at what happens next in three steps, for what a node points to is only known when the node itself is there.
    pub(super) fn foresee(&self) {
        if !self.events.is_multiple_of(AT_ONCE as u64) {
            return;
        }
        for others in AT_ONCE * 2..AT_ONCE * 3 {
            if let Some((at, node, _)) = self.soon(others) {
                let heard = node.heard.highest ^ node.heard.joined_us;
                let rest = node.payload_sent ^ node.deadline_us ^ node.over_at;
                let apart = self.alarms[at as usize].due ^ u64::from(self.network.sites[at as usize].net);
                black_box(node.mesh.touch() ^ heard ^ rest ^ apart);
            }
        }
        for others in AT_ONCE..AT_ONCE * 2 {
            if let Some((_, node, _)) = self.soon(others) {
                black_box(node.mesh.touch_lists() ^ node.debts.touch());
            }
        }
        for others in 0..AT_ONCE {
            if let Some((_, node, from)) = self.soon(others) {
                let speaker = from.map(|from| Key::of(&self.peer(from)));
                black_box(node.mesh.touch_neighbours(speaker));
            }
        }
    }

    /// The node to which something happens after so many other things, and who it comes from.
    fn soon(&self, others: usize) -> Option<(u32, &SimNode, Option<u32>)> {
        let (at, from) = match self.wheel.ahead(others)? {
            Happening::Deliver { to, from, .. } => (*to, Some(*from)),
            Happening::Timer { at } => (*at, None),
            _ => return None,
        };
        Some((at, self.nodes[at as usize].as_deref()?, from))
    }
}
