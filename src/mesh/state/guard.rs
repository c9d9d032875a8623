//! Those who talk nonsense or too much: strikes, bans, and what counts as how much.

use super::Mesh;
use crate::mesh::standing::Kind;
use crate::mesh::wire::Message;
use crate::mesh::{CloseReason, Event, Output};
use crate::units::{PeerId, Time};

/// Strikes after which a neighbour that talks nonsense is banned.
const STRIKES_MAX: u8 = 20;
/// Seconds after which one of them is forgotten: a slip now and then is no attack.
const STRIKE_FORGIVEN_S: u64 = 5;

impl Mesh {
    /// Refuses a peer for a while and ends the connection.
    pub(super) fn ban(&mut self, peer: PeerId, reason: &'static str, now: Time) {
        self.standing.ban(peer, now + self.config.ban);
        self.members.forget(&peer, now);
        self.tell(Event::Banned { peer, reason });
        self.drop_peer(peer, CloseReason::Banned, now);
    }

    /// Counts nonsense; enough of it is a ban.
    pub(super) fn strike(&mut self, at: usize, reason: &'static str, now: Time) {
        let neighbour = &mut self.members.list[at];
        let forgiven = now.since(neighbour.struck).as_secs() / STRIKE_FORGIVEN_S;
        neighbour.strikes = neighbour
            .strikes
            .saturating_sub(u8::try_from(forgiven).unwrap_or(u8::MAX))
            + 1;
        neighbour.struck = now;
        if neighbour.strikes >= STRIKES_MAX {
            let peer = neighbour.peer;
            self.ban(peer, reason, now);
        }
    }

    pub(super) fn drop_peer(&mut self, peer: PeerId, reason: CloseReason, now: Time) {
        if self.members.find(&peer).is_some() {
            self.out.push_back(Output::Disconnect { peer, reason });
            self.on_disconnected(peer, now);
        }
    }
}

pub(super) fn kind(message: &Message) -> Kind {
    match message {
        Message::Hello(_)
        | Message::Session(_)
        | Message::Peers { .. }
        | Message::Farewell(_)
        | Message::Bye { .. } => Kind::Greeting,
        Message::Attach(_)
        | Message::Accept { .. }
        | Message::Refuse { .. }
        | Message::Redirect { .. }
        | Message::Detach { .. }
        | Message::Path { .. }
        | Message::Status(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Audience(_)
        | Message::Hint { .. }
        | Message::Offer { .. } => Kind::Control,
        Message::Want { .. } | Message::Lack(_) => Kind::Repair,
        Message::Chunk(_) => Kind::Chunk,
    }
}

/// How much of its kind a message is: asking for many chunks at once costs the neighbour as many answers.
pub(super) fn weight(message: &Message) -> u16 {
    if let Message::Want { set, .. } | Message::Lack(set) = message {
        set.len() as u16
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mesh::Config;
    use crate::mesh::chunk::SignedChunk;
    use crate::mesh::state::rig::Rig;
    use crate::mesh::wire::Pushed;
    use crate::units::{Epoch, Seq};

    #[test]
    fn chunks_ahead_of_the_session_that_explains_them_are_no_nonsense_once_the_old_one_is_silent() {
        let mut rig = Rig::new();
        let host = rig.host(1, 1, Config::default());
        let at = rig.listener(Config::default(), &[host]);
        rig.run(Duration::from_secs(6));
        let (now, host) = (rig.now, rig.nodes[host].peer);
        let mesh = &mut rig.nodes[at].mesh;
        let mut is_banned_at = |now: Time| {
            for seq in 0..u64::from(STRIKES_MAX) {
                let near = mesh.members.find(&host).unwrap();
                let payload = vec![7; 100].into();
                let chunk = SignedChunk::sign(mesh.channel, Epoch(2), Seq(seq), payload, mesh.crypto.as_ref());
                let (hops, age, mark) = (1, Duration::ZERO, Epoch(2).mark());
                mesh.on_chunk(near, Pushed { hops, age, mark, chunk }, now);
            }
            mesh.members.find(&host).is_none()
        };
        assert!(!is_banned_at(now + Duration::from_secs(1)));
        assert!(is_banned_at(now));
    }
}
