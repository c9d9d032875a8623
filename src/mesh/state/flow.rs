//! Chunks on their way: published, received, verified, passed on; bursts for newcomers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::spend::{FEED_SHARE, LEAVING_SHARE};
use super::{Mesh, Phase, bit};
use crate::limits::CHUNK_PAYLOAD_MAX_BYTES;
use crate::mesh::chunk::SignedChunk;
use crate::mesh::record::Key;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{CHUNK_HEADER_BYTES, Message, Pushed};
use crate::mesh::{Delivery, Event, OffAirReason};
use crate::units::{Seq, Time};

/// That the best way from the host to here is longer than this, or than half the deadline, nobody need believe.
const WAY_MAX: Duration = Duration::from_millis(600);
/// Chunks older than this serve no deadline there is; who sends them means no good.
const LONG_AGO: Duration = Duration::from_secs(20);
/// Beyond this share of the budget children that may be gone get nothing: others need it more.
const QUIET_SHARE: f64 = 0.9;
/// A watch happens at least this often while chunks flow; arrivals watch, too.
pub(super) const WATCH_MIN: Duration = Duration::from_millis(40);
/// How long arrivals are waited for at most, which watch as well.
const LAZY_MAX: Duration = Duration::from_millis(120);
/// Chunks of a parent in a row that come after their time was over: its chunks come later than was thought.
const BEHIND_MAX: u8 = 6;
/// Hops that are believed.
const HOPS_LIMIT: u8 = 64;

impl Mesh {
    pub(super) fn publish(&mut self, payload: Bytes, now: Time) {
        if !self.is_source || self.phase != Phase::Running || payload.len() > CHUNK_PAYLOAD_MAX_BYTES {
            return;
        }
        let seq = Seq(self.next_seq);
        self.next_seq += 1;
        let chunk = SignedChunk::sign(self.channel, self.epoch(), seq, payload, self.crypto.as_ref());
        let stripe = seq.stripe(self.stripe_count()).0;
        let chunk_time = self.chunk_time();
        self.playback
            .on_chunk(seq, stripe, now, chunk_time, Duration::ZERO, now);
        self.take(chunk, 0, Duration::ZERO, None, now);
        self.watch_if_due(now);
    }

    pub(super) fn on_chunk(&mut self, at: usize, pushed: Pushed, now: Time) {
        let Some(session) = self.session.clone() else { return };
        let chunk = pushed.chunk;
        if self.is_source || !self.is_due(chunk.seq) {
            return;
        }
        if pushed.mark != session.epoch.mark() {
            // While one host follows another, peers on either side of the change are ahead of the others for a moment. (Where 2 % of all
            // is lost a host that came back was banned, for its chunks were there before the session that explains them.)
            let changing = now.since(self.adopted_at) < self.config.takeover || now.since(self.fresh_at) > self.round();
            let rival = self.rival.as_ref().map(|rival| rival.epoch.mark());
            if changing || rival == Some(pushed.mark) {
                return;
            }
            return self.strike(at, "chunks of another session", now);
        }
        let seq = chunk.seq;
        // A copy of what we hold is as good as verified; nothing else counts for anything before it is.
        if self.window.get(seq).is_some_and(|held| **held == *chunk) {
            self.totals.duplicates += 1;
            return self.note_push(at, seq, false, now);
        }
        if self.window.is_past(seq) {
            // One with a longer deadline passes on what is too old for us; nobody's deadline is that long.
            if now.since(self.playback.published(seq, session.chunk_time)) > LONG_AGO {
                self.strike(at, "chunks of long ago", now);
            }
            return;
        }
        if !self
            .crypto
            .verify_chunk(&session.signing_key, self.channel, session.epoch, &chunk)
        {
            let peer = self.members.list[at].peer;
            return self.ban(peer, "a chunk the host did not sign", now);
        }
        if self.window.has(seq) {
            return self.strike(at, "two chunks of one number", now);
        }
        self.totals.payload_received_bytes += chunk.payload.len() as u64;
        let claimed = pushed.age.min(Duration::from_secs(60)) + self.way_of(&self.members.list[at]);
        let hops = pushed.hops.min(HOPS_LIMIT);
        if let Some(want) = self.repair.close(seq) {
            self.totals.repaired += 1;
            self.repair.note_late(seq, now);
            let neighbour = &mut self.members.list[at];
            if want.has_asked(neighbour.key) {
                neighbour.met = neighbour.met.saturating_add(1);
            }
        }
        let stripe = seq.stripe(session.stripes).0;
        let way = WAY_MAX.min(self.config.deadline / 2);
        let published = now - claimed;
        self.playback
            .on_chunk(seq, stripe, published, session.chunk_time, way, now);
        let age = self.age_of(seq, now);
        self.fresh_at = now;
        self.told_silent = false;
        let from = self.members.list[at].key;
        self.take(chunk, hops, age, Some(from), now);
        self.note_push(at, seq, true, now);
        self.watch_if_due(now);
    }

    /// Whether a chunk may still come: after the host's farewell those up to its last one do.
    fn is_due(&self, seq: Seq) -> bool {
        match self.phase {
            Phase::Running => true,
            Phase::Ended => self.farewell.as_ref().is_some_and(|farewell| seq <= farewell.last),
            Phase::Left => false,
        }
    }

    /// Keeps a verified chunk and passes it on. A source is a relay without a parent, so both come through here.
    fn take(&mut self, chunk: Arc<SignedChunk>, hops: u8, age: Duration, from: Option<Key>, now: Time) {
        let seq = chunk.seq;
        if !self.window.insert(Arc::clone(&chunk)) {
            return;
        }
        let stripe = seq.stripe(self.stripe_count()).0;
        if !self.is_old(seq, age, now) {
            let bit = bit(stripe);
            // The whole second is only looked at when there is somebody to leave out.
            let is_pressed = self.has_quiet_child(stripe, now) && self.is_pressed(QUIET_SHARE, now);
            let children = if self.members.feeding & bit == 0 {
                0
            } else {
                self.members.list.len()
            };
            let order = if children == 0 {
                Vec::new()
            } else {
                self.feeding_order(stripe, chunk.payload.len(), now)
            };
            for n in 0..children {
                let at = order.get(n).copied().unwrap_or(n);
                let neighbour = &self.members.list[at];
                if neighbour.fed & bit == 0
                    || Some(neighbour.key) == from
                    || is_pressed && self.is_quiet(neighbour, now)
                    || self.is_in_burst(neighbour.key, stripe, seq)
                {
                    continue;
                }
                let share = if neighbour.leaving & bit == 0 {
                    FEED_SHARE
                } else {
                    LEAVING_SHARE
                };
                if self.may_feed(chunk.payload.len(), share, now) {
                    self.pass_on(at, &chunk, hops, age, false, now);
                } else {
                    self.owe(at, seq, now);
                }
            }
        }
        for key in self.repair.release(seq, now) {
            if let Some(at) = self.members.by_key(key)
                && self.members.list[at].fed & bit(stripe) == 0
                && self.may_spend(chunk.payload.len(), now)
            {
                self.pass_on(at, &chunk, hops, age, true, now);
            }
        }
        // The host may listen to itself: so it does to a station that it receives for others.
        let chunk = chunk.at(self.channel, self.epoch(), hops, age, now);
        self.tell(Event::Chunk(Arc::new(chunk)));
    }

    /// Whom to feed first, where the budget does not bear all: those who pass most on, for the others can have it from them, and those
    /// who are about to go last. Empty where it does. (The only root of 10,000 listeners, with too much to say, left out all its
    /// children, one of whom was to go: nobody else ever heard that chunk.)
    pub(super) fn feeding_order(&mut self, stripe: u8, payload_bytes: usize, now: Time) -> Vec<usize> {
        let list = &self.members.list;
        let fed = list.iter().filter(|n| n.fed & bit(stripe) != 0).count();
        let around = CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        if fed < 2 || self.may_feed((payload_bytes + around) * fed - around, LEAVING_SHARE, now) {
            return Vec::new();
        }
        let list = &self.members.list;
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|at| {
            (
                list[*at].leaving & bit(stripe) != 0,
                std::cmp::Reverse(list[*at].slots()),
            )
        });
        order
    }

    /// Sends a chunk unless it is too old for anybody; `extra` when it is not part of the steady feeding that slots account
    /// for.
    pub(super) fn pass_on(
        &mut self,
        at: usize,
        chunk: &Arc<SignedChunk>,
        hops: u8,
        age: Duration,
        extra: bool,
        now: Time,
    ) -> bool {
        if self.is_old(chunk.seq, age, now) {
            return false;
        }
        self.totals.payload_sent_bytes += chunk.payload.len() as u64;
        let pushed = Pushed {
            hops: hops + 1,
            age,
            mark: self.epoch().mark(),
            chunk: Arc::clone(chunk),
        };
        let bytes = chunk.payload.len() + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        if extra {
            self.upload.charge(bytes, now);
        } else {
            self.upload.feed(bytes, now);
        }
        self.send(at, Message::Chunk(pushed), Delivery::Datagram, now);
        true
    }

    /// Learns from a chunk how the stripe flows, and whether a new parent has begun.
    pub(super) fn note_push(&mut self, at: usize, seq: Seq, fresh: bool, now: Time) {
        let neighbour = &mut self.members.list[at];
        neighbour.progress = neighbour.progress.max(seq);
        let (key, rtt) = (neighbour.key, neighbour.one_way() * 2);
        let chunk_time = self.chunk_time();
        let stripe = seq.stripe(self.stripe_count()).0;
        let state = &self.stripes[usize::from(stripe)];
        if state.candidate.as_ref().is_some_and(|candidate| candidate.key == key) {
            self.promote(stripe, now);
        }
        let is_parent = self.stripes[usize::from(stripe)].parent == Some(key);
        self.repair.answers.came(key, seq, rtt, is_parent, now);
        if is_parent && !self.stripes[usize::from(stripe)].proven {
            self.stripes[usize::from(stripe)].proven = true;
            self.members.barren.clear(key);
        }
        let count = u64::from(self.stripe_count());
        let state = &mut self.stripes[usize::from(stripe)];
        // A burst brings the past, and what was asked for comes after what follows it: only what is next tells how the stripe flows. A copy
        // tells it, too. (While only what was new did, a parent that passed everything on late was never found out: each chunk was
        // asked for, and came from others before it came from the parent.) Chunks that nobody has yet are no past.
        let is_lie = state.is_settled(now) && state.past > self.window.newest();
        if is_parent && (seq > state.past || is_lie) {
            state.past = seq;
            let is_awaited = match state.expect.get() {
                Some(expect) => seq.0 + count >= expect,
                None => state.told.is_none_or(|told| seq >= told),
            };
            state.behind = if is_awaited { 0 } else { state.behind + 1 };
            if state.behind >= BEHIND_MAX {
                state.is_timed = false;
            }
            if is_awaited || !state.is_timed {
                state.behind = 0;
                state.on_push(seq, chunk_time, now);
                if let Some(best) = self.best_offset().0 {
                    self.playback.on_live(seq, chunk_time, best, now);
                }
                let state = &mut self.stripes[usize::from(stripe)];
                if let Some(path) = state.silenced.take() {
                    // It was only slow; to look elsewhere would upset all who hang below.
                    state.path = Some(path);
                    state.lost = None;
                    self.announce_path(stripe, now);
                }
            } else {
                state.pushed = now;
            }
        } else if is_parent && (fresh || state.pushed < state.since) {
            state.pushed = now;
        }
        if fresh {
            self.account(stripe, seq, now);
        }
        let neighbour = &self.members.list[at];
        // The host must know at once whether its roots are there: it hears of each with every second chunk it gives.
        // (Half a round less, for chunks do not come evenly.)
        let usual = self.report_span() - self.round() / 2;
        let every = if neighbour.is_host() {
            usual.min(self.root_span() * 3 / 4)
        } else {
            usual
        };
        if neighbour.feeds != 0 && now.since(neighbour.reported) >= every {
            self.report(at, now);
        }
    }

    /// Notes which chunks of a stripe are accounted for; skipped ones are wanted.
    fn account(&mut self, stripe: u8, seq: Seq, now: Time) {
        let count = u64::from(self.stripe_count());
        let chunk_time = self.chunk_time();
        let reach = (self.config.deadline.as_micros() / chunk_time.as_micros().max(1)) as u64;
        let margin = self.margin(&self.stripes[usize::from(stripe)]);
        let state = &mut self.stripes[usize::from(stripe)];
        let expect = state.expect.get().unwrap_or_else(|| {
            // The first of a burst: what lies between it and the present is on its way.
            let told = state.told.filter(|told| (seq.0..seq.0 + reach).contains(&told.0));
            told.map_or(seq.0, |told| seq.0 + (told.0 - seq.0) / count * count + count)
        });
        state.expect.set(expect);
        if seq.0 >= expect {
            let oldest = self.window.oldest().0;
            let mut missing = expect;
            if missing + count < oldest {
                missing += (oldest - missing) / count * count;
            }
            while missing < seq.0 {
                if !self.window.has(Seq(missing)) {
                    self.repair.want(Seq(missing), now + margin);
                    self.timers.by(Timer::Repair, now + margin);
                }
                missing += count;
            }
            state.expect.set(seq.0 + count);
        } else {
            // A burst of the past, oldest first: what it should bring in between is asked for when it does not.
            let step = chunk_time * count as u32 / self.config.join_speed.max(1);
            for (n, missing) in (seq.0 + count..expect).step_by(count as usize).enumerate() {
                if !self.window.has(Seq(missing)) {
                    let due = now + step * (n as u32 + 1) + margin;
                    self.repair.want(Seq(missing), due);
                    self.timers.by(Timer::Repair, due);
                }
            }
        }
        for (other, state) in self.stripes.iter_mut().enumerate() {
            if other != usize::from(stripe) {
                state.outrun = state.outrun.saturating_add(1);
            }
        }
    }

    fn watch_if_due(&mut self, now: Time) {
        if self.watch_due <= now {
            self.watch(now);
        }
    }

    /// Looks for chunks that are overdue and for parents that are silent or late.
    pub(super) fn watch(&mut self, now: Time) {
        let Some(session) = self.session.clone() else { return };
        let chunk_time = session.chunk_time;
        let last = self.farewell.as_ref().map(|farewell| farewell.last);
        self.playback
            .advance(&self.window, self.config.deadline, chunk_time, last, now);
        if self.is_source || self.phase != Phase::Running {
            let look = self.suspect_children(now);
            self.watch_due = look.min(now + chunk_time.max(WATCH_MIN));
            self.timers.set(Timer::Watch, self.watch_due);
            return self.check_roots(now);
        }
        let look = self.suspect_parents(now);
        let mut next = look.min(self.suspect_children(now));
        for stripe in 0..session.stripes {
            next = next.min(self.want_overdue(stripe, now));
            next = next.min(self.judge_parent(stripe, now));
        }
        self.watch_due = next;
        // Arrivals watch, too, and usually before this; where they are rare, each is worth a look of its own.
        let lazy = next.max(now + (chunk_time * 2).min(LAZY_MAX) + WATCH_MIN);
        self.timers.set(Timer::Watch, lazy.min(look));
        if !self.told_silent && self.fresh_at > Time::ZERO && now.since(self.fresh_at) > self.config.off_air {
            self.told_silent = true;
            self.tell(Event::OffAir {
                reason: OffAirReason::Silent,
            });
        }
        self.consider_rival(now);
    }

    /// Hops of a stripe from the host to this node.
    pub(super) fn hops_of(&self, stripe: u8) -> u8 {
        self.stripes
            .get(usize::from(stripe))
            .map_or(0, |state| state.depth() as u8)
    }
}
