//! What is asked of a directory or of a node, and what they answer. Each question and each frame of an answer is one kind
//! byte and its fields; what follows the known fields belongs to later versions and is passed over.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::discovery::announcement::Refusal;
use crate::discovery::directory::roll::BUCKETS;
use crate::mesh::wire::WireError;
use crate::mesh::wire::layout::{Reader, Sink};
use crate::units::ChannelId;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Take this announcement. Answered by `Taken` or `Refused`.
    Announce(Bytes),
    /// What has changed since a version of this run of the directory; waits so long for something to change. Answered by
    /// `Head`, then so many `Listed` and `Gone`.
    Since { instance: u64, version: u64, wait_ms: u16 },
    /// Answered by `Sums`.
    Sums,
    /// What is listed in these buckets. Answered by `Head`, then so many `Listed`.
    Buckets(BTreeSet<u8>),
    /// Prove that you carry this channel. Answered by `Proof` or `NoProof`; every node answers this one.
    Prove(ChannelId),
    /// What is listed of one channel. Answered by `Listed` or `NoProof`.
    Find(ChannelId),
    /// The one who asks is a directory, too, and answers the same questions on this line. Answered by `Taken`.
    Exchange,
}

/// One frame of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Taken,
    Refused(Refusal),
    Head {
        instance: u64,
        version: u64,
        /// What follows is all there is, not only what changed.
        whole: bool,
        count: u32,
    },
    Listed(Bytes),
    Gone(ChannelId),
    Sums {
        instance: u64,
        version: u64,
        sums: Box<[u64; BUCKETS]>,
    },
    /// A session and its newest chunk, as [`crate::discovery::proof`] writes them.
    Proof(Bytes),
    NoProof,
}

impl Question {
    /// The bytes of the question.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Question::Announce(bytes) => {
                out.u8(1);
                out.put(bytes);
            }
            Question::Since {
                instance,
                version,
                wait_ms,
            } => {
                out.u8(2);
                out.u64(*instance);
                out.u64(*version);
                out.u16(*wait_ms);
            }
            Question::Sums => out.u8(3),
            Question::Buckets(wanted) => {
                out.u8(4);
                let mut bits = [0_u8; BUCKETS / 8];
                for bucket in wanted {
                    bits[usize::from(bucket / 8)] |= 1 << (bucket % 8);
                }
                out.put(&bits);
            }
            Question::Prove(channel) => {
                out.u8(5);
                out.put(&channel.0);
            }
            Question::Exchange => out.u8(6),
            Question::Find(channel) => {
                out.u8(7);
                out.put(&channel.0);
            }
        }
        out
    }

    /// Reads a question.
    ///
    /// # Errors
    /// When it is none that is known.
    pub fn decode(bytes: &Bytes) -> Result<Question, WireError> {
        let mut from = Reader::new(bytes);
        Ok(match from.u8()? {
            1 => {
                let left = from.left();
                Question::Announce(from.share(left)?)
            }
            2 => Question::Since {
                instance: from.u64()?,
                version: from.u64()?,
                wait_ms: from.u16()?,
            },
            3 => Question::Sums,
            4 => {
                let bits: [u8; BUCKETS / 8] = from.array()?;
                let set = |bucket: &u8| bits[usize::from(bucket / 8)] & 1 << (bucket % 8) != 0;
                Question::Buckets((0..=u8::MAX).filter(set).collect())
            }
            5 => Question::Prove(ChannelId(from.array()?)),
            6 => Question::Exchange,
            7 => Question::Find(ChannelId(from.array()?)),
            _ => return Err(WireError::Value("a question")),
        })
    }
}

impl Frame {
    /// The bytes of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Frame::Taken => out.u8(1),
            Frame::Refused(why) => {
                out.u8(2);
                let code = Refusal::ALL.iter().position(|known| known == why).unwrap_or_default();
                out.u8(code as u8);
            }
            Frame::Head {
                instance,
                version,
                whole,
                count,
            } => {
                out.u8(3);
                out.u64(*instance);
                out.u64(*version);
                out.u8(u8::from(*whole));
                out.u32(*count);
            }
            Frame::Listed(bytes) => {
                out.u8(4);
                out.put(bytes);
            }
            Frame::Gone(channel) => {
                out.u8(5);
                out.put(&channel.0);
            }
            Frame::Sums {
                instance,
                version,
                sums,
            } => {
                out.u8(6);
                out.u64(*instance);
                out.u64(*version);
                sums.iter().for_each(|sum| out.u64(*sum));
            }
            Frame::Proof(bytes) => {
                out.u8(7);
                out.put(bytes);
            }
            Frame::NoProof => out.u8(8),
        }
        out
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is none that is known.
    pub fn decode(bytes: &Bytes) -> Result<Frame, WireError> {
        let mut from = Reader::new(bytes);
        Ok(match from.u8()? {
            1 => Frame::Taken,
            2 => {
                let code = usize::from(from.u8()?);
                Frame::Refused(Refusal::ALL.get(code).copied().unwrap_or(Refusal::Unreadable))
            }
            3 => Frame::Head {
                instance: from.u64()?,
                version: from.u64()?,
                whole: from.flag()?,
                count: from.u32()?,
            },
            4 => {
                let left = from.left();
                Frame::Listed(from.share(left)?)
            }
            5 => Frame::Gone(ChannelId(from.array()?)),
            6 => {
                let (instance, version) = (from.u64()?, from.u64()?);
                let mut sums = Box::new([0; BUCKETS]);
                for sum in sums.iter_mut() {
                    *sum = from.u64()?;
                }
                Frame::Sums {
                    instance,
                    version,
                    sums,
                }
            }
            7 => {
                let left = from.left();
                Frame::Proof(from.share(left)?)
            }
            8 => Frame::NoProof,
            _ => return Err(WireError::Value("a frame")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ASK_FRAME_MAX_BYTES;
    use proptest::prelude::*;

    #[test]
    fn questions_and_frames_survive_the_wire() {
        let questions = [
            Question::Announce(Bytes::from_static(b"a")),
            Question::Since {
                instance: 1,
                version: 2,
                wait_ms: 3,
            },
            Question::Sums,
            Question::Buckets([0, 7, 8, 255].into()),
            Question::Prove(ChannelId([4; 32])),
            Question::Exchange,
            Question::Find(ChannelId([6; 32])),
        ];
        for question in questions {
            assert_eq!(Question::decode(&question.encode().into()), Ok(question));
        }
        let mut sums = Box::new([0; BUCKETS]);
        sums[9] = 9;
        let frames = [
            Frame::Taken,
            Frame::Refused(Refusal::TooOften),
            Frame::Head {
                instance: 1,
                version: 2,
                whole: true,
                count: 3,
            },
            Frame::Listed(Bytes::from_static(b"l")),
            Frame::Gone(ChannelId([5; 32])),
            Frame::Sums {
                instance: 1,
                version: 2,
                sums,
            },
            Frame::Proof(Bytes::from_static(b"p")),
            Frame::NoProof,
        ];
        for frame in frames {
            let bytes = frame.encode();
            assert!(bytes.len() <= ASK_FRAME_MAX_BYTES);
            assert_eq!(Frame::decode(&bytes.into()), Ok(frame));
        }
    }

    proptest! {
        #[test]
        fn nothing_received_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = Question::decode(&bytes);
            let _ = Frame::decode(&bytes);
        }
    }
}
