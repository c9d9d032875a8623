//! One connection of a channel, and what is known of the peer behind it.

use std::sync::Arc;
use std::time::Duration;

use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::standing::Allowance;
use crate::mesh::wire::{Audience, Load};
use crate::units::{Epoch, PeerId, Seq, Time};

/// More than the round trip that an answer to a ping may take.
const ANSWER: Duration = Duration::from_millis(60);

/// One connection on this channel. In the order in which it is looked at, in lines of 64 bytes: a node has twenty of them, and a
/// list that is walked for every chunk comes from far away in a process that holds many nodes.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Neighbour {
    // All that a walk along the list reads.
    pub key: Key,
    /// Stripes it feeds us with; stripes we feed it with; stripes in which it was asked to move away.
    pub feeds: u16,
    pub fed: u16,
    pub leaving: u16,
    /// Whether the session names it as the host.
    pub host: bool,
    pub dialled: bool,
    /// Whether we have said hello.
    pub greeted: bool,
    /// Pings without an answer.
    pub unanswered: u8,
    /// Messages that made no sense, and when the last one came (below).
    pub strikes: u8,
    pub load: Load,
    /// When its acknowledged progress as our child last grew.
    pub alive: Time,
    pub heard: Time,
    /// Highest chunk it has pushed to us.
    pub progress: Seq,
    /// When we last reported to it as its child.
    pub reported: Time,
    /// Zero until measured.
    pub rtt_us: u32,
    pub jitter_us: u32,

    // What each message to or from it counts.
    pub peer: PeerId,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub allowance: Allowance,

    // The rest.
    /// Known after its hello.
    pub record: Option<Arc<PeerRecord>>,
    pub pinged: Time,
    /// When it last pinged us: one of the two is enough.
    pub asked: Time,
    pub since: Time,
    pub epoch: Epoch,
    pub struck: Time,
    /// Present while we feed it.
    pub child: Option<Box<Child>>,
    /// Stripes it was asked for before their number was known.
    pub asked_blind: u16,
    /// Wants it met and wants it did not meet.
    pub met: u16,
    pub unmet: u16,
    /// How much later than it says it fed us, in milliseconds.
    pub excess_ms: u16,
}

const _: () = assert!(size_of::<Neighbour>() == 3 * 64, "three lines");

/// What a parent keeps about a child.
#[derive(Clone, Debug)]
pub struct Child {
    /// When it became one.
    pub since: Time,
    pub acknowledged: Seq,
    pub below: Option<Audience>,
    /// When the stripes in `leaving` are taken back by force.
    pub leave_by: Time,
}

impl Neighbour {
    /// A connection that has just been made.
    pub fn new(peer: PeerId, dialled: bool, now: Time) -> Neighbour {
        Neighbour {
            peer,
            key: Key::of(&peer),
            feeds: 0,
            fed: 0,
            leaving: 0,
            dialled,
            host: false,
            greeted: false,
            unanswered: 0,
            record: None,
            load: Load::default(),
            epoch: Epoch(0),
            since: now,
            alive: now,
            heard: now,
            pinged: now,
            asked: Time::ZERO,
            reported: Time::ZERO,
            rtt_us: 0,
            jitter_us: 0,
            progress: Seq(0),
            asked_blind: 0,
            received_bytes: 0,
            sent_bytes: 0,
            met: 0,
            unmet: 0,
            excess_ms: 0,
            strikes: 0,
            struck: Time::ZERO,
            allowance: Allowance::default(),
            child: None,
        }
    }

    /// Neither feeds us nor is fed by us.
    pub fn is_spare(&self) -> bool {
        self.feeds == 0 && self.fed == 0
    }

    /// Whether it is the host of the session, as the channel's key says.
    pub fn is_host(&self) -> bool {
        self.host
    }

    /// Whether nobody can dial it, as it says.
    pub fn is_hidden(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.addrs.is_empty())
    }

    /// Child links it says it has, in its latest word.
    pub fn slots(&self) -> u8 {
        self.load.slots
    }

    /// Half a round trip: the estimate of one way.
    pub fn one_way(&self) -> Duration {
        const UNKNOWN: Duration = Duration::from_millis(15);
        if self.rtt_us == 0 {
            return UNKNOWN;
        }
        Duration::from_micros(u64::from(self.rtt_us / 2))
    }

    /// How long an answer from it may take.
    fn answer_time(&self) -> Duration {
        let rtt_us = if self.rtt_us == 0 { 100_000 } else { self.rtt_us };
        ANSWER + Duration::from_micros(u64::from(rtt_us) + u64::from(self.jitter_us) * 4)
    }

    /// Whether it has not answered the last ping in time, nor said anything else since.
    pub fn is_overdue(&self, now: Time) -> bool {
        self.unanswered > 0 && now.since(self.pinged) > self.answer_time()
    }

    /// Whether nothing should be asked of it: it does not answer.
    pub fn is_mute(&self, now: Time) -> bool {
        self.unanswered > 1 || self.is_overdue(now)
    }

    /// Takes in a measured round trip.
    pub fn measured(&mut self, rtt: Duration) {
        let sample = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).clamp(1, 60_000_000);
        if self.rtt_us == 0 {
            self.rtt_us = sample;
            return;
        }
        let apart = sample.abs_diff(self.rtt_us);
        self.jitter_us = (self.jitter_us / 4 * 3).saturating_add(apart / 4);
        self.rtt_us = (u64::from(self.rtt_us) * 7 / 8 + u64::from(sample) / 8) as u32;
    }
}
