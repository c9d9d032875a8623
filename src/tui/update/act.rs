//! What each action does, by what it is about.

use super::{Effect, ask, listening, lists, look, mesh, rebind, settings, sound, studio, words};
use crate::engine::event::Level;
use crate::engine::snapshot::Role as Part;
use crate::tui::action::{Action, Call, Screen};
use crate::tui::journal::MODULES;
use crate::tui::model::{Model, Overlay, PromptKind, Visit};
use crate::tui::text::clean;

/// Applies one call.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Play
        | Action::Preview
        | Action::Leave
        | Action::Recast
        | Action::FavouriteBefore
        | Action::FavouriteAfter
        | Action::SortNext
        | Action::SortReverse
        | Action::OnAirOnly
        | Action::Info
        | Action::ShowHidden
        | Action::Favourite
        | Action::Hide
        | Action::Refresh => listening::act(model, call, effects),
        Action::Inspect
        | Action::TreeOrList
        | Action::BlockPeer
        | Action::UploadCap
        | Action::HideIdle
        | Action::Reconnect => mesh::act(model, call, effects),
        Action::Broadcast | Action::GoOnAir | Action::EditTitle | Action::SkipTrack | Action::EndShow => {
            studio::act(model, call, effects)
        }
        Action::LogLevel
        | Action::LogModule
        | Action::LogFollow
        | Action::LogExplain
        | Action::LogExport
        | Action::LogClear => log(model, call, effects),
        Action::Pause
        | Action::Mute
        | Action::VolumeUp
        | Action::VolumeDown
        | Action::VolumeUpFine
        | Action::VolumeDownFine
        | Action::Volume
        | Action::Record
        | Action::TagTitle
        | Action::Sleep
        | Action::SleepMore => sound::act(model, call, effects),
        Action::Visualiser | Action::VisualiserStyle | Action::Theme | Action::ReleaseMouse => {
            look::act(model, call, effects);
        }
        Action::NextPane
        | Action::PreviousPane
        | Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::Top
        | Action::Bottom
        | Action::HalfDown
        | Action::HalfUp
        | Action::NextMatch
        | Action::PreviousMatch => lists::walk(model, call.action),
        Action::Goto
        | Action::ScreenChannels
        | Action::ScreenNowPlaying
        | Action::ScreenMesh
        | Action::ScreenStudio
        | Action::ScreenLog => show(model, call),
        Action::Why | Action::Titles | Action::Help | Action::Settings | Action::Keys => open(model, call.action),
        Action::Filter => filter(model, &call.argument),
        Action::CommandLine => ask(model, PromptKind::Command, ""),
        Action::SearchTitle | Action::TitleOlder | Action::TitleNewer => title(model, call.action, effects),
        Action::Output | Action::Delay => settings::hearing(model, call.action, &call.argument, effects),
        Action::Copy => copy(model, effects),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Back => back(model, effects),
        Action::Quit => quit(model, effects),
        Action::QuitNow => effects.push(Effect::Quit),
    }
}

/// Shows a screen.
pub fn go(model: &mut Model, screen: Screen) {
    lists::dismiss(model);
    model.screen = screen;
    model.pane = 0;
}

fn show(model: &mut Model, call: &Call) {
    let screen = match call.action {
        Action::ScreenChannels => Screen::Channels,
        Action::ScreenNowPlaying => Screen::NowPlaying,
        Action::ScreenMesh => Screen::Mesh,
        Action::ScreenStudio => Screen::Studio,
        Action::ScreenLog => Screen::Log,
        _ => match Screen::from_word(&call.argument) {
            Some(screen) => screen,
            None => {
                let argument = &call.argument;
                return model.warn(format!(
                    "there is no screen {argument:?}: channels, now, mesh, studio or log"
                ));
            }
        },
    };
    go(model, screen);
}

/// Opens what lies over a screen.
fn open(model: &mut Model, action: Action) {
    model.overlay = Some(match action {
        Action::Titles => Overlay::Titles { selected: 0 },
        Action::Settings => Overlay::Settings { selected: 0 },
        Action::Keys => rebind::conflicts(model),
        Action::Help => Overlay::Help {
            typed: String::new(),
            selected: 0,
            all: false,
        },
        _ => Overlay::Words {
            title: "Why".to_owned(),
            lines: words::why(model),
            first: 0,
        },
    });
}

fn log(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    let journal = &mut model.journal;
    match call.action {
        Action::LogLevel => {
            journal.level = match (call.argument.as_str(), journal.level) {
                ("info", _) | ("", Level::Error) => Level::Info,
                ("warn", _) | ("", Level::Info) => Level::Warn,
                ("error", _) | ("", Level::Warn) => Level::Error,
                (other, _) => {
                    let text = format!("there is no level {other:?}: info, warn or error");
                    return model.warn(text);
                }
            };
        }
        Action::LogModule => {
            let at = journal
                .module
                .and_then(|module| MODULES.iter().position(|known| *known == module));
            journal.module = match call.argument.as_str() {
                "" => at.map_or(Some(MODULES[0]), |at| MODULES.get(at + 1).copied()),
                "all" => None,
                wanted => match MODULES.into_iter().find(|module| *module == wanted) {
                    Some(module) => Some(module),
                    None => {
                        let known = MODULES.join(", ");
                        return model.warn(format!("there is no module {wanted:?}: {known} or all"));
                    }
                },
            };
        }
        Action::LogFollow => {
            journal.follow = !journal.follow;
            if journal.follow {
                journal.selected = 0;
            }
        }
        Action::LogExplain => journal.explain = !journal.explain,
        Action::LogClear => {
            journal.lines.clear();
            journal.selected = 0;
        }
        _ => {
            let text = journal.export(model.wall);
            effects.push(Effect::Export {
                name: "log".to_owned(),
                text,
            });
        }
    }
    let count = model.journal.visible().len();
    model.journal.selected = model.journal.selected.min(count.saturating_sub(1));
}

fn filter(model: &mut Model, argument: &str) {
    if model.screen == Screen::Log {
        if argument.is_empty() {
            let query = model.journal.query.clone();
            return ask(model, PromptKind::Find, &query);
        }
        model.journal.query = argument.to_owned();
        return;
    }
    go(model, Screen::Channels);
    if argument.is_empty() {
        let query = model.channels.query.clone();
        ask(model, PromptKind::Filter, &query);
    } else {
        model.channels.query = argument.to_owned();
        model.channels.filter();
    }
}

/// Looks at a title of the history, or for it.
fn title(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let last = model.heard.titles.len().saturating_sub(1);
    let selected = model.heard.selected;
    match action {
        Action::TitleOlder => model.heard.selected = (selected + 1).min(last),
        Action::TitleNewer => model.heard.selected = selected.saturating_sub(1),
        _ => return lists::search(model, selected, effects),
    }
    model.pane = 1;
}

fn copy(model: &mut Model, effects: &mut Vec<Effect>) {
    let text = match model.screen {
        Screen::Channels => model.channels.selected().map(|listing| listing.link.clone()),
        Screen::NowPlaying if model.pane == 1 => {
            let heard = model.heard.newest().nth(model.heard.selected);
            heard.map(|heard| heard.title.clone())
        }
        Screen::NowPlaying => model.playing().map(|channel| {
            if channel.title.is_empty() {
                channel.link.clone()
            } else {
                clean(&channel.title)
            }
        }),
        Screen::Mesh | Screen::Studio => model
            .show()
            .map(|show| show.link.clone())
            .or_else(|| model.shown().map(|channel| channel.link.clone())),
        Screen::Log => model
            .journal
            .visible()
            .get(model.journal.selected)
            .map(|line| line.text.clone()),
    };
    match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            let shown: String = text.chars().take(40).collect();
            effects.push(Effect::Copy(text));
            model.tell(format!("copied {shown}"));
        }
        None => model.warn("there is nothing to copy here"),
    }
}

fn back(model: &mut Model, effects: &mut Vec<Effect>) {
    if lists::dismiss(model) || listening::cancel(model, effects) {
        return;
    }
    match model.screen {
        Screen::Channels if model.channels.info => model.channels.info = false,
        Screen::Channels if !model.channels.query.is_empty() => {
            model.channels.query.clear();
            model.channels.filter();
        }
        Screen::Log if !model.journal.query.is_empty() => model.journal.query.clear(),
        Screen::Channels | Screen::NowPlaying | Screen::Mesh | Screen::Studio | Screen::Log => {
            model.flash = None;
            model.pane = 0;
            model.heard.selected = 0;
        }
    }
}

fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    let hosting = model.snapshot.channels.iter().any(|channel| channel.role == Part::Host);
    // A demo's host is no show that anybody else would miss.
    if hosting && model.visit != Visit::Demo {
        let question = "you are on air: end the show and quit?".to_owned();
        model.overlay = Some(Overlay::Ask {
            question,
            call: Action::QuitNow.into(),
        });
    } else {
        effects.push(Effect::Quit);
    }
}
