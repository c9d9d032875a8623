//! A look ahead: what the next few happenings need of memory is asked for together. Each of them waits for dozens of lines
//! that no cache holds in a large world, one after the other; asked for together they come in the time of a few.

use std::hint::black_box;

use super::*;
use crate::sim::network::key_of;

/// Happenings whose memory is asked for at once.
const AHEAD: usize = 8;

impl World {
    /// Looks ahead when all that it saw the last time has happened.
    pub(super) fn keep_ahead(&mut self) {
        if self.ahead == 0 {
            self.ahead = self.look_ahead();
        }
        self.ahead = self.ahead.saturating_sub(1);
    }

    /// Reads from all that the next happenings will look at, and says how many they are.
    fn look_ahead(&self) -> usize {
        let mut near = [(0, None, None); AHEAD];
        let (mut count, mut used, mut sum) = (0, 0, 0);
        for (time, happening) in self.wheel.next_few(AHEAD) {
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
                Happening::Timer { at } if self.alarms[*at as usize].due <= time => (*at, None, None),
                _ => continue,
            };
            let (at, ..) = near[used];
            used += 1;
            sum ^= u64::from(self.nodes[at as usize].is_some()) ^ self.network.sites[at as usize].budget_bps;
        }
        let near = &near[..used];
        for node in near.iter().filter_map(|(at, ..)| self.nodes[*at as usize].as_ref()) {
            sum ^= node.mesh.touch() ^ node.touch();
        }
        for (at, from, chunk) in near {
            if let Some(node) = &self.nodes[*at as usize] {
                sum ^= node.mesh.touch_lists(*from, *chunk) ^ node.debts.touch();
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
