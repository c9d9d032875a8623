//! Neighbours over time: rates and sparklines from the totals in each snapshot.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::mesh::stats::Neighbour;
use crate::units::PeerId;

/// Points of a sparkline.
pub const TRAIL_MAX: usize = 32;
/// Neighbours remembered at a time; more than any node has.
const TRAILS_MAX: usize = 512;
/// Time between two points.
const STEP: Duration = Duration::from_millis(900);

/// What changed for one neighbour over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    pub download_bps: u64,
    pub upload_bps: u64,
    /// Milliseconds, oldest first.
    pub rtt_ms: VecDeque<u32>,
    pub download: VecDeque<u32>,
    received_bytes: u64,
    sent_bytes: u64,
    at: Duration,
}

/// The trails of all neighbours.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    trails: HashMap<PeerId, Trail>,
}

impl Neighbours {
    /// Takes the neighbours of one snapshot.
    pub fn take(&mut self, neighbours: &[Neighbour], now: Duration) {
        self.trails
            .retain(|_, trail| now.saturating_sub(trail.at) < Duration::from_secs(60));
        for neighbour in neighbours.iter().take(TRAILS_MAX) {
            let trail = self.trails.entry(neighbour.peer).or_insert_with(|| Trail {
                received_bytes: neighbour.received_bytes,
                sent_bytes: neighbour.sent_bytes,
                at: now,
                ..Trail::default()
            });
            let passed = now.saturating_sub(trail.at);
            if passed < STEP {
                continue;
            }
            let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 * 8.0 / passed.as_secs_f64()) as u64;
            trail.download_bps = rate(neighbour.received_bytes, trail.received_bytes);
            trail.upload_bps = rate(neighbour.sent_bytes, trail.sent_bytes);
            trail.received_bytes = neighbour.received_bytes;
            trail.sent_bytes = neighbour.sent_bytes;
            trail.at = now;
            push(
                &mut trail.download,
                u32::try_from(trail.download_bps / 100).unwrap_or(u32::MAX),
            );
            if let Some(rtt) = neighbour.rtt {
                push(&mut trail.rtt_ms, u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX));
            }
        }
    }

    /// What is known of one neighbour over time.
    pub fn trail(&self, peer: &PeerId) -> Option<&Trail> {
        self.trails.get(peer)
    }
}

/// Adds a point to a sparkline.
pub fn push(trail: &mut VecDeque<u32>, point: u32) {
    if trail.len() == TRAIL_MAX {
        trail.pop_front();
    }
    trail.push_back(point);
}

/// What a neighbour is to us, in the order of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    Parent,
    Child,
    /// Both at once, in different stripes.
    Spare,
    Acquaintance,
}

impl Tie {
    /// The role of a neighbour; one that feeds us is a parent even when we feed it, too.
    pub fn of(neighbour: &Neighbour) -> Tie {
        if neighbour.feeds_us != 0 {
            Tie::Parent
        } else if neighbour.fed_by_us != 0 {
            Tie::Child
        } else if neighbour.spare {
            Tie::Spare
        } else {
            Tie::Acquaintance
        }
    }

    /// The word in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Tie::Parent => "parent",
            Tie::Child => "child",
            Tie::Spare => "standby",
            Tie::Acquaintance => "known",
        }
    }
}

/// Neighbours in the order of lists: parents, children, standbys, others; the longest-known first.
pub fn sorted(neighbours: &[Neighbour], hide_idle: bool) -> Vec<&Neighbour> {
    let mut list: Vec<&Neighbour> = neighbours
        .iter()
        .filter(|n| !hide_idle || Tie::of(n) <= Tie::Child || n.stalled)
        .collect();
    list.sort_by_key(|n| (Tie::of(n), std::cmp::Reverse(n.age), n.peer));
    list
}

/// The stripes of a mask in words: `all`, `1,3`, or nothing.
pub fn stripe_words(mask: u16, stripes: usize) -> String {
    let set: Vec<usize> = (0..16).filter(|i| mask & (1 << i) != 0).collect();
    if stripes > 1 && set.len() == stripes {
        return "all".to_owned();
    }
    set.iter()
        .map(|stripe| (stripe + 1).to_string())
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(received_bytes: u64) -> Neighbour {
        Neighbour {
            peer: PeerId([1; 32]),
            remote: "127.0.0.1:1".parse().unwrap(),
            feeds_us: 0b101,
            fed_by_us: 0,
            spare: false,
            is_host: false,
            stalled: false,
            rtt: Some(Duration::from_millis(20)),
            jitter: Duration::ZERO,
            loss: 0.0,
            received_bytes,
            sent_bytes: 0,
            age: Duration::ZERO,
        }
    }

    #[test]
    fn a_rate_is_bytes_over_time_and_the_first_look_has_none() {
        let mut trails = Neighbours::default();
        trails.take(&[neighbour(5_000)], Duration::from_secs(1));
        assert_eq!(trails.trail(&PeerId([1; 32])).unwrap().download_bps, 0);
        trails.take(&[neighbour(7_000)], Duration::from_secs(3));
        let trail = trails.trail(&PeerId([1; 32])).unwrap();
        assert_eq!(trail.download_bps, 8_000);
        assert_eq!(trail.rtt_ms, [20]);
    }

    #[test]
    fn stripes_are_counted_from_one() {
        assert_eq!(stripe_words(0b101, 4), "1,3");
        assert_eq!(stripe_words(0b1111, 4), "all");
        assert_eq!(stripe_words(0, 4), "");
    }
}
