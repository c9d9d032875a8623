//! What is demanded once faults have stopped: everybody is fed and misses nothing.

use std::collections::BTreeMap;

use crate::sim::invariant::Violation;
use crate::sim::metrics::RECENT;
use crate::sim::world::SimNode;

/// After faults stop, everything is whole within this long.
const CONVERGENCE_US: u64 = 10_000_000;
/// Audits in a row, a second apart, in which a stripe may be without a way: chunks are still lost, and who loses two in a row looks
/// for another parent.
const PARENT_AUDITS: u8 = 1;

/// The second phase of a run.
pub struct Healing {
    stripes: u8,
    begun_at: Option<u64>,
    /// Stripes without a way: audits in a row, kept once they were too many.
    unfed: BTreeMap<(u32, u8), u8>,
}

impl Healing {
    pub fn new(stripes: u8) -> Healing {
        Healing {
            stripes,
            begun_at: None,
            unfed: BTreeMap::new(),
        }
    }

    /// Faults have stopped.
    pub fn begin(&mut self, now: u64) {
        self.begun_at = Some(now);
    }

    /// Whether they have.
    pub fn is_begun(&self) -> bool {
        self.begun_at.is_some()
    }

    /// Whether all should be whole by now.
    pub fn is_over(&self, now: u64) -> bool {
        self.begun_at.is_some_and(|begun| now >= begun + CONVERGENCE_US)
    }

    /// Notes, every second, who has no way to the host.
    pub fn audit(&mut self, nodes: &[Option<Box<SimNode>>], now: u64) {
        if !self.is_over(now) {
            return;
        }
        for (at, node) in listeners(nodes) {
            for stripe in 0..self.stripes {
                let audits = self.unfed.entry((at, stripe)).or_insert(0);
                if !node.mesh.has_path(stripe) {
                    *audits = audits.saturating_add(1);
                } else if *audits <= PARENT_AUDITS {
                    *audits = 0;
                }
            }
        }
    }

    /// Who was not whole, and who missed something.
    pub fn broken(&self, nodes: &[Option<Box<SimNode>>], published: &[u64], now: u64) -> Vec<(u32, Violation)> {
        let mut broken = Vec::new();
        let Some(begun) = self.begun_at else { return broken };
        let from = published.partition_point(|at| *at < begun + CONVERGENCE_US) as u64;
        for (at, node) in listeners(nodes) {
            let unfed = |stripe: &u8| {
                self.unfed
                    .get(&(at, *stripe))
                    .is_some_and(|times| *times > PARENT_AUDITS)
            };
            let stripes = (0..self.stripes).filter(unfed);
            broken.extend(stripes.map(|stripe| (at, Violation::NotWhole { stripe })));
            let until = published.partition_point(|at| at + node.deadline_us <= now) as u64;
            let low = from.max((node.heard.highest + 1).saturating_sub(RECENT));
            let missed = (low..until).find(|chunk| !node.heard.has(*chunk));
            broken.extend(missed.map(|chunk| (at, Violation::MissedAfterHealing { chunk })));
        }
        broken
    }
}

fn listeners(nodes: &[Option<Box<SimNode>>]) -> impl Iterator<Item = (u32, &SimNode)> {
    let living = nodes.iter().enumerate().skip(1);
    let living = living.filter_map(|(at, node)| Some((at as u32, node.as_deref()?)));
    living.filter(|(_, node)| node.behaviour.counts())
}
