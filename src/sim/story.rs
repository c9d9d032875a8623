//! What became of a chunk: who sent it to whom, and who asked whom for it. Kept in small worlds once all should have healed, so that a
//! chunk that is missed then tells why.

use std::collections::VecDeque;

use crate::mesh::Message;

/// What is kept: the last seconds of the largest of the worlds that are watched so closely.
const TOLD_MAX: usize = 400_000;
/// Lines of one story.
const LINES_MAX: usize = 30;

/// The last chunks that were sent, asked for and refused.
#[derive(Default)]
pub struct Story {
    told: VecDeque<Told>,
}

/// One of these. Times in microseconds.
struct Told {
    chunk: u64,
    what: What,
    from: u32,
    to: u32,
    at: u64,
    /// `None` when it was lost.
    arrival: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Sends,
    AsksFor,
    Refuses,
}

impl Story {
    /// Notes a message that has to do with chunks; `base` is the number of the first one of the session.
    pub fn note(&mut self, from: u32, to: u32, message: &Message, base: u64, at: u64, arrival: Option<u64>) {
        let mut tell = |seq: u64, what: What| {
            let chunk = base + seq;
            self.told.push_back(Told {
                chunk,
                what,
                from,
                to,
                at,
                arrival,
            });
        };
        match message {
            Message::Chunk(pushed) => tell(pushed.chunk.seq.0, What::Sends),
            Message::Want { set, .. } => set.iter().for_each(|seq| tell(seq.0, What::AsksFor)),
            Message::Lack(set) => set.iter().for_each(|seq| tell(seq.0, What::Refuses)),
            _ => {}
        }
        while self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
    }

    /// How a node came to miss a chunk, in lines: what it was sent and what it asked, in seconds since the host first sent the chunk, and
    /// since when those it had to do with had it.
    pub fn about(&self, node: u32, chunk: u64) -> Vec<String> {
        let told = || self.told.iter().filter(|told| told.chunk == chunk);
        let begun = told().map(|told| told.at).min().unwrap_or(0);
        let since = |at: u64| (at - begun) as f64 / 1e6;
        let had_by = |peer: u32| {
            let came = told().filter(|told| told.to == peer && told.what == What::Sends);
            came.filter_map(|told| told.arrival).min()
        };
        let mut met = Vec::new();
        let mut lines = Vec::new();
        for told in told().filter(|told| told.from == node || told.to == node) {
            let peer = if told.from == node { told.to } else { told.from };
            if !met.contains(&peer) && peer != 0 {
                met.push(peer);
                lines.push(match had_by(peer) {
                    Some(at) => format!("{peer} had it {:.3} s after it was first sent", since(at)),
                    None => format!("{peer} never had it"),
                });
            }
            let what = match told.what {
                What::Sends => "sends it to",
                What::AsksFor => "asks for it at",
                What::Refuses => "refuses it to",
            };
            let end = match told.arrival {
                Some(at) => format!("arrives {:+.3} s", since(at)),
                None => "is lost".into(),
            };
            lines.push(format!(
                "{:+.3} s  {} {what} {}, {end}",
                since(told.at),
                told.from,
                told.to
            ));
        }
        if lines.is_empty() {
            lines.push("nobody sent it and nobody was asked for it".into());
        }
        lines.truncate(LINES_MAX);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::wire::SeqSet;
    use crate::units::Seq;
    use std::time::Duration;

    #[test]
    fn a_chunk_that_was_asked_for_in_vain_tells_so() {
        let mut story = Story::default();
        let want = Message::Want {
            within: Duration::ZERO,
            set: SeqSet::one(Seq(7)),
        };
        story.note(3, 4, &want, 100, 1_000_000, Some(1_050_000));
        story.note(4, 3, &Message::Lack(SeqSet::one(Seq(7))), 100, 1_060_000, None);
        story.note(4, 3, &Message::Lack(SeqSet::one(Seq(8))), 100, 1_070_000, None);
        let lines = story.about(3, 107);
        let expected = [
            "4 never had it",
            "+0.000 s  3 asks for it at 4, arrives +0.050 s",
            "+0.060 s  4 refuses it to 3, is lost",
        ];
        assert_eq!(lines, expected);
        assert_eq!(story.about(5, 107), ["nobody sent it and nobody was asked for it"]);
    }
}
