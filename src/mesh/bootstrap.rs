//! Addresses to begin with: from links and from discovery. The newest are tried first, and one that did not answer gives way
//! to a fresh one; it is not forgotten before, for after a partition nothing else may be known.

use std::net::SocketAddr;

/// Addresses kept.
const ADDRS_KEPT_MAX: usize = 16;

/// The addresses, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    /// With the dials in a row that came to nothing.
    list: Vec<(SocketAddr, u8)>,
}

impl Bootstrap {
    /// Takes addresses, in the order in which they are to be tried.
    pub fn add(&mut self, addrs: &[SocketAddr]) {
        let mut at = 0;
        for addr in addrs {
            if self.list.iter().any(|(known, _)| known == addr) || !self.make_room(at) {
                continue;
            }
            self.list.insert(at, (*addr, 0));
            at += 1;
        }
    }

    /// Whether there is room behind the first `kept`, which have only just come.
    fn make_room(&mut self, kept: usize) -> bool {
        if self.list.len() < ADDRS_KEPT_MAX {
            return true;
        }
        let worst = (kept..self.list.len()).max_by_key(|at| self.list[*at].1);
        let worst = worst.filter(|at| self.list[*at].1 > 0);
        if let Some(at) = worst {
            self.list.remove(at);
        }
        worst.is_some()
    }

    /// Dials to these came to nothing.
    pub fn failed(&mut self, addrs: &[SocketAddr]) {
        for (addr, failures) in &mut self.list {
            if addrs.contains(addr) {
                *failures = failures.saturating_add(1);
            }
        }
    }

    /// Somebody answered there.
    pub fn answered(&mut self, addr: SocketAddr) {
        for (known, failures) in &mut self.list {
            if *known == addr {
                *failures = 0;
            }
        }
    }

    /// Every address, those that failed least first.
    pub fn all(&self) -> Vec<SocketAddr> {
        let mut all = self.list.clone();
        all.sort_by_key(|(_, failures)| *failures);
        all.into_iter().map(|(addr, _)| addr).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(ports: std::ops::Range<u16>) -> Vec<SocketAddr> {
        ports.map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect()
    }

    #[test]
    fn a_fresh_address_takes_the_place_of_one_that_did_not_answer() {
        let mut bootstrap = Bootstrap::default();
        bootstrap.add(&addrs(1..17));
        bootstrap.add(&addrs(50..51));
        assert_eq!(bootstrap.all(), addrs(1..17), "nothing has failed yet");
        bootstrap.failed(&addrs(3..6));
        bootstrap.add(&addrs(50..60));
        let all = bootstrap.all();
        assert_eq!((&all[..3], all.len()), (&addrs(50..53)[..], 16));
        assert!(addrs(3..6).iter().all(|stale| !all.contains(stale)));
    }

    #[test]
    fn who_answers_counts_as_good_again() {
        let mut bootstrap = Bootstrap::default();
        bootstrap.add(&addrs(1..4));
        bootstrap.failed(&addrs(1..3));
        assert_eq!(bootstrap.all()[0].port(), 3);
        bootstrap.answered(addrs(1..2)[0]);
        assert_eq!(bootstrap.all()[0].port(), 1);
    }
}
