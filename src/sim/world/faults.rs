//! What goes wrong on purpose, and attackers that act on their own account.

use super::*;
use crate::sim::network::CAMPUS_NET;

impl World {
    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(n) => self.crash(n),
            Fault::CutOff(n) => {
                self.network.cut_off = self.scenario.partition[n].share;
                self.drop_cut_connections();
            }
            Fault::Rejoin => self.network.cut_off = 0.0,
            Fault::HostDies => self.vanish(0),
            Fault::HostReturns => {
                self.host_died = true;
                self.host_on_air();
            }
            Fault::Heal => self.heal(),
        }
    }

    pub(super) fn crash(&mut self, n: usize) {
        let crash = self.scenario.crash[n];
        let mut victims: Vec<u32> = self.living.iter().copied().filter(|node| *node != 0).collect();
        let count = (victims.len() as f64 * crash.share) as usize;
        if crash.neighbours {
            victims.retain(|node| self.network.sites[*node as usize].net == CAMPUS_NET);
            let count = (victims.len() as f64 * crash.share) as usize;
            victims.truncate(count);
        } else {
            for at in 0..count {
                let other = at + self.rng.below(victims.len() - at);
                victims.swap(at, other);
            }
            victims.truncate(count);
        }
        for node in victims {
            self.vanish(node);
        }
    }

    /// Connections across the cut end when their idle time is over.
    pub(super) fn drop_cut_connections(&mut self) {
        let mut across = Vec::new();
        for node in &self.living {
            let Some(here) = &self.nodes[*node as usize] else {
                continue;
            };
            for peer in here.mesh.neighbour_ids() {
                if !self.network.connects(*node, node_of(&peer)) {
                    across.push((*node, node_of(&peer)));
                }
            }
        }
        for (at, with) in across {
            self.wheel
                .push(self.now + IDLE_TIMEOUT_US, Happening::TimedOut { at, with });
        }
    }

    /// Faults stop: nobody leaves any more, attackers are gone, the network is whole.
    pub(super) fn heal(&mut self) {
        self.network.healed = true;
        self.network.cut_off = 0.0;
        let attackers: Vec<u32> = self
            .living
            .iter()
            .copied()
            .filter(|node| {
                self.nodes[*node as usize]
                    .as_ref()
                    .is_some_and(|node| !node.behaviour.is_honest())
            })
            .collect();
        for node in attackers {
            self.vanish(node);
        }
        self.watcher.healing.begin(self.now);
    }

    /// Attackers that act on their own account.
    pub(super) fn attack(&mut self) {
        if self.network.healed {
            return;
        }
        for place in 0..self.living.len() {
            let at = self.living[place];
            let Some(node) = &self.nodes[at as usize] else { continue };
            let targets = || node.mesh.neighbour_ids().map(|peer| node_of(&peer)).collect::<Vec<_>>();
            match node.behaviour {
                Behaviour::Flooder => {
                    let load = Load {
                        free: 24,
                        weakest: 0,
                        slots: 24,
                        fed: u16::MAX,
                        lag_ms: 0,
                    };
                    for to in targets() {
                        for stamp in 0..100 {
                            self.send(at, to, Message::Ping { stamp, load }, Delivery::Datagram);
                        }
                    }
                }
                Behaviour::Replayer => {
                    let Some(pushed) = node.behaviour_memory() else {
                        continue;
                    };
                    for to in targets() {
                        self.send(at, to, Message::Chunk(pushed.clone()), Delivery::Datagram);
                    }
                }
                Behaviour::Honest
                | Behaviour::Dropper
                | Behaviour::Polluter
                | Behaviour::Liar
                | Behaviour::Inflater
                | Behaviour::Sybil
                | Behaviour::Slow => {}
            }
        }
        self.wheel.push(self.now + 100_000, Happening::Attack);
    }
}
