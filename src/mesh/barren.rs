//! Those who took us in and gave us nothing.

use std::time::Duration;

use crate::mesh::record::Key;
use crate::units::Time;

/// How long such a one is left alone: shortly at first, for after a crash honest ones have lost their own parents; then for this, and
/// once four times longer. (With 10 s and more a mesh of ten ran out of parents.)
const FIRST: Duration = Duration::from_secs(1);
const NEXT: Duration = Duration::from_secs(3);
const TIMES_MAX: u8 = 3;
/// Peers remembered; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 64;

/// Peers that accepted us as their child and pushed no chunk. Empty for nearly every node, so it is a small list.
#[derive(Clone, Debug, Default)]
pub struct Barren(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    times: u8,
    until: Time,
}

impl Barren {
    /// Leaves a peer alone, the longer the more often it gave nothing.
    pub fn note(&mut self, key: Key, now: Time) {
        let times = self.times(key).saturating_add(1).min(TIMES_MAX);
        self.clear(key);
        if self.0.len() >= REMEMBERED_MAX {
            self.0.remove(0);
        }
        let pause = match times {
            1 => FIRST,
            _ => NEXT * 4u32.pow(u32::from(times) - 2),
        };
        let until = now + pause;
        self.0.push(Entry { key, times, until });
    }

    /// It gives after all.
    pub fn clear(&mut self, key: Key) {
        self.0.retain(|entry| entry.key != key);
    }

    /// How often it gave nothing, up to three times.
    pub fn times(&self, key: Key) -> u8 {
        self.0
            .iter()
            .find(|entry| entry.key == key)
            .map_or(0, |entry| entry.times)
    }

    /// Whether it is left alone now.
    pub fn is_shunned(&self, key: Key, now: Time) -> bool {
        self.0.iter().any(|entry| entry.key == key && entry.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_nothing_again_is_left_alone_for_longer() {
        let mut barren = Barren::default();
        let seconds = |s: u64| Time(s * 1_000_000);
        for pause in [FIRST, NEXT, NEXT * 4, NEXT * 4] {
            let at = seconds(100);
            barren.note(Key(1), at);
            assert!(barren.is_shunned(Key(1), at + pause / 2), "{pause:?}");
            assert!(!barren.is_shunned(Key(1), at + pause), "{pause:?}");
        }
        assert!(!barren.is_shunned(Key(2), seconds(100)));
        barren.clear(Key(1));
        assert!(!barren.is_shunned(Key(1), seconds(100)));
        for key in 0..1_000 {
            barren.note(Key(key), seconds(0));
        }
        assert_eq!((barren.times(Key(0)), barren.times(Key(999))), (0, 1));
    }
}
