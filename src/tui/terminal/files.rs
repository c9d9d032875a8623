//! The interface's own files: settings, keys, themes, titles heard, recordings, exports.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::command::{Programme, Recording, Show};
use crate::tui::heard::Heard;
use crate::tui::keys::{Bindings, Change, Preset, with_change, with_preset};
use crate::tui::model::{Model, Settings};
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
        Settings::read(&text, told).unwrap_or_else(|error| {
            self.settings_broken = true;
            told.push(format!("{error}; defaults are used"));
            Settings::default()
        })
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
        let text = read(&file).unwrap_or_default();
        let fresh = settings.write(&text)?;
        if fresh == text { Ok(()) } else { write(&file, &fresh) }
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

    /// Keeps one binding, in place of what the action had before.
    ///
    /// # Errors
    /// In words for the person; a file that cannot be read is left as it is.
    pub fn keep_key(&self, change: &Change) -> Result<(), String> {
        self.change_keys(|text| with_change(text, change)).map(drop)
    }

    /// Keeps a preset, and gives the bindings that it and the rest of the file make.
    ///
    /// # Errors
    /// As [`Files::keep_key`].
    pub fn keep_preset(&self, preset: Preset) -> Result<Bindings, String> {
        let text = self.change_keys(|text| with_preset(text, preset))?;
        Ok(text.map_or_else(|| Bindings::of(preset), |text| Bindings::read(&text).0))
    }

    fn change_keys(&self, change: impl FnOnce(&str) -> Result<String, String>) -> Result<Option<String>, String> {
        let Some(config) = &self.config else { return Ok(None) };
        let path = config.join("keys.toml");
        let text = change(&read(&path).unwrap_or_default())?;
        write(&path, &text)?;
        Ok(Some(text))
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

    /// Where a recording goes: to the place a person named, or into a folder named for the station and the day.
    pub fn recording(&self, name: &str, split: Option<bool>, place: &str, settings: &Settings) -> Recording {
        let recordings = || self.state.as_ref().map(|state| state.join("recordings"));
        let base = self.music.clone().or_else(recordings).unwrap_or_default();
        let now = jiff::Zoned::now();
        let date = now.strftime("%Y-%m-%d").to_string();
        let stem = Recording::stem(name);
        // A name for a whole show that another one of the same day does not have.
        let timed = format!("{stem} {}", now.strftime("%H%M%S"));
        let usual = settings.record_split;
        if place.is_empty() {
            let folder = base.join(format!("{stem} {date}"));
            let split = split.unwrap_or(usual);
            let place = if split { folder } else { folder.join(timed) };
            return Recording { place, split, date };
        }
        let path = with_home(place);
        let folder = place.ends_with('/') || path.is_dir();
        let split = split.unwrap_or(folder && usual);
        let place = if folder && !split { path.join(timed) } else { path };
        Recording { place, split, date }
    }
}

/// `~/x` in the person's home.
fn with_home(place: &str) -> PathBuf {
    let home = std::env::home_dir();
    match (place.strip_prefix("~/"), place, home) {
        (Some(rest), _, Some(home)) => home.join(rest),
        (None, "~", Some(home)) => home,
        _ => PathBuf::from(place),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        Files {
            config: Some(folder.into()),
            state: Some(folder.join("state")),
            music: Some(folder.join("music")),
            settings: None,
            studio: None,
            settings_broken: false,
        }
    }

    #[test]
    fn a_recording_lies_in_a_folder_of_its_station_and_day_or_where_a_person_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let settings = Settings::default();
        let place = |split, place: &str| files.recording("Night/Ferry", split, place, &settings);
        let usual = place(None, "");
        assert!(usual.split && usual.place.starts_with(folder.path().join("music")));
        assert_eq!(
            usual.place.file_name().unwrap().to_str().unwrap(),
            format!("Night_Ferry {}", usual.date)
        );
        let whole = place(Some(false), "");
        assert_eq!(whole.place.parent(), Some(usual.place.as_path()));
        let home = std::env::home_dir().unwrap();
        assert_eq!(place(None, "~/show.opus").place, home.join("show.opus"));
        assert!(!place(None, "~/show.opus").split);
        assert_eq!(place(Some(true), "~/shows").place, home.join("shows"));
        let named = folder.path().to_str().unwrap();
        assert!(place(None, named).split && place(None, named).place == folder.path());
    }

    #[test]
    fn keys_are_changed_in_their_file_and_a_broken_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let change = Change {
            action: crate::tui::action::Action::Mute,
            new: "F2".into(),
            old: vec!["m".into()],
        };
        files(folder.path()).keep_key(&change).unwrap();
        assert_eq!(
            Bindings::read(&fs::read_to_string(&path).unwrap()).1,
            Vec::<String>::new()
        );
        let bindings = files(folder.path()).keep_preset(Preset::Emacs).unwrap();
        assert_eq!(
            (bindings.preset, bindings.labels(change.action)),
            (Preset::Emacs, "F2".into())
        );
        fs::write(&path, "[keys\n").unwrap();
        assert!(files(folder.path()).keep_key(&change).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "[keys\n");
    }

    #[test]
    fn a_broken_settings_file_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tui.toml"), "theme = \n").unwrap();
        let mut files = files(folder.path());
        let mut told = Vec::new();
        assert_eq!(files.settings(&mut told), Settings::default());
        assert!(told[0].contains("line 1"), "{told:?}");
        assert!(files.keep_settings(&Settings::default()).is_err());
    }
}
