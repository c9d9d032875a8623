//! Beginning: joining a channel, and going on air.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use crate::audio::payload::rate_on_air;
use crate::engine::broadcast::Broadcast;
use crate::engine::channel::{Channel, Station, Voice, tag_of};
use crate::engine::command::{Listen, Show};
use crate::engine::event::Level;
use crate::engine::listen::{Feed, Listener};
use crate::engine::report::Report;
use crate::engine::snapshot::Role;
use crate::engine::state::Engine;
use crate::engine::{Event, Link, clock};
use crate::gateway::listen::Tap;
use crate::mesh::crypto::Ed25519;
use crate::mesh::{self, Mesh, Session};
use crate::net::Identity;
use crate::units::{ChannelId, Epoch, PeerId};

/// How long a session key may be used; a show that is on air for longer starts a new session by being started again.
const SESSION_MAX: Duration = Duration::from_secs(30 * 86_400);

impl Engine {
    /// Joins to play; what was played before is left.
    pub(super) fn join_to_listen(&mut self, link: Link, listen: &Listen) {
        let id = link.channel;
        self.leave_others(id);
        if let Some(channel) = self.channels.get_mut(&id).filter(|channel| channel.left.is_some()) {
            channel.again = Some(listen.clone());
            return;
        }
        if self.channels.get(&id).is_some_and(|channel| channel.listener.is_some()) {
            return;
        }
        if self.join(link, Role::Listener, listen.delay).is_none() {
            return;
        }
        self.play(id, listen);
    }

    /// Leaves whatever else is played.
    pub(super) fn leave_others(&mut self, id: ChannelId) {
        let others: Vec<ChannelId> = self
            .channels
            .values()
            .filter(|c| c.listener.is_some() && c.id != id)
            .map(|c| c.id)
            .collect();
        others.into_iter().for_each(|other| self.leave(other));
    }

    /// Plays a channel that this node takes part in.
    pub(super) fn play(&mut self, id: ChannelId, listen: &Listen) {
        let tap = match listen.http.map(Tap::open) {
            None => None,
            Some(Ok((tap, http))) => {
                self.tell(Event::Published { http });
                Some(tap)
            }
            Some(Err(error)) => {
                let message = format!("the local stream cannot be offered: {error}");
                return self.refuse(id, 1, message, "choose another address with --http ADDR:PORT");
            }
        };
        let thread = Listener::start(
            id,
            listen,
            tap,
            self.sound,
            self.gauges.heard.clone(),
            self.reports.clone(),
        );
        match (thread, self.channels.get_mut(&id)) {
            (Ok(listener), Some(channel)) => {
                if let Some(session) = &channel.session {
                    listener.feed(Feed::Session(Arc::clone(session)));
                }
                channel.listener = Some(listener);
            }
            (Ok(_), None) => {}
            (Err(error), _) => self.refuse(id, 1, error.to_string(), "close some programs and try again"),
        }
    }

    /// Takes part in a channel; `None` when another channel of this node has the same tag.
    pub(super) fn join(&mut self, link: Link, role: Role, deadline: Duration) -> Option<()> {
        let id = link.channel;
        if self.channels.contains_key(&id) {
            return Some(());
        }
        if self.channels.keys().any(|other| tag_of(*other) == tag_of(id)) {
            self.notice(
                Level::Error,
                "two channels whose keys begin alike cannot be carried at once",
                "leave the other one first",
            );
            return None;
        }
        let config = mesh::Config {
            deadline,
            upload_bps: self.config.upload_bps.unwrap_or(mesh::config::UPLOAD_DEFAULT_BPS),
            listens: role == Role::Listener,
            unix_at_origin_s: clock::unix_at_origin_s(),
            ..mesh::Config::default()
        };
        let crypto = Arc::new(Ed25519 {
            peer_key: self.config.identity.signing_key().clone(),
            session_key: None,
        });
        let last = self.library.newest_epoch(id);
        let mesh = Mesh::listener(config, self.endpoint.peer(), id, last, crypto, seed(), clock::now());
        self.channels.insert(id, Channel::new(id, link.clone(), role, mesh));
        self.apply_blocks(id);
        self.tell_own_addrs();
        self.resolve(id, link.via.iter().chain(&self.config.peers).cloned().collect());
        Some(())
    }

    /// Looks names up without holding anything else up; the answers come as reports.
    fn resolve(&mut self, id: ChannelId, names: Vec<String>) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if names.is_empty() && channel.role != Role::Host {
            return self.seek(id, "the link names nobody to ask");
        }
        channel.resolving += names.len();
        for name in names {
            let reports = self.reports.clone();
            tokio::spawn(async move {
                let addrs = match tokio::net::lookup_host(&name).await {
                    Ok(found) => found.take(crate::limits::ADDRS_MAX).collect(),
                    Err(error) => {
                        tracing::debug!(%name, %error, "a name in a link could not be resolved");
                        Vec::new()
                    }
                };
                let _ = reports
                    .send(Report::Resolved {
                        channel: id,
                        name,
                        addrs,
                    })
                    .await;
            });
        }
    }

    pub(super) fn host_show(&mut self, show: Show) {
        let id = ChannelId(show.key.verifying_key().to_bytes());
        let is_own = show.station.is_none();
        if is_own && self.channels.values().any(|channel| channel.part() == Role::Host) {
            return self.notice(Level::Error, "a show is on air already", "end it first");
        }
        if self.channels.contains_key(&id) {
            return self.notice(
                Level::Error,
                "this node takes part in that channel already",
                "leave it first",
            );
        }
        // A clock that was set back must not make the new show look older than the last one.
        let epoch = Epoch(clock::unix_ms().max(self.library.newest_epoch(id).0 + 1));
        let session_key = match Identity::generate() {
            Ok(identity) => identity.signing_key().clone(),
            Err(error) => {
                return self.refuse(
                    id,
                    1,
                    error.to_string(),
                    "the system gives no randomness; check /dev/urandom",
                );
            }
        };
        let me = self.endpoint.peer();
        let session = session_of(&show, me, epoch, &session_key);
        if let Err(error) = session.check_ranges() {
            // Every listener would refuse it.
            return self.tell(Event::Failed {
                code: 2,
                message: format!("this show cannot go on air: {error}"),
                hint: "choose another name, description, bit rate or number of stripes".into(),
            });
        }
        let config = mesh::Config {
            upload_bps: self.config.upload_bps.unwrap_or(u64::MAX / 2),
            host_slots: show.host_slots,
            unix_at_origin_s: clock::unix_at_origin_s(),
            ..mesh::Config::default()
        };
        let crypto = Arc::new(Ed25519 {
            peer_key: self.config.identity.signing_key().clone(),
            session_key: Some(session_key),
        });
        let mesh = Mesh::source(config, me, session.clone(), crypto, seed(), clock::now());
        let link = Link {
            private: session.private,
            ..Link::new(id, self.dialable_addrs(), &show.name)
        };
        let mut channel = Channel::new(id, link, Role::Host, mesh);
        let station = show.station.clone().map(|url| Station {
            url,
            key: show.key.clone(),
        });
        let said = (!show.private).then(|| Voice {
            key: show.key.clone(),
            language: show.language.clone(),
            contact: show.contact.clone(),
        });
        let levels = self.gauges.programme.clone();
        match Broadcast::start(id, show, levels, self.reports.clone()) {
            Ok(broadcast) => channel.broadcast = Some(broadcast),
            Err(error) => return self.refuse(id, 1, error.to_string(), "close some programs and try again"),
        }
        channel.session = Some(Arc::new(session));
        channel.show = said;
        channel.station = station;
        self.channels.insert(id, channel);
        self.apply_blocks(id);
        if is_own {
            self.renew_kept();
        }
        self.tell_own_addrs();
        self.resolve(id, self.config.peers.clone());
    }
}

/// What a show says of itself, signed with the channel's key.
fn session_of(show: &Show, host: PeerId, epoch: Epoch, session_key: &SigningKey) -> Session {
    let bitrate_bps = rate_on_air(show.codec, show.bitrate_bps);
    Session {
        channel: ChannelId([0; 32]),
        epoch,
        signing_key: session_key.verifying_key().to_bytes(),
        host,
        stripes: show.stripes,
        codec: show.codec,
        bitrate_bps,
        chunk_time: show.codec.chunk_time(bitrate_bps, show.stripes),
        expires_unix_s: clock::unix_ms() / 1_000 + SESSION_MAX.as_secs(),
        name: show.name.clone(),
        genre: show.genre.clone(),
        description: show.description.clone(),
        // Of a station nobody is told until the person passes it on, which must not need another session.
        private: show.private && show.station.is_none(),
        signature: [0; 64],
    }
    .sign(&show.key)
}

/// Randomness for the pure core, from the system once.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // Without system randomness peers merely retry in step; keys are made elsewhere and do fail.
        return clock::now().as_micros() ^ clock::unix_ms();
    }
    u64::from_le_bytes(bytes)
}
