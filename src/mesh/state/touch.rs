//! Reads ahead of an input, for a driver of many nodes: what a node holds is then not near, and comes sooner when all of it is asked for
//! at once. The sums mean nothing.

use super::Mesh;
use crate::mesh::record::Key;

impl Mesh {
    /// Reads something of each part of the node itself.
    pub fn touch(&self) -> u64 {
        self.playback.touch()
            ^ self.members.touch()
            ^ self.repair.touch()
            ^ self.upload.touch()
            ^ (self.own_addrs.len() ^ self.stripes.len() ^ self.arrears.len() ^ self.out.len()) as u64
            ^ self.heard.as_secs()
            ^ self.last_epoch.0
            ^ u64::from(self.me.0[0])
            ^ u64::from(self.key.0)
            ^ self.upload_bps
            ^ self.totals.sent_bytes
            ^ self.fresh_at.0
            ^ self.watch_due.0
    }

    /// Reads something of each list that every chunk looks at; after [`Mesh::touch`].
    pub fn touch_lists(&self) -> u64 {
        let stripes = self.stripes.iter();
        let stripes = stripes.fold(0, |sum, s| sum ^ s.offset_us as u64 ^ u64::from(s.behind));
        let window = self.window.touch(self.playback.next());
        stripes ^ window ^ self.playback.touch_told() ^ self.repair.answers.touch() ^ self.members.touch_keys()
    }

    /// Reads something of each neighbour, and more of the one that speaks; after [`Mesh::touch_lists`].
    pub fn touch_neighbours(&self, speaker: Option<Key>) -> u64 {
        let list = &self.members.list;
        let at = speaker.and_then(|key| self.members.by_key(key));
        let received = at.map_or(0, |at| list[at].received_bytes);
        list.iter().fold(received, |sum, n| sum ^ u64::from(n.fed))
    }
}
