//! The event queue: a wheel of short buckets, ordered by time and, within one microsecond, by who was scheduled first.

use std::collections::BTreeMap;

/// Width of a bucket: 2^8 microseconds, less than any latency, so that hardly anything lands in the open one.
const BUCKET_BITS: u32 = 8;
/// Buckets on the wheel: 2^14 of them reach 4.2 s ahead; what lies further waits in a map.
const WHEEL_BITS: u32 = 14;
const WHEEL: u64 = 1 << WHEEL_BITS;

/// Things to happen, each at a microsecond.
pub struct Wheel<T> {
    buckets: Vec<Vec<(u64, T)>>,
    /// The open bucket, latest first.
    open: Vec<(u64, T)>,
    /// Number of the open bucket since the start.
    at: u64,
    far: BTreeMap<u64, Vec<(u64, T)>>,
    len: usize,
}

impl<T> Default for Wheel<T> {
    fn default() -> Wheel<T> {
        Wheel {
            buckets: (0..WHEEL).map(|_| Vec::new()).collect(),
            open: Vec::new(),
            at: 0,
            far: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T> Wheel<T> {
    /// Schedules something; what lies in the past happens next.
    pub fn push(&mut self, time_us: u64, what: T) {
        self.len += 1;
        let bucket = (time_us >> BUCKET_BITS).max(self.at);
        if bucket == self.at {
            let place = self.open.partition_point(|(other, _)| *other > time_us);
            self.open.insert(place, (time_us, what));
        } else if bucket < self.at + WHEEL {
            self.buckets[(bucket % WHEEL) as usize].push((time_us, what));
        } else {
            self.far.entry(bucket).or_default().push((time_us, what));
        }
    }

    /// The next thing and its time, if it happens before `until`.
    pub fn pop_before(&mut self, until: u64) -> Option<(u64, T)> {
        while self.open.is_empty() {
            if self.len == 0 || self.at << BUCKET_BITS >= until {
                return None;
            }
            self.turn();
        }
        if self.open.last().is_some_and(|(time, _)| *time >= until) {
            return None;
        }
        self.len -= 1;
        self.open.pop()
    }

    fn turn(&mut self) {
        self.at += 1;
        // The memory of a bucket goes back with it: kept, every bucket would hold that of its fullest turn, and the same few
        // pages would not be used again and again.
        self.open = std::mem::take(&mut self.buckets[(self.at % WHEEL) as usize]);
        if let Some(first) = self.far.first_entry()
            && *first.key() <= self.at
        {
            // What waited far away was scheduled earlier than anything put here directly.
            let mut early = first.remove();
            early.append(&mut self.open);
            self.open = early;
        }
        // Stable, and then reversed as a whole: equal times stay in the order in which they were scheduled.
        self.open.reverse();
        self.open.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    }

    /// Things that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::rng::Rng;

    #[test]
    fn things_happen_in_order_of_time_then_of_scheduling() {
        let mut wheel = Wheel::default();
        let mut rng = Rng::new(3);
        let mut expected: Vec<(u64, u32)> = (0..20_000u32)
            .map(|n| (rng.below(9_000_000) as u64 / 7 * 7, n))
            .collect();
        for (time, n) in &expected {
            wheel.push(*time, *n);
        }
        expected.sort();
        let happened: Vec<(u64, u32)> = std::iter::from_fn(|| wheel.pop_before(u64::MAX)).collect();
        assert_eq!(happened, expected);
    }

    #[test]
    fn something_may_be_scheduled_for_now() {
        let mut wheel = Wheel::default();
        wheel.push(100, 'a');
        wheel.push(101, 'c');
        assert_eq!(wheel.pop_before(u64::MAX), Some((100, 'a')));
        wheel.push(100, 'b');
        assert_eq!(
            [
                wheel.pop_before(u64::MAX),
                wheel.pop_before(u64::MAX),
                wheel.pop_before(u64::MAX)
            ],
            [Some((100, 'b')), Some((101, 'c')), None]
        );
    }
}
