//! `inonda channels [QUERY]`: list what is on air.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::json;

use crate::cli::args::{ChannelsArgs, Everywhere, NodeArgs};
use crate::cli::{Failure, folders, identity, listen, session};
use crate::engine::command::Command;
use crate::engine::listing::{Listing, Origin};
use crate::engine::{Event, Handle};

/// How long sources may take altogether.
const PATIENCE: Duration = Duration::from_secs(8);

/// Prints the channels on air, once every source has answered or after `--for`.
///
/// # Errors
/// No node can be started; nothing was asked because every source is switched off.
pub fn run(args: &ChannelsArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let node = NodeArgs {
        upload: Some(0),
        ..args.node.clone()
    };
    if node.no_lan && node.no_dht && node.directories.is_empty() {
        let hint = "leave out --no-lan or --no-dht, or name a --directory HOST:PORT";
        return Err(Failure::new("there is nowhere to look for channels", hint).code(2));
    }
    let state = Some(folders::state(everywhere)?);
    let mut handle = session::start(&node, everywhere, identity::fresh()?, listen::any_port(), state, true)?;
    wait(&mut handle, everywhere.stop_after)?;
    let snapshot = handle.snapshot();
    let query = args.query.join(" ").to_lowercase();
    let mut found: Vec<&Listing> = snapshot
        .listings
        .iter()
        .filter(|listing| !listing.hidden && (listing.on_air || listing.favourite) && fits(listing, &query))
        .collect();
    found.sort_by(|a, b| b.listeners.cmp(&a.listeners).then_with(|| a.name.cmp(&b.name)));
    let printed = print(&found, everywhere.json);
    if !everywhere.quiet {
        for origin in &snapshot.origins {
            if let (Origin::Directory(name), Some((why, _))) = (&origin.origin, &origin.trouble) {
                eprintln!("the directory {name} was not asked: {why}");
            }
        }
        if found.is_empty() {
            eprintln!("nothing is on air as far as anybody here knows");
        }
    }
    let _ = handle.send(Command::Quit);
    while handle
        .blocking_event()
        .is_some_and(|event| !matches!(event, Event::Stopped))
    {}
    // A closed pipe has seen enough.
    let _ = printed;
    Ok(())
}

/// Waits until the list has settled, and for the picture of it.
fn wait(handle: &mut Handle, asked: Option<Duration>) -> Result<(), Failure> {
    let runtime = session::runtime()?;
    runtime.block_on(async {
        let settled = async {
            while let Some(event) = handle.event().await {
                match event {
                    Event::Listed if asked.is_none() => break,
                    Event::Failed { code, message, hint } => return Err(Failure::new(message, hint).code(code)),
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::time::timeout(asked.unwrap_or(PATIENCE), settled)
            .await
            .unwrap_or(Ok(()))?;
        // The picture follows within a quarter of a second.
        let mut pictures = handle.watch();
        pictures.mark_unchanged();
        let _ = tokio::time::timeout(Duration::from_secs(1), pictures.changed()).await;
        Ok(())
    })
}

fn fits(listing: &Listing, query: &str) -> bool {
    let text = [
        &listing.name,
        &listing.genre,
        &listing.description,
        &listing.title,
        &listing.language,
    ];
    let text: Vec<String> = text.iter().map(|text| text.to_lowercase()).collect();
    query
        .split_whitespace()
        .all(|word| text.iter().any(|text| text.contains(word)))
}

/// Prints listings, one a line.
///
/// # Errors
/// When standard output is closed.
pub fn print(found: &[&Listing], as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        for listing in found {
            writeln!(out, "{}", row(listing))?;
        }
        return Ok(());
    }
    if std::io::stdout().is_terminal() && !found.is_empty() {
        writeln!(out, "{:>6} {:>5}  {:<28} {:<30} LINK", "LISTEN", "KBPS", "NAME", "NOW")?;
    }
    for listing in found {
        let number = |count: Option<u64>| count.map_or_else(|| "-".into(), |count| count.to_string());
        let mark = if listing.playable { "" } else { " (another program's)" };
        writeln!(
            out,
            "{:>6} {:>5}  {:<28} {:<30} {}{mark}",
            number(listing.listeners),
            number(listing.bitrate_kbps.map(u64::from)),
            cut(&listing.name, 28),
            cut(&listing.title, 30),
            listing.link,
        )?;
    }
    Ok(())
}

fn row(listing: &Listing) -> serde_json::Value {
    json!({
        "channel": listing.channel.map(|channel| channel.to_string()),
        "link": listing.link,
        "name": listing.name,
        "genre": listing.genre,
        "description": listing.description,
        "title": listing.title,
        "listeners": listing.listeners,
        "relays": listing.relays,
        "bitrate": listing.bitrate_kbps.map(|rate| u64::from(rate) * 1_000),
        "codec": listing.codec,
        "since": listing.since_unix_s,
        "source": source(listing),
        "sources": listing.sources.iter().map(word).collect::<Vec<_>>(),
        "language": listing.language,
        "contact": listing.contact,
        "groups": listing.groups,
        "favourite": listing.favourite,
        "playable": listing.playable,
        "on_air": listing.on_air,
    })
}

/// The nearest source.
fn source(listing: &Listing) -> &'static str {
    let order = ["lan", "directory", "dht", "favourite", "invite", "station"];
    order
        .into_iter()
        .find(|wanted| listing.sources.iter().any(|origin| word(origin) == *wanted))
        .unwrap_or("invite")
}

fn word(origin: &Origin) -> &'static str {
    match origin {
        Origin::Lan => "lan",
        Origin::Dht => "dht",
        Origin::Directory(_) => "directory",
        Origin::Favourite => "favourite",
        Origin::Invite => "invite",
        Origin::Station => "station",
    }
}

fn cut(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}
