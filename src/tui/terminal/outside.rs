//! What the surroundings do for either way of showing: commands to the engine, files, and what is said of them.

use std::time::{Duration, Instant};

use super::desktop::Desktop;
use super::files::Files;
use crate::engine::{Command, Handle};
use crate::tui::Options;
use crate::tui::model::Model;
use crate::tui::update::Effect;

/// Changed settings are written this long after the first change: a held key would write a file thirty times a second.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// The engine, the files, and settings that wait to be kept.
pub struct Outside<'a> {
    pub handle: &'a mut Handle,
    pub files: &'a mut Files,
    pub desktop: Desktop,
    save_at: Option<Instant>,
}

impl<'a> Outside<'a> {
    /// Nothing waits yet.
    pub fn new(handle: &'a mut Handle, files: &'a mut Files) -> Outside<'a> {
        Outside {
            handle,
            files,
            desktop: Desktop::connect(),
            save_at: None,
        }
    }

    /// What was kept counts from the start, where the command line said nothing.
    pub fn begin(&self, model: &mut Model, options: &Options) {
        if let Some(bps) = model.settings.upload_bps.filter(|_| !options.given.upload)
            && let Err(stopped) = self.send(Command::SetUpload(bps))
        {
            model.warn(stopped);
        }
    }

    /// Does what has nothing to do with a terminal and gives back what has.
    pub fn perform(&mut self, model: &mut Model, effect: Effect) -> Option<Effect> {
        let told = match effect {
            Effect::Send(command) => self.send(command).map(|()| None),
            Effect::Export { name, text } => self
                .files
                .export(&name, &text)
                .map(|path| Some(format!("written to {path}"))),
            Effect::Record { name, split, place } => {
                let recording = self.files.recording(&name, split, &place, &model.settings);
                let told = format!("recording to {}", recording.place.display());
                self.send(Command::Record(Some(recording))).map(|()| Some(told))
            }
            Effect::GoOnAir { name, source } => {
                let show = self.files.studio(&name, source);
                show.and_then(|show| self.send(Command::Host(Box::new(show))))
                    .map(|()| None)
            }
            Effect::SaveSettings => {
                self.save_at.get_or_insert_with(|| Instant::now() + SAVE_AFTER);
                Ok(None)
            }
            Effect::SaveKeys(change) => self.files.keep_key(&change).map(|()| None),
            Effect::SavePreset(preset) => self.files.keep_preset(preset).map(|bindings| {
                model.bindings = bindings;
                None
            }),
            Effect::Notify { title, text } => {
                self.desktop.notify(title, text);
                Ok(None)
            }
            other @ (Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Redraw | Effect::Quit) => {
                return Some(other);
            }
        };
        match told {
            Ok(Some(text)) => model.tell(text),
            Ok(None) => {}
            Err(error) => model.warn(error),
        }
        None
    }

    /// When settings are to be kept.
    pub fn save_at(&self) -> Option<Instant> {
        self.save_at
    }

    /// Keeps the settings when their time has come, or at once.
    pub fn save(&mut self, model: &mut Model, at_once: bool) {
        let due = self.save_at.is_some_and(|at| at_once || at <= Instant::now());
        if !due {
            return;
        }
        self.save_at = None;
        if let Err(error) = self.files.keep_settings(&model.settings) {
            model.warn(error);
        }
    }

    fn send(&self, command: Command) -> Result<(), String> {
        self.handle.send(command).map_err(|stopped| stopped.to_string())
    }
}
