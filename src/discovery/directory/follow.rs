//! Following a directory's list over a line: first what differs, then each change as it happens, and from time to time a
//! look at the sums, so that nothing that was missed stays missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::directory::desk::{Desk, From};
use crate::discovery::directory::roll::BUCKETS;
use crate::discovery::directory::wire::{Frame, Question};
use crate::limits::{ANNOUNCEMENT_MAX_BYTES, DIRECTORY_CHANNELS_MAX};
use crate::net::ask::{Answer, AskError, Line};
use crate::units::ChannelId;

/// How long the directory may keep us waiting for news.
const WAIT_MS: u16 = 20_000;
/// How often two directories compare their sums.
const COMPARE_EVERY: Duration = Duration::from_secs(60);
/// Pause between two answers of a directory whose list changes all the time.
const PAUSE: Duration = Duration::from_millis(250);

/// Announcements gathered before they are passed on.
const PART_MAX: usize = 1_024;

/// Who wants the list.
pub enum Sink {
    /// A directory; `stranger` says whose list it is, unless a person named that directory.
    Desk { desk: Desk, stranger: Option<u64> },
    /// A node that shows it to a person; told under the directory's name.
    Node {
        directory: String,
        news: mpsc::Sender<News>,
    },
}

/// A part of a directory's list.
#[derive(Debug, Default)]
pub struct News {
    pub directory: String,
    pub listed: Vec<Signed>,
    pub gone: Vec<ChannelId>,
    /// In the last part of a whole list: everything that is listed. What was listed before and is not in it is gone.
    pub whole: Option<BTreeSet<ChannelId>>,
}

/// Follows until the line is over.
///
/// # Errors
/// Why the line is over, or the directory is no directory.
pub async fn run(line: &Line, sink: &mut Sink) -> Result<(), AskError> {
    let (mut instance, mut version) = match sink {
        Sink::Desk { desk, stranger } => compare(line, desk, *stranger).await?,
        Sink::Node { .. } => (0, 0),
    };
    let mut compared = Instant::now();
    loop {
        if let Sink::Desk { desk, stranger } = sink
            && compared.elapsed() >= COMPARE_EVERY
        {
            (instance, version) = compare(line, desk, *stranger).await?;
            compared = Instant::now();
        }
        let question = Question::Since {
            instance,
            version,
            wait_ms: WAIT_MS,
        };
        let mut answer = line.ask(&question.encode()).await?;
        let head = read_head(&mut answer).await?;
        (instance, version) = (head.instance, head.version);
        take(&mut answer, &head, sink).await?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes one question of what a directory lists that this desk does not, or not so new.
async fn compare(line: &Line, desk: &Desk, stranger: Option<u64>) -> Result<(u64, u64), AskError> {
    let answer = line.ask_once(&Question::Sums.encode()).await?;
    let Ok(Frame::Sums {
        instance,
        version,
        sums,
    }) = Frame::decode(&answer)
    else {
        return Err(AskError::Unreadable);
    };
    let (_, ours) = desk.sums().await;
    let differ: BTreeSet<u8> = (0..BUCKETS)
        .filter(|bucket| sums[*bucket] != ours[*bucket])
        .map(|bucket| bucket as u8)
        .collect();
    if !differ.is_empty() {
        let mut answer = line.ask(&Question::Buckets(differ).encode()).await?;
        let head = read_head(&mut answer).await?;
        let desk = desk.clone();
        take(&mut answer, &head, &mut Sink::Desk { desk, stranger }).await?;
    }
    Ok((instance, version))
}

struct Head {
    instance: u64,
    version: u64,
    whole: bool,
    count: usize,
}

async fn read_head(answer: &mut Answer) -> Result<Head, AskError> {
    let frame = answer.frame().await?.ok_or(AskError::Unreadable)?;
    match Frame::decode(&frame) {
        Ok(Frame::Head {
            instance,
            version,
            whole,
            count,
        }) if count as usize <= 2 * DIRECTORY_CHANNELS_MAX => Ok(Head {
            instance,
            version,
            whole,
            count: count as usize,
        }),
        Ok(_) | Err(_) => Err(AskError::Unreadable),
    }
}

/// Reads the rest of an answer and passes it on, a part at a time: its length is the other side's to say.
async fn take(answer: &mut Answer, head: &Head, sink: &mut Sink) -> Result<(), AskError> {
    let mut whole = head.whole.then(BTreeSet::new);
    let (mut listed, mut gone) = (Vec::new(), Vec::new());
    for at in 1..=head.count {
        let frame = answer.frame().await?.ok_or(AskError::Unreadable)?;
        match Frame::decode(&frame) {
            Ok(Frame::Listed(bytes)) if bytes.len() <= ANNOUNCEMENT_MAX_BYTES => listed.push(bytes),
            Ok(Frame::Gone(channel)) => gone.push(channel),
            Ok(_) | Err(_) => return Err(AskError::Unreadable),
        }
        if listed.len() + gone.len() >= PART_MAX && at < head.count {
            pass_on(
                std::mem::take(&mut listed),
                std::mem::take(&mut gone),
                &mut whole,
                false,
                sink,
            )
            .await;
        }
    }
    pass_on(listed, gone, &mut whole, true, sink).await;
    Ok(())
}

async fn pass_on(
    listed: Vec<Bytes>,
    gone: Vec<ChannelId>,
    whole: &mut Option<BTreeSet<ChannelId>>,
    last: bool,
    sink: &mut Sink,
) {
    match sink {
        Sink::Desk { desk, stranger } => {
            // Signatures are checked by the desk; a lie of the other directory is counted and passed over. What it
            // dropped stays here until it expires or fails its proof: nobody can hide a channel from everybody.
            for part in listed.chunks(256) {
                let answers = part
                    .iter()
                    .map(|bytes| desk.announce(bytes, From::Directory(*stranger)));
                for answer in join_all(answers.collect()).await {
                    log(answer.err());
                }
            }
        }
        Sink::Node { directory, news } => {
            let signed = tokio::task::spawn_blocking(move || verify(&listed)).await;
            let listed = signed.unwrap_or_default();
            if let Some(whole) = whole {
                whole.extend(listed.iter().map(|signed| signed.says.channel));
            }
            let part = News {
                directory: directory.clone(),
                listed,
                gone,
                whole: if last { whole.take() } else { None },
            };
            let _ = news.send(part).await;
        }
    }
}

/// Runs all at once, so that their wait for the disk is one wait.
async fn join_all<T, F: Future<Output = T>>(futures: Vec<F>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut answers: BTreeMap<usize, T> = BTreeMap::new();
    std::future::poll_fn(move |context| {
        for (at, future) in futures.iter_mut().enumerate() {
            if !answers.contains_key(&at)
                && let std::task::Poll::Ready(answer) = future.as_mut().poll(context)
            {
                answers.insert(at, answer);
            }
        }
        if answers.len() == futures.len() {
            std::task::Poll::Ready(std::mem::take(&mut answers).into_values().collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

fn log(refused: Option<Refusal>) {
    if let Some(why) = refused {
        tracing::trace!(%why, "another directory's announcement is not taken");
    }
}

fn verify(listed: &[Bytes]) -> Vec<Signed> {
    listed.iter().filter_map(|bytes| Signed::read(bytes).ok()).collect()
}
