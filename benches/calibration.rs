//! How far to believe the simulator: one small scenario over real QUIC connections on loopback, with the delay and loss of
//! the simulated network added to every packet, beside what the simulator says of it.
//!
//! `cargo bench --bench calibration` runs 100 nodes; `N=200` in the environment another number, at most 200. Real nodes are
//! whole engines with real signatures, each on a thread of its own: on two cores more of them measure the machine.
#![allow(
    clippy::disallowed_methods,
    reason = "what is compared with virtual time here is the clock's"
)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use inonda::engine::command::{Command, Programme, Show};
use inonda::engine::{Event, Handle, Link, NodeConfig, node};
use inonda::mesh::rng::Rng;
use inonda::net::Identity;
use inonda::net::rough::Line;
use inonda::sim::network::Network;
use inonda::sim::scenario::{Crash, Scenario};
use inonda::sim::{self, Report};
use inonda::units::Codec;
use tracing::field::{Field, Visit};
use tracing::span;

const LISTENERS_MAX: usize = 200;
/// Nodes in a link, as a person who passes it on would name them.
const VIA: usize = 3;

fn main() {
    let listeners = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let listeners = usize::clamp(listeners, 2, LISTENERS_MAX);
    let ear = Arc::new(Ear::default());
    tracing::subscriber::set_global_default(Listening(Arc::clone(&ear))).expect("nobody else listens");
    let steady = Scenario {
        name: "steady".into(),
        listeners,
        seconds: 30.0,
        settle_s: 25.0,
        // Real nodes stay: their ends are the crash.
        stay_s: 1e7,
        ..Scenario::default()
    };
    let crash = Scenario {
        name: "30 % crash".into(),
        crash: vec![Crash {
            at_s: 10.0,
            share: 0.3,
            neighbours: false,
        }],
        ..steady.clone()
    };
    for scenario in [steady, crash] {
        let simulated = Figures::from(&sim::run(scenario.clone(), |_| true));
        let real = run(&scenario, &ear);
        print(&scenario, &real, &simulated);
    }
}

/// What is compared.
struct Figures {
    continuity: f64,
    worst_second: f64,
    lag_p50_ms: f64,
    lag_p99_ms: f64,
    hops_p50: f64,
    hops_p99: f64,
    redundancy: f64,
    repair_share: f64,
    host_cost: f64,
}

impl From<&Report> for Figures {
    fn from(report: &Report) -> Figures {
        Figures {
            continuity: report.continuity.mean,
            worst_second: report.continuity.worst_second,
            lag_p50_ms: report.lag_ms.p50,
            lag_p99_ms: report.lag_ms.p99,
            hops_p50: report.hops.p50,
            hops_p99: report.hops.p99,
            redundancy: report.redundancy,
            repair_share: report.repair_share,
            host_cost: report.host_cost,
        }
    }
}

fn print(scenario: &Scenario, real: &Figures, simulated: &Figures) {
    println!(
        "\n{}, {} listeners, {} s, {} ms one way, {} % loss",
        scenario.name,
        scenario.listeners,
        scenario.seconds,
        format_args!("{}-{}", scenario.latency_ms.0, scenario.latency_ms.1),
        scenario.loss * 100.0
    );
    println!("{:<22} {:>12} {:>12}", "", "real", "simulated");
    let row = |what: &str, of: fn(&Figures) -> f64, digits: usize| {
        println!("{what:<22} {:>12.digits$} {:>12.digits$}", of(real), of(simulated));
    };
    row("continuity", |f| f.continuity, 6);
    row("worst second", |f| f.worst_second, 4);
    row("lag p50, ms", |f| f.lag_p50_ms, 0);
    row("lag p99, ms", |f| f.lag_p99_ms, 0);
    row("hops p50", |f| f.hops_p50, 0);
    row("hops p99", |f| f.hops_p99, 0);
    row("extra copies, %", |f| f.redundancy * 100.0, 2);
    row("asked for, %", |f| f.repair_share * 100.0, 2);
    row("host cost", |f| f.host_cost, 2);
}

/// The simulated network in front of real sockets: nodes are told apart by their loopback address.
#[derive(Debug)]
struct Air {
    latency_us: Vec<Vec<f64>>,
    jitter_us: f64,
    loss: f64,
    rng: Mutex<Rng>,
    dead: Vec<AtomicBool>,
}

impl Air {
    fn new(scenario: &Scenario) -> Air {
        let mut rng = Rng::new(scenario.seed);
        let mut network = Network::new(scenario);
        let all = 0..=scenario.listeners as u32;
        for _ in all.clone() {
            network.add(scenario, 0, false, &mut rng);
        }
        let row = |a: u32| all.clone().map(|b| network.latency_us(a, b)).collect();
        Air {
            latency_us: all.clone().map(row).collect(),
            jitter_us: scenario.jitter_ms * 1e3,
            loss: scenario.loss,
            rng: Mutex::new(rng),
            dead: all.clone().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    fn is_dead(&self, node: usize) -> bool {
        self.dead[node].load(Ordering::Relaxed)
    }
}

impl Line for Air {
    fn fate(&self, from: SocketAddr, to: SocketAddr) -> Option<Duration> {
        let (from, to) = (number(from), number(to));
        if to >= self.dead.len() || self.is_dead(from) || self.is_dead(to) {
            return None;
        }
        let mut rng = self.rng.lock().ok()?;
        if rng.chance(self.loss) {
            return None;
        }
        let jitter = rng.unit() * 2.0 * self.jitter_us;
        Some(Duration::from_micros((self.latency_us[from][to] + jitter) as u64))
    }
}

/// 127.1.0.0 is the host, the listeners follow.
fn address(node: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 1, (node / 250) as u8, (node % 250 + 1) as u8), 7_144))
}

fn number(addr: SocketAddr) -> usize {
    match addr.ip() {
        IpAddr::V4(ip) => usize::from(ip.octets()[2]) * 250 + usize::from(ip.octets()[3]) - 1,
        IpAddr::V6(_) => usize::MAX,
    }
}

/// A chunk that an engine got: the engine tells of each in its log.
struct Heard {
    by: ThreadId,
    seq: u64,
    hops: u64,
    at: Instant,
}

/// Everything heard so far.
#[derive(Default)]
struct Ear(Mutex<Vec<Heard>>);

struct Listening(Arc<Ear>);

#[derive(Default)]
struct Fields {
    seq: Option<u64>,
    hops: Option<u64>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "seq" => self.seq = Some(value),
            "hops" => self.hops = Some(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for Listening {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        about.target() == "inonda::engine::apply" && *about.level() == tracing::Level::TRACE
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let (Some(seq), Some(hops)) = (fields.seq, fields.hops)
            && let Ok(mut heard) = self.0.0.lock()
        {
            heard.push(Heard {
                by: std::thread::current().id(),
                seq,
                hops,
                at: Instant::now(),
            });
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Runs the scenario on real engines.
fn run(scenario: &Scenario, ear: &Ear) -> Figures {
    ear.0.lock().unwrap().clear();
    let air = Arc::new(Air::new(scenario));
    let mut rng = Rng::new(scenario.seed + 1);
    let mut host = start(0, None, &air);
    let link = on_air(&mut host);
    let begun = Instant::now();
    let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
    let mut nodes = Vec::new();
    for n in 1..=scenario.listeners {
        sleep_until(at(scenario.ramp_s * n as f64 / scenario.listeners as f64));
        let times = class(scenario, &mut rng);
        let upload = (f64::from(scenario.rate_bps) * times) as u64;
        let handle = start(n, Some(upload), &air);
        let via = (0..VIA).map(|_| address(rng.below(n)).to_string()).collect();
        let link = Link { via, ..link.clone() };
        let _ = handle.send(Command::Relay { target: link.into() });
        nodes.push(handle);
    }
    sleep_until(at(scenario.settle_s));
    let (sent, _) = totals(&mut host);
    let before: Vec<_> = nodes.iter_mut().map(totals_of_node).collect();
    for crash in &scenario.crash {
        sleep_until(at(scenario.settle_s + crash.at_s));
        for n in 1..=scenario.listeners {
            if rng.chance(crash.share) {
                air.dead[n].store(true, Ordering::Relaxed);
            }
        }
    }
    let end = scenario.settle_s + scenario.seconds;
    sleep_until(at(end));
    let (sent_after, _) = totals(&mut host);
    let after: Vec<_> = nodes.iter_mut().map(totals_of_node).collect();
    sleep_until(at(end + scenario.deadline_s));
    for handle in nodes.iter().chain([&host]) {
        let _ = handle.send(Command::Quit);
    }
    for mut handle in nodes.into_iter().chain([host]) {
        while handle.blocking_event().is_some() {}
    }
    let window = (at(scenario.settle_s), at(end));
    let mut figures = judge(scenario, ear, window);
    let grown = |of: fn(&Totals) -> u64| {
        let living = before
            .iter()
            .zip(&after)
            .enumerate()
            .filter(|(n, _)| !air.is_dead(n + 1));
        living.map(|(_, (a, b))| of(b).saturating_sub(of(a))).sum::<u64>() as f64
    };
    let due = grown(|t| t.due).max(1.0);
    figures.redundancy = grown(|t| t.duplicates) / due;
    figures.repair_share = grown(|t| t.repaired) / due;
    let stream = f64::from(scenario.rate_bps) / 8.0 * scenario.seconds;
    figures.host_cost = (sent_after - sent) as f64 / stream;
    figures
}

fn sleep_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn class(scenario: &Scenario, rng: &mut Rng) -> f64 {
    let mut left = rng.unit();
    for class in &scenario.upload {
        if left < class.share {
            return class.times;
        }
        left -= class.share;
    }
    0.0
}

fn start(n: usize, upload_bps: Option<u64>, air: &Arc<Air>) -> Handle {
    let config = NodeConfig {
        identity: Identity::generate().unwrap(),
        bind: address(n),
        peers: Vec::new(),
        upload_bps,
        state: None,
        finding: None,
        snapshots: false,
        line: Some(Arc::clone(air) as Arc<dyn Line>),
    };
    node::start(config).unwrap()
}

fn on_air(host: &mut Handle) -> Link {
    let show = Show {
        station: None,
        key: Identity::generate().unwrap().signing_key().clone(),
        name: "calibration".into(),
        genre: String::new(),
        description: String::new(),
        language: String::new(),
        contact: String::new(),
        private: true,
        sources: vec![Programme::Tone],
        bitrate_bps: 128_000,
        codec: Codec::Opus,
        stripes: 4,
        host_slots: 4,
        repeat: false,
        record: None,
        held: None,
    };
    host.send(Command::Host(Box::new(show))).unwrap();
    while let Some(event) = host.blocking_event() {
        if let Event::OnAir { link, .. } = event {
            return link.parse().unwrap();
        }
    }
    panic!("the host ended");
}

/// What a node has counted, as its newest statistics say.
#[derive(Clone, Copy, Default)]
struct Totals {
    due: u64,
    duplicates: u64,
    repaired: u64,
}

fn totals(handle: &mut Handle) -> (u64, Totals) {
    let mut newest = (0, Totals::default());
    while let Some(event) = handle.try_event() {
        if let Event::Stats(view) = event {
            let totals = Totals {
                due: view.chunks_due,
                duplicates: view.duplicates,
                repaired: view.repaired,
            };
            newest = (view.uploaded_bytes, totals);
        }
    }
    newest
}

fn totals_of_node(handle: &mut Handle) -> Totals {
    totals(handle).1
}

/// Continuity, lag and hops of all that was published within the window, from when each node got it.
fn judge(scenario: &Scenario, ear: &Ear, (from, to): (Instant, Instant)) -> Figures {
    let heard = ear.0.lock().unwrap();
    let host = heard.first().expect("the host published").by;
    let published: HashMap<u64, Instant> = heard.iter().filter(|h| h.by == host).map(|h| (h.seq, h.at)).collect();
    let mut nodes: HashMap<ThreadId, HashMap<u64, &Heard>> = HashMap::new();
    for h in heard.iter().filter(|h| h.by != host) {
        nodes.entry(h.by).or_default().insert(h.seq, h);
    }
    let deadline = Duration::from_secs_f64(scenario.deadline_s);
    let seconds = scenario.seconds as usize;
    let (mut lags, mut hops) = (Vec::new(), Vec::new());
    let (mut due, mut had) = (vec![0u64; seconds], vec![0u64; seconds]);
    for got in nodes.values() {
        let first = got.values().map(|h| published[&h.seq]).min().unwrap_or(to);
        // Who crashed is owed nothing any more.
        let last = got.values().map(|h| h.at).max().unwrap_or(from);
        let owed_until = if last + deadline < to {
            last - Duration::from_secs(1)
        } else {
            to
        };
        for (seq, at) in published
            .iter()
            .filter(|(_, at)| **at >= from.max(first) && **at < owed_until)
        {
            let second = ((*at - from).as_secs() as usize).min(seconds - 1);
            due[second] += 1;
            if let Some(h) = got.get(seq) {
                let lag = h.at.saturating_duration_since(*at);
                had[second] += u64::from(lag <= deadline);
                lags.push(lag.as_secs_f64() * 1e3);
                hops.push(h.hops as f64);
            }
        }
    }
    lags.sort_by(f64::total_cmp);
    hops.sort_by(f64::total_cmp);
    let quantile = |sorted: &[f64], q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize];
    let by_second = due.iter().zip(&had).filter(|(due, _)| **due > 0);
    Figures {
        continuity: had.iter().sum::<u64>() as f64 / due.iter().sum::<u64>().max(1) as f64,
        worst_second: by_second
            .map(|(due, had)| *had as f64 / *due as f64)
            .fold(1.0, f64::min),
        lag_p50_ms: quantile(&lags, 0.5),
        lag_p99_ms: quantile(&lags, 0.99),
        hops_p50: quantile(&hops, 0.5),
        hops_p99: quantile(&hops, 0.99),
        redundancy: 0.0,
        repair_share: 0.0,
        host_cost: 0.0,
    }
}
