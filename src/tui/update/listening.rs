//! Choosing and playing channels.

use std::time::Duration;

use super::Effect;
use crate::engine::command::Listen;
use crate::engine::snapshot::Role as Part;
use crate::engine::{Command, Link, Target};
use crate::tui::action::{Action, Call};
use crate::tui::channels::{Shelf, Sort};
use crate::tui::model::{Model, Preview};
use crate::tui::text::clean;

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
    } else if argument.parse::<Link>().is_ok() {
        (argument.to_owned(), argument.chars().take(24).collect())
    } else {
        let wanted = argument.to_lowercase();
        let starts = |text: &str| text.to_lowercase().starts_with(&wanted);
        match model.channels.listings.iter().find(|listing| starts(&listing.name)) {
            Some(listing) => (listing.link.clone(), clean(&listing.name)),
            None => {
                model.warn(format!(
                    "{argument:?} is neither a link nor the beginning of a listed name"
                ));
                return;
            }
        }
    };
    model.preview = None;
    listen(model, &link, name, effects);
}

fn listen(model: &mut Model, link: &str, name: String, effects: &mut Vec<Effect>) {
    match link.parse::<Target>() {
        Ok(target) => {
            effects.push(Effect::Send(Command::Listen(Listen {
                target,
                http: None,
                delay: model.hearing.delay,
                outputs: model.hearing.outputs.clone(),
            })));
            model.joining = Some((name, model.now));
        }
        Err(error) => model.warn(format!("this channel cannot be joined: {error}")),
    }
}

fn preview(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(listing) = model.channels.selected().filter(|listing| listing.playable) else {
        model.warn("nothing here can be previewed");
        return;
    };
    let (link, name) = (listing.link.clone(), clean(&listing.name));
    let playing = model.playing().map(|channel| channel.link.clone());
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
        Some(link) => listen(model, &link, String::new(), effects),
        None => leave(model, effects),
    }
}

fn leave(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.playing() {
        Some(channel) => {
            effects.push(Effect::Send(Command::Leave {
                channel: channel.channel,
            }));
            model.preview = None;
        }
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
    let current = model.playing().map(|channel| channel.channel);
    let link = current.and_then(|id| {
        let listing = model
            .channels
            .listings
            .iter()
            .find(|listing| listing.channel == Some(id));
        listing.map(|listing| listing.link.clone())
    });
    match model.channels.favourite_beside(link.as_deref(), forward).cloned() {
        Some(listing) => {
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
        _ => {
            let to = if list.shelf == Shelf::OnAir {
                Shelf::Everything
            } else {
                Shelf::OnAir
            };
            list.shelf_selected = usize::from(to == Shelf::Everything);
            list.shelf = to;
        }
    }
    list.filter();
}

fn mark(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(listing) = model.channels.selected() else {
        return;
    };
    let command = if action == Action::Favourite {
        Command::SetFavourite {
            link: listing.link.clone(),
            name: clean(&listing.name),
            on: !listing.favourite,
        }
    } else {
        Command::SetHidden {
            link: listing.link.clone(),
            on: !listing.hidden,
        }
    };
    effects.push(Effect::Send(command));
}
