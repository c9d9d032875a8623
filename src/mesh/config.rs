//! Every number of the protocol, with its unit, its trade-off and where it comes from.

use std::time::Duration;

/// Playback deadline unless the person asks for another: source to ear.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(2);
/// Upload budget unless the person sets one: a third of a common 6 Mbit/s uplink.
pub const UPLOAD_DEFAULT_BPS: u64 = 2_000_000;

/// How a node behaves; the defaults are those of the design.
#[derive(Clone, Debug)]
pub struct Config {
    /// Playback deadline D: chunks older than this are of no use to this node. 2 s radio, 0.8-1 s live, 3 s robust.
    pub deadline: Duration,
    /// Upload budget in bits a second; zero means listen only.
    pub upload_bps: u64,
    /// Host only: children a stripe. Four carried any audience in simulation at 4.6 times the payload rate.
    pub host_slots: u8,
    /// Whether a person listens here; a relay does not count as a listener.
    pub listens: bool,
    /// Unix seconds at [`Time::ZERO`](crate::units::Time::ZERO), for the expiry of sessions; zero turns the check off.
    pub unix_at_origin_s: u64,

    /// Most child links; beyond about fourteen more fan-out wins no depth at any size measured.
    pub slots_max: u8,
    /// Share of the budget given to steady feeding; the rest is for repairs, bursts and control.
    pub slots_share: f64,
    /// Bytes of IP, UDP and QUIC around one message: 20 + 8 + 26, and the channel tag of 4.
    pub packet_overhead_bytes: usize,

    /// Warm neighbours that feed nothing, asked for repairs and tried first after a loss.
    pub spares: usize,
    /// How many of them we dial ourselves, so that nobody can surround us by dialling. (With a third one nothing was safer, and after
    /// a crash half a per cent of the stream more went into handshakes.)
    pub spares_dialled: usize,
    /// Spares above this are sent away.
    pub spares_max: usize,
    /// Connections of one channel; more are refused.
    pub neighbours_max: usize,
    /// Records of peers we are not connected to.
    pub passive_max: usize,
    /// Time between exchanges of records. 30 s from HyParView's use in Plumtree deployments.
    pub shuffle_every: Duration,
    /// Time between two looks at children and neighbours.
    pub status_every: Duration,
    /// The longest time between two reports of a child to its parent, which go with a chunk so that they carry QUIC's acknowledgement,
    /// too: 1.2 s with a chunk each 240 ms. `dead_child` leaves room for two that are lost.
    pub report_every: Duration,
    /// Ping of neighbours that feed nothing; just before QUIC would do so itself.
    pub ping_every: Duration,

    /// How long after its usual time a chunk is asked for, of the parent first. (Of others it could not be asked before 60 ms:
    /// what was only late came twice.)
    pub repair_margin: Duration,
    /// Time until another peer is asked, at most; less when the deadline is near.
    pub repair_retry: Duration,
    /// How long somebody asked waits for the chunk itself, at most; the want says how long it stands.
    pub repair_hold: Duration,
    /// Peers asked for one chunk.
    pub repair_tries: u8,
    /// Share of the chunk rate that may be asked for in the long run, to keep a starving subtree from flooding its neighbours.
    pub repair_share: f64,
    /// What may be asked for at once: a second and a half of the stream, for the loss of several parents together.
    pub repair_burst: Duration,

    /// Added to 2KT: how long a parent may be silent.
    pub silence: Duration,
    /// Added to 2KT when three later chunks came on other stripes. Below 2KT one lost datagram looked like a lost parent:
    /// 2.5 false alarms a node and minute were measured at 0.5 % loss.
    pub silence_outrun: Duration,
    /// More patience for each hop of depth, so that the one nearest to a loss moves first and its subtree stays whole.
    pub silence_per_hop: Duration,
    /// How long a child waits for a parent that says it is looking for a parent.
    pub patience: Duration,
    /// A stripe this far behind the best of ours looks for a better parent...
    pub lag_switch: Duration,
    /// ...at most so often.
    pub lag_cooldown: Duration,
    /// A child without acknowledged progress for this long loses its slot.
    pub dead_child: Duration,
    /// How long an attach request may stay unanswered.
    pub attach_timeout: Duration,
    /// How long one that refused is left alone in that stripe.
    pub refusal_backoff: Duration,

    /// The past a newcomer is given by a parent without much room to spare; others give all that is of use. A whole second
    /// filled the uplinks of a growing audience: start-up p99 1,080 ms against 750 ms with 600 ms; 480 ms are what the first
    /// run of 360 ms takes and two parents that begin at two moments.
    pub join_past: Duration,
    /// Speed of that burst against the stripe's own rate: 15 ms between two chunks of one stripe. Four times was a tenth of a
    /// second more of start-up.
    pub join_speed: u32,
    /// A newer session is taken when the current one has been silent for this long.
    pub takeover: Duration,
    /// Nothing from anybody for this long is told as silence.
    pub off_air: Duration,
    /// How long a ban lasts.
    pub ban: Duration,
    /// How long a child asked to move may keep its slot.
    pub redirect_grace: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            deadline: DEADLINE_DEFAULT,
            upload_bps: UPLOAD_DEFAULT_BPS,
            host_slots: 4,
            listens: true,
            unix_at_origin_s: 0,
            slots_max: 24,
            slots_share: 0.9,
            packet_overhead_bytes: 58,
            spares: 5,
            spares_dialled: 2,
            spares_max: 12,
            neighbours_max: 96,
            passive_max: 64,
            shuffle_every: Duration::from_secs(30),
            status_every: Duration::from_millis(500),
            report_every: Duration::from_millis(1_300),
            ping_every: Duration::from_secs(9),
            repair_margin: Duration::from_millis(40),
            repair_retry: Duration::from_millis(250),
            repair_hold: Duration::from_millis(200),
            repair_tries: 8,
            repair_share: 0.25,
            repair_burst: Duration::from_millis(1_500),
            silence: Duration::from_millis(150),
            silence_outrun: Duration::from_millis(70),
            silence_per_hop: Duration::from_millis(20),
            patience: Duration::from_millis(600),
            lag_switch: Duration::from_millis(250),
            lag_cooldown: Duration::from_secs(2),
            dead_child: Duration::from_secs(3),
            attach_timeout: Duration::from_millis(250),
            refusal_backoff: Duration::from_secs(2),
            join_past: Duration::from_millis(480),
            join_speed: 16,
            takeover: Duration::from_secs(3),
            off_air: Duration::from_secs(10),
            ban: Duration::from_secs(600),
            redirect_grace: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The past that a newcomer has a use for: almost its whole delay, so that from the first second on it has the reserve it
    /// wants; less a quarter of a second in which what was lost on the way may be asked for.
    pub fn useful_past(&self) -> Duration {
        self.deadline - (self.deadline / 8).min(Duration::from_millis(250))
    }

    /// For live talk: 0.8 s from source to ear.
    pub fn live() -> Config {
        Config {
            deadline: Duration::from_millis(800),
            ..Config::default()
        }
    }

    /// For bad networks: 3 s.
    pub fn robust() -> Config {
        Config {
            deadline: Duration::from_secs(3),
            ..Config::default()
        }
    }
}
