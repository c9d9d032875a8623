//! `inonda themes`: what there is to choose from, and what a theme is made of.

use std::io::{self, Write};
use std::path::Path;

use ratatui::style::Color;
use serde_json::json;

use crate::tui::theme::{Depth, Pack, Role, Shelf, Theme};

/// Lists the themes, or the roles of the one named.
///
/// `config` is the folder that holds `themes/`; `colours` draws samples with escape sequences, as this terminal can show
/// them. With `json` every theme, or every role, is an object on its own line.
///
/// # Errors
/// When there is no such theme, in words for the person; when the output cannot be written.
pub fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    name: Option<&str>,
    json: bool,
    colours: bool,
) -> io::Result<()> {
    let shelf = Shelf::open(config.map(|config| config.join("themes")).as_deref());
    match name {
        Some(name) => one(out, &shelf, name, json, colours),
        None => all(out, &shelf, json, colours),
    }
}

fn all(out: &mut dyn Write, shelf: &Shelf, json: bool, colours: bool) -> io::Result<()> {
    for name in shelf.names() {
        let (licence, source, trouble) = match shelf.sheet(&name) {
            Ok(sheet) => (sheet.licence, sheet.source, sheet.warnings),
            Err(error) => (String::new(), String::new(), vec![error]),
        };
        let yours = shelf.is_users(&name);
        if json {
            let line =
                json!({"theme": name, "licence": licence, "source": source, "yours": yours, "warnings": trouble});
            writeln!(out, "{line}")?;
            continue;
        }
        let theme = worn(shelf, &name, colours).0;
        let sample: String = Role::ALL[..Role::CORE]
            .iter()
            .map(|role| sample(&theme, *role, colours))
            .collect();
        let mine = if yours { "yours" } else { "" };
        writeln!(out, "{name:18} {sample} {licence:18} {source} {mine}")?;
        for trouble in trouble {
            writeln!(out, "{:18} {trouble}", "")?;
        }
    }
    if !json {
        writeln!(out)?;
        writeln!(
            out,
            "t inside inonda previews them, :theme NAME keeps one. A file NAME.toml in the folder themes of inonda's"
        )?;
        writeln!(
            out,
            "configuration adds one, or wins over the one of that name; inonda themes NAME lists the roles it may set."
        )?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, shelf: &Shelf, name: &str, json: bool, colours: bool) -> io::Result<()> {
    shelf.sheet(name).map_err(io::Error::other)?;
    let (theme, told) = worn(shelf, name, colours);
    for role in Role::ALL {
        let style = theme.style(*role);
        let written = [style.fg, style.bg].map(|colour| colour.map(|colour| colour.to_string()));
        if json {
            let mods = format!("{:?}", style.add_modifier);
            writeln!(
                out,
                "{}",
                json!({"role": role.name(), "fg": written[0], "bg": written[1], "mods": mods})
            )?;
            continue;
        }
        let [fg, bg] = written.map(Option::unwrap_or_default);
        let on = if bg.is_empty() {
            String::new()
        } else {
            format!(" on {bg}")
        };
        let floor = role.contrast_floor();
        let floor = if floor > 1.0 {
            format!("contrast {floor:.1} or more")
        } else {
            String::new()
        };
        writeln!(
            out,
            "{} {:20} {fg}{on}  {floor}",
            sample(&theme, *role, colours),
            role.name()
        )?;
    }
    for told in told.iter().filter(|_| !json) {
        writeln!(out, "{told}")?;
    }
    Ok(())
}

/// The theme in the colours that can be shown; in the file's own ones when nothing is drawn.
fn worn(shelf: &Shelf, name: &str, colours: bool) -> (Theme, Vec<String>) {
    let depth = if colours {
        Depth::from_env(|name| std::env::var(name).ok())
    } else {
        Depth::TrueColour
    };
    shelf.theme(name, depth, Pack::Unicode)
}

fn sample(theme: &Theme, role: Role, colours: bool) -> String {
    if !colours {
        return String::new();
    }
    let code = match theme.style(role).fg {
        Some(Color::Rgb(r, g, b)) => format!("48;2;{r};{g};{b}"),
        Some(Color::Indexed(index)) => format!("48;5;{index}"),
        Some(Color::Black) => "40".to_owned(),
        Some(Color::Red) => "41".to_owned(),
        Some(Color::Green) => "42".to_owned(),
        Some(Color::Yellow) => "43".to_owned(),
        Some(Color::Blue) => "44".to_owned(),
        Some(Color::Magenta) => "45".to_owned(),
        Some(Color::Cyan) => "46".to_owned(),
        Some(Color::Gray) => "47".to_owned(),
        Some(Color::DarkGray) => "100".to_owned(),
        _ => return "  ".to_owned(),
    };
    format!("\x1b[{code}m  \x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(name: Option<&str>, json: bool) -> io::Result<String> {
        let mut out = Vec::new();
        run(&mut out, None, name, json, false)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_list_names_every_theme_with_its_licence() {
        let text = printed(None, false).unwrap();
        assert!(
            text.contains("nord") && text.contains("Apache-2.0") && text.contains("https://github.com/nordtheme/nord")
        );
        let json = printed(None, true).unwrap();
        assert_eq!(json.lines().count(), crate::tui::theme::SHIPPED.len());
        assert!(
            json.lines()
                .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        );
    }

    #[test]
    fn one_theme_lists_its_roles_and_an_unknown_one_is_an_error() {
        assert!(printed(Some("nord"), false).unwrap().contains("meter_low"));
        assert!(printed(Some("nope"), false).unwrap_err().to_string().contains("nope"));
    }
}
