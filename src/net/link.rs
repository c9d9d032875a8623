//! One connection: its write queues, its reading tasks, and the telling of its beginning and end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::net::addrs::canonical;
use crate::net::event::{DisconnectReason, NetEvent};
use crate::net::framing::{Hello, NET_TAG, STREAM_BULK, STREAM_CONTROL, Tag, put_frame};
use crate::net::reading::{greet, read};
use crate::net::table::{PrefixSlot, Shared};
use crate::units::PeerId;

/// Ordered messages that may wait for a peer; a control exchange is a few messages a second.
const RELIABLE_QUEUE_MAX: usize = 256;
/// Long messages that may wait: a second of FLAC.
const BULK_QUEUE_MAX: usize = 64;
/// A long message that waited this long is worth nothing.
const BULK_AGE_MAX: Duration = Duration::from_secs(2);
/// How long a goodbye may take to be acknowledged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection that lost against a simultaneous one is read.
const LINGER: Duration = Duration::from_secs(3);
/// Bytes gathered into one write of the ordered stream.
const WRITE_GATHER_BYTES: usize = 16 * 1_024;

/// Why a connection is closed, as the other side reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseCode {
    Goodbye = 0,
    Protocol = 1,
    Banned = 2,
    Duplicate = 3,
    Overflow = 4,
    Itself = 5,
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> VarInt {
        VarInt::from_u32(code as u32)
    }
}

enum Out {
    Message(Tag, Bytes),
    Close(CloseCode),
}

/// How far a link has come in what the engine was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Opening,
    Announced,
    Over,
}

/// The sending side of a connection to an authenticated peer.
pub(super) struct Link {
    pub peer: PeerId,
    pub conn: Connection,
    pub dialled: bool,
    pub since: Instant,
    pub(super) instance: OnceLock<[u8; 8]>,
    out: mpsc::Sender<Out>,
    bulk: mpsc::Sender<(Instant, Bytes)>,
    /// Why this side ends it.
    ending: OnceLock<DisconnectReason>,
    /// Another connection to the same peer has taken over: its end is not told.
    quiet: AtomicBool,
    phase: watch::Sender<Phase>,
}

/// What the task of a new link is started with.
pub(super) struct Start {
    /// The earlier link, whose end has to be told first (`Welcome`) or whose queue has to be emptied first (`Swap`).
    pub after: Option<Arc<Link>>,
    /// False when an earlier link to the same peer has been announced and this one takes over.
    pub announce: bool,
    /// The peer's hello and the rest of its ordered stream, when the hello has been read already.
    pub control: Option<(RecvStream, Hello)>,
    /// Held as long as the connection lives.
    pub slot: Option<PrefixSlot>,
}

/// The receiving ends of a link's queues, for its task.
pub(super) struct Queues {
    out: mpsc::Receiver<Out>,
    bulk: mpsc::Receiver<(Instant, Bytes)>,
}

impl Link {
    pub fn new(peer: PeerId, conn: Connection, dialled: bool, instance: Option<[u8; 8]>) -> (Arc<Link>, Queues) {
        let (out, out_rx) = mpsc::channel(RELIABLE_QUEUE_MAX);
        let (bulk, bulk_rx) = mpsc::channel(BULK_QUEUE_MAX);
        let link = Link {
            peer,
            conn,
            dialled,
            since: Instant::now(),
            instance: instance.map(OnceLock::from).unwrap_or_default(),
            out,
            bulk,
            ending: OnceLock::new(),
            quiet: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Opening),
        };
        (
            Arc::new(link),
            Queues {
                out: out_rx,
                bulk: bulk_rx,
            },
        )
    }

    /// Whether anything can still be sent.
    pub fn is_live(&self) -> bool {
        self.ending.get().is_none() && self.conn.close_reason().is_none()
    }

    /// Which run of the peer's program this is, once it has said so.
    pub fn instance(&self) -> Option<[u8; 8]> {
        self.instance.get().copied()
    }

    pub fn remote(&self) -> SocketAddr {
        canonical(self.conn.remote_address())
    }

    /// Queues an ordered message; false when the queue is full.
    pub fn send_reliable(&self, tag: Tag, message: Bytes) -> bool {
        self.out.try_send(Out::Message(tag, message)).is_ok()
    }

    /// Sends a stream of its own for a message too long for a datagram; dropped when too many wait.
    pub fn send_bulk(&self, tag: Tag, message: &[u8]) {
        let mut frame = BytesMut::with_capacity(1 + tag.len() + message.len());
        frame.put_u8(STREAM_BULK);
        frame.put_slice(&tag);
        frame.put_slice(message);
        if self.bulk.try_send((Instant::now(), frame.freeze())).is_err() {
            tracing::trace!(peer = %self.peer.short(), "a long message was dropped, too many wait");
        }
    }

    /// Closes at once.
    pub fn abort(&self, code: CloseCode, reason: DisconnectReason) {
        let text = reason.to_string();
        let _ = self.ending.set(reason);
        self.conn.close(code.into(), text.as_bytes());
    }

    /// Sends what is queued, waits a moment until it is acknowledged, then closes.
    pub fn finish(&self, code: CloseCode, reason: DisconnectReason) {
        if self.ending.set(reason.clone()).is_ok() && self.out.try_send(Out::Close(code)).is_err() {
            self.conn.close(code.into(), reason.to_string().as_bytes());
        }
    }

    /// Hands over to another connection to the same peer without telling anybody.
    pub fn retire(&self) {
        self.quiet.store(true, Ordering::Relaxed);
        self.finish(CloseCode::Duplicate, DisconnectReason::Replaced);
    }

    /// Waits until the link has come at least as far as `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut watch = self.phase.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = watch.wait_for(|now| *now >= phase).await;
    }

    fn why_over(&self) -> DisconnectReason {
        match self.conn.close_reason() {
            Some(ConnectionError::LocallyClosed) | None => {
                self.ending.get().cloned().unwrap_or(DisconnectReason::Local)
            }
            Some(error) => reason_of(&error),
        }
    }
}

/// What the other side, or the lack of it, says about the end.
pub(super) fn reason_of(error: &ConnectionError) -> DisconnectReason {
    let ConnectionError::ApplicationClosed(close) = error else {
        return match error {
            ConnectionError::TimedOut => DisconnectReason::TimedOut,
            ConnectionError::Reset => DisconnectReason::Lost("the peer was restarted".into()),
            other => DisconnectReason::Lost(other.to_string()),
        };
    };
    let text: String = String::from_utf8_lossy(&close.reason)
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect();
    match close.error_code.into_inner() {
        0 => DisconnectReason::Goodbye,
        1 => DisconnectReason::Accused(text),
        2 => DisconnectReason::BannedByPeer,
        3 => DisconnectReason::Replaced,
        4 => DisconnectReason::Lost("the peer found this node too slow".into()),
        _ => DisconnectReason::Lost(text),
    }
}

/// The life of one link, from its announcement to its end.
pub(super) async fn run(shared: Arc<Shared>, link: Arc<Link>, start: Start, queues: Queues) {
    let Queues { out, bulk } = queues;
    let handover = start.after.clone().filter(|_| !start.announce);
    let writer = tokio::spawn(write_control(Arc::clone(&shared), Arc::clone(&link), out, handover));
    let bulk_writer = tokio::spawn(write_bulk(link.conn.clone(), bulk));
    if let Some(after) = &start.after {
        let phase = if start.announce { Phase::Over } else { Phase::Announced };
        after.reached(phase).await;
    }
    if start.announce {
        tracing::debug!(peer = %link.peer.short(), dialled = link.dialled, "connected");
        let connected = NetEvent::Connected {
            peer: link.peer,
            remote: link.remote(),
            dialled: link.dialled,
        };
        let _ = shared.events.send(connected).await;
    }
    link.phase.send_replace(Phase::Announced);
    let control = match start.control {
        Some((control, hello)) => {
            greet(&shared, link.peer, hello, Some(&link)).await;
            Some(control)
        }
        None => None,
    };
    if let Err(fault) = read(&shared, link.peer, &link.conn, control, Some(&link)).await {
        let _ = link.ending.set(DisconnectReason::Protocol(fault.to_string()));
    }
    writer.abort();
    bulk_writer.abort();
    farewell(&shared, &link).await;
    drop(start.slot);
}

async fn farewell(shared: &Shared, link: &Arc<Link>) {
    let reason = link.why_over();
    tracing::debug!(peer = %link.peer.short(), %reason, "disconnected");
    let quiet = link.quiet.load(Ordering::Relaxed);
    if !quiet {
        let _ = shared
            .events
            .send(NetEvent::Disconnected {
                peer: link.peer,
                reason,
            })
            .await;
    }
    {
        let mut table = shared.table();
        table.past += (&link.conn.stats()).into();
        if table
            .links
            .get(&link.peer)
            .is_some_and(|current| Arc::ptr_eq(current, link))
        {
            table.links.remove(&link.peer);
            table.observed.remove(&link.peer);
        }
    }
    link.phase.send_replace(Phase::Over);
}

/// Reads a connection that lost against `beside` until its dialler has emptied it.
pub(super) async fn linger(shared: Arc<Shared>, conn: Connection, control: RecvStream, beside: Arc<Link>) {
    beside.reached(Phase::Announced).await;
    tokio::select! {
        _ = read(&shared, beside.peer, &conn, Some(control), None) => {}
        () = beside.reached(Phase::Over) => {}
        () = tokio::time::sleep(LINGER) => {}
    }
    conn.close(CloseCode::Duplicate.into(), b"");
}

/// Opens the ordered stream of this side, with its hello, and writes what is queued until told to close.
async fn write_control(
    shared: Arc<Shared>,
    link: Arc<Link>,
    mut queue: mpsc::Receiver<Out>,
    handover: Option<Arc<Link>>,
) -> Option<()> {
    let mut stream = link.conn.open_uni().await.ok()?;
    let _ = stream.set_priority(1);
    let hello = Hello {
        instance: shared.instance,
        observed: link.remote(),
    };
    let mut buffer = BytesMut::new();
    buffer.put_u8(STREAM_CONTROL);
    put_frame(&mut buffer, NET_TAG, &hello.encode());
    stream.write_chunk(buffer.split().freeze()).await.ok()?;
    if let Some(earlier) = handover {
        // What was queued on the earlier connection arrives first.
        let _ = timeout(FLUSH_TIMEOUT, earlier.reached(Phase::Over)).await;
    }
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(out) = next {
            match out {
                Out::Message(tag, message) => put_frame(&mut buffer, tag, &message),
                Out::Close(code) => {
                    stream.write_chunk(buffer.split().freeze()).await.ok()?;
                    return say_goodbye(&link, stream, code).await;
                }
            }
            next = if buffer.len() < WRITE_GATHER_BYTES {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        stream.write_chunk(buffer.split().freeze()).await.ok()?;
    }
    None
}

async fn say_goodbye(link: &Link, mut stream: SendStream, code: CloseCode) -> Option<()> {
    let _ = stream.finish();
    let _ = timeout(FLUSH_TIMEOUT, stream.stopped()).await;
    link.conn.close(code.into(), b"");
    None
}

async fn write_bulk(conn: Connection, mut queue: mpsc::Receiver<(Instant, Bytes)>) -> Option<()> {
    while let Some((queued, frame)) = queue.recv().await {
        if queued.elapsed() > BULK_AGE_MAX {
            continue;
        }
        let mut stream = conn.open_uni().await.ok()?;
        stream.write_chunk(frame).await.ok()?;
        let _ = stream.finish();
    }
    None
}
