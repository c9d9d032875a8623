//! `keys.toml`: read with the lines of what cannot be used, and changed without harm to what its owner wrote.

use std::ops::Range;

use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value, value};

use super::{Binding, Bindings, Preset, parse_sequence};
use crate::tui::action::Action;
use crate::tui::theme::line_at;

/// An action gets one key in place of those it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub action: Action,
    /// The key as it is written, such as `g x`.
    pub new: String,
    pub old: Vec<String>,
}

impl Bindings {
    /// Reads `keys.toml`: `preset = "vim"` and a table `[keys]` of `"x x" = "studio.end"`, or of a list of such names.
    /// What cannot be used is told with its line, and the rest counts.
    pub fn read(text: &str) -> (Bindings, Vec<String>) {
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => return (Bindings::default(), vec![broken(text, error.span(), error.message())]),
        };
        let at = |span: Option<Range<usize>>| line_at(text, span.map_or(0, |span| span.start));
        let mut told = Vec::new();
        let mut bindings = Bindings::default();
        if let Some(item) = document.get("preset") {
            match item.as_str().and_then(Preset::from_name) {
                Some(preset) => bindings = Bindings::of(preset),
                None => told.push(format!(
                    "keys.toml, line {}: preset is vim, arrows or emacs; vim is used",
                    at(item.span())
                )),
            }
        }
        for (key, item) in document.as_table().iter() {
            match (key, item.as_table_like()) {
                ("preset", _) => {}
                ("keys", Some(keys)) => bindings.read_table(keys, &at, &mut told),
                _ => told.push(format!(
                    "keys.toml, line {}: {key} is not known here; bindings go under [keys]",
                    at(document.key(key).and_then(toml_edit::Key::span).or_else(|| item.span()))
                )),
            }
        }
        told.extend(bindings.conflicts());
        (bindings, told)
    }

    fn read_table(
        &mut self,
        keys: &dyn TableLike,
        at: &impl Fn(Option<Range<usize>>) -> usize,
        told: &mut Vec<String>,
    ) {
        for (key, item) in keys.iter() {
            let line = at(keys.key(key).and_then(toml_edit::Key::span).or_else(|| item.span()));
            let Some(names) = names(item) else {
                told.push(format!(
                    "keys.toml, line {line}: {key} needs the name of an action in quotes; `inonda keys` lists them"
                ));
                continue;
            };
            for name in names {
                if let Err(error) = self.bind(key, &name, Some(line)) {
                    told.push(format!("keys.toml, line {line}: {error}"));
                }
            }
        }
    }
}

/// The text of `keys.toml` after a change; comments and other lines stay as they are.
///
/// # Errors
/// When the text is no TOML, or has something else under the name `keys`: it is for its owner to mend.
pub fn with_change(text: &str, change: &Change) -> Result<String, String> {
    let mut document = parse(text)?;
    let preset = document
        .get("preset")
        .and_then(Item::as_str)
        .and_then(Preset::from_name);
    let usual = Bindings::of(preset.unwrap_or_default());
    let action = change.action.entry().name;
    let table = document
        .entry("keys")
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or("keys.toml: keys is no table; mend it, then change keys here")?;
    let is_usual = |key: &str| {
        let chords = parse_sequence(key);
        let same = |binding: &Binding| Some(&binding.keys) == chords.as_ref() && binding.call.action == change.action;
        usual.all().iter().any(same)
    };
    for old in &change.old {
        change_entry(table, old, |names| {
            names.retain(|name| name != action);
            if is_usual(old) {
                names.push(format!("not {action}"));
            }
        });
    }
    change_entry(table, &change.new, |names| {
        names.retain(|name| *name != format!("not {action}") && name != action);
        if !is_usual(&change.new) {
            names.push(action.to_owned());
        }
    });
    Ok(document.to_string())
}

/// The text of `keys.toml` with another preset.
///
/// # Errors
/// When the text is no TOML.
pub fn with_preset(text: &str, preset: Preset) -> Result<String, String> {
    let mut document = parse(text)?;
    match document.get_mut("preset").and_then(Item::as_value_mut) {
        Some(old) => {
            let around = old.decor().clone();
            *old = preset.name().into();
            *old.decor_mut() = around;
        }
        None => document["preset"] = value(preset.name()),
    }
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    let error = |error: toml_edit::TomlError| broken(text, error.span(), error.message());
    text.parse()
        .map_err(|told| format!("{}; it is left as it is", error(told)))
}

fn broken(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let line = line_at(text, span.map_or(0, |span| span.start));
    format!("keys.toml, line {line}: {message}")
}

/// Changes what stands behind a key, however the key is written there.
fn change_entry(table: &mut dyn TableLike, key: &str, change: impl FnOnce(&mut Vec<String>)) {
    let chords = parse_sequence(key);
    let written = table.iter().map(|(known, _)| known.to_owned());
    let written = written.into_iter().find(|known| parse_sequence(known) == chords);
    let key = written.unwrap_or_else(|| key.to_owned());
    let mut list = table.get(&key).and_then(names).unwrap_or_default();
    let before = list.clone();
    change(&mut list);
    if list == before {
        return;
    }
    let fresh: Value = match list.as_slice() {
        [] => {
            table.remove(&key);
            return;
        }
        [one] => one.as_str().into(),
        several => several.iter().collect::<Array>().into(),
    };
    match table.get_mut(&key).and_then(Item::as_value_mut) {
        Some(old) => {
            let around = old.decor().clone();
            *old = fresh;
            *old.decor_mut() = around;
        }
        None => drop(table.insert(&key, value(fresh))),
    }
}

/// The names behind a key: one in quotes, or a list of them.
fn names(item: &Item) -> Option<Vec<String>> {
    if let Some(name) = item.as_str() {
        return Some(vec![name.to_owned()]);
    }
    item.as_array()?
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Chord, Meaning};
    use super::*;
    use crate::tui::action::{Call, Screen};

    fn meaning(bindings: &Bindings, keys: &str, screen: Screen) -> Meaning {
        bindings.meaning(&parse_sequence(keys).unwrap(), screen)
    }

    fn change(action: Action, new: &str, old: &[&str]) -> Change {
        Change {
            action,
            new: new.to_owned(),
            old: old.iter().map(|old| (*old).to_owned()).collect(),
        }
    }

    #[test]
    fn keys_toml_rebinds_and_names_the_line_of_what_it_cannot_use() {
        let text = "preset = \"emacs\"\n[keys] # mine\n\"F2\" = \"theme nord\"\n\"nokey\" = \"mute\"\n\"F3\" = \"nothing-such\"\n\"m\" = \"pause\"\nF4 = 4\n";
        let (bindings, told) = Bindings::read(text);
        assert_eq!(bindings.preset, Preset::Emacs);
        let nord = Call {
            action: Action::Theme,
            argument: "nord".into(),
        };
        assert_eq!(meaning(&bindings, "F2", Screen::Mesh), Meaning::Call(nord));
        for (line, word) in [("line 4", "nokey"), ("line 5", "nothing-such"), ("line 7", "F4")] {
            assert!(told.iter().any(|t| t.contains(line) && t.contains(word)), "{told:?}");
        }
        assert_eq!(
            meaning(&bindings, "m", Screen::Log),
            Meaning::Call(Action::Pause.into())
        );
    }

    #[test]
    fn conflicts_in_keys_toml_carry_their_line() {
        let (_, told) = Bindings::read("[keys]\n\"m\" = \"log.follow\"\n");
        assert!(
            told.iter().any(|t| t.contains("line 2") && t.contains("mute")),
            "{told:?}"
        );
        let (bindings, told) = Bindings::read("[keys\n");
        assert!(told[0].contains("line 1"));
        assert!(!bindings.all().is_empty());
    }

    #[test]
    fn a_new_key_replaces_the_old_one_and_every_other_line_stays() {
        let text = "preset = \"vim\" # home row\n\n[keys] # comment\n\"F3\" = \"pause\" # big\n";
        let text = with_change(text, &change(Action::Mute, "F2", &["m"])).unwrap();
        for kept in [
            "preset = \"vim\" # home row\n",
            "[keys] # comment\n",
            "\"F3\" = \"pause\" # big\n",
        ] {
            assert!(text.contains(kept), "{kept:?} in {text}");
        }
        let (bindings, told) = Bindings::read(&text);
        assert_eq!(told, Vec::<String>::new(), "{text}");
        assert_eq!(bindings.labels(Action::Mute), "F2");
        assert_eq!(meaning(&bindings, "m", Screen::Channels), Meaning::Nothing);
        // And back: nothing of the change is left.
        let text = with_change(&text, &change(Action::Mute, "m", &["F2"])).unwrap();
        assert!(!text.contains("mute"), "{text}");
        assert_eq!(Bindings::read(&text).0.labels(Action::Mute), "m");
    }

    #[test]
    fn a_key_that_means_other_things_elsewhere_keeps_those() {
        let text = with_change("", &change(Action::Inspect, "g i", &["Enter"])).unwrap();
        let (bindings, told) = Bindings::read(&text);
        assert_eq!(told, Vec::<String>::new(), "{text}");
        assert_eq!(meaning(&bindings, "Enter", Screen::Mesh), Meaning::Nothing);
        assert_eq!(
            meaning(&bindings, "Enter", Screen::Channels),
            Meaning::Call(Action::Play.into())
        );
        assert_eq!(
            meaning(&bindings, "g i", Screen::Mesh),
            Meaning::Call(Action::Inspect.into())
        );
    }

    #[test]
    fn a_broken_file_is_never_changed() {
        let error = with_change("[keys\n", &change(Action::Mute, "F2", &["m"])).unwrap_err();
        assert!(error.contains("line 1") && error.contains("left as it is"), "{error}");
        assert!(with_change("keys = 3\n", &change(Action::Mute, "F2", &[])).is_err());
        assert!(with_preset("[keys\n", Preset::Emacs).is_err());
        let text = with_preset("preset = \"vim\" # mine\n", Preset::Emacs).unwrap();
        assert_eq!(text, "preset = \"emacs\" # mine\n");
        assert!(Chord::parse("F2").is_some());
    }
}
