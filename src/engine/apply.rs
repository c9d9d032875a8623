//! What commands, reports and the meshes' own events do to the engine.

use std::sync::Arc;

use crate::engine::broadcast;
use crate::engine::event::Level;
use crate::engine::finding::Wish;
use crate::engine::listen::Feed;
use crate::engine::report::Report;
use crate::engine::snapshot::Role;
use crate::engine::state::Engine;
use crate::engine::{Command, Event, clock};
use crate::mesh::{self, Input, OffAirReason, Session};
use crate::units::ChannelId;

/// Times the stream that a node passes on by default, so that one generous listener is not eaten by a crowd.
const UPLOAD_STREAMS: u64 = 6;

impl Engine {
    /// Does what a person asked for.
    pub fn on_command(&mut self, command: Command) {
        match command {
            Command::Listen(listen) => self.reach(listen.target.clone(), Wish::Listen(listen)),
            Command::Relay { target } => self.reach(target, Wish::Relay),
            Command::Host(show) => self.host_show(*show),
            Command::Leave { channel } => self.leave(channel),
            Command::CancelJoin => self.cancel_join(),
            Command::SetVolume(percent) => self.set_sound(|sound| sound.volume = percent.min(100)),
            Command::SetMuted(muted) => self.set_sound(|sound| sound.muted = muted),
            Command::Fade(over) => self.to_listener(|| Feed::Fade(over)),
            Command::SetPaused(paused) => self.set_sound(|sound| sound.paused = paused),
            Command::Measure(detail) => self.set_sound(|sound| sound.detail = detail),
            Command::SetUpload(bits_per_second) => {
                self.config.upload_bps = Some(bits_per_second);
                self.each_mesh(|| Input::SetUpload { bits_per_second });
            }
            Command::Block(peer) => {
                self.keep_blocked(peer);
                self.each_mesh(|| Input::Block { peer });
            }
            Command::Reconnect => self.each_mesh(|| Input::Reconnect),
            Command::SetTitle(title) => self.to_broadcast(|| broadcast::Order::Title(title.clone())),
            Command::Recast { channel, on } => self.recast(channel, on),
            Command::Skip => self.to_broadcast(|| broadcast::Order::Skip),
            Command::Record(wanted) => self.to_listener(|| Feed::Record(wanted.clone())),
            Command::AddPeers(addrs) => self.each_mesh(|| Input::AddAddrs { addrs: addrs.clone() }),
            Command::SetFavourite { link, name, on } => self.set_favourite(link, name, on),
            Command::SetHidden { link, on } => self.set_hidden(&link, on),
            Command::Refresh => {
                if let Some(finder) = &self.finding.finder {
                    finder.browse();
                    finder.refresh();
                }
            }
            Command::Quit => self.quit(),
        }
    }

    fn set_sound(&mut self, change: impl FnOnce(&mut crate::engine::state::Sound)) {
        change(&mut self.sound);
        let sound = self.sound;
        self.to_listener(|| Feed::Sound(sound));
    }

    fn each_mesh(&mut self, input: impl Fn() -> Input) {
        let now = clock::now();
        for channel in self.channels.values_mut() {
            channel.mesh.handle_input(input(), now);
        }
    }

    fn to_listener(&self, feed: impl Fn() -> Feed) {
        for listener in self.channels.values().filter_map(|channel| channel.listener.as_ref()) {
            listener.feed(feed());
        }
    }

    fn to_broadcast(&self, order: impl Fn() -> broadcast::Order) {
        for broadcast in self.channels.values().filter_map(|channel| channel.broadcast.as_ref()) {
            broadcast.order(order());
        }
    }

    /// Takes in what a thread reported.
    pub fn on_report(&mut self, report: Report) {
        let now = clock::now();
        match report {
            Report::Resolved { channel, name, addrs } => self.on_resolved(channel, &name, addrs),
            Report::BroadcastReady { channel } => self.on_broadcast_ready(channel),
            Report::Payload { channel, payload } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.mesh.handle_input(Input::Publish { payload }, now);
                }
            }
            // Of a station that is listened to, the title is told when it is heard.
            Report::HostTitle { channel, .. } if self.is_station(channel) => {}
            Report::HostTitle { channel, title } => self.on_title(channel, title),
            Report::HostPosition {
                position,
                length,
                next,
                silent_for,
                overruns,
            } => {
                self.host.track_position = position;
                self.host.track_length = length;
                self.host.next = next;
                self.host.silent_for = silent_for;
                self.host.capture_overruns = overruns;
            }
            Report::BroadcastEnded { channel } => self.on_broadcast_ended(channel),
            Report::FirstSound { channel, at } => self.on_joined(channel, at),
            Report::Title { channel, title } => self.on_title(channel, title),
            Report::Player { channel, view } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    if !view.delay.is_zero() {
                        let heard = Input::Heard { delay: view.delay };
                        channel.mesh.handle_input(heard, clock::now());
                    }
                    channel.player = Some(view);
                }
            }
            Report::PlayedOut { channel } => self.say_off_air(channel, "the host ended the show", true),
            Report::Closed { channel } => self.leave(channel),
            Report::ListenEnded { channel } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.listener = None;
                }
                self.finish(channel);
            }
            Report::Recorded { channel, view } => self.tell(Event::Recorded { channel, view }),
            Report::Notice { level, message, hint } => self.notice(level, message, hint),
            Report::Failed {
                channel,
                code,
                message,
                hint,
            } => self.refuse(channel, code, message, hint),
        }
    }

    fn on_resolved(&mut self, id: ChannelId, name: &str, addrs: Vec<std::net::SocketAddr>) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.resolving = channel.resolving.saturating_sub(1);
        if !addrs.is_empty() {
            return channel.mesh.handle_input(Input::AddAddrs { addrs }, clock::now());
        }
        let hopeless = channel.resolving == 0 && channel.dials.is_empty() && channel.unreached();
        let is_host = channel.role == Role::Host;
        let what = format!("the address {name} is not known");
        if hopeless && !is_host {
            // The channel may be found all the same: in the DHT, in directories, on the local network.
            return self.seek(id, &what);
        }
        self.notice(Level::Warn, what, "check its spelling; the others are tried");
    }

    fn on_broadcast_ready(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.ready = true;
        self.tell_carried();
        self.say_on_air(id);
    }

    fn on_title(&mut self, id: ChannelId, title: String) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.title.clone_from(&title);
        self.tell(Event::Title { channel: id, title });
    }

    fn on_joined(&mut self, id: ChannelId, at: crate::units::Time) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.joined.is_none() {
            channel.joined = Some(at);
            let startup = at.since(channel.requested);
            self.tell(Event::Joined { channel: id, startup });
            self.keep_visit(id);
        }
    }

    fn on_broadcast_ended(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.broadcast = None;
        }
        self.say_off_air(id, "the show is over", true);
        self.leave(id);
    }

    fn say_off_air(&mut self, id: ChannelId, reason: &str, ended: bool) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.off_air != Some(ended) {
            channel.off_air = Some(ended);
            let reason = reason.into();
            self.tell(Event::OffAir {
                channel: id,
                reason,
                ended,
            });
        }
    }

    /// Takes in what a channel's mesh says.
    pub(super) fn on_mesh(&mut self, id: ChannelId, event: mesh::Event) {
        match event {
            mesh::Event::Session(session) => self.on_session(id, session),
            mesh::Event::Chunk(chunk) => {
                tracing::trace!(seq = chunk.seq.0, hops = chunk.hops, "chunk");
                let Some(channel) = self.channels.get_mut(&id) else {
                    return;
                };
                // What comes after the host's farewell is the end of a show, not another one.
                channel.off_air = channel.off_air.filter(|ended| *ended);
                if let Some(listener) = &channel.listener {
                    listener.feed(Feed::Chunk(chunk));
                } else if channel.role == Role::Relay && channel.joined.is_none() {
                    self.on_joined(id, clock::now());
                }
            }
            mesh::Event::ParentChanged { stripe, from, to, gap } => {
                self.tell(Event::ParentChanged {
                    channel: id,
                    stripe: stripe.0,
                    from,
                    to,
                    gap,
                });
            }
            mesh::Event::OffAir { reason } => self.on_off_air(id, reason),
            mesh::Event::AnotherHost { epoch } => {
                let own = self.channels.get(&id).and_then(|channel| channel.session.as_ref());
                let is_later = own.is_some_and(|own| epoch > own.epoch);
                let message = if is_later {
                    "somebody else went on air with this channel's key after you; who hears you stays, others may hear them"
                } else {
                    "somebody else is on air with this channel's key already; listeners stay with the other host"
                };
                self.notice(
                    Level::Error,
                    message,
                    "end one of the two shows, or host under another name",
                );
            }
            mesh::Event::Observed { .. } => {}
            mesh::Event::Banned { peer, reason } => {
                tracing::info!(peer = %peer.short(), reason, "a peer was banned");
            }
        }
    }

    fn on_session(&mut self, id: ChannelId, session: Arc<Session>) {
        let upload = (u64::from(session.bitrate_bps) * UPLOAD_STREAMS).min(mesh::config::UPLOAD_DEFAULT_BPS);
        let fixed = self.config.upload_bps.is_some();
        self.keep_session(id, session.epoch);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.off_air = None;
        if let Some(listener) = &channel.listener {
            listener.feed(Feed::Session(Arc::clone(&session)));
        }
        channel.session = Some(session);
        if !fixed && channel.role != Role::Host {
            channel.mesh.handle_input(
                Input::SetUpload {
                    bits_per_second: upload,
                },
                clock::now(),
            );
        }
    }

    fn on_off_air(&mut self, id: ChannelId, reason: OffAirReason) {
        let Some(channel) = self.channels.get(&id) else { return };
        match (reason, &channel.listener) {
            // People hear the end when the sound that is still on its way has been played.
            (OffAirReason::Ended, Some(listener)) => listener.feed(Feed::End),
            (OffAirReason::Ended, None) => self.say_off_air(id, "the host ended the show", true),
            (OffAirReason::Silent, _) => {
                self.say_off_air(
                    id,
                    "nothing comes from anybody any more; still looking for the host",
                    false,
                );
            }
        }
    }

    /// A sound thread or a join came to nothing: says so and leaves.
    pub(super) fn refuse(&mut self, id: ChannelId, code: u8, message: impl Into<String>, hint: impl Into<String>) {
        self.tell(Event::Failed {
            code,
            message: message.into(),
            hint: hint.into(),
        });
        if let Some(channel) = self.channels.get_mut(&id) {
            // The failure has been told; its end needs no other word.
            channel.off_air = Some(true);
        }
        self.leave(id);
    }

    /// Leaves a channel: sound threads told to close, farewells to the mesh, the summary once all have ended.
    pub(super) fn leave(&mut self, id: ChannelId) {
        let now = clock::now();
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.left.get_or_insert(now);
        channel.again = None;
        if let Some(listener) = &channel.listener {
            listener.stop();
        }
        if let Some(broadcast) = &channel.broadcast {
            // Its last chunks are still to come, and may be asked for: the mesh is left after them.
            return broadcast.stop();
        }
        channel.mesh.handle_input(Input::Leave, now);
        self.keep_peers(id);
        self.finish(id);
    }

    /// Says the totals of a channel whose threads have ended, and forgets it.
    fn finish(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        if channel.listener.is_some() || channel.broadcast.is_some() {
            return;
        }
        let again = channel.again.take();
        let view = channel.view(clock::now());
        self.tell(Event::Summary(Box::new(view)));
        self.drain();
        self.forget(id);
        if let Some(listen) = again.filter(|_| !self.leaving) {
            self.reach(listen.target.clone(), Wish::Listen(listen));
        }
    }

    /// Finishes a channel whose threads do not end: a program that reads no more, a disk that does not answer.
    pub(super) fn finish_by_force(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.listener = None;
            channel.broadcast = None;
            let hint = "the last of it may be missing; check what it is written to";
            self.notice(Level::Warn, "the sound did not end in time and was left behind", hint);
        }
        self.leave(id);
    }

    fn quit(&mut self) {
        self.leaving = true;
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        ids.into_iter().for_each(|id| self.leave(id));
    }
}
