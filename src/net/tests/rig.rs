//! Nodes whose helpers read as prose.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::mesh::Delivery;
use crate::net::{DisconnectReason, Endpoint, Identity, NetEvent, Tag};
use crate::units::PeerId;

pub const TAG: Tag = *b"test";
/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Node {
    pub endpoint: Endpoint,
    pub events: mpsc::Receiver<NetEvent>,
}

impl Node {
    pub fn new() -> Node {
        Node::with(&Identity::generate().unwrap())
    }

    pub fn with(identity: &Identity) -> Node {
        let (endpoint, events) = Endpoint::bind("127.0.0.1:0".parse().unwrap(), identity).unwrap();
        Node { endpoint, events }
    }

    pub fn peer(&self) -> PeerId {
        self.endpoint.peer()
    }

    pub fn addr(&self) -> SocketAddr {
        self.endpoint.bound()
    }

    pub fn dial(&self, other: &Node) {
        self.endpoint.dial(Some(other.peer()), vec![other.addr()]);
    }

    pub fn say(&self, to: &Node, text: &str, delivery: Delivery) {
        self.endpoint
            .send(to.peer(), TAG, Bytes::copy_from_slice(text.as_bytes()), delivery)
            .unwrap();
    }

    /// The next event that is not an observed address.
    pub async fn event(&mut self) -> NetEvent {
        loop {
            match timeout(PATIENCE, self.events.recv())
                .await
                .expect("an event in time")
                .expect("an open channel")
            {
                NetEvent::Observed { .. } => {}
                event => return event,
            }
        }
    }

    pub async fn expect_connected(&mut self, other: PeerId) {
        match self.event().await {
            NetEvent::Connected { peer, .. } if peer == other => {}
            event => panic!("expected a connection to {other:?}, got {event:?}"),
        }
    }

    pub async fn expect_message(&mut self, from: PeerId) -> Bytes {
        match self.event().await {
            NetEvent::Message { peer, tag: TAG, bytes } if peer == from => bytes,
            event => panic!("expected a message from {from:?}, got {event:?}"),
        }
    }

    pub async fn expect_disconnected(&mut self, other: PeerId) -> DisconnectReason {
        match self.event().await {
            NetEvent::Disconnected { peer, reason } if peer == other => reason,
            event => panic!("expected the end of {other:?}, got {event:?}"),
        }
    }
}

/// Two nodes, the first of which has dialled the second.
pub async fn connected_pair() -> (Node, Node) {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.dial(&b);
    a.expect_connected(b.peer()).await;
    b.expect_connected(a.peer()).await;
    (a, b)
}
