//! Answering what comes in on a line.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::discovery::directory::desk::{Desk, From};
use crate::discovery::directory::follow::{self, Sink};
use crate::discovery::directory::roll::Step;
use crate::discovery::directory::wire::{Frame, Question};
use crate::mesh::record::prefix;
use crate::net::ask::{AskError, Line, Question as Asked};

/// Longest wait for news that is granted.
const WAIT_MAX: Duration = Duration::from_secs(25);
/// Questions a second on one line, and as many at once; who asks more waits.
const QUESTIONS_A_SECOND: u32 = 50;

/// Answers one line until it is over.
pub async fn line(line: Line, desk: Desk) {
    let mut answers = JoinSet::new();
    let mut exchanging = false;
    let from = prefix(line.remote().ip());
    let mut allowance = tokio::time::interval(Duration::from_secs(1) / QUESTIONS_A_SECOND);
    allowance.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while let Some(asked) = line.question().await {
        while answers.try_join_next().is_some() {}
        allowance.tick().await;
        let Ok(question) = Question::decode(&asked.bytes) else {
            tracing::debug!(peer = %line.peer().short(), "a question that nobody understands");
            line.close();
            return;
        };
        if question == Question::Exchange && !exchanging {
            // Once a line: the other directory's list is followed on it, too.
            exchanging = true;
            answers.spawn(follow_back(line.clone(), desk.clone()));
        }
        let desk = desk.clone();
        answers.spawn(async move {
            // Who does not wait for the answer has gone.
            let _ = answer(asked, question, from, &desk).await;
        });
    }
}

async fn follow_back(line: Line, desk: Desk) {
    let stranger = Some(stranger(&line));
    let _ = follow::run(&line, &mut Sink::Desk { desk, stranger }).await;
}

/// What a directory that nobody named is known by: its public network, or itself where networks are not counted.
pub fn stranger(line: &Line) -> u64 {
    let peer = line.peer().0;
    let itself = peer[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    prefix(line.remote().ip()).unwrap_or(itself)
}

async fn answer(mut asked: Asked, question: Question, from: Option<u64>, desk: &Desk) -> Result<(), AskError> {
    match question {
        Question::Announce(bytes) => {
            let frame = match desk.announce(&bytes, From::Host(from)).await {
                Ok(_) => Frame::Taken,
                Err(why) => Frame::Refused(why),
            };
            asked.answer(&frame.encode()).await?;
        }
        Question::Since {
            instance,
            version,
            wait_ms,
        } => {
            let wait = Duration::from_millis(u64::from(wait_ms)).min(WAIT_MAX);
            let (version, whole, steps) = desk.since(instance, version, wait).await;
            let head = head(desk, version, whole, steps.len());
            asked.answer(&head.encode()).await?;
            for step in steps {
                let frame = match step {
                    Step::Listed(bytes) => Frame::Listed(bytes),
                    Step::Gone(channel) => Frame::Gone(channel),
                };
                asked.answer(&frame.encode()).await?;
            }
        }
        Question::Sums => {
            let (version, sums) = desk.sums().await;
            let instance = desk.instance;
            let frame = Frame::Sums {
                instance,
                version,
                sums,
            };
            asked.answer(&frame.encode()).await?;
        }
        Question::Buckets(wanted) => {
            let (version, listed) = desk.buckets(wanted).await;
            asked.answer(&head(desk, version, false, listed.len()).encode()).await?;
            for bytes in listed {
                asked.answer(&Frame::Listed(bytes).encode()).await?;
            }
        }
        Question::Find(channel) => {
            let frame = desk.find(channel).await.map_or(Frame::NoProof, Frame::Listed);
            asked.answer(&frame.encode()).await?;
        }
        Question::Prove(_) => asked.answer(&Frame::NoProof.encode()).await?,
        Question::Exchange => asked.answer(&Frame::Taken.encode()).await?,
    }
    asked.finish().await
}

fn head(desk: &Desk, version: u64, whole: bool, count: usize) -> Frame {
    Frame::Head {
        instance: desk.instance,
        version,
        whole,
        count: count as u32,
    }
}
