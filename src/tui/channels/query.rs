//! The filter line: what it says, how well a channel suits it, and which letters it found.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::engine::listing::{Listing, Origin};

/// Finds in single names what the filter line looks for, for drawing.
pub struct Finder {
    words: Option<Pattern>,
    matcher: Matcher,
    letters: Vec<char>,
}

impl Finder {
    /// Of a filter line.
    pub fn of(query: &str) -> Finder {
        Finder {
            words: Query::parse(query).words,
            matcher: Matcher::new(Config::DEFAULT),
            letters: Vec::new(),
        }
    }

    /// Which letters of a text were found; none when it does not fit.
    pub fn letters(&mut self, text: &str) -> Vec<u32> {
        let mut found = Vec::new();
        if let Some(words) = &self.words {
            let text = Utf32Str::new(text, &mut self.letters);
            if words.indices(text, &mut self.matcher, &mut found).is_none() {
                found.clear();
            }
        }
        found
    }
}

/// A filter line: words to be found fuzzily, and `tag:`, `host:`, `lang:` terms that must all hold.
pub(super) struct Query {
    pub words: Option<Pattern>,
    terms: Vec<(Field, String)>,
}

#[derive(Clone, Copy)]
enum Field {
    Tag,
    Host,
    Language,
}

impl Query {
    pub fn parse(text: &str) -> Query {
        let mut words = String::new();
        let mut terms = Vec::new();
        for word in text.split_whitespace() {
            let field = match word.split_once(':') {
                Some(("tag" | "genre", rest)) => Some((Field::Tag, rest)),
                Some(("host" | "key", rest)) => Some((Field::Host, rest)),
                Some(("lang", rest)) => Some((Field::Language, rest)),
                Some(_) | None => None,
            };
            match field {
                Some((field, rest)) => terms.push((field, rest.to_lowercase())),
                None => {
                    words.push(' ');
                    words.push_str(word);
                }
            }
        }
        let words = (!words.is_empty()).then(|| Pattern::parse(&words, CaseMatching::Ignore, Normalization::Smart));
        Query { words, terms }
    }

    /// How well a listing suits; `None` when it does not.
    pub fn score(&self, listing: &Listing, matcher: &mut Matcher, letters: &mut Vec<char>) -> Option<u32> {
        for (field, wanted) in &self.terms {
            let held =
                match field {
                    Field::Tag => has_genre(&listing.genre, wanted),
                    Field::Language => listing.language.to_lowercase().contains(wanted),
                    Field::Host => listing.link.to_lowercase().contains(wanted)
                        || listing.sources.iter().any(
                            |source| matches!(source, Origin::Directory(name) if name.to_lowercase().contains(wanted)),
                        ),
                };
            if !held {
                return None;
            }
        }
        let Some(words) = &self.words else { return Some(0) };
        let mut score = |text: &str, weight: u32| {
            if text.is_empty() {
                None
            } else {
                words.score(Utf32Str::new(text, letters), matcher).map(|s| s * weight)
            }
        };
        let name = score(&listing.name, 4);
        let title = score(&listing.title, 2);
        let genre = score(&listing.genre, 2);
        [name, title, genre].into_iter().flatten().max()
    }
}

/// Whether a genre holds a lower-case word, without a copy for the usual letters.
pub(super) fn has_genre(genre: &str, word: &str) -> bool {
    if genre.is_ascii() && word.is_ascii() {
        let (genre, word) = (genre.as_bytes(), word.as_bytes());
        return word.is_empty() || genre.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    genre.to_lowercase().contains(word)
}
