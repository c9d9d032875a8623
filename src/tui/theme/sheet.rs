//! A theme file as written: values by name, not yet resolved.

use std::collections::BTreeMap;

use ratatui::style::Modifier;
use toml::{Table, Value};

use super::{Colour, Glyphs, Role};

/// Colours and attributes of one role; what is `None` comes from the ground it is drawn on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    pub fg: Option<Colour>,
    pub bg: Option<Colour>,
    pub mods: Modifier,
}

/// Values of roles by role name.
pub type Paints = BTreeMap<&'static str, Paint>;

/// One theme file, read.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub name: String,
    pub inherits: Option<String>,
    /// Where the palette comes from and under which terms; shown by `inonda themes`.
    pub source: String,
    pub licence: String,
    pub roles: Paints,
    pub ansi16: Paints,
    pub mono: Paints,
    pub glyphs: Vec<(String, String)>,
    /// What could not be used, in words with the key; the rest of the file counts.
    pub warnings: Vec<String>,
}

/// A theme file that is no TOML at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("theme {name}, line {line}: {message}")]
pub struct SheetError {
    pub name: String,
    pub line: usize,
    pub message: String,
}

impl Sheet {
    /// Reads a theme file. Unknown keys and unusable values become warnings.
    ///
    /// # Errors
    /// When the text is not TOML; names the line.
    pub fn parse(name: &str, text: &str) -> Result<Sheet, SheetError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| SheetError {
            name: name.to_owned(),
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let mut sheet = Sheet {
            name: name.to_owned(),
            ..Sheet::default()
        };
        let mut reader = Reader {
            text,
            palette: BTreeMap::new(),
            warnings: Vec::new(),
        };
        if let Some(Value::Table(palette)) = table.get("palette") {
            reader.read_palette(palette);
        }
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("name" | "palette", _) => {}
                ("inherits", Value::String(parent)) => sheet.inherits = Some(parent.clone()),
                ("source", Value::String(source)) => sheet.source = source.clone(),
                ("licence", Value::String(licence)) => sheet.licence = licence.clone(),
                ("roles", Value::Table(roles)) => sheet.roles = reader.read_paints("roles", roles),
                ("ansi16", Value::Table(roles)) => sheet.ansi16 = reader.read_paints("ansi16", roles),
                ("mono", Value::Table(roles)) => sheet.mono = reader.read_paints("mono", roles),
                ("glyphs", Value::Table(signs)) => sheet.glyphs = reader.read_glyphs(signs),
                _ => reader.warn(key, "is not known here"),
            }
        }
        sheet.warnings = reader.warnings;
        Ok(sheet)
    }
}

/// The line, from one, of a byte offset.
pub fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

struct Reader<'a> {
    text: &'a str,
    palette: BTreeMap<String, Colour>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn warn(&mut self, key: &str, what: &str) {
        // The parsed table has lost its lines; the first line that starts with the key is nearly always the one.
        let line = self
            .text
            .lines()
            .position(|line| line.trim_start().trim_start_matches('[').starts_with(key));
        let place = line.map_or(String::new(), |line| format!("line {}: ", line + 1));
        self.warnings.push(format!("{place}{key} {what}"));
    }

    fn read_palette(&mut self, palette: &Table) {
        for (key, value) in palette {
            match value.as_str().and_then(Colour::parse) {
                Some(colour) => drop(self.palette.insert(key.clone(), colour)),
                None => self.warn(key, "is not a colour: write #rrggbb, an ANSI name or none"),
            }
        }
    }

    fn read_paints(&mut self, section: &str, table: &Table) -> Paints {
        let mut paints = Paints::new();
        for (key, value) in table {
            if let (Some(stops), Value::Array(values)) = (Role::stops(key), value) {
                self.read_stops(key, stops, values, &mut paints);
                continue;
            }
            let Some(role) = Role::from_name(key) else {
                self.warn(key, &format!("is not a role ([{section}])"));
                continue;
            };
            if let Some(paint) = self.paint(key, value, &paints) {
                paints.insert(role.name(), paint);
            }
        }
        self.settle_references(table, &mut paints);
        paints
    }

    /// Roles may name other roles, in any order: those that were not known in the first pass are looked up again.
    fn settle_references(&mut self, table: &Table, paints: &mut Paints) {
        for (key, value) in table {
            let (Some(role), Some(name)) = (Role::from_name(key), value.as_str()) else {
                continue;
            };
            let target = Role::from_name(name).filter(|_| !self.palette.contains_key(name));
            if let Some(paint) = target.and_then(|target| paints.get(target.name()).copied()) {
                paints.insert(role.name(), paint);
            }
        }
    }

    /// Spreads one to all stops over the roles they fill.
    fn read_stops(&mut self, key: &str, stops: &'static [Role], values: &[Value], paints: &mut Paints) {
        if values.is_empty() || values.len() > stops.len() {
            self.warn(key, &format!("wants 1 to {} colours", stops.len()));
            return;
        }
        for (i, role) in stops.iter().enumerate() {
            let at = if stops.len() == 1 {
                0
            } else {
                i * (values.len() - 1) / (stops.len() - 1)
            };
            if let Some(paint) = self.paint(key, &values[at], paints) {
                paints.insert(role.name(), paint);
            }
        }
    }

    fn paint(&mut self, key: &str, value: &Value, known: &Paints) -> Option<Paint> {
        match value {
            Value::String(text) => {
                if let Some(colour) = self.colour(text) {
                    return Some(Paint {
                        fg: Some(colour),
                        ..Paint::default()
                    });
                }
                if let Some(role) = Role::from_name(text) {
                    return known.get(role.name()).copied();
                }
                self.warn(
                    key,
                    &format!("= {text:?} is neither #rrggbb, a palette name, an ANSI name nor none"),
                );
                None
            }
            Value::Table(table) => Some(self.full_paint(key, table)),
            _ => {
                self.warn(key, "is not a colour");
                None
            }
        }
    }

    fn full_paint(&mut self, key: &str, table: &Table) -> Paint {
        let mut paint = Paint::default();
        for (part, value) in table {
            let colour = value.as_str().and_then(|text| self.colour(text));
            match (part.as_str(), value) {
                ("fg", _) if colour.is_some() => paint.fg = colour,
                ("bg", _) if colour.is_some() => paint.bg = colour,
                ("mods", Value::Array(names)) => {
                    for name in names {
                        match name.as_str().and_then(modifier) {
                            Some(modifier) => paint.mods |= modifier,
                            None => self.warn(key, &format!("has an unknown attribute {name}")),
                        }
                    }
                }
                _ => self.warn(key, &format!("has an unusable part {part}")),
            }
        }
        paint
    }

    fn colour(&self, text: &str) -> Option<Colour> {
        self.palette.get(text).copied().or_else(|| Colour::parse(text))
    }

    fn read_glyphs(&mut self, table: &Table) -> Vec<(String, String)> {
        let mut signs = Vec::new();
        let mut known = Glyphs::of(super::Pack::Unicode);
        for (key, value) in table {
            let sign = value.as_str().map(super::super::text::clean).unwrap_or_default();
            let wanted = known
                .all()
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, sign)| super::super::text::width(sign));
            match wanted {
                Some(cells) if super::super::text::width(&sign) == cells => {
                    known.set(key, &sign);
                    signs.push((key.clone(), sign));
                }
                Some(cells) => self.warn(key, &format!("must be {cells} cells wide")),
                None => self.warn(key, "is not a sign ([glyphs])"),
            }
        }
        signs
    }
}

fn modifier(name: &str) -> Option<Modifier> {
    Some(match name {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reversed" => Modifier::REVERSED,
        "crossed_out" => Modifier::CROSSED_OUT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_reads_names_stops_and_full_paints() {
        let text = "inherits = \"nord\"\n[palette]\nsky = \"#102030\"\n[roles]\nbg = \"sky\"\nmeter = [\"bg\", \"red\"]\n\
                    key = { fg = \"sky\", bg = \"none\", mods = [\"bold\"] }\n";
        let sheet = Sheet::parse("x", text).unwrap();
        assert_eq!(sheet.warnings, Vec::<String>::new());
        assert_eq!(sheet.inherits.as_deref(), Some("nord"));
        assert_eq!(sheet.roles["bg"].fg, Some(Colour::Rgb(16, 32, 48)));
        assert_eq!(sheet.roles["meter_high"].fg, Some(Colour::Ansi(1)));
        assert_eq!(sheet.roles["key"].mods, Modifier::BOLD);
    }

    #[test]
    fn what_is_unknown_warns_with_its_line_and_the_rest_counts() {
        let sheet = Sheet::parse("x", "wat = 1\n[roles]\nnope = \"red\"\nfg = \"#12\"\nbg = \"black\"\n").unwrap();
        assert_eq!(sheet.warnings.len(), 3, "{:?}", sheet.warnings);
        assert!(
            sheet.warnings.iter().any(|w| w.starts_with("line 3: nope")),
            "{:?}",
            sheet.warnings
        );
        assert_eq!(sheet.roles["bg"].fg, Some(Colour::Ansi(0)));
    }

    #[test]
    fn text_that_is_no_toml_names_the_line() {
        let error = Sheet::parse("mine", "[roles]\nbg = \n").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.to_string().contains("mine"));
    }
}
