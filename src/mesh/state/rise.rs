//! Strong nodes rise towards the host, and the host keeps its roots: that is what keeps the trees shallow.

use std::time::Duration;

use super::{Mesh, Phase, bit, stripes_of};
use crate::mesh::Delivery;
use crate::mesh::member::Neighbour;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::stripe::Unrest;
use crate::mesh::wire::{Message, Need};
use crate::units::{Stripe, Time};

/// A root that has hardly any children after this long is idle, if another one has at least so many.
const ROOT_SETTLES: Duration = Duration::from_secs(8);
const BUSY_ROOT: u16 = 8;
/// Dials of a host, each quarter of a second, for a place that none of its neighbours could take.
const DIALS_A_PLACE: usize = 2;
/// Between two times that a root is told of an empty place, and of how many looks at one there is one at which somebody is dialled, too.
const ASK_ROOTS_PAUSE: Duration = Duration::from_millis(400);
const LOOKS_A_DIAL: usize = 4;
/// For so long after all roots of a stripe have gone half of its places are kept for those at home in it.
const KEPT_FOR: Duration = Duration::from_secs(3);
/// How many listeners turn to the host each half second where a guest is the root.
const RISING: f64 = 2.0;
/// Between two turns in which an old child makes room for one who finds no other.
const TURN_PAUSE: Duration = Duration::from_secs(1);

impl Mesh {
    /// How strong a child is in our home stripe: its child links there, zero for one that passes nothing on; `None` for those
    /// who are no children, or about to go.
    pub(super) fn strength(&self, n: &Neighbour, now: Time) -> Option<u8> {
        let fed = n.fed & !n.leaving;
        let count = self.stripe_count().max(1);
        let ours = if self.is_source { fed } else { fed & bit(self.home()) };
        let home = n.key.home(count);
        let interior = ours & bit(home) != 0 && !(self.is_source && self.is_idle_root(n, home, now));
        (ours != 0).then_some(if interior { n.slots() } else { 0 })
    }

    /// Turns to the host where a guest is the root of our own stripe: the host may not know anybody whose stripe it is. About two of all
    /// listeners do so at a time. (119 hung on the one link of a guest, while twelve could have taken its place.)
    pub(super) fn rise_over_guest(&mut self, now: Time) {
        let (home, count) = (self.home(), self.stripe_count().max(1));
        let path = self
            .stripes
            .get(usize::from(home))
            .and_then(|state| state.path.as_ref());
        let root = path.and_then(|path| path.get(1)).copied();
        let is_guest = root.is_some_and(|root| root != self.key && root.home(count) != home);
        if !is_guest || self.slots == 0 || !self.stripes[usize::from(home)].is_settled(now) {
            return;
        }
        let listeners = self.audience.map_or(1, |audience| audience.listeners.max(1));
        let Some(host) = self.members.host.clone() else { return };
        if !self.rng.chance(RISING * f64::from(count) / f64::from(listeners)) {
            return;
        }
        if let Some(at) = self.members.find(&host.peer) {
            self.ask_for_better(at, home, now);
        } else if self.dial(&host, now) {
            self.stripes[usize::from(home)].hint = Some(Key::of(&host.peer));
        }
    }

    /// A host offers what is free of its slots to neighbours that could stand there, the strongest first: two for each slot,
    /// for one of them may be gone, too.
    pub(super) fn offer_roots(&mut self, stripes: u16, now: Time) {
        if !self.is_source || self.phase != Phase::Running {
            return;
        }
        let count = self.stripe_count();
        for stripe in stripes_of(stripes & self.all_stripes()) {
            let (empty, free) = (self.empty_roots(stripe), self.open_roots(stripe, now));
            let able = |n: &Neighbour| {
                n.key.home(count) == stripe
                    && n.fed & bit(stripe) == 0
                    && n.slots() > 0
                    && !n.is_mute(now)
                    && !self.members.barren.is_shunned(n.key, now)
            };
            let neighbours = self.members.list.iter().enumerate();
            let mut able: Vec<(u8, usize)> = neighbours
                .filter(|(_, n)| able(n))
                .map(|(at, n)| (n.slots(), at))
                .collect();
            able.sort_unstable_by_key(|(slots, at)| {
                let barren = self.members.barren.times(self.members.list[*at].key);
                (barren, std::cmp::Reverse(*slots), *at)
            });
            // Those who stand by may be gone as well: who answers is offered the place at once, and who does not is not counted on.
            for (_, at) in able.iter().filter(|_| empty > 0) {
                let neighbour = &self.members.list[*at];
                if neighbour.unanswered == 0 && now.since(neighbour.heard) > self.config.patience {
                    self.ping(*at, now);
                }
            }
            if able.len() < free && !self.ask_roots_for_another(stripe, now) {
                let fits = |record: &PeerRecord| record.slots > 0 && Key::of(&record.peer).home(count) == stripe;
                // Several for each empty place: after a crash most of those one has heard of are dead, and a whole stripe waits.
                let places = if self.is_rootless(stripe, now) { free } else { empty };
                let dials = (places.saturating_sub(able.len()) * DIALS_A_PLACE).max(1);
                let found = self.members.candidates(&mut self.rng, fits);
                for record in found.iter().take(dials) {
                    self.dial(record, now);
                }
            }
            let stripe = Stripe(stripe);
            for (_, at) in able.into_iter().take(free * 2) {
                self.send(at, Message::Offer { stripe }, Delivery::Reliable, now);
            }
        }
    }

    /// Tells the roots that a stripe still has of an empty place, so that each names it to its strongest child; false when somebody should
    /// be dialled as well. Their children live and are strong, and most of those a host has only heard of may be dead.
    fn ask_roots_for_another(&mut self, stripe: u8, now: Time) -> bool {
        let limit = self.root_span() * 3 / 2;
        let lives = |n: &Neighbour| {
            n.fed & !n.leaving & bit(stripe) != 0
                && self.is_interior(n, stripe)
                && n.unanswered == 0
                && now.since(n.heard) < limit
                && links_used(n) > 0
        };
        let roots: Vec<usize> = (0..self.members.list.len())
            .filter(|at| lives(&self.members.list[*at]))
            .collect();
        self.renew_load(now);
        for at in &roots {
            if now.since(self.members.list[*at].pinged) > ASK_ROOTS_PAUSE {
                self.ping(*at, now);
            }
        }
        !roots.is_empty() && self.rng.below(LOOKS_A_DIAL) != 0
    }

    /// Offers a place at the host to one who has just shown that it is there.
    pub(super) fn offer_root_to(&mut self, at: usize, now: Time) {
        let neighbour = &self.members.list[at];
        let stripe = neighbour.key.home(self.stripe_count().max(1));
        let is_able = neighbour.fed & bit(stripe) == 0 && neighbour.slots() > 0;
        if self.is_source && self.phase == Phase::Running && is_able && self.empty_roots(stripe) > 0 {
            let stripe = Stripe(stripe);
            self.send(at, Message::Offer { stripe }, Delivery::Reliable, now);
        }
    }

    /// Places of a stripe at the host for somebody who passes it on: those that are free, and those of children who do not. (After a
    /// crash of half the audience strangers took all four, and for ten seconds nobody below could hang anywhere.)
    fn open_roots(&self, stripe: u8, now: Time) -> usize {
        self.empty_roots(stripe) + self.idle_roots(stripe, now)
    }

    /// Places of a stripe at the host where nobody is.
    fn empty_roots(&self, stripe: u8) -> usize {
        let places = usize::from(self.slots / self.stripe_count().max(1));
        places.saturating_sub(self.children_in(stripe))
    }

    fn idle_roots(&self, stripe: u8, now: Time) -> usize {
        let roots = self.members.list.iter();
        roots.filter(|n| self.is_idle_root(n, stripe, now)).count()
    }

    /// Whether a child of the host passes a stripe on to nobody, or after a while to hardly anybody while another one, of whatever stripe,
    /// has many: roots that take and do not give have no children for long. (Compared with those of their own stripe only, four of them
    /// held a stripe for ever.)
    pub(super) fn is_idle_root(&self, n: &Neighbour, stripe: u8, now: Time) -> bool {
        let is_root = n.fed & !n.leaving & bit(stripe) != 0;
        if !is_root || !self.is_interior(n, stripe) {
            return is_root;
        }
        let roots = self.members.list.iter().filter(|n| n.fed & !n.leaving != 0);
        let most = roots.map(links_used).max();
        let most = most.filter(|most| *most >= BUSY_ROOT).unwrap_or(0);
        let settled = n
            .child
            .as_ref()
            .is_some_and(|child| now.since(child.since) > ROOT_SETTLES);
        settled && links_used(n) * 4 < most.min(u16::from(n.slots()))
    }

    /// Whether a child of the host is the only one that is known to pass a stripe on, and there are other places to try who comes and
    /// claims more. (Of 1,000 with a fifth who drop all, the only honest root, which had four places, gave way to one of those with twelve:
    /// the stripe was away for a quarter of a minute.)
    pub(super) fn is_last_giver(&self, n: &Neighbour, stripe: u8) -> bool {
        let gives =
            |n: &Neighbour| n.fed & !n.leaving & bit(stripe) != 0 && self.is_interior(n, stripe) && links_used(n) > 0;
        let has_others = self.is_source && self.slots / self.stripe_count().max(1) > 1;
        has_others && gives(n) && self.members.list.iter().filter(|n| gives(n)).count() == 1
    }

    pub(super) fn is_interior(&self, n: &Neighbour, stripe: u8) -> bool {
        n.key.home(self.stripe_count().max(1)) == stripe && n.slots() > 0
    }

    /// Whether nobody at the host passes a stripe on, but guests.
    fn is_rootless(&self, stripe: u8, now: Time) -> bool {
        self.idle_roots(stripe, now) == self.children_in(stripe)
    }

    /// Whether the places of a stripe that are left at the host are kept for one who passes it on: who waits for one, or will be found,
    /// for the stripe had such roots a moment ago. Half of all may go to others. (The roots of other stripes know the host: after a crash
    /// they took all four places as guests, with a link to spare each, and 3,000 had no way for two seconds.)
    pub(super) fn is_kept(&self, stripe: u8, now: Time) -> bool {
        let places = usize::from(self.slots / self.stripe_count().max(1));
        let idle = self.idle_roots(stripe, now);
        if !self.is_source || idle * 2 < places {
            return false;
        }
        let waits = |n: &Neighbour| self.is_interior(n, stripe) && n.fed & bit(stripe) == 0 && !n.is_mute(now);
        let lost = self.stripes[usize::from(stripe)].mended;
        self.is_rootless(stripe, now) && now.since(lost) < KEPT_FOR || self.members.list.iter().any(waits)
    }

    /// The oldest child in a stripe, when one who could pass it on finds nobody to feed it: children that take and do not give
    /// may be all there are. An honest one goes on below the newcomer, and nobody has to be believed. (Two whom nobody can dial do not
    /// meet: of ten, one who had six places lost its only neighbour to one who had two.)
    pub(super) fn oldest_child(&self, at: usize, stripe: u8, need: Need, now: Time) -> Option<usize> {
        if need == Need::Better || now.since(self.redirected) < TURN_PAUSE {
            return None;
        }
        let children = self.members.list.iter().enumerate();
        let is_hidden = self.members.list[at].is_hidden();
        let could_go = |n: &Neighbour| {
            n.fed & !n.leaving & bit(stripe) != 0 && !(is_hidden && n.is_hidden()) && !self.is_last_giver(n, stripe)
        };
        let children = children.filter(|(other, n)| *other != at && could_go(n));
        let oldest = children.min_by_key(|(_, n)| n.child.as_ref().map(|child| child.since));
        oldest.map(|(child, _)| child)
    }

    /// A host looks at its roots often: the whole of a stripe hangs on a few of them.
    pub(super) fn check_roots(&mut self, now: Time) {
        if !self.is_source || now.since(self.probed) < self.config.attach_timeout {
            return;
        }
        self.probed = now;
        self.check_children(now);
        for stripe in 0..self.stripe_count() {
            if !self.is_rootless(stripe, now) {
                self.stripes[usize::from(stripe)].mended = now;
            }
        }
        let open = (0..self.stripe_count()).filter(|stripe| self.open_roots(*stripe, now) > 0);
        let open = open.fold(0, |mask, stripe| mask | bit(stripe));
        self.offer_roots(open, now);
    }

    pub(super) fn ask_for_better(&mut self, at: usize, stripe: u8, now: Time) {
        let key = self.members.list[at].key;
        let state = &mut self.stripes[usize::from(stripe)];
        let idle = state.candidate.is_none()
            && state.asked.is_empty()
            && !state.avoids(key, now)
            && state.parent.is_some_and(|parent| parent != key);
        if idle && state.path.is_some() && state.unrest == Unrest::Calm && self.members.list[at].fed & bit(stripe) == 0
        {
            state.unrest = Unrest::Curious;
            state.moved = Time::ZERO;
            self.ask_one(at, bit(stripe), Need::Better, now);
        }
    }

    /// A host offers a place at the root; others one below them, to those whom they had to turn away.
    pub(super) fn on_offer(&mut self, at: usize, stripe: Stripe, now: Time) {
        let key = self.members.list[at].key;
        let count = self.stripe_count();
        let Some(state) = self.stripes.get(usize::from(stripe.0)) else {
            return;
        };
        let idle = state.candidate.is_none() && !state.has_asked(key) && state.parent != Some(key);
        if !self.members.list[at].is_host() {
            let need = self.need(stripe.0, now).filter(|need| *need != Need::Better);
            if idle && let Some(need) = need {
                self.ask_one(at, bit(stripe.0), need, now);
            }
            return;
        }
        if idle && self.key.home(count) == stripe.0 && self.slots > 0 && self.members.list[at].fed & bit(stripe.0) == 0
        {
            self.stripes[usize::from(stripe.0)].unrest = Unrest::Curious;
            self.stripes[usize::from(stripe.0)].moved = Time::ZERO;
            let is_lost = self.stripes[usize::from(stripe.0)].path.is_none();
            let usual = if is_lost { Need::Orphan } else { Need::Better };
            let need = self.need(stripe.0, now).unwrap_or(usual);
            self.ask_one(at, bit(stripe.0), need, now);
        }
    }
}

/// Child links that a neighbour says are in use.
pub(super) fn links_used(n: &Neighbour) -> u16 {
    u16::from(n.slots().saturating_sub(n.load.free))
}

/// Whether a node with so many child links may take the place of a weaker one.
pub(super) fn outranks(slots: u8, weakest: u8) -> bool {
    slots > 0 && (weakest == 0 || u16::from(weakest) * 2 < u16::from(slots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::{Config, Output};
    use std::sync::Arc;

    #[test]
    fn a_root_that_nobody_hears_is_idle_once_another_has_many_whatever_they_claim() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let roots = [0, 1].map(|_| rig.listener(Config::default(), &[host]));
        rig.run(ROOT_SETTLES + Duration::from_secs(4));
        let now = rig.now;
        let peers = roots.map(|at| rig.nodes[at].peer);
        let mesh = &mut rig.nodes[host].mesh;
        let places = peers.map(|peer| mesh.members.find(&peer).unwrap());
        let mut idle = |loads: [(u8, u8); 2]| {
            for (at, (slots, free)) in places.into_iter().zip(loads) {
                mesh.members.list[at].load.slots = slots;
                mesh.members.list[at].load.free = free;
            }
            places.map(|at| mesh.is_idle_root(&mesh.members.list[at], 0, now))
        };
        assert_eq!(idle([(12, 12), (12, 5)]), [false, false], "seven are not many");
        assert_eq!(idle([(12, 10), (12, 2)]), [true, false]);
        assert_eq!(idle([(12, 9), (12, 2)]), [false, false]);
        assert_eq!(idle([(255, 0), (255, 0)]), [false, false]);
        assert_eq!(idle([(2, 0), (12, 2)]), [false, false], "it gives all it has");
        // The one that has many may be the root of another stripe.
        let other = rig.nodes[host].mesh.members.find(&peers[1]).unwrap();
        rig.nodes[host].mesh.members.list[other].fed = bit(1);
        let mesh = &mut rig.nodes[host].mesh;
        mesh.members.list[places[0]].load.slots = 12;
        mesh.members.list[places[0]].load.free = 10;
        assert!(mesh.is_idle_root(&mesh.members.list[places[0]], 0, now));
    }

    #[test]
    fn half_the_places_of_a_stripe_that_has_lost_its_roots_wait_for_another() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        for _ in 0..3 {
            rig.listener(Config::default(), &[host]);
        }
        rig.run(Duration::from_secs(4));
        let now = rig.now;
        let mesh = &mut rig.nodes[host].mesh;
        assert!(now.since(mesh.stripes[0].mended) < KEPT_FOR, "it has roots");
        // Two guests are left, who pass nothing on, and nobody whom the host knows.
        for (at, n) in mesh.members.list.iter_mut().enumerate() {
            n.load.slots = 0;
            n.fed = u16::from(at < 2);
        }
        assert!(mesh.is_rootless(0, now) && mesh.is_kept(0, now));
        assert!(!mesh.is_kept(0, now + KEPT_FOR), "better a guest than nobody");
        mesh.members.list[0].fed = 0;
        assert!(!mesh.is_kept(0, now), "half of them are free");
    }

    #[test]
    fn a_root_that_feeds_others_is_told_of_an_empty_place_beside_it() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let root = rig.listener(Config::default(), &[host]);
        rig.listener(Config::default(), &[root]);
        rig.run(Duration::from_secs(4));
        let (now, root) = (rig.now + ASK_ROOTS_PAUSE * 2, rig.nodes[root].peer);
        let mesh = &mut rig.nodes[host].mesh;
        let at = mesh.members.find(&root).unwrap();
        let mut asks = |heard: Time| {
            for n in mesh.members.list.iter_mut().filter(|n| n.peer != root) {
                n.fed = 0;
            }
            let n = &mut mesh.members.list[at];
            (n.load.slots, n.load.free, n.unanswered) = (12, 8, 0);
            n.heard = heard;
            let names = (0..40).filter(|_| mesh.ask_roots_for_another(0, now)).count();
            let outputs = std::iter::from_fn(|| mesh.poll_output());
            let pings = |output: &Output| {
                matches!(
                    output,
                    Output::Send {
                        message: Message::Ping { .. },
                        ..
                    }
                )
            };
            (names > 0, outputs.filter(pings).count())
        };
        assert_eq!(asks(now), (true, 1), "asked once in a while");
        assert_eq!(asks(now - Duration::from_secs(2)), (false, 0), "it may be gone, too");
    }

    #[test]
    fn the_oldest_child_makes_room_unless_nobody_can_dial_either() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let children = [(); 3].map(|()| {
            let at = rig.listener(Config::default(), &[host]);
            rig.run(Duration::from_secs(2));
            rig.nodes[at].peer
        });
        rig.run(TURN_PAUSE);
        let now = rig.now;
        let mesh = &mut rig.nodes[host].mesh;
        let [oldest, other, newcomer] = children.map(|peer| mesh.members.find(&peer).unwrap());
        mesh.members.list[newcomer].fed = 0;
        mesh.redirected = Time::ZERO;
        let hide = |mesh: &mut Mesh, at: usize| {
            let record = mesh.members.list[at].record.as_mut().unwrap();
            Arc::make_mut(record).addrs.clear();
        };
        let goes = |mesh: &Mesh| mesh.oldest_child(newcomer, 0, Need::Orphan, now);
        hide(mesh, oldest);
        assert_eq!(goes(mesh), Some(oldest), "it can dial the newcomer");
        hide(mesh, newcomer);
        assert_eq!(goes(mesh), Some(other), "the oldest could not meet the newcomer");
        hide(mesh, other);
        assert_eq!(goes(mesh), None);
    }

    #[test]
    fn who_could_be_the_root_of_its_stripe_in_place_of_a_guest_turns_to_the_host() {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let (now, host) = (rig.now, rig.nodes[host].peer);
        let mesh = &mut rig.nodes[at].mesh;
        let (key, home) = (mesh.key, mesh.home());
        let named = |stripe: u8| (1..).map(Key).find(|key| key.home(2) == stripe).unwrap();
        let mut asks = |root: Key| {
            let state = &mut mesh.stripes[usize::from(home)];
            state.path = Some(Arc::from([Key::of(&host), root, key]));
            state.parent = Some(root);
            state.asked.clear();
            state.unrest = Unrest::Calm;
            (0..20).for_each(|_| mesh.rise_over_guest(now));
            let outputs = std::iter::from_fn(|| mesh.poll_output());
            let turns =
                |output: &Output| matches!(output, Output::Send { to, message: Message::Attach(_), .. } if *to == host);
            outputs.filter(turns).count()
        };
        assert_eq!([asks(named(home)), asks(named(1 - home))], [0, 1]);
    }
}
