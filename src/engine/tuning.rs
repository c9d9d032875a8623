//! Internet radio stations: a channel of our own that nobody is told of, played here, until a person lets others hear it.

use ed25519_dalek::SigningKey;

use crate::engine::Link;
use crate::engine::channel::Voice;
use crate::engine::command::{Listen, Programme, Show};
use crate::engine::event::Level;
use crate::engine::state::Engine;
use crate::net::Identity;
use crate::store::keys;
use crate::units::{ChannelId, Codec};

/// What a station is encoded with on its way through the mesh: above what most stations send.
const BITRATE_BPS: u32 = 160_000;

impl Engine {
    /// Plays a station.
    pub(super) fn tune(&mut self, url: String, listen: &Listen) {
        let key = match self.station_key(&url) {
            Ok(key) => key,
            Err(error) => {
                return self.notice(
                    Level::Error,
                    error,
                    "the system gives no randomness; check /dev/urandom",
                );
            }
        };
        let id = ChannelId(key.verifying_key().to_bytes());
        self.leave_others(id);
        if self.channels.contains_key(&id) {
            return;
        }
        let known = self
            .library
            .favourites
            .get(&url)
            .map(|favourite| favourite.name.clone());
        let name = known.unwrap_or_else(|| name_of(&url));
        self.host_show(Show {
            station: Some(url.clone()),
            key,
            name,
            genre: String::new(),
            description: format!("{url}, passed on by a listener"),
            language: String::new(),
            contact: String::new(),
            private: true,
            sources: vec![Programme::Station(url)],
            bitrate_bps: BITRATE_BPS,
            codec: Codec::Opus,
            stripes: 4,
            host_slots: 4,
            repeat: false,
            record: None,
            held: None,
        });
        self.play(id, listen);
    }

    /// The key under which this person passes a station on: the same one each time, where keys are kept.
    fn station_key(&self, url: &str) -> Result<SigningKey, String> {
        let name = format!("station-{:016x}", crate::mesh::rng::mix(digest(url)));
        let kept = self.config.state.as_ref().and_then(|folder| {
            let kept = keys::load_or_create(&folder.join("channels"), &name);
            kept.inspect_err(|error| tracing::debug!(%error, "a station's key is not kept"))
                .ok()
        });
        match kept {
            Some(key) => Ok(key),
            None => Identity::generate()
                .map(|identity| identity.signing_key().clone())
                .map_err(|error| error.to_string()),
        }
    }

    /// Whether a channel is a station that is listened to.
    pub(super) fn is_station(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|channel| channel.station.is_some())
    }

    /// Lets others hear a station, or no longer.
    pub(super) fn recast(&mut self, id: ChannelId, on: bool) {
        let link = Link::new(id, self.dialable_addrs(), "");
        let channel = self.channels.get_mut(&id);
        let Some((channel, key)) = channel.and_then(|channel| {
            let key = channel.station.as_ref()?.key.clone();
            Some((channel, key))
        }) else {
            return self.notice(
                Level::Info,
                "only a station that you listen to can be passed on like this",
                "channels are passed on by themselves",
            );
        };
        channel.link.via = link.via;
        channel.show = on.then(|| Voice {
            key,
            language: String::new(),
            contact: String::new(),
        });
        let name = channel.name();
        self.tell_carried();
        if on {
            self.say_on_air(id);
        } else {
            self.notice(
                Level::Info,
                format!("{name} is no longer announced"),
                "who has the link can listen until you leave the station",
            );
        }
    }
}

/// The part of an address that people know a station by.
fn name_of(url: &str) -> String {
    let rest = url.split("://").nth(1).unwrap_or(url);
    let name: String = rest.trim_end_matches('/').chars().take(60).collect();
    if name.is_empty() { "station".into() } else { name }
}

fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
