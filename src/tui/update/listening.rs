//! Choosing and playing channels.

use std::sync::Arc;
use std::time::Duration;

use super::Effect;
use crate::engine::Snapshot;
use crate::engine::command::Listen;
use crate::engine::event::Level;
use crate::engine::listing::Listing;
use crate::engine::snapshot::{PlayerState, Role as Part};
use crate::engine::{Command, Target, place};
use crate::tui::action::{Action, Call, Screen};
use crate::tui::channels::Sort;
use crate::tui::model::{Joining, Model, Preview};
use crate::tui::text::clean;

/// Until then sources of listings answer for the first time, and what they say is no news.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// How long a preview lasts.
const PREVIEW: Duration = Duration::from_secs(10);

/// Applies a call about channels.
pub fn act(model: &mut Model, call: &Call, effects: &mut Vec<Effect>) {
    match call.action {
        Action::Preview => preview(model, effects),
        Action::Leave => leave(model, effects),
        Action::Recast => recast(model, effects),
        Action::FavouriteBefore => play_favourite(model, false, effects),
        Action::FavouriteAfter => play_favourite(model, true, effects),
        Action::SortNext | Action::SortReverse | Action::OnAirOnly | Action::Info | Action::ShowHidden => {
            arrange(model, call);
        }
        Action::Favourite | Action::Hide => mark(model, call.action, effects),
        Action::Refresh => {
            effects.push(Effect::Send(Command::Refresh));
            model.tell("asking every directory again");
        }
        _ => play(model, &call.argument, effects),
    }
}

fn play(model: &mut Model, argument: &str, effects: &mut Vec<Effect>) {
    if argument.is_empty() && model.screen == Screen::Channels && model.pane == 1 {
        // Enter on a shelf goes to what stands on it.
        model.pane = 0;
        return;
    }
    let (link, name) = if argument.is_empty() {
        let Some(listing) = model.channels.selected() else {
            model.warn("no channel is selected; :play LINK plays one by its link");
            return;
        };
        if !listing.playable {
            model.warn("inonda cannot play this one: it belongs to another program's list");
            return;
        }
        (listing.link.clone(), clean(&listing.name))
    } else {
        match named(model, argument) {
            Ok(found) => found,
            Err(error) => return model.warn(error),
        }
    };
    model.preview = None;
    listen(model, &link, name, effects);
}

/// The link and the name that a person means: a link or an address as it is, else a listed name, else its beginning.
/// What no listing has is left to the engine, which asks around for a while.
fn named(model: &Model, argument: &str) -> Result<(String, String), String> {
    match argument.parse::<Target>().map_err(|error| error.to_string())? {
        Target::Channel(link) => {
            let name = link.name.clone().unwrap_or_else(|| link.channel.short());
            return Ok((argument.to_owned(), clean(&name)));
        }
        Target::Station(url) => return Ok((url.clone(), clean(&url))),
        Target::Name(_) => {}
    }
    let wanted = argument.trim().to_lowercase();
    let can_play = |listing: &&Listing| listing.playable && !listing.hidden && listing.on_air;
    let listed = || model.channels.listings.iter().filter(can_play);
    let named = |exact: bool| -> Vec<&Listing> {
        let fits = |name: &str| {
            if exact {
                name == wanted
            } else {
                name.starts_with(&wanted)
            }
        };
        let mut found: Vec<&Listing> = listed().filter(|l| fits(&l.name.to_lowercase())).collect();
        found.dedup_by_key(|listing| place(&listing.link));
        found
    };
    let exact = named(true);
    let found = if exact.is_empty() { named(false) } else { exact };
    match found.as_slice() {
        [] => Ok((argument.to_owned(), clean(argument))),
        [one] => Ok((one.link.clone(), clean(&one.name))),
        several => {
            let names = several.iter().take(4).map(|listing| {
                let key = listing
                    .channel
                    .map_or(String::new(), |key| format!(" ({})", key.short()));
                format!("{}{key}", clean(&listing.name))
            });
            let names: Vec<String> = names.collect();
            let more = if several.len() > 4 { " and others" } else { "" };
            let names = names.join(", ");
            Err(format!(
                "{argument:?} could be {names}{more}: write more of it, or choose it in the list"
            ))
        }
    }
}

fn listen(model: &mut Model, link: &str, name: String, effects: &mut Vec<Effect>) {
    match link.parse::<Target>() {
        Ok(target) => {
            let at = match &target {
                Target::Channel(link) => Some(link.channel.to_string()),
                Target::Station(url) => Some(url.clone()),
                Target::Name(_) => None,
            };
            effects.push(Effect::Send(Command::Listen(Listen {
                target,
                http: None,
                delay: model.hearing.delay,
                outputs: model.hearing.outputs.clone(),
            })));
            if at.is_some() && at.as_deref() == model.playing_place() {
                model.joining = None;
                return;
            }
            model.joining = Some(Joining {
                name,
                place: at,
                before: model.playing_place().map(str::to_owned),
                since: model.now,
            });
        }
        Err(error) => model.warn(format!("this channel cannot be joined: {error}")),
    }
}

fn preview(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.player().is_some_and(|player| player.recording.is_some()) {
        model.warn("a preview would end the recording; r closes it first");
        return;
    }
    let Some(listing) = model.channels.selected().filter(|listing| listing.playable) else {
        model.warn("nothing here can be previewed");
        return;
    };
    if model.playing_place() == Some(place(&listing.link)) {
        return model.tell("this is the one you hear");
    }
    let (link, name) = (listing.link.clone(), clean(&listing.name));
    let playing = model
        .playing()
        .map(|channel| (channel.link.clone(), clean(&channel.name)));
    let back_to = model.preview.take().map_or(playing, |preview| preview.back_to);
    model.preview = Some(Preview {
        until: model.now + PREVIEW,
        back_to,
    });
    listen(model, &link, name, effects);
}

/// Returns to the channel from before a preview.
pub fn end_preview(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(preview) = model.preview.take() else { return };
    match preview.back_to {
        Some((link, name)) => listen(model, &link, name, effects),
        None => leave(model, effects),
    }
}

/// Gives up what is being joined, or a preview; false when nothing is under way.
pub fn cancel(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    if model.preview.is_some() {
        end_preview(model, effects);
        return true;
    }
    let starting = model
        .player()
        .is_some_and(|player| player.state == PlayerState::Joining);
    if model.awaited().is_none() && !starting {
        return false;
    }
    model.joining = None;
    effects.push(Effect::Send(Command::CancelJoin));
    model.tell("not joined");
    true
}

/// Tells of favourites that went on air: in the log, and on the desktop when that is wanted. Those that are on air when the
/// visit begins are no news.
pub fn tell_favourites(model: &mut Model, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    if Arc::ptr_eq(&snapshot.listings, &model.snapshot.listings) || model.now < FIRST_LOOK {
        return;
    }
    let was_off = |link: &str| {
        let before = model.snapshot.listings.iter().find(|listing| listing.link == link);
        before.is_some_and(|before| !before.on_air)
    };
    let risen = snapshot
        .listings
        .iter()
        .filter(|listing| listing.favourite && listing.on_air);
    let names: Vec<String> = risen
        .filter(|listing| was_off(&listing.link))
        .map(|listing| clean(&listing.name))
        .collect();
    for name in names {
        let text = format!("{name} is on air");
        let unix_s = model.wall.unix_s;
        model.journal.add(
            unix_s,
            Level::Info,
            "app",
            &text,
            "1 shows the channels, Enter plays one.",
        );
        if model.settings.notifications {
            effects.push(Effect::Notify {
                title: text,
                text: "a favourite of yours".to_owned(),
            });
        }
    }
}

fn leave(model: &mut Model, effects: &mut Vec<Effect>) {
    model.preview = None;
    let waiting = model.awaited().is_some();
    if waiting {
        model.joining = None;
        effects.push(Effect::Send(Command::CancelJoin));
    }
    match model.playing() {
        Some(channel) => {
            let channel = channel.channel;
            effects.push(Effect::Send(Command::Leave { channel }));
        }
        None if waiting => {}
        None => model.warn("nothing is playing"),
    }
}

/// Lets others hear the station that is playing, or no longer.
fn recast(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(channel) = model.playing() else {
        return model.warn("nothing is playing");
    };
    if !matches!(channel.link.parse(), Ok(Target::Station(_))) {
        return model.warn("this is no station: a channel is passed on by itself");
    }
    let (channel, on) = (channel.channel, channel.role != Part::Host);
    effects.push(Effect::Send(Command::Recast { channel, on }));
    if on {
        model.tell("this station is now a channel of yours that others can hear");
    }
}

fn play_favourite(model: &mut Model, forward: bool, effects: &mut Vec<Effect>) {
    let current = model
        .joining
        .as_ref()
        .and_then(|joining| joining.place.as_deref())
        .or_else(|| model.playing_place())
        .map(str::to_owned);
    match model.channels.favourite_beside(current.as_deref(), forward).cloned() {
        Some(listing) => {
            model.preview = None;
            model.channels.select_link(&listing.link);
            listen(model, &listing.link, clean(&listing.name), effects);
        }
        None => model.warn("you have no favourites yet: f on a channel makes it one"),
    }
}

fn arrange(model: &mut Model, call: &Call) {
    let list = &mut model.channels;
    match call.action {
        Action::SortNext if call.argument.is_empty() => {
            let at = Sort::ALL.iter().position(|sort| *sort == list.sort).unwrap_or(0);
            list.sort = Sort::ALL[(at + 1) % Sort::ALL.len()];
        }
        Action::SortNext => match Sort::ALL.into_iter().find(|sort| sort.name() == call.argument) {
            Some(sort) => list.sort = sort,
            None => return model.warn("sort by listeners, name, bitrate or newest"),
        },
        Action::SortReverse => list.reversed = !list.reversed,
        Action::ShowHidden => list.show_hidden = !list.show_hidden,
        Action::Info => {
            list.info = !list.info;
            return;
        }
        _ => list.on_air_only = !list.on_air_only,
    }
    list.filter();
}

/// Marks or hides the selected channel; away from the list a favourite is made of what plays.
fn mark(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let listed = |link: &str| {
        let all = model.channels.listings.iter();
        all.clone().find(|listing| place(&listing.link) == place(link))
    };
    let playing = model.playing().map(|channel| {
        let known = listed(&channel.link);
        let (marked, hidden) = known.map_or((false, false), |listing| (listing.favourite, listing.hidden));
        (channel.link.clone(), clean(&channel.name), marked, hidden)
    });
    let selected = model.channels.selected().map(|listing| {
        (
            listing.link.clone(),
            clean(&listing.name),
            listing.favourite,
            listing.hidden,
        )
    });
    let chosen = if model.screen == Screen::Channels {
        selected.or(playing)
    } else {
        playing
    };
    let Some((link, name, favourite, hidden)) = chosen else {
        return model.warn("no channel is selected");
    };
    let command = if action == Action::Favourite {
        let words = if favourite {
            "no favourite any more"
        } else {
            "a favourite"
        };
        model.tell(format!("{name} is {words}"));
        Command::SetFavourite {
            link,
            name,
            on: !favourite,
        }
    } else {
        Command::SetHidden { link, on: !hidden }
    };
    effects.push(Effect::Send(command));
}
