//! The figures of finding channels: `cargo bench --bench finding`.
//!
//! Prints one line a figure with what was reached. Nothing here passes or fails; times are of this machine at this moment.
#![allow(clippy::disallowed_methods, reason = "figures are measured with the clock")]

#[path = "../tests/on_air/rig.rs"]
mod rig;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use inonda::discovery::announcement::{Announcement, Signed};
use inonda::discovery::directory::follow::{self, News, Sink};
use inonda::discovery::directory::ledger::{Ledger, Row};
use inonda::discovery::directory::roll::{Roll, Rules};
use inonda::discovery::directory::wire::{Frame, Question};
use inonda::engine::node::{self, NodeConfig};
use inonda::engine::{Command, FindingConfig, Handle};
use inonda::net::ask::Line;
use inonda::net::{Endpoint, Identity};
use inonda::units::{ChannelId, Codec, Epoch};
use rig::{Lab, Node};
use tokio::sync::mpsc;

const MANY: u32 = 10_000;
/// When all channels began, in Unix seconds.
static START: OnceLock<u64> = OnceLock::new();

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --benches` builds and starts this; the figures take minutes.
        return;
    }
    println!("| what | reach | measured |\n|---|---|---|");
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

/// One line of the table: what, how far it should reach, how far it reached.
fn row(what: &str, reach: &str, measured: &str) {
    println!("| {what} | {reach} | {measured} |");
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn signed(seed: u32) -> Signed {
    said(seed, 0, true)
}

/// What a channel says so many seconds after its beginning.
fn said(seed: u32, after: u64, on_air: bool) -> Signed {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&seed.to_be_bytes());
    let key = SigningKey::from_bytes(&secret);
    let ip = Ipv4Addr::from(0x0a00_0000 + seed);
    Announcement {
        channel: ChannelId([0; 32]),
        epoch: Epoch(START.get_or_init(now).saturating_mul(1_000)),
        issued_unix_s: START.get_or_init(now) + after,
        on_air,
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
        ">= 10,000 a second",
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

/// A line from a node of its own, which stays until the end of the figures: a line ends with its node.
async fn line_to(addr: SocketAddr) -> Line {
    let (endpoint, _) = Endpoint::bind("127.0.0.1:0".parse().unwrap(), &Identity::generate().unwrap()).unwrap();
    let line = endpoint.ask(addr).await.unwrap();
    std::mem::forget(endpoint);
    line
}

async fn announce(addr: SocketAddr, seeds: std::ops::Range<u32>) {
    let line = line_to(addr).await;
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
    let line = line_to(addr).await;
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
        "-",
        &format!("{:.1} s", started.elapsed().as_secs_f64()),
    );
    let mut times = Vec::new();
    for _ in 0..10 {
        times.push(full_list(first).await.0);
    }
    row(
        "full list of 10,000 to a new client, signatures verified, 10 times",
        "<= 500 ms",
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
            "10,000",
            &format!("{count} (waited {:.1} s more)", started.elapsed().as_secs_f64()),
        );
    }
    let sizes: Vec<String> = [&one, &two, &three]
        .iter()
        .map(|node| format!("{:.0} MB", memory_mb(node)))
        .collect();
    row(
        "memory of three directories with 10,000 channels each",
        "<= 64 MB",
        &sizes.join(", "),
    );
    change(&[first, second, third]).await;
    restart(&lab, one, first).await;
    killed_while_announcing(&lab).await;
}

/// One channel announces at the first directory, and ends; every client of all three hears of both.
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
        "a new channel to the last of 30 clients of three directories, 5 times",
        "<= 10 s",
        &format!(
            "p50 {:.0} ms, max {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 1.0)
        ),
    );
    ends(directories[0], &mut clients).await;
}

/// Goodbyes of the channels that came last.
async fn ends(first: SocketAddr, clients: &mut [mpsc::Receiver<News>]) {
    let mut times = Vec::new();
    for turn in 0..5 {
        let started = Instant::now();
        let line = line_to(first).await;
        let goodbye = Question::Announce(said(MANY + turn, 1, false).bytes);
        assert_eq!(
            Frame::decode(&line.ask_once(&goodbye.encode()).await.unwrap()).unwrap(),
            Frame::Taken
        );
        for news in &mut *clients {
            let over = |news: &News| !news.gone.is_empty() || news.listed.iter().any(|signed| !signed.says.on_air);
            while !over(&news.recv().await.unwrap()) {}
        }
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    row(
        "the end of a channel to the last of 30 clients of three directories, 5 times",
        "<= 10 s",
        &format!(
            "p50 {:.0} ms, max {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 1.0)
        ),
    );
}

/// What was answered before the kill must be there after it.
async fn killed_while_announcing(lab: &Lab) {
    let (node, addr) = start_directory(lab, "killed", &[]);
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    let line = line_to(addr).await;
    let tasks: Vec<_> = (0..8)
        .map(|part| {
            let (line, answered) = (line.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for seed in (part..MANY).step_by(8) {
                    let signed = signed(seed);
                    let answer = line.ask_once(&Question::Announce(signed.bytes).encode()).await;
                    if !answer.is_ok_and(|answer| Frame::decode(&answer) == Ok(Frame::Taken)) {
                        return;
                    }
                    answered.lock().unwrap().insert(signed.says.channel);
                }
            })
        })
        .collect();
    while answered.lock().unwrap().len() < 1_500 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.signal("KILL");
    drop(node);
    for task in tasks {
        task.abort();
    }
    let before = answered.lock().unwrap().clone();
    let args = ["directory", "--bind", &addr.to_string(), "--no-dht", "--no-probe"];
    let mut again = lab.start("killed", &args);
    again.wait("ready");
    let mut news = follow(addr).await;
    let mut there = BTreeSet::new();
    loop {
        let part = news.recv().await.unwrap();
        there.extend(part.listed.iter().map(|signed| signed.says.channel));
        if part.whole.is_some() {
            break;
        }
    }
    row(
        &format!(
            "killed with -9 while announcements come, after {} were answered",
            before.len()
        ),
        "0 lost",
        &format!("{} lost", before.difference(&there).count()),
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
        "a directory of 10,000 killed with -9 and started again",
        "0 lost",
        &format!(
            "{} lost, ready after {ready:.1} s",
            (MANY as usize).saturating_sub(count)
        ),
    );
}

/// A list that runs on the local network: channels come, end, and crash.
fn local_network() {
    let lab = Lab::new();
    let mut list = node::start(NodeConfig {
        identity: Identity::generate().unwrap(),
        bind: "127.0.0.1:0".parse().unwrap(),
        peers: Vec::new(),
        upload_bps: Some(0),
        state: Some(lab.path("state-list")),
        finding: Some(FindingConfig {
            lan: true,
            browse: true,
            ..FindingConfig::default()
        }),
        snapshots: true,
        line: None,
    })
    .unwrap();
    let until = |list: &Handle, name: &str, there: bool| {
        let started = Instant::now();
        while list.snapshot().listings.iter().any(|row| row.name == name) != there {
            assert!(started.elapsed() < Duration::from_secs(60), "{name} stays as it is");
            std::thread::sleep(Duration::from_millis(10));
        }
        started.elapsed().as_secs_f64() * 1_000.0
    };
    let (mut came, mut ended, mut crashed) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..10 {
        let name = format!("LAN {turn}");
        let mut host = lab.start_as_is(
            &format!("host-{turn}"),
            &["host", &name, "--tone", "--bind", "127.0.0.1:0", "--no-dht"],
        );
        host.wait("on_air");
        came.push(until(&list, &name, true));
        if turn % 2 == 0 {
            let started = Instant::now();
            host.stop();
            until(&list, &name, false);
            ended.push(started.elapsed().as_secs_f64() * 1_000.0);
        } else {
            host.signal("KILL");
            crashed.push(until(&list, &name, false));
        }
    }
    for (what, reach, times) in [
        (
            "a new channel on the LAN to a list that runs, 10 times",
            "<= 2 s",
            &mut came,
        ),
        ("its end to that list, 5 times", "<= 5 s", &mut ended),
        ("its host killed with -9 to that list, 5 times", "<= 5 s", &mut crashed),
    ] {
        let (middle, most) = (percentile(times, 0.5), percentile(times, 1.0));
        row(what, reach, &format!("p50 {middle:.0} ms, max {most:.0} ms"));
    }
    let _ = list.send(Command::Quit);
    while list.blocking_event().is_some() {}
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
        "p95 <= 2 s",
        &format!(
            "p50 {:.0} ms, p95 {:.0} ms",
            percentile(&mut times, 0.5),
            percentile(&mut times, 0.95)
        ),
    );
}
