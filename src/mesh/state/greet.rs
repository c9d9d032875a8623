//! Connections, hellos, sessions, records, farewells: who is there and what is on air.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Mesh, Phase, bit, stripes_of};
use crate::limits::CONTROL_MESSAGE_MAX_BYTES;
use crate::mesh::budget::Upload;
use crate::mesh::record::PeerRecord;
use crate::mesh::repair::Repair;
use crate::mesh::session::Session;
use crate::mesh::stripe::StripeState;
use crate::mesh::timer::Timer;
use crate::mesh::window::Window;
use crate::mesh::wire::{Farewell, Hello, Message, RECORDS_MAX, VERSION};
use crate::mesh::{CloseReason, Delivery, Event, OffAirReason, Output};
use crate::units::{Epoch, PeerId, Seq, Time};

/// What greetings cost: a hello, the session, some records, a refusal. Nobody is let in to whom the budget does not bear them,
/// though the handshake is spent by then.
const GREETING_BYTES: usize = 1_100;
/// Records given unasked to one that has been here before: it knows enough, and exchanges some now and then.
const RECORDS_FOR_SPARES: usize = 2;
/// Chunks that may be asked for at once and in a second, however few there are. (With six and one at 240 ms those below a slow one had
/// soon used them up, and missed what they asked nobody for.)
const REPAIRS_MIN: f64 = 25.0;
const REPAIRS_PER_SECOND_MIN: f64 = 2.5;
/// Share of the budget up to which a newcomer is told of others unasked.
const GREETING_SHARE: f64 = 0.85;
/// Chunks at the end of a show that are asked for after the farewell: more than can be under way.
const LAST_MAX: u64 = 16;

impl Mesh {
    pub(super) fn on_connected(
        &mut self,
        peer: PeerId,
        remote: SocketAddr,
        dialled: bool,
        rtt: Option<Duration>,
        now: Time,
    ) {
        if peer == self.me || self.standing.is_banned(&peer, now) {
            let reason = if peer == self.me {
                CloseReason::Done
            } else {
                CloseReason::Banned
            };
            self.members.dial_failed(Some(peer), &[remote], now);
            return self.out.push_back(Output::Disconnect { peer, reason });
        }
        // In a full second one who comes is better off with those it is told of.
        let is_full = !dialled && !self.has_room_for_guests(now);
        let max = if is_full { 0 } else { self.config.neighbours_max };
        let Some(at) = self.members.add(peer, remote, dialled, max, now) else {
            self.show_others(peer, now);
            let reason = CloseReason::Done;
            return self.out.push_back(Output::Disconnect { peer, reason });
        };
        if let Some(rtt) = rtt {
            self.members.list[at].measured(rtt);
        }
        if dialled {
            self.greet(at, now);
            self.ping_unmeasured(at, now);
            self.ask_to_attach(at, now);
        }
    }

    /// Whether the answers to one more who comes have room in this second. (To count those in, too, who have come and not
    /// spoken yet turned so many away that newcomers started a tenth of a second later.)
    fn has_room_for_guests(&mut self, now: Time) -> bool {
        self.bears(GREETING_BYTES, now)
    }

    /// A full house names others before it closes: who came by the host's own link knows nobody else.
    fn show_others(&mut self, to: PeerId, now: Time) {
        let most = if self.may_spend(CONTROL_MESSAGE_MAX_BYTES, now) {
            RECORDS_MAX
        } else {
            1
        };
        let others = self.members.sample(most, &to, &mut self.rng);
        let message = Message::Bye { others };
        if !self.bears_message(&message, now) {
            return;
        }
        let bytes = message.encoded_len() + self.config.packet_overhead_bytes;
        self.upload.charge(bytes, now);
        self.totals.sent_bytes += bytes as u64;
        let delivery = Delivery::Reliable;
        self.out.push_back(Output::Send { to, message, delivery });
    }

    fn greet(&mut self, at: usize, now: Time) {
        self.renew_load(now);
        let neighbour = &mut self.members.list[at];
        if std::mem::replace(&mut neighbour.greeted, true) {
            return;
        }
        self.say_hello(at, now);
    }

    /// Says who we are, or that it has changed: a newcomer does not know its own room before it knows the session.
    pub(super) fn say_hello(&mut self, at: usize, now: Time) {
        let load = self.load_for(at, now);
        let hello = Hello {
            version: VERSION,
            epoch: self.session.as_ref().map_or(Epoch(0), |session| session.epoch),
            listens: self.config.listens,
            observed: self.members.remote(at),
            load,
            record: Arc::clone(&self.record),
        };
        self.send(at, Message::Hello(Box::new(hello)), Delivery::Reliable, now);
    }

    pub(super) fn on_hello(&mut self, at: usize, hello: Hello, now: Time) {
        let peer = self.members.list[at].peer;
        if hello.record.peer != peer || !hello.record.verify(self.crypto.as_ref()) {
            return self.ban(peer, "a record that is not its own", now);
        }
        if hello.version == 0 {
            return self.drop_peer(peer, CloseReason::Done, now);
        }
        let max = self.config.passive_max;
        let key = self.members.list[at].key;
        self.members.learn(&hello.record, key, max, &mut self.rng);
        let neighbour = &mut self.members.list[at];
        let is_first = neighbour.record.is_none();
        let is_newcomer = hello.epoch == Epoch(0);
        neighbour.load = hello.load;
        neighbour.record = Some(hello.record);
        neighbour.epoch = hello.epoch;
        let dialled = neighbour.dialled;
        self.greet(at, now);
        if is_first {
            self.tell(Event::Observed {
                by: peer,
                addr: hello.observed,
            });
        }
        self.share_session(at, now);
        if is_first && !dialled {
            let most = if self.is_pressed(GREETING_SHARE, now) {
                0
            } else if is_newcomer {
                RECORDS_MAX
            } else {
                RECORDS_FOR_SPARES
            };
            let records = self.members.sample(most, &peer, &mut self.rng);
            let is_any = !records.is_empty();
            let message = Message::Peers { answer: false, records };
            if is_any && self.bears_message(&message, now) {
                self.send(at, message, Delivery::Reliable, now);
            }
        }
        if is_first && !dialled {
            self.ping_unmeasured(at, now);
        }
        if let Some(farewell) = self.farewell.clone().filter(|_| self.phase == Phase::Ended) {
            self.send(at, Message::Farewell(farewell), Delivery::Reliable, now);
        }
        self.seek(now);
    }

    /// Sends our session to a neighbour that is in another one, or in none. One that is in a newer session hears of ours only
    /// when ours has gone on beside that: an old session that nobody feeds is no news to a host that came back.
    pub(super) fn share_session(&mut self, at: usize, now: Time) {
        let Some(session) = self.session.clone() else { return };
        let neighbour = &self.members.list[at];
        let is_news = neighbour.epoch < session.epoch || self.outlives_rival(now);
        if neighbour.record.is_some() && neighbour.epoch != session.epoch && is_news {
            let message = Message::Session(session);
            // In a full second it waits for the next look at the neighbours: all of them change at once, and most hear of it from
            // others.
            if self.bears_message(&message, now) {
                self.members.list[at].epoch = self.epoch();
                self.send(at, message, Delivery::Reliable, now);
            }
        }
    }

    /// Tells the session to all who may not have it yet.
    pub(super) fn share_sessions(&mut self, now: Time) {
        for at in 0..self.members.list.len() {
            self.share_session(at, now);
        }
    }

    pub(super) fn on_session(&mut self, at: usize, session: Arc<Session>, now: Time) {
        let known = |ours: &Option<Arc<Session>>| ours.as_ref().is_some_and(|ours| **ours == *session);
        if known(&self.session) {
            self.members.list[at].epoch = session.epoch;
            return;
        }
        if known(&self.rival) {
            return;
        }
        let peer = self.members.list[at].peer;
        if session.channel != self.channel || session.check_ranges().is_err() {
            return self.strike(at, "sessions of another channel", now);
        }
        let signed = session.signed_bytes();
        if !self.crypto.verify(&session.channel.0, &signed, &session.signature) {
            return self.ban(peer, "a session the channel did not sign", now);
        }
        let unix_s = self.config.unix_at_origin_s;
        if unix_s > 0 && session.expires_unix_s < unix_s + now.0 / 1_000_000 {
            return;
        }
        self.members.list[at].epoch = session.epoch;
        if self.is_source {
            return self.meet_another_host(session);
        }
        if session.epoch < self.last_epoch || session.epoch <= self.epoch() {
            return;
        }
        let is_fed =
            self.session.is_some() && self.phase == Phase::Running && now.since(self.fresh_at) < self.config.takeover;
        if is_fed {
            self.rival = Some(session);
            self.rival_at = now;
        } else {
            self.adopt(session, now);
        }
    }

    /// Another session of the channel that we host is alive: told once for each.
    fn meet_another_host(&mut self, session: Arc<Session>) {
        let is_told = self.rival.as_ref().is_some_and(|told| told.epoch >= session.epoch);
        if session.epoch != self.epoch() && !is_told {
            self.tell(Event::AnotherHost { epoch: session.epoch });
            self.rival = Some(session);
        }
    }

    /// Begins a session: everything that belongs to an older one is forgotten.
    pub(super) fn adopt(&mut self, session: Arc<Session>, now: Time) {
        let chunk_time = session.chunk_time;
        let per_second = 1.0 / chunk_time.as_secs_f64();
        let config = Arc::clone(&self.config);
        self.last_epoch = session.epoch;
        self.adopted_at = now;
        self.stripes = vec![StripeState::default(); usize::from(session.stripes)];
        let span = config.deadline + Duration::from_secs(1);
        self.window = Window::new(span, chunk_time);
        self.repair = Repair::new(
            (per_second * config.repair_share).max(REPAIRS_PER_SECOND_MIN),
            (per_second * config.repair_burst.as_secs_f64()).max(REPAIRS_MIN),
            now,
        );
        self.bursts.clear();
        self.arrears.clear();
        self.playback = crate::mesh::playback::Playback::default();
        self.rival = None;
        self.farewell = None;
        self.phase = Phase::Running;
        self.audience = None;
        self.members.begin_session(session.host);
        if self.is_source {
            for stripe in &mut self.stripes {
                stripe.path = Some(Arc::from([self.key].as_slice()));
            }
        }
        // Who was asked before the number of stripes was known.
        if self.session.is_none() {
            let all = ((1u32 << session.stripes) - 1) as u16;
            for neighbour in &self.members.list {
                for stripe in stripes_of(neighbour.asked_blind & all) {
                    self.stripes[usize::from(stripe)].asked.push((neighbour.key, now));
                }
            }
        }
        self.session = Some(Arc::clone(&session));
        self.upload = Upload::new(self.upload_bps, self.round()).after(&mut self.upload, now);
        self.resize_slots(now);
        self.tell(Event::Session(session));
        self.share_sessions(now);
        self.timers.by(Timer::Seek, now);
        self.timers.by(Timer::Watch, now + chunk_time);
    }

    /// Takes the newer session once the current one has been silent; one that goes on is shown to those of the newer one, so
    /// that their host learns that it is not alone.
    pub(super) fn consider_rival(&mut self, now: Time) {
        if self.is_source {
            return;
        }
        let is_silent = self.phase == Phase::Ended || now.since(self.fresh_at) >= self.config.takeover;
        if is_silent {
            if let Some(rival) = self.rival.take() {
                self.adopt(rival, now);
            }
        } else if self.outlives_rival(now) {
            self.share_sessions(now);
        }
    }

    /// Whether our session has been fed for as long as a change of hosts takes since a newer one became known; a host's own is
    /// alive by itself.
    fn outlives_rival(&self, now: Time) -> bool {
        let is_fed =
            self.fresh_at >= self.rival_at + self.config.takeover && now.since(self.fresh_at) < self.config.takeover;
        self.phase == Phase::Running && (self.is_source || self.rival.is_some() && is_fed)
    }

    pub(super) fn on_peers(&mut self, at: usize, answer: bool, records: &[Arc<PeerRecord>], now: Time) {
        if !self.learn(at, records, now) {
            return;
        }
        if answer {
            let peer = self.members.list[at].peer;
            let records = self.members.sample(RECORDS_MAX, &peer, &mut self.rng);
            let message = Message::Peers { answer: false, records };
            if self.bears_small_message(&message, now) {
                self.send(at, message, Delivery::Reliable, now);
            }
        }
        self.seek(now);
    }

    /// Verifies and keeps records; false when one was forged and its sender is gone.
    pub(super) fn learn(&mut self, at: usize, records: &[Arc<PeerRecord>], now: Time) -> bool {
        let (peer, key) = (self.members.list[at].peer, self.members.list[at].key);
        for record in records {
            if record.peer == self.me || self.standing.is_banned(&record.peer, now) || self.members.knows(record) {
                continue;
            }
            if !record.verify(self.crypto.as_ref()) {
                self.ban(peer, "a forged record", now);
                return false;
            }
            self.members.learn(record, key, self.config.passive_max, &mut self.rng);
        }
        true
    }

    pub(super) fn on_farewell(&mut self, at: usize, farewell: Arc<Farewell>, now: Time) {
        let Some(session) = self.session.clone() else { return };
        if self.phase == Phase::Ended || farewell.epoch != session.epoch || self.is_source {
            return;
        }
        let signed = Farewell::signed_bytes(self.channel, farewell.epoch, farewell.last);
        if !self.crypto.verify(&session.signing_key, &signed, &farewell.signature) {
            let peer = self.members.list[at].peer;
            return self.ban(peer, "a forged farewell", now);
        }
        for other in 0..self.members.list.len() {
            if other != at {
                self.send(other, Message::Farewell(Arc::clone(&farewell)), Delivery::Reliable, now);
            }
        }
        self.want_the_last(farewell.last, now);
        self.farewell = Some(farewell);
        self.phase = Phase::Ended;
        self.tell(Event::OffAir {
            reason: OffAirReason::Ended,
        });
        self.consider_rival(now);
    }

    /// Nothing newer will show that the end of the show is missing.
    fn want_the_last(&mut self, last: Seq, now: Time) {
        if self.window.is_empty() {
            return;
        }
        let newest = self.window.newest().0;
        let due = now + self.config.repair_margin;
        for missing in newest + 1..=last.0.min(newest + LAST_MAX) {
            self.repair.want(Seq(missing), due);
            self.timers.by(Timer::Repair, due);
        }
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId, now: Time) {
        let Some(at) = self.members.find(&peer) else { return };
        let gone = self.members.remove(at);
        for (index, stripe) in self.stripes.iter_mut().enumerate() {
            stripe.asked.retain(|(key, _)| *key != gone.key);
            if stripe
                .candidate
                .as_ref()
                .is_some_and(|candidate| candidate.key == gone.key)
            {
                stripe.candidate = None;
            }
            if stripe.parent == Some(gone.key) {
                stripe.left = Some(Box::new(peer));
                debug_assert!(gone.feeds & bit(index as u8) != 0);
            }
        }
        for stripe in stripes_of(gone.feeds) {
            self.lose_parent(stripe, gone.key, now);
        }
        self.bursts.retain(|burst| burst.to != gone.key);
        self.repair.held.retain(|held| held.by != gone.key);
        if gone.fed != 0 {
            self.offer_freed(gone.fed, now);
        }
        self.seek(now);
    }

    pub(super) fn on_dial_failed(&mut self, peer: Option<PeerId>, addrs: &[SocketAddr], now: Time) {
        self.dial_allowance.give_back(1.0);
        // Records are kept when nothing at all was heard since: then it may be we who are cut off, and they are the way back.
        let begun = peer.and_then(|peer| self.members.dials.begun(&peer));
        if let Some(peer) = peer.filter(|_| begun.is_none_or(|begun| self.spoken_at > begun)) {
            self.members.forget(&peer, now);
        }
        self.members.dial_failed(peer, addrs, now);
        self.timers.by(Timer::Seek, now + self.config.attach_timeout);
    }
}
