//! Letting others in: few handshakes at once, proof of address under load, a share for each prefix.

use std::sync::Arc;

use quinn::{Connection, Incoming, RecvStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::net::addrs::canonical;
use crate::net::ask::Line;
use crate::net::event::DisconnectReason;
use crate::net::framing::{FrameError, Hello};
use crate::net::link::{self, CloseCode, Link, Start};
use crate::net::table::{PrefixSlot, Shared, Verdict};
use crate::net::tls;
use crate::net::transport::HANDSHAKE_TIMEOUT;
use crate::units::PeerId;

/// Handshakes at once; each costs about 1.5 ms of a core.
pub(super) const HANDSHAKES_MAX: usize = 64;
/// From so many handshakes on, strangers first prove with a QUIC Retry that they receive at their address.
const RETRY_FROM: usize = 16;

const _: () = assert!(RETRY_FROM < HANDSHAKES_MAX);

/// Accepts until the endpoint is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Some(incoming) = shared.quinn.accept().await {
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            incoming.ignore();
            continue;
        };
        let under_load = handshakes.available_permits() + RETRY_FROM < HANDSHAKES_MAX;
        if under_load && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            continue;
        }
        match shared.enter_prefix(canonical(incoming.remote_address()).ip()) {
            Some(slot) => {
                tokio::spawn(accept(Arc::clone(&shared), incoming, permit, slot));
            }
            None => incoming.refuse(),
        }
    }
}

async fn accept(shared: Arc<Shared>, incoming: Incoming, permit: OwnedSemaphorePermit, slot: PrefixSlot) -> Option<()> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let conn = timeout_at(deadline, incoming.accept().ok()?).await.ok()?.ok()?;
    let peer = tls::peer_of(&conn)?;
    if tls::is_ask(&conn) {
        return match shared.hand_over(Line::accepted(conn, peer, slot)) {
            Ok(()) => Some(()),
            Err(line) => {
                line.close();
                None
            }
        };
    }
    let (control, hello) = match timeout_at(deadline, crate::net::reading::accept_hello(&conn)).await {
        Ok(Ok(hello)) => hello?,
        Ok(Err(fault)) => return refuse(&conn, CloseCode::Protocol, &fault.to_string()),
        Err(_) => return refuse(&conn, CloseCode::Protocol, &FrameError::NoHello.to_string()),
    };
    drop(permit);
    admit(
        shared,
        Newcomer {
            conn,
            peer,
            control,
            hello,
            slot,
        },
    )
}

fn refuse(conn: &Connection, code: CloseCode, text: &str) -> Option<()> {
    tracing::debug!(text, "refused a connection");
    conn.close(code.into(), text.as_bytes());
    None
}

/// An authenticated connection whose dialler has said hello.
struct Newcomer {
    conn: Connection,
    peer: PeerId,
    control: RecvStream,
    hello: Hello,
    slot: PrefixSlot,
}

fn admit(shared: Arc<Shared>, newcomer: Newcomer) -> Option<()> {
    let Newcomer {
        conn,
        peer,
        control,
        hello,
        slot,
    } = newcomer;
    let mut table = shared.table();
    let (after, announce) = match table.judge(shared.me, peer, false, Some(hello.instance), Instant::now()) {
        Verdict::Welcome { after } => {
            if let Some(earlier) = &after {
                earlier.abort(CloseCode::Duplicate, DisconnectReason::Replaced);
            }
            (after, true)
        }
        Verdict::Swap { from } => {
            from.retire();
            (Some(from), false)
        }
        Verdict::Linger { beside } => {
            tokio::spawn(link::linger(Arc::clone(&shared), conn, control, beside));
            return None;
        }
        Verdict::Banned => return refuse(&conn, CloseCode::Banned, "banned for now"),
        Verdict::Itself => return refuse(&conn, CloseCode::Itself, "this is yourself"),
        Verdict::Closing | Verdict::Duplicate => return refuse(&conn, CloseCode::Goodbye, ""),
    };
    let (link, queues) = Link::new(peer, conn, false, Some(hello.instance));
    table.links.insert(peer, Arc::clone(&link));
    // A dial to the same peer is answered by this connection.
    for (_, dial) in table.dials.extract_if(|_, dial| dial.peer == Some(peer)) {
        if let Some(task) = dial.task {
            task.abort();
        }
    }
    drop(table);
    let start = Start {
        after,
        announce,
        control: Some((control, hello)),
        slot: Some(slot),
    };
    tokio::spawn(link::run(shared, link, start, queues));
    Some(())
}
