//! Who makes room for whom: the child that must go, how long it may stay, and what becomes of it when its place is free again.

use std::time::Duration;

use super::rise::outranks;
use super::{Mesh, bit, stripes_of};
use crate::mesh::Delivery;
use crate::mesh::budget;
use crate::mesh::member::Neighbour;
use crate::mesh::wire::{Attach, Message, Need};
use crate::units::{Stripe, Time};

/// Share of the budget that feeding may take while one child makes room for another.
const OVERLAP_SHARE: f64 = 0.94;
/// Where the two together are more than that: how long the one who goes is still fed, and how long until the next.
const SHORT_GRACE: Duration = Duration::from_millis(400);
const REDIRECT_PAUSE: Duration = Duration::from_secs(2);

impl Mesh {
    /// The child that has to make room: a guest from a foreign stripe, or a leaf where an interior node could stand.
    pub(super) fn victim(&self, at: usize, stripe: u8, interior: bool, attach: &Attach, now: Time) -> Option<usize> {
        if now.since(self.redirected) < REDIRECT_PAUSE && !self.bears_overlap() {
            return None;
        }
        let moving = self.members.list.iter().any(|n| n.leaving != 0);
        if moving && !self.is_source || self.is_source && self.members.list.iter().any(|n| n.leaving & bit(stripe) != 0)
        {
            return None;
        }
        let stripes = self.stripe_count();
        // The one who asks may be a guest in another stripe, and must not be sent away for itself.
        let is_guest =
            |(other, n): (usize, &Neighbour)| other != at && !self.is_source && n.fed & !bit(self.home()) != 0;
        let home = stripe == self.home() || self.is_source;
        if home && let Some(guest) = self.members.list.iter().enumerate().position(is_guest) {
            return Some(guest);
        }
        let other = || {
            self.child_for_hidden(at, stripe, attach, now)
                .or_else(|| self.child_for_roomy(at, stripe, attach, now))
                .or_else(|| self.child_for_desperate(at, stripe, attach, now))
        };
        if !home {
            return other();
        }
        if !interior {
            return self.leaf_at_host(at, stripe, attach, now).or_else(other);
        }
        let rank = |n: &Neighbour| {
            let interior = n.key.home(stripes) == stripe;
            let idle = self.is_source && self.is_idle_root(n, stripe, now);
            if interior && !idle { n.slots() } else { 0 }
        };
        let children = self.members.list.iter().enumerate();
        let (victim, weakest) = children
            .filter(|(other, n)| n.fed & bit(stripe) != 0 && *other != at && !self.is_last_giver(n, stripe))
            .map(|(other, n)| (other, rank(n)))
            .min_by_key(|(_, rank)| *rank)?;
        outranks(attach.slots, weakest)
            .then_some(victim)
            .or_else(|| self.oldest_child(at, stripe, attach.need, now))
            .or_else(other)
    }

    /// A child that has no place to give, for one who has some and has been turned away again and again: it finds one there. (Of ten
    /// three lacked a stripe for ever, who had six places, the only ones that were left.)
    fn child_for_roomy(&self, at: usize, stripe: u8, attach: &Attach, now: Time) -> Option<usize> {
        let list = &self.members.list;
        let newcomer = &list[at];
        let waits = attach.need != Need::Better && self.waits_long(newcomer.key, stripe, now);
        if self.is_source || !waits || newcomer.load.free == 0 || now.since(self.redirected) < REDIRECT_PAUSE {
            return None;
        }
        let could_go = |(child, n): &(usize, &Neighbour)| {
            *child != at
                && n.fed & !n.leaving & bit(stripe) != 0
                && n.load.free == 0
                && !(n.is_hidden() && newcomer.is_hidden())
        };
        let children = list.iter().enumerate().filter(could_go);
        children.min_by_key(|(_, n)| n.slots()).map(|(child, _)| child)
    }

    /// A child that somebody could dial whom nobody can dial and who has room, when one who lost its parent cannot be dialled either:
    /// those two cannot meet. The weakest, for it takes the fewest along. (Where half of all cannot be dialled the others were full,
    /// and one of sixty lacked a stripe for four seconds while two fifths of all places were free. With guests kept out of it, ten of 56
    /// lacked one for ever beside 202 such places.)
    fn child_for_hidden(&self, at: usize, stripe: u8, attach: &Attach, now: Time) -> Option<usize> {
        let list = &self.members.list;
        let lost = attach.need != Need::Better && now.since(self.redirected) >= REDIRECT_PAUSE;
        if !lost || !list[at].is_hidden() {
            return None;
        }
        let could_go = |(child, n): &(usize, &Neighbour)| {
            let goes = self.goes_from(n, stripe);
            let has_room = |(other, near): (usize, &Neighbour)| {
                other != *child && other != at && goes.is_some_and(|stripe| self.hides_room(near, stripe, now))
            };
            n.leaving == 0 && !n.is_hidden() && list.iter().enumerate().any(has_room)
        };
        let children = list.iter().enumerate().filter(could_go);
        children.min_by_key(|(_, n)| n.slots()).map(|(child, _)| child)
    }

    /// A child that has somewhere else to go, for one who has been turned away for long and may reach nobody else. The weakest, for it
    /// takes the fewest along. (Of three one lacked a stripe for ever, whose only neighbour fed another one that the host had a place
    /// for.)
    fn child_for_desperate(&self, at: usize, stripe: u8, attach: &Attach, now: Time) -> Option<usize> {
        let list = &self.members.list;
        let waits = attach.need != Need::Better && self.waits_long(list[at].key, stripe, now);
        if self.is_source || !waits || now.since(self.redirected) < REDIRECT_PAUSE {
            return None;
        }
        let could_go = |(child, n): &(usize, &Neighbour)| {
            let goes = self.goes_from(n, stripe).map_or(0, bit);
            let has_room = |(other, near): (usize, &Neighbour)| {
                other != *child && other != at && near.load.free > 0 && near.load.fed & goes != 0 && !near.is_mute(now)
            };
            *child != at && n.leaving == 0 && list.iter().enumerate().any(has_room)
        };
        let children = list.iter().enumerate().filter(could_go);
        children.min_by_key(|(_, n)| n.slots()).map(|(child, _)| child)
    }

    /// The stripe in which a child makes room for somebody in this one: a foreign one, where it has not just that. (A host has so many
    /// places for each.)
    fn goes_from(&self, child: &Neighbour, stripe: u8) -> Option<u8> {
        if child.fed & bit(stripe) != 0 {
            return Some(stripe);
        }
        stripes_of(child.fed & !bit(self.home()))
            .next()
            .filter(|_| !self.is_source)
    }

    /// A child of the host that passes nothing on at all: where nobody is left whose own stripe this is, a guest who can feed others
    /// takes its place. (After a crash three leaves held the host's places for five seconds while forty waited behind them.) So does who
    /// has been turned away for long: the leaf may have others to go to, and else they take turns. (Of seven whom hardly anybody can
    /// dial, two lacked a stripe for ever.) Or it takes the place of a weaker one that is a guest there, too. (Of ten, none of whom was at
    /// home in a stripe, eight lacked it for ever, with all the places that were left, below one whom two weak ones kept from the host.)
    fn leaf_at_host(&self, at: usize, stripe: u8, attach: &Attach, now: Time) -> Option<usize> {
        let key = self.members.list[at].key;
        let is_desperate = now.since(self.redirected) > REDIRECT_PAUSE && self.waits_long(key, stripe, now);
        let wanted = self.is_source && attach.need != Need::Better && (attach.slots > 0 || is_desperate);
        let is_weaker = |n: &Neighbour| !self.is_interior(n, stripe) && outranks(attach.slots, n.slots());
        let could_go = |n: &Neighbour| n.slots() == 0 || is_desperate && is_weaker(n);
        let leaves = self.members.list.iter().enumerate();
        let leaves = leaves.filter(|(_, n)| wanted && n.fed & !n.leaving & bit(stripe) != 0 && could_go(n));
        let oldest = leaves.min_by_key(|(_, n)| (n.slots(), n.child.as_ref().map(|child| child.since)));
        oldest.map(|(leaf, _)| leaf)
    }

    /// Asks a child to make room for the one that has just come; its stripe is taken back if it does not.
    pub(super) fn redirect(&mut self, victim: usize, stripe: u8, newcomer: Option<usize>, now: Time) {
        let lost = self.goes_from(&self.members.list[victim], stripe).unwrap_or(stripe);
        let neighbour = &mut self.members.list[victim];
        neighbour.leaving |= bit(lost);
        // Where two links in place of one are more than the budget bears, the one who goes must make haste.
        // Who passes nothing on at the host must make haste, too: a whole stripe may wait for the place.
        let is_idle = self.is_source && self.is_idle_root(&self.members.list[victim], lost, now);
        if is_idle && self.is_interior(&self.members.list[victim], lost) {
            let key = self.members.list[victim].key;
            self.members.barren.note(key, now);
        }
        let grace = if self.bears_overlap() && !is_idle {
            self.config.redirect_grace
        } else {
            SHORT_GRACE
        };
        let leave_by = now + grace;
        self.redirected = now;
        let neighbour = &mut self.members.list[victim];
        if let Some(child) = neighbour.child.as_mut() {
            child.leave_by = leave_by;
        }
        let mut others = self.others_for(victim, bit(lost), Need::Better, now);
        let newcomer = newcomer.and_then(|at| self.members.list[at].record.clone());
        if let Some(record) = newcomer.filter(|_| lost == stripe) {
            others.retain(|other| other.peer != record.peer);
            others.insert(0, record);
        }
        let stripe = Stripe(lost);
        self.send(victim, Message::Redirect { stripe, others }, Delivery::Reliable, now);
        self.introduce(victim, lost, now);
    }

    /// The time of a child that was asked to make room is over: it stays if its place is free, for the one who wanted it may have gone
    /// elsewhere. (A host cut the only root of a stripe for one that had left again three seconds before.)
    pub(super) fn end_leave(&mut self, at: usize, now: Time) {
        let leaving = self.members.list[at].leaving;
        for stripe in stripes_of(leaving) {
            if self.has_room(stripe, Need::Orphan) {
                self.members.list[at].leaving &= !bit(stripe);
            } else {
                self.cut(at, bit(stripe), now);
            }
        }
    }

    /// Whether the budget bears one child link more than there are.
    fn bears_overlap(&self) -> bool {
        let Some(session) = &self.session else { return true };
        let link = budget::link_bps(&self.config, session.bitrate_bps, session.chunk_time, session.stripes);
        let links = self.slots_used() + 1;
        links as f64 * link <= self.upload_bps as f64 * OVERLAP_SHARE
    }

    /// Sends children away after the budget was lowered.
    pub(super) fn shed(&mut self, now: Time) {
        while self.slots_used() > usize::from(self.slots) {
            let fed = |n: &Neighbour| n.fed & !n.leaving != 0;
            let Some(at) = self.members.list.iter().rposition(fed) else {
                return;
            };
            let stripe = stripes_of(self.members.list[at].fed & !self.members.list[at].leaving)
                .next()
                .unwrap_or(0);
            self.redirect(at, stripe, None, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Config;
    use crate::mesh::state::rig::Rig;
    use crate::units::PeerId;
    use std::sync::Arc;

    /// A request of one who lost its parent in these stripes.
    fn attach(mesh: &Mesh, stripes: u16, slots: u8) -> Attach {
        Attach {
            epoch: mesh.epoch(),
            stripes,
            slots,
            need: Need::Orphan,
            from: None,
            past: Duration::ZERO,
        }
    }

    /// A host of two stripes, a relay, and two that know only the relay.
    fn with_two_below() -> (Rig, usize, usize, [PeerId; 2]) {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let relay = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        let others = [(); 2].map(|()| rig.listener(Config::default(), &[relay]));
        rig.run(Duration::from_secs(6));
        let peers = others.map(|at| rig.nodes[at].peer);
        (rig, host, relay, peers)
    }

    #[test]
    fn a_child_that_can_be_dialled_makes_room_for_one_that_cannot() {
        let mut rig = Rig::new();
        let with = |upload_bps| Config {
            upload_bps,
            host_slots: 1,
            ..Config::default()
        };
        let host = rig.host(1, 1, with(2_000_000));
        let relay = rig.listener(with(800_000), &[host]);
        rig.run(Duration::from_secs(3));
        let others = [250_000, 800_000, 0].map(|bps| rig.listener(with(bps), &[relay]));
        rig.run(Duration::from_secs(6));
        let (now, peers) = (rig.now, others.map(|at| rig.nodes[at].peer));
        let mesh = &mut rig.nodes[relay].mesh;
        let [weak, strong, lost] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        mesh.members.list[lost].fed = 0;
        let attach = attach(mesh, 1, 0);
        let hide = |mesh: &mut Mesh, at: usize| {
            let record = mesh.members.list[at].record.as_mut().unwrap();
            Arc::make_mut(record).addrs.clear();
        };
        let goes = |mesh: &Mesh| mesh.child_for_hidden(lost, 0, &attach, now);
        hide(mesh, strong);
        mesh.members.list[strong].load.free = 3;
        assert_eq!(goes(mesh), None, "who asks can dial and be dialled by anybody");
        hide(mesh, lost);
        assert_eq!(goes(mesh), Some(weak));
        mesh.members.list[strong].load.free = 0;
        assert_eq!(goes(mesh), None, "nobody has room for the one who would have to go");
        mesh.members.list[strong].load.free = 3;
        hide(mesh, weak);
        assert_eq!(goes(mesh), None, "no child could be dialled");
    }

    #[test]
    fn so_it_does_where_the_one_it_hangs_at_is_a_guest_in_the_stripe_that_is_wanted() {
        let mut rig = Rig::new();
        let host = rig.host(1, 2, Config::default());
        let relay = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(3));
        let others = [250_000, 800_000, 0].map(|upload_bps| {
            let config = Config {
                upload_bps,
                ..Config::default()
            };
            rig.listener(config, &[relay])
        });
        rig.run(Duration::from_secs(6));
        let (now, peers) = (rig.now, others.map(|at| rig.nodes[at].peer));
        let mesh = &mut rig.nodes[relay].mesh;
        let foreign = 1 - mesh.home();
        let [weak, strong, lost] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        for (at, fed) in [(weak, bit(foreign)), (strong, 0), (lost, 0)] {
            (mesh.members.list[at].fed, mesh.members.list[at].leaving) = (fed, 0);
        }
        for at in [strong, lost] {
            let record = mesh.members.list[at].record.as_mut().unwrap();
            Arc::make_mut(record).addrs.clear();
        }
        let has_room = &mut mesh.members.list[strong];
        (has_room.load.free, has_room.load.fed, has_room.heard) = (3, 3, now);
        let attach = attach(mesh, bit(foreign), 0);
        assert_eq!(mesh.victim(lost, foreign, false, &attach, now), Some(weak));
        mesh.redirect(weak, foreign, Some(lost), now);
        assert_eq!(mesh.members.list[weak].leaving, bit(foreign));
    }

    #[test]
    fn a_child_without_a_place_makes_room_for_one_who_has_some_and_finds_none() {
        let (mut rig, _, relay, peers) = with_two_below();
        let now = rig.now;
        let mesh = &mut rig.nodes[relay].mesh;
        let foreign = 1 - mesh.home();
        let [child, lost] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        mesh.members.list.iter_mut().for_each(|n| n.load.free = 0);
        for (at, fed, free) in [(child, bit(foreign), 0), (lost, 0, 6)] {
            let n = &mut mesh.members.list[at];
            (n.fed, n.leaving, n.load.free) = (fed, 0, free);
        }
        let attach = attach(mesh, bit(foreign), 6);
        mesh.waiting.clear();
        mesh.note_waiting(lost, foreign, now);
        assert_eq!(
            mesh.victim(lost, foreign, false, &attach, now),
            None,
            "it may find another"
        );
        let later = now + Duration::from_secs(4);
        assert_eq!(mesh.victim(lost, foreign, false, &attach, later), Some(child));
        mesh.members.list[lost].load.free = 0;
        assert_eq!(mesh.victim(lost, foreign, false, &attach, later), None);
        mesh.members.list[lost].load.free = 6;
        mesh.members.list[child].load.free = 1;
        assert_eq!(
            mesh.victim(lost, foreign, false, &attach, later),
            None,
            "it has a place of its own to give"
        );
    }

    #[test]
    fn a_child_that_has_somewhere_else_to_go_makes_room_for_one_who_finds_nobody() {
        let (mut rig, host, relay, peers) = with_two_below();
        let now = rig.now;
        let host = rig.nodes[host].peer;
        let mesh = &mut rig.nodes[relay].mesh;
        let foreign = 1 - mesh.home();
        let [child, lost] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        let host = mesh.members.find(&host).unwrap();
        for (at, fed, free) in [(child, bit(foreign), 2), (lost, 0, 0)] {
            let n = &mut mesh.members.list[at];
            (n.fed, n.leaving, n.load.free) = (fed, 0, free);
        }
        let mut attach = attach(mesh, bit(foreign), 0);
        attach.need = Need::Newcomer;
        mesh.waiting.clear();
        mesh.note_waiting(lost, foreign, now);
        let later = now + Duration::from_secs(4);
        let mut victim = |free, attach: &Attach, when| {
            (mesh.members.list[host].load.free, mesh.members.list[host].load.fed) = (free, 3);
            mesh.victim(lost, foreign, false, attach, when)
        };
        assert_eq!(victim(1, &attach, now), None, "it may find another");
        assert_eq!(victim(0, &attach, later), None, "the child may have nowhere to go");
        assert_eq!(victim(1, &attach, later), Some(child));
        attach.need = Need::Better;
        assert_eq!(victim(1, &attach, later), None);
    }

    #[test]
    fn at_the_host_a_weak_guest_makes_room_for_a_strong_one_who_finds_nobody() {
        let mut rig = Rig::new();
        let host = rig.host(1, 4, Config::default());
        let others = [(); 2].map(|()| rig.listener(Config::default(), &[host]));
        rig.run(Duration::from_secs(6));
        let (now, peers) = (rig.now, others.map(|at| rig.nodes[at].peer));
        let mesh = &mut rig.nodes[host].mesh;
        let [child, lost] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        let guests = |stripe: &u8| mesh.members.list.iter().all(|n| n.key.home(4) != *stripe);
        let stripe = (0..4).find(guests).unwrap();
        for n in &mut mesh.members.list {
            (n.fed, n.leaving) = (0, 0);
        }
        mesh.members.list[child].fed = bit(stripe);
        let attach = attach(mesh, bit(stripe), 11);
        mesh.waiting.clear();
        mesh.note_waiting(lost, stripe, now);
        let later = now + Duration::from_secs(4);
        let mut victim = |slots: u8, when| {
            let n = &mut mesh.members.list[child];
            (n.load.slots, n.load.free) = (slots, 0);
            mesh.victim(lost, stripe, false, &attach, when)
        };
        assert_eq!(victim(4, now), None, "it may find another");
        assert_eq!(victim(4, later), Some(child));
        assert_eq!(victim(6, later), None, "hardly weaker");
    }

    #[test]
    fn the_only_root_that_passes_a_stripe_on_stays_whoever_claims_more() {
        let mut rig = Rig::new();
        let few = Config {
            host_slots: 2,
            ..Config::default()
        };
        let host = rig.host(1, 1, few);
        let roots = [0, 1].map(|_| rig.listener(Config::default(), &[host]));
        let newcomer = rig.listener(Config::default(), &[host, roots[0]]);
        rig.run(Duration::from_secs(4));
        let now = rig.now + Duration::from_secs(9);
        let peers = [roots[0], roots[1], newcomer].map(|at| rig.nodes[at].peer);
        let mesh = &mut rig.nodes[host].mesh;
        let [giver, other, newcomer] = peers.map(|peer| mesh.members.find(&peer).unwrap());
        let attach = attach(mesh, 1, 24);
        let mut victim = |used: [u8; 2], slots: [u8; 2], is_oldest: bool| {
            for (at, used, slots) in [(giver, used[0], slots[0]), (other, used[1], slots[1])] {
                let n = &mut mesh.members.list[at];
                (n.fed, n.leaving, n.load.slots, n.load.free) = (1, 0, slots, slots - used);
                n.child.as_mut().unwrap().since = now - Duration::from_secs(u64::from(at == giver && is_oldest) + 1);
            }
            mesh.members.list[newcomer].fed = 0;
            mesh.victim(newcomer, 0, true, &attach, now)
        };
        // The weakest goes, but not this one; nor in its turn.
        assert_eq!(victim([4, 0], [4, 10], true), Some(other));
        assert_eq!(victim([4, 0], [20, 20], true), Some(other));
        assert_eq!(victim([4, 3], [4, 10], true), Some(giver), "both give");
        assert_eq!(victim([4, 3], [20, 20], true), Some(giver), "it is its turn");
        mesh.slots = 1;
        let giver_alone = &mesh.members.list[giver];
        assert!(!mesh.is_last_giver(giver_alone, 0), "there is no other place");
    }
}
