//! A rough line: what leaves the socket is delayed or lost on purpose, so that a calibration can give real connections the
//! network of the simulator. Kernels often lack the tools for that, and those that have them want root.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Debug;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Packets under way from one socket; more than that are lost, as in a router.
const UNDER_WAY_MAX: usize = 4_096;

/// What happens to packets between this socket and others.
pub trait Line: Send + Sync + Debug + 'static {
    /// How long a packet is under way; `None` when it is lost.
    fn fate(&self, from: SocketAddr, to: SocketAddr) -> Option<Duration>;
}

/// A packet under way; ordered by when it arrives, then by when it was sent.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    arrives: Instant,
    number: u64,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// A socket at the end of a rough line.
#[derive(Debug)]
pub(super) struct Rough {
    socket: Arc<dyn AsyncUdpSocket>,
    local: SocketAddr,
    line: Arc<dyn Line>,
    under_way: mpsc::Sender<Packet>,
}

impl Rough {
    /// Puts a line in front of a socket. Must run within a tokio runtime, which then carries the packets.
    ///
    /// # Errors
    /// When the socket does not know its own address.
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, line: Arc<dyn Line>) -> io::Result<Arc<Rough>> {
        let local = socket.local_addr()?;
        let (under_way, packets) = mpsc::channel(UNDER_WAY_MAX);
        tokio::spawn(carry(Arc::clone(&socket), packets));
        Ok(Arc::new(Rough {
            socket,
            local,
            line,
            under_way,
        }))
    }
}

/// Hands each packet to the socket when its time has come, until the rough end is gone.
async fn carry(socket: Arc<dyn AsyncUdpSocket>, mut packets: mpsc::Receiver<Packet>) {
    let mut waiting: BinaryHeap<Reverse<Packet>> = BinaryHeap::new();
    let mut number = 0;
    loop {
        let next = waiting.peek().map(|Reverse(packet)| packet.arrives);
        tokio::select! {
            packet = packets.recv() => match packet {
                Some(mut packet) => {
                    (packet.number, number) = (number, number + 1);
                    waiting.push(Reverse(packet));
                }
                None => return,
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                if let Some(Reverse(packet)) = waiting.pop() {
                    // A socket that is full loses it, as the network may.
                    let _ = socket.try_send(&Transmit {
                        destination: packet.to,
                        ecn: None,
                        contents: &packet.bytes,
                        segment_size: None,
                        src_ip: None,
                    });
                }
            }
        }
    }
}

impl AsyncUdpSocket for Rough {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        if let Some(delay) = self.line.fate(self.local, transmit.destination) {
            let _ = self.under_way.try_send(Packet {
                arrives: Instant::now() + delay,
                number: 0,
                to: transmit.destination,
                bytes: transmit.contents.to_vec(),
            });
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context,
        buffers: &mut [IoSliceMut<'_>],
        about: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(context, buffers, about)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}
