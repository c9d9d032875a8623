//! The handle that the engine holds.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{AsyncUdpSocket, Runtime};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::MESSAGE_MAX_BYTES;
use crate::mesh::Delivery;
use crate::net::acks::Patient;
use crate::net::ask;
use crate::net::event::{DialError, DisconnectReason, NetError, NetEvent};
use crate::net::framing::{NET_TAG, Tag, datagram};
use crate::net::identity::Identity;
use crate::net::link::{CloseCode, Link, Phase};
use crate::net::rough::{Line, Rough};
use crate::net::table::Shared;
use crate::net::unheard::{Sparing, Unheard};
use crate::net::{accept, addrs, dial, tls, transport};
use crate::units::PeerId;

/// Events that may wait for the engine; beyond it the readers wait, and QUIC's buffers drop the oldest datagrams.
const EVENTS_MAX: usize = 1_024;
/// How long a closing endpoint waits for its last packets to leave.
const DRAIN: Duration = Duration::from_millis(100);

/// A node's socket and its connections. Clones share both; the last one dropped closes them without ceremony.
#[derive(Clone)]
pub struct Endpoint {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.table().closing = true;
        self.shared.quinn.close(CloseCode::Goodbye.into(), b"");
    }
}

/// A message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("not connected to this peer")]
    NotConnected,
    #[error("a message of {0} bytes; at most {max} are allowed", max = MESSAGE_MAX_BYTES)]
    TooLong(usize),
    #[error("the peer reads too slowly; the connection was closed")]
    Overflow,
}

/// The state of the path to one peer.
#[derive(Clone, Copy, Debug)]
pub struct PathStats {
    pub remote: SocketAddr,
    pub dialled: bool,
    /// Smoothed round-trip time, and the smallest seen.
    pub rtt: Duration,
    pub min_rtt: Duration,
    pub sent_packets: u64,
    pub lost_packets: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Bytes that may be in flight.
    pub window_bytes: u64,
    /// Largest UDP payload.
    pub mtu_bytes: u16,
    /// Time since the connection was authenticated.
    pub age: Duration,
}

/// UDP payload bytes of connections, everything included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub sent_packets: u64,
    pub received_packets: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.sent_packets += other.sent_packets;
        self.received_packets += other.received_packets;
    }
}

impl From<&quinn::ConnectionStats> for Traffic {
    fn from(stats: &quinn::ConnectionStats) -> Traffic {
        Traffic {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            sent_packets: stats.udp_tx.datagrams,
            received_packets: stats.udp_rx.datagrams,
        }
    }
}

impl Endpoint {
    /// Binds a socket and starts to accept. Must run within a tokio runtime, which then drives the connections.
    ///
    /// `[::]` accepts IPv4 and IPv6 where the system can, and becomes `0.0.0.0` where it knows no IPv6.
    ///
    /// # Errors
    /// When the address cannot be bound; the message names it and says what to do.
    pub fn bind(addr: SocketAddr, identity: &Identity) -> Result<(Endpoint, mpsc::Receiver<NetEvent>), NetError> {
        Endpoint::bind_at(addr, identity, None)
    }

    /// As [`Endpoint::bind`], at the end of a line that delays and loses what is sent.
    ///
    /// # Errors
    /// As [`Endpoint::bind`].
    pub fn bind_at(
        addr: SocketAddr,
        identity: &Identity,
        line: Option<Arc<dyn Line>>,
    ) -> Result<(Endpoint, mpsc::Receiver<NetEvent>), NetError> {
        let configs = tls::Configs::new(identity.signing_key())?;
        let transport = transport::config();
        let mut client = quinn::ClientConfig::new(Arc::new(Patient(Arc::new(configs.client))));
        client.transport_config(Arc::clone(&transport));
        let mut asker = quinn::ClientConfig::new(Arc::new(configs.asker));
        asker.transport_config(transport::asking());
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(Patient(Arc::new(configs.server))));
        server.transport_config(transport).max_incoming(accept::HANDSHAKES_MAX);
        let unheard = Arc::<Unheard>::default();
        let socket = match line {
            Some(line) => bind_rough(addr, line).map_err(|source| NetError::bind(addr, source))?,
            None => bind_socket(addr)?,
        };
        let quinn = open(socket, &unheard).map_err(|source| NetError::bind(addr, source))?;
        quinn.set_server_config(Some(server));
        let socket = quinn.local_addr().map_err(|source| NetError::bind(addr, source))?;
        let mut instance = [0; 8];
        getrandom::fill(&mut instance).map_err(NetError::tls)?;
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let shared = Arc::new(Shared::new(
            identity.peer(),
            instance,
            socket,
            quinn,
            unheard,
            (client, asker),
            events,
        ));
        tokio::spawn(accept::run(Arc::clone(&shared)));
        Ok((
            Endpoint {
                owner: Arc::new(Owner { shared }),
            },
            receiver,
        ))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// The name of this node.
    pub fn peer(&self) -> PeerId {
        self.shared().me
    }

    /// Where the socket is bound, with the real port.
    pub fn bound(&self) -> SocketAddr {
        self.shared().socket
    }

    /// Addresses of this machine at which the socket can be dialled, public ones first; loopback only when there is
    /// nothing else.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        addrs::of_this_machine(self.bound())
    }

    /// Where connected peers see this node, with how many say so, most votes first. Behind a router this is how others
    /// may reach it; a single peer's word is worth little.
    pub fn observed(&self) -> Vec<(SocketAddr, usize)> {
        let mut votes: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for addr in self.shared().table().observed.values() {
            *votes.entry(*addr).or_default() += 1;
        }
        let mut votes: Vec<_> = votes.into_iter().collect();
        votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        votes
    }

    /// Opens a line to somebody who answers questions, whoever it is.
    ///
    /// # Errors
    /// When nobody answers there, or not in time.
    pub async fn ask(&self, addr: SocketAddr) -> Result<ask::Line, DialError> {
        ask::dial(self.shared(), addr).await
    }

    /// The lines that others open to ask this node; they are refused until somebody takes this.
    pub fn lines(&self) -> mpsc::Receiver<ask::Line> {
        self.shared().hear_lines()
    }

    /// Connects to `peer` at the first of `addrs` that answers; without `peer`, to whoever answers.
    ///
    /// Ends in one event: `Connected`, `AlreadyConnected` or `DialFailed`. A dial to a peer, or to addresses, that are
    /// being dialled already adds nothing and shares the event of the earlier one.
    pub fn dial(&self, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
        dial::begin(self.shared(), peer, addrs);
    }

    /// Sends without ever waiting.
    ///
    /// A datagram that does not fit the path takes a stream of its own; when the buffer is full the oldest is dropped. An
    /// ordered message that finds its queue full ends the connection.
    ///
    /// # Errors
    /// When the peer is not connected, the message is too long, or the queue was full.
    ///
    /// # Panics
    /// In debug builds when `tag` is the network's own.
    pub fn send(&self, peer: PeerId, tag: Tag, message: Bytes, delivery: Delivery) -> Result<(), SendError> {
        debug_assert_ne!(tag, NET_TAG);
        if message.len() > MESSAGE_MAX_BYTES {
            return Err(SendError::TooLong(message.len()));
        }
        let link = self
            .shared()
            .table()
            .live(peer)
            .cloned()
            .ok_or(SendError::NotConnected)?;
        match delivery {
            Delivery::Reliable => {
                if link.send_reliable(tag, message) {
                    return Ok(());
                }
                link.abort(CloseCode::Overflow, DisconnectReason::Overflow);
                Err(SendError::Overflow)
            }
            Delivery::Datagram => {
                send_datagram(&link, tag, &message);
                Ok(())
            }
        }
    }

    /// Ends the connection to `peer` after what is queued for it has been sent; with `ban`, at once, and refuses the
    /// peer that long. `Disconnected` follows when there was a connection.
    pub fn disconnect(&self, peer: PeerId, ban: Option<Duration>) {
        let mut table = self.shared().table();
        if let Some(ban) = ban {
            let now = Instant::now();
            table.ban(peer, now + ban, now);
        }
        let Some(link) = table.live(peer).cloned() else { return };
        drop(table);
        match ban {
            Some(_) => link.abort(CloseCode::Banned, DisconnectReason::Local),
            None => link.finish(CloseCode::Goodbye, DisconnectReason::Local),
        }
    }

    /// The state of the path to a connected peer.
    pub fn path(&self, peer: PeerId) -> Option<PathStats> {
        let link = self.shared().table().live(peer).cloned()?;
        let stats = link.conn.stats();
        Some(PathStats {
            remote: link.remote(),
            dialled: link.dialled,
            rtt: stats.path.rtt,
            min_rtt: stats.path.min_rtt,
            sent_packets: stats.path.sent_packets,
            lost_packets: stats.path.lost_packets,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            window_bytes: stats.path.cwnd,
            mtu_bytes: stats.path.current_mtu,
            age: link.since.elapsed(),
        })
    }

    /// Everybody connected, in no particular order.
    pub fn peers(&self) -> Vec<PeerId> {
        let table = self.shared().table();
        table
            .links
            .values()
            .filter(|link| link.is_live())
            .map(|link| link.peer)
            .collect()
    }

    /// Bytes and packets since the start, over all connections, those that are over included.
    pub fn traffic(&self) -> Traffic {
        let table = self.shared().table();
        let mut sum = table.past;
        for link in table.links.values() {
            sum += (&link.conn.stats()).into();
        }
        sum
    }

    /// Sends what is queued, says goodbye to everybody and waits until they have heard it, at most `limit`. Keep reading
    /// events meanwhile, or at least do not block the runtime: the ends of connections are still told.
    pub async fn close(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let links: Vec<Arc<Link>> = {
            let mut table = self.shared().table();
            table.closing = true;
            for dial in table.dials.values() {
                if let Some(task) = &dial.task {
                    task.abort();
                }
            }
            table.dials.clear();
            table.links.values().cloned().collect()
        };
        for link in &links {
            link.finish(CloseCode::Goodbye, DisconnectReason::Local);
        }
        for link in &links {
            let closed = async {
                link.conn.closed().await;
            };
            tokio::select! {
                () = closed => {}
                () = link.reached(Phase::Over) => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        self.shared().quinn.close(CloseCode::Goodbye.into(), b"");
        let drained = timeout(DRAIN, self.shared().quinn.wait_idle());
        let _ = timeout_at(deadline.max(Instant::now() + Duration::from_millis(10)), drained).await;
    }
}

fn send_datagram(link: &Link, tag: Tag, message: &Bytes) {
    let fits = link
        .conn
        .max_datagram_size()
        .is_some_and(|max| tag.len() + message.len() <= max);
    if fits {
        // The one error left is a connection that has just ended, which is told elsewhere.
        let _ = link.conn.send_datagram(datagram(tag, message));
    } else {
        link.send_bulk(tag, message);
    }
}

/// A socket that spares those who do not answer, at the end of whatever line.
fn open(socket: Arc<dyn AsyncUdpSocket>, unheard: &Arc<Unheard>) -> io::Result<quinn::Endpoint> {
    let unheard = Arc::clone(unheard);
    let socket = Arc::new(Sparing { socket, unheard });
    quinn::Endpoint::new_with_abstract_socket(transport::endpoint(), None, socket, Arc::new(quinn::TokioRuntime))
}

fn bind_rough(addr: SocketAddr, line: Arc<dyn Line>) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let socket = quinn::TokioRuntime.wrap_udp_socket(std::net::UdpSocket::bind(addr)?)?;
    Ok(Rough::new(socket, line)?)
}

fn bind_socket(addr: SocketAddr) -> Result<Arc<dyn AsyncUdpSocket>, NetError> {
    let wildcard_v6 = addr.is_ipv6() && addr.ip().is_unspecified();
    match bind_both(addr) {
        Ok(socket) => Ok(socket),
        Err(error) if wildcard_v6 && knows_no_ipv6(&error) => {
            let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port()));
            bind_both(addr).map_err(|source| NetError::bind(addr, source))
        }
        Err(source) => Err(NetError::bind(addr, source)),
    }
}

/// Binds for IPv4, too, where the address is that of all of IPv6: systems differ in what they do unasked.
fn bind_both(addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&addr.into())?;
    quinn::TokioRuntime.wrap_udp_socket(socket.into())
}

/// A kernel without IPv6 says that it does not know the family (no stable [`io::ErrorKind`]) or has no such address.
fn knows_no_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
