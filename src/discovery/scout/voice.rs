//! What this node says about its own shows, and its proof that it carries what it says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Scout;
use crate::discovery::announcement::{Announcement, RENEW_S, Signed};
use crate::discovery::dht::Dht;
use crate::discovery::directory::wire::{Frame, Question};
use crate::discovery::now::unix_s;
use crate::discovery::service::{Carried, Found};
use crate::net::ask::Line;
use crate::units::ChannelId;

/// A show's words change at most so often.
const SAY_EVERY_S: u64 = 10;

/// Lines on which a node proves what it carries, how long one may be idle, and how many questions it may bring how fast:
/// a directory needs one question and asks again after a minute.
const LINES_MAX: usize = 64;
const LINE_IDLE_MAX: Duration = Duration::from_secs(10);
const QUESTIONS_MAX: u32 = 32;
const QUESTION_PAUSE: Duration = Duration::from_millis(100);

/// What was last said of a show of ours.
pub(super) struct Said {
    pub(super) signed: Signed,
    draft: Announcement,
    key: SigningKey,
    /// The show has ended, and that was said.
    over: bool,
}

impl Said {
    /// Puts it into the DHT.
    pub(super) fn publish(&self, dht: &Dht) -> JoinHandle<()> {
        dht.publish(&self.signed, &self.key)
    }
}

impl Scout {
    pub(super) fn on_carried(&mut self, carried: Arc<Vec<Carried>>) {
        let ids = |carried: &[Carried]| carried.iter().map(|one| one.channel).collect::<BTreeSet<_>>();
        if ids(&self.carried) != ids(&carried) {
            self.search.carry_soon(Instant::now());
        }
        self.carried = carried;
        let now = unix_s();
        let carried = &self.carried;
        let hosted = |channel: &ChannelId| carried.iter().any(|one| one.channel == *channel && one.show.is_some());
        let mut ended = false;
        for (_, said) in self
            .said
            .iter_mut()
            .filter(|(channel, said)| !said.over && !hosted(channel))
        {
            let goodbye = Announcement {
                issued_unix_s: now.max(said.signed.says.issued_unix_s + 1),
                on_air: false,
                ..said.draft.clone()
            };
            said.signed = goodbye.sign(&said.key);
            said.over = true;
            ended = true;
            if let Some(dht) = &self.dht {
                self.farewells.push(said.publish(dht));
            }
        }
        self.renew(now);
        if ended {
            self.speak();
        }
    }

    /// Signs anew what has changed or grown old.
    pub(super) fn renew(&mut self, now_unix_s: u64) {
        let mut changed = false;
        for carried in self.carried.iter() {
            let Some((draft, key)) = &carried.show else { continue };
            let said = self.said.get(&carried.channel);
            let age = said.map(|said| now_unix_s.saturating_sub(said.signed.says.issued_unix_s));
            let new_words = said.is_some_and(|said| differs(&said.draft, draft));
            let over = said.is_some_and(|said| said.over);
            let due = over || age.is_none_or(|age| age >= RENEW_S || new_words && age >= SAY_EVERY_S);
            if !due {
                continue;
            }
            let issued = said
                .map_or(0, |said| said.signed.says.issued_unix_s + 1)
                .max(now_unix_s);
            let signed = Announcement {
                issued_unix_s: issued,
                ..draft.clone()
            }
            .sign(key);
            let said = Said {
                signed,
                draft: draft.clone(),
                key: key.clone(),
                over: false,
            };
            if let Some(dht) = &self.dht {
                drop(said.publish(dht));
            }
            self.said.insert(carried.channel, said);
            changed = true;
        }
        if changed {
            self.speak();
        }
    }

    /// Tells every source what there is to say of our shows.
    pub(super) fn speak(&mut self) {
        let shows: Vec<Signed> = self.said.values().map(|said| said.signed.clone()).collect();
        if let Some(lan) = &mut self.lan {
            let on_air: Vec<Signed> = shows.iter().filter(|show| show.says.on_air).cloned().collect();
            lan.tell(&on_air, self.endpoint.bound().port());
        }
        self.shows.send_replace(Arc::new(shows));
    }

    /// Somebody opened a line to this node: it proves what it carries.
    pub(super) fn on_line(&mut self, line: Line) {
        let found = self.found.clone();
        while self.lines.try_join_next().is_some() {}
        if self.lines.len() >= LINES_MAX {
            return line.close();
        }
        self.lines.spawn(async move {
            for _ in 0..QUESTIONS_MAX {
                let next = tokio::time::timeout(LINE_IDLE_MAX, line.question()).await;
                let Ok(Some(mut question)) = next else { return };
                let Ok(Question::Prove(channel)) = Question::decode(&question.bytes) else {
                    // This is no directory.
                    return line.close();
                };
                let (reply, proof) = oneshot::channel();
                if found.send(Found::Prove { channel, reply }).await.is_err() {
                    return;
                }
                let frame = match proof.await {
                    Ok(Some(proof)) => Frame::Proof(proof.encode().into()),
                    Ok(None) | Err(_) => Frame::NoProof,
                };
                if question.answer(&frame.encode()).await.is_err() || question.finish().await.is_err() {
                    return;
                }
                tokio::time::sleep(QUESTION_PAUSE).await;
            }
        });
    }
}

/// Whether listeners would notice the difference.
fn differs(old: &Announcement, new: &Announcement) -> bool {
    let plain = |says: &Announcement| Announcement {
        issued_unix_s: 0,
        listeners: 0,
        relays: 0,
        health_permille: 0,
        ..says.clone()
    };
    plain(old) != plain(new)
}
