//! The figures of the mesh: every scenario file of `tests/scenarios`, one line of results each.
//!
//! `cargo bench --bench mesh` runs them all, `cargo bench --bench mesh -- crash flash` those whose name contains a word;
//! `N=1000` in the environment runs them with another audience.

use std::path::Path;
use std::time::Instant;

use inonda::sim::{self, Scenario};

#[allow(clippy::disallowed_methods)]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    println!(
        "{:<24} {:>8} {:>9} {:>8} {:>8} {:>5} {:>5} {:>6} {:>6} {:>5} {:>6} {:>6} {:>6} {:>6} {:>5} {:>6}",
        "scenario",
        "mean",
        "p1",
        "worst s",
        "back s",
        "lag50",
        "lag99",
        "join50",
        "join99",
        "hops",
        "host",
        "redun%",
        "over%",
        "ask%",
        "viol",
        "wall s"
    );
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let asked_for = words.iter().any(|word| name.contains(word.as_str()));
        let heavy = name.contains("million") || name.contains("100k");
        if !asked_for && (heavy || !words.is_empty()) {
            continue;
        }
        let mut scenario = Scenario::from_toml(&std::fs::read_to_string(&file).unwrap()).unwrap();
        if let Some(listeners) = std::env::var("N").ok().and_then(|n| n.parse().ok()) {
            scenario.listeners = listeners;
        }
        let start = Instant::now();
        let report = sim::run(scenario, |_| true);
        let back = report.recovery_s.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<24} {:.6} {:>9.6} {:>8.5} {:>8.2} {:>5.0} {:>5.0} {:>6.0} {:>6.0} {:>5.0} {:>6.2} {:>6.2} {:>6.1} {:>6.2} {:>5} {:>6.1}",
            report.continuity.mean,
            report.continuity.p1,
            report.continuity.worst_second,
            back,
            report.lag_ms.p50,
            report.lag_ms.p99,
            report.startup_ms.p50,
            report.startup_ms.p99,
            report.hops.p99,
            report.host_cost,
            report.redundancy * 100.0,
            report.control_overhead * 100.0,
            report.repair_share * 100.0,
            report.violations,
            start.elapsed().as_secs_f64(),
        );
        if std::env::var_os("VERBOSE").is_some() {
            println!("{}", report.to_text());
        }
    }
}
