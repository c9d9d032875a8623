//! Which key means which action: presets, `keys.toml`, sequences, conflicts.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Call, Scope, Screen, VOCABULARY};

mod file;

pub use file::{Change, with_change, with_preset};

/// One key with the modifiers that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    pub code: KeyCode,
    pub mods: KeyModifiers,
}

impl Chord {
    /// The chord of a terminal's event: Shift is part of a letter already.
    pub fn of(event: &KeyEvent) -> Chord {
        let mut mods = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let code = match event.code {
            KeyCode::Char(c) if mods.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        if code == KeyCode::BackTab {
            mods = KeyModifiers::NONE;
        }
        Chord { code, mods }
    }

    /// The letter that was typed, when it was one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.mods.is_empty() => Some(c),
            _ => None,
        }
    }

    /// Reads `a`, `A`, `space`, `^d`, `ctrl-d`, `alt-x`, `F5`, `Enter`, `Up`.
    pub fn parse(text: &str) -> Option<Chord> {
        let mut rest = text;
        let mut mods = KeyModifiers::NONE;
        loop {
            if rest.chars().count() > 1 && rest.starts_with('^') {
                mods |= KeyModifiers::CONTROL;
                rest = &rest[1..];
            } else if let Some(after) = strip(rest, "ctrl-").or_else(|| strip(rest, "c-")) {
                mods |= KeyModifiers::CONTROL;
                rest = after;
            } else if let Some(after) = strip(rest, "alt-").or_else(|| strip(rest, "m-")) {
                mods |= KeyModifiers::ALT;
                rest = after;
            } else {
                break;
            }
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(c), None) if mods.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            (Some(c), None) => KeyCode::Char(c),
            _ => named_key(rest)?,
        };
        Some(Chord { code, mods })
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    (head.eq_ignore_ascii_case(prefix) && text.len() > prefix.len()).then(|| &text[prefix.len()..])
}

const NAMED: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

fn named_key(name: &str) -> Option<KeyCode> {
    if let Some((_, code)) = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some(*code);
    }
    let number = name.strip_prefix(['F', 'f'])?.parse::<u8>().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mods.contains(KeyModifiers::CONTROL) {
            f.write_str("^")?;
        }
        if self.mods.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        match self.code {
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            code => f.write_str(
                NAMED
                    .iter()
                    .find(|(_, known)| *known == code)
                    .map_or("?", |(name, _)| name),
            ),
        }
    }
}

/// Reads keys with spaces between them.
pub fn parse_sequence(text: &str) -> Option<Vec<Chord>> {
    let chords: Option<Vec<Chord>> = text.split_whitespace().map(Chord::parse).collect();
    chords.filter(|chords| (1..=3).contains(&chords.len()))
}

/// One binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub keys: Vec<Chord>,
    pub scope: Scope,
    pub call: Call,
    /// The line of `keys.toml`, when it comes from there.
    pub line: Option<usize>,
}

impl Binding {
    /// The keys as a person reads them.
    pub fn label(&self) -> String {
        self.keys.iter().map(Chord::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// Ways to move that people bring with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    #[default]
    Vim,
    /// Letters never move; arrows, Home, End and pages do.
    Arrows,
    Emacs,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 3] = [Preset::Vim, Preset::Arrows, Preset::Emacs];

    /// The name in `keys.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Vim => "vim",
            Preset::Arrows => "arrows",
            Preset::Emacs => "emacs",
        }
    }

    /// The preset of that name.
    pub fn from_name(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Keys that this preset takes away, and those it gives.
    const fn changes(self) -> (&'static [&'static str], &'static [(&'static str, &'static str)]) {
        match self {
            Preset::Vim => (&[], &[]),
            Preset::Arrows => (&["h", "j", "k", "l", "g g", "G", "^d", "^u"], &[]),
            Preset::Emacs => (
                &["h", "j", "k", "l", "g g", "G", "^d", "^u"],
                &[
                    ("^n", "down"),
                    ("^p", "up"),
                    ("^b", "left"),
                    ("^f", "right"),
                    ("^v", "half.down"),
                    ("alt-v", "half.up"),
                    ("alt-<", "top"),
                    ("alt->", "bottom"),
                    ("^s", "filter"),
                    ("alt-x", "command"),
                    ("^g", "back"),
                ],
            ),
        }
    }
}

/// Keys that move on some screens only, since others have their own use for them: key, action, screens.
const PLACED: &[(&str, Action, &[Screen])] = &[(
    "l",
    Action::Right,
    &[Screen::Channels, Screen::NowPlaying, Screen::Mesh, Screen::Studio],
)];

/// What pressed keys mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Call(Call),
    /// The beginning of a longer sequence; the binding it may become.
    Prefix(Binding),
    Nothing,
}

/// The bindings in force.
#[derive(Clone, Debug)]
pub struct Bindings {
    pub preset: Preset,
    all: Vec<Binding>,
}

impl Default for Bindings {
    fn default() -> Bindings {
        Bindings::of(Preset::Vim)
    }
}

impl Bindings {
    /// A preset without changes.
    pub fn of(preset: Preset) -> Bindings {
        let (taken, given) = preset.changes();
        let vocabulary = VOCABULARY
            .iter()
            .flat_map(|entry| entry.keys.iter().map(move |key| (*key, entry)));
        // Only what moves is taken away: a letter that does something on its own screen stays.
        let mut all: Vec<Binding> = vocabulary
            .filter(|(key, entry)| entry.scope != Scope::Around || !taken.contains(key))
            .filter_map(|(key, entry)| {
                Some(Binding {
                    keys: parse_sequence(key)?,
                    scope: entry.scope,
                    call: entry.action.into(),
                    line: None,
                })
            })
            .collect();
        for (key, action, screens) in PLACED.iter().filter(|(key, ..)| !taken.contains(key)) {
            all.extend(screens.iter().filter_map(|screen| {
                Some(Binding {
                    keys: parse_sequence(key)?,
                    scope: Scope::On(*screen),
                    call: (*action).into(),
                    line: None,
                })
            }));
        }
        for (key, name) in given {
            if let (Some(keys), Ok(call)) = (parse_sequence(key), Call::parse(name)) {
                all.push(Binding {
                    keys,
                    scope: call.action.entry().scope,
                    call,
                    line: None,
                });
            }
        }
        Bindings { preset, all }
    }

    /// Gives a key to an action, in place of what it meant there; an empty name takes the key away, `not NAME` only from
    /// that action.
    ///
    /// # Errors
    /// Says in words which key or action is unknown.
    pub fn bind(&mut self, keys: &str, name: &str, line: Option<usize>) -> Result<(), String> {
        let chords = parse_sequence(keys).ok_or_else(|| format!("{keys:?} is not a key"))?;
        if name.is_empty() || name == "none" {
            self.all.retain(|binding| binding.keys != chords);
            return Ok(());
        }
        if let Some(name) = name.strip_prefix("not ") {
            let call = Call::parse(name)?;
            self.all
                .retain(|binding| binding.keys != chords || binding.call.action != call.action);
            return Ok(());
        }
        let call = Call::parse(name)?;
        let scope = call.action.entry().scope;
        self.all
            .retain(|binding| binding.keys != chords || binding.scope != scope || binding.line.is_some());
        // What a person binds comes first, and is what help shows.
        self.all.insert(
            0,
            Binding {
                keys: chords,
                scope,
                call,
                line,
            },
        );
        Ok(())
    }

    /// Takes every key from an action, but for those with an argument of their own.
    pub fn free(&mut self, action: Action) {
        let plain = |binding: &Binding| binding.call.action == action && binding.call.argument.is_empty();
        self.all.retain(|binding| !plain(binding));
    }

    /// What these keys mean on that screen; the screen's own bindings come first.
    pub fn meaning(&self, keys: &[Chord], screen: Screen) -> Meaning {
        let own = |binding: &&Binding| binding.scope == Scope::On(screen);
        let global = |binding: &&Binding| matches!(binding.scope, Scope::Playback | Scope::Around);
        for exact in [true, false] {
            let suits = |binding: &&Binding| {
                if exact {
                    binding.keys == keys
                } else {
                    binding.keys.len() > keys.len() && binding.keys.starts_with(keys)
                }
            };
            let found = self
                .all
                .iter()
                .filter(own)
                .find(suits)
                .or_else(|| self.all.iter().filter(global).find(suits));
            match found {
                Some(binding) if exact => return Meaning::Call(binding.call.clone()),
                Some(binding) => return Meaning::Prefix(binding.clone()),
                None => {}
            }
        }
        Meaning::Nothing
    }

    /// All bindings.
    pub fn all(&self) -> &[Binding] {
        &self.all
    }

    /// The first key of an action as a person reads it; empty when it has none.
    pub fn label(&self, action: Action) -> String {
        let plain = |b: &&Binding| b.call.action == action && b.call.argument.is_empty();
        self.all.iter().find(plain).map_or(String::new(), Binding::label)
    }

    /// Every key of an action.
    pub fn labels(&self, action: Action) -> String {
        let plain = |b: &&Binding| b.call.action == action && b.call.argument.is_empty();
        let mut labels: Vec<String> = self.all.iter().filter(plain).map(Binding::label).collect();
        labels.dedup();
        labels.join(" ")
    }

    /// Keys with two meanings on one screen, screen keys that hide a global one, and sequences that can never be finished.
    pub fn conflicts(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (i, a) in self.all.iter().enumerate() {
            for b in &self.all[i + 1..] {
                let meet = a.scope == b.scope || !matches!((a.scope, b.scope), (Scope::On(_), Scope::On(_)));
                let shorter = a.keys.len().min(b.keys.len());
                if !meet || a.keys[..shorter] != b.keys[..shorter] || a.call == b.call {
                    continue;
                }
                let line = a
                    .line
                    .or(b.line)
                    .map_or(String::new(), |line| format!("keys.toml, line {line}: "));
                let (a_name, b_name) = (a.call.action.entry().name, b.call.action.entry().name);
                told.push(format!("{line}{} means both {a_name} and {b_name}", a.label()));
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_screen_binding_shadows_a_global_one_in_any_preset() {
        for preset in Preset::ALL {
            assert_eq!(
                Bindings::of(preset).conflicts(),
                Vec::<String>::new(),
                "{}",
                preset.name()
            );
        }
    }

    #[test]
    fn every_written_key_can_be_read_and_is_written_the_same() {
        for entry in VOCABULARY {
            for key in entry.keys {
                let chords = parse_sequence(key).unwrap_or_else(|| panic!("{key}"));
                assert_eq!(
                    Binding {
                        keys: chords,
                        scope: entry.scope,
                        call: entry.action.into(),
                        line: None
                    }
                    .label(),
                    *key
                );
            }
        }
    }

    #[test]
    fn a_prefix_waits_and_a_sequence_acts() {
        let bindings = Bindings::default();
        let g = Chord::parse("g").unwrap();
        assert!(matches!(bindings.meaning(&[g], Screen::Log), Meaning::Prefix(_)));
        assert_eq!(
            bindings.meaning(&[g, g], Screen::Log),
            Meaning::Call(Action::Top.into())
        );
        let x = Chord::parse("x").unwrap();
        assert_eq!(
            bindings.meaning(&[x, x], Screen::Studio),
            Meaning::Call(Action::EndShow.into())
        );
        assert_eq!(bindings.meaning(&[x, x], Screen::Channels), Meaning::Nothing);
    }
}
