//! The messages of the mesh, by direction and purpose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::mesh::chunk::SignedChunk;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::session::Session;
use crate::units::{Epoch, Seq, Stripe};

/// The protocol spoken here.
pub const VERSION: u8 = 2;
/// Nodes on the longest way, the host and the deepest node included; a tree of fan-out 3 reaches a million in 13.
pub const HOPS_MAX: usize = 24;
/// Records in one message: five of the largest take 180 bytes each and fit a control message.
pub const RECORDS_MAX: usize = 5;

/// Short names from the host to the sender of a message, both included; empty when the sender has no way to the host.
pub type Path = Arc<[Key]>;

/// What travels between two nodes about one channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The first message of either side.
    Hello(Box<Hello>),
    /// The host's signed session.
    Session(Arc<Session>),
    /// Some peers the sender knows; `answer` asks for some in return.
    Peers {
        answer: bool,
        records: Vec<Arc<PeerRecord>>,
    },
    /// A request to be fed.
    Attach(Attach),
    /// The sender feeds this stripe from now on.
    Accept { stripe: Stripe, path: Path, newest: Seq },
    /// The sender does not feed these stripes; `others` might.
    Refuse {
        stripes: u16,
        reason: Reason,
        others: Vec<Arc<PeerRecord>>,
    },
    /// The sender wants its slot back: the child looks elsewhere and is fed until it has found a place.
    Redirect {
        stripe: Stripe,
        others: Vec<Arc<PeerRecord>>,
    },
    /// The link of these stripes has ended, whichever side says so.
    Detach { stripes: u16 },
    /// The sender's new path in a stripe; empty when it looks for a parent itself.
    Path { stripe: Stripe, path: Path },
    /// A chunk, pushed or asked for.
    Chunk(Pushed),
    /// Chunks the sender misses; after `within` it asks somebody else, so later they are of no use. In steps of 5 ms, up to
    /// 1.275 s.
    Want { within: Duration, set: SeqSet },
    /// Chunks that were asked for and are not there.
    Lack(SeqSet),
    /// A child's report to its parent.
    Status(Status),
    /// A question that is answered at once.
    Ping { stamp: u32, load: Load },
    /// The answer, with the stamp of the question.
    Pong { stamp: u32, load: Load },
    /// What the host knows about the whole channel, from parent to child.
    Audience(Audience),
    /// The host has ended the show.
    Farewell(Arc<Farewell>),
    /// The sender has a slot in this stripe for the receiver.
    Offer { stripe: Stripe },
    /// Of one above the receiver: it has a place for it in this stripe, nearer to the host. Of anybody else: it looks for one.
    Hint { stripe: Stripe, record: Arc<PeerRecord> },
    /// The sender leaves; `others` are its own parents.
    Bye { others: Vec<Arc<PeerRecord>> },
}

/// Who speaks, and what it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub version: u8,
    /// The session the sender is in; zero when it knows none.
    pub epoch: Epoch,
    /// Whether a person listens there; a relay does not count as a listener.
    pub listens: bool,
    /// Where the sender sees the receiver.
    pub observed: SocketAddr,
    pub load: Load,
    pub record: Arc<PeerRecord>,
}

/// A request to be fed in the stripes of a bit mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attach {
    /// The session the sender is in; zero when it knows none yet and takes any.
    pub epoch: Epoch,
    /// One bit a stripe; bits beyond the session's stripes are ignored, so a newcomer may set all.
    pub stripes: u16,
    /// Child links the sender has in its home stripe.
    pub slots: u8,
    pub need: Need,
    /// The first chunk the sender misses; `None` asks for what is younger than `past`.
    pub from: Option<Seq>,
    /// How much of the past is of use to a newcomer, in steps of 20 ms up to 5.1 s.
    pub past: Duration,
}

/// Why a place is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Need {
    /// It is fed, and looks for a better place.
    Better = 0,
    /// It has lost its parent.
    Orphan = 1,
    /// It has nothing yet.
    Newcomer = 2,
}

/// Why a place is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Every slot is taken.
    Full = 0,
    /// The sender is not fed itself.
    NotFed = 1,
    /// The receiver is among the sender's ancestors, or the path is too long.
    Loop = 2,
    /// The sender passes nothing on.
    LeafOnly = 3,
    /// The show is over.
    Ended = 4,
}

/// A chunk with what the last hop says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Hops it has made when it arrives.
    pub hops: u8,
    /// Time since the host published it when the sender let it go; whole milliseconds on the wire. For ranking only.
    pub age: Duration,
    /// Of which session it is, as [`Epoch::mark`] says.
    pub mark: u16,
    pub chunk: Arc<SignedChunk>,
}

/// Up to 65 chunk numbers: `first`, and `first + 1 + i` for every set bit i of `more`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqSet {
    pub first: Seq,
    pub more: u64,
}

impl SeqSet {
    /// A set of one.
    pub const fn one(seq: Seq) -> SeqSet {
        SeqSet { first: seq, more: 0 }
    }

    /// Adds a number above `first`; false when it lies too far from it.
    pub const fn add(&mut self, seq: Seq) -> bool {
        if seq.0 <= self.first.0 || seq.0 - self.first.0 > 64 {
            return false;
        }
        self.more |= 1 << (seq.0 - self.first.0 - 1);
        true
    }

    /// Ascending.
    pub fn iter(self) -> impl Iterator<Item = Seq> {
        let more = (0..64).filter(move |bit| self.more >> bit & 1 == 1);
        std::iter::once(self.first).chain(more.map(move |bit| Seq(self.first.0 + 1 + bit)))
    }

    /// How many numbers.
    pub const fn len(&self) -> usize {
        1 + self.more.count_ones() as usize
    }

    /// Never: `first` is always in it.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// A child's report, every half second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Stripes the sender believes the receiver feeds it in.
    pub fed: u16,
    /// Highest chunk received from the receiver.
    pub progress: Seq,
    pub load: Load,
    /// The sender and all below it, in the one tree that counts.
    pub below: Option<Audience>,
}

/// What a node says about its own room and state; it only filters candidates, measurement ranks them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Free child links.
    pub free: u8,
    /// Child links of the weakest child in its home stripe (at a host: in the one of whom it tells), which would make room for a
    /// stronger one; zero for a child that passes nothing on, the greatest number without children.
    pub weakest: u8,
    /// Child links in all.
    pub slots: u8,
    /// Stripes in which it has a path to the host; at the host, those with a free child link.
    pub fed: u16,
    /// Source to the node in its home stripe; the greatest number when it does not flow.
    pub lag_ms: u16,
}

/// Counts without names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    pub listeners: u32,
    pub relays: u32,
    /// Mean continuity of the last minute over the listeners, in millionths.
    pub mean_ppm: u32,
    /// The worst of them.
    pub worst_ppm: u32,
}

/// The end of a show, signed with the session key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    pub epoch: Epoch,
    pub last: Seq,
    pub signature: [u8; 64],
}

impl Farewell {
    /// What the signature covers.
    pub fn signed_bytes(channel: crate::units::ChannelId, epoch: Epoch, last: Seq) -> Vec<u8> {
        let mut bytes = b"inonda farewell v1\0".to_vec();
        bytes.extend_from_slice(&channel.0);
        bytes.extend_from_slice(&epoch.0.to_be_bytes());
        bytes.extend_from_slice(&last.0.to_be_bytes());
        bytes
    }
}
