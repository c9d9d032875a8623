//! The only place where the model changes: (model, input) gives the model after it, and effects for the outside.

mod act;
mod complete;
mod help;
mod listening;
mod lists;
mod look;
mod mesh;
mod prompt;
mod rebind;
mod settings;
mod sound;
mod studio;
pub mod words;

pub use complete::candidates;
pub use help::help_rows;
pub use lists::overlay_rows;
pub use settings::{settings_rows, take_output};

use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, Call, Screen};
use super::keys::{Change, Chord, Meaning, Preset};
use super::model::{Joining, Meters, Model, Overlay, PENDING, PromptKind, shown_of};
use super::neighbours::push;
use super::view;
use crate::engine::command::Programme;
use crate::engine::snapshot::Levels;
use crate::engine::{Command, Event, Snapshot};
use crossterm::event::{KeyCode, KeyModifiers};

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    Key(Chord),
    Paste(String),
    Mouse {
        kind: MouseKind,
        column: u16,
        row: u16,
    },
    Resize(u16, u16),
    Focus(bool),
    Snapshot(Arc<Snapshot>),
    /// Of what is heard.
    Levels(Levels),
    /// Of our own show.
    Programme(Levels),
    Event(Box<Event>),
    /// Something that the surroundings have to say, for the log and the strip.
    Told {
        text: String,
        hint: String,
        bad: bool,
    },
    /// A line was typed where no screen is drawn.
    Said(Call),
    /// Theme files changed on disk.
    ThemesChanged,
    /// Time passed.
    Tick,
}

/// What a mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    Click,
    WheelUp,
    WheelDown,
}

/// What the outside shall do.
#[derive(Clone, Debug)]
pub enum Effect {
    Send(Command),
    /// To the clipboard, through the terminal (OSC 52).
    Copy(String),
    /// Write a file beside the state; the name says what it is.
    Export {
        name: String,
        text: String,
    },
    /// Begin a recording of the station of this name: a file a title, one file, or as is usual; in a place, or where
    /// recordings usually go when it is empty.
    Record {
        name: String,
        split: Option<bool>,
        place: String,
    },
    /// Say something on the desktop.
    Notify {
        title: String,
        text: String,
    },
    /// Start a show of our own; without a name, under the usual one.
    GoOnAir {
        name: String,
        source: Programme,
    },
    SaveSettings,
    SaveKeys(Change),
    SavePreset(Preset),
    Mouse(bool),
    Suspend,
    Redraw,
    Quit,
}

/// Applies one input.
pub fn update(model: &mut Model, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    match input {
        Input::Key(chord) => on_key(model, chord, &mut effects),
        Input::Paste(text) => prompt::on_paste(model, &text),
        Input::Mouse { kind, column, row } => on_mouse(model, kind, column, row, &mut effects),
        Input::Resize(columns, rows) => model.size = (columns, rows),
        Input::Focus(focused) => model.focused = focused,
        Input::Snapshot(snapshot) => on_snapshot(model, snapshot, &mut effects),
        Input::Levels(levels) if model.is_hearing() && model.focused => model.meters.take(levels, model.now),
        Input::Programme(levels) if model.show().is_some() && model.focused => {
            model.programme.take(levels, model.now);
        }
        // They were on their way when the sound ended.
        Input::Levels(_) | Input::Programme(_) => {}
        Input::Event(event) => on_event(model, &event),
        Input::Told { text, hint, bad } => {
            let level = if bad {
                crate::engine::event::Level::Warn
            } else {
                crate::engine::event::Level::Info
            };
            model.journal.add(model.wall.unix_s, level, "app", &text, &hint);
            if bad {
                model.warn(words::with_hint(&text, &hint));
            }
        }
        Input::Said(call) => act::act(model, &call, &mut effects),
        Input::ThemesChanged => {
            let wanted = model.look.wanted.clone();
            look::wear(model, &wanted);
        }
        Input::Tick => {}
    }
    on_time(model, &mut effects);
    // What does not sound, or is not looked at, is not measured: a meter that stands still would be a lie.
    if !(model.is_hearing() && model.focused) {
        model.meters = Meters::default();
    }
    if !(model.show().is_some() && model.focused) {
        model.programme = Meters::default();
    }
    let detail = model.detail_seen();
    if detail != model.measured {
        model.measured = detail;
        effects.push(Effect::Send(Command::Measure(detail)));
    }
    effects
}

fn on_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) {
    if model.now.saturating_sub(model.pending_since) >= PENDING {
        model.pending.clear();
    }
    let interrupt = Chord::parse("^c");
    if Some(chord) == interrupt {
        effects.push(Effect::Quit);
        return;
    }
    if let Some(Overlay::Rebind { call }) = model.overlay.clone() {
        rebind::on_key(model, &call, chord, effects);
        return;
    }
    // These work whatever is open; where text is typed, a key with Ctrl or Alt goes back as Esc does.
    for action in [Action::Redraw, Action::Suspend] {
        if rebind::means(model, chord, action) {
            return act::act(model, &action.into(), effects);
        }
    }
    let covered = model.prompt.is_some() || model.overlay.is_some();
    let chord = match covered && rebind::means(model, chord, Action::Back) {
        true => Chord {
            code: KeyCode::Esc,
            mods: KeyModifiers::NONE,
        },
        false => chord,
    };
    if model.prompt.is_some() {
        prompt::on_key(model, chord, effects);
        return;
    }
    if lists::on_overlay_key(model, chord, effects) {
        return;
    }
    if model.pending.is_empty() && on_first_visit_key(model, chord, effects) {
        return;
    }
    model.pending.push(chord);
    model.pending_since = model.now;
    match model.bindings.meaning(&model.pending, model.screen) {
        Meaning::Call(call) => {
            model.pending.clear();
            model.flash = None;
            act::act(model, &call, effects);
        }
        Meaning::Prefix(binding) => {
            if binding.call.action == Action::EndShow && model.show().is_some() {
                model.warn(format!("{} again ends the show", chord));
            }
        }
        Meaning::Nothing => {
            let first_only = model.pending.len() > 1;
            model.pending.clear();
            // A broken sequence does not swallow the key that broke it.
            if model.screen == Screen::Studio
                && let Some(words) = studio::unavailable(chord)
            {
                model.warn(words);
            }
            if first_only && let Meaning::Call(call) = model.bindings.meaning(&[chord], model.screen) {
                act::act(model, &call, effects);
            }
        }
    }
}

/// The keys that only the first screen has; they stand on it.
fn on_first_visit_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) -> bool {
    if !model.is_first_visit() {
        return false;
    }
    let call = match chord.typed() {
        Some('u') => Action::UploadCap.into(),
        Some('o') => Call {
            action: Action::UploadCap,
            argument: "0".to_owned(),
        },
        Some('m') => Action::Broadcast.into(),
        _ => return false,
    };
    act::act(model, &call, effects);
    true
}

fn on_mouse(model: &mut Model, kind: MouseKind, column: u16, row: u16, effects: &mut Vec<Effect>) {
    let action = match kind {
        MouseKind::WheelUp => Action::Up,
        MouseKind::WheelDown => Action::Down,
        MouseKind::Click => match view::hit(model, column, row) {
            Some(view::Hit::Tab(screen)) => return act::go(model, screen),
            Some(view::Hit::Row { row, pane }) => return lists::on_click(model, row, pane, effects),
            // One hint stands for both ways; a click goes down.
            Some(view::Hit::Verb(Action::Up)) => Action::Down,
            Some(view::Hit::Verb(action)) => action,
            None => return,
        },
    };
    // What lies over the screen comes first.
    if model.overlay.is_some() {
        lists::on_overlay_action(model, action, effects);
    } else {
        act::act(model, &action.into(), effects);
    }
}

fn on_snapshot(model: &mut Model, snapshot: Arc<Snapshot>, effects: &mut Vec<Effect>) {
    listening::tell_favourites(model, &snapshot, effects);
    model.channels.take(&snapshot.listings, &snapshot.kept, model.now);
    let before = model.playing().map(|channel| channel.channel);
    model.snapshot = snapshot;
    model.show_asked();
    let now = model.now;
    let upload = u32::try_from(model.traffic_bps().1 / 100).unwrap_or(u32::MAX);
    let snapshot = Arc::clone(&model.snapshot);
    if let Some(channel) = shown_of(&snapshot) {
        model.reception.take(channel, now);
        model.neighbours.take(&channel.neighbours, now);
        if now.saturating_sub(model.rate_at) >= Duration::from_millis(950) {
            let download = u32::try_from(channel.download_bps / 100).unwrap_or(u32::MAX);
            push(&mut model.rate_history, download);
            push(&mut model.upload_history, upload);
            model.rate_at = now;
        }
        if channel.player.is_some() {
            model.heard.begin(model.wall.unix_s, &channel.name, &channel.title);
            if before != Some(channel.channel) {
                sound::recall_volume(model, &channel.channel.to_string(), effects);
            }
        }
    }
    if model.playing().is_none() {
        model.heard.silence();
    }
    if model
        .joining
        .as_ref()
        .is_some_and(|joining| has_arrived(joining, model))
    {
        model.joining = None;
    }
}

/// What was asked for plays, and not what played before it.
fn has_arrived(joining: &Joining, model: &Model) -> bool {
    match (&joining.place, model.playing_place()) {
        (_, None) => false,
        (Some(wanted), Some(playing)) => wanted == playing,
        (None, Some(playing)) => joining.before.as_deref() != Some(playing),
    }
}

fn on_event(model: &mut Model, event: &Event) {
    model.journal.take(event, model.wall.unix_s);
    match event {
        Event::Notice { level, message, hint } if *level != crate::engine::event::Level::Info => {
            model.warn(words::with_hint(message, hint));
        }
        Event::Failed { message, hint, .. } => {
            model.joining = None;
            model.warn(words::with_hint(message, hint));
        }
        Event::Title { channel, title } => {
            let name = model
                .snapshot
                .channels
                .iter()
                .find(|view| view.channel == *channel)
                .map(|view| view.name.clone());
            if model.playing().is_some_and(|playing| playing.channel == *channel) {
                model.heard.add(model.wall.unix_s, &name.unwrap_or_default(), title);
            }
        }
        Event::Recorded { view, .. } => model.tell(words::recorded(view)),
        Event::Stopped => model.stopped = true,
        Event::Ready { .. }
        | Event::Listed
        | Event::Published { .. }
        | Event::OnAir { .. }
        | Event::Joined { .. }
        | Event::Stats(_)
        | Event::ParentChanged { .. }
        | Event::OffAir { .. }
        | Event::Notice { .. }
        | Event::Summary(_) => {}
    }
}

/// What falls due by itself: messages go, previews end, the sleep timer fades and stops.
fn on_time(model: &mut Model, effects: &mut Vec<Effect>) {
    rebind::on_time(model, effects);
    let now = model.now;
    if now.saturating_sub(model.pending_since) >= PENDING {
        model.pending.clear();
    }
    if model.channels.is_behind() {
        let snapshot = Arc::clone(&model.snapshot);
        model.channels.take(&snapshot.listings, &snapshot.kept, now);
    }
    if model.flash.as_ref().is_some_and(|flash| flash.until <= now) {
        model.flash = None;
    }
    if model
        .joining
        .as_ref()
        .is_some_and(|joining| now.saturating_sub(joining.since) > Duration::from_secs(30))
    {
        model.joining = None;
    }
    if model.preview.as_ref().is_some_and(|preview| preview.until <= now) {
        listening::end_preview(model, effects);
    }
    sound::sleep_fade(model, effects);
}

/// The screen that a person starts on, by the way they came.
pub fn first_screen(visit: super::model::Visit) -> Screen {
    match visit {
        super::model::Visit::Browse => Screen::Channels,
        super::model::Visit::Listen | super::model::Visit::Demo => Screen::NowPlaying,
        super::model::Visit::Host => Screen::Studio,
    }
}

/// Opens the line for typing something.
fn ask(model: &mut Model, kind: PromptKind, text: &str) {
    prompt::open(model, kind, text);
}

/// Runs a call from the `:` line or the help screen.
fn run(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    act::act(model, call, effects);
}
