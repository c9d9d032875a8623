//! What happened last, for the report of a broken rule.

use std::collections::VecDeque;

use crate::mesh::Message;

/// How many of them are shown.
const SHOWN: usize = 8;

/// The last messages that were sent, and at most so many.
pub struct Last {
    sent: VecDeque<Sent>,
    most: usize,
}

/// One of them. A large world passes so many through that their size is felt.
struct Sent {
    /// Microseconds, and the kind of message in the last byte.
    at: u64,
    from: u32,
    to: u32,
}

impl Last {
    /// Keeps the last `most`.
    pub fn of(most: usize) -> Last {
        Last {
            sent: VecDeque::new(),
            most,
        }
    }

    /// Keeps one more.
    pub fn remember(&mut self, from: u32, to: u32, message: &Message, now: u64) {
        let at = now << 8 | kind(message) as u64;
        self.sent.push_back(Sent { at, from, to });
        if self.sent.len() > self.most {
            self.sent.pop_front();
        }
    }

    /// Those that a node sent or was sent, in words.
    pub fn about(&self, node: u32) -> Vec<String> {
        let about = self.sent.iter().filter(|sent| sent.from == node || sent.to == node);
        // The newest of them.
        let about: Vec<&Sent> = about.collect();
        let about = about.iter().skip(about.len().saturating_sub(SHOWN));
        let words = about.map(|Sent { at, from, to }| {
            let (seconds, what) = ((at >> 8) as f64 / 1e6, NAMES[*at as usize & 0xff]);
            format!("{seconds:.3} s  {from} -> {to}  {what}")
        });
        words.collect()
    }
}

/// Kinds of messages in words.
const NAMES: [&str; 20] = [
    "hello", "session", "peers", "attach", "accept", "refuse", "redirect", "detach", "path", "chunk", "want", "lack",
    "status", "ping", "pong", "audience", "farewell", "offer", "hint", "bye",
];

/// The place of a message among [`NAMES`].
fn kind(message: &Message) -> usize {
    match message {
        Message::Hello(_) => 0,
        Message::Session(_) => 1,
        Message::Peers { .. } => 2,
        Message::Attach(_) => 3,
        Message::Accept { .. } => 4,
        Message::Refuse { .. } => 5,
        Message::Redirect { .. } => 6,
        Message::Detach { .. } => 7,
        Message::Path { .. } => 8,
        Message::Chunk(_) => 9,
        Message::Want { .. } => 10,
        Message::Lack(_) => 11,
        Message::Status(_) => 12,
        Message::Ping { .. } => 13,
        Message::Pong { .. } => 14,
        Message::Audience(_) => 15,
        Message::Farewell(_) => 16,
        Message::Offer { .. } => 17,
        Message::Hint { .. } => 18,
        Message::Bye { .. } => 19,
    }
}
