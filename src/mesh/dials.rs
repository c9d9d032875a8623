//! Dials under way and those that are not long over: how many there may be, and to whom.

use std::net::SocketAddr;
use std::time::Duration;

use crate::mesh::record::Key;
use crate::units::{PeerId, Time};

/// Dials that may still be answered at any moment, at once, of one who has nobody else.
const EAGER_MAX: usize = 16;
/// A dial without an answer for so long, three round trips and a lost packet, is waited for, but keeps nobody from being dialled:
/// after a crash of most of an audience eight dead ones stood in the way of the living for five seconds.
const EAGER_FOR: Duration = Duration::from_secs(1);
/// How long a dial may take before it counts as failed, whatever the driver says.
const TIMEOUT: Duration = Duration::from_secs(8);
/// No address is dialled more often than this, for the one behind it may refuse at once each time.
const AGAIN: Duration = Duration::from_secs(1);
/// Dials remembered, under way or over.
const KEPT_MAX: usize = 64;

/// One that is under way or not long ago.
#[derive(Clone, Debug)]
struct Dial {
    over: bool,
    peer: Option<PeerId>,
    addrs: Vec<SocketAddr>,
    since: Time,
}

/// All of a node's dials.
#[derive(Clone, Debug, Default)]
pub struct Dials(Vec<Dial>);

impl Dials {
    /// Forgets those that are long over.
    pub fn forget_all(&mut self, now: Time) {
        self.0.retain(|dial| !dial.is_past(now));
    }

    /// Forgets one that is. (As long as this was done only when another one began, those who knew nobody else never dialled one again that
    /// had been silent once.)
    pub fn forget(&mut self, peer: &PeerId, now: Time) {
        self.0.retain(|dial| dial.peer != Some(*peer) || !dial.is_past(now));
    }

    /// Notes a dial; false when one for the same peer or address is under way or only just over, or too many are.
    pub fn start(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr], now: Time) -> bool {
        self.forget_all(now);
        let twice = self.0.iter().any(|dial| dial.is_about(peer, addrs));
        if twice || self.eager(now) >= EAGER_MAX || self.0.len() >= KEPT_MAX || addrs.is_empty() {
            return false;
        }
        self.0.push(Dial {
            over: false,
            peer,
            addrs: addrs.to_vec(),
            since: now,
        });
        true
    }

    /// Dials that may still be answered at any moment.
    pub fn eager(&self, now: Time) -> usize {
        let is_eager = |dial: &&Dial| !dial.over && now.since(dial.since) < EAGER_FOR;
        self.0.iter().filter(is_eager).count()
    }

    /// Dials of this peer, or of one of these addresses, have come to an end.
    pub fn end(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr]) {
        for dial in &mut self.0 {
            dial.over |= dial.is_about(peer, addrs);
        }
    }

    /// Dials of this peer, or of one of these addresses, came to nothing. Who was silent is not dialled again before [`TIMEOUT`]: who
    /// looks for somebody who is left tries all others first.
    pub fn fail(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr], now: Time) {
        for dial in &mut self.0 {
            let is_silent = dial.peer.is_some() && now.since(dial.since) >= EAGER_FOR;
            dial.over |= dial.is_about(peer, addrs) && !is_silent;
        }
    }

    /// When a peer was last dialled, if that is not long ago.
    pub fn begun(&self, peer: &PeerId) -> Option<Time> {
        self.0
            .iter()
            .find(|dial| dial.peer == Some(*peer))
            .map(|dial| dial.since)
    }

    /// Whether this peer is being dialled.
    pub fn is_under_way(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|dial| !dial.over && dial.peer == Some(*peer))
    }

    /// Whether a peer of this short name is being dialled or has only just been.
    pub fn is_recent(&self, key: Key) -> bool {
        self.0
            .iter()
            .any(|dial| dial.peer.is_some_and(|peer| Key::of(&peer) == key))
    }
}

impl Dial {
    fn is_past(&self, now: Time) -> bool {
        now.since(self.since) >= if self.over { AGAIN } else { TIMEOUT }
    }

    fn is_about(&self, peer: Option<PeerId>, addrs: &[SocketAddr]) -> bool {
        peer.is_some() && self.peer == peer || self.addrs.iter().any(|addr| addrs.contains(addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(dials: &mut Dials, n: u8, now: Time) -> bool {
        let addr = SocketAddr::from(([127, 0, 0, n], 1));
        dials.start(Some(PeerId([n; 32])), &[addr], now)
    }

    #[test]
    fn those_who_do_not_answer_keep_nobody_from_being_dialled_for_long() {
        let mut dials = Dials::default();
        let start = Time(0);
        let begun = (0..20).filter(|n| dial(&mut dials, *n, start)).count();
        assert_eq!(begun, EAGER_MAX);
        assert_eq!(dials.eager(start), EAGER_MAX);
        let later = start + EAGER_FOR;
        assert_eq!(dials.eager(later), 0);
        // They are still waited for, and not dialled twice.
        assert!(!dial(&mut dials, 0, later));
        assert!(dials.is_under_way(&PeerId([0; 32])));
        assert!(dial(&mut dials, EAGER_MAX as u8, later));
        // However long nobody answers, there is an end.
        let mut now = later;
        for n in EAGER_MAX as u8 + 1..=255 {
            now += Duration::from_millis(100);
            dial(&mut dials, n, now);
            assert!(dials.0.len() <= KEPT_MAX);
        }
    }

    #[test]
    fn who_was_silent_is_left_alone_for_longer_than_who_refused() {
        let mut dials = Dials::default();
        let (refuses, silent) = (PeerId([1; 32]), PeerId([2; 32]));
        assert!(dial(&mut dials, 1, Time(0)) && dial(&mut dials, 2, Time(0)));
        dials.fail(Some(refuses), &[], Time(0) + EAGER_FOR / 2);
        dials.fail(Some(silent), &[], Time(0) + EAGER_FOR * 2);
        let later = Time(0) + AGAIN * 3;
        assert!(dial(&mut dials, 1, later) && !dial(&mut dials, 2, later));
        assert!(dial(&mut dials, 2, Time(0) + TIMEOUT));
    }

    #[test]
    fn a_silent_one_is_not_under_way_for_ever() {
        let mut dials = Dials::default();
        let silent = PeerId([1; 32]);
        assert!(dial(&mut dials, 1, Time(0)));
        dials.fail(Some(silent), &[], Time(0) + EAGER_FOR * 2);
        dials.forget(&silent, Time(0) + TIMEOUT / 2);
        dials.forget(&PeerId([2; 32]), Time(0) + TIMEOUT);
        assert!(dials.is_under_way(&silent));
        dials.forget(&silent, Time(0) + TIMEOUT);
        assert!(!dials.is_under_way(&silent));
    }

    #[test]
    fn who_refuses_is_not_dialled_again_at_once() {
        let mut dials = Dials::default();
        assert!(dial(&mut dials, 1, Time(0)));
        dials.end(Some(PeerId([1; 32])), &[]);
        assert!(!dials.is_under_way(&PeerId([1; 32])));
        assert!(!dial(&mut dials, 1, Time(0) + AGAIN / 2));
        assert!(dial(&mut dials, 1, Time(0) + AGAIN));
    }
}
