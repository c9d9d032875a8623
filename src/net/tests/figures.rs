//! Figures to look at, not to pass or fail by: `cargo test --release --lib net::tests::figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::rig::{Node, TAG};
use crate::mesh::Delivery;
use crate::net::NetEvent;

/// Chunks a second of one channel at 128 kbit/s.
const CHUNKS_PER_SECOND: u64 = 17;

fn chunk(begun: Instant) -> Bytes {
    let mut message = BytesMut::with_capacity(1_080);
    message.put_u64(begun.elapsed().as_nanos() as u64);
    message.resize(1_080, 7);
    message.freeze()
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    Duration::from_millis(ticks * 10)
}

#[test]
#[ignore = "measures; run it alone and in release"]
fn lag_of_a_chain_of_five_relays() {
    // As in the product: each node has a runtime of one thread.
    let begun = Instant::now();
    let (names_tx, names) = std::sync::mpsc::sync_channel(100_000);
    let (lags_tx, lags) = std::sync::mpsc::sync_channel(100_000);
    for hop in 0..7 {
        let (names_tx, lags_tx) = (names_tx.clone(), lags_tx.clone());
        let previous = if hop == 0 { None } else { names.recv().ok() };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut node = Node::new();
                names_tx.send((node.peer(), node.addr())).unwrap();
                if let Some((peer, addr)) = previous {
                    node.endpoint.dial(Some(peer), vec![addr]);
                }
                let mut child = None;
                let mut tick = tokio::time::interval(Duration::from_millis(1_000 / CHUNKS_PER_SECOND));
                loop {
                    tokio::select! {
                        event = node.events.recv() => match event {
                            Some(NetEvent::Connected { peer, dialled: false, .. }) => child = Some(peer),
                            Some(NetEvent::Message { bytes, .. }) => {
                                if let Some(child) = child {
                                    let _ = node.endpoint.send(child, TAG, bytes.clone(), Delivery::Datagram);
                                }
                                let sent = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                                let _ = lags_tx.send((hop, begun.elapsed().as_nanos() as u64 - sent));
                            }
                            Some(_) => {}
                            None => return,
                        },
                        _ = tick.tick(), if hop == 0 => {
                            if let Some(child) = child {
                                let _ = node.endpoint.send(child, TAG, chunk(begun), Delivery::Datagram);
                            }
                        }
                    }
                }
            });
        });
    }
    std::thread::sleep(Duration::from_secs(20));
    let mut by_hop = vec![Vec::new(); 7];
    lags.try_iter().for_each(|(hop, lag)| by_hop[hop].push(lag / 1_000));
    for (hop, lags) in by_hop.iter_mut().enumerate().skip(1) {
        lags.sort_unstable();
        let at = |part: f64| lags[(lags.len() as f64 * part) as usize];
        println!(
            "hop {hop}: {} chunks, p50 {} us, p99 {} us",
            lags.len(),
            at(0.5),
            at(0.99)
        );
    }
}

#[test]
#[ignore = "measures; run it alone and in release"]
fn work_of_a_listener_with_four_parents_and_six_spares() {
    // The others live in a process of their own, so that only the listener's work is counted.
    if std::env::var_os("INONDA_TEST_CROWD").is_some() {
        return crowd();
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "net::tests::figures::work_of_a_listener_with_four_parents_and_six_spares",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("INONDA_TEST_CROWD", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let addrs: Vec<std::net::SocketAddr> = lines
        .by_ref()
        .filter_map(|line| line.ok()?.strip_prefix("at ")?.parse().ok())
        .take(10)
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut node = Node::new();
        for addr in addrs {
            node.endpoint.dial(None, vec![addr]);
        }
        let mut received = 0_u64;
        let count = async |node: &mut Node, received: &mut u64, time| {
            let _ = tokio::time::timeout(time, async {
                while let Some(event) = node.events.recv().await {
                    *received += u64::from(matches!(event, NetEvent::Message { .. }));
                }
            })
            .await;
        };
        count(&mut node, &mut received, Duration::from_secs(3)).await;
        let (before, traffic) = (cpu(), node.endpoint.traffic());
        received = 0;
        count(&mut node, &mut received, Duration::from_secs(30)).await;
        let (used, after) = (cpu() - before, node.endpoint.traffic());
        println!(
            "{} peers, {received} chunks in 30 s, {used:?} of CPU ({:.2} %), packets in {} out {}, bytes in {} out {}",
            node.endpoint.peers().len(),
            used.as_secs_f64() / 0.3,
            after.received_packets - traffic.received_packets,
            after.sent_packets - traffic.sent_packets,
            after.received_bytes - traffic.received_bytes,
            after.sent_bytes - traffic.sent_bytes,
        );
    });
    let _ = child.kill();
    let _ = child.wait();
}

/// Ten peers; the first four send a quarter of the stream each.
fn crowd() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for i in 0..10_u64 {
            let mut node = Node::new();
            println!("\nat {}", node.addr());
            tasks.spawn(async move {
                let mut child = None;
                let mut tick = tokio::time::interval(Duration::from_millis(4_000 / CHUNKS_PER_SECOND));
                loop {
                    tokio::select! {
                        Some(event) = node.events.recv() => if let NetEvent::Connected { peer, .. } = event { child = Some(peer) },
                        _ = tick.tick(), if i < 4 => if let Some(child) = child {
                            let _ = node.endpoint.send(child, TAG, chunk(begun), Delivery::Datagram);
                        }
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        tasks.shutdown().await;
    });
}
