//! What a connection takes before anything is said on it, beside what the simulator counts for it.

use std::time::Duration;

use super::rig::{Node, connected_pair};
use crate::net::NetEvent;
use crate::net::endpoint::Traffic;
use crate::sim::ack::{DIALLED_BYTES, DIALLING_BYTES, UNANSWERED_BYTES};

/// IPv4 and UDP around each packet.
const AROUND: u64 = 28;
/// The packet that ends a connection, which has not been sent yet.
const END: u64 = 70;

/// Bytes that the one who dials sends and those that it gets, until both have acknowledged all.
async fn handshake() -> (u64, u64) {
    let (mut a, mut b) = connected_pair().await;
    // Each side acknowledges after 1.1 s; the next packet is a ping after 7 s.
    tokio::time::sleep(Duration::from_secs(3)).await;
    while a.events.try_recv().is_ok() || b.events.try_recv().is_ok() {}
    let Traffic {
        sent_bytes,
        received_bytes,
        sent_packets,
        received_packets,
    } = a.endpoint.traffic();
    (
        sent_bytes + sent_packets * AROUND + END,
        received_bytes + received_packets * AROUND + END,
    )
}

/// It was more than three times that: each connection looked for the largest packet that its path takes, and nothing that is sent on
/// it is larger than the smallest that every path must.
#[tokio::test]
async fn a_handshake_takes_what_the_simulator_says() {
    // On a machine that is busy, packets are sent again: the cheapest of some counts.
    let (mut dialling, mut dialled) = (u64::MAX, u64::MAX);
    for _ in 0..3 {
        let (sent, received) = handshake().await;
        (dialling, dialled) = (dialling.min(sent), dialled.min(received));
    }
    // (Where it is busy some acknowledgements travel together, too.)
    let near = |real: u64, counted: u64| real.abs_diff(counted) * 100 <= counted * 15;
    assert!(near(dialling, DIALLING_BYTES), "{dialling} {DIALLING_BYTES}");
    assert!(near(dialled, DIALLED_BYTES), "{dialled} {DIALLED_BYTES}");
}

/// It was three times as much: two more repetitions, in pairs, and a packet that gave the dial up.
#[tokio::test]
async fn a_dial_that_nobody_answers_takes_what_the_simulator_says() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut node = Node::new();
    node.endpoint.dial(None, vec![silent.local_addr().unwrap()]);
    assert!(matches!(node.event().await, NetEvent::DialFailed { .. }));
    // The packet that gives it up.
    tokio::time::sleep(Duration::from_millis(500)).await;
    silent.set_nonblocking(true).unwrap();
    let mut packet = [0; 2_048];
    let came = std::iter::from_fn(|| silent.recv(&mut packet).ok());
    let bytes: u64 = came.map(|bytes| bytes as u64 + AROUND).sum();
    assert!(
        bytes.abs_diff(UNANSWERED_BYTES) * 10 <= UNANSWERED_BYTES,
        "{bytes} {UNANSWERED_BYTES}"
    );
}
