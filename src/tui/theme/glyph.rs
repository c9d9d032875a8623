//! Marks and lines, in three packs: for good fonts, for East Asian widths, and for ASCII.

use std::borrow::Cow;

use ratatui::symbols::border;

macro_rules! glyphs {
    ($($field:ident $unicode:literal $narrow:literal $ascii:literal),+ $(,)?) => {
        /// Every sign the screens draw beside letters.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct Glyphs {
            pub pack: Pack,
            $(pub $field: String),+
        }

        impl Glyphs {
            /// The signs of a pack.
            pub fn of(pack: Pack) -> Glyphs {
                Glyphs { pack, $($field: match pack {
                    Pack::Unicode => $unicode, Pack::Narrow => $narrow, Pack::Ascii => $ascii,
                }.to_owned()),+ }
            }

            /// Replaces one sign by its name; false when there is none of that name.
            pub fn set(&mut self, name: &str, sign: &str) -> bool {
                match name { $(stringify!($field) => self.$field = sign.to_owned(),)+ _ => return false }
                true
            }

            /// Names and signs, for tests and the theme sheet.
            pub fn all(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($field), self.$field.as_str())),+]
            }
        }
    };
}

glyphs! {
    host "◉" "⏣" "@", room "◎" "◦" "o", full "○" "◍" "O", nospare "△" "▵" "^", closed "✗" "✗" "x",
    stalled "■" "◼" "!", live "●" "⏺" "*", favourite "★" "✶" "*", ok "✓" "✓" "+", warn "▲" "▴" "!",
    play "►" "⏵" ">", pause "‖" "⏸" "\"", stop "■" "◼" "#", joining "◌" "◌" ".", reconnect "↻" "↻" "~",
    selected "▸" "▸" ">", cursor "▏" "_" "_", down "⇣" "⇣" "v", up "⇡" "⇡" "^", sort "▾" "▾" "v",
    more "…" ".." "~", dot "·" "-" "-", dash "—" "-" "-", minus "−" "−" "-", prompt "❯" "❯" ">",
    bar_left "▕" "[" "[", bar_right "▏" "]" "]", bar_full "█" "#" "#", bar_empty "·" "." ".", bar_peak "│" "|" "|",
    rule "─" "-" "-", soft_rule "╌" "-" "-",
    link "───" "---" "---", link_self "═══" "===" "===", branch "╠══" "|==" "|==", branch_last "╚══" "`==" "`==",
    fork "╦══" "+--" "+--", fork_far "┬──" "+--" "+--",
    gather "══╦" "--+" "--+", gather_on "══╣" "--|" "--|", gather_last "══╝" "--'" "--'", line_self "═" "=" "=",
    twig "├──" "|--" "|--", twig_last "└──" "`--" "`--", trunk "│" "|" "|", trunk_self "║" "|" "|",
}

/// Which signs a terminal and its font can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pack {
    #[default]
    Unicode,
    /// Nothing that East Asian fonts draw two cells wide.
    Narrow,
    Ascii,
}

impl Pack {
    /// Every pack.
    pub const ALL: [Pack; 3] = [Pack::Unicode, Pack::Narrow, Pack::Ascii];

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Pack::Unicode => "unicode",
            Pack::Narrow => "narrow",
            Pack::Ascii => "ascii",
        }
    }

    /// The pack of that name.
    pub fn from_name(name: &str) -> Option<Pack> {
        Pack::ALL.into_iter().find(|pack| pack.name() == name)
    }

    /// Judges by the locale: ASCII without UTF-8, narrow for Chinese, Japanese and Korean.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Pack {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| lookup(name).filter(|v| !v.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if lookup("TERM").is_some_and(|term| term == "linux" || term == "dumb") {
            return Pack::Ascii;
        }
        if !(locale.contains("utf-8") || locale.contains("utf8")) {
            return Pack::Ascii;
        }
        if ["zh", "ja", "ko"].iter().any(|language| locale.starts_with(language)) {
            return Pack::Narrow;
        }
        Pack::Unicode
    }
}

const ASCII_BORDER: border::Set = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Glyphs {
    /// The frame of a pane; a focused one is heavier.
    pub const fn border(&self, focused: bool) -> border::Set<'static> {
        match (self.pack, focused) {
            (Pack::Unicode, true) => border::THICK,
            (Pack::Unicode, false) => border::ROUNDED,
            (Pack::Narrow | Pack::Ascii, _) => ASCII_BORDER,
        }
    }

    /// Text with the signs that this pack has no cell for put into plainer ones of the same width: dashes, dots, quotes and
    /// arrows. Letters stay as they are.
    pub fn plain<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.pack == Pack::Unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let plainer = |c: char| match c {
            '·' | '–' | '—' | '‐' | '‑' => '-',
            '−' if self.pack == Pack::Ascii => '-',
            '…' => '~',
            '×' => 'x',
            '“' | '”' | '„' => '"',
            '‘' | '’' => '\'',
            '↑' => '^',
            '↓' => 'v',
            '⏎' if self.pack == Pack::Ascii => '<',
            other => other,
        };
        Cow::Owned(text.chars().map(plainer).collect())
    }

    /// A column `eighths` high, from nothing (0) to a full cell (8).
    pub fn column(&self, eighths: usize) -> &'static str {
        const UNICODE: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        // Braille is narrow in every font, and four dots high.
        const NARROW: [&str; 9] = [" ", "⣀", "⣀", "⣤", "⣤", "⣶", "⣶", "⣿", "⣿"];
        const ASCII: [&str; 9] = [" ", "_", "_", ".", ".", "-", "-", "=", "#"];
        let at = eighths.min(8);
        match self.pack {
            Pack::Unicode => UNICODE[at],
            Pack::Narrow => NARROW[at],
            Pack::Ascii => ASCII[at],
        }
    }

    /// A row `eighths` long; packs without such signs round to empty or full.
    pub fn row(&self, eighths: usize) -> &str {
        const UNICODE: [&str; 9] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
        match self.pack {
            Pack::Unicode => UNICODE[eighths.min(8)],
            Pack::Narrow | Pack::Ascii if eighths >= 4 => &self.bar_full,
            Pack::Narrow | Pack::Ascii => &self.bar_empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_mark_keeps_its_cells_in_every_pack() {
        let unicode = Glyphs::of(Pack::Unicode);
        for pack in Pack::ALL {
            let glyphs = Glyphs::of(pack);
            for ((name, sign), (_, standard)) in glyphs.all().into_iter().zip(unicode.all()) {
                if name != "more" {
                    assert_eq!(sign.width(), standard.width(), "{name} in {}", pack.name());
                }
            }
        }
    }

    #[test]
    fn the_narrow_pack_is_narrow_in_east_asian_fonts_too() {
        let glyphs = Glyphs::of(Pack::Narrow);
        for (name, sign) in glyphs.all() {
            assert_eq!(sign.width_cjk(), sign.width(), "{name} {sign}");
        }
        for eighths in 0..=8 {
            assert_eq!(glyphs.column(eighths).width_cjk(), 1);
            assert_eq!(glyphs.row(eighths).width_cjk(), 1);
        }
    }

    #[test]
    fn the_ascii_pack_is_ascii() {
        let glyphs = Glyphs::of(Pack::Ascii);
        assert!(glyphs.all().iter().all(|(_, sign)| sign.is_ascii()));
        assert!((0..=8).all(|n| glyphs.column(n).is_ascii() && glyphs.row(n).is_ascii()));
    }
}
