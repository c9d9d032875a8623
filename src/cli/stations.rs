//! `inonda stations QUERY`: look for internet radio stations.

use crate::cli::args::{Everywhere, StationsArgs};
use crate::cli::{Failure, channels, favourites, folders, session};
use crate::engine::listing::Listing;
use crate::gateway::radio_browser::{self, SERVERS};
use crate::store::library::{Change, Favourite};
use crate::store::shelf::Shelf;

/// Prints the stations found, and marks the first of them when asked to.
///
/// # Errors
/// When no server answers or nothing is found.
pub fn run(args: &StationsArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let servers: Vec<String> = match args.servers.is_empty() {
        true => SERVERS.iter().map(|server| (*server).to_owned()).collect(),
        false => args.servers.clone(),
    };
    let query = args.query.join(" ");
    let found = session::runtime()?
        .block_on(radio_browser::search(&servers, &query))
        .map_err(|error| {
            Failure::new(
                format!("no directory of stations answers: {error}"),
                "check the network, or name another server with --server URL",
            )
        })?;
    let Some(first) = found.first() else {
        return Err(Failure::new(
            format!("no station is called {query:?}"),
            "try a shorter part of its name",
        )
        .code(3));
    };
    if args.save {
        let favourite = Favourite {
            link: first.link.clone(),
            name: first.name.clone(),
            genre: first.genre.clone(),
            added_unix_s: favourites::today(),
            ..Favourite::default()
        };
        Shelf::new(&folders::state(everywhere)?)
            .and_then(|shelf| shelf.write(&[Change::Favour(favourite)]))
            .map_err(favourites::shelf_failure)?;
    }
    let found: Vec<&Listing> = found.iter().collect();
    // A closed pipe has seen enough.
    let _ = channels::print(&found, everywhere.json);
    Ok(())
}
