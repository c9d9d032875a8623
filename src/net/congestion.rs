//! How much may be in flight to one peer.
//!
//! A live stream is a trickle of a known rate: how much a node sends is decided by how many children it takes, not here.
//! What is left to decide is what happens on a bad path, and there the usual controllers fail in both directions. Cubic
//! and NewReno halve the window at each loss and let it grow only while the sender is held back by it; a trickle hardly
//! ever is, so half a per cent of random loss leaves two packets in a minute or so, and the burst of a join then takes
//! seconds. And behind a router with a deep queue they fill it before they notice anything.
//!
//! This one cuts by less and never below half a second of sound, grows back while a path carries what it is given, and
//! holds back as soon as the round trip shows a queue: what is too much then waits in our own buffer, where the oldest
//! goes first, and not in front of everything else on the line.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

use crate::net::transport::ACK_THRESHOLD;

/// At the start: the join burst of one stripe at 256 kbit/s, a second of it.
const INITIAL_PACKETS: u64 = 24;
/// Never less: every eighth packet is acknowledged at once, and as many again may be under way meanwhile, which is a whole
/// stream of 256 kbit/s over a round trip of 160 ms; at a round trip of a second still the rate of three stripes.
const FLOOR_PACKETS: u64 = 2 * (ACK_THRESHOLD as u64 + 1);
/// Never more: a second of FLAC.
const CEILING_BYTES: u64 = 256 * 1_024;
/// What is left after a loss; Cubic's figure.
const CUT_PERCENT: u64 = 70;
/// What is left for each round trip with a queue.
const QUEUE_CUT_PERCENT: u64 = 90;
/// A round trip longer than the shortest by this, and by as much again as the shortest, means a queue: above the jitter
/// of radio links, below what a talk on the same line suffers from.
const QUEUE_DELAY: Duration = Duration::from_millis(100);

/// Builds one controller for each path.
#[derive(Debug, Default)]
pub(super) struct Trickle;

impl ControllerFactory for Trickle {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Window::new(now, u64::from(current_mtu)))
    }
}

/// The window of one path, in bytes.
#[derive(Clone, Debug)]
struct Window {
    mtu: u64,
    bytes: u64,
    /// Above it, growth is slow.
    threshold: u64,
    /// Bytes acknowledged towards the next step of growth.
    credit: u64,
    /// Packets sent before do not count again.
    cut_at: Instant,
}

impl Window {
    fn new(now: Instant, mtu: u64) -> Window {
        Window {
            mtu,
            bytes: INITIAL_PACKETS * mtu,
            threshold: u64::MAX,
            credit: 0,
            cut_at: now,
        }
    }

    fn floor(&self) -> u64 {
        FLOOR_PACKETS * self.mtu
    }

    fn cut(&mut self, percent: u64, now: Instant) {
        self.bytes = (self.bytes * percent / 100).max(self.floor());
        self.threshold = self.bytes;
        self.credit = 0;
        self.cut_at = now;
    }

    /// `idle` when the sender had less to send than allowed: the path is then trusted up to the initial window only.
    fn acknowledged(&mut self, bytes: u64, idle: bool, rtt: Duration, min_rtt: Duration, sent: Instant, now: Instant) {
        if sent <= self.cut_at {
            return;
        }
        if rtt > min_rtt + min_rtt.max(QUEUE_DELAY) {
            return self.cut(QUEUE_CUT_PERCENT, now);
        }
        let limit = if idle {
            INITIAL_PACKETS * self.mtu
        } else {
            CEILING_BYTES
        };
        if self.bytes >= limit {
            return;
        }
        if !idle && self.bytes < self.threshold {
            self.bytes = (self.bytes + bytes).min(limit);
            return;
        }
        self.credit += bytes;
        if self.credit >= self.bytes {
            self.credit = 0;
            self.bytes = (self.bytes + self.mtu).min(limit);
        }
    }

    fn lost(&mut self, persistent: bool, sent: Instant, now: Instant) {
        if persistent {
            self.cut(0, now);
        } else if sent > self.cut_at {
            self.cut(CUT_PERCENT, now);
        }
    }
}

impl Controller for Window {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.acknowledged(bytes, app_limited, rtt.get(), rtt.min(), sent, now);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, _lost_bytes: u64) {
        self.lost(is_persistent_congestion, sent, now);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu);
        self.bytes = self.bytes.max(self.floor());
    }

    fn window(&self) -> u64 {
        self.bytes
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        INITIAL_PACKETS * self.mtu
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1_200;
    const RTT: Duration = Duration::from_millis(60);

    /// A second of a trickle: 17 packets, each acknowledged a round trip later, `lost` of them lost.
    fn trickle(window: &mut Window, second: u32, lost: u32, rtt: Duration, begun: Instant) {
        for packet in 0..17 {
            let sent = begun + Duration::from_secs(second.into()) + Duration::from_millis(packet * 59 + 1);
            if packet < lost.into() {
                window.lost(false, sent, sent + rtt);
            } else {
                window.acknowledged(MTU, true, rtt, RTT, sent, sent + rtt);
            }
        }
    }

    #[test]
    fn a_lossy_path_keeps_room_for_the_burst_of_a_join() {
        let begun = Instant::now();
        let mut window = Window::new(begun, MTU);
        for second in 0..600 {
            // One loss in twelve seconds is half a per cent.
            trickle(&mut window, second, u32::from(second % 12 == 0), RTT, begun);
            assert!(window.bytes >= 12 * MTU, "second {second}: {}", window.bytes / MTU);
        }
    }

    #[test]
    fn heavy_loss_leaves_the_floor_and_no_less() {
        let begun = Instant::now();
        let mut window = Window::new(begun, MTU);
        for second in 0..60 {
            trickle(&mut window, second, 9, RTT, begun);
        }
        assert_eq!(window.bytes, FLOOR_PACKETS * MTU);
        window.lost(true, begun, begun);
        assert_eq!(window.bytes, FLOOR_PACKETS * MTU);
    }

    #[test]
    fn a_queue_is_noticed_long_before_it_is_full() {
        let begun = Instant::now();
        let mut window = Window::new(begun, MTU);
        window.bytes = CEILING_BYTES;
        for second in 0..5 {
            trickle(&mut window, second, 0, RTT + Duration::from_millis(150), begun);
        }
        assert!(window.bytes < CEILING_BYTES / 8, "{}", window.bytes);
        let narrow = window.bytes;
        for second in 10..70 {
            trickle(&mut window, second, 0, RTT, begun);
        }
        assert!(window.bytes > narrow && window.bytes <= INITIAL_PACKETS * MTU);
    }

    #[test]
    fn a_sender_that_is_held_back_gets_more_up_to_the_ceiling() {
        let begun = Instant::now();
        let mut window = Window::new(begun, MTU);
        for packet in 1..1_000_u32 {
            let sent = begun + Duration::from_millis(packet.into());
            window.acknowledged(MTU, false, RTT, RTT, sent, sent + RTT);
        }
        assert_eq!(window.bytes, CEILING_BYTES);
    }
}
