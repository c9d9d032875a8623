//! Single questions and their answers, on the same UDP port as the mesh but on connections of their own.
//!
//! A line is a connection on which either side may ask: a question is one stream with one frame, the answer comes back on
//! the same stream as any number of frames. QUIC's flow control paces long answers. A frame is a length (u16, big endian)
//! and so many bytes, at most [`ASK_FRAME_MAX_BYTES`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use crate::limits::ASK_FRAME_MAX_BYTES;
use crate::net::addrs::{canonical, dialable};
use crate::net::event::DialError;
use crate::net::link::CloseCode;
use crate::net::table::{PrefixSlot, Shared};
use crate::net::tls;
use crate::net::transport::{HANDSHAKE_TIMEOUT, QUESTIONS_MAX};
use crate::units::PeerId;

/// A question is one frame and comes at once.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause within an answer; questions that wait for news are answered within 30 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// Frames gathered into one write.
const GATHER_BYTES: usize = 32 * 1_024;

/// A question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("the connection is over: {0}")]
    Over(String),
    #[error("no answer in time")]
    TimedOut,
    #[error("an answer that cannot be read")]
    Unreadable,
}

/// A connection for questions. The last clone dropped closes it.
#[derive(Clone)]
pub struct Line {
    conn: Connection,
    peer: PeerId,
    /// Counts as one connection of its network as long as it lives.
    _slot: Option<Arc<PrefixSlot>>,
}

/// The answer to a question, frame by frame.
pub struct Answer {
    stream: RecvStream,
}

/// A question of the other side.
pub struct Question {
    pub bytes: Bytes,
    stream: SendStream,
    gathered: BytesMut,
}

/// Dials somebody to ask.
pub(super) async fn dial(shared: &Shared, addr: SocketAddr) -> Result<Line, DialError> {
    let addr = canonical(addr);
    if !dialable(addr, shared.socket) {
        return Err(DialError::NoAddress);
    }
    let failed = |error: &dyn std::fmt::Display| DialError::Failed(error.to_string());
    let connecting = shared
        .quinn
        .connect_with(shared.asker.clone(), addr, "inonda")
        .map_err(|error| failed(&error))?;
    let conn = match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(ConnectionError::ConnectionClosed(close))) if tls::is_other_version(close.error_code) => {
            return Err(DialError::OtherVersion);
        }
        Ok(Err(error)) => return Err(failed(&error)),
        Err(_) => return Err(DialError::TimedOut),
    };
    let peer = tls::peer_of(&conn).ok_or_else(|| failed(&"no key in the handshake"))?;
    if peer == shared.me {
        conn.close(CloseCode::Itself.into(), b"");
        return Err(DialError::Itself);
    }
    Ok(Line {
        conn,
        peer,
        _slot: None,
    })
}

impl Line {
    pub(super) fn accepted(conn: Connection, peer: PeerId, slot: PrefixSlot) -> Line {
        conn.set_max_concurrent_bi_streams(VarInt::from_u32(QUESTIONS_MAX));
        conn.set_max_concurrent_uni_streams(VarInt::from_u32(0));
        conn.set_send_window(1 << 20);
        Line {
            conn,
            peer,
            _slot: Some(Arc::new(slot)),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where the other end is.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.conn.remote_address())
    }

    /// Whether nothing can be asked any more.
    pub fn is_over(&self) -> bool {
        self.conn.close_reason().is_some()
    }

    /// Asks; the answer is read from what comes back.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn ask(&self, question: &[u8]) -> Result<Answer, AskError> {
        debug_assert!(question.len() <= ASK_FRAME_MAX_BYTES);
        let (mut send, stream) = self.conn.open_bi().await.map_err(|error| over(&error))?;
        let mut frame = BytesMut::new();
        put(&mut frame, question);
        send.write_chunk(frame.freeze()).await.map_err(|error| over(&error))?;
        let _ = send.finish();
        Ok(Answer { stream })
    }

    /// Asks what is answered with one frame.
    ///
    /// # Errors
    /// When the connection is over or the answer is none.
    pub async fn ask_once(&self, question: &[u8]) -> Result<Bytes, AskError> {
        self.ask(question).await?.frame().await?.ok_or(AskError::Unreadable)
    }

    /// The next question of the other side; `None` when the connection is over.
    pub async fn question(&self) -> Option<Question> {
        loop {
            let (stream, mut receive) = self.conn.accept_bi().await.ok()?;
            if let Ok(Ok(Some(bytes))) = timeout(QUESTION_TIMEOUT, read(&mut receive)).await {
                return Some(Question {
                    bytes,
                    stream,
                    gathered: BytesMut::new(),
                });
            }
        }
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.conn.close(CloseCode::Goodbye.into(), b"");
    }
}

impl Answer {
    /// The next frame; `None` at the end of the answer.
    ///
    /// # Errors
    /// When the connection ends or nothing comes for too long.
    pub async fn frame(&mut self) -> Result<Option<Bytes>, AskError> {
        timeout(ANSWER_TIMEOUT, read(&mut self.stream))
            .await
            .unwrap_or(Err(AskError::TimedOut))
    }
}

impl Question {
    /// Adds a frame to the answer.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    pub async fn answer(&mut self, frame: &[u8]) -> Result<(), AskError> {
        put(&mut self.gathered, frame);
        if self.gathered.len() >= GATHER_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// As [`Question::answer`].
    pub async fn finish(mut self) -> Result<(), AskError> {
        self.flush().await?;
        let _ = self.stream.finish();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), AskError> {
        let bytes = self.gathered.split().freeze();
        self.stream.write_chunk(bytes).await.map_err(|error| over(&error))
    }
}

fn over(error: &dyn std::fmt::Display) -> AskError {
    AskError::Over(error.to_string())
}

fn put(out: &mut BytesMut, frame: &[u8]) {
    debug_assert!(frame.len() <= ASK_FRAME_MAX_BYTES);
    out.reserve(2 + frame.len());
    out.put_u16(frame.len() as u16);
    out.put_slice(frame);
}

async fn read(stream: &mut RecvStream) -> Result<Option<Bytes>, AskError> {
    let mut header = [0; 2];
    match stream.read_exact(&mut header).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(over(&error)),
    }
    let length = usize::from(u16::from_be_bytes(header));
    if length > ASK_FRAME_MAX_BYTES {
        return Err(AskError::Unreadable);
    }
    let mut frame = BytesMut::zeroed(length);
    stream.read_exact(&mut frame).await.map_err(|error| over(&error))?;
    Ok(Some(frame.freeze()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use crate::net::{Endpoint, Identity};

    fn endpoint() -> Endpoint {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Endpoint::bind(bind, &Identity::generate().unwrap()).unwrap().0
    }

    #[tokio::test]
    async fn both_ends_of_a_line_ask_and_long_answers_arrive_whole() {
        let (a, b) = (endpoint(), endpoint());
        let mut lines = b.lines();
        let line = a.ask(b.bound()).await.unwrap();
        let back = lines.recv().await.unwrap();
        assert_eq!((line.peer(), back.peer()), (b.peer(), a.peer()));
        let answering = tokio::spawn(async move {
            let mut question = back.question().await.unwrap();
            assert_eq!(&question.bytes[..], b"all");
            for n in 0..5_000_u32 {
                question.answer(&[n as u8; 700]).await.unwrap();
            }
            question.finish().await.unwrap();
            back.ask_once(b"and you").await.unwrap()
        });
        let mut answer = line.ask(b"all").await.unwrap();
        let mut frames = 0;
        while let Some(frame) = answer.frame().await.unwrap() {
            assert_eq!(frame.len(), 700);
            frames += 1;
        }
        assert_eq!(frames, 5_000);
        let mut question = line.question().await.unwrap();
        question.answer(b"well").await.unwrap();
        question.finish().await.unwrap();
        assert_eq!(&answering.await.unwrap()[..], b"well");
    }

    #[tokio::test]
    async fn who_hears_no_questions_refuses_the_line() {
        let (a, b) = (endpoint(), endpoint());
        let line = a.ask(b.bound()).await.unwrap();
        assert!(line.ask_once(b"hello").await.is_err());
    }
}
