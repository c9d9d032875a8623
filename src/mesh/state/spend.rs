//! What may be sent within the upload that was offered: chunks that children are owed, what can wait, and what can be left out.

use std::sync::Arc;

use super::Mesh;
use crate::mesh::config::Config;
use crate::mesh::member::Neighbour;
use crate::mesh::session::Session;
use crate::mesh::wire::{CHUNK_HEADER_BYTES, Message};
use crate::mesh::{Delivery, Output, budget};
use crate::units::Time;

/// Share of the budget up to which repairs may fill a second, which may take 1.1 budgets with all that is not counted here.
pub(super) const REPAIR_SHARE: f64 = 1.0;
/// Share of the budget beyond which nothing is begun that can wait. Below 0.98 a node whose child links are all in use never
/// looked for spares or better places, and trees stayed deep.
pub(super) const PRESSED: f64 = 0.98;
/// Beyond this nothing is sent that can be left out.
pub(super) const HARD_PRESSED: f64 = 1.02;
/// Shares up to which a child is fed, and one that was asked to go; what is left out follows ([`super::arrears`]). The rest of the 1.1 is for
/// the ways to the host that all children are told when one changes, and for those who are dialled and answer. (With 1.07, and arrears
/// beside it, 10 to 40 of 10,000 sent up to a hundredth too much in the second in which a partition healed.)
pub(super) const FEED_SHARE: f64 = 1.05;
pub(super) const LEAVING_SHARE: f64 = 1.02;
/// Share up to which children are told of a new way at once: several may follow each other in a second, for each of many children.
const WAY_SHARE: f64 = 1.06;
/// Share up to which something is said that somebody counts on: more than chunks may take, or who feeds many is taken for gone.
const DUTY_SHARE: f64 = 1.07;
/// Share up to which anything is said that can wait or be left out: what lies beyond is for what must be said.
const TALK_SHARE: f64 = 1.03;
/// The same for small talk of one who owes chunks to its children: those come first. (Arrears are paid out of what is left of the
/// budget; with hardly a place to spare in the mesh, pings, asks and refusals took all of that, and a crowd was a second late for half a
/// minute.)
const OWING_TALK_SHARE: f64 = 0.97;

/// What a second may hold beyond its share of a small budget, less one part in so many of it: chunks do not come evenly, and one more
/// of them is much of it. Large ones need no grain.
const GRAIN_BYTES: u64 = 1_500;
const GRAIN_PART: u64 = 16;

impl Mesh {
    /// Sends a message to a neighbour; chunks are charged by who sends them.
    pub(super) fn send(&mut self, at: usize, message: Message, delivery: Delivery, now: Time) {
        let (len, to) = (message.encoded_len(), self.members.list[at].key.0);
        let bytes = len + self.packets.around(u64::from(to), len, delivery, &self.config, now);
        if !matches!(message, Message::Chunk(_)) {
            self.upload.charge(bytes, now);
        }
        self.totals.sent_bytes += bytes as u64;
        let neighbour = &mut self.members.list[at];
        neighbour.sent_bytes += bytes as u64;
        let to = neighbour.peer;
        self.out.push_back(Output::Send { to, message, delivery });
    }

    /// Bytes a second that the children are owed.
    pub(super) fn feeding(&self, now: Time) -> u64 {
        if self.members.feeding == 0 {
            return 0;
        }
        let alive = |n: &&Neighbour| n.fed != 0 && !self.is_quiet(n, now);
        let links: u32 = self.members.list.iter().filter(alive).map(|n| n.fed.count_ones()).sum();
        let link = |s: &Arc<Session>| budget::link_bps(&self.config, s.bitrate_bps, s.chunk_time, s.stripes);
        (f64::from(links) * self.session.as_ref().map_or(0.0, link) / 8.0) as u64
    }

    /// Whether the second is so full that whatever can be left out is left out: answers nobody waits for, newcomers who are
    /// as well off elsewhere. Who passes nothing on sends only what it needs to listen, and is never pressed.
    pub(super) fn is_pressed(&mut self, share: f64, now: Time) -> bool {
        self.slots > 0 && !self.upload.has_room(0, self.feeding(now), share, now)
    }

    /// Whether the budget bears a chunk that a child is owed. It does, but where children come and go or two stand in one
    /// slot, or after a gap; what is left out then follows.
    pub(super) fn may_feed(&mut self, payload_bytes: usize, share: f64, now: Time) -> bool {
        let bytes = payload_bytes + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        let grain = GRAIN_BYTES.saturating_sub(self.upload_bps / 8 / GRAIN_PART) as usize;
        self.is_source || self.upload.bears(bytes.saturating_sub(grain), share, now)
    }

    /// Whether the upload budget allows a chunk that nobody waits for by right.
    pub(super) fn may_spend(&mut self, payload_bytes: usize, now: Time) -> bool {
        self.may_spend_up_to(REPAIR_SHARE, payload_bytes, now)
    }

    /// The same with another share of the budget than [`REPAIR_SHARE`].
    pub(super) fn may_spend_up_to(&mut self, share: f64, payload_bytes: usize, now: Time) -> bool {
        let bytes = payload_bytes + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        self.upload.has_room(bytes, self.feeding(now), share, now)
    }

    /// Whether the budget bears messages that can be left out or come later. Who passes nothing on sends only what it needs to
    /// listen.
    pub(super) fn bears(&mut self, bytes: usize, now: Time) -> bool {
        self.slots == 0 || self.upload.bears(bytes, TALK_SHARE, now)
    }

    /// The same for one message.
    pub(super) fn bears_message(&mut self, message: &Message, now: Time) -> bool {
        self.bears(message.encoded_len() + self.config.packet_overhead_bytes, now)
    }

    /// Whether it bears what nobody's way to the host depends on: that comes after the chunks that children are owed.
    pub(super) fn bears_small_talk(&mut self, bytes: usize, now: Time) -> bool {
        let share = if self.arrears.is_empty() {
            TALK_SHARE
        } else {
            OWING_TALK_SHARE
        };
        self.slots == 0 || self.upload.bears(bytes, share, now)
    }

    /// The same for one message.
    pub(super) fn bears_small_message(&mut self, message: &Message, now: Time) -> bool {
        self.bears_small_talk(message.encoded_len() + self.config.packet_overhead_bytes, now)
    }

    /// Whether it bears a message that somebody counts on.
    pub(super) fn bears_duty(&mut self, message: &Message, now: Time) -> bool {
        let bytes = message.encoded_len() + self.config.packet_overhead_bytes;
        self.slots == 0 || self.upload.bears(bytes, DUTY_SHARE, now)
    }

    /// Whether it bears to tell a child of a new way to the host now.
    pub(super) fn bears_way(&mut self, message: &Message, now: Time) -> bool {
        let bytes = message.encoded_len() + self.config.packet_overhead_bytes;
        self.is_source || self.upload.bears(bytes, WAY_SHARE, now)
    }

    /// Takes as many child links as the budget bears.
    pub(super) fn resize_slots(&mut self, now: Time) {
        let Some(session) = &self.session else { return };
        let config = Config {
            upload_bps: self.upload_bps,
            ..(*self.config).clone()
        };
        let links = budget::links(&config, session.bitrate_bps, session.chunk_time, session.stripes);
        let most = if self.is_source {
            let asked = u32::from(self.config.host_slots.max(1)) * u32::from(session.stripes);
            asked.min(links.max(u32::from(session.stripes)))
        } else {
            links.min(u32::from(self.config.slots_max))
        };
        self.slots = u8::try_from(most).unwrap_or(u8::MAX);
        self.renew_record(now);
        self.shed(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::state::bit;
    use crate::mesh::state::rig::Rig;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// A host and a relay that feeds a weak node, a strong one and a leaf in its own stripe; which of them is which, in this order.
    fn relay() -> (Rig, usize, [usize; 3]) {
        let mut rig = Rig::new();
        let with = |upload_bps| Config {
            upload_bps,
            ..Config::default()
        };
        let host = rig.host(
            1,
            1,
            Config {
                host_slots: 1,
                ..Config::default()
            },
        );
        let relay = rig.listener(with(800_000), &[host]);
        rig.run(SECOND * 3);
        let children = [250_000, 800_000, 0].map(|bps| rig.listener(with(bps), &[relay]));
        rig.run(SECOND * 6);
        (rig, relay, children)
    }

    #[test]
    fn where_not_all_can_be_fed_the_strongest_is_first_and_who_must_go_last() {
        let (mut rig, relay, [weak, strong, leaf]) = relay();
        let now = rig.now;
        let peers = [weak, strong, leaf].map(|at| rig.nodes[at].peer);
        let mesh = &mut rig.nodes[relay].mesh;
        let places = peers.map(|peer| mesh.members.find(&peer).unwrap());
        assert!(places.iter().all(|at| mesh.members.list[*at].fed & bit(0) != 0));
        assert!(mesh.feeding_order(0, 960, now).is_empty(), "all can be fed");
        mesh.upload.charge(90_000, now);
        let of_children = |order: Vec<usize>| order.into_iter().filter(|at| places.contains(at)).collect::<Vec<_>>();
        assert_eq!(
            of_children(mesh.feeding_order(0, 960, now)),
            [places[1], places[0], places[2]]
        );
        mesh.members.list[places[1]].leaving |= bit(0);
        assert_eq!(
            of_children(mesh.feeding_order(0, 960, now)),
            [places[0], places[2], places[1]]
        );
    }

    #[test]
    fn who_owes_chunks_to_children_leaves_small_talk_out() {
        let (mut rig, relay, [weak, ..]) = relay();
        let (now, child) = (rig.now, rig.nodes[weak].peer);
        let mesh = &mut rig.nodes[relay].mesh;
        mesh.upload = budget::Upload::new(mesh.upload_bps, mesh.round());
        while mesh.upload.bears(100, 1.0, now) {
            mesh.upload.charge(100, now);
        }
        assert!(mesh.bears_small_talk(100, now));
        let (at, newest) = (mesh.members.find(&child).unwrap(), mesh.window.newest());
        mesh.owe(at, newest, now);
        assert!(!mesh.bears_small_talk(100, now) && mesh.bears(100, now));
        mesh.arrears.clear();
        assert!(mesh.bears_small_talk(100, now));
    }

    #[test]
    fn a_new_way_that_the_second_does_not_bear_is_told_in_the_next() {
        let (mut rig, relay, [weak, ..]) = relay();
        let (now, peer) = (rig.now, rig.nodes[relay].peer);
        let before = rig.nodes[weak].mesh.stripes[0].since;
        let mesh = &mut rig.nodes[relay].mesh;
        mesh.upload.charge(200_000, now);
        // That there is no way cannot be told; by the time that it could be, there is this one again.
        let path = mesh.stripes[0].path.take();
        mesh.announce_path(0, now);
        mesh.stripes[0].path = path;
        assert!(mesh.stripes[0].untold && mesh.poll_output().is_none());
        mesh.upload = budget::Upload::new(mesh.upload_bps, mesh.round());
        rig.run(SECOND * 3);
        assert!(!rig.nodes[relay].mesh.stripes[0].untold);
        assert_eq!(rig.nodes[weak].mesh.parent(0), Some(peer));
        assert!(rig.nodes[weak].mesh.has_path(0) && rig.nodes[weak].mesh.stripes[0].since >= before);
    }

    #[test]
    fn a_host_counts_no_child_that_acknowledges_nothing() {
        let (mut rig, relay, children) = relay();
        let (now, host) = (rig.now, rig.nodes[0].peer);
        let peers = children.map(|at| rig.nodes[at].peer);
        let mesh = &mut rig.nodes[relay].mesh;
        let host = mesh.members.find(&host).unwrap();
        let free = |mesh: &Mesh| mesh.load_for(host, now).free;
        let used = mesh.slots_used() as u8;
        assert_eq!((used, free(mesh)), (3, mesh.slots - 3));
        let child = mesh.members.find(&peers[0]).unwrap();
        mesh.members.list[child].child.as_mut().unwrap().acknowledged = crate::units::Seq(0);
        assert_eq!((mesh.slots_used(), free(mesh)), (3, mesh.slots - 2));
        assert_eq!(
            mesh.load_for(child, now).free,
            mesh.load.free,
            "others are told of real places"
        );
    }
}
