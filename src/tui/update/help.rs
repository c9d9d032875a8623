//! Help: the vocabulary, narrowed by what is typed; a line can be run or given another key.

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Effect, ask, run};
use crate::tui::action::{Argument, Call, Entry, Scope, VOCABULARY};
use crate::tui::keys::Chord;
use crate::tui::model::{Model, Overlay, PromptKind};

/// The vocabulary as help shows it: this screen first, then what works everywhere; all screens when asked for.
pub fn help_rows(model: &Model, typed: &str, all: bool) -> Vec<&'static Entry> {
    let typed = typed.to_lowercase();
    let suits = |entry: &&Entry| {
        let here = matches!(entry.scope, Scope::Playback | Scope::Around) || entry.scope == Scope::On(model.screen);
        (all || here) && (typed.is_empty() || entry.label.contains(&typed) || entry.name.contains(&typed))
    };
    VOCABULARY.iter().filter(suits).collect()
}

/// Takes a key while help is shown.
pub fn on_help_key(model: &mut Model, chord: Chord, state: (String, usize, bool), effects: &mut Vec<Effect>) {
    let (mut typed, mut selected, mut all) = state;
    let rows = help_rows(model, &typed, all);
    match chord.code {
        KeyCode::Esc => {
            model.overlay = None;
            return;
        }
        KeyCode::Enter => {
            model.overlay = None;
            if let Some(entry) = rows.get(selected) {
                match entry.argument {
                    Argument::Needed(_) => {
                        ask(model, PromptKind::Command, &format!("{} ", entry.name));
                    }
                    Argument::None | Argument::Optional(_) => {
                        run(model, &Call::from(entry.action), effects);
                    }
                }
            }
            return;
        }
        KeyCode::Char('e')
            if chord.mods == KeyModifiers::CONTROL || (typed.is_empty() && chord.typed() == Some('e')) =>
        {
            if let Some(entry) = rows.get(selected) {
                model.overlay = Some(Overlay::Rebind {
                    call: entry.action.into(),
                });
            }
            return;
        }
        KeyCode::Up => selected = selected.saturating_sub(1),
        KeyCode::Down => selected = (selected + 1).min(rows.len().saturating_sub(1)),
        KeyCode::PageUp => selected = selected.saturating_sub(10),
        KeyCode::PageDown => selected = (selected + 10).min(rows.len().saturating_sub(1)),
        KeyCode::Tab => {
            all = !all;
            selected = 0;
        }
        KeyCode::Backspace => {
            typed.pop();
            selected = 0;
        }
        KeyCode::Char('?') => {
            model.overlay = None;
            return;
        }
        KeyCode::Char(_) => {
            if let Some(c) = chord.typed().filter(|_| typed.len() < 40) {
                typed.push(c);
                selected = 0;
            }
        }
        _ => {}
    }
    model.overlay = Some(Overlay::Help { typed, selected, all });
}
