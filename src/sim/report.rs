//! What a run showed: as fields, as one JSON object, as a page of text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::sim::chart;
use crate::sim::metrics::{KIND_NAMES, KINDS};
use crate::sim::world::World;

/// The outcome of one run; fields are named as in the JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub name: String,
    pub rate_bps: u32,
    pub host_upload_bps: Option<u64>,
    pub listeners: usize,
    pub seconds: f64,
    pub seed: u64,
    pub continuity: Continuity,
    pub lag_ms: Lag,
    pub startup_ms: Startup,
    pub hops: Hops,
    pub host_cost: f64,
    pub redundancy: f64,
    pub control_overhead: f64,
    pub repair_share: f64,
    /// Bytes of all, and of the host, by kind, as shares of their payload bytes and of the stream.
    pub overhead_by_kind: Vec<(&'static str, f64)>,
    pub host_cost_by_kind: Vec<(&'static str, f64)>,
    pub upload_jain: f64,
    pub upload_of_budget_p99: f64,
    pub parent_switches_per_node_minute: f64,
    pub joins: u64,
    pub never_started: u64,
    /// Whether any chunk was due for anybody.
    pub heard_anything: bool,
    /// Seconds from the end of each partition until continuity of all was back at 0.9999.
    pub reunion_s: Vec<f64>,
    /// Continuity of those who stayed on the host's side of the first partition.
    pub host_side: Option<HostSide>,
    /// Seconds from each crash until continuity was back at 0.9999.
    pub recovery_s: Vec<f64>,
    pub violations: u64,
    pub violations_by_rule: BTreeMap<&'static str, u64>,
    pub violation_details: Vec<String>,
    pub event_hash: String,
    pub wall_s: f64,
    pub events: u64,
    /// Continuity of each second of the run; `None` while nobody was due to hear anything.
    #[serde(skip)]
    pub continuity_by_second: Vec<Option<f64>>,
    /// Chunks by lag, in 40 equal parts up to twice the 99th percentile.
    #[serde(skip)]
    pub lag_histogram: Vec<u64>,
}

/// Chunks in time by chunks due.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Continuity {
    pub mean: f64,
    pub p1: f64,
    pub worst_second: f64,
}

/// Continuity on the host's side of a partition.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HostSide {
    pub mean: f64,
    pub worst_second: f64,
}

/// Source to node.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Lag {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

/// Request to the first 360 ms.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Startup {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Hops a chunk made.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Hops {
    pub p50: f64,
    pub p99: f64,
}

/// Continuity that counts as whole again after a crash.
const WHOLE: f64 = 0.9999;

impl Report {
    /// The report of a finished world.
    pub fn of(world: &World) -> Report {
        let metrics = &world.metrics;
        let all = metrics.by_chunk();
        let measured = world.published.partition_point(|at| *at < world.from);
        let by_chunk = all.get(measured..).unwrap_or_default();
        let published: Vec<u64> = world.published[measured..].iter().map(|at| at - world.from).collect();
        let by_second = by_second(by_chunk, &published);
        let (due, had) = by_chunk
            .iter()
            .fold((0, 0), |(due, had), chunk| (due + chunk.0, had + chunk.1.min(chunk.0)));
        let mut each = metrics.each.clone();
        each.sort_by(f32::total_cmp);
        let p99 = metrics.lag.quantile(0.99);
        let needed = metrics.needed.max(1) as f64;
        let payload = metrics.sent_payload.max(1) as f64;
        Report {
            name: world.scenario.name.clone(),
            rate_bps: world.scenario.rate_bps,
            host_upload_bps: world.scenario.host_upload_bps,
            listeners: world.scenario.listeners,
            seconds: world.end.saturating_sub(world.from) as f64 / 1e6,
            seed: world.scenario.seed,
            continuity: Continuity {
                mean: ratio(had, due),
                p1: f64::from(each.get(each.len() / 100).copied().unwrap_or(0.0)),
                worst_second: by_second.iter().flatten().copied().fold(1.0, f64::min),
            },
            lag_ms: Lag {
                p50: metrics.lag.quantile(0.5) / 1e3,
                p99: p99 / 1e3,
                p999: metrics.lag.quantile(0.999) / 1e3,
            },
            startup_ms: Startup {
                p50: metrics.startup.quantile(0.5) / 1e3,
                p95: metrics.startup.quantile(0.95) / 1e3,
                p99: metrics.startup.quantile(0.99) / 1e3,
            },
            hops: Hops {
                p50: metrics.hops.quantile(0.5).floor(),
                p99: metrics.hops.quantile(0.99).floor(),
            },
            host_cost: metrics.host_bytes as f64 / metrics.host_payload.max(1) as f64,
            redundancy: (metrics.copies as f64 - needed) / needed,
            control_overhead: (metrics.sent_bytes as f64 - payload) / payload,
            repair_share: metrics.wanted as f64 / needed,
            overhead_by_kind: by_kind(&metrics.by_kind, metrics.sent_payload, metrics.sent_payload),
            host_cost_by_kind: by_kind(&metrics.host_by_kind, 0, metrics.host_payload),
            upload_jain: metrics.jain(),
            upload_of_budget_p99: metrics.use_of_budget.quantile(0.99) / 1e6,
            parent_switches_per_node_minute: metrics.parent_switches as f64 / metrics.node_seconds.max(1.0) * 60.0,
            joins: metrics.joins,
            never_started: metrics.never_started,
            heard_anything: due > 0,
            reunion_s: {
                let ends = world.scenario.partition.iter().map(|cut| cut.at_s + cut.for_s);
                ends.map(|at_s| recovery(by_chunk, &published, world, at_s)).collect()
            },
            host_side: host_side(world, measured, &published),
            recovery_s: recoveries(by_chunk, &published, world),
            violations: world.watcher.count,
            violations_by_rule: world.watcher.by_rule.clone(),
            violation_details: details(world),
            event_hash: format!("{:016x}", world.event_hash()),
            wall_s: 0.0,
            events: world.events,
            continuity_by_second: by_second,
            lag_histogram: metrics.lag.bars(40, p99.max(1_000.0) * 2.0),
        }
    }

    /// The answer to the host's question, in a sentence or two.
    pub fn verdict(&self) -> String {
        let sent_bps = self.host_cost * f64::from(self.rate_bps);
        let needs = format!("the host sends {}", rate(sent_bps));
        let line = match self.host_upload_bps {
            Some(upload) => format!("{needs} of the {} its line has", rate(upload as f64)),
            None => needs,
        };
        let heard = format!("{:.4} % of the sound arrives in time", self.continuity.mean * 100.0);
        let people = thousands(self.listeners as u64);
        let at = rate(f64::from(self.rate_bps));
        let waits = self.never_started as f64 / self.joins.max(1) as f64;
        let over = self
            .host_upload_bps
            .is_some_and(|upload| sent_bps > upload as f64 * 1.05);
        if !self.heard_anything {
            return format!("No: nobody heard anything in this run; {line}.");
        }
        if over {
            return format!("No: {people} people at {at} need more than the host's line; {heard}, {line}.");
        }
        if self.continuity.mean >= GOOD && waits < 1.0 - GOOD {
            format!("Yes: {people} people at {at} are carried; {heard}, {line}.")
        } else if self.continuity.mean >= FAIR && waits < 1.0 - FAIR {
            let waiting = thousands(self.never_started);
            format!("Barely: {people} people at {at}; {heard}, {waiting} never heard a start, {line}.")
        } else {
            format!("No: {people} people at {at} are too many here; only {heard}, {line}.")
        }
    }

    /// A page for a terminal.
    pub fn to_text(&self) -> String {
        let mut page = format!(
            "{}: {} listeners, {} s, seed {}\n\n{}\n\n",
            self.name,
            thousands(self.listeners as u64),
            self.seconds,
            self.seed,
            self.verdict()
        );
        for (name, value) in self.rows() {
            _ = writeln!(page, "  {name:<18} {value}");
        }
        let floor = self.floor();
        let seconds = chart::fold(&self.continuity_by_second, f64::min);
        _ = writeln!(page, "\n  continuity by second");
        page += &chart::columns(
            &seconds,
            floor,
            1.0,
            &[&format!("{floor:.4}"), "1"],
            &["0 s", &format!("{} s", self.seconds)],
        );
        let lag: Vec<_> = self.lag_histogram.iter().map(|count| Some(*count as f64)).collect();
        let most = self.lag_histogram.iter().copied().max().unwrap_or(0).max(1);
        let end_ms = format!("{:.0} ms", self.lag_ms.p99 * 2.0);
        _ = writeln!(page, "\n  chunks by lag, source to listener");
        page += &chart::columns(&lag, 0.0, most as f64, &["0", &thousands(most)], &["0", &end_ms]);
        _ = writeln!(
            page,
            "\n  {} events in {:.1} s, hash {}, violations {}",
            thousands(self.events),
            self.wall_s,
            self.event_hash,
            self.violations
        );
        for (rule, count) in &self.violations_by_rule {
            _ = writeln!(page, "    {rule:<14} {}", thousands(*count));
        }
        for detail in &self.violation_details {
            _ = writeln!(page, "  {detail}");
        }
        page
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let (c, l, s) = (self.continuity, self.lag_ms, self.startup_ms);
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let mut rows = vec![
            (
                "continuity",
                format!(
                    "mean {:.6}   worst 1 % {:.6}   worst second {:.6}",
                    c.mean, c.p1, c.worst_second
                ),
            ),
            (
                "lag",
                format!("p50 {:.0} ms   p99 {:.0} ms   p99.9 {:.0} ms", l.p50, l.p99, l.p999),
            ),
            (
                "start-up",
                format!("p50 {:.0} ms   p95 {:.0} ms   p99 {:.0} ms", s.p50, s.p95, s.p99),
            ),
            ("hops", format!("p50 {:.0}   p99 {:.0}", self.hops.p50, self.hops.p99)),
            ("host cost", format!("{:.2} times the stream", self.host_cost)),
            ("  of it", list(&self.host_cost_by_kind, 1.0, 3)),
            ("redundancy", percent(self.redundancy)),
            ("not payload", percent(self.control_overhead)),
            ("  of it", list(&self.overhead_by_kind, 100.0, 1)),
            ("asked for", percent(self.repair_share)),
            (
                "upload",
                format!(
                    "fairness {:.3}   99 % stay below {:.0} % of their budget",
                    self.upload_jain,
                    self.upload_of_budget_p99 * 100.0
                ),
            ),
            (
                "parents changed",
                format!("{:.2} a node and minute", self.parent_switches_per_node_minute),
            ),
            (
                "joins",
                format!(
                    "{}   never started {}",
                    thousands(self.joins),
                    thousands(self.never_started)
                ),
            ),
        ];
        if let Some(side) = self.host_side {
            let (mean, worst) = (side.mean, side.worst_second);
            rows.push(("host's side", format!("mean {mean:.6}   worst second {worst:.6}")));
        }
        for reunion in &self.reunion_s {
            rows.push((
                "after a partition",
                format!("{reunion:.2} s until all were whole again"),
            ));
        }
        for recovery in &self.recovery_s {
            let back = if recovery.is_finite() {
                format!("{recovery:.2} s until continuity was back at {WHOLE}")
            } else {
                format!("continuity did not come back to {WHOLE}")
            };
            rows.push(("after a crash", back));
        }
        rows
    }

    /// The bottom of the continuity chart.
    pub fn floor(&self) -> f64 {
        (self.continuity.worst_second - (1.0 - self.continuity.worst_second) * 0.1).clamp(0.0, 0.9999)
    }
}

/// Continuity with which nobody complains, and with which people stay.
const GOOD: f64 = 0.9999;
const FAIR: f64 = 0.999;

fn list(parts: &[(&'static str, f64)], times: f64, digits: usize) -> String {
    let part = |(name, value): &(&str, f64)| format!("{name} {:.digits$}", value * times);
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn rate(bps: f64) -> String {
    if bps >= 1e6 {
        format!("{:.2} Mbit/s", bps / 1e6)
    } else {
        format!("{:.0} kbit/s", bps / 1e3)
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn ratio(had: u64, due: u64) -> f64 {
    if due == 0 { 0.0 } else { had as f64 / due as f64 }
}

fn by_second(by_chunk: &[(u64, u64)], published: &[u64]) -> Vec<Option<f64>> {
    let mut seconds: Vec<(u64, u64)> = Vec::new();
    for ((due, had), at) in by_chunk.iter().zip(published) {
        let second = (at / 1_000_000) as usize;
        if seconds.len() <= second {
            seconds.resize(second + 1, (0, 0));
        }
        seconds[second].0 += due;
        seconds[second].1 += had.min(due);
    }
    seconds
        .iter()
        .map(|(due, had)| (*due > 0).then(|| ratio(*had, *due)))
        .collect()
}

/// From each crash to the first second (in steps of a chunk) from which on continuity stays whole for a second.
fn recoveries(by_chunk: &[(u64, u64)], published: &[u64], world: &World) -> Vec<f64> {
    world
        .scenario
        .crash
        .iter()
        .map(|crash| recovery(by_chunk, published, world, crash.at_s))
        .collect()
}

/// The same from any moment.
fn recovery(by_chunk: &[(u64, u64)], published: &[u64], world: &World, at_s: f64) -> f64 {
    let per_second = (1e6 / world.scenario.chunk_time().as_micros() as f64).ceil() as usize;
    {
        let crash = (at_s * 1e6) as u64;
        let first = published.partition_point(|at| *at < crash);
        let whole = (first..by_chunk.len().saturating_sub(per_second)).find(|start| {
            let (due, had) = by_chunk[*start..start + per_second]
                .iter()
                .fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
            ratio(had.min(due), due) >= WHOLE
                && by_chunk[*start].0 > 0
                && ratio(by_chunk[*start].1, by_chunk[*start].0) >= WHOLE
        });
        whole.map_or(f64::INFINITY, |start| {
            (published[start].saturating_sub(crash)) as f64 / 1e6
        })
    }
}

fn host_side(world: &World, measured: usize, published: &[u64]) -> Option<HostSide> {
    world.scenario.partition.first()?;
    let all = world.metrics.host_side.by_chunk();
    let by_chunk = all.get(measured..).unwrap_or_default();
    let (due, had) = by_chunk
        .iter()
        .fold((0, 0), |(due, had), chunk| (due + chunk.0, had + chunk.1.min(chunk.0)));
    let seconds = by_second(by_chunk, published);
    Some(HostSide {
        mean: ratio(had, due),
        worst_second: seconds.iter().flatten().copied().fold(1.0, f64::min),
    })
}

/// Bytes of each kind over `unit`; `payload` is not counted among the chunks.
fn by_kind(bytes: &[u64; KINDS], payload: u64, unit: u64) -> Vec<(&'static str, f64)> {
    let share = |(at, bytes): (usize, &u64)| {
        let rest = if at == 0 { bytes.saturating_sub(payload) } else { *bytes };
        (KIND_NAMES[at], rest as f64 / unit.max(1) as f64)
    };
    bytes.iter().enumerate().map(share).collect()
}

fn details(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, node, violation, last) in &world.watcher.kept {
        let seed = world.watcher.seed;
        lines.push(format!(
            "seed {seed}  {:.3} s  node {node}  {violation}",
            *at as f64 / 1e6
        ));
        if lines.len() < 60 {
            lines.extend(last.iter().map(|event| format!("    {event}")));
        }
    }
    lines
}
