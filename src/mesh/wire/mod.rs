//! What travels between two nodes about one channel, and how it looks as bytes. The first byte is the kind, the rest has a fixed
//! layout; later versions add kinds, which this one reports as [`WireError::Kind`] so that a driver can pass them over.

pub mod layout;
pub mod message;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::limits::{CHUNK_PAYLOAD_MAX_BYTES, CONTROL_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES, STRIPES_MAX};
use crate::mesh::chunk::SignedChunk;
use crate::mesh::record::PeerRecord;
use crate::mesh::session::Session;
use crate::units::{Epoch, Seq, Stripe};
use layout::{Counter, Reader, Sink};
pub use message::{
    Attach, Audience, Farewell, HOPS_MAX, Hello, Load, Message, Need, Path, Pushed, RECORDS_MAX, Reason, SeqSet,
    Status, VERSION,
};

/// Bytes that are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message ends before it is complete")]
    Short,
    #[error("the message goes on after its end")]
    Long,
    #[error("the message is larger than its kind may be")]
    Size,
    #[error("the message kind {0} is unknown; the peer may be newer")]
    Kind(u8),
    #[error("{0} in the message is out of range")]
    Value(&'static str),
}

const HELLO: u8 = 1;
const SESSION: u8 = 2;
const PEERS: u8 = 3;
const ATTACH: u8 = 4;
const ACCEPT: u8 = 5;
const REFUSE: u8 = 6;
const REDIRECT: u8 = 7;
const DETACH: u8 = 8;
const PATH: u8 = 9;
const CHUNK: u8 = 10;
const WANT: u8 = 11;
const LACK: u8 = 12;
const STATUS: u8 = 13;
const PING: u8 = 14;
const PONG: u8 = 15;
const AUDIENCE: u8 = 16;
const FAREWELL: u8 = 17;
const OFFER: u8 = 18;
const BYE: u8 = 19;
const HINT: u8 = 20;

/// Bytes of a chunk message beside its payload: kind, hops, age, mark of the session, sequence, signature.
pub const CHUNK_HEADER_BYTES: usize = 1 + 1 + 2 + 2 + 5 + 64;
const NO_SEQ: u64 = (1 << 40) - 1;
/// In which a newcomer says how much of the past it wants.
const PAST_STEP: Duration = Duration::from_millis(20);
/// In which it is told how long a want stands.
const WITHIN_STEP: Duration = Duration::from_millis(5);

impl Message {
    /// Appends the encoded message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(128);
        self.write(out);
    }

    /// Length of the encoded message.
    pub fn encoded_len(&self) -> usize {
        if let Message::Chunk(pushed) = self {
            return CHUNK_HEADER_BYTES + pushed.chunk.payload.len();
        }
        let mut counter = Counter::default();
        self.write(&mut counter);
        counter.0
    }

    /// Reads one message; a chunk's payload is a share of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not exactly one message of a known kind within its size.
    pub fn decode(bytes: &Bytes) -> Result<Message, WireError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let max = if kind == CHUNK {
            MESSAGE_MAX_BYTES
        } else {
            CONTROL_MESSAGE_MAX_BYTES
        };
        if bytes.len() > max {
            return Err(WireError::Size);
        }
        let message = read(kind, &mut reader)?;
        if reader.left() > 0 {
            return Err(WireError::Long);
        }
        Ok(message)
    }

    fn write(&self, out: &mut impl Sink) {
        match self {
            Message::Hello(hello) => write_hello(hello, out),
            Message::Session(session) => {
                out.u8(SESSION);
                session.encode(out);
            }
            Message::Peers { answer, records } => {
                out.u8(PEERS);
                out.u8(u8::from(*answer));
                write_records(records, out);
            }
            Message::Attach(attach) => write_attach(attach, out),
            Message::Accept { stripe, path, newest } => {
                out.u8(ACCEPT);
                out.u8(stripe.0);
                write_path(path, out);
                out.u40(newest.0);
            }
            Message::Refuse {
                stripes,
                reason,
                others,
            } => {
                out.u8(REFUSE);
                out.u16(*stripes);
                out.u8(*reason as u8);
                write_records(others, out);
            }
            Message::Redirect { stripe, others } => {
                out.u8(REDIRECT);
                out.u8(stripe.0);
                write_records(others, out);
            }
            Message::Detach { stripes } => {
                out.u8(DETACH);
                out.u16(*stripes);
            }
            Message::Path { stripe, path } => {
                out.u8(PATH);
                out.u8(stripe.0);
                write_path(path, out);
            }
            Message::Chunk(pushed) => write_chunk(pushed, out),
            Message::Want { within, set } => {
                write_set(WANT, set, out);
                out.u8(u8::try_from(within.as_millis() / WITHIN_STEP.as_millis()).unwrap_or(u8::MAX));
            }
            Message::Lack(set) => write_set(LACK, set, out),
            Message::Status(status) => write_status(status, out),
            Message::Ping { stamp, load } => write_ping(PING, *stamp, load, out),
            Message::Pong { stamp, load } => write_ping(PONG, *stamp, load, out),
            Message::Audience(audience) => {
                out.u8(AUDIENCE);
                write_audience(audience, out);
            }
            Message::Farewell(farewell) => {
                out.u8(FAREWELL);
                out.u48(farewell.epoch.0);
                out.u40(farewell.last.0);
                out.put(&farewell.signature);
            }
            Message::Offer { stripe } => {
                out.u8(OFFER);
                out.u8(stripe.0);
            }
            Message::Hint { stripe, record } => {
                out.u8(HINT);
                out.u8(stripe.0);
                record.encode(out);
            }
            Message::Bye { others } => {
                out.u8(BYE);
                write_records(others, out);
            }
        }
    }
}

fn read(kind: u8, from: &mut Reader<'_>) -> Result<Message, WireError> {
    Ok(match kind {
        HELLO => read_hello(from)?,
        SESSION => Message::Session(Arc::new(Session::decode(from)?)),
        PEERS => Message::Peers {
            answer: from.flag()?,
            records: read_records(from)?,
        },
        ATTACH => read_attach(from)?,
        ACCEPT => Message::Accept {
            stripe: read_stripe(from)?,
            path: read_path(from)?,
            newest: Seq(from.u40()?),
        },
        REFUSE => Message::Refuse {
            stripes: from.u16()?,
            reason: read_reason(from)?,
            others: read_records(from)?,
        },
        REDIRECT => Message::Redirect {
            stripe: read_stripe(from)?,
            others: read_records(from)?,
        },
        DETACH => Message::Detach { stripes: from.u16()? },
        PATH => Message::Path {
            stripe: read_stripe(from)?,
            path: read_path(from)?,
        },
        CHUNK => read_chunk(from)?,
        WANT => {
            let set = read_set(from)?;
            let within = WITHIN_STEP * u32::from(from.u8()?);
            Message::Want { within, set }
        }
        LACK => Message::Lack(read_set(from)?),
        STATUS => read_status(from)?,
        PING => Message::Ping {
            stamp: from.u32()?,
            load: read_load(from)?,
        },
        PONG => Message::Pong {
            stamp: from.u32()?,
            load: read_load(from)?,
        },
        AUDIENCE => Message::Audience(read_audience(from)?),
        FAREWELL => Message::Farewell(Arc::new(Farewell {
            epoch: Epoch(from.u48()?),
            last: Seq(from.u40()?),
            signature: from.array()?,
        })),
        OFFER => Message::Offer {
            stripe: read_stripe(from)?,
        },
        HINT => Message::Hint {
            stripe: read_stripe(from)?,
            record: PeerRecord::decode(from)?,
        },
        BYE => Message::Bye {
            others: read_records(from)?,
        },
        unknown => return Err(WireError::Kind(unknown)),
    })
}

fn write_hello(hello: &Hello, out: &mut impl Sink) {
    out.u8(HELLO);
    out.u8(hello.version);
    out.u48(hello.epoch.0);
    out.u8(u8::from(hello.listens));
    out.addr(&hello.observed);
    write_load(&hello.load, out);
    hello.record.encode(out);
}

fn read_hello(from: &mut Reader<'_>) -> Result<Message, WireError> {
    Ok(Message::Hello(Box::new(Hello {
        version: from.u8()?,
        epoch: Epoch(from.u48()?),
        listens: from.flag()?,
        observed: from.addr()?,
        load: read_load(from)?,
        record: PeerRecord::decode(from)?,
    })))
}

fn write_attach(attach: &Attach, out: &mut impl Sink) {
    out.u8(ATTACH);
    out.u48(attach.epoch.0);
    out.u16(attach.stripes);
    out.u8(attach.slots);
    out.u8(attach.need as u8);
    out.u40(attach.from.map_or(NO_SEQ, |seq| seq.0));
    out.u8(u8::try_from(attach.past.as_millis() / PAST_STEP.as_millis()).unwrap_or(u8::MAX));
}

fn read_attach(from: &mut Reader<'_>) -> Result<Message, WireError> {
    Ok(Message::Attach(Attach {
        epoch: Epoch(from.u48()?),
        stripes: from.u16()?,
        slots: from.u8()?,
        need: match from.u8()? {
            0 => Need::Better,
            1 => Need::Orphan,
            2 => Need::Newcomer,
            _ => return Err(WireError::Value("a need")),
        },
        from: Some(from.u40()?).filter(|seq| *seq != NO_SEQ).map(Seq),
        past: PAST_STEP * u32::from(from.u8()?),
    }))
}

fn write_chunk(pushed: &Pushed, out: &mut impl Sink) {
    out.u8(CHUNK);
    out.u8(pushed.hops);
    out.u16(u16::try_from(pushed.age.as_millis()).unwrap_or(u16::MAX));
    out.u16(pushed.mark);
    out.u40(pushed.chunk.seq.0);
    out.put(&pushed.chunk.signature);
    out.put(&pushed.chunk.payload);
}

fn read_chunk(from: &mut Reader<'_>) -> Result<Message, WireError> {
    let (hops, age_ms, mark) = (from.u8()?, from.u16()?, from.u16()?);
    let seq = Seq(from.u40()?);
    let signature = from.array()?;
    let len = from.left();
    if len > CHUNK_PAYLOAD_MAX_BYTES {
        return Err(WireError::Size);
    }
    let payload = from.share(len)?;
    Ok(Message::Chunk(Pushed {
        hops,
        age: Duration::from_millis(u64::from(age_ms)),
        mark,
        chunk: Arc::new(SignedChunk {
            seq,
            payload,
            signature,
        }),
    }))
}

fn write_set(kind: u8, set: &SeqSet, out: &mut impl Sink) {
    out.u8(kind);
    out.u40(set.first.0);
    out.u64(set.more);
}

fn read_set(from: &mut Reader<'_>) -> Result<SeqSet, WireError> {
    Ok(SeqSet {
        first: Seq(from.u40()?),
        more: from.u64()?,
    })
}

fn write_status(status: &Status, out: &mut impl Sink) {
    out.u8(STATUS);
    out.u16(status.fed);
    out.u40(status.progress.0);
    write_load(&status.load, out);
    out.u8(u8::from(status.below.is_some()));
    if let Some(below) = &status.below {
        write_audience(below, out);
    }
}

fn read_status(from: &mut Reader<'_>) -> Result<Message, WireError> {
    Ok(Message::Status(Status {
        fed: from.u16()?,
        progress: Seq(from.u40()?),
        load: read_load(from)?,
        below: if from.flag()? { Some(read_audience(from)?) } else { None },
    }))
}

fn write_ping(kind: u8, stamp: u32, load: &Load, out: &mut impl Sink) {
    out.u8(kind);
    out.u32(stamp);
    write_load(load, out);
}

fn write_load(load: &Load, out: &mut impl Sink) {
    out.u8(load.free);
    out.u8(load.weakest);
    out.u8(load.slots);
    out.u16(load.fed);
    out.u16(load.lag_ms);
}

fn read_load(from: &mut Reader<'_>) -> Result<Load, WireError> {
    Ok(Load {
        free: from.u8()?,
        weakest: from.u8()?,
        slots: from.u8()?,
        fed: from.u16()?,
        lag_ms: from.u16()?,
    })
}

fn write_audience(audience: &Audience, out: &mut impl Sink) {
    out.u32(audience.listeners);
    out.u32(audience.relays);
    out.u32(audience.mean_ppm);
    out.u32(audience.worst_ppm);
}

fn read_audience(from: &mut Reader<'_>) -> Result<Audience, WireError> {
    let audience = Audience {
        listeners: from.u32()?,
        relays: from.u32()?,
        mean_ppm: from.u32()?,
        worst_ppm: from.u32()?,
    };
    if audience.mean_ppm > 1_000_000 || audience.worst_ppm > 1_000_000 {
        return Err(WireError::Value("a continuity"));
    }
    Ok(audience)
}

fn write_records(records: &[Arc<PeerRecord>], out: &mut impl Sink) {
    let records = records.get(..RECORDS_MAX).unwrap_or(records);
    out.u8(records.len() as u8);
    for record in records {
        record.encode(out);
    }
}

fn read_records(from: &mut Reader<'_>) -> Result<Vec<Arc<PeerRecord>>, WireError> {
    let count = from.count(RECORDS_MAX)?;
    (0..count).map(|_| PeerRecord::decode(from)).collect()
}

fn write_path(path: &Path, out: &mut impl Sink) {
    let path = path.get(..HOPS_MAX).unwrap_or(path);
    out.u8(path.len() as u8);
    for key in path {
        out.u32(key.0);
    }
}

fn read_path(from: &mut Reader<'_>) -> Result<Path, WireError> {
    let count = from.count(HOPS_MAX)?;
    (0..count).map(|_| from.u32().map(crate::mesh::record::Key)).collect()
}

fn read_stripe(from: &mut Reader<'_>) -> Result<Stripe, WireError> {
    let stripe = from.u8()?;
    if stripe >= STRIPES_MAX {
        return Err(WireError::Value("a stripe"));
    }
    Ok(Stripe(stripe))
}

fn read_reason(from: &mut Reader<'_>) -> Result<Reason, WireError> {
    Ok(match from.u8()? {
        0 => Reason::Full,
        1 => Reason::NotFed,
        2 => Reason::Loop,
        3 => Reason::LeafOnly,
        4 => Reason::Ended,
        _ => return Err(WireError::Value("a reason")),
    })
}
