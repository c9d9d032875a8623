//! Titles as people read them: one line, no control characters, bounded.

use crate::limits::TITLE_MAX_BYTES;

/// Makes foreign text fit to show and to send: control and formatting characters become spaces, runs of spaces one, and the end is
/// cut at a character so that at most [`TITLE_MAX_BYTES`] remain.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(TITLE_MAX_BYTES));
    for word in text
        .split(|c: char| c.is_whitespace() || is_hostile(c))
        .filter(|w| !w.is_empty())
    {
        let gap = usize::from(!out.is_empty());
        if gap == 1 && out.len() < TITLE_MAX_BYTES {
            out.push(' ');
        }
        for c in word.chars() {
            if out.len() + c.len_utf8() > TITLE_MAX_BYTES {
                return out.trim_end().to_owned();
            }
            out.push(c);
        }
    }
    out
}

/// "Artist – Title", or the one that is there.
pub fn compose(artist: Option<&str>, title: Option<&str>) -> Option<String> {
    let artist = artist.map(clean).filter(|a| !a.is_empty());
    let title = title.map(clean).filter(|t| !t.is_empty());
    match (artist, title) {
        (Some(artist), Some(title)) => Some(clean(&format!("{artist} – {title}"))),
        (None, Some(title)) => Some(title),
        (Some(_), None) | (None, None) => None,
    }
}

/// Characters that would move the cursor, hide text or turn its direction in a terminal.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_a_terminal_is_gone() {
        assert_eq!(clean("a\x1b[31mb\r\n\tc \u{202e}d"), "a [31mb c d");
    }

    #[test]
    fn a_long_title_is_cut_at_a_character() {
        let cut = clean(&"深夜".repeat(100));
        assert!(cut.len() <= TITLE_MAX_BYTES && cut.len() > TITLE_MAX_BYTES - 3);
    }

    #[test]
    fn artist_and_title_are_joined_and_a_lone_artist_is_no_title() {
        assert_eq!(compose(Some("Satie"), Some("Vexations")).unwrap(), "Satie – Vexations");
        assert_eq!(compose(None, Some("Vexations")).unwrap(), "Vexations");
        assert_eq!(compose(Some("Satie"), Some("\u{7}")), None);
    }
}
