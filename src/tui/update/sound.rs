//! What is heard: how loud, how long, and what is kept of it.

use std::time::Duration;

use super::{Effect, words};
use crate::engine::Command;
use crate::tui::action::{Action, Call, Screen};
use crate::tui::model::{Asked, Model, VOLUME_MAX};
use crate::tui::settings::VOLUMES_MAX;
use crate::tui::text::clean;

/// The sleep timer when no time is said.
const SLEEP: Duration = Duration::from_secs(30 * 60);
/// The sound fades out over this time before it stops.
const FADE: Duration = Duration::from_secs(20);
/// How long a change may take to appear in a snapshot.
const CONFIRM: Duration = Duration::from_millis(600);

/// Applies a call about what is heard.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Record => record(model, &call.argument, effects),
        Action::TagTitle => tag(model),
        Action::Sleep | Action::SleepMore => sleep(model, call, effects),
        _ => loudness(model, call, effects),
    }
}

fn loudness(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    let Some(player) = model.player() else {
        model.warn("nothing is playing");
        return;
    };
    let (volume, muted, paused) = (player.volume, player.muted, player.paused);
    let set = match call.action {
        Action::Pause => {
            effects.push(Effect::Send(Command::SetPaused(!paused)));
            return assume(model, |asked| asked.paused = Some(!paused));
        }
        Action::Mute => {
            effects.push(Effect::Send(Command::SetMuted(!muted)));
            assume(model, |asked| asked.muted = Some(!muted));
            return keep_volume(model, volume, !muted, effects);
        }
        Action::VolumeUp => volume.saturating_add(5),
        Action::VolumeDown => volume.saturating_sub(5),
        Action::VolumeUpFine => volume.saturating_add(1),
        Action::VolumeDownFine => volume.saturating_sub(1),
        _ => match call.argument.trim_end_matches(['%', ' ']).parse() {
            Ok(volume) => volume,
            Err(_) => return model.warn("a volume is a number from 0 to 100"),
        },
    };
    let set = set.min(VOLUME_MAX);
    effects.push(Effect::Send(Command::SetVolume(set)));
    assume(model, |asked| asked.volume = Some(set));
    keep_volume(model, set, muted, effects);
}

/// Shows a change at once and until the engine had time to confirm it.
fn assume(model: &mut Model, change: impl FnOnce(&mut Asked)) {
    if model.now >= model.asked.until {
        model.asked = Asked::default();
    }
    change(&mut model.asked);
    model.asked.until = model.now + CONFIRM;
    model.show_asked();
}

fn keep_volume(model: &mut Model, volume: u8, muted: bool, effects: &mut Vec<Effect>) {
    let Some(channel) = model.playing().map(|channel| channel.channel.to_string()) else {
        return;
    };
    let volumes = &mut model.settings.volumes;
    volumes.retain(|(known, ..)| *known != channel);
    volumes.push((channel, volume, muted));
    if volumes.len() > VOLUMES_MAX {
        volumes.remove(0);
    }
    effects.push(Effect::SaveSettings);
}

/// Gives a channel the volume of the command line when it is the first, else the one it had the last time, else the usual
/// one: what was set for another channel says nothing about this one.
pub fn recall_volume(model: &mut Model, channel: &str, effects: &mut Vec<Effect>) {
    let known = model.settings.volumes.iter().find(|(known, ..)| known == channel);
    let kept = known.map(|(_, volume, muted)| (*volume, *muted));
    let (volume, muted) = match model.hearing.volume.take() {
        Some(volume) => (volume, false),
        None => kept.unwrap_or((VOLUME_MAX, false)),
    };
    effects.push(Effect::Send(Command::SetVolume(volume)));
    effects.push(Effect::Send(Command::SetMuted(muted)));
}

/// Begins a recording or closes it: `off`, `split` or `whole`, and then perhaps a place.
fn record(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    let Some(player) = model.player() else {
        model.warn("nothing is playing that could be recorded");
        return;
    };
    match (player.recording.is_some(), argument) {
        // What is kept of it is told once the files are closed.
        (true, "" | "off") => return effects.push(Effect::Send(Command::Record(None))),
        (false, "off") => return model.warn("no recording is going on"),
        (true | false, _) => {}
    }
    let (first, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    let (split, place) = match first {
        "split" => (Some(true), rest),
        "whole" => (Some(false), rest),
        _ => (None, argument),
    };
    let name = model
        .playing()
        .map_or_else(|| "inonda".to_owned(), |channel| clean(&channel.name));
    effects.push(Effect::Record {
        name,
        split,
        place: place.trim().to_owned(),
    });
}

/// Stars the title that is heard, or the one that is looked at.
fn tag(model: &mut Model) {
    let looked_at = model.screen == Screen::NowPlaying && model.pane == 1;
    if !looked_at && model.heard.current().is_none() {
        return model.warn("no title is heard now; H shows the earlier ones, * stars one there");
    }
    let from_newest = if looked_at { model.heard.selected } else { 0 };
    match model
        .heard
        .tag(from_newest)
        .map(|title| (title.title.clone(), title.tagged))
    {
        Some((title, true)) => model.tell(format!("{title} is tagged")),
        Some((title, false)) => model.tell(format!("{title} is no longer tagged")),
        None => model.warn("no title was heard yet"),
    }
}

fn sleep(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    let quarter = Duration::from_secs(15 * 60);
    let until = match (call.action, call.argument.as_str(), model.sleep_at) {
        (Action::SleepMore, _, Some(at)) => Some(at + quarter),
        (Action::SleepMore, _, None) => Some(model.now + quarter),
        (_, "off", _) => None,
        (_, "", Some(_)) => None,
        (_, "", None) => Some(model.now + SLEEP),
        (_, time, _) => match words::parse_time(time) {
            Some(time) => Some(model.now + time),
            None => return model.warn("write a time such as 30m or 1h; off ends the timer"),
        },
    };
    model.sleep_at = until;
    brighten(model, effects);
    match until {
        Some(at) => model.tell(format!(
            "the sound fades out in {}",
            words::clock(at.saturating_sub(model.now))
        )),
        None => model.tell("the sleep timer is off"),
    }
}

/// Lets the sound fade before the sleep timer's end, then pauses. The volume stays what it is, whatever happens meanwhile.
pub fn sleep_fade(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(at) = model.sleep_at else { return };
    let left = at.saturating_sub(model.now);
    let playing = model.player().is_some();
    if left.is_zero() {
        model.sleep_at = None;
        if playing {
            effects.push(Effect::Send(Command::SetPaused(true)));
            model.tell("good night: paused by the sleep timer, space resumes");
        }
        brighten(model, effects);
    } else if left < FADE && playing && !model.fading {
        model.fading = true;
        effects.push(Effect::Send(Command::Fade(Some(left))));
    }
}

/// Takes the sleep timer's fade back.
fn brighten(model: &mut Model, effects: &mut Vec<Effect>) {
    if std::mem::take(&mut model.fading) {
        effects.push(Effect::Send(Command::Fade(None)));
    }
}
