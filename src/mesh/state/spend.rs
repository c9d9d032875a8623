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
/// Shares up to which a child is fed, and one that was asked to go. The rest of the 1.1 is for the ways to the host that all children
/// are told when one changes: up to 3 % at once. (With 1.09 some sent a few bytes too many.)
pub(super) const FEED_SHARE: f64 = 1.07;
pub(super) const LEAVING_SHARE: f64 = 1.02;
/// Share up to which anything is said that can wait or be left out: what lies beyond is for what must be said.
const TALK_SHARE: f64 = 1.05;

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
    /// slot; who is left out then asks for it elsewhere.
    pub(super) fn may_feed(&mut self, payload_bytes: usize, share: f64, now: Time) -> bool {
        let bytes = payload_bytes + CHUNK_HEADER_BYTES + self.config.packet_overhead_bytes;
        self.is_source || self.upload.bears(bytes, share, now)
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

    /// Whether it bears a message that somebody counts on.
    pub(super) fn bears_duty(&mut self, message: &Message, now: Time) -> bool {
        let bytes = message.encoded_len() + self.config.packet_overhead_bytes;
        self.slots == 0 || self.upload.bears(bytes, FEED_SHARE, now)
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
