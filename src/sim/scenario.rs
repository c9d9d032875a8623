//! What is simulated: an audience, a network, faults and attackers, as a small TOML file or drawn from a seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A scenario; every field has a default, the population and network of the design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub listeners: usize,
    pub seconds: f64,
    /// Virtual time before `seconds` begin, in which the audience arrives; nothing in it is measured, everything is checked.
    pub settle_s: f64,
    pub seed: u64,
    pub rate_bps: u32,
    pub stripes: u8,
    pub deadline_s: f64,
    pub host_slots: u8,
    /// The host's own upload in bits a second; absent when its slots are the only limit.
    pub host_upload_bps: Option<u64>,
    /// Mean stay; departures are replaced by newcomers, and abrupt but for this share of them.
    pub stay_s: f64,
    pub graceful: f64,
    /// Share of newcomers that have a link, which names the host alone; the others know some random members.
    pub by_link: f64,
    /// Deadlines of other listeners: each draws one of these or `deadline_s`.
    pub other_deadlines_s: Vec<f64>,
    /// Share of the peers that sit in one public network.
    pub campus: f64,
    /// The audience arrives over this time, at a rate that rises from zero.
    pub ramp_s: f64,
    /// Loss of a datagram on each hop.
    pub loss: f64,
    /// Loss in bursts: share of time a node's links are in a burst of 50 % loss, 200 ms each.
    pub loss_bursts: f64,
    /// One way, between the nearest and the farthest.
    pub latency_ms: (f64, f64),
    /// Mean of what is added to each message.
    pub jitter_ms: f64,
    /// Classes of upload: share of the peers, and budget as a multiple of the stream.
    pub upload: Vec<Upload>,
    /// All budgets times this.
    pub capacity: f64,
    /// Share of pairs that cannot connect, and of peers that cannot be dialled.
    pub unreachable_pairs: f64,
    pub leaf_only: f64,
    /// Uplinks: how many times the budget they carry, and how long their queue may get; absent for no such limit.
    pub uplink: Option<Uplink>,
    /// Clocks run apart by up to this much.
    pub drift_ppm: f64,
    pub crash: Vec<Crash>,
    pub flash: Vec<Flash>,
    pub partition: Vec<Partition>,
    pub host_restart_s: Option<f64>,
    pub attackers: Attackers,
    /// Faults stop here; ten seconds later everybody must be whole for ten seconds.
    pub heal_s: Option<f64>,
}

/// A class of peers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    pub share: f64,
    pub times: f64,
}

/// Bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    pub times_budget: f64,
    pub queue_ms: f64,
    /// Share of peers to whom it applies.
    pub share: f64,
}

/// Peers that vanish at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    pub at_s: f64,
    pub share: f64,
    /// Those of the network that many share (`campus`), instead of random ones; `share` is of them.
    #[serde(default)]
    pub neighbours: bool,
}

/// Peers that come at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    pub at_s: f64,
    pub joins: usize,
    pub over_s: f64,
}

/// A part of the network cut off from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    pub at_s: f64,
    pub for_s: f64,
    pub share: f64,
}

/// Shares of the peers that misbehave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attackers {
    /// Accept children and send them nothing.
    pub droppers: f64,
    /// Alter what they pass on.
    pub polluters: f64,
    /// Send old chunks again.
    pub replayers: f64,
    /// Claim free slots and no lag.
    pub liars: f64,
    /// Send hundreds of messages a second.
    pub flooders: f64,
    /// Claim that what they pass on is a minute old.
    pub inflaters: f64,
    /// Droppers that all sit in one network.
    pub sybils: f64,
    /// Pass everything on 400 ms late.
    pub slow: f64,
}

impl Attackers {
    /// Share of peers that are not honest.
    pub fn total(&self) -> f64 {
        self.droppers
            + self.polluters
            + self.replayers
            + self.liars
            + self.inflaters
            + self.flooders
            + self.sybils
            + self.slow
    }
}

impl Default for Scenario {
    fn default() -> Scenario {
        let upload = |share, times| Upload { share, times };
        Scenario {
            name: "steady".into(),
            listeners: 10_000,
            seconds: 60.0,
            settle_s: 0.0,
            seed: 1,
            rate_bps: 128_000,
            stripes: 4,
            deadline_s: 2.0,
            host_slots: 4,
            host_upload_bps: None,
            stay_s: 600.0,
            graceful: 0.0,
            by_link: 0.0,
            other_deadlines_s: Vec::new(),
            campus: 0.0,
            ramp_s: 15.0,
            loss: 0.005,
            loss_bursts: 0.0,
            latency_ms: (3.0, 60.0),
            jitter_ms: 3.0,
            upload: vec![upload(0.2, 0.0), upload(0.4, 1.5), upload(0.3, 4.0), upload(0.1, 10.0)],
            capacity: 1.0,
            unreachable_pairs: 0.0,
            leaf_only: 0.0,
            uplink: None,
            drift_ppm: 0.0,
            crash: Vec::new(),
            flash: Vec::new(),
            partition: Vec::new(),
            host_restart_s: None,
            attackers: Attackers::default(),
            heal_s: None,
        }
    }
}

/// Whether a field is in its range, its name, what is expected of it.
type Check = (bool, &'static str, &'static str);

/// A scenario that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Not the TOML of a scenario; the text names line and field.
    #[error("{0}")]
    Toml(String),
    /// A field outside its range.
    #[error("line {line}: `{field}` must be {expected}")]
    Range {
        line: usize,
        field: &'static str,
        expected: &'static str,
    },
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// Names the line and the field.
    pub fn from_toml(text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario =
            toml::from_str(text).map_err(|e| ScenarioError::Toml(e.to_string().trim().to_owned()))?;
        match scenario.out_of_range() {
            None => Ok(scenario),
            Some((field, expected)) => {
                let named = |line: &str| line.trim_start().trim_start_matches('[').starts_with(field);
                let mut lines = text.lines().enumerate().filter(|(_, line)| named(line));
                let line = lines.nth(scenario.which(field)).map_or(0, |(at, _)| at + 1);
                Err(ScenarioError::Range { line, field, expected })
            }
        }
    }

    /// Which of several tables of this name is the first out of its range.
    fn which(&self, field: &str) -> usize {
        let at = match field {
            "crash" => self.crash.iter().position(|crash| !self.is_crash_good(crash)),
            "flash" => self.flash.iter().position(|flash| !self.is_flash_good(flash)),
            "partition" => self.partition.iter().position(|cut| !self.is_partition_good(cut)),
            _ => None,
        };
        at.unwrap_or(0)
    }

    fn is_within(&self, at_s: f64) -> bool {
        (0.0..=self.seconds).contains(&at_s)
    }

    fn is_crash_good(&self, crash: &Crash) -> bool {
        self.is_within(crash.at_s) && (0.0..=1.0).contains(&crash.share)
    }

    fn is_flash_good(&self, flash: &Flash) -> bool {
        self.is_within(flash.at_s) && self.is_within(flash.over_s) && (1..=5_000_000).contains(&flash.joins)
    }

    fn is_partition_good(&self, cut: &Partition) -> bool {
        self.is_within(cut.at_s) && cut.for_s > 0.0 && cut.for_s <= 86_400.0 && (0.0..=1.0).contains(&cut.share)
    }

    /// The first field out of its range, and what was expected.
    pub fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let checks = self.checks_of_audience().into_iter().chain(self.checks_of_network());
        checks
            .into_iter()
            .find(|(good, _, _)| !good)
            .map(|(_, field, expected)| (field, expected))
    }

    fn checks_of_audience(&self) -> Vec<Check> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let deadline = |value: &f64| (0.2..=10.0).contains(value);
        vec![
            (
                (1..=5_000_000).contains(&self.listeners),
                "listeners",
                "from 1 to 5000000",
            ),
            (
                self.seconds >= 1.0 && self.seconds <= 86_400.0,
                "seconds",
                "from 1 to 86400",
            ),
            (
                (6_000..=2_000_000).contains(&self.rate_bps),
                "rate_bps",
                "from 6000 to 2000000",
            ),
            (
                self.settle_s >= 0.0 && self.settle_s <= 3_600.0,
                "settle_s",
                "from 0 to 3600",
            ),
            ((1..=16).contains(&self.stripes), "stripes", "from 1 to 16"),
            (deadline(&self.deadline_s), "deadline_s", "from 0.2 to 10"),
            ((1..=16).contains(&self.host_slots), "host_slots", "from 1 to 16"),
            ((1.0..=1e9).contains(&self.stay_s), "stay_s", "from 1 to 1e9"),
            (share(self.graceful), "graceful", "a share from 0 to 1"),
            (share(self.by_link), "by_link", "a share from 0 to 1"),
            (share(self.campus), "campus", "a share from 0 to 1"),
            (
                self.other_deadlines_s.len() <= 16 && self.other_deadlines_s.iter().all(deadline),
                "other_deadlines_s",
                "at most 16, each from 0.2 to 10",
            ),
            (self.drift_ppm.abs() <= 10_000.0, "drift_ppm", "from -10000 to 10000"),
            (
                self.host_restart_s.is_none_or(|at| self.is_within(at)),
                "host_restart_s",
                "within the run",
            ),
            (
                self.heal_s.is_none_or(|at| self.is_within(at)),
                "heal_s",
                "within the run",
            ),
            (
                self.uplink.is_none_or(|line| {
                    line.times_budget > 0.0 && (0.0..=60_000.0).contains(&line.queue_ms) && share(line.share)
                }),
                "uplink",
                "above 0 times the budget, its queue from 0 to 60000 ms, its share from 0 to 1",
            ),
            (
                self.flash.iter().all(|flash| self.is_flash_good(flash)),
                "flash",
                "within the run, from 1 to 5000000 joins",
            ),
            (
                self.ramp_s >= 0.0 && self.ramp_s <= self.settle_s + self.seconds,
                "ramp_s",
                "from 0 to `settle_s` and `seconds` together",
            ),
        ]
    }

    fn checks_of_network(&self) -> Vec<Check> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let sum: f64 = self.upload.iter().map(|class| class.share).sum();
        vec![
            (share(self.loss), "loss", "a share from 0 to 1"),
            (share(self.loss_bursts), "loss_bursts", "a share from 0 to 1"),
            (
                self.latency_ms.0 >= 0.5 && self.latency_ms.1 >= self.latency_ms.0 && self.latency_ms.1 <= 10_000.0,
                "latency_ms",
                "[near, far], near at least 0.5, far at most 10000",
            ),
            (
                self.jitter_ms >= 0.0 && self.jitter_ms <= 1_000.0,
                "jitter_ms",
                "from 0 to 1000",
            ),
            ((sum - 1.0).abs() < 1e-6, "upload", "classes whose shares add up to 1"),
            (
                self.capacity > 0.0 && self.capacity <= 1e4,
                "capacity",
                "above 0, at most 10000",
            ),
            (
                share(self.unreachable_pairs),
                "unreachable_pairs",
                "a share from 0 to 1",
            ),
            (share(self.leaf_only), "leaf_only", "a share from 0 to 1"),
            (
                self.crash.iter().all(|crash| self.is_crash_good(crash)),
                "crash",
                "within the run, its share from 0 to 1",
            ),
            (
                share(self.attackers.total()),
                "attackers",
                "shares that add up to at most 1",
            ),
            (
                self.partition.iter().all(|cut| self.is_partition_good(cut)),
                "partition",
                "within the run, a share from 0 to 1 for some time",
            ),
        ]
    }

    /// Media time of a chunk.
    pub fn chunk_time(&self) -> Duration {
        crate::units::Codec::Opus.chunk_time(self.rate_bps, self.stripes)
    }

    /// Bytes of a chunk's payload.
    pub fn payload_bytes(&self) -> usize {
        (f64::from(self.rate_bps) / 8.0 * self.chunk_time().as_secs_f64()).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_line_and_the_field() {
        let unknown = Scenario::from_toml("listeners = 10\nlisteer = 3\n")
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("line 2") && unknown.contains("listeer"), "{unknown}");
        let typed = Scenario::from_toml("seconds = \"long\"\n").unwrap_err().to_string();
        assert!(typed.contains("line 1") && typed.contains("seconds"), "{typed}");
        let range = Scenario::from_toml("listeners = 10\n\nloss = 2.0\n")
            .unwrap_err()
            .to_string();
        assert_eq!(range, "line 3: `loss` must be a share from 0 to 1");
    }

    #[test]
    fn every_swarm_scenario_can_be_run() {
        for seed in 0..500 {
            assert_eq!(Scenario::swarm(seed).out_of_range(), None, "seed {seed}");
        }
    }

    #[test]
    fn an_empty_file_is_the_design() {
        assert_eq!(Scenario::from_toml("").unwrap(), Scenario::default());
        assert_eq!(Scenario::default().payload_bytes(), 960);
    }
}
