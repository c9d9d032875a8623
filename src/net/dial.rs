//! Reaching a peer at any of several addresses: they are tried one after another with a short stagger, the first wins.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::net::addrs::{canonical, dialable};
use crate::net::event::{DialError, DisconnectReason, NetEvent};
use crate::net::link::{self, CloseCode, Link, Start, reason_of};
use crate::net::table::{Dialling, Shared, Verdict};
use crate::net::tls;
use crate::net::transport::HANDSHAKE_TIMEOUT;
use crate::units::PeerId;

/// Pause before the next address of a dial is tried too (RFC 8305 recommends 100 ms to 2 s).
const STAGGER: Duration = Duration::from_millis(150);
/// Silence at an address after which it is given up; what is sent to it until then [`super::unheard`] tells.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Dials at once.
const DIALS_MAX: usize = 64;
/// Addresses of one dial that are tried: two of each kind that a record may hold.
const DIAL_ADDRS_MAX: usize = 8;

/// Starts a dial. It ends in exactly one event: connected, connected already, or failed; a dial that another one in
/// progress makes needless shares its event.
pub(super) fn begin(shared: &Arc<Shared>, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
    let now = Instant::now();
    let mut table = shared.table();
    if table.closing || peer.is_some_and(|peer| table.dials.values().any(|dial| dial.peer == Some(peer))) {
        return;
    }
    let mut targets: Vec<SocketAddr> = Vec::new();
    for addr in addrs
        .iter()
        .copied()
        .map(canonical)
        .filter(|addr| dialable(*addr, shared.socket))
    {
        if !targets.contains(&addr) && targets.len() < DIAL_ADDRS_MAX {
            targets.push(addr);
        }
    }
    let in_progress = |addr: &SocketAddr| table.dials.values().any(|dial| dial.addrs.contains(addr));
    if peer.is_none() && !targets.is_empty() && targets.iter().all(in_progress) {
        return;
    }
    let failed = |why| NetEvent::DialFailed {
        peer,
        addrs: addrs.clone(),
        why,
    };
    let answer = match peer {
        Some(peer) if peer == shared.me => Some(failed(DialError::Itself)),
        Some(peer) if table.is_banned(peer, now) => Some(failed(DialError::Banned)),
        Some(peer) if table.live(peer).is_some() => Some(NetEvent::AlreadyConnected {
            peer,
            addrs: addrs.clone(),
        }),
        Some(_) | None if targets.is_empty() => Some(failed(DialError::NoAddress)),
        Some(_) | None if table.dials.len() >= DIALS_MAX => Some(failed(DialError::TooMany)),
        Some(_) | None => None,
    };
    if let Some(answer) = answer {
        let events = shared.events.clone();
        tokio::spawn(async move { events.send(answer).await });
        return;
    }
    table.dials_begun += 1;
    let id = table.dials_begun;
    // The task cannot look for its entry before the lock is released.
    let task = tokio::spawn(run(Arc::clone(shared), id, peer, targets.clone())).abort_handle();
    table.dials.insert(
        id,
        Dialling {
            peer,
            addrs: targets,
            task: Some(task),
        },
    );
}

async fn run(shared: Arc<Shared>, id: u64, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
    let answer = match race(&shared, peer, &addrs).await {
        Ok((conn, found)) => admit(&shared, id, conn, found, &addrs),
        Err(why) => {
            shared.table().dials.remove(&id);
            tracing::debug!(peer = ?peer, %why, "a dial came to nothing");
            Some(NetEvent::DialFailed { peer, addrs, why })
        }
    };
    if let Some(answer) = answer {
        let _ = shared.events.send(answer).await;
    }
}

/// Registers a connection that this node opened; the answer to the dial unless the new link gives it.
fn admit(shared: &Arc<Shared>, id: u64, conn: Connection, peer: PeerId, addrs: &[SocketAddr]) -> Option<NetEvent> {
    let addrs = addrs.to_vec();
    let mut table = shared.table();
    table.dials.remove(&id);
    let failed = |why| {
        Some(NetEvent::DialFailed {
            peer: Some(peer),
            addrs: addrs.clone(),
            why,
        })
    };
    let after = match table.judge(shared.me, peer, true, None, Instant::now()) {
        Verdict::Welcome { after } => after,
        Verdict::Duplicate | Verdict::Swap { .. } | Verdict::Linger { .. } => {
            conn.close(CloseCode::Duplicate.into(), b"");
            return Some(NetEvent::AlreadyConnected { peer, addrs });
        }
        Verdict::Itself => {
            conn.close(CloseCode::Itself.into(), b"");
            return failed(DialError::Itself);
        }
        Verdict::Banned => {
            conn.close(CloseCode::Banned.into(), b"");
            return failed(DialError::Banned);
        }
        Verdict::Closing => return None,
    };
    let (link, queues) = Link::new(peer, conn, true, None);
    table.links.insert(peer, Arc::clone(&link));
    drop(table);
    let start = Start {
        after,
        announce: true,
        control: None,
        slot: None,
    };
    tokio::spawn(link::run(Arc::clone(shared), link, start, queues));
    None
}

/// The first address where the wanted peer (or anybody, when none is named) completes the handshake.
async fn race(
    shared: &Arc<Shared>,
    wanted: Option<PeerId>,
    addrs: &[SocketAddr],
) -> Result<(Connection, PeerId), DialError> {
    let mut attempts = JoinSet::new();
    let mut rest = addrs.iter().copied();
    let mut why = DialError::NoAddress;
    let mut more = true;
    loop {
        if more {
            match rest.next() {
                Some(addr) => {
                    attempts.spawn(attempt(Arc::clone(shared), addr));
                }
                None => more = false,
            }
        }
        if attempts.is_empty() && !more {
            return Err(why);
        }
        let done = tokio::select! {
            Some(done) = attempts.join_next() => done,
            () = sleep(STAGGER), if more => continue,
        };
        let failure = match done {
            Ok(Ok((conn, peer))) if wanted.is_none_or(|wanted| wanted == peer) => return Ok((conn, peer)),
            Ok(Ok((conn, peer))) => {
                conn.close(CloseCode::Goodbye.into(), b"");
                if peer == shared.me {
                    DialError::Itself
                } else {
                    DialError::WrongPeer(peer)
                }
            }
            Ok(Err(failure)) => failure,
            Err(_) => continue,
        };
        // Silence at one address says less than an answer at another.
        if matches!(why, DialError::NoAddress | DialError::TimedOut) {
            why = failure;
        }
    }
}

async fn attempt(shared: Arc<Shared>, addr: SocketAddr) -> Result<(Connection, PeerId), DialError> {
    let failed = |error: &dyn std::fmt::Display| DialError::Failed(error.to_string());
    if !shared.table().is_at(addr) {
        shared.unheard.begin(addr, ANSWER_TIMEOUT);
    }
    let connecting = shared
        .quinn
        .connect_with(shared.client.clone(), addr, "inonda")
        .map_err(|error| failed(&error))?;
    let handshake = async {
        let mut connecting = connecting;
        if timeout(ANSWER_TIMEOUT, connecting.handshake_data()).await.is_err() {
            return Err(ConnectionError::TimedOut);
        }
        shared.unheard.heard(addr);
        connecting.await
    };
    let conn = match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(conn)) => conn,
        Err(_) | Ok(Err(ConnectionError::TimedOut)) => return Err(DialError::TimedOut),
        Ok(Err(ConnectionError::ConnectionClosed(close))) if tls::is_other_version(close.error_code) => {
            return Err(DialError::OtherVersion);
        }
        Ok(Err(ConnectionError::ConnectionClosed(close))) => return Err(DialError::Refused(close.to_string())),
        Ok(Err(error @ ConnectionError::ApplicationClosed(_))) => {
            return Err(match reason_of(&error) {
                DisconnectReason::BannedByPeer => DialError::Refused("banned for now".into()),
                reason => DialError::Refused(reason.to_string()),
            });
        }
        Ok(Err(error)) => return Err(failed(&error)),
    };
    match tls::peer_of(&conn) {
        Some(peer) => Ok((conn, peer)),
        None => Err(failed(&"no key in the handshake")),
    }
}
