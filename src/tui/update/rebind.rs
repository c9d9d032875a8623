//! Changing keys.

use super::Effect;
use crate::tui::action::{Call, Scope};
use crate::tui::keys::Chord;
use crate::tui::model::{Model, Overlay};

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
    }
}

/// Gives the pressed key to an action, unless it is taken where it would be used.
pub fn rebind(model: &mut Model, call: &Call, chord: Chord, effects: &mut Vec<Effect>) {
    model.overlay = None;
    let key = chord.to_string();
    if key == "Esc" {
        return;
    }
    let scope = call.action.entry().scope;
    let taken = model.bindings.all().iter().find(|binding| {
        let meets = binding.scope == scope || !matches!((binding.scope, scope), (Scope::On(_), Scope::On(_)));
        meets && binding.keys.first() == Some(&chord) && binding.call.action != call.action
    });
    if let Some(taken) = taken {
        let name = taken.call.action.entry().name;
        return model.warn(format!(
            "not changed: {} is {name}; keys.toml can take it away",
            taken.label()
        ));
    }
    let mut bindings = model.bindings.clone();
    if let Err(error) = bindings.bind(&key, call.action.entry().name, None) {
        return model.warn(error);
    }
    model.bindings = bindings;
    let name = call.action.entry().name;
    effects.push(Effect::SaveKeys(format!("{key:?} = {name:?}\n")));
    model.tell(format!("{key} is now {name}"));
}
