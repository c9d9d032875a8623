//! One directory as a node uses it: a line that is open while there is something to say or to ask, on which it announces,
//! follows the list and asks for channels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::directory::follow::{self, News, Sink};
use crate::discovery::directory::wire::{Frame, Question};
use crate::discovery::reach;
use crate::discovery::service::Wants;
use crate::net::Endpoint;
use crate::net::ask::{AskError, Line};
use crate::units::ChannelId;

/// Pause after the first failure, and the longest one.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// How often it is looked whether the line is still needed; twice not, and it is closed.
const NEEDED_EVERY: Duration = Duration::from_secs(10);

/// What one directory's task tells.
#[derive(Debug)]
pub enum Told {
    /// The line stands.
    Reached(String),
    /// The directory is not reached, why, and when it is tried again.
    Trouble(String, String, Duration),
    /// It did not take an announcement.
    Refused(String, Refusal),
    /// It knows a channel that was asked for.
    Knows(String, Box<Signed>),
}

/// What the task of a directory works with.
pub struct Asker {
    pub directory: String,
    pub endpoint: Endpoint,
    pub shows: watch::Receiver<Arc<Vec<Signed>>>,
    pub(super) wants: watch::Receiver<Wants>,
    pub news: mpsc::Sender<News>,
    pub told: mpsc::Sender<Told>,
    pub(super) done: Arc<Mutex<Done>>,
}

/// What a directory has been told and asked: the time of issue of each announcement, and the last wish for each channel.
#[derive(Debug, Default)]
pub(super) struct Done {
    said: BTreeMap<ChannelId, u64>,
    asked: BTreeMap<ChannelId, u64>,
}

impl Done {
    fn owes(&self, shows: &[Signed], wants: &Wants) -> bool {
        let unsaid = |show: &Signed| self.said.get(&show.says.channel) != Some(&show.says.issued_unix_s);
        wants.browse
            || shows.iter().any(|show| show.says.on_air || unsaid(show))
            || wants
                .wanted
                .iter()
                .any(|(channel, wish)| self.asked.get(channel) != Some(wish))
    }
}

impl Asker {
    /// Keeps in touch until nobody listens any more.
    pub async fn run(mut self) {
        let mut pause = RETRY_FIRST;
        while self.becomes_needed().await {
            let why = match reach::line(&self.endpoint, &self.directory).await {
                Ok(line) => {
                    pause = RETRY_FIRST;
                    let _ = self.told.send(Told::Reached(self.directory.clone())).await;
                    match self.keep(&line).await {
                        Ok(true) => return,
                        Ok(false) => continue,
                        Err(error) => error.to_string(),
                    }
                }
                Err(why) => why,
            };
            let told = Told::Trouble(self.directory.clone(), why, pause);
            if self.told.send(told).await.is_err() {
                return;
            }
            let before = self.wants.borrow().refresh;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.wants.wait_for(|wants| wants.refresh != before) => {}
                () = closed(self.shows.clone()) => return,
            }
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    /// Waits until there is something to say or to ask; false when there never will be.
    async fn becomes_needed(&mut self) -> bool {
        loop {
            let owes = self.owes();
            if owes {
                return !self.told.is_closed();
            }
            tokio::select! {
                changed = self.shows.changed() => if changed.is_err() { return false },
                changed = self.wants.changed() => if changed.is_err() { return false },
            }
        }
    }

    fn owes(&self) -> bool {
        let (shows, wants) = (self.shows.borrow(), self.wants.borrow());
        lock(&self.done).owes(&shows, &wants)
    }

    /// Uses a line until it is over or no longer needed; `Ok(true)` when this node stops.
    async fn keep(&self, line: &Line) -> Result<bool, AskError> {
        let follow = async {
            let mut wants = self.wants.clone();
            let _ = wants.wait_for(|wants| wants.browse).await;
            let mut sink = Sink::Node {
                directory: self.directory.clone(),
                news: self.news.clone(),
            };
            follow::run(line, &mut sink).await
        };
        tokio::select! {
            over = follow => over.map(|()| false),
            over = self.announce(line) => over.map(|()| true),
            over = self.find(line) => over.map(|()| true),
            () = self.idle() => {
                line.close();
                Ok(false)
            }
        }
    }

    async fn idle(&self) {
        let mut times = 0;
        while times < 2 {
            tokio::time::sleep(NEEDED_EVERY).await;
            times = if self.owes() { 0 } else { times + 1 };
        }
    }

    /// Announces what is new, until there will be nothing new: then this node has said its last words.
    async fn announce(&self, line: &Line) -> Result<(), AskError> {
        let mut shows = self.shows.clone();
        // A directory that was started anew may have forgotten what an earlier line told it.
        lock(&self.done).said.clear();
        shows.mark_changed();
        while shows.changed().await.is_ok() {
            let now = Arc::clone(&shows.borrow_and_update());
            for show in now.iter() {
                let (channel, issued) = (show.says.channel, show.says.issued_unix_s);
                if lock(&self.done).said.get(&channel) == Some(&issued) {
                    continue;
                }
                let answer = line.ask_once(&Question::Announce(show.bytes.clone()).encode()).await?;
                match Frame::decode(&answer) {
                    Ok(Frame::Taken) => {}
                    Ok(Frame::Refused(why)) => {
                        let _ = self.told.send(Told::Refused(self.directory.clone(), why)).await;
                    }
                    Ok(_) | Err(_) => return Err(AskError::Unreadable),
                }
                lock(&self.done).said.insert(channel, issued);
            }
        }
        Ok(())
    }

    /// Asks for each channel that is wanted, once a wish.
    async fn find(&self, line: &Line) -> Result<(), AskError> {
        let mut wants = self.wants.clone();
        wants.mark_changed();
        while wants.changed().await.is_ok() {
            let now = wants.borrow_and_update().clone();
            lock(&self.done)
                .asked
                .retain(|channel, _| now.wanted.contains_key(channel));
            for (channel, wish) in now.wanted {
                if lock(&self.done).asked.get(&channel) == Some(&wish) {
                    continue;
                }
                let answer = line.ask_once(&Question::Find(channel).encode()).await?;
                lock(&self.done).asked.insert(channel, wish);
                if let Ok(Frame::Listed(bytes)) = Frame::decode(&answer)
                    && let Ok(signed) = Signed::read(&bytes)
                    && signed.says.channel == channel
                {
                    let told = Told::Knows(self.directory.clone(), Box::new(signed));
                    let _ = self.told.send(told).await;
                }
            }
        }
        std::future::pending().await
    }
}

fn lock(done: &Mutex<Done>) -> std::sync::MutexGuard<'_, Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until there will be nothing more to say.
async fn closed(mut shows: watch::Receiver<Arc<Vec<Signed>>>) {
    while shows.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::announcement::tests::{announcement, with};

    #[test]
    fn a_line_is_needed_for_news_wishes_and_people_and_for_nothing_else() {
        let mut done = Done::default();
        let mut wants = Wants::default();
        assert!(!done.owes(&[], &wants));
        let channel = announcement(1, 1_800_000_000).says.channel;
        wants.wanted.insert(channel, 1);
        assert!(done.owes(&[], &wants));
        done.asked.insert(channel, 1);
        assert!(!done.owes(&[], &wants));
        wants.wanted.insert(channel, 2);
        assert!(done.owes(&[], &wants), "a new wish for the same channel");
        wants.wanted.clear();
        assert!(done.owes(&[announcement(1, 1_800_000_000)], &wants));
        let goodbye = with(1, 1_800_000_009, |says| says.on_air = false);
        assert!(done.owes(std::slice::from_ref(&goodbye), &wants));
        done.said.insert(channel, 1_800_000_009);
        assert!(!done.owes(&[goodbye], &wants));
        wants.browse = true;
        assert!(done.owes(&[], &wants));
    }
}
