//! Text from the network on its way to the screen: made harmless, measured in cells, cut to a width.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters kept of any text from outside; longer than every column it is drawn in.
pub const CLEAN_MAX_CHARS: usize = 300;
/// Marks that may sit on one letter; real orthographies need three.
const MARKS_MAX: usize = 3;

/// Text in which nothing can move the cursor, turn the writing direction, hide, or take more than [`CLEAN_MAX_CHARS`].
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(CLEAN_MAX_CHARS * 4));
    let mut kept = 0;
    let mut marks = 0;
    for c in text.chars().take(CLEAN_MAX_CHARS * 8) {
        if kept == CLEAN_MAX_CHARS {
            break;
        }
        let c = if c.is_whitespace() { ' ' } else { c };
        if is_harmful(c) {
            continue;
        }
        if c.width() == Some(0) {
            marks += 1;
            if marks > MARKS_MAX || out.is_empty() {
                continue;
            }
        } else {
            marks = 0;
        }
        out.push(c);
        kept += 1;
    }
    out.trim().to_owned()
}

/// Controls, bidirectional overrides, zero-width spaces and joiners, invisible tags and fillers.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Cells the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `cells`, with `more` at the end when something was cut.
pub fn cut(text: &str, cells: usize, more: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(more));
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        used += width(cluster);
        if used > room {
            break;
        }
        out.push_str(cluster);
    }
    if width(more) <= cells {
        out.push_str(more);
    }
    out
}

/// The text in exactly `cells`, left-aligned.
pub fn fit(text: &str, cells: usize, more: &str) -> String {
    let mut out = cut(text, cells, more);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    out
}

/// The text in exactly `cells`, right-aligned.
pub fn fit_right(text: &str, cells: usize, more: &str) -> String {
    let cut = cut(text, cells, more);
    let mut out = " ".repeat(cells.saturating_sub(width(&cut)));
    out.push_str(&cut);
    out
}

/// Words over lines of at most `cells`; at most `lines` of them, the last cut when more would follow.
pub fn wrap(text: &str, cells: usize, lines: usize, more: &str) -> Vec<String> {
    if width(text) <= cells && lines > 0 && !text.is_empty() {
        return vec![text.to_owned()];
    }
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let fits = line.is_empty() || width(&line) + 1 + width(word) <= cells;
        if !fits {
            out.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push(line);
    }
    if out.len() > lines {
        out.truncate(lines);
        if let Some(last) = out.last_mut() {
            last.push_str(more);
        }
    }
    out.into_iter().map(|line| cut(&line, cells, more)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_disturb_the_screen_is_removed() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d\u{200d}e\u{feff}"), "a[31mb cde");
        assert_eq!(clean("\u{301}\u{301}x"), "x");
        let zalgo = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(clean(&zalgo).chars().count(), 2 + MARKS_MAX);
    }

    #[test]
    fn ten_thousand_characters_are_cut() {
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), CLEAN_MAX_CHARS);
        assert!(clean(&"\u{200b}".repeat(10_000_000)).is_empty());
    }

    #[test]
    fn wide_letters_are_cut_between_letters() {
        assert_eq!(cut("深夜ラジオ", 6, "…"), "深夜…");
        assert_eq!(width(&fit("深夜ラジオ", 6, "…")), 6);
        assert_eq!(fit("ab", 4, "…"), "ab  ");
        assert_eq!(fit_right("ab", 4, "…"), "  ab");
        assert_eq!(cut("abc", 0, "…"), "");
    }

    #[test]
    fn words_are_kept_whole_while_they_fit() {
        assert_eq!(wrap("one two three four", 8, 2, "…"), ["one two", "three…"]);
        assert_eq!(wrap("", 8, 2, "…"), Vec::<String>::new());
    }
}
