//! The only place where the model changes: (model, input) gives the model after it, and effects for the outside.

mod act;
mod listening;
mod lists;
mod look;
mod mesh;
mod prompt;
mod rebind;
mod sound;
mod studio;
pub mod words;

pub use lists::{help_rows, overlay_rows, settings_rows};

use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, Call, Screen};
use super::keys::{Chord, Meaning};
use super::model::{Model, Overlay, PENDING, PromptKind};
use super::neighbours::push;
use super::text::clean;
use super::view;
use crate::engine::command::Programme;
use crate::engine::snapshot::Levels;
use crate::engine::{Command, Event, Snapshot};

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
    Levels(Levels),
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
    /// Begin a recording in the music folder, under this name without extension.
    RecordAs {
        name: String,
    },
    /// Start a show of our own; without a name, under the usual one.
    GoOnAir {
        name: String,
        source: Programme,
    },
    SaveSettings,
    SaveKeys(String),
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
        Input::Levels(levels) => model.meters.take(levels, model.now),
        Input::Event(event) => on_event(model, &event),
        Input::Told { text, hint, bad } => {
            let level = if bad {
                crate::engine::event::Level::Warn
            } else {
                crate::engine::event::Level::Info
            };
            model.journal.add(model.wall.unix_s, level, "app", &text, &hint);
            if bad {
                model.warn(clean(&text));
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
    let wants = model.shows_spectrum();
    if wants != model.spectrum_asked {
        model.spectrum_asked = wants;
        effects.push(Effect::Send(Command::SetSpectrum(wants)));
    }
    effects
}

fn on_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) {
    if model.now.saturating_sub(model.pending_since) > PENDING {
        model.pending.clear();
    }
    let interrupt = Chord::parse("^c");
    if Some(chord) == interrupt {
        effects.push(Effect::Quit);
        return;
    }
    if let Some(Overlay::Rebind { call }) = model.overlay.clone() {
        rebind::rebind(model, &call, chord, effects);
        return;
    }
    if model.prompt.is_some() {
        prompt::on_key(model, chord, effects);
        return;
    }
    if lists::on_overlay_key(model, chord, effects) {
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
            if first_only && let Meaning::Call(call) = model.bindings.meaning(&[chord], model.screen) {
                act::act(model, &call, effects);
            }
        }
    }
}

fn on_mouse(model: &mut Model, kind: MouseKind, column: u16, row: u16, effects: &mut Vec<Effect>) {
    match kind {
        MouseKind::WheelUp => act::act(model, &Action::Up.into(), effects),
        MouseKind::WheelDown => act::act(model, &Action::Down.into(), effects),
        MouseKind::Click => match view::hit(model, column, row) {
            Some(view::Hit::Tab(screen)) => act::go(model, screen),
            Some(view::Hit::Row { row, pane }) => lists::on_click(model, row, pane, effects),
            Some(view::Hit::Verb(action)) => act::act(model, &action.into(), effects),
            None => {}
        },
    }
}

fn on_snapshot(model: &mut Model, snapshot: Arc<Snapshot>, effects: &mut Vec<Effect>) {
    model.channels.take(&snapshot.listings);
    let before = model.playing().map(|channel| channel.channel);
    model.snapshot = snapshot;
    model.show_asked();
    let now = model.now;
    let upload = u32::try_from(model.traffic_bps().1 / 100).unwrap_or(u32::MAX);
    if let Some(channel) = model.shown() {
        let neighbours = channel.neighbours.clone();
        let playing = channel.player.is_some();
        let (id, name, title) = (channel.channel, channel.name.clone(), channel.title.clone());
        let download = u32::try_from(channel.download_bps / 100).unwrap_or(u32::MAX);
        model.neighbours.take(&neighbours, now);
        if now.saturating_sub(model.rate_at) >= Duration::from_millis(950) {
            push(&mut model.rate_history, download);
            push(&mut model.upload_history, upload);
            model.rate_at = now;
        }
        if playing {
            model.heard.add(model.wall.unix_s, &name, &title);
            model.joining = None;
            if before != Some(id) {
                sound::recall_volume(model, &id.to_string(), effects);
            }
        }
    }
    let count = model.shown().map_or(0, |channel| channel.neighbours.len());
    model.mesh.selected = model.mesh.selected.min(count.saturating_sub(1));
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
    let now = model.now;
    if model.flash.as_ref().is_some_and(|flash| flash.until <= now) {
        model.flash = None;
    }
    if model
        .joining
        .as_ref()
        .is_some_and(|(_, since)| now.saturating_sub(*since) > Duration::from_secs(30))
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
