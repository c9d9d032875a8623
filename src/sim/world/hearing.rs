//! What nodes tell the layer above: what they hear, and whom they ban.

use super::*;

impl World {
    pub(super) fn told(&mut self, at: u32, event: Event) {
        match event {
            // The host hears itself at once; it is no listener.
            Event::Chunk(_) if at == 0 => {}
            Event::Chunk(chunk) => {
                let base = self.epochs[chunk.epoch.0 as usize - 1];
                self.on_arrival(at, base + chunk.seq.0, chunk.hops);
            }
            Event::ParentChanged { .. } => self.metrics.parent_switches += 1,
            Event::Session(_) | Event::OffAir { .. } | Event::AnotherHost { .. } | Event::Observed { .. } => {}
            Event::Banned { peer, reason } => {
                let (by, of) = (&self.nodes[at as usize], &self.nodes[node_of(&peer) as usize]);
                let honest = |node: &Option<Box<SimNode>>| node.as_ref().is_some_and(|node| node.behaviour.is_honest());
                if honest(by) && honest(of) {
                    self.violate(at, Violation::HonestBanned { reason });
                }
            }
        }
    }

    pub(super) fn on_arrival(&mut self, at: u32, chunk: u64, hops: u8) {
        let published = self.published[chunk as usize];
        let host_side = self.is_host_side(at);
        let Some(node) = &mut self.nodes[at as usize] else {
            return;
        };
        if !node.behaviour.counts() {
            return;
        }
        self.metrics.needed += 1;
        let in_time = self.now <= published + node.deadline_us;
        let before = node.heard.first;
        let started = node.heard.on_chunk(chunk, in_time, self.run, self.now);
        if let Some(first) = started {
            self.metrics.startup.add(self.now - node.heard.joined_us);
            for number in first..=node.heard.highest {
                if node.heard.has(number) {
                    self.metrics.count_in_time(number, host_side);
                }
            }
        } else if before.is_some_and(|first| chunk >= first) {
            if in_time {
                self.metrics.count_in_time(chunk, host_side);
            }
            if published >= node.heard.started_us {
                self.metrics.lag.add(self.now - published);
                self.metrics.hops.add(u64::from(hops));
            }
        }
    }

    /// Whether a node stays with the host in the first partition.
    pub(super) fn is_host_side(&self, node: u32) -> bool {
        let cut = self.scenario.partition.first();
        cut.is_some_and(|cut| !self.network.would_be_cut_off(node, cut.share))
    }
}
