//! Our own show.

use crossterm::event::KeyCode;

use super::{Effect, act, ask};
use crate::engine::Command;
use crate::engine::command::Programme;
use crate::tui::action::{Action, Call, Screen};
use crate::tui::keys::Chord;
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
        ("station", url) if url.starts_with("http://") || url.starts_with("https://") => {
            Programme::Station(url.to_owned())
        }
        ("station", _) => return model.warn("a station has an address: station http://HOST:PORT/NAME"),
        _ => return model.warn("say with what: file PATH, mic, tone or station URL, and as NAME if you like"),
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

/// What a key of a full studio would do, said plainly where it cannot be done yet.
pub fn unavailable(chord: Chord) -> Option<String> {
    let what = match (chord.code, chord.typed()) {
        (KeyCode::F(1..=6), _) => "firing carts",
        (_, Some('0')) => "the cough key",
        (_, Some('d')) => "ducking",
        (_, Some('a')) => "adding to the running order",
        (_, Some('J' | 'K')) => "moving in the running order",
        (_, Some('p')) => "listening to a track before it plays",
        _ => return None,
    };
    Some(format!(
        "{what} is not available yet: a show has one programme, and > goes to its next track"
    ))
}
