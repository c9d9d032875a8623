//! The figures of finding channels: `cargo bench --bench finding`.
//!
//! Prints one line a figure with what was reached. Nothing here passes or fails; times are of this machine at this moment.
#![allow(clippy::disallowed_methods, reason = "figures are measured with the clock")]

#[path = "../tests/on_air/rig.rs"]
mod rig;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use inonda::discovery::announcement::{Announcement, Signed};
use inonda::discovery::directory::follow::{self, News, Sink};
use inonda::discovery::directory::ledger::{Ledger, Row};
use inonda::discovery::directory::roll::{Roll, Rules};
use inonda::discovery::directory::wire::{Frame, Question};
use inonda::net::{Endpoint, Identity};
use inonda::units::{ChannelId, Codec, Epoch};
use rig::{Lab, Node};
use tokio::sync::mpsc;

const MANY: u32 = 10_000;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --benches` builds and starts this; the figures take minutes.
        return;
    }
    println!("| what | measured |\n|---|---|");
    verify_and_store();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(directory());
    local_network();
    dht();
}

fn row(what: &str, measured: &str) {
    println!("| {what} | {measured} |");
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn signed(seed: u32) -> Signed {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&seed.to_be_bytes());
    let key = SigningKey::from_bytes(&secret);
    let ip = Ipv4Addr::from(0x0a00_0000 + seed);
    Announcement {
        channel: ChannelId([0; 32]),
        epoch: Epoch(now() * 1_000),
        issued_unix_s: now(),
        on_air: true,
        name: format!("Radio number {seed}"),
        genre: "jazz, acoustic, late".into(),
        language: "en".into(),
        description: "Late-night acoustic jazz, no talk after 23:00. Requests welcome. ".repeat(3),
        contact: "https://radio.example/".into(),
        title: "Bill Evans Trio – Waltz for Debby (Sunday at the Village Vanguard)".into(),
        codec: Codec::Opus,
        bitrate_bps: 128_000,
        started_unix_s: now(),
        listeners: seed % 500,
        relays: seed % 50,
        health_permille: 999,
        hosts: vec![SocketAddr::new(IpAddr::V4(ip), 7_144)],
        relays_at: vec![SocketAddr::new(IpAddr::V4(ip), 7_145)],
    }
    .sign(&key)
}

/// One thread: read, verify, fold, write to disk a thousand at a time.
fn verify_and_store() {
    let all: Vec<Bytes> = (0..2 * MANY).map(|seed| signed(seed).bytes).collect();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    let mut roll = Roll::new(Rules {
        probe: false,
        ..Rules::default()
    });
    let started = Instant::now();
    for part in all.chunks(1_000) {
        let rows: Vec<Row> = part
            .iter()
            .map(|bytes| {
                let signed = Signed::read(bytes).unwrap();
                roll.take(&signed, None, now()).unwrap();
                (signed.says.channel, Some((true, bytes.clone())))
            })
            .collect();
        ledger.write(&rows).unwrap();
    }
    let rate = all.len() as f64 / started.elapsed().as_secs_f64();
    row(
        &format!("announcements of {} B verified and stored, one thread", all[0].len()),
        &format!("{rate:.0} a second"),
    );
}

fn start_directory(lab: &Lab, name: &str, more: &[&str]) -> (Node, SocketAddr) {
    let args = ["directory", "--bind", "127.0.0.1:0", "--no-dht", "--no-probe"];
    let mut node = lab.start(name, &[&args, more].concat());
    let addr = node.wait("ready")["addrs"][0].as_str().unwrap().parse().unwrap();
    (node, addr)
}

fn memory_mb(node: &Node) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

fn client() -> Endpoint {
    Endpoint::bind("127.0.0.1:0".parse().unwrap(), &Identity::generate().unwrap())
        .unwrap()
        .0
}

async fn announce(addr: SocketAddr, seeds: std::ops::Range<u32>) {
    let line = client().ask(addr).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for seed in seeds {
        while tasks.len() >= 8 {
            tasks.join_next().await;
        }
        let line = line.clone();
        tasks.spawn(async move {
            let answer = line
                .ask_once(&Question::Announce(signed(seed).bytes).encode())
                .await
                .unwrap();
            assert_eq!(Frame::decode(&answer).unwrap(), Frame::Taken);
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Follows a directory; each part of its list comes out.
async fn follow(addr: SocketAddr) -> mpsc::Receiver<News> {
    let line = client().ask(addr).await.unwrap();
    let (news, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut sink = Sink::Node {
            directory: addr.to_string(),
            news,
        };
        let _ = follow::run(&line, &mut sink).await;
    });
    receiver
}

async fn full_list(addr: SocketAddr) -> (f64, usize) {
    let started = Instant::now();
    let mut news = follow(addr).await;
    let mut count = 0;
    while count < MANY as usize {
        count += news.recv().await.unwrap().listed.len();
    }
    (started.elapsed().as_secs_f64() * 1_000.0, count)
}

async fn directory() {
    let lab = Lab::new();
    let (one, first) = start_directory(&lab, "one", &[]);
    let text = first.to_string();
    let (two, second) = start_directory(&lab, "two", &["--directory", &text]);
    let (three, third) = start_directory(&lab, "three", &["--directory", &text]);
    let started = Instant::now();
    let shares = (0..4).map(|part| announce(first, part * MANY / 4..(part + 1) * MANY / 4));
    let tasks: Vec<_> = shares.map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
    row(
        "10,000 announcements over 4 lines, each answered once on disk",
        &format!("{:.1} s", started.elapsed().as_secs_f64()),
    );
    let mut times = Vec::new();
    for _ in 0..10 {
        times.push(full_list(first).await.0);
    }
    row(
        "full list of 10,000 to a new client, signatures verified, 10 times",
        &format!(
            "p50 {:.0} ms, max {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 1.0)
        ),
    );
    for (at, other) in [(2, second), (3, third)] {
        let started = Instant::now();
        let (_, count) = full_list(other).await;
        row(
            &format!("channels that directory {at} has by exchange"),
            &format!("{count} (waited {:.1} s more)", started.elapsed().as_secs_f64()),
        );
    }
    let sizes: Vec<String> = [&one, &two, &three]
        .iter()
        .map(|node| format!("{:.0} MB", memory_mb(node)))
        .collect();
    row(
        "memory of three directories with 10,000 channels each",
        &sizes.join(", "),
    );
    change(&[first, second, third]).await;
    restart(&lab, one, first).await;
}

/// One channel announces at the first directory; every client of all three hears of it.
async fn change(directories: &[SocketAddr]) {
    let mut clients = Vec::new();
    for addr in directories.iter().cycle().take(30) {
        let mut news = follow(*addr).await;
        let mut count = 0;
        while count < MANY as usize {
            count += news.recv().await.unwrap().listed.len();
        }
        clients.push(news);
    }
    let mut times = Vec::new();
    for turn in 0..5 {
        let started = Instant::now();
        announce(directories[0], MANY + turn..MANY + turn + 1).await;
        for news in &mut clients {
            while news.recv().await.unwrap().listed.is_empty() {}
        }
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    row(
        "a change to the last of 30 clients of three directories, 5 times",
        &format!(
            "p50 {:.0} ms, max {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 1.0)
        ),
    );
}

async fn restart(lab: &Lab, one: Node, addr: SocketAddr) {
    one.signal("KILL");
    drop(one);
    let started = Instant::now();
    let mut again = lab.start(
        "one",
        &["directory", "--bind", &addr.to_string(), "--no-dht", "--no-probe"],
    );
    again.wait("ready");
    let ready = started.elapsed().as_secs_f64();
    let (_, count) = full_list(addr).await;
    row(
        "a directory of 10,005 killed with -9 and started again",
        &format!(
            "{} lost, ready after {ready:.1} s",
            (MANY as usize + 5).saturating_sub(count)
        ),
    );
}

fn local_network() {
    let lab = Lab::new();
    let mut times = Vec::new();
    for turn in 0..5 {
        let name = format!("LAN {turn}");
        let mut host = lab.start_as_is(
            &format!("host-{turn}"),
            &["host", &name, "--tone", "--bind", "127.0.0.1:0", "--no-dht"],
        );
        host.wait("on_air");
        let started = Instant::now();
        let mut listener = lab.start_as_is(
            &format!("listener-{turn}"),
            &["listen", &name, "--output", "null", "--no-dht", "--bind", "127.0.0.1:0"],
        );
        listener.wait("joined");
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        listener.stop();
        host.stop();
    }
    row(
        "a channel that has just gone on air on the LAN: `listen NAME` started to first sample, 5 times",
        &format!(
            "p50 {:.0} ms, max {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 1.0)
        ),
    );
}

/// A bare ID over a test network of 100 nodes.
fn dht() {
    let network = mainline::Testnet::builder(100).build().unwrap();
    let lab = Lab::new();
    let mut args: Vec<&str> = vec!["host", "Far", "--tone", "--bind", "127.0.0.1:0", "--no-lan"];
    let entrances: Vec<&str> = network
        .bootstrap
        .iter()
        .take(3)
        .flat_map(|one| ["--dht-bootstrap", one])
        .collect();
    args.extend(&entrances);
    let mut host = lab.start_as_is("host", &args);
    let link = host.wait("on_air")["link"].as_str().unwrap().to_owned();
    let id = link.trim_start_matches("inonda:").split('?').next().unwrap();
    host.run_for(3);
    let mut times = Vec::new();
    for turn in 0..20 {
        let mut args = vec![
            "listen",
            id,
            "--output",
            "null",
            "--bind",
            "127.0.0.1:0",
            "--no-lan",
            "--upload",
            "0",
        ];
        args.extend(&entrances);
        let mut listener = lab.start_as_is(&format!("listener-{turn}"), &args);
        times.push(listener.wait("joined")["startup_ms"].as_f64().unwrap());
        listener.stop();
    }
    row(
        "bare ID to first sample over the DHT, 100 nodes, 20 times",
        &format!(
            "p50 {:.0} ms, p95 {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 0.95)
        ),
    );
}
