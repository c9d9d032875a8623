//! `inonda keys`: the sheet of keys in force, and what is wrong with `keys.toml`.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::tui::action::{Argument, Scope, Screen, VOCABULARY};
use crate::tui::keys::{Bindings, Preset};

/// Prints every action with its keys and its command, as `keys.toml` in the folder `config` leaves them; troubles follow
/// with their lines. `preset` shows a preset in place of the file. With `json` every action is an object on its own line.
/// Returns whether there was any trouble.
///
/// # Errors
/// When there is no such preset, or the output cannot be written.
pub fn run(out: &mut dyn Write, config: Option<&Path>, preset: Option<&str>, json: bool) -> io::Result<bool> {
    let (bindings, told) = match preset {
        Some(name) => {
            let preset = Preset::from_name(name)
                .ok_or_else(|| io::Error::other(format!("there is no preset {name:?}: vim, arrows or emacs")))?;
            (Bindings::of(preset), Vec::new())
        }
        None => match config.and_then(|config| std::fs::read_to_string(config.join("keys.toml")).ok()) {
            Some(text) => Bindings::read(&text),
            None => (Bindings::default(), Vec::new()),
        },
    };
    if json {
        for entry in VOCABULARY {
            let keys: Vec<String> = keys_of(&bindings, entry.action);
            writeln!(
                out,
                "{}",
                json!({"action": entry.name, "keys": keys, "label": entry.label, "where": place(entry.scope)})
            )?;
        }
    } else {
        sheet(out, &bindings)?;
    }
    for told in &told {
        match json {
            true => writeln!(out, "{}", json!({"warning": told}))?,
            false => writeln!(out, "{told}")?,
        }
    }
    Ok(!told.is_empty())
}

fn sheet(out: &mut dyn Write, bindings: &Bindings) -> io::Result<()> {
    writeln!(out, "preset {}", bindings.preset.name())?;
    let mut scope = None;
    for entry in VOCABULARY {
        if scope != Some(entry.scope) {
            scope = Some(entry.scope);
            writeln!(out, "\n{}", place(entry.scope))?;
        }
        let command = match entry.argument {
            Argument::None => entry.name.to_owned(),
            Argument::Optional(example) | Argument::Needed(example) => format!("{} {example}", entry.name),
        };
        let keys = keys_of(bindings, entry.action).join("  ");
        writeln!(out, "  {keys:14} {:34} :{command}", entry.label)?;
    }
    // Keys that a person gave an argument of their own.
    for binding in bindings
        .all()
        .iter()
        .filter(|binding| !binding.call.argument.is_empty())
    {
        writeln!(
            out,
            "  {:14} {} {}",
            binding.label(),
            binding.call.action.entry().name,
            binding.call.argument
        )?;
    }
    writeln!(
        out,
        "\nkeys.toml: preset = \"vim\", and under [keys] lines such as \"F2\" = \"theme nord\", \"x x\" = \"studio.end\" or \"m\" = \"not mute\""
    )
}

fn keys_of(bindings: &Bindings, action: crate::tui::action::Action) -> Vec<String> {
    let plain = |b: &&crate::tui::keys::Binding| b.call.action == action && b.call.argument.is_empty();
    bindings
        .all()
        .iter()
        .filter(plain)
        .map(crate::tui::keys::Binding::label)
        .collect()
}

fn place(scope: Scope) -> &'static str {
    match scope {
        Scope::Playback => "sound, everywhere",
        Scope::Around => "getting around, everywhere",
        Scope::On(screen) => match screen {
            Screen::Channels => "Channels",
            Screen::NowPlaying => "Now Playing",
            Screen::Mesh => "Mesh",
            Screen::Studio => "Studio",
            Screen::Log => "Log",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_shows_what_keys_toml_changed_and_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("keys.toml"),
            "[keys]\n\"F9\" = \"mute\"\n\"F8\" = \"wat\"\n",
        )
        .unwrap();
        let mut out = Vec::new();
        assert!(run(&mut out, Some(folder.path()), None, false).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("F9  m") && text.contains("line 3"), "{text}");
        let mut out = Vec::new();
        assert!(!run(&mut out, None, Some("emacs"), true).unwrap());
        assert!(String::from_utf8(out).unwrap().contains("\"^n\""));
    }
}
