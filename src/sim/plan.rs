//! Whether everybody could be fed at all: what somebody who sees the whole mesh would do with the child links there are.

use crate::sim::network::Network;
use crate::sim::world::SimNode;

/// Child links that must be left over, as a share of those in use: nobody in the mesh sees the whole of it, and with hardly a place
/// free to look for one takes long.
const LEFT_OVER: f64 = 0.1;

/// Gives each stripe of each node the first place that can be reached, those who pass the stripe on first, and says whether all have
/// one and some are left. Whom it does not find a place may still have one: then nothing is demanded of the mesh.
pub fn is_possible(nodes: &[Option<Box<SimNode>>], network: &Network, stripes: u8) -> bool {
    let slots = |at: usize| {
        let node = nodes[at].as_ref().filter(|node| node.behaviour.is_honest());
        node.map_or(0, |node| node.mesh.sizes().slots)
    };
    let living: Vec<usize> = nodes_of(nodes).filter(|at| *at != 0).collect();
    // Whoever reaches nobody that a directory names is known to nobody.
    let is_named = |at: usize| at == 0 || network.sites[at].budget_bps > 0;
    let reaches = |at: usize, other: usize| other != at && network.can_dial(at as u32, other as u32);
    let is_lost = |at: &usize| !nodes_of(nodes).any(|other| is_named(other) && reaches(*at, other));
    if living.iter().any(is_lost) {
        return false;
    }
    let mut free: Vec<usize> = (0..nodes.len()).map(slots).collect();
    let places = free[0] / usize::from(stripes.max(1));
    let mut left = 0;
    for stripe in 0..stripes {
        let home = |at: usize| nodes[at].as_ref().is_some_and(|node| node.mesh.home() == stripe);
        free[0] = places;
        let mut fed = vec![0];
        let mut waiting = living.clone();
        waiting.sort_by_key(|at| (!home(*at), std::cmp::Reverse(slots(*at)), *at));
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|at| {
                let reaches = |other: &usize| {
                    let (a, b) = (*at as u32, *other as u32);
                    free[*other] > 0 && (network.can_dial(a, b) || network.can_dial(b, a))
                };
                // Places of their own stripe first: those of others are needed elsewhere.
                let own = fed
                    .iter()
                    .filter(|other| home(**other) || **other == 0)
                    .find(|o| reaches(o));
                let Some(parent) = own.or_else(|| fed.iter().find(|o| reaches(o))).copied() else {
                    return true;
                };
                free[parent] -= 1;
                fed.push(*at);
                false
            });
            if waiting.len() == before {
                return false;
            }
        }
        left += free[0];
    }
    left += free[1..].iter().sum::<usize>();
    left as f64 >= (living.len() * usize::from(stripes)) as f64 * LEFT_OVER
}

fn nodes_of(nodes: &[Option<Box<SimNode>>]) -> impl Iterator<Item = usize> + '_ {
    (0..nodes.len()).filter(|at| nodes[*at].is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::{Scenario, Upload};
    use crate::sim::world::World;

    fn is_possible_with(host_slots: u8, times: f64) -> bool {
        let scenario = Scenario {
            listeners: 10,
            seconds: 5.0,
            settle_s: 0.0,
            ramp_s: 0.5,
            host_slots,
            upload: vec![Upload { share: 1.0, times }],
            ..Scenario::default()
        };
        let mut world = World::new(scenario);
        world.run_until(4_000_000);
        is_possible(&world.nodes, &world.network, world.scenario.stripes)
    }

    #[test]
    fn nothing_is_demanded_where_links_are_too_few() {
        assert!(
            !is_possible_with(4, 0.0),
            "four places in each stripe, ten who want one"
        );
        assert!(is_possible_with(12, 0.0), "twelve places");
        assert!(is_possible_with(4, 4.0), "everybody has links");
    }
}
