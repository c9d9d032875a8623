//! The ICY protocol: titles between the sound, and the answers of servers older than HTTP/1.1. Pure.

use std::collections::VecDeque;

use crate::limits::TITLE_MAX_BYTES;

/// The longest run of sound between two titles that is believed.
const INTERVAL_MAX: usize = 1 << 20;

/// What comes out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Sound(Vec<u8>),
    Title(String),
}

/// Takes titles out of a stream that has one after each `interval` bytes of sound.
#[derive(Debug)]
pub struct Splitter {
    interval: usize,
    /// Bytes of sound until the next title.
    left: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Sound,
    Length,
    Title { left: usize, text: Vec<u8> },
}

impl Splitter {
    /// A splitter for a stream whose server named this interval; without one everything is sound.
    pub fn new(interval: Option<usize>) -> Splitter {
        let interval = interval
            .filter(|interval| (1..=INTERVAL_MAX).contains(interval))
            .unwrap_or(0);
        Splitter {
            interval,
            left: interval,
            state: State::Sound,
        }
    }

    /// Takes the next bytes of the stream apart.
    pub fn push(&mut self, mut bytes: &[u8]) -> VecDeque<Piece> {
        let mut pieces = VecDeque::new();
        if self.interval == 0 {
            pieces.push_back(Piece::Sound(bytes.to_vec()));
            return pieces;
        }
        while !bytes.is_empty() {
            match &mut self.state {
                State::Sound => {
                    let (sound, rest) = bytes.split_at(self.left.min(bytes.len()));
                    bytes = rest;
                    self.left -= sound.len();
                    if !sound.is_empty() {
                        pieces.push_back(Piece::Sound(sound.to_vec()));
                    }
                    if self.left == 0 {
                        self.state = State::Length;
                    }
                }
                State::Length => {
                    let left = usize::from(bytes[0]) * 16;
                    bytes = &bytes[1..];
                    self.left = self.interval;
                    self.state = match left {
                        0 => State::Sound,
                        left => State::Title {
                            left,
                            text: Vec::with_capacity(left),
                        },
                    };
                }
                State::Title { left, text } => {
                    let (part, rest) = bytes.split_at((*left).min(bytes.len()));
                    bytes = rest;
                    text.extend_from_slice(part);
                    *left -= part.len();
                    if *left == 0 {
                        pieces.extend(title(text).map(Piece::Title));
                        self.state = State::Sound;
                    }
                }
            }
        }
        pieces
    }
}

/// The title in a block of metadata; UTF-8, or Latin-1 where it is no UTF-8.
pub fn title(block: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(block) {
        Ok(text) => text.to_owned(),
        Err(_) => block.iter().map(|byte| char::from(*byte)).collect(),
    };
    let (_, rest) = text.split_once("StreamTitle='")?;
    let end = rest.find("';").or_else(|| rest.rfind('\'')).unwrap_or(rest.len());
    let title = crate::discovery::announcement::clean(rest[..end].trim(), TITLE_MAX_BYTES);
    (!title.is_empty()).then_some(title)
}

/// The head of an answer: status and the fields a station's answer has, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// A field by its lower-case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads `ICY 200 OK` or `HTTP/1.x 200 OK` and the fields below it; `None` when it is neither.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let (protocol, rest) = lines.next()?.split_once(' ')?;
    if protocol != "ICY" && !protocol.starts_with("HTTP/") {
        return None;
    }
    let status = rest.get(..3)?.parse().ok()?;
    let fields = lines
        .filter_map(|line| line.split_once(':'))
        .take(64)
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Head { status, fields })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(interval: usize, sound: &[u8], titles: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, part) in sound.chunks(interval).enumerate() {
            out.extend_from_slice(part);
            if part.len() == interval {
                let block = titles
                    .get(at)
                    .map_or(String::new(), |title| format!("StreamTitle='{title}';StreamUrl='';"));
                out.push(block.len().div_ceil(16) as u8);
                out.extend_from_slice(block.as_bytes());
                out.resize(out.len() + (16 - block.len() % 16) % 16, 0);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn sound_and_titles_come_out_however_the_stream_is_cut(cuts in prop::collection::vec(1..40_usize, 1..60)) {
            let sound: Vec<u8> = (0..500).map(|n| n as u8).collect();
            let bytes = stream(100, &sound, &["It's A", "", "Ünter"]);
            let mut splitter = Splitter::new(Some(100));
            let (mut heard, mut titles, mut at) = (Vec::new(), Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at >= bytes.len() {
                    break;
                }
                let end = (at + cut).min(bytes.len());
                for piece in splitter.push(&bytes[at..end]) {
                    match piece {
                        Piece::Sound(part) => heard.extend(part),
                        Piece::Title(title) => titles.push(title),
                    }
                }
                at = end;
            }
            prop_assert_eq!(heard, sound);
            prop_assert_eq!(titles, ["It's A", "Ünter"]);
        }

        #[test]
        fn garbage_makes_nothing_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), interval in 0..50_usize) {
            Splitter::new(Some(interval)).push(&bytes);
            let _ = title(&bytes);
            let _ = head(&bytes);
        }
    }

    #[test]
    fn old_and_new_answers_are_read() {
        let old = head(b"ICY 200 OK\r\nicy-name: Jazz\r\nicy-metaint:8192\r\n\r\n").unwrap();
        assert_eq!((old.status, old.get("icy-metaint")), (200, Some("8192")));
        assert_eq!(head(b"HTTP/1.0 404 Not Found\r\n\r\n").unwrap().status, 404);
        assert_eq!(head(b"SSH-2.0-x\r\n"), None);
        assert_eq!(title(b"StreamTitle='\xfcber';"), Some("über".into()));
    }
}
