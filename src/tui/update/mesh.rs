//! Neighbours: looking at them, blocking them, and how much is passed on to them.

use super::{Effect, ask, words};
use crate::engine::Command;
use crate::engine::snapshot::UNLIMITED_BPS;
use crate::tui::action::{Action, Call};
use crate::tui::model::{Model, Overlay, PromptKind};

/// Applies a call about the mesh.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Inspect => inspect(model),
        Action::TreeOrList => model.mesh.list = !model.mesh.list,
        Action::BlockPeer => block(model, effects),
        Action::UploadCap => upload(model, &call.argument, effects),
        Action::HideIdle => model.mesh.hide_idle = !model.mesh.hide_idle,
        _ => {
            effects.push(Effect::Send(Command::Reconnect));
            model.tell("looking for better parents");
        }
    }
}

fn inspect(model: &mut Model) {
    let (rows, at) = model.mesh_rows();
    let (Some(channel), Some(neighbour)) = (model.shown(), rows.get(at)) else {
        return;
    };
    let lines = words::neighbour(model, channel, neighbour);
    model.overlay = Some(Overlay::Words {
        title: neighbour.peer.short(),
        lines,
        first: 0,
    });
}

fn block(model: &mut Model, effects: &mut Vec<Effect>) {
    let (rows, at) = model.mesh_rows();
    let Some(peer) = rows.get(at).map(|neighbour| neighbour.peer) else {
        return;
    };
    // The question is the second press that a destructive key needs.
    let question = format!("block {} for good?", peer.short());
    if matches!(&model.overlay, Some(Overlay::Ask { question: asked, .. }) if *asked == question) {
        model.overlay = None;
        effects.push(Effect::Send(Command::Block(peer)));
        model.tell(format!("{} is blocked", peer.short()));
    } else {
        model.overlay = Some(Overlay::Ask {
            question,
            call: Action::BlockPeer.into(),
        });
    }
}

fn upload(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    if argument.is_empty() {
        let now = match model.snapshot.upload_limit_bps {
            UNLIMITED_BPS.. => String::new(),
            bps => words::rate(bps),
        };
        ask(model, PromptKind::Upload, &now);
        return;
    }
    match words::parse_rate(argument) {
        Some(bps) => {
            effects.push(Effect::Send(Command::SetUpload(bps)));
            model.settings.upload_bps = Some(bps);
            effects.push(Effect::SaveSettings);
            let text = if bps == 0 {
                "listen only: nothing is passed on".to_owned()
            } else {
                format!("at most {} are passed on", words::rate(bps))
            };
            model.tell(text);
        }
        None => model.warn("write a rate such as 500k or 2M; 0 is listen only"),
    }
}
