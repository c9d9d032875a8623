//! Somebody on the channel who sends what its host never said: nothing of it is heard or passed on, and who sent it is dropped.
#![allow(clippy::disallowed_methods, reason = "real connections live on the system's clock")]

#[path = "on_air/rig.rs"]
mod rig;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use inonda::engine::{Link, clock};
use inonda::mesh::chunk::SignedChunk;
use inonda::mesh::wire::Pushed;
use inonda::mesh::{Config, Delivery, Ed25519, Input, Mesh, Message, Output};
use inonda::net::{Endpoint, Identity, NetEvent};
use inonda::units::{ChannelId, Epoch, PeerId, Seq};
use rig::{Lab, assert_whole};

/// Longest wait for a victim to end the connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Copies of each forgery: more than the nonsense that is forgiven.
const COPIES: usize = 30;

type Forge = fn(Epoch, &Pushed) -> Pushed;

#[test]
fn forgeries_are_neither_heard_nor_passed_on_and_their_sender_is_dropped() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let (relay, via_relay) = lab.relay("relay", &link);
    let out = lab.path("heard.wav");
    let mut listener = lab.listener("listener", &via_relay, &["--output", &format!("wav:{}", out.display())]);
    listener.wait("joined");
    let link: Link = via_relay.parse().unwrap();
    let victim: SocketAddr = link.via[0].parse().unwrap();
    let forgeries: [(&str, Forge); 3] = [
        ("another payload under the host's signature", other_payload),
        ("a chunk that another channel's host signed", other_channel),
        ("a chunk of an earlier session", last_week),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (what, forge) in forgeries {
        let dropped =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, attack(victim, link.channel, forge)).await });
        assert!(dropped.is_ok(), "{what}: its sender is still connected");
    }
    listener.run_for(5);
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_whole(&out, 3.0);
    let summary = ended.one("summary");
    assert_eq!(
        (&summary["silence_ms"], &summary["chunks_missed"]),
        (&0.0.into(), &0.into())
    );
    assert_eq!(relay.stop().code, Some(0));
}

fn other_payload(_: Epoch, real: &Pushed) -> Pushed {
    let mut payload = real.chunk.payload.to_vec();
    let last = payload.len() - 1;
    payload[last] ^= 1;
    ahead(real, |chunk| SignedChunk {
        payload: payload.into(),
        ..chunk
    })
}

fn other_channel(epoch: Epoch, real: &Pushed) -> Pushed {
    let session_key = SigningKey::from_bytes(&[3; 32]);
    let channel = ChannelId(session_key.verifying_key().to_bytes());
    let crypto = Ed25519 {
        peer_key: session_key.clone(),
        session_key: Some(session_key),
    };
    let seq = Seq(real.chunk.seq.0 + 2);
    let chunk = SignedChunk::sign(channel, epoch, seq, real.chunk.payload.clone(), &crypto);
    Pushed { chunk, ..real.clone() }
}

fn last_week(epoch: Epoch, real: &Pushed) -> Pushed {
    Pushed {
        mark: Epoch(epoch.0 - 7 * 86_400_000).mark(),
        ..ahead(real, |chunk| chunk)
    }
}

/// What comes before the real chunk of that number would take its place if it were believed.
fn ahead(real: &Pushed, change: impl FnOnce(SignedChunk) -> SignedChunk) -> Pushed {
    let mut chunk = (*real.chunk).clone();
    chunk.seq = Seq(chunk.seq.0 + 2);
    Pushed {
        chunk: Arc::new(change(chunk)),
        ..real.clone()
    }
}

/// Joins as anybody does, and answers each chunk with forgeries until the other end has had enough.
async fn attack(victim: SocketAddr, channel: ChannelId, forge: Forge) {
    let identity = Identity::generate().unwrap();
    let (endpoint, mut events) = Endpoint::bind("127.0.0.1:0".parse().unwrap(), &identity).unwrap();
    let crypto = Arc::new(Ed25519 {
        peer_key: identity.signing_key().clone(),
        session_key: None,
    });
    let tag = [channel.0[0], channel.0[1], channel.0[2], channel.0[3]];
    let (me, now) = (endpoint.peer(), clock::now());
    let mut mesh = Mesh::listener(Config::default(), me, channel, Epoch(0), crypto, 7, now);
    endpoint.dial(None, vec![victim]);
    let mut target: Option<PeerId> = None;
    let mut forged = 0;
    loop {
        let event = tokio::time::timeout(Duration::from_millis(50), events.recv()).await;
        match event {
            Ok(Some(NetEvent::Connected { peer, remote, dialled })) => {
                let is_first = *target.get_or_insert(peer) == peer;
                assert!(is_first || dialled);
                mesh.handle_input(
                    Input::Connected {
                        peer,
                        remote,
                        dialled,
                        rtt: None,
                    },
                    clock::now(),
                );
            }
            Ok(Some(NetEvent::Message { peer, bytes, .. })) => {
                let message = Message::decode(&bytes).unwrap();
                // A chunk may overtake the session that explains it.
                let is_known = target == Some(peer) && mesh.epoch() > Epoch(0);
                if let (Message::Chunk(real), true) = (&message, is_known) {
                    for _ in 0..COPIES {
                        let _ = endpoint.send(
                            peer,
                            tag,
                            encoded(&Message::Chunk(forge(mesh.epoch(), real))),
                            Delivery::Datagram,
                        );
                        forged += 1;
                    }
                }
                mesh.handle_input(Input::Received { from: peer, message }, clock::now());
            }
            Ok(Some(NetEvent::Disconnected { peer, .. })) if target == Some(peer) && forged > 0 => return,
            Ok(Some(NetEvent::Disconnected { peer, .. })) => {
                mesh.handle_input(Input::Disconnected { peer }, clock::now())
            }
            Ok(Some(_)) | Err(_) => mesh.handle_timeout(clock::now()),
            Ok(None) => panic!("the attacker's own endpoint ended"),
        }
        while let Some(output) = mesh.poll_output() {
            // It stays with its victim: whoever else it is told of is left alone.
            if let Output::Send { to, message, delivery } = output {
                let _ = endpoint.send(to, tag, encoded(&message), delivery);
            }
        }
    }
}

fn encoded(message: &Message) -> Bytes {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.into()
}
