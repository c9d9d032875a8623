//! `inonda favourites`: the channels and stations a person marked, and their way in and out of files.
#![allow(clippy::disallowed_methods, reason = "a mark carries its day")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::cli::args::{Everywhere, FavouritesAction};
use crate::cli::{Failure, folders};
use crate::engine::Link;
use crate::store::exchange::{self, Form};
use crate::store::library::{Change, Favourite, place};
use crate::store::shelf::{Shelf, ShelfError};

/// The longest file that is read as a list.
const FILE_MAX_BYTES: u64 = 8 << 20;

/// Lists favourites or changes the list.
///
/// # Errors
/// An unusable state folder, a file that is no list, a favourite that is none.
pub fn run(action: Option<&FavouritesAction>, everywhere: &Everywhere) -> Result<(), Failure> {
    let shelf = Shelf::new(&folders::state(everywhere)?).map_err(shelf_failure)?;
    match action {
        None => list(&shelf, everywhere.json),
        Some(FavouritesAction::Add { link, name, groups }) => add(&shelf, link, name, groups),
        Some(FavouritesAction::Remove { favourite }) => remove(&shelf, favourite),
        Some(FavouritesAction::Import { file }) => import(&shelf, file, everywhere.quiet),
        Some(FavouritesAction::Export { file }) => export(&shelf, file.as_deref()),
    }
}

/// What to do about a library that cannot be used.
pub fn shelf_failure(error: ShelfError) -> Failure {
    Failure::new(error.to_string(), "the list was left as it was")
}

fn all(shelf: &Shelf) -> Result<Vec<Favourite>, Failure> {
    let mut all: Vec<Favourite> = shelf.load().map_err(shelf_failure)?.favourites.into_values().collect();
    all.sort_by_key(|favourite| favourite.name.to_lowercase());
    Ok(all)
}

fn list(shelf: &Shelf, as_json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for favourite in all(shelf)? {
        let line = match as_json {
            true => json!({
                "link": favourite.link, "name": favourite.name, "groups": favourite.groups,
                "peers": favourite.peers, "added": favourite.added_unix_s,
            })
            .to_string(),
            false => format!("{}\t{}", favourite.name, favourite.link),
        };
        // A closed pipe has seen enough.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    Ok(())
}

fn add(shelf: &Shelf, link: &str, name: &str, groups: &[String]) -> Result<(), Failure> {
    let (link, known) = match link.parse::<Link>() {
        Ok(link) => (link.to_string(), link.name),
        Err(_) if ["http://", "https://"].iter().any(|head| link.starts_with(head)) => (link.to_owned(), None),
        Err(error) => {
            let hint = "give a link inonda:…, a channel ID, or a station's http:// address";
            return Err(Failure::new(format!("{link:?} cannot be marked: {error}"), hint).code(2));
        }
    };
    let name = match (name, known) {
        ("", Some(known)) => known,
        ("", None) => link.clone(),
        (name, _) => name.to_owned(),
    };
    let favourite = Favourite {
        link,
        name,
        groups: groups.to_vec(),
        added_unix_s: today(),
        ..Favourite::default()
    };
    shelf
        .write(&[Change::Favour(favourite.clipped())])
        .map_err(shelf_failure)
}

fn remove(shelf: &Shelf, text: &str) -> Result<(), Failure> {
    let wanted = place(text);
    let found: Vec<Favourite> = all(shelf)?
        .into_iter()
        .filter(|favourite| favourite.place() == wanted || favourite.name.eq_ignore_ascii_case(text))
        .collect();
    match found.as_slice() {
        [] => Err(Failure::new(
            format!("{text:?} is no favourite"),
            "`inonda favourites` lists them",
        )),
        [one] => {
            let place = one.place().to_owned();
            shelf.write(&[Change::Unfavour { place }]).map_err(shelf_failure)
        }
        several => Err(Failure::new(
            format!("{} favourites are called {text:?}", several.len()),
            "name one by its link",
        )),
    }
}

fn form_of(file: &Path) -> Result<Form, Failure> {
    file.extension()
        .and_then(|ending| Form::of_ending(&ending.to_string_lossy()))
        .ok_or_else(|| {
            let message = format!("{} has no ending that names a form", file.display());
            Failure::new(message, "use .toml, .m3u, .m3u8 or .opml").code(2)
        })
}

fn import(shelf: &Shelf, file: &Path, quiet: bool) -> Result<(), Failure> {
    let form = form_of(file)?;
    let unread = |why: &dyn std::fmt::Display| {
        let message = format!("{} was not imported: {why}", file.display());
        Failure::new(message, "give a TOML, M3U or OPML list of links and stations")
    };
    let about = fs::metadata(file).map_err(|error| unread(&error))?;
    if about.len() > FILE_MAX_BYTES {
        return Err(unread(&"it is larger than 8 MB"));
    }
    let text = fs::read_to_string(file).map_err(|error| unread(&error))?;
    let found = exchange::read(&text, form).map_err(|error| unread(&error))?;
    let count = found.len();
    let changes: Vec<Change> = found
        .into_iter()
        .map(|favourite| {
            let added_unix_s = if favourite.added_unix_s > 0 {
                favourite.added_unix_s
            } else {
                today()
            };
            Change::Favour(Favourite {
                added_unix_s,
                ..favourite
            })
        })
        .collect();
    shelf.write(&changes).map_err(shelf_failure)?;
    if !quiet {
        eprintln!("{count} favourites imported");
    }
    Ok(())
}

fn export(shelf: &Shelf, file: Option<&Path>) -> Result<(), Failure> {
    let form = file.map_or(Ok(Form::Toml), form_of)?;
    let text = exchange::write(&all(shelf)?, form)
        .map_err(|error| Failure::new(error.to_string(), "report this with the list"))?;
    let written = match file {
        Some(file) => fs::write(file, text),
        None => std::io::stdout().write_all(text.as_bytes()),
    };
    written.map_err(|error| {
        Failure::new(
            format!("the list was not written: {error}"),
            "choose another file or free some space",
        )
    })
}

/// Unix seconds, for the day of a mark.
pub fn today() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
