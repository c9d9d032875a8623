//! A socket that is sparing towards addresses from which nothing has come: QUIC's first packet is as large as a packet may be, and is
//! repeated in pairs; what gives a dial up is as large again. To somebody who is gone two of them say as much as six.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::Instant;

use crate::net::addrs::canonical;

/// Packets to an address that is silent: the first, and one more in case it was lost or a router let nothing in yet.
const PACKETS: u8 = 2;
/// What gives a dial up leaves within this time of it.
const LINGER: Duration = Duration::from_millis(500);

/// Addresses that are dialled and have not answered.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    /// Whether there may be any: packets of connections that stand find no lock.
    any: AtomicBool,
    list: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    addr: SocketAddr,
    packets: u8,
    until: Instant,
}

impl Unheard {
    fn list(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An address is dialled, and given up after so long a silence.
    pub(super) fn begin(&self, addr: SocketAddr, patience: Duration) {
        let now = Instant::now();
        let mut list = self.list();
        list.retain(|entry| entry.until > now && entry.addr != addr);
        list.push(Entry {
            addr,
            packets: PACKETS,
            until: now + patience + LINGER,
        });
        self.any.store(true, Ordering::Release);
    }

    /// Something has come from an address.
    pub(super) fn heard(&self, addr: SocketAddr) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let (addr, now) = (canonical(addr), Instant::now());
        let mut list = self.list();
        list.retain(|entry| entry.until > now && entry.addr != addr);
        self.any.store(!list.is_empty(), Ordering::Release);
    }

    /// Whether one more packet may be sent there.
    fn allows(&self, addr: SocketAddr) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return true;
        }
        let (addr, now) = (canonical(addr), Instant::now());
        let mut list = self.list();
        let Some(entry) = list.iter_mut().find(|entry| entry.addr == addr && entry.until > now) else {
            return true;
        };
        let left = entry.packets;
        entry.packets = left.saturating_sub(1);
        left > 0
    }
}

/// A socket that asks them before it sends.
#[derive(Debug)]
pub(super) struct Sparing {
    pub socket: Arc<dyn AsyncUdpSocket>,
    pub unheard: Arc<Unheard>,
}

impl AsyncUdpSocket for Sparing {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        if !self.unheard.any.load(Ordering::Acquire) {
            return self.socket.try_send(transmit);
        }
        // Several packets may be handed over at once.
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        let packets = transmit.contents.chunks(size);
        let allowed = packets.take_while(|_| self.unheard.allows(transmit.destination));
        let bytes: usize = allowed.map(<[u8]>::len).sum();
        if bytes == 0 {
            return Ok(());
        }
        self.socket.try_send(&Transmit {
            contents: &transmit.contents[..bytes],
            segment_size: transmit.segment_size.filter(|size| *size < bytes),
            ..*transmit
        })
    }

    fn poll_recv(
        &self,
        context: &mut Context,
        buffers: &mut [IoSliceMut<'_>],
        about: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let polled = self.socket.poll_recv(context, buffers, about);
        if let Poll::Ready(Ok(count)) = &polled {
            for meta in about.iter().take(*count) {
                self.unheard.heard(meta.addr);
            }
        }
        polled
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn two_packets_go_to_a_silent_address_and_any_number_where_something_came_from() {
        let unheard = Unheard::default();
        assert!((0..9).all(|_| unheard.allows(addr(1))));
        unheard.begin(addr(1), Duration::from_secs(2));
        let mapped = "[::ffff:127.0.0.1]:1".parse().unwrap();
        assert!(unheard.allows(addr(1)) && unheard.allows(mapped) && !unheard.allows(addr(1)));
        assert!((0..9).all(|_| unheard.allows(addr(2))), "another one");
        unheard.heard(addr(2));
        assert!(!unheard.allows(mapped));
        unheard.begin(addr(1), Duration::from_secs(2));
        assert!(unheard.allows(addr(1)), "it is dialled anew");
        unheard.heard(mapped);
        assert!((0..9).all(|_| unheard.allows(addr(1))));
        assert!(!unheard.any.load(Ordering::Acquire), "nobody is dialled");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_was_given_up_is_as_any_other_later() {
        let unheard = Unheard::default();
        unheard.begin(addr(1), Duration::from_secs(2));
        let allowed = |_| unheard.allows(addr(1));
        assert_eq!((0..9).map(allowed).filter(|allowed| *allowed).count(), 2);
        tokio::time::advance(Duration::from_millis(2_400)).await;
        assert!(!unheard.allows(addr(1)), "what gives it up");
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(unheard.allows(addr(1)));
    }
}
