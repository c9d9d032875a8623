//! Our own show.

use super::{Effect, act, ask};
use crate::engine::Command;
use crate::engine::command::Programme;
use crate::tui::action::{Action, Call, Screen};
use crate::tui::model::{Model, PromptKind};
use crate::tui::text::clean;

/// Applies a call about our own show.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Broadcast => {
            act::go(model, Screen::Studio);
            if model.show().is_none() {
                ask(model, PromptKind::Air, "");
            }
        }
        Action::GoOnAir => go_on_air(model, &call.argument, effects),
        Action::EditTitle => title(model, &call.argument, effects),
        Action::EndShow => end_show(model, effects),
        _ if model.show().is_some() => effects.push(Effect::Send(Command::Skip)),
        _ => model.warn("you are not on air: O in the studio starts a show"),
    }
}

fn go_on_air(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    if model.show().is_some() {
        return model.warn("you are on air already; x x ends the show");
    }
    if argument.is_empty() {
        act::go(model, Screen::Studio);
        return ask(model, PromptKind::Air, "");
    }
    let (what, name) = argument.rsplit_once(" as ").unwrap_or((argument, ""));
    let (kind, rest) = what.trim().split_once(' ').unwrap_or((what.trim(), ""));
    let rest = rest.trim();
    let source = match (kind, rest) {
        ("tone", "") => Programme::Tone,
        ("mic", "") => Programme::Microphone(None),
        ("mic", device) => Programme::Microphone(Some(device.to_owned())),
        ("file", path) if !path.is_empty() => Programme::File(path.into()),
        _ => return model.warn("say with what: file PATH, mic or tone, and as NAME if you like"),
    };
    model.tell("going on air");
    effects.push(Effect::GoOnAir {
        name: clean(name.trim()),
        source,
    });
}

fn title(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    let Some(show) = model.show() else {
        model.warn("you are not on air: O in the studio starts a show");
        return;
    };
    if argument.is_empty() {
        let title = clean(&show.title);
        ask(model, PromptKind::Title, &title);
    } else {
        effects.push(Effect::Send(Command::SetTitle(clean(argument))));
    }
}

fn end_show(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.show().and_then(|show| show.channel) {
        Some(channel) => {
            effects.push(Effect::Send(Command::Leave { channel }));
            model.tell("the show is over");
        }
        None => model.warn("you are not on air"),
    }
}
