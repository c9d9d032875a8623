//! A fixed set of swarm seeds: every parameter of each scenario follows from its seed, chaos comes first, then healing, and
//! what must hold is checked all the while. A failure prints the seed, the time, the node and what happened last;
//! `inonda simulate --swarm 1 --seed N` repeats it.

use inonda::sim::network::node_of;
use inonda::sim::{self, Report, Scenario, World};

/// Seeds run in CI, without a gap; `inonda simulate --swarm 1000` runs more of them.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=24;

/// Seeds that taught something. In 181 leaves held the host's places after a crash, and those who could have passed the stripe on
/// waited behind them; in 33 orphans were sent to the dead again and again. 25 and 48 became whole with these two. In 496, as in 17, two
/// of 27 listeners heard nothing beside three who had room and no address; in 650, one stripe with a chunk each 20 ms, the host cut its
/// roots again and again, and hundreds missed chunks. In 884 all hung on the one link of a guest, whose place twelve could have taken. In
/// 107 and 323 half of all could not be dialled and had the free places; the others were full, and some lacked a stripe for seconds. In 9
/// and 637 a child whose parent had lost a chunk was sent nothing more; in 840 an old refusal was taken for the answer to a new ask.
const TAUGHT: [u64; 12] = [9, 25, 33, 48, 107, 181, 323, 496, 637, 650, 840, 884];

fn run(seed: u64) -> Report {
    sim::run(Scenario::swarm(seed), |_| true)
}

#[test]
fn no_seed_breaks_a_rule() {
    let mut failed = Vec::new();
    for seed in SEEDS.chain(TAUGHT) {
        let report = run(seed);
        if report.violations > 0 {
            failed.push(format!(
                "{} violations\n{}",
                report.violations,
                report.violation_details.join("\n")
            ));
        }
        assert!(report.events > 1_000, "seed {seed} did nothing");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// A mesh of nine real processes on a busy machine lost 20 ms when parents died soon after the beginning: nobody has more than
/// the first 0.4 s in reserve then. With a fixed pause between two asks, one in ten of these seeds missed a chunk.
/// (Of 1,300 seeds three and four miss one, with two builds.)
#[test]
fn the_death_of_parents_of_a_young_show_is_missed_by_hardly_anybody() {
    let text = include_str!("scenarios/young.toml");
    let mut missed = Vec::new();
    for seed in 1..=60 {
        let scenario = Scenario {
            seed,
            ..Scenario::from_toml(text).unwrap()
        };
        let report = sim::run(scenario, |_| true);
        assert!(report.continuity.mean > 0.998 && report.violations == 0, "seed {seed}");
        if report.continuity.mean < 1.0 {
            missed.push(seed);
        }
    }
    assert!(missed.len() < 2, "{missed:?}");
}

/// When half of an audience dies at once, who is dead is found by asking, not by waiting for its silence to become long: a second
/// later most have left them, and the host has new roots. (By silence alone 0.37 of the links still led to the dead.)
#[test]
fn a_second_after_a_crash_most_links_to_the_dead_are_gone() {
    let text = include_str!("scenarios/crash-50.toml");
    let mut left = 0.0;
    let seeds = 1..=5;
    for seed in seeds.clone() {
        let scenario = Scenario {
            seed,
            listeners: 800,
            ..Scenario::from_toml(text).unwrap()
        };
        let (stripes, crash) = (scenario.stripes, scenario.settle_s + scenario.crash[0].at_s);
        let mut world = World::new(scenario);
        world.run_until(((crash + 1.0) * 1e6) as u64);
        let (mut links, mut dead) = (0u32, 0u32);
        for node in world.nodes.iter().skip(1).flatten() {
            let parents = (0..stripes).filter_map(|stripe| node.mesh.parent(stripe));
            for parent in parents {
                links += 1;
                dead += u32::from(world.nodes[node_of(&parent) as usize].is_none());
            }
        }
        left += f64::from(dead) / f64::from(links);
    }
    let left = left / seeds.count() as f64;
    assert!(left < 0.3, "{left}");
}

/// After a crash of seven in ten most of those one knows are dead, too: whoever waited for eight of them to answer dialled nobody else
/// for five seconds, and the last were whole again after 5.6 s in the mean of these runs.
#[test]
fn the_dead_do_not_keep_the_living_from_each_other() {
    let text = include_str!("scenarios/crash-70.toml");
    let mut sum_s = 0.0;
    let seeds = 1..=8;
    for seed in seeds.clone() {
        let scenario = Scenario {
            seed,
            listeners: 300,
            ..Scenario::from_toml(text).unwrap()
        };
        let report = sim::run(scenario, |_| true);
        assert_eq!(report.violations, 0, "seed {seed}: {:?}", report.violations_by_rule);
        sum_s += report.recovery_s.iter().copied().fold(0.0, f64::max);
    }
    let mean_s = sum_s / seeds.count() as f64;
    assert!(mean_s < 4.0, "{mean_s}");
}

/// Where half pass nothing on and a third of the pairs do not reach each other, those who could pass a stripe on must get a place
/// though trees are full and everybody is busy with those who have none, or half of an audience waits for a quarter of a minute.
/// (Before, the mean of these medians was 8.9 s.) Nobody sends more than it offered for that.
#[test]
fn those_who_could_pass_it_on_are_let_in_where_half_do_not() {
    let text = include_str!("scenarios/nat.toml");
    let mut sum_ms = 0.0;
    let seeds = 1..=5;
    for seed in seeds.clone() {
        let scenario = Scenario {
            seed,
            listeners: 500,
            seconds: 20.0,
            ..Scenario::from_toml(text).unwrap()
        };
        let report = sim::run(scenario, |_| true);
        assert_eq!(report.violations, 0, "seed {seed}: {:?}", report.violations_by_rule);
        assert!(report.continuity.mean > 0.999, "seed {seed}");
        sum_ms += report.startup_ms.p50;
    }
    let mean_ms = sum_ms / seeds.count() as f64;
    assert!(mean_ms < 1_500.0, "{mean_ms}");
}

/// What is lost on its way from the host to the only root of a stripe is missing everywhere below: the root must ask the host
/// for it. (It asked those below it, in vain, and half a percent of all chunks was heard by nobody.) And when that root dies, the
/// host's offer is taken by those who wait for their parents, and who was asked to make room stays when nobody came after all: without
/// these two twice as much was missed as may be here.
#[test]
fn what_the_only_root_of_a_stripe_has_not_got_it_asks_of_the_host() {
    let text = include_str!("scenarios/host-slots-1.toml");
    let mut missed = 0.0;
    let seeds = 1..=8;
    for seed in seeds.clone() {
        let scenario = Scenario {
            seed,
            listeners: 300,
            seconds: 20.0,
            ..Scenario::from_toml(text).unwrap()
        };
        missed += 1.0 - sim::run(scenario, |_| true).continuity.mean;
    }
    let missed = missed / seeds.count() as f64;
    assert!(missed < 0.0003, "{missed}");
}

/// When all roots of a stripe die together it stands still for a second. What those near the host could not pass on at once when it came
/// again nobody below them had, though half of all links were free: 1,197 of a million chunks were missed here, and in the worst second
/// one in ten. What is owed follows now as there is room for it.
#[test]
fn what_could_not_be_passed_on_after_an_outage_follows() {
    let text = include_str!("scenarios/crash-70.toml");
    let (mut missed, mut worst) = (0.0, 0.0);
    let seeds = 1..=8;
    for seed in seeds.clone() {
        let scenario = Scenario {
            seed,
            listeners: 500,
            seconds: 40.0,
            ..Scenario::from_toml(text).unwrap()
        };
        let report = sim::run(scenario, |_| true);
        missed += 1.0 - report.continuity.mean;
        worst += 1.0 - report.continuity.worst_second;
    }
    let mean = |sum: f64| sum / seeds.clone().count() as f64;
    let (missed, worst) = (mean(missed), mean(worst));
    assert!(missed < 0.0005 && worst < 0.03, "{missed} {worst}");
}

/// Four who take and do not give held all places of one stripe at the host: none of them was idle beside the others, a tenth of the
/// show was heard by nobody, and sixteen never heard anything. (One that comes three seconds before the end may meet four of them first.)
#[test]
fn a_stripe_is_not_held_by_those_who_pass_nothing_on() {
    let text = include_str!("scenarios/droppers.toml");
    let scenario = Scenario {
        seed: 4,
        listeners: 1_000,
        ..Scenario::from_toml(text).unwrap()
    };
    let report = sim::run(scenario, |_| true);
    assert!(report.continuity.mean > 0.9999, "{}", report.continuity.mean);
    assert!(report.never_started <= 1, "{}", report.never_started);
}

/// Whoever believed a claim of great age took what was new for somebody's past, passed it on only when nothing else was to be sent,
/// and told the claim to others: a third of the stream was missing. (At ten thousand listeners a tenth of them was enough for that.)
/// That nobody misses a single chunk in ten seconds is chance: of 30 seeds three to seven have one or a few, whatever else is changed.
#[test]
fn claims_of_great_age_stop_nothing() {
    let text = include_str!("scenarios/inflaters.toml");
    for seed in 1..=3 {
        let mut scenario = Scenario {
            seed,
            listeners: 400,
            seconds: 10.0,
            ..Scenario::from_toml(text).unwrap()
        };
        scenario.attackers.inflaters = 0.3;
        let report = sim::run(scenario, |_| true);
        let heard = report.continuity.mean;
        assert!(heard > 0.9998, "seed {seed}: {heard}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    let (first, second, other) = (run(5), run(5), run(6));
    assert_eq!((first.event_hash, first.events), (second.event_hash, second.events));
    assert_ne!(first.violation_details.len() as u64 + first.events, other.events);
}

#[test]
fn every_scenario_file_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if let Err(error) = Scenario::from_toml(&text) {
            panic!("{}: {error}", path.display());
        }
        count += 1;
    }
    assert!(count >= 25, "{count} scenarios");
}

#[test]
fn a_mistake_in_a_scenario_names_the_line_and_the_field() {
    let cases = [
        ("listeners = 10\n\nlosss = 0.1\n", "line 3", "losss"),
        ("seed = 1\nstripes = 77\n", "line 2", "stripes"),
        ("[[crash]]\nat_s = 10.0\nshare = \"half\"\n", "line 3", "share"),
        (
            "seconds = 20.0\n[[crash]]\nat_s = 3.0\nshare = 0.3\n[[crash]]\nat_s = 30.0\nshare = 0.3\n",
            "line 5",
            "crash",
        ),
        ("stay_s = 1e300\n", "line 1", "stay_s"),
        ("listeners = 5\ndrift_ppm = 1e7\n", "line 2", "drift_ppm"),
        (
            "seconds = 20.0\n[[crash]]\nat_s = 30.0\nshare = 0.3\n",
            "line 2",
            "crash",
        ),
        ("[attackers]\ndroppers = 0.7\npolluters = 0.7\n", "line 1", "attackers"),
    ];
    for (text, line, field) in cases {
        let error = Scenario::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(line) && error.contains(field), "{text}: {error}");
    }
}
