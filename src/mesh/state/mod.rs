//! `Mesh`: one node's part in one channel, and the doors through which everything enters and leaves it.

mod age;
mod arrears;
mod ask;
mod attach;
mod burst;
mod choose;
mod dial;
mod displace;
mod flow;
mod greet;
mod guard;
mod hunger;
mod judge;
mod leave;
mod lift;
mod mend;
mod overdue;
mod refer;
mod report;
#[cfg(test)]
mod rig;
mod rise;
mod seek;
mod serve;
mod spend;
mod suspect;
#[cfg(test)]
mod tests;
mod touch;
mod upkeep;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::mesh::budget::{Bucket, Packets, Upload};
use crate::mesh::chunk::Crypto;
use crate::mesh::config::Config;
use crate::mesh::member::Members;
use crate::mesh::playback::Playback;
use crate::mesh::record::{Key, PeerRecord};
use crate::mesh::repair::Repair;
use crate::mesh::rng::Rng;
use crate::mesh::session::Session;
use crate::mesh::standing::{Standing, Verdict};
use crate::mesh::stripe::StripeState;
use crate::mesh::timer::{Timer, Timers};
use crate::mesh::window::Window;
use crate::mesh::wire::{Audience, Farewell, Load, Message};
use crate::mesh::{CloseReason, Event, Input, Output};
use crate::units::{ChannelId, Epoch, PeerId, Time};

/// One node's part in one channel.
///
/// The contract: after each [`Mesh::handle_input`] and [`Mesh::handle_timeout`], take every [`Mesh::poll_output`]; call
/// [`Mesh::handle_timeout`] when the time of [`Mesh::poll_timeout`] has come. Times never go back.
pub struct Mesh {
    config: Arc<Config>,
    me: PeerId,
    key: Key,
    channel: ChannelId,
    crypto: Arc<dyn Crypto>,
    rng: Rng,
    is_source: bool,
    phase: Phase,
    session: Option<Arc<Session>>,
    /// A newer session of the same channel, taken when the current one falls silent; at a host, the one last told.
    rival: Option<Arc<Session>>,
    rival_at: Time,
    last_epoch: Epoch,
    /// When the present session was taken up.
    adopted_at: Time,
    farewell: Option<Arc<Farewell>>,
    own_addrs: Vec<SocketAddr>,
    record: Arc<PeerRecord>,
    members: Members,
    stripes: Vec<StripeState>,
    window: Window,
    repair: Repair,
    bursts: Vec<burst::Burst>,
    /// What children are owed, the oldest first.
    arrears: Vec<arrears::Owed>,
    standing: Standing,
    playback: Playback,
    /// Source to ear as it is now.
    heard: Duration,
    /// Child links the budget admits.
    slots: u8,
    upload: Upload,
    packets: Packets,
    upload_bps: u64,
    dial_allowance: Bucket,
    timers: Timers,
    out: VecDeque<Output>,
    totals: Totals,
    audience: Option<Audience>,
    /// What neighbours are told of our room; made anew every half second and when a child comes.
    load: Load,
    /// Next chunk to publish; hosts only.
    next_seq: u64,
    /// When a fresh chunk last came from anybody.
    fresh_at: Time,
    /// When anybody last said anything.
    spoken_at: Time,
    /// When a child's report may be overdue.
    children_due: Time,
    /// When all children were last asked whether they are there.
    children_probed: Time,
    shuffled: Time,
    /// Whether nothing came for long, and nobody has been told yet that it does again; when one who starves dials again.
    has_starved: bool,
    dial_again: Time,
    /// When a child was last asked to make room.
    redirected: Time,
    /// When the parent in our own stripe last told how full it is, unless a child has been sent there since.
    told_above: Time,
    probed: Time,
    /// When something may be overdue.
    watch_due: Time,
    audience_at: Time,
    told_silent: bool,
    /// Who was turned away and waits.
    waiting: Vec<refer::Waiting>,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The host has said goodbye; a newer session starts it again.
    Ended,
    /// This node has left.
    Left,
}

/// Sums since the start.
#[derive(Clone, Debug, Default)]
struct Totals {
    repaired: u64,
    duplicates: u64,
    sent_bytes: u64,
    received_bytes: u64,
    payload_received_bytes: u64,
    payload_sent_bytes: u64,
    parent_switches: u64,
}

impl Mesh {
    /// A host: it publishes and has no parent.
    pub fn source(
        config: impl Into<Arc<Config>>,
        me: PeerId,
        session: Session,
        crypto: Arc<dyn Crypto>,
        seed: u64,
        now: Time,
    ) -> Mesh {
        let mut mesh = Mesh::new(config.into(), me, session.channel, session.epoch, crypto, seed, now);
        mesh.is_source = true;
        mesh.fresh_at = now;
        mesh.adopt(Arc::new(session), now);
        mesh
    }

    /// A listener or relay. `last_epoch` is the newest session seen before, zero when none: older ones are refused.
    pub fn listener(
        config: impl Into<Arc<Config>>,
        me: PeerId,
        channel: ChannelId,
        last_epoch: Epoch,
        crypto: Arc<dyn Crypto>,
        seed: u64,
        now: Time,
    ) -> Mesh {
        Mesh::new(config.into(), me, channel, last_epoch, crypto, seed, now)
    }

    fn new(
        config: Arc<Config>,
        me: PeerId,
        channel: ChannelId,
        last_epoch: Epoch,
        crypto: Arc<dyn Crypto>,
        seed: u64,
        now: Time,
    ) -> Mesh {
        let mut rng = Rng::new(seed);
        let mut timers = Timers::default();
        let period_us = config.status_every.as_micros() as usize;
        timers.set(Timer::Status, now + Duration::from_micros(rng.below(period_us) as u64));
        let record = PeerRecord::sign(me, 0, 0, Vec::new(), crypto.as_ref());
        Mesh {
            upload: Upload::new(config.upload_bps, Duration::ZERO),
            packets: Packets::default(),
            upload_bps: config.upload_bps,
            dial_allowance: Bucket::new(2.0, 12.0, now),
            shuffled: now,
            has_starved: false,
            dial_again: now,
            redirected: Time::ZERO,
            told_above: Time::ZERO,
            probed: Time::ZERO,
            watch_due: now,
            key: Key::of(&me),
            record,
            heard: config.deadline,
            config,
            me,
            channel,
            crypto,
            rng,
            is_source: false,
            phase: Phase::Running,
            session: None,
            rival: None,
            rival_at: Time::ZERO,
            last_epoch,
            adopted_at: now,
            farewell: None,
            own_addrs: Vec::new(),
            members: Members::default(),
            stripes: Vec::new(),
            window: Window::default(),
            repair: Repair::new(0.0, 0.0, now),
            bursts: Vec::new(),
            arrears: Vec::new(),
            standing: Standing::default(),
            playback: Playback::default(),
            slots: 0,
            timers,
            out: VecDeque::new(),
            totals: Totals::default(),
            audience: None,
            load: Load::default(),
            next_seq: 0,
            fresh_at: Time::ZERO,
            spoken_at: now,
            children_due: now,
            children_probed: Time::ZERO,
            audience_at: now,
            told_silent: false,
            waiting: Vec::new(),
        }
    }

    /// Takes in one thing that happened; afterwards drain [`Mesh::poll_output`].
    pub fn handle_input(&mut self, input: Input, now: Time) {
        if self.phase == Phase::Left {
            return;
        }
        match input {
            Input::Publish { payload } => self.publish(payload, now),
            Input::Received { from, message } => self.on_message(from, message, now),
            Input::Connected {
                peer,
                remote,
                dialled,
                rtt,
            } => self.on_connected(peer, remote, dialled, rtt, now),
            Input::Disconnected { peer } => self.on_disconnected(peer, now),
            Input::DialFailed { peer, addrs } => self.on_dial_failed(peer, &addrs, now),
            Input::AddAddrs { addrs } => self.add_addrs(&addrs, now),
            Input::OwnAddrs { addrs } => {
                self.own_addrs = addrs;
                self.renew_record(now);
            }
            Input::SetUpload { bits_per_second } => {
                self.upload_bps = bits_per_second;
                self.upload = Upload::new(bits_per_second, self.round()).after(&mut self.upload, now);
                self.resize_slots(now);
            }
            Input::Heard { delay } => self.heard = delay.min(self.config.deadline),
            Input::Block { peer } => {
                self.standing.block(peer);
                self.drop_peer(peer, CloseReason::Banned, now);
            }
            Input::Reconnect => self.reconnect(now),
            Input::Leave => self.leave(now),
        }
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Exchanges the queue of outputs with one of the driver's, so that many nodes can share its memory.
    pub fn swap_outputs(&mut self, outputs: &mut VecDeque<Output>) {
        std::mem::swap(&mut self.out, outputs);
    }

    /// Bits a second that this mesh allows itself to pass on.
    pub fn upload_limit_bps(&self) -> u64 {
        self.upload_bps
    }

    /// When [`Mesh::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<(Time, Timer)> {
        if self.phase == Phase::Left {
            return None;
        }
        self.timers.next()
    }

    /// Runs every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.phase == Phase::Left {
            return;
        }
        // Each timer runs at most once a call: one that sets itself to the past waits for the next call.
        for _ in 0..crate::mesh::timer::TIMERS.len() {
            match self.timers.take_due(now) {
                None => return,
                Some(Timer::Watch) => self.watch(now),
                Some(Timer::Repair) => self.ask(now),
                Some(Timer::Burst) => self.pace_bursts(now),
                Some(Timer::Seek) => self.seek(now),
                Some(Timer::Status) => self.upkeep(now),
            }
        }
    }

    fn on_message(&mut self, from: PeerId, message: Message, now: Time) {
        let Some(at) = self.members.find(&from) else { return };
        let len = (message.encoded_len() + self.config.packet_overhead_bytes) as u64;
        self.totals.received_bytes += len;
        let chunk_limit = self.chunk_limit();
        let neighbour = &mut self.members.list[at];
        neighbour.received_bytes += len;
        neighbour.heard = now;
        neighbour.unanswered = 0;
        self.spoken_at = now;
        match neighbour
            .allowance
            .count(guard::kind(&message), guard::weight(&message), chunk_limit, now)
        {
            Verdict::Fine => {}
            Verdict::Dropped => return,
            Verdict::Flood => return self.ban(from, "flood", now),
        }
        match message {
            Message::Hello(hello) => self.on_hello(at, *hello, now),
            Message::Session(session) => self.on_session(at, session, now),
            Message::Peers { answer, records } => self.on_peers(at, answer, &records, now),
            Message::Attach(attach) => self.on_attach(at, attach, now),
            Message::Accept { stripe, path, newest } => self.on_accept(at, stripe, path, newest, now),
            Message::Refuse {
                stripes,
                reason,
                others,
            } => self.on_refuse(at, stripes, reason, &others, now),
            Message::Redirect { stripe, others } => self.on_redirect(at, stripe, &others, now),
            Message::Detach { stripes } => self.on_detach(at, stripes, now),
            Message::Path { stripe, path } => self.on_path(at, stripe, path, now),
            Message::Chunk(pushed) => self.on_chunk(at, pushed, now),
            Message::Want { within, set } => self.on_want(at, set, within, now),
            Message::Lack(set) => self.on_lack(at, set, now),
            Message::Status(status) => self.on_status(at, status, now),
            Message::Ping { stamp, load } => self.on_ping(at, stamp, load, now),
            Message::Pong { stamp, load } => self.on_pong(at, stamp, load, now),
            Message::Audience(audience) => self.on_audience(at, audience, now),
            Message::Farewell(farewell) => self.on_farewell(at, farewell, now),
            Message::Offer { stripe } => self.on_offer(at, stripe, now),
            Message::Hint { stripe, record } => self.on_hint(at, stripe, &record, now),
            Message::Bye { others } => self.on_bye(at, &others, now),
        }
    }

    /// Chunks that one neighbour may send in two seconds: four times the stream, and a joining burst.
    fn chunk_limit(&self) -> u16 {
        let chunk_us = self.chunk_time().as_micros().max(1);
        (10_000_000 / chunk_us) as u16 + 40
    }

    /// Media time of a chunk; 20 ms before a session is known.
    fn chunk_time(&self) -> Duration {
        self.session
            .as_ref()
            .map_or(crate::units::PACKET_TIME, |session| session.chunk_time)
    }

    /// Stripes of the session; zero before one is known.
    fn stripe_count(&self) -> u8 {
        self.stripes.len() as u8
    }

    /// The time between two chunks of one stripe: K times T.
    fn round(&self) -> Duration {
        self.chunk_time() * u32::from(self.stripe_count().max(1))
    }

    /// One bit for every stripe of the session; all bits before it is known.
    fn all_stripes(&self) -> u16 {
        match self.stripe_count() {
            0 | 16.. => u16::MAX,
            count => (1 << count) - 1,
        }
    }

    /// The stripe whose chunks this node passes on.
    pub fn home(&self) -> u8 {
        self.key.home(self.stripe_count().max(1))
    }

    /// The session; zero before one is known.
    pub fn epoch(&self) -> Epoch {
        self.session.as_ref().map_or(Epoch(0), |session| session.epoch)
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn renew_record(&mut self, now: Time) {
        // Seconds of the calendar: the key outlives the process, and what it says later must count as newer.
        let unix_s = self.config.unix_at_origin_s + now.0 / 1_000_000;
        let serial = u32::try_from(unix_s).unwrap_or(u32::MAX);
        let serial = serial.max(self.record.serial.saturating_add(1));
        let record = PeerRecord::sign(
            self.me,
            serial,
            self.slots,
            self.own_addrs.clone(),
            self.crypto.as_ref(),
        );
        let is_new = record.slots != self.record.slots || record.addrs != self.record.addrs;
        self.record = record;
        if is_new {
            self.renew_load(now);
            for at in 0..self.members.list.len() {
                if self.members.list[at].greeted {
                    self.say_hello(at, now);
                }
            }
        }
    }
}

/// The bit of a stripe in a mask.
const fn bit(stripe: u8) -> u16 {
    1 << stripe
}

/// The stripes of a mask, ascending.
fn stripes_of(mask: u16) -> impl Iterator<Item = u8> {
    (0..16).filter(move |stripe| mask & bit(*stripe) != 0)
}
