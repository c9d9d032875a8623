//! What happened, as lines for the log screen.

use std::collections::VecDeque;

use super::mask::mask_addresses;
use super::model::Wall;
use super::text::clean;
use super::update::words;
use crate::engine::Event;
use crate::engine::event::Level;
use crate::units::PeerId;

/// Lines kept; a busy mesh writes a few a minute.
pub const LINES_MAX: usize = 2_000;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub unix_s: u64,
    pub level: Level,
    /// The part it comes from: `mesh`, `sound`, `app`.
    pub module: &'static str,
    pub text: String,
    /// What to do, when there is anything.
    pub hint: String,
    /// Times it happened in a row.
    pub count: u32,
}

/// Modules that can be chosen, in the order of `o`.
pub const MODULES: [&str; 3] = ["mesh", "sound", "app"];

/// The log screen's state.
#[derive(Clone, Debug)]
pub struct Journal {
    pub lines: VecDeque<Line>,
    /// Lines ever added, those that have gone counted.
    pub added: u64,
    pub level: Level,
    pub module: Option<&'static str>,
    pub follow: bool,
    /// Index among the visible lines, newest first.
    pub selected: usize,
    pub query: String,
    pub explain: bool,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            lines: VecDeque::new(),
            added: 0,
            level: Level::Info,
            module: None,
            follow: true,
            selected: 0,
            query: String::new(),
            explain: true,
        }
    }
}

impl Journal {
    /// Adds a line, without the addresses in it: people share screens and logs. The same line again only counts.
    pub fn add(&mut self, unix_s: u64, level: Level, module: &'static str, text: &str, hint: &str) {
        let (text, hint) = (mask_addresses(&clean(text)), mask_addresses(&clean(hint)));
        self.put(unix_s, level, module, text, hint);
    }

    fn put(&mut self, unix_s: u64, level: Level, module: &'static str, text: String, hint: String) {
        if let Some(last) = self.lines.back_mut()
            && last.text == text
            && last.level == level
        {
            last.count += 1;
            last.unix_s = unix_s;
            return;
        }
        self.added += 1;
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(Line {
            unix_s,
            level,
            module,
            text,
            hint,
            count: 1,
        });
        // Who reads stays on the line that is read; one that is filtered away does not push it down.
        if !self.follow && self.lines.back().is_some_and(|line| self.shows(line)) {
            self.selected += 1;
        }
    }

    /// Adds what the engine told, when it is worth a line.
    pub fn take(&mut self, event: &Event, unix_s: u64) {
        let mut add = |level, module, text: &str, hint: &str| self.add(unix_s, level, module, text, hint);
        match event {
            Event::Ready { peer, addrs } => {
                add(
                    Level::Info,
                    "mesh",
                    &format!("ready as {}, on {} addresses", peer.short(), addrs.len()),
                    "",
                );
            }
            Event::OnAir { name, .. } => add(Level::Info, "mesh", &format!("on air as {name}"), "y copies the link"),
            Event::Joined { startup, .. } => {
                add(
                    Level::Info,
                    "sound",
                    &format!("first sound after {} ms", startup.as_millis()),
                    "",
                );
            }
            // What a station says to everybody stays as it is.
            Event::Title { title, .. } => {
                let text = clean(&format!("title: {title}"));
                self.put(unix_s, Level::Info, "sound", text, String::new());
            }
            Event::ParentChanged {
                stripe, from, to, gap, ..
            } => {
                let (level, text) = parent_changed(*from, *to, gap.as_millis());
                let hint = match from {
                    Some(_) => "The buffer covers such a gap; w tells whether anything was heard of it.",
                    None => "",
                };
                add(
                    level,
                    "mesh",
                    &format!("stripe {}: {text}", u16::from(*stripe) + 1),
                    hint,
                );
            }
            Event::Recorded { view, .. } => add(Level::Info, "sound", &words::recorded(view), ""),
            Event::OffAir { reason, .. } => add(
                Level::Warn,
                "mesh",
                &format!("off air: {reason}"),
                "1 shows what is on air",
            ),
            Event::Notice { level, message, hint } => add(*level, "app", message, hint),
            Event::Failed { message, hint, .. } => add(Level::Error, "app", message, hint),
            Event::Stats(_) | Event::Summary(_) | Event::Stopped | Event::Listed | Event::Published { .. } => {}
        }
    }

    /// The lines that level, module and query let through, newest first.
    pub fn visible(&self) -> Vec<&Line> {
        self.lines.iter().rev().filter(|line| self.shows(line)).collect()
    }

    fn shows(&self, line: &Line) -> bool {
        line.level >= self.level
            && self.module.is_none_or(|module| line.module == module)
            && (self.query.is_empty() || line.text.to_lowercase().contains(&self.query.to_lowercase()))
    }

    /// Warnings and errors since the start.
    pub fn counts(&self) -> (usize, usize) {
        let of = |level| self.lines.iter().filter(|line| line.level == level).count();
        (of(Level::Warn), of(Level::Error))
    }

    /// The log as text.
    pub fn export(&self, wall: Wall) -> String {
        let line = |line: &Line| {
            let hint = if line.hint.is_empty() {
                String::new()
            } else {
                format!("\n         {}", line.hint)
            };
            let text = format!("{} {:5} {}{hint}", level_word(line.level), line.module, line.text);
            format!("{} {text}\n", wall.full_time(line.unix_s))
        };
        self.lines.iter().map(line).collect()
    }
}

fn parent_changed(from: Option<PeerId>, to: Option<PeerId>, gap_ms: u128) -> (Level, String) {
    match (from.map(|peer| peer.short()), to.map(|peer| peer.short())) {
        (None, Some(to)) => (Level::Info, format!("{to} feeds us")),
        (Some(from), Some(to)) => (
            Level::Info,
            format!("{to} feeds us in place of {from}, {gap_ms} ms without"),
        ),
        (Some(from), None) => (
            Level::Warn,
            format!("{from} feeds us no more, and nobody else does yet"),
        ),
        (None, None) => (Level::Warn, "nobody feeds us yet".to_owned()),
    }
}

/// The word of a level.
pub const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Info => "info ",
        Level::Warn => "warn ",
        Level::Error => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_again_counts_and_the_log_stays_bounded() {
        let mut journal = Journal::default();
        for i in 0..3 * LINES_MAX {
            journal.add(i as u64, Level::Info, "app", &format!("line {}", i / 2), "");
        }
        assert_eq!(journal.lines.len(), LINES_MAX);
        assert_eq!(journal.lines.back().unwrap().count, 2);
    }

    #[test]
    fn the_line_that_is_read_stays_selected_while_others_come() {
        let mut journal = Journal::default();
        for i in 0..5 {
            journal.add(i, Level::Info, "app", &format!("hello {i}"), "");
        }
        journal.follow = false;
        journal.selected = 2;
        let read = journal.visible()[2].clone();
        journal.query = "hello".into();
        journal.add(9, Level::Info, "mesh", "something else", "");
        assert_eq!(*journal.visible()[journal.selected], read);
        journal.add(9, Level::Info, "app", "hello again", "");
        assert_eq!(*journal.visible()[journal.selected], read);
    }

    #[test]
    fn level_module_and_query_narrow_the_lines() {
        let mut journal = Journal::default();
        journal.add(1, Level::Info, "app", "hello", "");
        journal.add(2, Level::Warn, "mesh", "Parent lost", "");
        journal.level = Level::Warn;
        assert_eq!(journal.visible().len(), 1);
        journal.level = Level::Info;
        journal.query = "parent".into();
        assert_eq!(journal.visible()[0].module, "mesh");
        journal.module = Some("app");
        assert!(journal.visible().is_empty());
    }

    #[test]
    fn neither_the_log_nor_its_export_names_an_address() {
        let mut journal = Journal::default();
        let said = Event::Failed {
            code: 3,
            message: "cannot reach http://192.0.2.7/live, nor yp.example:7145".into(),
            hint: "ask for another link than inonda:ab?via=10.0.0.1:7144".into(),
        };
        journal.take(&said, 0);
        let line = &journal.lines[0];
        let text = format!("{} {} {}", line.text, line.hint, journal.export(Wall::default()));
        for address in ["192.0.2.7", "yp.example", "10.0.0.1", "via="] {
            assert!(!text.contains(address), "{address} in {text}");
        }
    }
}
