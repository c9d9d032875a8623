//! Where themes are found: compiled in, or in the user's folder, where a file of the same name wins.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Depth, Pack, Sheet, Theme};

/// The theme of somebody who chose none.
pub const DEFAULT: &str = "inonda-dark";
/// A theme file larger than this is no theme.
const FILE_MAX_BYTES: u64 = 256 * 1024;
/// Themes that may inherit from each other in a row.
const INHERIT_MAX: usize = 6;
/// User themes read from the folder.
const USER_THEMES_MAX: usize = 200;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Names and texts of the themes that come with inonda.
        pub const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../themes/", $name, ".toml")))),+];
    };
}

shipped! {
    "inonda-dark", "inonda-light", "catppuccin-mocha", "catppuccin-latte", "gruvbox-dark", "nord", "dracula",
    "tokyo-night", "solarized-dark", "solarized-light", "rose-pine", "everforest-dark", "kanagawa-wave", "okabe-ito",
    "terminal", "mono",
}

/// The themes a person can choose from.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    folder: Option<PathBuf>,
    /// Names and texts found in the folder at the last look.
    user: Vec<(String, String)>,
    /// The files as they were then: a look that finds the same ones reads none of them.
    stamps: Vec<Stamp>,
}

/// A file, when it was changed, and its length.
type Stamp = (PathBuf, Option<SystemTime>, u64);

impl Shelf {
    /// The shipped themes and those in `folder`.
    pub fn open(folder: Option<&Path>) -> Shelf {
        let mut shelf = Shelf {
            folder: folder.map(Path::to_owned),
            user: Vec::new(),
            stamps: Vec::new(),
        };
        shelf.look_again();
        shelf
    }

    /// Reads the folder again; true when something changed.
    pub fn look_again(&mut self) -> bool {
        let stamps = self.folder.as_deref().map(stamps).unwrap_or_default();
        if stamps == self.stamps {
            return false;
        }
        let found = read_all(&stamps);
        self.stamps = stamps;
        let changed = found != self.user;
        self.user = found;
        changed
    }

    /// Every name, the user's own first.
    pub fn names(&self) -> Vec<String> {
        let shipped = SHIPPED.iter().map(|(name, _)| (*name).to_owned());
        let mut names: Vec<String> = self.user.iter().map(|(name, _)| name.clone()).collect();
        names.extend(shipped.filter(|name| !self.user.iter().any(|(user, _)| user == name)));
        names
    }

    /// True when the theme is the user's own file.
    pub fn is_users(&self, name: &str) -> bool {
        self.user.iter().any(|(user, _)| user == name)
    }

    /// True when there is a folder that the user may put themes into.
    pub fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The sheet of that name.
    ///
    /// # Errors
    /// In words for the log: no such theme, or no TOML.
    pub fn sheet(&self, name: &str) -> Result<Sheet, String> {
        let text = self
            .user
            .iter()
            .find(|(user, _)| user == name)
            .map(|(_, text)| text.as_str());
        let text = text.or_else(|| {
            SHIPPED
                .iter()
                .find(|(shipped, _)| *shipped == name)
                .map(|(_, text)| *text)
        });
        let text = text.ok_or_else(|| format!("there is no theme {name:?}; `inonda themes` lists them"))?;
        Sheet::parse(name, text).map_err(|error| error.to_string())
    }

    /// The theme of that name, or the default one when it cannot be read, with what should be told to the user.
    pub fn theme(&self, name: &str, depth: Depth, pack: Pack) -> (Theme, Vec<String>) {
        let mut told = Vec::new();
        let chain = self.chain(name, &mut told).unwrap_or_else(|| {
            let (_, text) = SHIPPED[0];
            vec![Sheet::parse(DEFAULT, text).unwrap_or_default()]
        });
        let terminal = shipped_sheet("terminal");
        (Theme::build(&chain, &terminal, depth, pack), told)
    }

    fn chain(&self, name: &str, told: &mut Vec<String>) -> Option<Vec<Sheet>> {
        let mut chain: Vec<Sheet> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next.take() {
            if chain.len() == INHERIT_MAX || chain.iter().any(|sheet| sheet.name == name) {
                told.push(format!("theme {name}: inherits in a circle; the rest is left out"));
                break;
            }
            match self.sheet(&name) {
                Ok(sheet) => {
                    told.extend(sheet.warnings.iter().map(|warning| format!("theme {name}, {warning}")));
                    next = sheet.inherits.clone();
                    chain.push(sheet);
                }
                Err(error) => {
                    told.push(format!("{error}; {DEFAULT} is used"));
                    break;
                }
            }
        }
        // A theme that names only some roles stands on the default one.
        let complete = chain
            .iter()
            .any(|sheet| sheet.roles.contains_key("bg") && sheet.roles.contains_key("fg"));
        if !chain.is_empty() && !complete {
            chain.push(shipped_sheet(DEFAULT));
        }
        (!chain.is_empty()).then_some(chain)
    }
}

fn shipped_sheet(name: &str) -> Sheet {
    let text = SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .map_or("", |(_, text)| text);
    Sheet::parse(name, text).unwrap_or_default()
}

fn stamps(folder: &Path) -> Vec<Stamp> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Stamp> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter_map(|path| {
            let data = path.metadata().ok()?;
            let fits = data.is_file() && data.len() <= FILE_MAX_BYTES;
            fits.then(|| (path, data.modified().ok(), data.len()))
        })
        .collect();
    found.sort();
    found.truncate(USER_THEMES_MAX);
    found
}

fn read_all(stamps: &[Stamp]) -> Vec<(String, String)> {
    let read = |(path, ..): &Stamp| {
        let name = super::super::text::clean(&path.file_stem()?.to_string_lossy());
        let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
        Some((name, text))
    };
    stamps.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Colour, Role, colour};
    use super::*;
    use ratatui::style::{Color, Modifier};

    fn themes() -> impl Iterator<Item = (&'static str, Theme, Vec<String>)> {
        let shelf = Shelf::default();
        SHIPPED.iter().map(move |(name, _)| {
            let (theme, told) = shelf.theme(name, Depth::TrueColour, Pack::Unicode);
            (*name, theme, told)
        })
    }

    fn rgb(colour: Option<Color>) -> Option<[u8; 3]> {
        match colour {
            Some(Color::Rgb(r, g, b)) => Some([r, g, b]),
            _ => None,
        }
    }

    #[test]
    fn every_shipped_theme_has_all_core_roles_and_nothing_unknown() {
        for (name, text) in SHIPPED {
            let sheet = Sheet::parse(name, text).unwrap();
            assert_eq!(sheet.warnings, Vec::<String>::new(), "{name}");
            assert!(
                !sheet.licence.is_empty() && !sheet.source.is_empty(),
                "{name} names its licence and source"
            );
            if *name != "mono" {
                for role in &Role::ALL[..Role::CORE] {
                    assert!(sheet.roles.contains_key(role.name()), "{name} lacks {}", role.name());
                }
            }
        }
    }

    #[test]
    fn every_shipped_theme_keeps_its_contrast_floors() {
        for (name, theme, told) in themes() {
            assert_eq!(told, Vec::<String>::new(), "{name}");
            for role in Role::ALL {
                let Some(text) = rgb(theme.style(*role).fg) else {
                    continue;
                };
                let own = rgb(theme.style(*role).bg);
                for ground in [Role::Bg, Role::Surface] {
                    let Some(ground) = own.or(rgb(theme.style(ground).fg)) else {
                        continue;
                    };
                    let kept = colour::contrast(text, ground);
                    assert!(kept >= role.contrast_floor() - 0.001, "{name} {}: {kept}", role.name());
                }
            }
        }
    }

    /// Machado et al. 2009, severity 1, on linear light.
    fn as_seen(rgb: [u8; 3], matrix: [[f32; 3]; 3]) -> [f32; 3] {
        let linear = rgb.map(|c| (f32::from(c) / 255.0).powf(2.2));
        let seen = matrix.map(|row| row.iter().zip(linear).map(|(m, c)| m * c).sum::<f32>().clamp(0.0, 1.0));
        colour::oklab(seen.map(|c| (c.powf(1.0 / 2.2) * 255.0).round() as u8))
    }

    #[test]
    fn states_of_our_own_themes_differ_for_colour_blind_eyes() {
        const DEUTAN: [[f32; 3]; 3] = [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ];
        const PROTAN: [[f32; 3]; 3] = [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ];
        for (name, theme, _) in
            themes().filter(|(name, ..)| ["inonda-dark", "inonda-light", "okabe-ito"].contains(name))
        {
            let states = [Role::Ok, Role::Warn, Role::Error, Role::Live];
            for matrix in [DEUTAN, PROTAN] {
                for (i, a) in states.iter().enumerate() {
                    for b in &states[i + 1..] {
                        let [a_seen, b_seen] = [a, b].map(|r| as_seen(rgb(theme.style(*r).fg).unwrap(), matrix));
                        let apart = colour::distance(a_seen, b_seen);
                        assert!(apart > 0.06, "{name}: {} and {} are {apart} apart", a.name(), b.name());
                    }
                }
            }
        }
    }

    #[test]
    fn mono_sets_no_colour_and_shows_the_selection() {
        let (theme, _) = Shelf::default().theme("nord", Depth::Mono, Pack::Unicode);
        for role in Role::ALL {
            assert_eq!(
                (theme.style(*role).fg, theme.style(*role).bg),
                (None, None),
                "{}",
                role.name()
            );
        }
        assert!(theme.style(Role::Selection).add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn sixteen_colours_are_the_terminals_own() {
        let (theme, _) = Shelf::default().theme("nord", Depth::Ansi16, Pack::Unicode);
        assert_eq!(theme.style(Role::Error).fg, Some(Color::Red));
        assert_eq!(theme.style(Role::Bg).fg, Some(Color::Reset));
    }

    #[test]
    fn a_users_theme_inherits_and_a_broken_one_falls_back_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("mine.toml"),
            "inherits = \"nord\"\n[roles]\naccent = \"#ffffff\"\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("broken.toml"), "[roles\n").unwrap();
        std::fs::write(folder.path().join("loop.toml"), "inherits = \"loop\"\n").unwrap();
        let mut shelf = Shelf::open(Some(folder.path()));
        let (theme, told) = shelf.theme("mine", Depth::TrueColour, Pack::Unicode);
        assert_eq!(told, Vec::<String>::new());
        assert_eq!(theme.style(Role::Accent).fg, Some(Color::Rgb(255, 255, 255)));
        assert_eq!(theme.style(Role::Bg).fg, Some(Color::Rgb(0x2e, 0x34, 0x40)));
        let (theme, told) = shelf.theme("broken", Depth::TrueColour, Pack::Unicode);
        assert!(told[0].contains("broken") && told[0].contains("line 1"), "{told:?}");
        assert_eq!(theme.name, DEFAULT);
        let (theme, told) = shelf.theme("loop", Depth::TrueColour, Pack::Unicode);
        assert!(told[0].contains("circle"));
        assert!(matches!(theme.style(Role::Fg).fg, Some(Color::Rgb(..))));
        std::fs::write(folder.path().join("mine.toml"), "inherits = \"dracula\"\n").unwrap();
        assert!(shelf.look_again() && !shelf.look_again());
    }

    #[test]
    fn the_colour_of_a_role_is_the_one_in_the_file_when_it_is_readable() {
        let sheet = Shelf::default().sheet(DEFAULT).unwrap();
        let (theme, _) = Shelf::default().theme(DEFAULT, Depth::TrueColour, Pack::Unicode);
        for role in &Role::ALL[..Role::CORE] {
            let Some(Colour::Rgb(r, g, b)) = sheet.roles[role.name()].fg else {
                panic!("{}", role.name())
            };
            assert_eq!(theme.style(*role).fg, Some(Color::Rgb(r, g, b)), "{}", role.name());
        }
    }
}
