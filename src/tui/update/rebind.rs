//! Changing keys.

use crossterm::event::{KeyCode, KeyModifiers};

use super::Effect;
use crate::tui::action::{Action, Call, Scope};
use crate::tui::keys::{Bindings, Change, Chord, Preset};
use crate::tui::model::{Model, Overlay, PENDING};

/// Keys of one sequence.
const SEQUENCE_MAX: usize = 3;

/// What the keys have wrong, in words.
pub fn conflicts(model: &Model) -> Overlay {
    let mut lines = model.bindings.conflicts();
    if lines.is_empty() {
        lines.push("No key has two meanings.".to_owned());
    }
    lines.push(String::new());
    lines
        .push("? then e on a line gives it another key; keys.toml keeps them; inonda keys prints them all.".to_owned());
    Overlay::Words {
        title: "Keys".to_owned(),
        lines,
        first: 0,
    }
}

/// Takes a key for an action: the one pressed, or up to three in a row. Enter or a pause ends the sequence.
pub fn on_key(model: &mut Model, call: &Call, chord: Chord, effects: &mut Vec<Effect>) {
    let plain = |code| chord.code == code && chord.mods == KeyModifiers::NONE;
    if plain(KeyCode::Esc) {
        model.overlay = None;
        model.pending.clear();
        return;
    }
    if plain(KeyCode::Enter) && !model.pending.is_empty() {
        return finish(model, call, effects);
    }
    if Chord::parse(&chord.to_string()) != Some(chord) {
        return model.warn("this key has no name that keys.toml could hold; press another one");
    }
    model.pending.push(chord);
    model.pending_since = model.now;
    if model.pending.len() == SEQUENCE_MAX {
        finish(model, call, effects);
    }
}

/// Takes the keys pressed so far when no more came for a while.
pub fn on_time(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Overlay::Rebind { call }) = model.overlay.clone() else {
        return;
    };
    if !model.pending.is_empty() && model.now.saturating_sub(model.pending_since) >= PENDING {
        finish(model, &call, effects);
    }
}

/// Gives the keys to the action, in place of those it had, unless they are taken where they would be used.
fn finish(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    model.overlay = None;
    let keys = std::mem::take(&mut model.pending);
    let new: Vec<String> = keys.iter().map(Chord::to_string).collect();
    let new = new.join(" ");
    let (scope, name) = (call.action.entry().scope, call.action.entry().name);
    let taken = model.bindings.all().iter().find(|binding| {
        let meets = binding.scope == scope || !matches!((binding.scope, scope), (Scope::On(_), Scope::On(_)));
        let begins = binding.keys.starts_with(&keys) || keys.starts_with(&binding.keys);
        meets && begins && binding.call.action != call.action
    });
    if let Some(taken) = taken {
        let (label, other) = (taken.label(), taken.call.action.entry().name);
        return model.warn(format!(
            "not changed: {label} is {other}; give that another key first, or take it away in keys.toml"
        ));
    }
    let plain = |binding: &&crate::tui::keys::Binding| {
        binding.call.action == call.action && binding.call.argument.is_empty() && binding.keys != keys
    };
    let mut old: Vec<String> = model.bindings.all().iter().filter(plain).map(|b| b.label()).collect();
    old.dedup();
    model.bindings.free(call.action);
    if let Err(error) = model.bindings.bind(&new, name, None) {
        return model.warn(error);
    }
    model.tell(format!("{new} is now {name}"));
    effects.push(Effect::SaveKeys(Change {
        action: call.action,
        new,
        old,
    }));
}

/// Changes to another preset; keys of one's own are read again from `keys.toml` at the next start.
pub fn next_preset(model: &mut Model, effects: &mut Vec<Effect>) {
    let at = Preset::ALL.iter().position(|preset| *preset == model.bindings.preset);
    let preset = Preset::ALL[(at.unwrap_or(0) + 1) % Preset::ALL.len()];
    model.bindings = Bindings::of(preset);
    effects.push(Effect::SavePreset(preset));
}

/// Whether a key with Ctrl or Alt means this action, wherever it is pressed.
pub fn means(model: &Model, chord: Chord, action: Action) -> bool {
    !chord.mods.is_empty()
        && matches!(model.bindings.meaning(&[chord], model.screen),
            crate::tui::keys::Meaning::Call(call) if call.action == action)
}
