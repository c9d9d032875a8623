//! A look ahead: what the next few happenings need of memory is asked for together. Each of them waits for dozens of lines
//! that no cache holds in a large world, one after the other; asked for together they come in the time of a few.

use std::hint::black_box;

use super::*;
use crate::sim::network::key_of;

/// Happenings whose memory is asked for at once.
const AHEAD: usize = 8;
/// They happen within about this long.
const SOON_US: u64 = 256;

impl World {
    /// Looks ahead when all that it saw the last time has happened.
    pub(super) fn keep_ahead(&mut self) {
        if self.ahead == 0 {
            self.ahead = self.look_ahead();
        }
        self.ahead = self.ahead.saturating_sub(1);
    }

    /// Reads from all that the next happenings will look at, and says how many they are. Nothing depends on what a step reads
    /// before the next one: what waited for it would hold up the reads behind it.
    fn look_ahead(&self) -> usize {
        let mut near = [(0, None, None); AHEAD];
        let (mut count, mut used, mut sum) = (0, 0, 0);
        for happening in self.wheel.next_few(AHEAD) {
            count += 1;
            near[used] = match happening {
                Happening::Deliver { to, from, message } => {
                    let chunk = if let Message::Chunk(pushed) = message {
                        Some(pushed.chunk.seq)
                    } else {
                        None
                    };
                    (*to, Some(key_of(self.scenario.seed, *from)), chunk)
                }
                // Of one that comes too soon nothing else is looked at.
                Happening::Timer { at } if self.alarms[*at as usize].due <= self.now + SOON_US => (*at, None, None),
                _ => continue,
            };
            let (at, ..) = near[used];
            used += 1;
            sum ^= self.alarms[at as usize].due ^ self.network.sites[at as usize].budget_bps;
            sum ^= u64::from(self.nodes[at as usize].is_some());
        }
        let nodes = near[..used].iter().filter_map(|(at, from, chunk)| {
            let node = self.nodes[*at as usize].as_ref()?;
            Some((node, *from, *chunk))
        });
        for (node, ..) in nodes.clone() {
            sum ^= node.mesh.touch() ^ node.touch();
        }
        for (node, _, chunk) in nodes.clone() {
            sum ^= node.mesh.touch_lists(chunk) ^ node.debts.touch();
        }
        for (node, from, chunk) in nodes.clone() {
            sum ^= node.mesh.touch_neighbours(from, chunk);
        }
        for (node, _, chunk) in nodes {
            let children = chunk.map(|chunk| node.mesh.touch_children(chunk));
            for child in children.into_iter().flatten() {
                sum ^= self.network.sites[node_of(&child) as usize].budget_bps;
            }
        }
        black_box(sum);
        count
    }
}

impl SimNode {
    /// Reads from each part beside the mesh.
    fn touch(&self) -> u64 {
        self.heard.highest
            ^ self.heard.joined_us
            ^ self.deadline_us
            ^ self.payload_sent
            ^ self.over_at
            ^ u64::from(self.place)
    }
}
