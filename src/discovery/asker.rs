//! One directory as a node uses it: a line that is kept open, on which it announces, follows the list and asks for channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::directory::follow::{self, News, Sink};
use crate::discovery::directory::wire::{Frame, Question};
use crate::discovery::service::Wants;
use crate::net::ask::{AskError, Line};
use crate::net::{DialError, Endpoint};
use crate::units::ChannelId;

/// Pause after the first failure, and the longest one.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// How long looking up a name and dialling may take.
const DIAL_MAX: Duration = Duration::from_secs(6);

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
}

impl Asker {
    /// Keeps in touch until nobody listens any more.
    pub async fn run(mut self) {
        let mut pause = RETRY_FIRST;
        while !self.told.is_closed() {
            let why = match self.dial().await {
                Ok(line) => {
                    pause = RETRY_FIRST;
                    let _ = self.told.send(Told::Reached(self.directory.clone())).await;
                    match self.keep(&line).await {
                        Ok(()) => return,
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

    async fn dial(&self) -> Result<Line, String> {
        let found = timeout(DIAL_MAX, tokio::net::lookup_host(&self.directory)).await;
        let addrs: Vec<SocketAddr> = match found {
            Ok(Ok(addrs)) => addrs.take(4).collect(),
            Ok(Err(_)) => return Err("its name is not known".into()),
            Err(_) => return Err("its name is not found in time".into()),
        };
        let mut why = String::from("it has no address");
        for addr in addrs {
            match timeout(DIAL_MAX, self.endpoint.ask(addr)).await {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(DialError::TimedOut)) | Err(_) => why = "it does not answer".into(),
                Ok(Err(error)) => why = error.to_string(),
            }
        }
        Err(why)
    }

    /// Uses a line until it is over; `Ok` when this node stops.
    async fn keep(&mut self, line: &Line) -> Result<(), AskError> {
        let browsing = self.wants.borrow().browse;
        let follow = async {
            if !browsing {
                let mut wants = self.wants.clone();
                let _ = wants.wait_for(|wants| wants.browse).await;
            }
            let mut sink = Sink::Node {
                directory: self.directory.clone(),
                news: self.news.clone(),
            };
            follow::run(line, &mut sink).await
        };
        let announce = announce(line, self.directory.clone(), self.shows.clone(), self.told.clone());
        let find = find(line, self.directory.clone(), self.wants.clone(), self.told.clone());
        tokio::select! {
            over = follow => over,
            over = announce => over,
            over = find => over,
        }
    }
}

/// Waits until there will be nothing more to say.
async fn closed(mut shows: watch::Receiver<Arc<Vec<Signed>>>) {
    while shows.changed().await.is_ok() {}
}

/// Announces what is new, until there will be nothing new: then this node has said its last words.
async fn announce(
    line: &Line,
    directory: String,
    mut shows: watch::Receiver<Arc<Vec<Signed>>>,
    told: mpsc::Sender<Told>,
) -> Result<(), AskError> {
    let mut said: BTreeMap<ChannelId, u64> = BTreeMap::new();
    shows.mark_changed();
    while shows.changed().await.is_ok() {
        let now = Arc::clone(&shows.borrow_and_update());
        for show in now.iter() {
            if said.get(&show.says.channel) == Some(&show.says.issued_unix_s) {
                continue;
            }
            let answer = line.ask_once(&Question::Announce(show.bytes.clone()).encode()).await?;
            match Frame::decode(&answer) {
                Ok(Frame::Taken) => {}
                Ok(Frame::Refused(why)) => {
                    let _ = told.send(Told::Refused(directory.clone(), why)).await;
                }
                Ok(_) | Err(_) => return Err(AskError::Unreadable),
            }
            said.insert(show.says.channel, show.says.issued_unix_s);
        }
    }
    Ok(())
}

/// Asks for each channel that is wanted, once a line and wish.
async fn find(
    line: &Line,
    directory: String,
    mut wants: watch::Receiver<Wants>,
    told: mpsc::Sender<Told>,
) -> Result<(), AskError> {
    let mut asked: BTreeMap<ChannelId, u64> = BTreeMap::new();
    wants.mark_changed();
    while wants.changed().await.is_ok() {
        let now = wants.borrow_and_update().clone();
        for channel in now.wanted {
            if asked.insert(channel, now.refresh) == Some(now.refresh) {
                continue;
            }
            let answer = line.ask_once(&Question::Find(channel).encode()).await?;
            if let Ok(Frame::Listed(bytes)) = Frame::decode(&answer)
                && let Ok(signed) = Signed::read(&bytes)
                && signed.says.channel == channel
            {
                let _ = told.send(Told::Knows(directory.clone(), Box::new(signed))).await;
            }
        }
    }
    std::future::pending().await
}
