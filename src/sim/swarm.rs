//! Scenarios drawn from a seed.

use crate::mesh::rng::Rng;
use crate::sim::scenario::{Crash, Flash, Partition, Scenario};

impl Scenario {
    /// A small scenario with every parameter drawn from the seed: chaos for a while, then healing.
    pub fn swarm(seed: u64) -> Scenario {
        let mut rng = Rng::new(seed ^ 0x5a5a_1234);
        let mut pick = |options: &[f64]| options[rng.below(options.len())];
        let listeners = pick(&[3.0, 10.0, 30.0, 60.0, 120.0, 250.0]) as usize;
        let mut scenario = Scenario {
            name: format!("swarm {seed}"),
            listeners,
            seconds: 48.0,
            seed,
            rate_bps: pick(&[32_000.0, 64_000.0, 96_000.0, 128_000.0, 192_000.0, 256_000.0]) as u32,
            stripes: pick(&[1.0, 2.0, 4.0, 4.0, 4.0, 8.0]) as u8,
            deadline_s: pick(&[1.0, 2.0, 2.0, 3.0]),
            host_slots: pick(&[2.0, 4.0, 4.0, 8.0]) as u8,
            stay_s: pick(&[30.0, 60.0, 120.0, 600.0]),
            ramp_s: pick(&[0.5, 2.0, 5.0]),
            loss: pick(&[0.0, 0.005, 0.01, 0.02]),
            loss_bursts: pick(&[0.0, 0.0, 0.01]),
            jitter_ms: pick(&[0.0, 3.0, 10.0]),
            capacity: pick(&[1.0, 1.5, 2.0]),
            unreachable_pairs: pick(&[0.0, 0.0, 0.1, 0.3]),
            leaf_only: pick(&[0.0, 0.0, 0.3, 0.5]),
            drift_ppm: pick(&[0.0, 50.0, 200.0]),
            heal_s: Some(25.0),
            ..Scenario::default()
        };
        if pick(&[0.0, 1.0]) > 0.0 {
            let (at_s, share) = (8.0 + pick(&[0.0, 3.0, 6.0]), pick(&[0.1, 0.3, 0.5, 0.7, 0.8]));
            let neighbours = pick(&[0.0, 0.0, 1.0]) > 0.0;
            if neighbours {
                scenario.campus = 0.1;
            }
            scenario.crash.push(Crash {
                at_s,
                share: if neighbours { 1.0 } else { share },
                neighbours,
            });
        }
        if pick(&[0.0, 0.0, 1.0]) > 0.0 {
            let (at_s, for_s, share) = (10.0, pick(&[3.0, 8.0, 13.0]), pick(&[0.1, 0.3, 0.5]));
            scenario.partition.push(Partition { at_s, for_s, share });
        }
        if pick(&[0.0, 0.0, 1.0]) > 0.0 {
            let joins = listeners;
            scenario.flash.push(Flash {
                at_s: 14.0,
                joins,
                over_s: 1.0,
            });
        }
        if pick(&[0.0, 0.0, 0.0, 1.0]) > 0.0 {
            scenario.host_restart_s = Some(16.0);
        }
        scenario.graceful = pick(&[0.0, 0.0, 0.5]);
        if pick(&[0.0, 0.0, 0.0, 1.0]) > 0.0 {
            scenario.other_deadlines_s = vec![0.8, 1.0, 3.0];
        }
        let share = pick(&[0.05, 0.1]);
        match pick(&[0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) as u8 {
            1 => scenario.attackers.droppers = share,
            2 => scenario.attackers.polluters = share,
            3 => scenario.attackers.replayers = share,
            4 => scenario.attackers.liars = share,
            5 => scenario.attackers.flooders = share,
            6 => scenario.attackers.sybils = share,
            7 => scenario.attackers.slow = share,
            8 => scenario.attackers.inflaters = share,
            _ => {}
        }
        scenario
    }
}
