//! Whatever bytes come from the network: reading them never panics, never takes more memory than they are long, and what can
//! be read is written again byte for byte.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use inonda::limits::{CHUNK_PAYLOAD_MAX_BYTES, CONTROL_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES};
use inonda::mesh::chunk::SignedChunk;
use inonda::mesh::record::Key;
use inonda::mesh::wire::{
    Attach, Audience, Farewell, HOPS_MAX, Hello, Load, Message, Need, Path, Pushed, RECORDS_MAX, Reason, SeqSet, Status,
};
use inonda::mesh::{PeerRecord, Session};
use inonda::units::{ChannelId, Codec, Epoch, PeerId, Seq, Stripe};
use proptest::collection::vec;
use proptest::prelude::*;

/// Kinds a first byte may name; one more than there are.
const KINDS: u8 = 21;

fn encoded(message: &Message) -> Bytes {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.into()
}

fn addr() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn signature() -> impl Strategy<Value = [u8; 64]> {
    vec(any::<u8>(), 64).prop_map(|bytes| bytes.try_into().unwrap())
}

fn record() -> impl Strategy<Value = Arc<PeerRecord>> {
    let fields = (
        any::<[u8; 32]>(),
        any::<u32>(),
        any::<u8>(),
        vec(addr(), 0..=4),
        signature(),
    );
    fields.prop_map(|(peer, serial, slots, addrs, signature)| {
        Arc::new(PeerRecord {
            peer: PeerId(peer),
            serial,
            slots,
            addrs,
            signature,
        })
    })
}

fn records() -> impl Strategy<Value = Vec<Arc<PeerRecord>>> {
    vec(record(), 0..=RECORDS_MAX)
}

fn load() -> impl Strategy<Value = Load> {
    let fields = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u16>(), any::<u16>());
    fields.prop_map(|(free, weakest, slots, fed, lag_ms)| Load {
        free,
        weakest,
        slots,
        fed,
        lag_ms,
    })
}

fn stripe() -> impl Strategy<Value = Stripe> {
    (0u8..16).prop_map(Stripe)
}

/// A chunk number as it travels: below the greatest, which stands for none.
fn seq() -> impl Strategy<Value = Seq> {
    (0..(1u64 << 40) - 1).prop_map(Seq)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0..1u64 << 48).prop_map(Epoch)
}

fn path() -> impl Strategy<Value = Path> {
    vec(any::<u32>().prop_map(Key), 0..=HOPS_MAX).prop_map(Path::from)
}

fn audience() -> impl Strategy<Value = Audience> {
    (any::<u32>(), any::<u32>(), 0u32..=1_000_000, 0u32..=1_000_000).prop_map(
        |(listeners, relays, mean_ppm, worst_ppm)| Audience {
            listeners,
            relays,
            mean_ppm,
            worst_ppm,
        },
    )
}

fn session() -> impl Strategy<Value = Message> {
    let numbers = (
        epoch(),
        any::<u8>(),
        any::<u16>(),
        any::<bool>(),
        any::<u32>(),
        any::<u64>(),
    );
    let texts = ("\\PC{0,20}", "\\PC{0,15}", "\\PC{0,70}");
    (any::<[u8; 32]>(), any::<[u8; 32]>(), signature(), numbers, texts).prop_map(
        |(channel, signing_key, signature, (epoch, stripes, chunk_ms, flac, bitrate_bps, expires_unix_s), texts)| {
            Message::Session(Arc::new(Session {
                channel: ChannelId(channel),
                epoch,
                signing_key,
                host: PeerId(signing_key),
                stripes,
                chunk_time: Duration::from_millis(u64::from(chunk_ms)),
                codec: if flac { Codec::Flac } else { Codec::Opus },
                bitrate_bps,
                expires_unix_s,
                name: texts.0,
                genre: texts.1,
                description: texts.2,
                private: flac,
                signature,
            }))
        },
    )
}

fn hello() -> impl Strategy<Value = Message> {
    (any::<u8>(), epoch(), any::<bool>(), addr(), load(), record()).prop_map(
        |(version, epoch, listens, observed, load, record)| {
            Message::Hello(Box::new(Hello {
                version,
                epoch,
                listens,
                observed,
                load,
                record,
            }))
        },
    )
}

fn chunk() -> impl Strategy<Value = Message> {
    let payload = vec(any::<u8>(), 0..2_000);
    (
        any::<u8>(),
        any::<u16>(),
        any::<u16>(),
        0..1u64 << 40,
        payload,
        signature(),
    )
        .prop_map(|(hops, age_ms, mark, seq, payload, signature)| {
            Message::Chunk(Pushed {
                hops,
                age: Duration::from_millis(u64::from(age_ms)),
                mark,
                chunk: Arc::new(SignedChunk {
                    seq: Seq(seq),
                    payload: payload.into(),
                    signature,
                }),
            })
        })
}

fn attach() -> impl Strategy<Value = Message> {
    let need = prop_oneof![Just(Need::Better), Just(Need::Orphan), Just(Need::Newcomer)];
    let from = proptest::option::of(seq());
    (epoch(), any::<u16>(), any::<u8>(), need, from, any::<u8>()).prop_map(
        |(epoch, stripes, slots, need, from, past)| {
            Message::Attach(Attach {
                epoch,
                stripes,
                slots,
                need,
                from,
                past: Duration::from_millis(20) * u32::from(past),
            })
        },
    )
}

fn status() -> impl Strategy<Value = Message> {
    (any::<u16>(), seq(), load(), proptest::option::of(audience())).prop_map(|(fed, progress, load, below)| {
        Message::Status(Status {
            fed,
            progress,
            load,
            below,
        })
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        Just(Reason::Full),
        Just(Reason::NotFed),
        Just(Reason::Loop),
        Just(Reason::LeafOnly),
        Just(Reason::Ended)
    ]
}

fn set() -> impl Strategy<Value = SeqSet> {
    (seq(), any::<u64>()).prop_map(|(first, more)| SeqSet { first, more })
}

/// A message of every kind.
fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello(),
        session(),
        (any::<bool>(), records()).prop_map(|(answer, records)| Message::Peers { answer, records }),
        attach(),
        (stripe(), path(), seq()).prop_map(|(stripe, path, newest)| Message::Accept { stripe, path, newest }),
        (any::<u16>(), reason(), records()).prop_map(|(stripes, reason, others)| Message::Refuse {
            stripes,
            reason,
            others
        }),
        (stripe(), records()).prop_map(|(stripe, others)| Message::Redirect { stripe, others }),
        any::<u16>().prop_map(|stripes| Message::Detach { stripes }),
        (stripe(), path()).prop_map(|(stripe, path)| Message::Path { stripe, path }),
        chunk(),
        (0..=255u32, set()).prop_map(|(steps, set)| Message::Want {
            within: Duration::from_millis(5) * steps,
            set
        }),
        set().prop_map(Message::Lack),
        status(),
        (any::<u32>(), load()).prop_map(|(stamp, load)| Message::Ping { stamp, load }),
        (any::<u32>(), load()).prop_map(|(stamp, load)| Message::Pong { stamp, load }),
        audience().prop_map(Message::Audience),
        (epoch(), seq(), signature())
            .prop_map(|(epoch, last, signature)| { Message::Farewell(Arc::new(Farewell { epoch, last, signature })) }),
        stripe().prop_map(|stripe| Message::Offer { stripe }),
        (stripe(), record()).prop_map(|(stripe, record)| Message::Hint { stripe, record }),
        records().prop_map(|others| Message::Bye { others }),
    ]
}

/// What holds for all bytes: no panic, and what is read is what is written.
fn check(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    if let Ok(message) = Message::decode(&bytes) {
        assert_eq!(encoded(&message), bytes, "{message:?}");
        assert!(held_bytes(&message) <= 16 * bytes.len() + 512, "{message:?}");
    }
}

/// Memory that a decoded message claims, its lists and texts above all.
fn held_bytes(message: &Message) -> usize {
    let records = |records: &Vec<Arc<PeerRecord>>| -> usize {
        let addrs: usize = records
            .iter()
            .map(|record| record.addrs.capacity() * size_of::<SocketAddr>())
            .sum();
        addrs + records.capacity() * (size_of::<PeerRecord>() + size_of::<usize>() * 3)
    };
    match message {
        Message::Peers { records: list, .. }
        | Message::Refuse { others: list, .. }
        | Message::Redirect { others: list, .. }
        | Message::Bye { others: list } => records(list),
        Message::Session(session) => {
            session.name.capacity() + session.genre.capacity() + session.description.capacity() + size_of::<Session>()
        }
        Message::Accept { path, .. } | Message::Path { path, .. } => path.len() * size_of::<Key>(),
        Message::Chunk(pushed) => pushed.chunk.payload.len(),
        Message::Hello(_)
        | Message::Attach(_)
        | Message::Detach { .. }
        | Message::Want { .. }
        | Message::Lack(_)
        | Message::Status(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Audience(_)
        | Message::Farewell(_)
        | Message::Offer { .. }
        | Message::Hint { .. } => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_survives_the_wire(message in message()) {
        let bytes = encoded(&message);
        prop_assert_eq!(bytes.len(), message.encoded_len());
        let fits = match &message {
            Message::Chunk(_) => bytes.len() <= MESSAGE_MAX_BYTES,
            _ => bytes.len() <= CONTROL_MESSAGE_MAX_BYTES,
        };
        if fits {
            prop_assert_eq!(Message::decode(&bytes), Ok(message));
        } else {
            prop_assert!(Message::decode(&bytes).is_err());
        }
    }

    #[test]
    fn random_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 1..1_400), kind in 0..=KINDS) {
        bytes[0] = kind;
        check(bytes);
    }

    #[test]
    fn damaged_messages_are_read_or_refused(
        message in message(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        more in vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = encoded(&message).to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(1));
        }
        bytes.extend(more);
        check(bytes);
    }
}

#[test]
fn every_kind_is_refused_when_it_is_cut_or_too_long() {
    for kind in 0..=u8::MAX {
        check(vec![kind]);
        let long = vec![kind; MESSAGE_MAX_BYTES + 1];
        assert!(Message::decode(&Bytes::from(long)).is_err(), "kind {kind}");
    }
    assert!(Message::decode(&Bytes::new()).is_err());
    let payload = vec![0; CHUNK_PAYLOAD_MAX_BYTES + 1];
    let chunk = SignedChunk {
        seq: Seq(1),
        payload: payload.into(),
        signature: [0; 64],
    };
    let pushed = Message::Chunk(Pushed {
        hops: 1,
        age: Duration::ZERO,
        mark: 1,
        chunk: Arc::new(chunk),
    });
    assert!(Message::decode(&encoded(&pushed)).is_err());
}

/// A mesh that is told anything by anybody: as host or as listener, with signatures that hold where the sender could make them.
mod told_anything {
    use inonda::mesh::{Config, Crypto, Input, Mesh};
    use inonda::sim::hashing::Hashing;
    use inonda::units::Time;

    use super::*;

    const CHANNEL: [u8; 32] = [9; 32];
    const HOST: [u8; 32] = [8; 32];
    const SESSION: [u8; 32] = [7; 32];

    fn shown() -> Session {
        let channel = Hashing {
            peer: CHANNEL,
            session: CHANNEL,
        };
        let mut session = Session {
            channel: ChannelId(CHANNEL),
            epoch: Epoch(5),
            signing_key: SESSION,
            host: PeerId(HOST),
            stripes: 4,
            chunk_time: Duration::from_millis(60),
            codec: Codec::Opus,
            bitrate_bps: 128_000,
            expires_unix_s: u64::MAX,
            name: String::new(),
            genre: String::new(),
            description: String::new(),
            private: false,
            signature: [0; 64],
        };
        session.signature = channel.sign(&session.signed_bytes());
        session
    }

    fn mesh(is_host: bool) -> Mesh {
        let me = if is_host { HOST } else { [1; 32] };
        let crypto = Arc::new(Hashing {
            peer: me,
            session: SESSION,
        });
        let now = Time(1_000_000);
        if is_host {
            return Mesh::source(Config::default(), PeerId(me), shown(), crypto, 1, now);
        }
        let channel = ChannelId(CHANNEL);
        Mesh::listener(Config::default(), PeerId(me), channel, Epoch(0), crypto, 1, now)
    }

    /// The message as one who knows the session, and its own key, could have made it.
    fn plausible(message: Message, from: PeerId) -> Message {
        let host = Hashing {
            peer: HOST,
            session: SESSION,
        };
        let own = Hashing {
            peer: from.0,
            session: SESSION,
        };
        match message {
            Message::Hello(mut hello) => {
                hello.record = PeerRecord::sign(from, hello.record.serial, 9, hello.record.addrs.clone(), &own);
                Message::Hello(hello)
            }
            Message::Session(_) => Message::Session(Arc::new(shown())),
            Message::Attach(attach) => Message::Attach(Attach {
                epoch: Epoch(5),
                ..attach
            }),
            Message::Chunk(pushed) => {
                let mut chunk = (*pushed.chunk).clone();
                chunk.signature = host.sign_chunk(ChannelId(CHANNEL), Epoch(5), &chunk);
                Message::Chunk(Pushed {
                    mark: Epoch(5).mark(),
                    chunk: Arc::new(chunk),
                    ..pushed
                })
            }
            other => other,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_lives_on(
            is_host in any::<bool>(),
            told in vec((0u8..6, any::<bool>(), message(), 0u64..400_000), 1..120),
        ) {
            let mut mesh = mesh(is_host);
            let mut now = Time(1_000_000);
            let begin = Message::Session(Arc::new(shown()));
            for (n, (who, honest, message, pause)) in told.into_iter().enumerate() {
                let from = PeerId([20 + who; 32]);
                if !mesh.is_connected_to(&from) {
                    let remote = SocketAddr::from(([127, 0, 0, 1], u16::from(who)));
                    mesh.handle_input(Input::Connected { peer: from, remote, dialled: honest, rtt: None }, now);
                }
                if n == 0 {
                    mesh.handle_input(Input::Received { from, message: begin.clone() }, now);
                }
                let message = if honest { plausible(message, from) } else { message };
                mesh.handle_input(Input::Received { from, message }, now);
                if is_host && n % 3 == 0 {
                    mesh.handle_input(Input::Publish { payload: Bytes::from_static(b"sound") }, now);
                }
                while mesh.poll_output().is_some() {}
                now += Duration::from_micros(pause);
                mesh.handle_timeout(now);
                while mesh.poll_output().is_some() {}
                let sizes = mesh.sizes();
                prop_assert!(sizes.wants <= 128 && sizes.held <= 64 && sizes.passive <= 64);
                prop_assert!(sizes.used <= sizes.slots);
                mesh.stats(now);
            }
        }
    }
}
