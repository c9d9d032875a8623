//! Themes, glyphs, the spectrum's shape, the mouse.

use super::Effect;
use crate::engine::event::Level;
use crate::tui::action::{Action, Call};
use crate::tui::model::{Model, Overlay, SpectrumStyle};
use crate::tui::theme::Pack;

/// Applies a call about how things look.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Visualiser => {
            model.settings.spectrum = !model.settings.spectrum;
            effects.push(Effect::SaveSettings);
        }
        Action::VisualiserStyle => {
            model.settings.spectrum_style = match model.settings.spectrum_style {
                SpectrumStyle::Bars => SpectrumStyle::Peaks,
                SpectrumStyle::Peaks => SpectrumStyle::Bars,
            };
            effects.push(Effect::SaveSettings);
        }
        Action::ReleaseMouse => {
            model.settings.mouse = !model.settings.mouse;
            effects.push(Effect::Mouse(model.settings.mouse));
            effects.push(Effect::SaveSettings);
            let text = if model.settings.mouse {
                "the mouse works here"
            } else {
                "the mouse selects text again, M takes it back"
            };
            model.tell(text);
        }
        _ => theme(model, &call.argument, effects),
    }
}

/// Changes the theme and logs what is wrong with it.
pub fn wear(model: &mut Model, name: &str) {
    let unix_s = model.wall.unix_s;
    for told in model.look.wear(name) {
        model
            .journal
            .add(unix_s, Level::Warn, "app", &told, "The theme's other values are used.");
        model.warn(told);
    }
}

fn theme(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    let names = model.look.shelf.names();
    if argument.is_empty() {
        let before = model.look.wanted.clone();
        let selected = names.iter().position(|name| *name == before).unwrap_or(0);
        model.overlay = Some(Overlay::Themes { selected, before });
        return;
    }
    if let Some(pack) = Pack::from_name(argument) {
        model.settings.glyphs = pack.name().to_owned();
        model.look.set_pack(pack);
        effects.push(Effect::SaveSettings);
    } else if names.iter().any(|name| name == argument) {
        wear(model, argument);
        model.settings.theme = argument.to_owned();
        effects.push(Effect::SaveSettings);
    } else {
        model.warn(format!("there is no theme {argument:?}; t shows them all"));
    }
}
