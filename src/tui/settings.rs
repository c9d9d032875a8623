//! What a person may keep between visits, and `tui.toml`, which keeps it: comments and unknown keys stay as they are.

use std::ops::Range;
use std::time::Duration;

use toml_edit::{ArrayOfTables, Document, DocumentMut, Item, Table, Value, value};

use super::model::VOLUME_MAX;
use super::theme::line_at;

/// Channels whose volume is remembered.
pub const VOLUMES_MAX: usize = 200;
/// The longest delay that can be asked for.
pub const DELAY_MAX: Duration = Duration::from_secs(60);

/// What a person may keep between visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub theme: String,
    pub glyphs: String,
    pub mouse: bool,
    pub spectrum: bool,
    pub spectrum_style: SpectrumStyle,
    /// Whether a recording is a file a title.
    pub record_split: bool,
    /// A notice on the desktop when a favourite goes on air.
    pub notifications: bool,
    /// A device's name; without one, what the command line says.
    pub output: Option<String>,
    /// Wanted delay from the host's sound to this ear; without one, what the command line says.
    pub delay: Option<Duration>,
    /// Most bits a second to pass on; without one, the engine's own measure.
    pub upload_bps: Option<u64>,
    /// Volume and mute by channel, most recent last.
    pub volumes: Vec<(String, u8, bool)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            theme: super::theme::DEFAULT.to_owned(),
            glyphs: "auto".to_owned(),
            mouse: true,
            spectrum: true,
            spectrum_style: SpectrumStyle::Bars,
            record_split: true,
            notifications: false,
            output: None,
            delay: None,
            upload_bps: None,
            volumes: Vec::new(),
        }
    }
}

/// How the spectrum is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpectrumStyle {
    #[default]
    Bars,
    /// Only the top of each band.
    Peaks,
}

impl SpectrumStyle {
    /// The word in `tui.toml`.
    pub const fn word(self) -> &'static str {
        match self {
            SpectrumStyle::Bars => "bars",
            SpectrumStyle::Peaks => "peaks",
        }
    }
}

impl Settings {
    /// The word for how a recording is kept.
    pub const fn record_word(&self) -> &'static str {
        if self.record_split { "split" } else { "whole" }
    }

    /// Reads `tui.toml`; what cannot be used is told with its line, and its default counts.
    ///
    /// # Errors
    /// When it is no TOML at all: the line, in words.
    pub fn read(text: &str, told: &mut Vec<String>) -> Result<Settings, String> {
        let document = Document::parse(text).map_err(|error| broken(text, error.span(), error.message()))?;
        let mut settings = Settings::default();
        for (key, item) in document.as_table().iter() {
            if let Err(remedy) = settings.take(key, item) {
                let span = document.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
                let line = line_at(text, span.map_or(0, |span| span.start));
                told.push(format!("tui.toml, line {line}: {key} {remedy}"));
            }
        }
        Ok(settings)
    }

    fn take(&mut self, key: &str, item: &Item) -> Result<(), &'static str> {
        let on = || item.as_bool().ok_or("is true or false; its default is used");
        let text = || item.as_str().ok_or("is a text in quotes; its default is used");
        match key {
            "theme" => self.theme = text()?.to_owned(),
            "glyphs" => match text()? {
                known @ ("auto" | "unicode" | "narrow" | "ascii") => self.glyphs = known.to_owned(),
                _ => return Err("is auto, unicode, narrow or ascii; auto is used"),
            },
            "mouse" => self.mouse = on()?,
            "spectrum" => self.spectrum = on()?,
            "spectrum_style" => match text()? {
                "bars" => self.spectrum_style = SpectrumStyle::Bars,
                "peaks" => self.spectrum_style = SpectrumStyle::Peaks,
                _ => return Err("is bars or peaks; bars is used"),
            },
            "record" => match text()? {
                "split" => self.record_split = true,
                "whole" => self.record_split = false,
                _ => return Err("is split or whole; split is used"),
            },
            "notifications" => self.notifications = on()?,
            "output" => self.output = Some(text()?.to_owned()),
            "delay_ms" => {
                let most = DELAY_MAX.as_millis() as i64;
                let delay = item.as_integer().filter(|delay| (0..=most).contains(delay));
                let delay = delay.ok_or("is a number of milliseconds up to 60000; it is left out")?;
                self.delay = Some(Duration::from_millis(delay.unsigned_abs()));
            }
            "upload_bps" => {
                let upload = item.as_integer().and_then(|upload| u64::try_from(upload).ok());
                self.upload_bps = Some(upload.ok_or("is a number of bits a second; it is left out")?);
            }
            "volumes" => {
                let rows = item
                    .as_array_of_tables()
                    .ok_or("is a list of [[volumes]]; it is left out")?;
                self.volumes = rows.iter().filter_map(read_volume).collect();
                self.volumes.truncate(VOLUMES_MAX);
            }
            _ => return Err("is no setting; inonda passes over it"),
        }
        Ok(())
    }

    /// The text of `tui.toml` with these values; lines that say the same already, comments and unknown keys stay.
    ///
    /// # Errors
    /// When the text is no TOML: it is for its owner to mend.
    pub fn write(&self, text: &str) -> Result<String, String> {
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| broken(text, error.span(), error.message()))?;
        let before = Settings::read(text, &mut Vec::new())?;
        let Settings {
            theme,
            glyphs,
            mouse,
            spectrum,
            spectrum_style,
            record_split: _,
            notifications,
            output,
            delay,
            upload_bps,
            volumes,
        } = self;
        set(&mut document, "theme", Some(theme.as_str().into()));
        set(&mut document, "glyphs", Some(glyphs.as_str().into()));
        set(&mut document, "mouse", Some((*mouse).into()));
        set(&mut document, "spectrum", Some((*spectrum).into()));
        set(&mut document, "spectrum_style", Some(spectrum_style.word().into()));
        set(&mut document, "record", Some(self.record_word().into()));
        set(&mut document, "notifications", Some((*notifications).into()));
        set(&mut document, "output", output.as_deref().map(Value::from));
        let delay_ms = delay.map(|delay| Value::from(delay.as_millis() as i64));
        set(&mut document, "delay_ms", delay_ms);
        let upload = upload_bps.map(|upload| Value::from(i64::try_from(upload).unwrap_or(i64::MAX)));
        set(&mut document, "upload_bps", upload);
        if before.volumes != *volumes {
            let mut rows = ArrayOfTables::new();
            volumes.iter().for_each(|volume| rows.push(volume_row(volume)));
            document["volumes"] = Item::ArrayOfTables(rows);
        }
        Ok(document.to_string())
    }
}

/// Changes a value and leaves what stands around it; an equal one is not touched.
fn set(document: &mut DocumentMut, key: &str, to: Option<Value>) {
    let Some(to) = to else {
        document.remove(key);
        return;
    };
    match document.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if same(old, &to) => {}
        Some(old) => {
            let around = old.decor().clone();
            *old = to;
            *old.decor_mut() = around;
        }
        None => document[key] = value(to),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    (a.as_str().is_some() && a.as_str() == b.as_str())
        || (a.as_bool().is_some() && a.as_bool() == b.as_bool())
        || (a.as_integer().is_some() && a.as_integer() == b.as_integer())
}

fn read_volume(row: &Table) -> Option<(String, u8, bool)> {
    let volume = row.get("volume")?.as_integer()?.clamp(0, i64::from(VOLUME_MAX));
    let channel = row.get("channel")?.as_str()?.to_owned();
    Some((channel, volume as u8, row.get("muted")?.as_bool()?))
}

fn volume_row((channel, volume, muted): &(String, u8, bool)) -> Table {
    let mut row = Table::new();
    row["channel"] = value(channel.as_str());
    row["volume"] = value(i64::from(*volume));
    row["muted"] = value(*muted);
    row
}

/// Where a file is no TOML.
fn broken(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let line = line_at(text, span.map_or(0, |span| span.start));
    format!("tui.toml, line {line}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Settings, Vec<String>) {
        let mut told = Vec::new();
        (Settings::read(text, &mut told).unwrap(), told)
    }

    #[test]
    fn settings_survive_being_written_and_read() {
        let settings = Settings {
            theme: "nord".into(),
            mouse: false,
            record_split: false,
            notifications: true,
            output: Some("USB Audio".into()),
            delay: Some(Duration::from_millis(3_500)),
            upload_bps: Some(2_000_000),
            volumes: vec![("abc".into(), 40, true), ("def".into(), 100, false)],
            ..Settings::default()
        };
        let text = settings.write("").unwrap();
        assert_eq!(read(&text), (settings.clone(), Vec::new()));
        assert_eq!(settings.write(&text).unwrap(), text, "written again it is the same");
        let fewer = Settings::default().write(&text).unwrap();
        assert_eq!(read(&fewer).0, Settings::default());
    }

    #[test]
    fn comments_and_unknown_keys_outlive_a_change() {
        let text = "# mine\ntheme = \"nord\" # cold\nfrom_the_future = 1\n\n[[volumes]] # loud\nchannel = \"abc\"\nvolume = 40\nmuted = false\n";
        let (mut settings, told) = read(text);
        assert_eq!(told.len(), 1);
        settings.theme = "dracula".into();
        let after = settings.write(text).unwrap();
        for kept in [
            "# mine\n",
            "theme = \"dracula\" # cold\n",
            "from_the_future = 1\n",
            "[[volumes]] # loud\n",
        ] {
            assert!(after.contains(kept), "{kept:?} in {after}");
        }
        assert_eq!(read(&after).0, settings);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line_and_the_rest_counts() {
        let (settings, told) =
            read("mouse = \"no\"\ntheme = \"nord\"\n\nrecord = \"tape\"\nvolume = 3\ndelay_ms = -1\n");
        assert_eq!(settings.theme, "nord");
        let lines: Vec<&str> = told.iter().map(|told| told.split(':').next().unwrap()).collect();
        assert_eq!(
            lines,
            [
                "tui.toml, line 1",
                "tui.toml, line 4",
                "tui.toml, line 5",
                "tui.toml, line 6"
            ]
        );
        let error = Settings::read("theme = \"nord\"\nmouse =\n", &mut Vec::new()).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }
}
