//! A line that is slow and loses packets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::rig::{Node, TAG, connected_pair};
use crate::mesh::Delivery;
use crate::net::rough::Line;
use crate::net::{Endpoint, Identity};

const ONE_WAY: Duration = Duration::from_millis(40);

/// Loses every fifth packet and is slow with the others.
#[derive(Debug, Default)]
struct Far(AtomicU32);

impl Line for Far {
    fn fate(&self, _: SocketAddr, _: SocketAddr) -> Option<Duration> {
        (self.0.fetch_add(1, Ordering::Relaxed) % 5 != 4).then_some(ONE_WAY)
    }
}

#[tokio::test]
async fn ordered_messages_survive_a_line_that_is_slow_and_loses_packets() {
    let far = || {
        let identity = Identity::generate().unwrap();
        let addr = "127.0.0.1:0".parse().unwrap();
        let (endpoint, events) =
            Endpoint::bind_at(addr, &identity, Some(Arc::new(Far::default()) as Arc<dyn Line>)).unwrap();
        Node { endpoint, events }
    };
    let (mut a, mut b) = (far(), far());
    a.dial(&b);
    a.expect_connected(b.peer()).await;
    b.expect_connected(a.peer()).await;
    for n in 0..20 {
        a.say(&b, &n.to_string(), Delivery::Reliable);
        assert_eq!(b.expect_message(a.peer()).await, n.to_string().as_bytes());
    }
    let path = a.endpoint.path(b.peer()).unwrap();
    assert!(path.min_rtt >= ONE_WAY * 2, "{:?}", path.min_rtt);
    assert!(path.lost_packets > 0);
}

#[tokio::test]
async fn acknowledgements_wait_for_company_and_packets_are_small() {
    const CHUNK: usize = 1_000;
    let (a, mut b) = connected_pair().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (before, answered) = (a.endpoint.traffic(), b.endpoint.traffic());
    // Three chunks a report, three times, as between a child and its parent.
    for n in 1..=9 {
        let chunk = Bytes::from(vec![n; CHUNK]);
        a.endpoint.send(b.peer(), TAG, chunk, Delivery::Datagram).unwrap();
        b.expect_message(a.peer()).await;
        if n % 3 == 0 {
            b.say(&a, "a report", Delivery::Datagram);
        }
        tokio::time::sleep(Duration::from_millis(240)).await;
    }
    let (sent, answers) = (a.endpoint.traffic(), b.endpoint.traffic());
    let packets = sent.sent_packets - before.sent_packets;
    assert!((9..=10).contains(&packets), "{packets} packets for nine chunks");
    let around = (sent.sent_bytes - before.sent_bytes) as usize - 9 * (CHUNK + TAG.len());
    assert!(around <= 9 * 33, "{around} bytes around nine chunks");
    let answers = answers.sent_packets - answered.sent_packets;
    assert!((3..=4).contains(&answers), "{answers} packets with three reports");
    println!("{around} bytes around nine chunks, {packets} and {answers} packets");
}
