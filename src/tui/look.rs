//! The theme in force, and what it is made for.

use super::theme::{Depth, Pack, Shelf, Theme};

/// The theme in force, where others come from, and what this terminal can show.
#[derive(Clone, Debug)]
pub struct Look {
    pub shelf: Shelf,
    pub depth: Depth,
    pub pack: Pack,
    /// The pack that the environment suggests.
    pub suggested_pack: Pack,
    pub theme: Theme,
    /// The theme as asked for; the one in force differs when that one is broken.
    pub wanted: String,
}

impl Look {
    /// Starts with a theme; the words are for the log.
    pub fn new(shelf: Shelf, name: &str, depth: Depth, pack: Pack) -> (Look, Vec<String>) {
        let (theme, told) = shelf.theme(name, depth, pack);
        (
            Look {
                shelf,
                depth,
                pack,
                suggested_pack: pack,
                theme,
                wanted: name.to_owned(),
            },
            told,
        )
    }

    /// Changes the theme; the words are for the log.
    pub fn wear(&mut self, name: &str) -> Vec<String> {
        let (theme, told) = self.shelf.theme(name, self.depth, self.pack);
        self.theme = theme;
        self.wanted = name.to_owned();
        told
    }

    /// Changes the signs.
    pub fn set_pack(&mut self, pack: Pack) {
        self.pack = pack;
        let wanted = self.wanted.clone();
        drop(self.wear(&wanted));
    }
}
