//! Who feeds us in one stripe, how regularly, and whom we ask next.

use std::num::NonZero;
use std::time::Duration;

use crate::mesh::config::Config;
use crate::mesh::record::Key;
use crate::mesh::wire::Path;
use crate::units::{PeerId, Seq, Time};

/// One of the K trees as this node sees it. In the order in which it is looked at, in lines of 64 bytes: every chunk looks at
/// the first line of all stripes, and at the second of its own.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub struct StripeState {
    /// Usual arrival of chunk 0, in microseconds on our clock (arrival minus number times T), and its mean deviation.
    pub offset_us: i64,
    pub deviation_us: u32,
    /// Later chunks on other stripes since the last fresh one from the parent.
    pub outrun: u8,
    /// Whether the last chunk came much later than usual.
    pub was_late: bool,
    /// Whether the parent has pushed anything.
    pub proven: bool,
    /// Why a better place is looked for.
    pub unrest: Unrest,
    /// Last fresh chunk from the parent.
    pub pushed: Time,
    /// When the parent was taken, or its way to the host changed.
    pub since: Time,
    /// Next number not accounted for: received or asked for.
    pub expect: Expect,
    /// From the host to this node, both included; `None` without a way to the host.
    pub path: Option<Path>,
    pub parent: Option<Key>,

    /// Accepted us, and has not pushed its first chunk yet; the old parent is kept until then.
    pub candidate: Option<Candidate>,
    /// The way to the host while the parent is silent, should it only be slow.
    pub silenced: Option<Path>,
    /// Whether some children have not been told of the present way.
    pub untold: bool,
    /// Whether the parent has pushed anything that tells when its chunks usually come.
    pub is_timed: bool,
    /// Chunks of the parent in a row that came after their time was over.
    pub behind: u8,
    /// The parent said that it is looking for a parent itself.
    pub parent_lost_at: Option<Time>,

    pub asked: Vec<(Key, Time)>,
    /// Who refused lately, and until when it is left alone.
    pub avoid: Vec<(Key, Time)>,
    /// When this stripe was lost, for the gap told to the layer above.
    pub lost: Option<Time>,
    /// When it had a parent again that had been without; at a host, when it last had a root at home in it.
    pub mended: Time,

    /// The newest chunk there was when the first parent took us in: what is older comes as a burst.
    pub told: Option<Seq>,
    /// The same of the present parent, and then the newest that it has pushed.
    pub past: Seq,
    /// When a better place was last looked for.
    pub moved: Time,
    /// Somebody nearer to the host who may have a place, as the parent says; asked once connected.
    pub hint: Option<Key>,
    /// The last parent while there is none.
    pub left: Option<Box<PeerId>>,
}

/// A number of a chunk once one is known, in no more room than a number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expect(Option<NonZero<u64>>);

impl Expect {
    /// The number, if one is known.
    pub fn get(self) -> Option<u64> {
        self.0.map(|above| above.get() - 1)
    }

    /// Sets it; the very last of all numbers is none.
    pub fn set(&mut self, seq: u64) {
        self.0 = NonZero::new(seq.wrapping_add(1));
    }
}

/// Why a stripe that is fed looks for another parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unrest {
    /// It does not.
    #[default]
    Calm,
    /// A better place is in sight; without one it stays.
    Curious,
    /// It hangs at one who is not at home in it, and one who is will do. The host's places are for others.
    Guest,
    /// It lags behind the others, or behind what the deadline bears.
    Late,
    /// The parent wants its slot back, or the person asked.
    Sent,
}

/// A parent on trial.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub key: Key,
    pub path: Path,
    /// The newest chunk it had.
    pub newest: Seq,
    pub until: Time,
}

/// Added to KT: how long a new parent may be silent before its first chunk. Most who wait longer wait for one who never gives.
const TRIAL: Duration = Duration::from_millis(210);
/// One part in so many of the time until a chunk must be here may pass before it is asked for: a lost ask takes as much again.
const MARGIN_PART: u32 = 6;
/// A chunk that is so much later than usual, and by four deviations, may have been lost and sent again.
const ALONE_US: i64 = 40_000;
/// After a new parent was taken.
const SETTLING: Duration = Duration::from_secs(1);
/// Those who refused that are remembered in one stripe.
const AVOID_MAX: usize = 12;

impl StripeState {
    /// Hops from the host to this node.
    pub fn depth(&self) -> usize {
        self.path.as_ref().map_or(0, |path| path.len().saturating_sub(1))
    }

    /// How long the parent may be silent: two rounds, so that one lost chunk is not taken for a lost parent, and some more;
    /// less when three later chunks came on other stripes.
    pub fn patience(&self, config: &Config, round: Duration) -> Duration {
        let base = if self.outrun >= 3 {
            round * 2 + config.silence_outrun
        } else {
            round * 2 + config.silence
        };
        let usual = base + config.silence_per_hop * self.depth() as u32;
        if self.proven { usual } else { usual.min(round + TRIAL) }
    }

    /// Whether the parent and its way to the host have not changed just now.
    pub fn is_settled(&self, now: Time) -> bool {
        now.since(self.since) > SETTLING
    }

    /// A chunk of this stripe came from its parent.
    pub fn on_push(&mut self, seq: Seq, chunk_time: Duration, now: Time) {
        let sample = now.0 as i64 - (seq.0 * chunk_time.as_micros() as u64) as i64;
        if !std::mem::replace(&mut self.is_timed, true) || self.offset_us == 0 {
            self.offset_us = sample;
            self.deviation_us = 5_000;
        } else {
            self.learn(sample - self.offset_us, now);
        }
        self.pushed = now;
        self.outrun = 0;
    }

    /// Learns from a chunk that came so much later than usual, in microseconds.
    fn learn(&mut self, apart: i64, now: Time) {
        // One alone was lost on its way and sent again; two in a row tell that the way has become longer.
        let is_late = apart > ALONE_US.max(i64::from(self.deviation_us) * 4);
        if is_late && !std::mem::replace(&mut self.was_late, true) {
            return;
        }
        self.was_late = is_late;
        self.deviation_us = ((u64::from(self.deviation_us) * 15 + apart.unsigned_abs().min(2_000_000)) / 16) as u32;
        // A burst of the past comes before the present: until it is over, the earliest is the truth.
        let settling = apart < 0 && now.since(self.since) < SETTLING;
        self.offset_us += if settling { apart } else { apart / 8 };
    }

    /// When a chunk of this stripe usually comes.
    pub fn usual_arrival(&self, seq: u64, chunk_time: Duration) -> Time {
        Time((self.offset_us + (seq * chunk_time.as_micros() as u64) as i64).max(0) as u64)
    }

    /// How late a chunk must be to be asked for: 40 ms, or four deviations as far as there is time for it.
    pub fn margin(&self, config: &Config, time: Duration) -> Duration {
        let most = (time / MARGIN_PART).min(config.repair_margin * 4);
        config
            .repair_margin
            .max(Duration::from_micros(u64::from(self.deviation_us) * 4).min(most))
    }

    /// Whether this peer refused lately.
    pub fn avoids(&self, key: Key, now: Time) -> bool {
        self.avoid.iter().any(|(other, until)| *other == key && *until > now)
    }

    /// Leaves a peer alone until then.
    pub fn shun(&mut self, key: Key, until: Time, now: Time) {
        self.avoid.retain(|(other, end)| *other != key && *end > now);
        if self.avoid.len() >= AVOID_MAX {
            self.avoid.remove(0);
        }
        self.avoid.push((key, until));
    }

    /// Whether the peer was asked and has not answered.
    pub fn has_asked(&self, key: Key) -> bool {
        self.asked.iter().any(|(other, _)| *other == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(60);

    /// Chunks of one stripe of four, each so many milliseconds later than the first ones.
    fn usual_after(late_ms: &[u64]) -> Time {
        let mut state = StripeState::default();
        let late_ms = [0; 20].iter().chain(late_ms);
        for (n, late) in late_ms.enumerate() {
            let seq = n as u64 * 4;
            let at = Time(seq * 60_000 + 1_000_000) + Duration::from_millis(*late);
            state.on_push(Seq(seq), T, at);
        }
        state.usual_arrival(0, T)
    }

    #[test]
    fn one_late_chunk_does_not_move_the_usual_arrival_and_a_longer_way_does() {
        assert_eq!(usual_after(&[150]), Time(1_000_000));
        assert_eq!(usual_after(&[150, 0, 0, 0, 150]), Time(1_000_000));
        let longer = usual_after(&[150; 40]);
        assert!(longer > Time(1_140_000) && longer <= Time(1_150_000), "{longer:?}");
    }
}
