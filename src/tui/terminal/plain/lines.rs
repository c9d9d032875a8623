//! What is said in lines: lists, facts, the log, the state after an action.

use std::io::{self, Write};

use super::{ROWS_MAX, takes_number};
use crate::engine::event::Level;
use crate::engine::listing::Listing;
use crate::tui::action::{Action, Argument, VOCABULARY};
use crate::tui::journal::Line;
use crate::tui::model::Model;
use crate::tui::text::clean;
use crate::tui::update::{settings_rows, words};

/// Writes a line.
pub(super) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", clean(line))?;
    out.flush()
}

/// What an action that only changes something on a screen has changed, in words.
pub(super) fn state_after(model: &Model, action: Action) -> Option<String> {
    let on_off = |on: bool| if on { "on" } else { "off" };
    match action {
        Action::Pause => {
            let paused = model.player()?.paused;
            Some(if paused { "paused" } else { "playing" }.to_owned())
        }
        Action::Mute => {
            let muted = model.player()?.muted;
            Some(if muted { "muted" } else { "not muted" }.to_owned())
        }
        Action::Volume | Action::VolumeUp | Action::VolumeDown | Action::VolumeUpFine | Action::VolumeDownFine => {
            Some(format!("volume {} %", model.player()?.volume))
        }
        // The engine confirms it with its next list, which still has it as it was.
        Action::Favourite => {
            let listing = model.channels.selected()?;
            let no_longer = if listing.favourite { "no longer " } else { "" };
            Some(format!("{} is {no_longer}a favourite", clean(&listing.name)))
        }
        Action::Hide => {
            let listing = model.channels.selected()?;
            let hidden = if listing.hidden { "shown again" } else { "hidden" };
            Some(format!("{} is {hidden}", clean(&listing.name)))
        }
        Action::Info => Some(info(model.channels.selected()?)),
        Action::Play | Action::Preview => Some(format!("joining {}", model.joining.as_ref()?.name)),
        Action::Reconnect => Some("looking for better parents".to_owned()),
        Action::ShowHidden => Some(format!("hidden channels: {}", on_off(model.channels.show_hidden))),
        _ => None,
    }
}

/// All that is known of a channel, in one line.
pub(super) fn info(listing: &Listing) -> String {
    let mut facts = vec![clean(&listing.name)];
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            facts.push(format!("{name} {}", clean(value)));
        }
    };
    fact("now", &listing.title);
    fact("about", &listing.description);
    fact("genre", &listing.genre);
    fact("language", &listing.language);
    fact("codec", &listing.codec);
    let number = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    fact("kbit/s", &number(listing.bitrate_kbps.map(u64::from)));
    fact("listeners", &number(listing.listeners));
    fact("on air:", if listing.on_air { "yes" } else { "no" });
    fact("link", &listing.link);
    facts.join(", ")
}

/// Every setting with its value.
pub(super) fn settings(model: &Model) -> io::Result<()> {
    for row in settings_rows(model) {
        say(&format!("{}: {} ({})", row.name, clean(&row.value), row.about))?;
    }
    Ok(())
}

/// A line of the log, with how bad it is and what to do.
pub(super) fn read_out(line: &Line) -> String {
    let bad = match line.level {
        Level::Info => "",
        Level::Warn => "warning: ",
        Level::Error => "error: ",
    };
    format!("{bad}{}", words::with_hint(&line.text, &line.hint))
}

/// The channels as a numbered list.
pub(super) fn channels(model: &Model) -> io::Result<()> {
    let list = &model.channels;
    for number in 0..list.rows.len().min(ROWS_MAX) {
        let Some(listing) = list.row(number) else { continue };
        let mut facts = vec![clean(&listing.name)];
        facts.extend(
            [&listing.genre, &listing.title]
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| clean(text)),
        );
        facts.extend(listing.listeners.map(|count| format!("{count} listening")));
        facts.extend(listing.favourite.then(|| "a favourite".to_owned()));
        facts.extend((!listing.on_air).then(|| "not on air".to_owned()));
        say(&format!("{} {}", number + 1, facts.join(", ")))?;
    }
    match list.rows.len() {
        0 if list.listings.is_empty() => say("no channel was found yet; play LINK joins one by its link"),
        0 if !list.query.is_empty() => say(&format!("nothing fits {:?}; back shows all again", clean(&list.query))),
        0 => say("nothing stands here at this moment"),
        count if count > ROWS_MAX => say(&format!("{} more; filter WORDS narrows the list", count - ROWS_MAX)),
        _ => Ok(()),
    }
}

/// The neighbours as a numbered list.
pub(super) fn mesh(model: &Model) -> io::Result<()> {
    let Some(channel) = model.shown() else {
        return say("you take part in no channel");
    };
    let neighbours = crate::tui::neighbours::sorted(&channel.neighbours, model.mesh.hide_idle);
    for (number, neighbour) in neighbours.iter().enumerate().take(ROWS_MAX) {
        // The key and the hidden address say nothing in a list.
        let facts = words::neighbour(model, channel, neighbour).split_off(2).join(", ");
        let facts = facts.split_whitespace().collect::<Vec<_>>().join(" ");
        say(&format!("{} {}: {facts}", number + 1, neighbour.peer.short()))?;
    }
    say(&format!("{} of {} slots taken", channel.children, channel.slots))
}

/// The titles heard, newest first.
pub(super) fn titles(model: &Model) -> io::Result<()> {
    for (row, heard) in model.heard.newest().take(ROWS_MAX).enumerate() {
        let time = model.wall.day_and_time(heard.unix_s);
        let tagged = if heard.tagged { ", tagged" } else { "" };
        say(&format!(
            "{} {time} {}, {}{tagged}",
            row + 1,
            heard.title,
            heard.channel
        ))?;
    }
    match model.heard.titles.is_empty() {
        true => say("no title was heard yet"),
        false => Ok(()),
    }
}

/// Every command.
pub(super) fn help() -> io::Result<()> {
    for entry in VOCABULARY {
        let argument = match entry.argument {
            Argument::None => String::new(),
            Argument::Optional(example) | Argument::Needed(example) => format!(" {example}"),
        };
        let number = if takes_number(entry.action) {
            " NUMBER"
        } else {
            &argument
        };
        say(&format!("{}{number}: {}", entry.name, entry.label))?;
    }
    Ok(())
}

/// An action as it is typed.
pub(super) fn example(action: Action) -> String {
    let entry = action.entry();
    match entry.argument {
        Argument::None => entry.name.to_owned(),
        Argument::Optional(example) | Argument::Needed(example) => format!("{} {example}", entry.name),
    }
}
