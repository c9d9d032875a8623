//! Packets that have come and wait for their moment, numbered from the start of the show.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Packets held at most: 30 s of sound, more than any delay a person may want.
const HELD_MAX: usize = 1_500;
/// Titles that wait for their moment.
const TITLES_MAX: usize = 16;

/// Sorted packets and titles, without holes filled.
#[derive(Default)]
pub(super) struct Jitter {
    packets: BTreeMap<u64, Bytes>,
    titles: VecDeque<(u64, String)>,
}

impl Jitter {
    /// Keeps a packet; of too many the oldest goes, since nobody fetched it.
    pub(super) fn insert(&mut self, index: u64, packet: Bytes) {
        self.packets.insert(index, packet);
        if self.packets.len() > HELD_MAX {
            self.packets.pop_first();
        }
    }

    pub(super) fn insert_title(&mut self, index: u64, title: String) {
        let place = self.titles.partition_point(|(at, _)| *at <= index);
        self.titles.insert(place, (index, title));
        if self.titles.len() > TITLES_MAX {
            self.titles.pop_front();
        }
    }

    pub(super) fn take(&mut self, index: u64) -> Option<Bytes> {
        self.packets.remove(&index)
    }

    /// The title that holds at `index`, once; older ones that nobody heard are passed over.
    pub(super) fn take_title(&mut self, index: u64) -> Option<String> {
        let mut title = None;
        while self.titles.front().is_some_and(|(at, _)| *at <= index) {
            title = self.titles.pop_front().map(|(_, text)| text);
        }
        title
    }

    /// Whether anything waits at `index` or later.
    pub(super) fn any_from(&self, index: u64) -> bool {
        self.packets.last_key_value().is_some_and(|(last, _)| *last >= index)
    }

    /// How many packets follow each other from `index` on, counted up to `most`.
    pub(super) fn run(&self, index: u64, most: u64) -> u64 {
        let mut length = 0;
        for held in self.packets.range(index..).map(|(held, _)| *held) {
            if held != index + length || length == most {
                break;
            }
            length += 1;
        }
        length
    }

    /// The first place from `index` on where `length` packets follow each other.
    pub(super) fn first_run(&self, index: u64, length: u64) -> Option<u64> {
        let mut start = None;
        let mut expected = 0;
        for held in self.packets.range(index..).map(|(held, _)| *held) {
            let from = match start {
                Some(from) if held == expected => from,
                Some(_) | None => held,
            };
            start = Some(from);
            expected = held + 1;
            if expected - from >= length {
                return start;
            }
        }
        None
    }

    pub(super) fn discard_before(&mut self, index: u64) {
        while self.packets.first_key_value().is_some_and(|(first, _)| *first < index) {
            self.packets.pop_first();
        }
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.titles.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(indexes: &[u64]) -> Jitter {
        let mut jitter = Jitter::default();
        indexes
            .iter()
            .for_each(|index| jitter.insert(*index, Bytes::from_static(b"x")));
        jitter
    }

    #[test]
    fn runs_end_at_holes() {
        let jitter = holding(&[3, 4, 7, 8, 9, 12]);
        assert_eq!((jitter.run(3, 99), jitter.run(5, 99), jitter.run(7, 2)), (2, 0, 2));
        assert_eq!(
            (jitter.first_run(0, 3), jitter.first_run(4, 2), jitter.first_run(0, 4)),
            (Some(7), Some(7), None)
        );
    }

    #[test]
    fn of_several_titles_that_are_due_the_last_one_holds() {
        let mut jitter = Jitter::default();
        jitter.insert_title(9, "c".into());
        jitter.insert_title(1, "a".into());
        jitter.insert_title(5, "b".into());
        assert_eq!(jitter.take_title(6), Some("b".into()));
        assert_eq!(jitter.take_title(8), None);
        assert_eq!(jitter.take_title(9), Some("c".into()));
    }

    #[test]
    fn what_nobody_fetches_does_not_pile_up() {
        let jitter = holding(&(0..5_000).collect::<Vec<_>>());
        assert_eq!(jitter.packets.len(), HELD_MAX);
        assert!(jitter.run(4_999, 1) == 1 && jitter.run(0, 1) == 0);
    }
}
