//! The table of figures the mesh is held to, one command: `cargo bench --no-default-features --bench mesh`.
//!
//! Each row is one scenario file of `tests/scenarios` with its limits; beside each figure stands its limit, and `MISS` marks
//! what is beyond it. Without a name every row of ten thousand listeners is run, and continuity and lag over the size of the
//! audience; a name (`crash`, `100k`, `million`, `sizes`, `swarm`) runs the rows that contain it. `N=1000` in the environment
//! runs them with another audience, `SEED=2` with another seed, `VERBOSE=1` prints whole reports, `SEEDS=1000` and `FROM=1` are
//! those of the swarm.

use std::path::Path;
use std::time::Instant;

use inonda::sim::{self, Report, Scenario};

/// What a row must show.
#[derive(Clone, Copy)]
enum Limit {
    /// Continuity of the whole run, and of its worst second.
    Mean(f64),
    Worst(f64),
    /// Lag, median and 99th percentile, in milliseconds.
    Lag(f64, f64),
    /// Start-up, median and 99th percentile, in milliseconds.
    Start(f64, f64),
    /// Seconds from a crash, or from the end of a partition, until all is whole again.
    Back(f64),
    /// The host's bytes by the stream's; extra copies; everything that is not payload.
    Host(f64),
    Redundancy(f64),
    Overhead(f64),
    /// Continuity on the host's side of a partition.
    HostSide(f64),
    Violations,
    /// Seconds of one core.
    Wall(f64),
}
use Limit::{Back, Host, HostSide, Lag, Mean, Overhead, Redundancy, Start, Violations, Wall, Worst};

/// Rows of the issue, then the rest, with looser limits or none but what must always hold.
const ROWS: &[(&str, &[Limit])] = &[
    (
        "steady",
        &[
            Mean(0.99999),
            Worst(0.999),
            Lag(180.0, 400.0),
            Host(4.7),
            Redundancy(0.03),
            Overhead(0.22),
            Violations,
        ],
    ),
    ("crash-10", &[Mean(0.9999), Worst(0.999), Back(3.0), Violations]),
    ("crash-30", &[Mean(0.9999), Worst(0.999), Back(3.0), Violations]),
    ("crash-50", &[Worst(0.95), Back(5.0), Violations]),
    ("crash-70", &[Worst(0.6), Back(5.0), Violations]),
    ("crash-80", &[Violations]),
    ("crash-prefix", &[Mean(0.9999), Worst(0.999), Back(3.0), Violations]),
    ("flash", &[Mean(0.9999), Start(350.0, 700.0), Violations]),
    ("flash-link", &[Mean(0.9999), Violations]),
    ("churn-60", &[Mean(0.9999), Violations]),
    ("droppers", &[Mean(0.9999), Violations]),
    ("polluters", &[Mean(0.9999), Violations]),
    ("nat", &[Mean(0.9999), Violations]),
    ("partition", &[HostSide(0.99999), Back(10.0), Violations]),
    ("host-slots-1", &[Mean(0.999), Host(1.3), Violations]),
    ("inflaters", &[Mean(0.9999), Violations]),
    ("liars", &[Mean(0.9999), Violations]),
    ("lines", &[Mean(0.9999), Violations]),
    ("tight-105", &[Violations]),
    ("tight", &[Violations]),
    ("capacity-2", &[Mean(0.9999), Violations]),
    ("capacity-4", &[Mean(0.9999), Violations]),
    (
        "100k",
        &[Mean(0.99999), Worst(0.999), Lag(180.0, 400.0), Violations, Wall(120.0)],
    ),
    ("million", &[]),
];

/// Rows that take long and run only when named.
const HEAVY: [&str; 2] = ["100k", "million"];
/// Audiences over which continuity and lag are shown.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let named = |name: &str| words.iter().any(|word| name.contains(word.as_str()));
    for (name, limits) in ROWS {
        if named(name) || words.is_empty() && !HEAVY.contains(name) {
            row(name, limits);
        }
    }
    for name in others() {
        if named(&name) {
            row(&name, &[Violations]);
        }
    }
    if words.is_empty() || named("sizes") {
        sizes();
    }
    if named("swarm") {
        swarm();
    }
}

/// Scenario files without a row.
fn others() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let stems = files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    let mut names: Vec<_> = stems.filter(|stem| ROWS.iter().all(|(name, _)| name != stem)).collect();
    names.sort();
    names
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

#[allow(clippy::disallowed_methods)]
fn row(name: &str, limits: &[Limit]) {
    let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    let mut scenario = Scenario::from_toml(&text).unwrap();
    if let Some(listeners) = number("N") {
        scenario.listeners = listeners as usize;
    }
    if let Some(seed) = number("SEED") {
        scenario.seed = seed;
    }
    let start = Instant::now();
    let mut report = sim::run(scenario, |_| true);
    report.wall_s = start.elapsed().as_secs_f64();
    println!(
        "{name}: {}, {} listeners, seed {}",
        report.name, report.listeners, report.seed
    );
    for (what, value, limit) in figures(&report) {
        let limit = limit.find_in(limits, &report);
        let told = match limit {
            None => String::new(),
            Some((true, text)) => text,
            Some((false, text)) => format!("{text}   MISS"),
        };
        println!("    {what:<22} {value:>12}   {told}");
    }
    if std::env::var_os("VERBOSE").is_some() {
        println!("{}", report.to_text());
    }
}

/// Which limit a line is held to.
#[derive(Clone, Copy)]
enum Line {
    Mean,
    Worst,
    Lag50,
    Lag99,
    Start50,
    Start99,
    Back,
    Host,
    Redundancy,
    Overhead,
    HostSide,
    Violations,
    Wall,
    None,
}

impl Line {
    /// Whether the limit is kept, and its words.
    fn find_in(self, limits: &[Limit], report: &Report) -> Option<(bool, String)> {
        let least = |value: f64, limit: f64| (value >= limit, format!(">= {limit}"));
        let most = |value: f64, limit: f64| (value <= limit, format!("<= {limit}"));
        limits.iter().find_map(|limit| {
            Some(match (self, *limit) {
                (Line::Mean, Mean(limit)) => least(report.continuity.mean, limit),
                (Line::Worst, Worst(limit)) => least(report.continuity.worst_second, limit),
                (Line::Lag50, Lag(limit, _)) => most(report.lag_ms.p50, limit),
                (Line::Lag99, Lag(_, limit)) => most(report.lag_ms.p99, limit),
                (Line::Start50, Start(limit, _)) => most(report.startup_ms.p50, limit),
                (Line::Start99, Start(_, limit)) => most(report.startup_ms.p99, limit),
                (Line::Back, Back(limit)) => most(back(report), limit),
                (Line::Host, Host(limit)) => most(report.host_cost, limit),
                (Line::Redundancy, Redundancy(limit)) => most(report.redundancy, limit),
                (Line::Overhead, Overhead(limit)) => most(report.control_overhead, limit),
                (Line::HostSide, HostSide(limit)) => least(report.host_side?.mean, limit),
                (Line::Violations, Violations) => most(report.violations as f64, 0.0),
                (Line::Wall, Wall(limit)) => most(report.wall_s, limit),
                _ => return None,
            })
        })
    }
}

fn back(report: &Report) -> f64 {
    let all = report.recovery_s.iter().chain(&report.reunion_s);
    all.copied().fold(0.0, f64::max)
}

fn figures(report: &Report) -> Vec<(&'static str, String, Line)> {
    let ms = |value: f64| format!("{value:.0} ms");
    let percent = |value: f64| format!("{:.2} %", value * 100.0);
    let mut lines = vec![
        ("continuity", format!("{:.6}", report.continuity.mean), Line::Mean),
        (
            "worst second",
            format!("{:.5}", report.continuity.worst_second),
            Line::Worst,
        ),
        ("worst 1 %", format!("{:.5}", report.continuity.p1), Line::None),
        ("lag p50", ms(report.lag_ms.p50), Line::Lag50),
        ("lag p99", ms(report.lag_ms.p99), Line::Lag99),
        ("start-up p50", ms(report.startup_ms.p50), Line::Start50),
        ("start-up p99", ms(report.startup_ms.p99), Line::Start99),
        (
            "never started",
            format!("{} of {}", report.never_started, report.joins),
            Line::None,
        ),
        ("host cost", format!("{:.2}", report.host_cost), Line::Host),
        ("redundancy", percent(report.redundancy), Line::Redundancy),
        ("not payload", percent(report.control_overhead), Line::Overhead),
        ("violations", report.violations.to_string(), Line::Violations),
        ("wall", format!("{:.1} s", report.wall_s), Line::Wall),
    ];
    if !report.recovery_s.is_empty() || !report.reunion_s.is_empty() {
        lines.insert(3, ("whole again after", format!("{:.2} s", back(report)), Line::Back));
    }
    if let Some(side) = report.host_side {
        lines.insert(3, ("host's side", format!("{:.6}", side.mean), Line::HostSide));
    }
    lines
}

/// More listeners must mean more reliable: the same churn, other sizes.
fn sizes() {
    println!(
        "{:>10} {:>12} {:>12} {:>10} {:>10}",
        "listeners", "continuity", "worst second", "lag p50", "lag p99"
    );
    for listeners in SIZES {
        let text = std::fs::read_to_string(folder().join("churn-120.toml")).unwrap();
        let mut scenario = Scenario::from_toml(&text).unwrap();
        scenario.listeners = listeners;
        let report = sim::run(scenario, |_| true);
        println!(
            "{listeners:>10} {:>12.6} {:>12.5} {:>7.0} ms {:>7.0} ms",
            report.continuity.mean, report.continuity.worst_second, report.lag_ms.p50, report.lag_ms.p99
        );
    }
}

fn swarm() {
    let (from, count) = (number("FROM").unwrap_or(1), number("SEEDS").unwrap_or(1_000));
    let mut failed = 0;
    for seed in from..from + count {
        let report = sim::run(Scenario::swarm(seed), |_| true);
        if report.violations > 0 {
            failed += 1;
            println!("seed {seed}: {} violations", report.violations);
            // Of a single world all is told: what came before, and what became of a chunk that was missed.
            let told = |line: &&String| count == 1 || line.starts_with("seed");
            let lines = report.violation_details.iter().filter(told);
            let most = if count == 1 { usize::MAX } else { 3 };
            lines.take(most).for_each(|line| println!("    {line}"));
        }
    }
    println!("swarm: {failed} of {count} seeds from {from} with violations");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
