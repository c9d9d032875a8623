//! The titles that were really heard, kept across visits.

use std::collections::VecDeque;

use super::text::clean;

/// Titles kept.
pub const TITLES_MAX: usize = 1_000;

/// A title and when it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardTitle {
    pub unix_s: u64,
    pub channel: String,
    pub title: String,
    pub tagged: bool,
}

/// Titles, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub titles: VecDeque<HeardTitle>,
    /// The title that is looked at, counted from the newest.
    pub selected: usize,
    /// Channel and title of what is heard in this visit; the newest line may be of an earlier one.
    now: Option<(String, String)>,
    /// Something changed since the last time it was saved.
    pub unsaved: bool,
}

impl Heard {
    /// Adds what is on when a channel begins to be heard. From then on its titles are told as they change: a snapshot may be
    /// older than what was told.
    pub fn begin(&mut self, unix_s: u64, channel: &str, title: &str) {
        let known = self.now.as_ref().is_some_and(|(known, _)| *known == clean(channel));
        if !known && !channel.is_empty() {
            self.add(unix_s, channel, title);
        }
    }

    /// Adds a title unless it is the one being heard; empty titles are no titles.
    pub fn add(&mut self, unix_s: u64, channel: &str, title: &str) {
        let (channel, title) = (clean(channel), clean(title));
        let now = (channel, title);
        if self.now.as_ref() == Some(&now) {
            return;
        }
        let (channel, title) = now.clone();
        self.now = Some(now);
        if title.is_empty() {
            return;
        }
        if self.titles.len() == TITLES_MAX {
            self.titles.pop_front();
        }
        // Who looks at an older title goes on looking at it.
        if self.selected > 0 {
            self.selected = (self.selected + 1).min(self.titles.len());
        }
        self.titles.push_back(HeardTitle {
            unix_s,
            channel,
            title,
            tagged: false,
        });
        self.unsaved = true;
    }

    /// Nothing is heard any more: the same title later is another hearing of it.
    pub fn silence(&mut self) {
        self.now = None;
    }

    /// The title that is heard now, when there is one.
    pub fn current(&self) -> Option<&HeardTitle> {
        let (channel, title) = self.now.as_ref()?;
        let newest = self.titles.back()?;
        (newest.channel == *channel && newest.title == *title).then_some(newest)
    }

    /// Turns the star of a title, counted from the newest.
    pub fn tag(&mut self, from_newest: usize) -> Option<&HeardTitle> {
        let index = self.titles.len().checked_sub(1 + from_newest)?;
        let title = self.titles.get_mut(index)?;
        title.tagged = !title.tagged;
        self.unsaved = true;
        Some(title)
    }

    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &HeardTitle> {
        self.titles.iter().rev()
    }

    /// One title a line: seconds, star, channel, title, between tabs.
    pub fn write(&self) -> String {
        let line = |t: &HeardTitle| {
            format!(
                "{}\t{}\t{}\t{}\n",
                t.unix_s,
                if t.tagged { "*" } else { "" },
                t.channel,
                t.title
            )
        };
        self.titles.iter().map(line).collect()
    }

    /// Reads what [`Heard::write`] wrote; lines that are something else are passed over.
    pub fn read(text: &str) -> Heard {
        let mut heard = Heard::default();
        for line in text.lines().rev().take(TITLES_MAX) {
            let mut parts = line.splitn(4, '\t');
            let (Some(time), Some(star), Some(channel), Some(title)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let Ok(unix_s) = time.parse() else { continue };
            heard.titles.push_front(HeardTitle {
                unix_s,
                channel: clean(channel),
                title: clean(title),
                tagged: star == "*",
            });
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_survive_being_written_and_read() {
        let mut heard = Heard::default();
        heard.add(1, "Jazz\tFM", "Waltz for Debby");
        heard.add(2, "Jazz FM", "Waltz for Debby");
        heard.add(3, "Jazz FM", "雨のブルース");
        heard.tag(0);
        let again = Heard::read(&heard.write());
        assert_eq!(again.titles, heard.titles);
        assert_eq!(again.titles.len(), 2);
        assert!(again.titles[1].tagged);
    }

    #[test]
    fn the_last_visits_title_is_not_the_one_heard_now() {
        let mut before = Heard::default();
        before.add(100, "Jazz FM", "Waltz for Debby");
        let mut heard = Heard::read(&before.write());
        assert_eq!(heard.current(), None);
        heard.add(90_000, "Jazz FM", "Waltz for Debby");
        heard.add(90_001, "Jazz FM", "Waltz for Debby");
        assert_eq!(heard.titles.len(), 2);
        assert_eq!(heard.current().unwrap().unix_s, 90_000);
        heard.add(90_200, "Jazz FM", "");
        assert_eq!(heard.current(), None, "the station stopped saying what it plays");
        heard.silence();
        assert_eq!(heard.current(), None);
    }

    #[test]
    fn a_broken_file_gives_what_can_be_read() {
        assert_eq!(Heard::read("x\n\n5\t*\tA\tB\n\u{1b}[2J\t\t\t\n").titles.len(), 1);
    }
}
