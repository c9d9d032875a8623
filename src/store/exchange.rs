//! Favourites as files that other programs read and write: TOML (everything), M3U (players) and OPML (feed readers).

use std::fmt::Write;

use quick_xml::XmlVersion;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};

use crate::limits::FAVOURITES_MAX;
use crate::store::library::Favourite;

/// The three forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Toml,
    M3u,
    Opml,
}

/// A file of favourites that cannot be read; the message says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    #[error("it is no TOML list of favourites: {0}")]
    Toml(String),
    #[error("it is no OPML: {0}")]
    Opml(String),
    #[error("it names no channel or station")]
    Nothing,
}

impl Form {
    /// The form that a file's ending stands for.
    pub fn of_ending(ending: &str) -> Option<Form> {
        match ending.to_ascii_lowercase().as_str() {
            "toml" => Some(Form::Toml),
            "m3u" | "m3u8" => Some(Form::M3u),
            "opml" | "xml" => Some(Form::Opml),
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize, Default)]
struct Sheet {
    #[serde(default, rename = "favourite")]
    favourites: Vec<Favourite>,
}

/// Writes favourites in a form.
///
/// # Errors
/// When they cannot be put into that form.
pub fn write(favourites: &[Favourite], form: Form) -> Result<String, ExchangeError> {
    match form {
        Form::Toml => {
            let sheet = Sheet {
                favourites: favourites.to_vec(),
            };
            toml::to_string_pretty(&sheet).map_err(|error| ExchangeError::Toml(error.to_string()))
        }
        Form::M3u => Ok(m3u(favourites)),
        Form::Opml => Ok(opml(favourites)),
    }
}

/// Reads favourites; entries that are neither channels nor stations are left out.
///
/// # Errors
/// When the text is not of that form, or names nothing.
pub fn read(text: &str, form: Form) -> Result<Vec<Favourite>, ExchangeError> {
    let found = match form {
        Form::Toml => {
            toml::from_str::<Sheet>(text)
                .map_err(|error| ExchangeError::Toml(error.to_string()))?
                .favourites
        }
        Form::M3u => read_m3u(text),
        Form::Opml => read_opml(text)?,
    };
    let found: Vec<Favourite> = found
        .into_iter()
        .filter(|favourite| is_link(&favourite.link))
        .take(FAVOURITES_MAX)
        .map(Favourite::clipped)
        .collect();
    if found.is_empty() {
        return Err(ExchangeError::Nothing);
    }
    Ok(found)
}

fn is_link(text: &str) -> bool {
    ["inonda:", "http://", "https://"]
        .iter()
        .any(|head| text.starts_with(head))
        && text.len() <= 2_048
        && !text.chars().any(|c| c.is_control() || c == ' ')
}

fn m3u(favourites: &[Favourite]) -> String {
    let mut out = String::from("#EXTM3U\n");
    for favourite in favourites {
        let group = favourite.groups.join(";").replace('"', "'");
        let _ = match group.is_empty() {
            true => writeln!(out, "#EXTINF:-1,{}", favourite.name),
            false => writeln!(out, "#EXTINF:-1 group-title=\"{group}\",{}", favourite.name),
        };
        let _ = writeln!(out, "{}", favourite.link);
    }
    out
}

fn read_m3u(text: &str) -> Vec<Favourite> {
    let mut found = Vec::new();
    let mut next = Favourite::default();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if let Some(about) = line.strip_prefix("#EXTINF:") {
            let (attributes, name) = split_name(about);
            next.name = name.to_owned();
            next.groups = attributes
                .split_once("group-title=\"")
                .and_then(|(_, rest)| rest.split_once('"'))
                .map(|(groups, _)| groups_of(groups, ';'))
                .unwrap_or_default();
        } else if let Some(groups) = line.strip_prefix("#EXTGRP:") {
            next.groups = groups_of(groups, ';');
        } else if !line.is_empty() && !line.starts_with('#') {
            line.clone_into(&mut next.link);
            found.push(std::mem::take(&mut next));
        }
    }
    found
}

/// The attributes and the name of an `#EXTINF` line: the name begins after the first comma outside quotes.
fn split_name(about: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in about.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return (&about[..at], about[at + 1..].trim()),
            _ => {}
        }
    }
    (about, "")
}

fn groups_of(text: &str, separator: char) -> Vec<String> {
    text.split(separator)
        .map(str::trim)
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect()
}

fn opml(favourites: &[Favourite]) -> String {
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n");
    out.push_str("  <head><title>inonda favourites</title></head>\n  <body>\n");
    for favourite in favourites {
        let category = favourite.groups.join(",");
        let category = match category.is_empty() {
            true => String::new(),
            false => format!(" category=\"{}\"", escape(&category)),
        };
        let _ = writeln!(
            out,
            "    <outline type=\"audio\" text=\"{}\" URL=\"{}\"{category}/>",
            escape(&favourite.name),
            escape(&favourite.link)
        );
    }
    out.push_str("  </body>\n</opml>\n");
    out
}

/// Outlines with an address are favourites; an outline around them without one is their group.
fn read_opml(text: &str) -> Result<Vec<Favourite>, ExchangeError> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut found = Vec::new();
    let mut folders: Vec<Option<String>> = Vec::new();
    let mut is_opml = false;
    loop {
        let wrong = |error: &dyn std::fmt::Display| ExchangeError::Opml(error.to_string());
        match reader.read_event().map_err(|error| wrong(&error))? {
            Event::Start(tag) if tag.name().as_ref() == "opml" => is_opml = true,
            Event::Start(tag) if tag.name().as_ref() == "outline" => {
                let favourite = outline(&tag, &folders)?;
                let is_folder = favourite.link.is_empty();
                folders.push((is_folder && !favourite.name.is_empty()).then(|| favourite.name.clone()));
                found.extend((!is_folder).then_some(favourite));
            }
            Event::Empty(tag) if tag.name().as_ref() == "outline" => found.push(outline(&tag, &folders)?),
            Event::End(tag) if tag.name().as_ref() == "outline" => {
                folders.pop();
            }
            Event::Eof if is_opml => return Ok(found),
            Event::Eof => return Err(wrong(&"there is no <opml> in it")),
            _ => {}
        }
        if found.len() > FAVOURITES_MAX || folders.len() > 64 {
            return Ok(found);
        }
    }
}

fn outline(tag: &quick_xml::events::BytesStart<'_>, folders: &[Option<String>]) -> Result<Favourite, ExchangeError> {
    let mut favourite = Favourite {
        groups: folders.iter().flatten().cloned().collect(),
        ..Favourite::default()
    };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| ExchangeError::Opml(error.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| ExchangeError::Opml(error.to_string()))?
            .into_owned();
        match attribute.key.as_ref() {
            "text" => favourite.name = value,
            "title" if favourite.name.is_empty() => favourite.name = value,
            "URL" | "url" => favourite.link = value,
            "xmlUrl" if favourite.link.is_empty() => favourite.link = value,
            "category" => favourite.groups = groups_of(&value, ','),
            _ => {}
        }
    }
    Ok(favourite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some() -> Vec<Favourite> {
        vec![
            Favourite {
                link: "inonda:abc?via=127.0.0.1:1&name=Night%20%26%20Day".into(),
                name: "Night, \"Day\" & <more>".into(),
                peers: vec!["127.0.0.1:1".parse().unwrap()],
                groups: vec!["Jazz".into(), "Late".into()],
                volume: Some(70),
                added_unix_s: 5,
                ..Favourite::default()
            },
            Favourite {
                link: "https://radio.example/live.mp3?a=1&b=2".into(),
                name: "深夜".into(),
                ..Favourite::default()
            },
        ]
    }

    #[test]
    fn toml_keeps_everything() {
        let text = write(&some(), Form::Toml).unwrap();
        assert_eq!(read(&text, Form::Toml).unwrap(), some());
    }

    #[test]
    fn players_and_readers_get_links_names_and_groups() {
        for form in [Form::M3u, Form::Opml] {
            let read = read(&write(&some(), form).unwrap(), form).unwrap();
            for (read, wrote) in read.iter().zip(some()) {
                assert_eq!(
                    (&read.link, &read.name, &read.groups),
                    (&wrote.link, &wrote.name, &wrote.groups)
                );
            }
        }
    }

    #[test]
    fn folders_of_an_outline_are_groups() {
        let text = r#"<opml version="1.1"><body><outline text="Talk"><outline text="A" URL="http://a"/></outline>
            <outline text="B" xmlUrl="http://b"/></body></opml>"#;
        let found = read(text, Form::Opml).unwrap();
        assert_eq!(found[0].groups, ["Talk"]);
        assert!(found[1].groups.is_empty());
    }

    #[test]
    fn what_is_no_list_says_so() {
        assert!(matches!(read("nonsense", Form::Toml), Err(ExchangeError::Toml(_))));
        assert!(matches!(read("<a", Form::Opml), Err(ExchangeError::Opml(_))));
        assert_eq!(read("C:\\music\\a.mp3\n", Form::M3u), Err(ExchangeError::Nothing));
    }

    proptest! {
        #[test]
        fn no_file_makes_a_reader_panic(text in "\\PC{0,200}", lines in prop::collection::vec("[#<>=\"a-z:/,;&]{0,30}", 0..8)) {
            for form in [Form::Toml, Form::M3u, Form::Opml] {
                let _ = read(&text, form);
                let _ = read(&lines.join("\n"), form);
                let _ = read(&format!("<opml>{}</opml>", lines.join("<outline ")), form);
            }
        }
    }
}
