//! The line of text: commands, filters, titles. It swallows everything but Esc, Enter, Tab and arrows.

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Effect, complete, lists, run};
use crate::tui::action::{Action, Call};
use crate::tui::keys::Chord;
use crate::tui::model::{Model, Prompt, PromptKind};
use crate::tui::text::clean;

/// Bytes that a line may have; longer than any link.
const TEXT_MAX_BYTES: usize = 2_000;
/// Commands remembered.
const SAID_MAX: usize = 100;

/// Opens a line with some text in it.
pub fn open(model: &mut Model, kind: PromptKind, text: &str) {
    model.pending.clear();
    model.prompt = Some(Prompt {
        kind,
        text: text.to_owned(),
        cursor: text.len(),
    });
}

/// Takes pasted text; without an open line, an `inonda:` link opens the command line with `play`.
pub fn on_paste(model: &mut Model, text: &str) {
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT_MAX_BYTES / 4)
        .collect();
    if model.prompt.is_none() && text.trim_start().starts_with("inonda:") {
        return open(model, PromptKind::Command, &format!("play {}", text.trim()));
    }
    if let Some(prompt) = &mut model.prompt {
        insert(prompt, &text);
        on_change(model);
    }
}

/// Takes a key while a line is open.
pub fn on_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) {
    let Some(mut prompt) = model.prompt.take() else { return };
    let control = chord.mods.contains(KeyModifiers::CONTROL);
    match chord.code {
        KeyCode::Esc => return on_escape(model, prompt.kind),
        KeyCode::Enter => return on_enter(model, prompt, effects),
        KeyCode::Tab if prompt.kind == PromptKind::Command => complete::complete(&mut prompt, model),
        KeyCode::Up | KeyCode::Down if prompt.kind == PromptKind::Command => {
            recall(&mut prompt, model, chord.code == KeyCode::Up);
        }
        KeyCode::Up => lists::walk(model, Action::Up),
        KeyCode::Down => lists::walk(model, Action::Down),
        KeyCode::Left => prompt.cursor = before(&prompt),
        KeyCode::Right => prompt.cursor = after(&prompt),
        KeyCode::Home => prompt.cursor = 0,
        KeyCode::End => prompt.cursor = prompt.text.len(),
        KeyCode::Backspace => {
            let from = before(&prompt);
            prompt.text.replace_range(from..prompt.cursor, "");
            prompt.cursor = from;
        }
        KeyCode::Delete => {
            let to = after(&prompt);
            prompt.text.replace_range(prompt.cursor..to, "");
        }
        KeyCode::Char('a') if control => prompt.cursor = 0,
        KeyCode::Char('e') if control => prompt.cursor = prompt.text.len(),
        KeyCode::Char('u') if control => {
            prompt.text.replace_range(..prompt.cursor, "");
            prompt.cursor = 0;
        }
        KeyCode::Char('w') if control => delete_word(&mut prompt),
        KeyCode::Char(c) if chord.mods.is_empty() && !c.is_control() => insert(&mut prompt, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    model.prompt = Some(prompt);
    on_change(model);
}

/// A filter works while it is typed.
fn on_change(model: &mut Model) {
    let Some(prompt) = &model.prompt else { return };
    match prompt.kind {
        PromptKind::Filter if model.channels.query != prompt.text => {
            model.channels.query = prompt.text.clone();
            model.channels.selected = 0;
            model.channels.filter();
        }
        PromptKind::Find if model.journal.query != prompt.text => {
            model.journal.query = prompt.text.clone();
            model.journal.selected = 0;
        }
        PromptKind::Filter
        | PromptKind::Find
        | PromptKind::Command
        | PromptKind::Title
        | PromptKind::Upload
        | PromptKind::Air => {}
    }
}

fn on_escape(model: &mut Model, kind: PromptKind) {
    match kind {
        PromptKind::Filter => {
            model.channels.query.clear();
            model.channels.filter();
        }
        PromptKind::Find => model.journal.query.clear(),
        PromptKind::Command | PromptKind::Title | PromptKind::Upload | PromptKind::Air => {}
    }
}

fn on_enter(model: &mut Model, prompt: Prompt, effects: &mut Vec<Effect>) {
    match prompt.kind {
        PromptKind::Command => {
            let line = prompt.text.trim().to_owned();
            if line.is_empty() {
                return;
            }
            model.said.retain(|said| *said != line);
            model.said.push_back(line.clone());
            if model.said.len() > SAID_MAX {
                model.said.pop_front();
            }
            match Call::parse(&line) {
                Ok(call) => run(model, &call, effects),
                Err(error) => model.warn(error),
            }
        }
        PromptKind::Filter | PromptKind::Find => {}
        PromptKind::Title => {
            let title = clean(&prompt.text);
            effects.push(Effect::Send(crate::engine::Command::SetTitle(title)));
        }
        PromptKind::Air => {
            let call = Call {
                action: Action::GoOnAir,
                argument: prompt.text.trim().to_owned(),
            };
            if !call.argument.is_empty() {
                run(model, &call, effects);
            }
        }
        PromptKind::Upload => {
            let call = Call {
                action: Action::UploadCap,
                argument: prompt.text.trim().to_owned(),
            };
            if !call.argument.is_empty() {
                run(model, &call, effects);
            }
        }
    }
}

fn insert(prompt: &mut Prompt, text: &str) {
    if prompt.text.len() + text.len() <= TEXT_MAX_BYTES {
        prompt.text.insert_str(prompt.cursor, text);
        prompt.cursor += text.len();
    }
}

fn before(prompt: &Prompt) -> usize {
    prompt.text[..prompt.cursor]
        .char_indices()
        .next_back()
        .map_or(0, |(at, _)| at)
}

fn after(prompt: &Prompt) -> usize {
    prompt.text[prompt.cursor..]
        .chars()
        .next()
        .map_or(prompt.cursor, |c| prompt.cursor + c.len_utf8())
}

fn delete_word(prompt: &mut Prompt) {
    let head = prompt.text[..prompt.cursor].trim_end();
    let from = head.rfind(' ').map_or(0, |at| at + 1);
    prompt.text.replace_range(from..prompt.cursor, "");
    prompt.cursor = from;
}

fn recall(prompt: &mut Prompt, model: &Model, older: bool) {
    let at = model.said.iter().position(|said| *said == prompt.text);
    let next = match (at, older) {
        (None, true) => model.said.len().checked_sub(1),
        (None, false) => None,
        (Some(at), true) => at.checked_sub(1),
        (Some(at), false) => Some(at + 1),
    };
    if let Some(said) = next.and_then(|next| model.said.get(next)) {
        prompt.text = said.clone();
        prompt.cursor = prompt.text.len();
    }
}
