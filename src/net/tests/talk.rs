//! Peers that mean well.

use std::time::Duration;

use bytes::Bytes;

use super::rig::{Node, TAG, connected_pair};
use crate::limits::MESSAGE_MAX_BYTES;
use crate::mesh::Delivery;
use crate::net::{DialError, DisconnectReason, Endpoint, Identity, NetError, NetEvent, SendError};

#[tokio::test]
async fn each_side_learns_who_the_other_is() {
    let (mut a, mut b) = (Node::new(), Node::new());
    a.endpoint.dial(None, vec![b.addr()]);
    match a.event().await {
        NetEvent::Connected {
            peer,
            remote,
            dialled: true,
        } => assert_eq!((peer, remote), (b.peer(), b.addr())),
        event => panic!("{event:?}"),
    }
    match b.event().await {
        NetEvent::Connected {
            peer,
            remote,
            dialled: false,
        } => assert_eq!((peer, remote), (a.peer(), a.addr())),
        event => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn each_side_is_told_where_it_is_seen() {
    let (mut a, b) = (Node::new(), Node::new());
    a.dial(&b);
    a.expect_connected(b.peer()).await;
    match a.events.recv().await.unwrap() {
        NetEvent::Observed { peer, addr } => assert_eq!((peer, addr), (b.peer(), a.addr())),
        event => panic!("{event:?}"),
    }
    assert_eq!(a.endpoint.observed(), [(a.addr(), 1)]);
}

#[tokio::test]
async fn messages_of_both_kinds_and_any_length_arrive_whole() {
    let (a, mut b) = connected_pair().await;
    for delivery in [Delivery::Reliable, Delivery::Datagram] {
        for length in [0, 1, 1_000, 1_162, 1_500, 4_096, MESSAGE_MAX_BYTES] {
            let message: Bytes = (0..length).map(|i| i as u8).collect();
            a.endpoint.send(b.peer(), TAG, message.clone(), delivery).unwrap();
            assert_eq!(b.expect_message(a.peer()).await, message, "{delivery:?} {length}");
        }
    }
    let long = Bytes::from(vec![0; MESSAGE_MAX_BYTES + 1]);
    let error = a.endpoint.send(b.peer(), TAG, long, Delivery::Reliable).unwrap_err();
    assert_eq!(error, SendError::TooLong(MESSAGE_MAX_BYTES + 1));
}

#[tokio::test]
async fn ordered_messages_keep_their_order() {
    let (a, mut b) = connected_pair().await;
    for i in 0..200 {
        a.say(&b, &i.to_string(), Delivery::Reliable);
    }
    for i in 0..200 {
        assert_eq!(b.expect_message(a.peer()).await, i.to_string());
    }
}

#[tokio::test]
async fn a_goodbye_brings_the_last_message_along() {
    let (mut a, mut b) = connected_pair().await;
    a.say(&b, "farewell", Delivery::Reliable);
    a.endpoint.disconnect(b.peer(), None);
    assert_eq!(
        a.endpoint.send(b.peer(), TAG, Bytes::new(), Delivery::Reliable),
        Err(SendError::NotConnected)
    );
    assert_eq!(b.expect_message(a.peer()).await, "farewell");
    assert_eq!(b.expect_disconnected(a.peer()).await, DisconnectReason::Goodbye);
    assert_eq!(a.expect_disconnected(b.peer()).await, DisconnectReason::Local);
}

#[tokio::test]
async fn closing_says_goodbye_to_everybody() {
    let mut hub = Node::new();
    let mut others = [Node::new(), Node::new(), Node::new()];
    for other in &mut others {
        hub.dial(other);
        hub.expect_connected(other.peer()).await;
        other.expect_connected(hub.peer()).await;
        hub.say(other, "last words", Delivery::Reliable);
    }
    hub.endpoint.close(Duration::from_secs(5)).await;
    for other in &mut others {
        assert_eq!(other.expect_message(hub.peer()).await, "last words");
        assert_eq!(other.expect_disconnected(hub.peer()).await, DisconnectReason::Goodbye);
    }
}

#[tokio::test]
async fn two_who_dial_each_other_at_once_have_one_connection_and_lose_nothing() {
    for round in 0..40 {
        let (mut a, mut b) = (Node::new(), Node::new());
        a.dial(&b);
        b.dial(&a);
        let (name_a, name_b) = (a.peer(), b.peer());
        let (one, two) = tokio::join!(greet_and_listen(&mut a, name_b), greet_and_listen(&mut b, name_a));
        assert_eq!((one, two), (3, 3), "round {round}");
        // Neither sees an end or a second beginning, and both agree on who dialled.
        let quiet = tokio::time::timeout(Duration::from_millis(20), async {
            tokio::select! { event = a.event() => event, event = b.event() => event }
        });
        if let Ok(event) = quiet.await {
            assert!(
                matches!(event, NetEvent::AlreadyConnected { .. }),
                "round {round}: {event:?}"
            );
        }
        let (at_a, at_b) = (a.endpoint.path(b.peer()).unwrap(), b.endpoint.path(a.peer()).unwrap());
        assert_ne!(at_a.dialled, at_b.dialled, "round {round}");
    }
}

/// Says three things as soon as connected and counts what arrives of the other's three.
async fn greet_and_listen(me: &mut Node, other: crate::units::PeerId) -> usize {
    let mut heard = 0;
    while heard < 3 {
        match me.event().await {
            NetEvent::Connected { peer, .. } => {
                assert_eq!(peer, other);
                for text in ["1", "2", "3"] {
                    me.endpoint.send(peer, TAG, text.into(), Delivery::Reliable).unwrap();
                }
            }
            NetEvent::Message { bytes, .. } => {
                heard += 1;
                assert_eq!(bytes, heard.to_string());
            }
            NetEvent::AlreadyConnected { .. } => {}
            event => panic!("{event:?}"),
        }
    }
    heard
}

#[tokio::test]
async fn a_second_dial_finds_the_peer_connected() {
    let (mut a, b) = connected_pair().await;
    a.dial(&b);
    assert!(matches!(a.event().await, NetEvent::AlreadyConnected { peer, .. } if peer == b.peer()));
    a.endpoint.dial(None, vec![b.addr()]);
    assert!(matches!(a.event().await, NetEvent::AlreadyConnected { peer, .. } if peer == b.peer()));
}

#[tokio::test]
async fn the_address_that_answers_wins_over_those_that_do_not() {
    let (mut a, b) = (Node::new(), Node::new());
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    a.endpoint.dial(Some(b.peer()), vec![silent, b.addr()]);
    a.expect_connected(b.peer()).await;
}

#[tokio::test]
async fn a_dial_that_cannot_succeed_says_why() {
    let (mut a, b, c) = (Node::new(), Node::new(), Node::new());
    let why = |event| match event {
        NetEvent::DialFailed { why, .. } => why,
        event => panic!("{event:?}"),
    };
    a.endpoint.dial(Some(c.peer()), vec![b.addr()]);
    assert_eq!(why(a.event().await), DialError::WrongPeer(b.peer()));
    a.endpoint.dial(None, vec![a.addr()]);
    assert_eq!(why(a.event().await), DialError::Itself);
    a.endpoint.dial(Some(b.peer()), vec!["0.0.0.0:0".parse().unwrap()]);
    assert_eq!(why(a.event().await), DialError::NoAddress);
    a.endpoint.disconnect(b.peer(), Some(Duration::from_secs(60)));
    a.endpoint.dial(Some(b.peer()), vec![b.addr()]);
    assert_eq!(why(a.event().await), DialError::Banned);
}

#[tokio::test]
async fn a_peer_that_was_restarted_is_told_as_an_end_and_a_beginning() {
    let identity = Identity::generate().unwrap();
    let mut a = Node::new();
    let mut first = Node::with(&identity);
    first.dial(&a);
    a.expect_connected(identity.peer()).await;
    first.expect_connected(a.peer()).await;
    let mut second = Node::with(&identity);
    second.dial(&a);
    assert_eq!(a.expect_disconnected(identity.peer()).await, DisconnectReason::Replaced);
    a.expect_connected(identity.peer()).await;
    second.expect_connected(a.peer()).await;
    second.say(&a, "again", Delivery::Reliable);
    assert_eq!(a.expect_message(identity.peer()).await, "again");
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let a = Node::new();
    let error = Endpoint::bind(a.addr(), &Identity::generate().unwrap()).err().unwrap();
    assert!(matches!(error, NetError::PortTaken(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&a.addr().port().to_string()) && text.contains("--bind"),
        "{text}"
    );
    let foreign = Endpoint::bind("192.0.2.1:0".parse().unwrap(), &Identity::generate().unwrap())
        .err()
        .unwrap();
    assert!(foreign.to_string().contains("192.0.2.1"), "{foreign}");
}

#[tokio::test]
async fn a_wildcard_socket_is_reached_over_both_families() {
    let identity = Identity::generate().unwrap();
    let (hub, _events) = Endpoint::bind("[::]:0".parse().unwrap(), &identity).unwrap();
    let mut a = Node::new();
    a.endpoint
        .dial(Some(hub.peer()), vec![([127, 0, 0, 1], hub.bound().port()).into()]);
    match a.event().await {
        NetEvent::Connected { remote, .. } => assert!(remote.is_ipv4()),
        event => panic!("{event:?}"),
    }
}
