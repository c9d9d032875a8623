//! What a node holds: the chunks of the last few seconds, by number.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::DELAY_MAX;
use crate::mesh::chunk::SignedChunk;
use crate::units::{PACKET_TIME, Seq};

/// A ring of chunks. A jump forward forgets what falls out of it; nothing older than the ring comes back in.
#[derive(Clone, Debug, Default)]
pub struct Window {
    ring: Vec<Option<Arc<SignedChunk>>>,
    /// One more than the newest chunk ever inserted; the ring holds `end - len .. end`.
    end: u64,
}

/// Most chunks a window holds: the longest delay and a second of the shortest chunks.
const WINDOW_MAX_CHUNKS: u64 = 550;

const _: () = assert!(
    WINDOW_MAX_CHUNKS * PACKET_TIME.as_millis() as u64 >= DELAY_MAX.as_millis() as u64 + 1_000,
    "a window must span the longest delay"
);

impl Window {
    /// A window that keeps `span` of chunks of `chunk_time` each.
    pub fn new(span: Duration, chunk_time: Duration) -> Window {
        let chunks = (span.as_micros() as u64)
            .div_ceil(chunk_time.as_micros().max(1) as u64)
            .clamp(8, WINDOW_MAX_CHUNKS);
        Window {
            ring: vec![None; chunks as usize],
            end: 0,
        }
    }

    /// Whether anything was ever inserted.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// The newest chunk's number; zero when empty.
    pub fn newest(&self) -> Seq {
        Seq(self.end.saturating_sub(1))
    }

    /// The lowest number that could still be inserted.
    pub fn oldest(&self) -> Seq {
        Seq(self.end.saturating_sub(self.ring.len() as u64))
    }

    /// Whether the number lies before everything the ring can hold.
    pub fn is_past(&self, seq: Seq) -> bool {
        seq < self.oldest()
    }

    /// Reads the places of the next chunk that will come and of another one.
    pub fn touch(&self, seq: Seq) -> u64 {
        let holds = |seq| self.ring.get(self.slot(seq)).is_some_and(Option::is_some);
        u64::from(holds(Seq(self.end)) ^ holds(seq))
    }

    fn slot(&self, seq: Seq) -> usize {
        (seq.0 % self.ring.len().max(1) as u64) as usize
    }

    /// The chunk, if it is held.
    pub fn get(&self, seq: Seq) -> Option<&Arc<SignedChunk>> {
        self.ring.get(self.slot(seq))?.as_ref().filter(|chunk| chunk.seq == seq)
    }

    /// Whether the chunk is held.
    pub fn has(&self, seq: Seq) -> bool {
        self.get(seq).is_some()
    }

    /// Takes a chunk that is not past; false when it is, or is already held.
    pub fn insert(&mut self, chunk: Arc<SignedChunk>) -> bool {
        let seq = chunk.seq;
        if self.ring.is_empty() || self.is_past(seq) || self.has(seq) {
            return false;
        }
        if seq.0 >= self.end {
            let forget = (seq.0 - self.end).min(self.ring.len() as u64);
            for skipped in seq.0 - forget..seq.0 {
                let slot = self.slot(Seq(skipped));
                self.ring[slot] = None;
            }
            self.end = seq.0 + 1;
        }
        let slot = self.slot(seq);
        self.ring[slot] = Some(chunk);
        true
    }

    /// The first place from a number on where so many chunks follow each other.
    pub fn first_run(&self, from: Seq, length: u64) -> Option<Seq> {
        let mut run = 0;
        for seq in from.max(self.oldest()).0..self.end {
            run = if self.has(Seq(seq)) { run + 1 } else { 0 };
            if run == length {
                return Some(Seq(seq + 1 - length));
            }
        }
        None
    }

    /// The first number of a stripe that is missing, going back from the end to what is held.
    pub fn first_missing(&self, stripe: u8, stripes: u8) -> Seq {
        let count = u64::from(stripes.max(1));
        let newest = self.newest().0;
        let mut first = newest - newest % count + u64::from(stripe);
        if first <= newest {
            first += count;
        }
        while let Some(before) = first.checked_sub(count) {
            if Seq(before) < self.oldest() || self.has(Seq(before)) {
                break;
            }
            first = before;
        }
        Seq(first)
    }

    /// Chunks held.
    pub fn len(&self) -> usize {
        self.ring.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn chunk(seq: u64) -> Arc<SignedChunk> {
        Arc::new(SignedChunk {
            seq: Seq(seq),
            payload: Bytes::new(),
            signature: [0; 64],
        })
    }

    fn window() -> Window {
        Window::new(Duration::from_millis(600), Duration::from_millis(60))
    }

    #[test]
    fn a_chunk_is_taken_once() {
        let mut window = window();
        assert!(window.insert(chunk(5)));
        assert!(!window.insert(chunk(5)));
        assert!(window.has(Seq(5)) && !window.has(Seq(15)));
    }

    #[test]
    fn the_past_falls_out_and_stays_out() {
        let mut window = window();
        for seq in 0..30 {
            assert!(window.insert(chunk(seq)));
        }
        assert_eq!((window.len(), window.oldest(), window.newest()), (10, Seq(20), Seq(29)));
        assert!(!window.insert(chunk(19)));
    }

    #[test]
    fn the_first_run_that_is_long_enough_is_found() {
        let mut window = window();
        for seq in [3, 4, 6, 7, 8] {
            window.insert(chunk(seq));
        }
        let run = |from, length| window.first_run(Seq(from), length).map(|seq| seq.0);
        assert_eq!(
            (run(0, 2), run(0, 3), run(4, 2), run(0, 4)),
            (Some(3), Some(6), Some(6), None)
        );
    }

    #[test]
    fn a_jump_forgets_what_lies_behind_it() {
        let mut window = window();
        (0..10).for_each(|seq| assert!(window.insert(chunk(seq))));
        assert!(window.insert(chunk(1_000_000_000)));
        assert_eq!(window.len(), 1);
        assert!(window.insert(chunk(999_999_995)));
    }
}
