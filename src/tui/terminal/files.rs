//! The interface's own files: settings, keys, themes, titles heard, recordings, exports.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::engine::command::{Programme, Show};
use crate::tui::heard::Heard;
use crate::tui::model::{Model, Settings, SpectrumStyle, VOLUME_MAX};
use crate::tui::theme::line_at;
use crate::tui::{Options, Studio};

/// A file of ours larger than this is something else.
const FILE_MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Where the interface keeps its things; without a folder nothing is kept.
pub struct Files {
    config: Option<PathBuf>,
    state: Option<PathBuf>,
    music: Option<PathBuf>,
    /// The settings' own file, when it is not `tui.toml` in the folder.
    settings: Option<PathBuf>,
    studio: Option<Studio>,
    /// The settings file cannot be read: it is left alone for its owner to mend.
    settings_broken: bool,
}

impl Files {
    /// Takes the folders of the options.
    pub fn new(options: &Options) -> Files {
        Files {
            config: options.config.clone(),
            state: options.state.clone(),
            music: options.music.clone(),
            settings: options.settings.clone(),
            studio: options.studio.clone(),
            settings_broken: false,
        }
    }

    /// The folder of the user's themes.
    pub fn themes(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|config| config.join("themes"))
    }

    /// The text of `keys.toml`.
    pub fn keys(&self) -> Option<String> {
        read(&self.config.as_ref()?.join("keys.toml"))
    }

    /// The settings, with defaults for what is missing or broken; what is broken is told.
    pub fn settings(&mut self, told: &mut Vec<String>) -> Settings {
        let Some(text) = self.settings_file().and_then(|file| read(&file)) else {
            return Settings::default();
        };
        match text.parse::<Table>() {
            Ok(table) => read_settings(&table, told),
            Err(error) => {
                self.settings_broken = true;
                let line = line_at(&text, error.span().map_or(0, |span| span.start));
                told.push(format!("tui.toml, line {line}: {}; defaults are used", error.message()));
                Settings::default()
            }
        }
    }

    /// Keeps the settings.
    ///
    /// # Errors
    /// In words for the person.
    pub fn keep_settings(&self, settings: &Settings) -> Result<(), String> {
        let Some(file) = self.settings_file() else {
            return Ok(());
        };
        if self.settings_broken {
            return Err("tui.toml has an error and is left as it is; mend it to keep settings".to_owned());
        }
        write(&file, &write_settings(settings))
    }

    fn settings_file(&self) -> Option<PathBuf> {
        let usual = || self.config.as_ref().map(|config| config.join("tui.toml"));
        self.settings.clone().or_else(usual)
    }

    /// A show of our own.
    ///
    /// # Errors
    /// In words for the person.
    pub fn studio(&self, name: &str, source: Programme) -> Result<Show, String> {
        match &self.studio {
            Some(studio) => studio.0(name, source),
            None => Err("this visit cannot go on air: `inonda` alone, or `inonda host`, can".to_owned()),
        }
    }

    /// Keeps one binding, in place of what the key meant in the file before.
    ///
    /// # Errors
    /// In words for the person.
    pub fn keep_key(&self, line: &str) -> Result<(), String> {
        let Some(config) = &self.config else { return Ok(()) };
        let path = config.join("keys.toml");
        let text = read(&path).unwrap_or_default();
        write(&path, &with_key(&text, line))
    }

    /// The titles heard before.
    pub fn titles(&self) -> Heard {
        let text = self.state.as_ref().and_then(|state| read(&state.join("titles.tsv")));
        Heard::read(&text.unwrap_or_default())
    }

    /// Keeps the titles when there are new ones; a failure is told in the log once and tried again later.
    pub fn keep_titles(&self, model: &mut Model) {
        let Some(state) = &self.state else { return };
        if !model.heard.unsaved {
            return;
        }
        match write(&state.join("titles.tsv"), &model.heard.write()) {
            Ok(()) => model.heard.unsaved = false,
            Err(error) => {
                let level = crate::engine::event::Level::Warn;
                model.journal.add(
                    model.wall.unix_s,
                    level,
                    "app",
                    &error,
                    "Titles heard are not kept until that works.",
                );
            }
        }
    }

    /// Writes something beside the state and says where.
    ///
    /// # Errors
    /// In words for the person.
    pub fn export(&self, name: &str, text: &str) -> Result<String, String> {
        let folder = self.state.clone().unwrap_or_else(std::env::temp_dir);
        let path = folder.join(format!("{name}-{}.txt", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S")));
        write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// A new file for a recording, named for the channel and the time.
    ///
    /// # Errors
    /// In words for the person.
    pub fn recording(&self, name: &str, flac: bool) -> Result<PathBuf, String> {
        let base = self
            .music
            .clone()
            .or_else(|| self.state.as_ref().map(|state| state.join("recordings")));
        let base = base.unwrap_or_else(|| PathBuf::from("."));
        let now = jiff::Zoned::now();
        let folder = base.join(now.strftime("%Y-%m-%d").to_string());
        fs::create_dir_all(&folder).map_err(|error| format!("cannot record to {}: {error}", folder.display()))?;
        let extension = if flac { "flac" } else { "ogg" };
        let stem = format!("{} {}", file_stem(name), now.strftime("%H%M%S"));
        Ok(folder.join(format!("{stem}.{extension}")))
    }
}

/// A name that every file system takes.
fn file_stem(name: &str) -> String {
    let kept: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || " -_.,".contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(60)
        .collect();
    let kept = kept.trim_matches(['.', ' ']).to_owned();
    if kept.is_empty() { "inonda".to_owned() } else { kept }
}

fn read(path: &Path) -> Option<String> {
    let data = fs::metadata(path).ok()?;
    if !data.is_file() || data.len() > FILE_MAX_BYTES {
        return None;
    }
    fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes beside the file and moves it into place, so that a full disk leaves the old one.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let attempt = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension("new");
        fs::write(&fresh, text)?;
        fs::rename(&fresh, path)
    };
    attempt().map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn read_settings(table: &Table, told: &mut Vec<String>) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("theme", Value::String(theme)) => settings.theme = theme.clone(),
            ("glyphs", Value::String(glyphs)) => settings.glyphs = glyphs.clone(),
            ("mouse", Value::Boolean(on)) => settings.mouse = *on,
            ("spectrum", Value::Boolean(on)) => settings.spectrum = *on,
            ("spectrum_style", Value::String(style)) if style == "bars" => {
                settings.spectrum_style = SpectrumStyle::Bars
            }
            ("spectrum_style", Value::String(style)) if style == "peaks" => {
                settings.spectrum_style = SpectrumStyle::Peaks
            }
            ("volumes", Value::Array(rows)) => settings.volumes = rows.iter().filter_map(read_volume).collect(),
            _ => told.push(format!("tui.toml: {key} cannot be used; its default is")),
        }
    }
    settings
}

fn read_volume(row: &Value) -> Option<(String, u8, bool)> {
    let volume = row.get("volume")?.as_integer()?.clamp(0, i64::from(VOLUME_MAX));
    Some((
        row.get("channel")?.as_str()?.to_owned(),
        volume as u8,
        row.get("muted")?.as_bool()?,
    ))
}

fn write_settings(settings: &Settings) -> String {
    let Settings {
        theme,
        glyphs,
        mouse,
        spectrum,
        spectrum_style,
        volumes,
    } = settings;
    let style = match spectrum_style {
        SpectrumStyle::Bars => "bars",
        SpectrumStyle::Peaks => "peaks",
    };
    let mut table = Table::new();
    table.insert("theme".into(), theme.clone().into());
    table.insert("glyphs".into(), glyphs.clone().into());
    table.insert("mouse".into(), (*mouse).into());
    table.insert("spectrum".into(), (*spectrum).into());
    table.insert("spectrum_style".into(), style.into());
    let row = |(channel, volume, muted): &(String, u8, bool)| {
        let mut row = Table::new();
        row.insert("channel".into(), channel.clone().into());
        row.insert("volume".into(), i64::from(*volume).into());
        row.insert("muted".into(), (*muted).into());
        Value::Table(row)
    };
    table.insert("volumes".into(), Value::Array(volumes.iter().map(row).collect()));
    table.to_string()
}

/// The text of `keys.toml` with one more line under `[keys]`, and no other line for the same key.
fn with_key(text: &str, line: &str) -> String {
    let key = |line: &str| {
        line.split_once('=')
            .map(|(key, _)| key.trim().trim_matches(['"', '\'']).to_owned())
    };
    let wanted = key(line);
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|old| key(old).is_none() || key(old) != wanted)
        .collect();
    match lines.iter().position(|line| line.trim() == "[keys]") {
        Some(at) => lines.insert(at + 1, line.trim_end()),
        None => lines.extend(["[keys]", line.trim_end()]),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_being_written_and_read() {
        let mut settings = Settings {
            theme: "nord".into(),
            mouse: false,
            ..Settings::default()
        };
        settings.volumes.push(("abc".into(), 40, true));
        let mut told = Vec::new();
        let again = read_settings(&write_settings(&settings).parse().unwrap(), &mut told);
        assert_eq!((again, told), (settings, Vec::<String>::new()));
    }

    #[test]
    fn a_kept_key_replaces_the_old_line_and_the_rest_stays() {
        let text = "preset = \"vim\"\n# mine\n[keys]\n\"F2\" = \"mute\"\n\"F3\" = \"pause\"\n";
        let after = with_key(text, "\"F2\" = \"theme\"\n");
        assert_eq!(
            after,
            "preset = \"vim\"\n# mine\n[keys]\n\"F2\" = \"theme\"\n\"F3\" = \"pause\"\n"
        );
        assert!(after.parse::<Table>().is_ok());
        assert_eq!(with_key("", "\"F2\" = \"theme\"\n"), "[keys]\n\"F2\" = \"theme\"\n");
    }

    #[test]
    fn a_recordings_name_cannot_leave_its_folder() {
        assert_eq!(file_stem("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_stem("深夜ラジオ"), "深夜ラジオ");
        assert_eq!(file_stem(""), "inonda");
    }

    #[test]
    fn a_broken_settings_file_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tui.toml"), "theme = \n").unwrap();
        let mut files = Files {
            config: Some(folder.path().into()),
            state: None,
            music: None,
            settings: None,
            studio: None,
            settings_broken: false,
        };
        let mut told = Vec::new();
        assert_eq!(files.settings(&mut told), Settings::default());
        assert!(told[0].contains("line 1"), "{told:?}");
        assert!(files.keep_settings(&Settings::default()).is_err());
    }
}
