//! The event queue: a wheel of short buckets, ordered by time and, within one microsecond, by who was scheduled first.

use std::collections::BTreeMap;

/// Width of a bucket: 2^10 microseconds, less than any latency, so that hardly anything lands in the open one.
const BUCKET_BITS: u32 = 10;
/// Buckets on the wheel: 2^12 of them reach 4.2 s ahead; what lies further waits in a map.
const WHEEL_BITS: u32 = 12;
const WHEEL: u64 = 1 << WHEEL_BITS;
/// What waits in the map comes to the wheel by so many buckets at once. In a list for each bucket most of it would be alone.
const GROUP: u64 = 1 << 8;
/// Places in a block, of which buckets are made.
const BLOCK: usize = 8;

/// Things to happen, each at a microsecond.
pub struct Wheel<T> {
    buckets: Vec<Bucket<T>>,
    /// The open bucket.
    open: Bucket<T>,
    /// What is left of it by time and place, latest first.
    order: Vec<(u64, u32)>,
    /// Number of the open bucket since the start.
    at: u64,
    far: BTreeMap<u64, Vec<(u64, T)>>,
    /// Blocks that no bucket uses: buckets that kept their own would each hold the memory of their fullest turn.
    spare: Vec<Block<T>>,
    len: usize,
}

/// An empty place is one whose thing has happened.
type Block<T> = Vec<Option<(u64, T)>>;

/// The things of one bucket in the order in which they were scheduled.
struct Bucket<T> {
    full: Vec<Block<T>>,
    last: Block<T>,
}

impl<T> Bucket<T> {
    const EMPTY: Bucket<T> = Bucket {
        full: Vec::new(),
        last: Vec::new(),
    };

    /// Adds a thing and says at which place.
    fn push(&mut self, time_us: u64, what: T, spare: &mut Vec<Block<T>>) -> u32 {
        if self.last.len() == self.last.capacity() {
            let fresh = spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK));
            let full = std::mem::replace(&mut self.last, fresh);
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        self.last.push(Some((time_us, what)));
        (self.full.len() * BLOCK + self.last.len() - 1) as u32
    }

    fn take(&mut self, place: u32) -> Option<(u64, T)> {
        let (block, at) = (place as usize / BLOCK, place as usize % BLOCK);
        self.full.get_mut(block).unwrap_or(&mut self.last)[at].take()
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Wheel<T> {
        Wheel {
            buckets: (0..WHEEL).map(|_| Bucket::EMPTY).collect(),
            open: Bucket::EMPTY,
            order: Vec::new(),
            at: 0,
            far: BTreeMap::new(),
            spare: Vec::new(),
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
            let place = self.open.push(time_us, what, &mut self.spare);
            let before = self.order.partition_point(|(other, _)| *other > time_us);
            self.order.insert(before, (time_us, place));
        } else if bucket / GROUP < self.at / GROUP + WHEEL / GROUP {
            self.buckets[(bucket % WHEEL) as usize].push(time_us, what, &mut self.spare);
        } else {
            self.far.entry(bucket / GROUP).or_default().push((time_us, what));
        }
    }

    /// The next thing and its time, if it happens before `until`.
    pub fn pop_before(&mut self, until: u64) -> Option<(u64, T)> {
        while self.order.is_empty() {
            if self.len == 0 || self.at << BUCKET_BITS >= until {
                return None;
            }
            self.turn();
        }
        let (_, place) = self.order.pop_if(|(time, _)| *time < until)?;
        self.len -= 1;
        self.open.take(place)
    }

    /// What happens after so many others, as far as the open bucket tells.
    pub fn ahead(&self, others: usize) -> Option<&T> {
        let (_, place) = self.order.get(self.order.len().checked_sub(others + 1)?)?;
        let (block, at) = (*place as usize / BLOCK, *place as usize % BLOCK);
        let (_, what) = self.open.full.get(block).unwrap_or(&self.open.last)[at].as_ref()?;
        Some(what)
    }

    fn turn(&mut self) {
        self.at += 1;
        if self.at.is_multiple_of(GROUP) {
            self.fetch();
        }
        let next = &mut self.buckets[(self.at % WHEEL) as usize];
        std::mem::swap(&mut self.open, next);
        // It holds what has happened; its blocks go to others.
        let last = std::mem::take(&mut next.last);
        for mut block in std::mem::take(&mut next.full).into_iter().chain([last]) {
            if block.capacity() > 0 {
                block.clear();
                self.spare.push(block);
            }
        }
        let blocks = self.open.full.iter().chain([&self.open.last]);
        let times = blocks.flatten().flatten().map(|(time, _)| *time);
        self.order.extend(times.zip(0..));
        // Equal times stay in the order in which they were scheduled.
        self.order.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Puts on the wheel what has waited in the map for the last of its groups; it was scheduled earlier than anything that can
    /// be put there from now on.
    fn fetch(&mut self) {
        let group = self.at / GROUP + WHEEL / GROUP - 1;
        for (time_us, what) in self.far.remove(&group).unwrap_or_default() {
            let bucket = ((time_us >> BUCKET_BITS) % WHEEL) as usize;
            self.buckets[bucket].push(time_us, what, &mut self.spare);
        }
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
    fn what_is_seen_ahead_happens_next() {
        let mut wheel = Wheel::default();
        (0..20).for_each(|n| wheel.push(2_000 + n % 3, n));
        assert_eq!(wheel.ahead(0), None, "its bucket is not open yet");
        assert_eq!(wheel.pop_before(u64::MAX), Some((2_000, 0)));
        let seen: Vec<u64> = (0..30).map_while(|others| wheel.ahead(others).copied()).collect();
        let happened: Vec<u64> = std::iter::from_fn(|| wheel.pop_before(u64::MAX))
            .map(|(_, n)| n)
            .collect();
        assert_eq!((seen.len(), seen), (19, happened));
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
