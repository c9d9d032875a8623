//! Repair: asking neighbours for what is missing.

use std::sync::Arc;
use std::time::Duration;

use super::{Mesh, bit};
use crate::mesh::Delivery;
use crate::mesh::member::Neighbour;
use crate::mesh::repair::Want;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Message, SeqSet};
use crate::units::{Seq, Time};

/// Between two asks for one chunk there is at least this and the way there and back, and a part of it.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// What a want stands less than it takes until another one is asked: clocks differ, and the wire rounds.
const SLACK: Duration = Duration::from_millis(5);
/// Tries that are made without waiting by those who cannot.
const HASTY_TRIES: u8 = 4;
/// What asking takes.
const WANT_BYTES: usize = 100;

impl Mesh {
    /// Asks for every chunk whose time has come, each of one neighbour, or of two where time is short.
    pub(super) fn ask(&mut self, now: Time) {
        if self.session.is_none() {
            return;
        }
        let config = Arc::clone(&self.config);
        let mut batches: Vec<Batch> = Vec::new();
        let mut next = Time(u64::MAX);
        let bears = self.bears_small_talk(WANT_BYTES, now);
        let mut wants = std::mem::take(&mut self.repair.wants);
        wants.retain_mut(|want| {
            // An ask stands until it is over: what is too old for us may turn out to be younger than was thought, and would be asked for
            // twice.
            let is_over = want.tries >= config.repair_tries || self.time_left(want.seq, now).is_zero();
            if self.window.has(want.seq) || self.window.is_past(want.seq) || is_over && want.due <= now {
                return false;
            }
            if want.due <= now {
                match self.whom_to_ask(want, now) {
                    Some(at) if bears && (want.tries > 0 || self.repair.allowance.take(1.0, now)) => {
                        want.ask(self.members.list[at].key, now);
                        let rtt = Duration::from_micros(u64::from(self.members.list[at].rtt_us));
                        let pause = self.pause(want, self.least_pause(want, rtt, now), now);
                        want.due = now + pause;
                        let within = pause.saturating_sub(rtt + SLACK);
                        add_to_batch(&mut batches, at, want.seq, within);
                        if let Some(other) = self.whom_else_to_ask(want, pause, now) {
                            want.ask_too(self.members.list[other].key);
                            add_to_batch(&mut batches, other, want.seq, within);
                        }
                    }
                    Some(_) | None => want.due = now + config.repair_retry / 2,
                }
            }
            next = next.min(want.due);
            true
        });
        self.repair.wants = wants;
        for Batch { at, set, within } in batches {
            if let Some(seq) = set.iter().next() {
                self.repair.answers.ask(self.members.list[at].key, seq, within, now);
            }
            self.send(at, Message::Want { within, set }, Delivery::Datagram, now);
        }
        if next < Time(u64::MAX) {
            self.timers.by(Timer::Repair, next);
        }
    }

    /// How long a chunk is still of use to this node or to others like it.
    fn time_left(&self, seq: Seq, now: Time) -> Duration {
        (self.playback.published(seq, self.chunk_time()) + self.config.deadline).since(now)
    }

    /// How long until it should be heard here; when it is too late for that, how long it is still of use.
    fn time_to_ear(&self, seq: Seq, now: Time) -> Duration {
        let heard = (self.playback.published(seq, self.chunk_time()) + self.heard).since(now);
        if heard.is_zero() {
            self.time_left(seq, now)
        } else {
            heard
        }
    }

    /// The way there and back, and a quarter of it. (With twice that those with 0.6 to 1 s missed five times as many chunks where 2 % of
    /// all is lost.) Where a whole stripe has stopped twice that, for all ask then. (With a quarter three times as much was missed after
    /// half of 3,000 had gone.)
    fn least_pause(&self, want: &Want, rtt: Duration, now: Time) -> Duration {
        let stripe = want.seq.stripe(self.stripe_count()).0;
        if self.seems_fed(stripe, now) {
            rtt * 5 / 4
        } else {
            rtt * 2
        }
    }

    /// How long to wait before the next one is asked: the tries that remain share the time that remains. (With a fixed 250 ms
    /// one in ten meshes of nine missed a chunk after a crash at a deadline of 0.4 s, and none like this.)
    /// A root does not wait: what it misses everybody below it misses, and the host has it. Nor does who has not begun to play.
    fn pause(&self, want: &Want, least: Duration, now: Time) -> Duration {
        let stripe = usize::from(want.seq.stripe(self.stripe_count()).0);
        let parent = self.stripes[stripe].parent.and_then(|key| self.members.by_key(key));
        let is_root = parent.is_some_and(|at| self.members.list[at].is_host());
        if want.tries < HASTY_TRIES && (is_root || !self.playback.has_begun()) {
            return PAUSE_MIN + least;
        }
        let tries = u32::from(self.config.repair_tries.saturating_sub(want.tries)) + 1;
        let share = self.time_to_ear(want.seq, now) / tries;
        share.max(PAUSE_MIN + least).min(self.config.repair_retry)
    }

    /// The neighbour most likely to have a chunk soon: the parent as long as it seems alive, since one chunk lost on its way is
    /// likelier than a dead parent; then those who feed us other stripes, the host last. Who has not begun to play asks the others at
    /// once, for a parent that lacks the chunk itself says nothing.
    fn whom_to_ask(&mut self, want: &Want, now: Time) -> Option<usize> {
        let stripe = want.seq.stripe(self.stripe_count()).0;
        let (parent, count) = (self.stripes[usize::from(stripe)].parent, self.stripe_count());
        // What is asked for before it usually comes is on its way from there.
        let is_awaited = now < self.stripes[usize::from(stripe)].usual_arrival(want.seq.0, self.chunk_time());
        let asks_parent = want.tries == 0 && self.playback.has_begun() && self.seems_fed(stripe, now);
        let rank = |n: &Neighbour| -> u32 {
            // What was lost on its way from the host to a root may be missing everywhere below: then only the host has it. It is
            // asked every second time, for its upload is what a channel has least of. (Asked only once, and the ask or the answer
            // lost, half a stripe got its chunk a second late.)
            let is_turn = if n.is_host() {
                want.tries % 2 == 1
            } else {
                asks_parent && !want.has_asked(n.key)
            };
            if parent == Some(n.key) && is_turn {
                return 0;
            }
            let late_us = self.repair.answers.lateness(n.key).as_micros() as u32;
            let slow = (n.rtt_us + late_us) / 20_000;
            let silent = u32::from(now.since(n.heard) > self.config.repair_retry * 3) * 8;
            let unmet = u32::from(n.unmet.saturating_sub(n.met)).min(8);
            let kind = if n.is_host() {
                12
            } else if n.feeds & !bit(stripe) != 0 || n.key.home(count) == stripe {
                // At home in the stripe one is near to the host in it.
                0
            } else if n.feeds == 0 && n.fed == 0 {
                3
            } else {
                5
            };
            let own = u32::from(parent == Some(n.key)) * 20;
            let poor = u32::from(n.load.free == 0 && n.feeds == 0) * 2;
            let again = u32::from(want.has_asked(n.key)) * 80;
            // Who takes others in and gives them nothing answers no want.
            let barren = u32::from(self.members.barren.times(n.key)) * 4;
            barren + kind + poor + slow + silent + unmet + own + again
        };
        let can = |n: &Neighbour| {
            n.record.is_some()
                && n.slots() > 0
                && n.fed & bit(stripe) == 0
                && !n.is_mute(now)
                && !(is_awaited && parent == Some(n.key))
        };
        let start = self.rng.below(4) as u32;
        self.members
            .list
            .iter()
            .enumerate()
            .filter(|(_, n)| can(n))
            .min_by_key(|(at, n)| rank(n) * 4 + (*at as u32 + start) % 4)
            .map(|(at, _)| at)
    }

    /// A second one to ask at the same time, where one ask has failed and there is time for one more at most after this. (Of 300 with
    /// 0.6 to 1 s, where 2 % of all is lost, 1.5 chunks in a million were missed with one at a time, and 0.5 like this.) Not where a
    /// whole stripe has stopped: then all ask for all.
    fn whom_else_to_ask(&mut self, want: &Want, pause: Duration, now: Time) -> Option<usize> {
        let stripe = want.seq.stripe(self.stripe_count()).0;
        let is_last = want.tries > 1 && self.time_to_ear(want.seq, now) < pause * 2;
        let other = (is_last && self.seems_fed(stripe, now)).then(|| self.whom_to_ask(want, now))??;
        let n = &self.members.list[other];
        (!n.is_host() && !want.has_asked(n.key)).then_some(other)
    }

    pub(super) fn on_lack(&mut self, at: usize, set: SeqSet, now: Time) {
        let neighbour = &mut self.members.list[at];
        neighbour.unmet = neighbour.unmet.saturating_add(1);
        let key = neighbour.key;
        // What comes sooner than anybody could answer is the answer to an earlier ask.
        let soonest = Duration::from_micros(u64::from(neighbour.rtt_us)) * 3 / 4;
        let mut due = Time(u64::MAX);
        for seq in set.iter() {
            if let Ok(index) = self.repair.wants.binary_search_by_key(&seq, |want| want.seq)
                && self.repair.wants[index].is_answer(key, soonest, now)
            {
                // After the first refusal another one is asked at once. Then with pauses: whoever is next may lack it for the same
                // reason, and quick walks from one to the next lost ten times as many chunks after a crash.
                let want = &self.repair.wants[index];
                let pause = if want.tries == 1 {
                    Duration::ZERO
                } else {
                    self.pause(want, Duration::ZERO, now)
                };
                self.repair.wants[index].due = now + pause;
                due = due.min(now + pause);
            }
        }
        if due < Time(u64::MAX) {
            self.timers.by(Timer::Repair, due);
        }
    }
}

/// What one neighbour is asked for in one message, and for how long.
struct Batch {
    at: usize,
    set: SeqSet,
    within: Duration,
}

fn add_to_batch(batches: &mut Vec<Batch>, at: usize, seq: Seq, within: Duration) {
    for batch in batches.iter_mut() {
        if batch.at == at && batch.set.add(seq) {
            batch.within = batch.within.min(within);
            return;
        }
    }
    let set = SeqSet::one(seq);
    batches.push(Batch { at, set, within });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::record::Key;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::{Config, Output};

    #[test]
    fn two_are_asked_at_once_for_what_there_is_one_chance_more_to_get() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let via: Vec<usize> = (0..5).map(|_| rig.listener(Config::default(), &[host])).collect();
        let at = rig.listener(Config::default(), &via);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        mesh.stripes[0].pushed = now;
        let missing = Seq(mesh.window.newest().0 + 1);
        let mut asked = |tries: u8, left: Duration| {
            mesh.heard = (now + left).since(mesh.playback.published(missing, mesh.chunk_time()));
            mesh.repair.wants.clear();
            mesh.repair.want(missing, now);
            for _ in 0..tries {
                mesh.repair.wants[0].ask(Key(1), now);
            }
            while mesh.poll_output().is_some() {}
            mesh.ask(now);
            let outputs = std::iter::from_fn(|| mesh.poll_output());
            let asks = outputs.filter_map(|output| match output {
                Output::Send {
                    to,
                    message: Message::Want { set, .. },
                    ..
                } if set.iter().eq([missing]) => Some(to),
                _ => None,
            });
            asks.collect::<Vec<_>>()
        };
        let (short, long) = (Duration::from_millis(30), Duration::from_millis(600));
        assert_eq!(asked(0, short).len(), 1, "the first ask is hardly ever lost");
        assert_eq!(asked(1, long).len(), 1);
        let both = asked(1, short);
        assert!(both.len() == 2 && both[0] != both[1], "{both:?}");
    }

    #[test]
    fn a_parent_is_not_asked_for_what_it_is_about_to_send() {
        let (mut rig, host, relay) = Rig::relayed();
        let at = rig.listener(Config::default(), &[relay, host]);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let parent = rig.nodes[relay].peer;
        let mesh = &mut rig.nodes[at].mesh;
        assert_eq!(mesh.parent(0), Some(parent));
        let missing = Seq(mesh.window.newest().0 + 1);
        mesh.repair.want(missing, now);
        let want = mesh.repair.wants[0].clone();
        let due = mesh.stripes[0].usual_arrival(missing.0, mesh.chunk_time());
        let mut asks_parent = |after: Duration| {
            let at = mesh.whom_to_ask(&want, due + after - Duration::from_millis(1)).unwrap();
            mesh.members.list[at].peer == parent
        };
        assert!(!asks_parent(Duration::ZERO) && asks_parent(Duration::from_millis(50)));
    }

    #[test]
    fn an_ask_stands_until_it_is_over_however_old_the_chunk_seems() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let mesh = &mut rig.nodes[at].mesh;
        let missing = Seq(mesh.window.newest().0 + 1);
        let now = mesh.playback.published(missing, mesh.chunk_time()) + mesh.config.deadline;
        mesh.repair.want(missing, now);
        mesh.repair.wants[0].ask(Key(1), now);
        mesh.repair.wants[0].due = now + SLACK;
        mesh.ask(now);
        assert_eq!(mesh.repair.wants.len(), 1);
        mesh.ask(now + SLACK);
        assert!(mesh.repair.wants.is_empty());
    }

    #[test]
    fn a_refusal_that_comes_too_soon_is_that_of_an_earlier_ask() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let now = rig.now;
        let mesh = &mut rig.nodes[at].mesh;
        let missing = Seq(mesh.window.newest().0 + 1);
        let later = now + Duration::from_secs(1);
        mesh.members.list[0].rtt_us = 40_000;
        mesh.repair.want(missing, now);
        let mut waits = |asked: u64, refused: u64| {
            let (asked, refused) = (now + Duration::from_millis(asked), now + Duration::from_millis(refused));
            mesh.repair.wants[0].ask(mesh.members.list[0].key, asked);
            mesh.repair.wants[0].due = later;
            mesh.on_lack(0, SeqSet::one(missing), refused);
            mesh.repair.wants[0].due == later
        };
        assert!(!waits(0, 20), "it was asked once");
        assert!(waits(50, 70), "nobody answers so soon");
        assert!(!waits(100, 140));
    }

    #[test]
    fn a_root_asks_the_host_every_second_time() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        let roots: Vec<usize> = (0..4).map(|_| rig.listener(Config::default(), &[host])).collect();
        rig.run(Duration::from_secs(8));
        let (now, host) = (rig.now, rig.nodes[host].peer);
        let mesh = &mut rig.nodes[roots[0]].mesh;
        let stripe = (0..4).find(|stripe| mesh.parent(*stripe) == Some(host)).unwrap();
        let newest = mesh.window.newest().0;
        let missing = Seq(newest - newest % 4 + 4 + u64::from(stripe));
        let now = now.max(mesh.stripes[usize::from(stripe)].usual_arrival(missing.0, mesh.chunk_time()));
        // Nobody else is as near.
        for n in mesh.members.list.iter_mut().filter(|n| n.peer != host) {
            n.rtt_us = 40_000;
        }
        mesh.repair.want(missing, now);
        let mut want = mesh.repair.wants.pop().unwrap();
        let mut asked = Vec::new();
        for _ in 0..6 {
            let at = mesh.whom_to_ask(&want, now).unwrap();
            asked.push(mesh.members.list[at].peer == host);
            want.ask(mesh.members.list[at].key, now);
        }
        assert_eq!(asked[..4], [false, true, false, true], "{asked:?}");
        assert!(asked[5]);
    }
}
