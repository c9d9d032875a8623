//! Who is connected, being dialled or banned: the one place where the network's state is shared, behind one short lock.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::net::addrs;
use crate::net::ask::Line;
use crate::net::endpoint::Traffic;
use crate::net::event::NetEvent;
use crate::net::link::Link;
use crate::net::unheard::Unheard;
use crate::units::PeerId;

/// Bans kept at once; the one that ends first makes room.
const BANS_MAX: usize = 4_096;
/// Accepted connections, handshakes included, from one public /24 or /48.
const PREFIX_CONNECTIONS_MAX: usize = 16;
/// Lines that wait for somebody to hear their questions.
const LINES_WAITING_MAX: usize = 64;
/// Two connections between the same peers that begin within this time may be two dials that met; a later one means that
/// the peer has given up the earlier. At least the time a handshake may take.
const SIMULTANEOUS: Duration = Duration::from_secs(5);

/// What every task of one endpoint shares.
pub(super) struct Shared {
    pub me: PeerId,
    /// Random for each run; part of the hello.
    pub instance: [u8; 8],
    /// Where the socket is bound.
    pub socket: SocketAddr,
    pub quinn: quinn::Endpoint,
    pub unheard: Arc<Unheard>,
    pub client: quinn::ClientConfig,
    pub asker: quinn::ClientConfig,
    pub events: mpsc::Sender<NetEvent>,
    table: Mutex<Table>,
    lines: Mutex<Option<mpsc::Sender<Line>>>,
    prefixes: Mutex<HashMap<[u8; 6], usize>>,
}

/// The shared state proper.
#[derive(Default)]
pub(super) struct Table {
    pub links: HashMap<PeerId, Arc<Link>>,
    pub dials: HashMap<u64, Dialling>,
    pub dials_begun: u64,
    /// Until when.
    bans: HashMap<PeerId, Instant>,
    /// At which address each connected peer sees this node.
    pub observed: HashMap<PeerId, SocketAddr>,
    /// Of connections that are over.
    pub past: Traffic,
    pub closing: bool,
}

/// One dial in progress.
pub(super) struct Dialling {
    pub peer: Option<PeerId>,
    pub addrs: Vec<SocketAddr>,
    pub task: Option<AbortHandle>,
}

/// What becomes of a new connection.
pub(super) enum Verdict {
    /// It stands, once the earlier one, if any, is over and told.
    Welcome {
        after: Option<Arc<Link>>,
    },
    /// It takes the place of a dial of ours that met it; nobody is told.
    Swap {
        from: Arc<Link>,
    },
    /// A dial of ours that met it stays; it is only read until its dialler has emptied it.
    Linger {
        beside: Arc<Link>,
    },
    /// We dialled a peer that is connected.
    Duplicate,
    Itself,
    Banned,
    Closing,
}

impl Shared {
    pub fn new(
        me: PeerId,
        instance: [u8; 8],
        socket: SocketAddr,
        quinn: quinn::Endpoint,
        unheard: Arc<Unheard>,
        (client, asker): (quinn::ClientConfig, quinn::ClientConfig),
        events: mpsc::Sender<NetEvent>,
    ) -> Shared {
        Shared {
            me,
            instance,
            socket,
            quinn,
            unheard,
            client,
            asker,
            events,
            table: Mutex::default(),
            lines: Mutex::default(),
            prefixes: Mutex::default(),
        }
    }

    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts lines from now on.
    pub fn hear_lines(&self) -> mpsc::Receiver<Line> {
        let (sender, receiver) = mpsc::channel(LINES_WAITING_MAX);
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Hands a line to whoever hears them; gives it back when nobody does.
    pub fn hand_over(&self, line: Line) -> Result<(), Line> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.as_ref() {
            Some(lines) => lines.try_send(line).map_err(mpsc::error::TrySendError::into_inner),
            None => Err(line),
        }
    }

    /// Counts one accepted connection of a public prefix; `None` when the prefix has its share.
    pub fn enter_prefix(self: &Arc<Shared>, ip: IpAddr) -> Option<PrefixSlot> {
        let prefix = addrs::prefix(ip);
        if let Some(prefix) = prefix {
            let mut counts = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(prefix).or_default();
            if *count >= PREFIX_CONNECTIONS_MAX {
                return None;
            }
            *count += 1;
        }
        Some(PrefixSlot {
            prefix,
            shared: Arc::clone(self),
        })
    }
}

/// Counts as one connection of its prefix until dropped.
pub(super) struct PrefixSlot {
    prefix: Option<[u8; 6]>,
    shared: Arc<Shared>,
}

impl Drop for PrefixSlot {
    fn drop(&mut self) {
        let Some(prefix) = self.prefix else { return };
        let mut counts = self.shared.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&prefix);
            }
        }
    }
}

impl Table {
    /// The connection to `peer`, if messages can still be sent on it.
    pub fn live(&self, peer: PeerId) -> Option<&Arc<Link>> {
        self.links.get(&peer).filter(|link| link.is_live())
    }

    /// Whether somebody is connected who is at this address.
    pub fn is_at(&self, addr: SocketAddr) -> bool {
        self.links.values().any(|link| link.remote() == addr)
    }

    /// Refuses `peer` until `until`.
    pub fn ban(&mut self, peer: PeerId, until: Instant, now: Instant) {
        self.bans.retain(|_, end| *end > now);
        if self.bans.len() >= BANS_MAX
            && let Some(first) = self.bans.iter().min_by_key(|(_, end)| **end).map(|(peer, _)| *peer)
        {
            self.bans.remove(&first);
        }
        self.bans.insert(peer, until);
    }

    /// Whether `peer` is refused at this moment.
    pub fn is_banned(&self, peer: PeerId, now: Instant) -> bool {
        self.bans.get(&peer).is_some_and(|end| *end > now)
    }

    /// Decides about a connection that has just been authenticated. `instance` is what an accepted one said in its hello.
    pub fn judge(&self, me: PeerId, peer: PeerId, dialled: bool, instance: Option<[u8; 8]>, now: Instant) -> Verdict {
        if self.closing {
            return Verdict::Closing;
        }
        if peer == me {
            return Verdict::Itself;
        }
        if self.is_banned(peer, now) {
            return Verdict::Banned;
        }
        let Some(existing) = self.links.get(&peer) else {
            return Verdict::Welcome { after: None };
        };
        let existing = Arc::clone(existing);
        if !existing.is_live() {
            return Verdict::Welcome { after: Some(existing) };
        }
        if dialled {
            return Verdict::Duplicate;
        }
        let restarted = existing.instance().is_some_and(|known| Some(known) != instance);
        let old = now.duration_since(existing.since) > SIMULTANEOUS;
        if restarted || old || !existing.dialled {
            return Verdict::Welcome { after: Some(existing) };
        }
        if me < peer {
            Verdict::Linger { beside: existing }
        } else {
            Verdict::Swap { from: existing }
        }
    }
}
