//! The figures of a small mesh of real processes on loopback: `cargo bench --bench on_air`.
//!
//! `cargo bench --bench on_air -- startup hops loss cost` measures only what it names. Prints one line a figure with what
//! was reached. Nothing here passes or fails; times are of this machine at this moment.

#[path = "../tests/on_air/rig.rs"]
mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use inonda::audio::chirp;
use rig::{Lab, Node};

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --benches` builds and starts this; the figures take minutes.
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!("| what | measured |\n|---|---|");
    if wanted("startup") {
        startup();
    }
    if wanted("hops") {
        hops();
    }
    if wanted("loss") {
        loss_of_a_parent("kill -9", "KILL");
        loss_of_a_parent("SIGSTOP", "STOP");
    }
    if wanted("cost") {
        cost();
    }
}

fn row(what: &str, measured: &str) {
    println!("| {what} | {measured} |");
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn startup() {
    let lab = Lab::new();
    let (_host, link) = lab.host("host", &["--tone"]);
    let (_relay, via) = lab.relay("relay", &link);
    let mut times = Vec::new();
    let mut delays = Vec::new();
    for turn in 0..20 {
        let mut listener = lab.listener(&format!("listener-{turn}"), &via, &["--output", "null"]);
        times.push(listener.wait("joined")["startup_ms"].as_f64().unwrap());
        delays.push(
            listener.wait_for("stats", |stats| stats["delay_ms"].as_f64().unwrap() > 0.0)["delay_ms"]
                .as_f64()
                .unwrap(),
        );
        listener.stop();
    }
    let text = format!(
        "p50 {:.0} ms, p95 {:.0} ms",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.95)
    );
    row("`listen` to first sample, warm relay, 20 starts", &text);
    let text = format!(
        "p50 {:.0} ms, max {:.0} ms",
        percentile(&mut delays, 0.5),
        percentile(&mut delays, 1.0)
    );
    row("behind live within a second of the first sample, wanted 2 s", &text);
    let mut listener = lab.listener("half", &via, &["--output", "null", "--delay", "0.5s"]);
    listener.wait("joined");
    listener.run_for(8);
    let ended = listener.stop();
    let text = format!(
        "{:.0} ms behind, {} ms silence",
        ended.one("stats")["delay_ms"].as_f64().unwrap(),
        ended.one("summary")["silence_ms"]
    );
    row("`--delay 0.5s` after 8 s", &text);
}

/// A chain: one stripe, one slot at the host and at each relay, arrival times from the trace log.
fn hops() {
    let lab = Lab::new();
    // The child processes inherit it; nothing else runs in this process.
    let trace = |node: Node| node.stop().errors;
    let (host, link) = lab.host_with_log(
        "host",
        &["--tone", "--stripes", "1", "--host-slots", "1"],
        "inonda::engine=trace",
    );
    let mut chain = Vec::new();
    for n in 0..6 {
        let name = format!("relay-{n}");
        let args = ["relay", &link, "--bind", "127.0.0.1:0", "--upload", "170k"];
        let mut relay = lab.start_with_log(&name, &args, "inonda::engine=trace");
        relay.wait("joined");
        chain.push(relay);
    }
    for relay in &mut chain {
        relay.run_for(20);
    }
    let arrivals: Vec<BTreeMap<u64, (f64, u64)>> = chain.into_iter().map(|relay| arrivals(&trace(relay))).collect();
    drop(host);
    // By depth: when the first node at each depth had the chunk.
    let mut added = Vec::new();
    let mut deepest = 0;
    let sequences: Vec<u64> = arrivals[0].keys().skip(100).copied().collect();
    for seq in sequences {
        let mut by_hops: BTreeMap<u64, f64> = BTreeMap::new();
        for (at, hops) in arrivals.iter().filter_map(|node| node.get(&seq)) {
            let first = by_hops.entry(*hops).or_insert(*at);
            *first = first.min(*at);
        }
        for (hops, at) in &by_hops {
            deepest = deepest.max(*hops);
            if let Some(next) = by_hops.get(&(hops + 1)) {
                added.push((next - at) * 1e3);
            }
        }
    }
    if added.is_empty() {
        return row("added lag per relay hop", "no chain formed");
    }
    let text = format!(
        "p50 {:.2} ms, p99 {:.2} ms, {} hops deep, {} chunks",
        percentile(&mut added, 0.5),
        percentile(&mut added, 0.99),
        deepest,
        added.len()
    );
    row("added lag per relay hop", &text);
}

/// Seconds of the day and hops by sequence, from lines like `2026-…T12:00:00.000001Z TRACE …: chunk seq=1 hops=2`.
fn arrivals(log: &str) -> BTreeMap<u64, (f64, u64)> {
    let number = |line: &str, key: &str| line.split(key).nth(1)?.split_whitespace().next()?.parse::<u64>().ok();
    log.lines()
        .filter_map(|line| {
            let time = line.split('T').nth(1)?.split('Z').next()?;
            let mut parts = time.split(':').map(|part| part.parse::<f64>().unwrap_or(0.0));
            let seconds = parts.next()? * 3_600.0 + parts.next()? * 60.0 + parts.next()?;
            Some((number(line, " seq=")?, (seconds, number(line, " hops=")?)))
        })
        .collect()
}

fn loss_of_a_parent(what: &str, signal: &str) {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let relays: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|name| lab.relay(name, &link))
        .collect();
    let out = lab.path("heard.wav");
    let mut listener = lab.listener(
        "listener",
        &relays[0].1,
        &["--output", &format!("wav:{}", out.display())],
    );
    listener.wait("joined");
    listener.run_for(5);
    relays[0].0.signal(signal);
    listener.run_for(10);
    let ended = listener.stop();
    let findings = chirp::examine(&rig::wav(&out), 48_000);
    let repeated: f64 = findings.jumps.iter().map(|jump| (-jump.frames).max(0.0)).sum::<f64>() + 0.0;
    let missing: f64 = findings.jumps.iter().map(|jump| jump.frames.max(0.0)).sum::<f64>() + 0.0;
    let text = format!(
        "{} ms silence or concealment, {} silent samples, {missing} missing, {repeated} repeated, {} parent changes",
        ended.one("summary")["silence_ms"],
        findings.silent,
        ended.all("parent_changed").len()
    );
    row(&format!("{what} of a parent"), &text);
}

fn cost() {
    let lab = Lab::new();
    let (_host, link) = lab.host("host", &["--tone"]);
    let (_relay, via) = lab.relay("relay", &link);
    let mut listener = lab.listener("listener", &via, &["--output", "null"]);
    listener.wait("joined");
    listener.run_for(5);
    let (cpu, _) = usage(listener.id());
    listener.run_for(30);
    let (after, peak_mb) = usage(listener.id());
    let text = format!(
        "{:.2} % of a core, {peak_mb:.1} MB at most",
        (after - cpu) / 30.0 * 100.0
    );
    row("`listen --output null` at 128 kbit/s", &text);
    listener.stop();
}

/// Processor seconds so far, and the most memory used, in MB.
fn usage(pid: u32) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: f64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    // A hundred ticks a second on every Linux that Debian ships.
    (
        Duration::from_secs_f64(ticks / 100.0).as_secs_f64(),
        kilobytes / 1_024.0,
    )
}
