//! What happens every half second: reports to parents, a look at the children, neighbours kept at the right number.

use std::sync::Arc;
use std::time::Duration;

use super::spend::{HARD_PRESSED, PRESSED};
use super::{Mesh, Phase, bit};
use crate::mesh::member::Neighbour;
use crate::mesh::record::PeerRecord;
use crate::mesh::timer::Timer;
use crate::mesh::wire::{Audience, Load, Message, Need, RECORDS_MAX, Status};
use crate::mesh::{CloseReason, Delivery};
use crate::units::{Seq, Time};

/// Pings without an answer after which a neighbour is given up.
const UNANSWERED_MAX: u8 = 3;
/// ...and has been silent for so long.
const SILENT_MIN: Duration = Duration::from_secs(3);
/// How often the audience figures travel down.
const AUDIENCE_EVERY: Duration = Duration::from_secs(3);
/// A connection that never said hello is ended.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Who hangs at the host and acknowledges nothing new for so long passes nothing on, whatever it answers.
const DEAD_ROOT: Duration = Duration::from_millis(1_250);
/// Times more spares at the host.
const ROOT_SPARES: usize = 2;
/// Half seconds, on average, between two dials of a spare by one who has some.
const SPARE_CHANCE: usize = 64;
/// Who has fewer neighbours dials more often.
const LONELY: usize = 5;
const LONELY_CHANCE: usize = 4;
/// Spares sent away in half a second, each with the names of others.
const SENT_AWAY_MAX: usize = 2;
/// A spare above the maximum is kept this long, for it may be about to attach.
const SPARE_GRACE: Duration = Duration::from_secs(5);

impl Mesh {
    pub(super) fn upkeep(&mut self, now: Time) {
        self.timers.set(Timer::Status, now + self.config.status_every);
        self.renew_load(now);
        self.share_relief(now);
        self.share_sessions(now);
        self.report_to_parents(now);
        self.check_children(now);
        self.check_neighbours(now);
        if !self.is_pressed(PRESSED, now) {
            self.keep_spares(now);
            self.shuffle(now);
            self.improve(now);
            self.mend(now);
            self.lift(now);
        }
        self.consider_rival(now);
        if self.is_source && now.since(self.audience_at) >= AUDIENCE_EVERY {
            let below = self.below();
            self.audience_at = now;
            self.pass_audience(below, now);
        }
        self.seek(now);
    }

    pub(super) fn renew_load(&mut self, now: Time) {
        let free = self.slots.saturating_sub(self.slots_used() as u8);
        let weakest = self
            .members
            .list
            .iter()
            .filter_map(|n| self.strength(n, now))
            .min()
            .unwrap_or(u8::MAX);
        let (fed, lag_ms) = if self.is_source {
            let open = (0..self.stripe_count()).filter(|stripe| self.has_room(*stripe, Need::Orphan));
            (open.fold(0, |mask, stripe| mask | bit(stripe)), 0)
        } else {
            let home = self.home();
            let lag = self.lag_of(home).filter(|_| self.is_fed(home));
            // A way to the host by which nothing has come for so long is none.
            let fed = if self.is_starving(now) { 0 } else { self.fed_mask() };
            (fed, lag.map_or(u16::MAX, |us| (us / 1_000).clamp(0, 60_000) as u16))
        };
        self.load = Load {
            free,
            weakest,
            slots: self.slots,
            fed,
            lag_ms,
        };
    }

    /// What a neighbour is told of our room: by a host, which feeds all stripes, of the one that the neighbour could pass on. (The
    /// weakest of all its roots may stand in another stripe: who is lifted to the host because of that one is refused.) The host is
    /// told of no child as using our room that has not shown that it hears us: roots that pass nothing on always have some, who come and
    /// go again.
    pub(super) fn load_for(&self, at: usize, now: Time) -> Load {
        if !self.is_source {
            let free = if self.members.list[at].is_host() {
                self.slots.saturating_sub(self.links_proven())
            } else {
                self.load.free
            };
            return Load { free, ..self.load };
        }
        let stripe = bit(self.members.list[at].key.home(self.stripe_count().max(1)));
        let roots = self.members.list.iter().filter(|n| n.fed & stripe != 0);
        let weakest = roots.filter_map(|n| self.strength(n, now)).min();
        Load {
            weakest: weakest.unwrap_or(u8::MAX),
            ..self.load
        }
    }

    /// Child links to those who have acknowledged something.
    fn links_proven(&self) -> u8 {
        let children = self.members.list.iter();
        let proven = children.filter(|n| n.child.as_ref().is_some_and(|child| child.acknowledged > Seq(0)));
        let links: u32 = proven.map(|n| (n.fed & !n.leaving).count_ones()).sum();
        u8::try_from(links).unwrap_or(u8::MAX)
    }

    /// Reports to parents that have been silent for too long to be told with their chunks.
    fn report_to_parents(&mut self, now: Time) {
        if self.is_source || self.phase != Phase::Running {
            return;
        }
        // (A parent under pressure leaves those out who do not report; they were left without a way for two seconds by one lost report.)
        let silent = self.round() + self.config.repair_margin;
        for at in 0..self.members.list.len() {
            let n = &self.members.list[at];
            let is_silent = now.since(n.heard) > silent;
            if n.feeds != 0 && is_silent && now.since(n.reported) >= self.config.report_every {
                self.report(at, now);
            }
        }
    }

    /// Reports to a parent: what it feeds, how far we are, what hangs below us.
    pub(super) fn report(&mut self, at: usize, now: Time) {
        let load = self.load_for(at, now);
        let neighbour = &mut self.members.list[at];
        neighbour.reported = now;
        let (fed, progress, key) = (neighbour.feeds, neighbour.progress, neighbour.key);
        let counts = self.stripes.first().and_then(|state| state.parent) == Some(key);
        let below = counts.then(|| self.below());
        let status = Status {
            fed,
            progress,
            load,
            below,
        };
        self.send(at, Message::Status(status), Delivery::Datagram, now);
    }

    /// This node and all that hang below it in the counting tree.
    pub(super) fn below(&self) -> Audience {
        let listens = self.config.listens && !self.is_source;
        let own = self.playback.continuity_ppm();
        let mut sum = Audience {
            listeners: u32::from(listens),
            relays: u32::from(!listens && !self.is_source),
            mean_ppm: own,
            worst_ppm: if listens { own } else { 1_000_000 },
        };
        let mut weighted = if listens { u64::from(own) } else { 0 };
        for below in self
            .members
            .list
            .iter()
            .filter_map(|n| n.child.as_ref()?.below.as_ref())
        {
            sum.listeners = sum.listeners.saturating_add(below.listeners);
            sum.relays = sum.relays.saturating_add(below.relays);
            sum.worst_ppm = sum.worst_ppm.min(below.worst_ppm);
            weighted += u64::from(below.listeners) * u64::from(below.mean_ppm);
        }
        sum.mean_ppm = weighted
            .checked_div(u64::from(sum.listeners))
            .map_or(1_000_000, |mean| mean as u32);
        sum
    }

    fn pass_audience(&mut self, audience: Audience, now: Time) {
        self.audience = Some(audience);
        for at in 0..self.members.list.len() {
            if self.members.list[at]
                .child
                .as_ref()
                .is_some_and(|child| child.below.is_some())
            {
                self.send(at, Message::Audience(audience), Delivery::Datagram, now);
            }
        }
    }

    pub(super) fn on_audience(&mut self, at: usize, audience: Audience, now: Time) {
        let key = self.members.list[at].key;
        if !self.is_source && self.stripes.first().is_some_and(|state| state.parent == Some(key)) {
            self.pass_audience(audience, now);
        }
    }

    pub(super) fn check_children(&mut self, now: Time) {
        // Those that do not even answer are cut much sooner.
        let dead_child = if self.is_source {
            DEAD_ROOT.max(self.root_span() * 3)
        } else {
            self.config.dead_child.max(self.report_span() * 3 + self.config.silence)
        };
        self.members.count_fed();
        for at in 0..self.members.list.len() {
            let neighbour = &self.members.list[at];
            let Some(child) = &neighbour.child else { continue };
            let (fed, leaving) = (neighbour.fed, neighbour.leaving);
            if now.since(neighbour.alive) > dead_child && self.phase == Phase::Running {
                self.cut(at, fed, now);
            } else if leaving != 0 && child.leave_by <= now {
                self.end_leave(at, now);
            }
        }
    }

    fn check_neighbours(&mut self, now: Time) {
        let mut gone = Vec::new();
        for at in 0..self.members.list.len() {
            let neighbour = &self.members.list[at];
            let mute = neighbour.record.is_none() && now.since(neighbour.since) > HELLO_TIMEOUT;
            let silent = now.since(neighbour.heard) > SILENT_MIN;
            if mute || neighbour.unanswered >= UNANSWERED_MAX && silent {
                gone.push(neighbour.peer);
            } else if now.since(neighbour.pinged.max(neighbour.asked)) >= self.ping_interval(at) {
                self.ping(at, now);
            }
        }
        for peer in gone {
            self.drop_peer(peer, CloseReason::Done, now);
        }
    }

    /// Unanswered pings are repeated soon: a spare that is dead must not be counted on. Parents and children are heard all the time;
    /// only how far they are is asked.
    fn ping_interval(&self, at: usize) -> Duration {
        let neighbour = &self.members.list[at];
        if neighbour.unanswered > 0 {
            self.config.status_every * 2
        } else if neighbour.is_spare() {
            self.config.ping_every
        } else {
            self.config.ping_every * 3
        }
    }

    /// Asks a new neighbour how far it is, unless the handshake has told.
    pub(super) fn ping_unmeasured(&mut self, at: usize, now: Time) {
        if self.members.list[at].rtt_us == 0 {
            self.ping(at, now);
        }
    }

    pub(super) fn ping(&mut self, at: usize, now: Time) {
        let (stamp, load) = (now.0 as u32, self.load_for(at, now));
        let message = Message::Ping { stamp, load };
        let bears = if self.members.list[at].is_spare() {
            self.bears_small_message(&message, now)
        } else {
            self.bears_message(&message, now)
        };
        if bears {
            let neighbour = &mut self.members.list[at];
            neighbour.pinged = now;
            neighbour.unanswered += 1;
            self.send(at, message, Delivery::Datagram, now);
        }
    }

    pub(super) fn on_ping(&mut self, at: usize, stamp: u32, load: Load, now: Time) {
        self.members.list[at].load = load;
        self.members.list[at].asked = now;
        self.hear_above(at, now);
        self.take_relief(load, now);
        let load = self.load_for(at, now);
        let message = Message::Pong { stamp, load };
        // Parents and children would take one that does not answer for gone.
        let bears = if self.members.list[at].is_spare() {
            !self.is_pressed(HARD_PRESSED, now) && self.bears_small_message(&message, now)
        } else {
            self.bears_duty(&message, now)
        };
        if bears {
            self.send(at, message, Delivery::Datagram, now);
        }
    }

    pub(super) fn on_pong(&mut self, at: usize, stamp: u32, load: Load, now: Time) {
        let neighbour = &mut self.members.list[at];
        neighbour.load = load;
        neighbour.excess_ms -= neighbour.excess_ms / 8;
        if stamp == neighbour.pinged.0 as u32 {
            let rtt = now.since(neighbour.pinged);
            neighbour.measured(rtt);
        }
        self.hear_above(at, now);
        self.hear_of_place(at, now);
        self.offer_root_to(at, now);
    }

    /// Keeps a few warm spares of our own choice, and sends away those beyond the maximum.
    fn keep_spares(&mut self, now: Time) {
        if self.phase == Phase::Left {
            return;
        }
        let spares: Vec<usize> = (0..self.members.list.len())
            .filter(|at| self.members.list[*at].is_spare())
            .collect();
        let is_mine = |n: &Neighbour| n.dialled && !n.is_mute(now);
        let mine = spares.iter().filter(|at| is_mine(&self.members.list[**at])).count();
        let pending = self.members.dials.eager(now);
        // Whoever stands by at the host is a root when all others of a stripe are gone.
        let times = if self.is_source { ROOT_SPARES } else { 1 };
        let short = mine + pending < self.config.spares_dialled * times;
        // One by one: spares become parents and are let go by the other side, and each new one costs a handshake.
        // Who knows hardly anybody has nobody to ask for what its parents lack. (Those who do not answer were counted, too: two seconds
        // after 70 % had gone one in forty had a single neighbour, and no more for four seconds.)
        let near = self.members.list.iter().filter(|n| !n.is_mute(now)).count();
        let is_lonely = near < LONELY && self.rng.below(LONELY_CHANCE) < LONELY - near;
        let now_and_then = mine == 0 || self.is_source || is_lonely || self.rng.below(SPARE_CHANCE) == 0;
        if short && now_and_then && !self.stripes.is_empty() {
            self.dial_spare(now);
        }
        let extra = spares
            .len()
            .saturating_sub(self.config.spares_max * times.min(2))
            .min(SENT_AWAY_MAX * times);
        // (Not the host, which has chosen whom it wants to stand by.)
        let may_go = spares.iter().rev().filter(|at| {
            let n = &self.members.list[**at];
            now.since(n.since) > SPARE_GRACE && !n.is_host() && (!n.dialled || mine > self.config.spares_dialled)
        });
        let gone: Vec<_> = may_go.take(extra).map(|at| self.members.list[*at].peer).collect();
        for peer in gone {
            let others = self.members.sample(3, &peer, &mut self.rng);
            if let Some(at) = self.members.find(&peer) {
                self.send(at, Message::Bye { others }, Delivery::Reliable, now);
            }
            self.drop_peer(peer, CloseReason::Done, now);
        }
    }

    /// Dials the spare that is missed most: at home in the stripe with the fewest.
    fn dial_spare(&mut self, now: Time) {
        let count = self.stripe_count().max(1);
        let mut have = [0usize; 16];
        for neighbour in self.members.list.iter().filter(|n| n.slots() > 0) {
            have[usize::from(neighbour.key.home(count))] += 1;
        }
        let fits = |record: &PeerRecord| !self.members.is_host(&record.peer);
        // Those named last are the likeliest to be alive, and a dial costs more when nobody answers; but who names many must not be all
        // we hear of.
        let found = if self.rng.chance(0.5) {
            self.members.newest(fits)
        } else {
            self.members.candidates(&mut self.rng, fits)
        };
        let home = |record: &PeerRecord| crate::mesh::record::Key::of(&record.peer).home(count);
        let best = found
            .iter()
            .min_by_key(|record| (record.slots == 0, have[usize::from(home(record))]));
        if let Some(record) = best.cloned() {
            self.dial(&record, now);
        }
    }

    fn shuffle(&mut self, now: Time) {
        let every = if self.members.passive_len() < self.config.spares {
            self.config.shuffle_every / 10
        } else {
            self.config.shuffle_every
        };
        if now.since(self.shuffled) < every || self.members.list.is_empty() {
            return;
        }
        self.shuffled = now;
        let at = self.rng.below(self.members.list.len());
        if self.members.list[at].record.is_none() {
            return;
        }
        let peer = self.members.list[at].peer;
        let mut records = self.members.sample(RECORDS_MAX - 1, &peer, &mut self.rng);
        if !self.record.addrs.is_empty() {
            records.push(Arc::clone(&self.record));
        }
        self.send(at, Message::Peers { answer: true, records }, Delivery::Reliable, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;

    #[test]
    fn who_stands_by_at_the_host_is_not_the_one_to_leave() {
        let (mut rig, host, relay) = Rig::relayed();
        let others = [0, 1, 2].map(|_| rig.listener(Config::default(), &[relay]));
        let few = Config {
            spares_max: 0,
            spares_dialled: 0,
            ..Config::default()
        };
        let at = rig.listener(few, &[host, relay, others[0], others[1], others[2]]);
        rig.run(SPARE_GRACE + Duration::from_secs(8));
        let (host, mesh) = (rig.nodes[host].peer, &rig.nodes[at].mesh);
        let spares: Vec<_> = mesh
            .members
            .list
            .iter()
            .filter(|n| n.is_spare())
            .map(|n| n.peer)
            .collect();
        assert_eq!(spares, [host]);
    }
}
