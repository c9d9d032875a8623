//! What a peer sends on one connection: the ordered stream, long messages on streams of their own, datagrams.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{Connection, RecvStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::net::event::NetEvent;
use crate::net::framing::{
    FRAME_MAX_BYTES, FrameError, Hello, NET_TAG, STREAM_BULK, STREAM_CONTROL, Tag, frame_length, split,
};
use crate::net::link::{CloseCode, Link};
use crate::net::table::Shared;
use crate::units::PeerId;

/// A stream that brings one long message has to end within this time.
const BULK_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads everything until the connection is over; a fault closes it.
pub(super) async fn read(
    shared: &Shared,
    peer: PeerId,
    conn: &Connection,
    control: Option<RecvStream>,
    link: Option<&Link>,
) -> Result<(), FrameError> {
    let closing = |result: Result<(), FrameError>| {
        if let Err(fault) = result {
            conn.close(CloseCode::Protocol.into(), fault.to_string().as_bytes());
        }
        result
    };
    let (streams, datagrams) = tokio::join!(
        async { closing(read_streams(shared, peer, conn, control, link).await) },
        async { closing(read_datagrams(shared, peer, conn).await) },
    );
    streams.and(datagrams)
}

async fn read_datagrams(shared: &Shared, peer: PeerId, conn: &Connection) -> Result<(), FrameError> {
    while let Ok(datagram) = conn.read_datagram().await {
        tell(shared, peer, split(datagram)?).await?;
    }
    Ok(())
}

/// The ordered stream comes first; each further stream is one long message. Bounded by the streams QUIC lets a peer open.
async fn read_streams(
    shared: &Shared,
    peer: PeerId,
    conn: &Connection,
    control: Option<RecvStream>,
    link: Option<&Link>,
) -> Result<(), FrameError> {
    let control = match control {
        Some(control) => control,
        None => {
            let Some((control, hello)) = accept_hello(conn).await? else {
                return Ok(());
            };
            greet(shared, peer, hello, link).await;
            control
        }
    };
    let ordered = read_control(shared, peer, control);
    let bulk = async {
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                stream = conn.accept_uni() => match stream {
                    Ok(stream) => { streams.spawn(read_bulk(stream)); }
                    Err(_) => break,
                },
                Some(read) = streams.join_next(), if !streams.is_empty() => {
                    if let Some(frame) = read.unwrap_or(Ok(None))? {
                        tell(shared, peer, split(frame)?).await?;
                    }
                }
            }
        }
        Ok(())
    };
    // A fault on either side ends both.
    tokio::try_join!(ordered, bulk).map(|_| ())
}

async fn read_control(shared: &Shared, peer: PeerId, mut stream: RecvStream) -> Result<(), FrameError> {
    while let Some(frame) = read_frame(&mut stream).await? {
        tell(shared, peer, split(frame)?).await?;
    }
    Ok(())
}

/// One frame of an ordered stream; `None` at its end, however it ended.
async fn read_frame(stream: &mut RecvStream) -> Result<Option<Bytes>, FrameError> {
    let mut header = [0; 2];
    if stream.read_exact(&mut header).await.is_err() {
        return Ok(None);
    }
    let mut frame = BytesMut::zeroed(frame_length(header)?);
    match stream.read_exact(&mut frame).await {
        Ok(()) => Ok(Some(frame.freeze())),
        Err(_) => Ok(None),
    }
}

async fn read_bulk(mut stream: RecvStream) -> Result<Option<Bytes>, FrameError> {
    let frame = match timeout(BULK_READ_TIMEOUT, stream.read_to_end(1 + FRAME_MAX_BYTES)).await {
        Ok(Ok(frame)) => frame,
        Ok(Err(quinn::ReadToEndError::TooLong)) => return Err(FrameError::Length),
        Ok(Err(quinn::ReadToEndError::Read(_))) | Err(_) => return Ok(None),
    };
    match frame.first() {
        Some(&STREAM_BULK) => Ok(Some(Bytes::from(frame).slice(1..))),
        Some(&STREAM_CONTROL) => Err(FrameError::SecondControl),
        Some(_) | None => Err(FrameError::StreamKind),
    }
}

/// Waits for the peer's ordered stream and its hello; `None` when the connection ended before.
pub(super) async fn accept_hello(conn: &Connection) -> Result<Option<(RecvStream, Hello)>, FrameError> {
    let Ok(mut stream) = conn.accept_uni().await else {
        return Ok(None);
    };
    let mut kind = [0];
    if stream.read_exact(&mut kind).await.is_err() {
        return Ok(None);
    }
    if kind != [STREAM_CONTROL] {
        return Err(FrameError::StreamKind);
    }
    let Some(frame) = read_frame(&mut stream).await? else {
        return Ok(None);
    };
    match split(frame)? {
        (NET_TAG, hello) => Ok(Some((stream, Hello::decode(&hello)?))),
        _ => Err(FrameError::Hello),
    }
}

/// Keeps what a peer's hello said.
pub(super) async fn greet(shared: &Shared, peer: PeerId, hello: Hello, link: Option<&Link>) {
    if let Some(link) = link {
        let _ = link.instance.set(hello.instance);
    }
    let addr = hello.observed;
    let known = shared.table().observed.insert(peer, addr);
    if known != Some(addr) && !addr.ip().is_unspecified() && addr.port() != 0 {
        let _ = shared.events.send(NetEvent::Observed { peer, addr }).await;
    }
}

async fn tell(shared: &Shared, peer: PeerId, (tag, bytes): (Tag, Bytes)) -> Result<(), FrameError> {
    if tag == NET_TAG {
        return Err(FrameError::ReservedTag);
    }
    // Waiting here is what slows a peer down: QUIC's own bounded buffers fill, and the oldest datagrams go.
    let _ = shared.events.send(NetEvent::Message { peer, tag, bytes }).await;
    Ok(())
}
