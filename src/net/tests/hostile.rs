//! Peers that do not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use quinn::Connection;

use super::rig::{Node, connected_pair};
use crate::mesh::Delivery;
use crate::net::framing::{Hello, NET_TAG, put_frame};
use crate::net::{DialError, DisconnectReason, NetEvent, tls};
use crate::units::PeerId;

/// A connection with the right handshake, on which anything can be sent.
async fn raw_connection(to: &Node, secret: u8) -> (quinn::Endpoint, Connection, PeerId) {
    let key = SigningKey::from_bytes(&[secret; 32]);
    let client = tls::Configs::new(&key).unwrap().client;
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(client)));
    let conn = endpoint.connect(to.addr(), "inonda").unwrap().await.unwrap();
    (endpoint, conn, PeerId(key.verifying_key().to_bytes()))
}

/// The ordered stream's beginning, as a well-behaved peer writes it.
fn good_start() -> bytes::BytesMut {
    let hello = Hello {
        instance: [1; 8],
        observed: "192.0.2.7:1".parse().unwrap(),
    };
    let mut start = bytes::BytesMut::from(&[0][..]);
    put_frame(&mut start, NET_TAG, &hello.encode());
    start
}

async fn write_stream(conn: &Connection, bytes: &[u8]) -> quinn::SendStream {
    let mut stream = conn.open_uni().await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn noise_on_the_socket_disturbs_nobody() {
    let (a, mut b) = connected_pair().await;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in 0..1_400_usize {
        let noise: Vec<u8> = (0..length).map(|i| (i * 31 + length * 17) as u8).collect();
        socket.send_to(&noise, b.addr()).unwrap();
    }
    a.say(&b, "still here", Delivery::Reliable);
    assert_eq!(b.expect_message(a.peer()).await, "still here");
}

#[tokio::test]
async fn a_connection_without_a_readable_hello_is_never_announced() {
    let mut node = Node::new();
    let too_long = [&[0, 0xff, 0xff][..], &[0; 64]].concat();
    let foreign = [&[0, 0, 8][..], b"testabcd"].concat();
    for (i, start) in [&b"GET / HTTP/1.1\r\n"[..], &[1, 2, 3], &too_long, &foreign]
        .into_iter()
        .enumerate()
    {
        let (_endpoint, conn, _) = raw_connection(&node, i as u8 + 1).await;
        let _stream = write_stream(&conn, start).await;
        let closed = conn.closed().await;
        assert!(
            matches!(closed, quinn::ConnectionError::ApplicationClosed(ref close) if close.error_code == 1u8.into()),
            "{closed}"
        );
    }
    let honest = Node::new();
    honest.dial(&node);
    node.expect_connected(honest.peer()).await;
}

/// What is written to the ordered stream, sent as a datagram, written to a stream of its own.
type Garbage<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

#[tokio::test]
async fn an_authenticated_peer_that_sends_garbage_is_closed_with_a_reason() {
    let long_frame = [&good_start()[..], &[0xff, 0xff, 1, 2]].concat();
    let short_frame = [&good_start()[..], &[0, 3, 1, 2, 3]].concat();
    let reserved = {
        let mut bytes = good_start();
        put_frame(&mut bytes, NET_TAG, b"again");
        bytes.to_vec()
    };
    let start = good_start().to_vec();
    let long_bulk = [&[1][..], &[7; 10_000]].concat();
    let cases: [Garbage<'_>; 7] = [
        (&long_frame, None, None),
        (&short_frame, None, None),
        (&reserved, None, None),
        (&start, Some(b"abc"), None),
        (&start, None, Some(&long_bulk)),
        (&start, None, Some(&start)),
        (&start, None, Some(b"\x09what")),
    ];
    for (i, (control, datagram, stream)) in cases.into_iter().enumerate() {
        let mut node = Node::new();
        let (_endpoint, conn, peer) = raw_connection(&node, i as u8 + 1).await;
        let _control = write_stream(&conn, control).await;
        node.expect_connected(peer).await;
        if let Some(datagram) = datagram {
            conn.send_datagram(Bytes::copy_from_slice(datagram)).unwrap();
        }
        if let Some(bytes) = stream {
            let _ = write_stream(&conn, bytes).await.finish();
        }
        let reason = node.expect_disconnected(peer).await;
        assert!(matches!(reason, DisconnectReason::Protocol(_)), "case {i}: {reason}");
    }
}

#[tokio::test]
async fn one_that_speaks_another_version_is_told_from_one_that_refuses() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let older = tls::Configs::of(&key, [b"inonda/1", b"inonda-ask/1"]).unwrap();
    let server = quinn::ServerConfig::with_crypto(Arc::new(older.server));
    let endpoint = quinn::Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = endpoint.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            assert!(incoming.await.is_err());
        }
    });
    let mut node = Node::new();
    node.endpoint.dial(None, vec![addr]);
    let event = node.event().await;
    let is_told = matches!(
        event,
        NetEvent::DialFailed {
            why: DialError::OtherVersion,
            ..
        }
    );
    assert!(is_told, "{event:?}");
    assert_eq!(node.endpoint.ask(addr).await.err(), Some(DialError::OtherVersion));
}

#[tokio::test]
async fn somebody_without_a_key_is_refused() {
    let mut node = Node::new();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"inonda/2".to_vec()];
    let config = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
    assert!(endpoint.connect(node.addr(), "inonda").unwrap().await.is_err());
    let honest = Node::new();
    honest.dial(&node);
    node.expect_connected(honest.peer()).await;
}

#[tokio::test]
async fn a_banned_peer_is_cut_off_and_not_let_in_again() {
    let (mut a, mut b) = connected_pair().await;
    b.endpoint.disconnect(a.peer(), Some(Duration::from_secs(60)));
    assert_eq!(a.expect_disconnected(b.peer()).await, DisconnectReason::BannedByPeer);
    assert_eq!(b.expect_disconnected(a.peer()).await, DisconnectReason::Local);
    a.dial(&b);
    a.expect_connected(b.peer()).await;
    assert_eq!(a.expect_disconnected(b.peer()).await, DisconnectReason::BannedByPeer);
    let stranger = Node::new();
    stranger.dial(&b);
    b.expect_connected(stranger.peer()).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_costs_a_bounded_queue_and_then_the_connection() {
    let (mut a, b) = connected_pair().await;
    let message = Bytes::from(vec![0; 4_000]);
    let mut sent = 0;
    // Nobody takes events out at `b`: its readers stop, then QUIC's windows, then the queue is full.
    while a
        .endpoint
        .send(b.peer(), *b"test", message.clone(), Delivery::Reliable)
        .is_ok()
    {
        sent += 1;
        assert!(sent < 20_000, "the queue is bounded");
        tokio::task::yield_now().await;
    }
    assert_eq!(a.expect_disconnected(b.peer()).await, DisconnectReason::Overflow);
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    // The other side lives in a runtime of its own, which is stopped dead: no packet leaves it any more.
    let other = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let b = other.block_on(async { Node::new() });
    // Made last, so that it goes first when something fails: the other runtime would wait for it for ever.
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let here = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    here.block_on(async {
        let mut a = Node::new();
        a.dial(&b);
        a.expect_connected(b.peer()).await;
        // On a busy machine it goes on for a while: an answer after the pause would count as one that took seconds.
        let (stops, stopped) = tokio::sync::oneshot::channel();
        other.spawn(async move {
            let _ = stops.send(());
            let _ = receiver.recv();
        });
        stopped.await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The silence counts from what is said next (RFC 9000, 10.1): else from the keep-alive, 9.5 s later.
        a.say(&b, "are you there?", Delivery::Datagram);
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let reason = a.expect_disconnected(b.peer()).await;
        assert_eq!(reason, DisconnectReason::TimedOut);
        let waited = begun.elapsed();
        assert!(
            waited > Duration::from_secs(5) && waited < Duration::from_secs(15),
            "{waited:?}"
        );
    });
    drop(sender);
    drop(b);
    other.shutdown_background();
}
