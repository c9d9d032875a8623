//! How QUIC is tuned for live sound: a steady trickle of datagrams that are worth nothing after two seconds.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use quinn_proto::RandomConnectionIdGenerator;

use crate::net::acks;
use crate::net::congestion::Trickle;
use crate::net::framing::FRAME_MAX_BYTES;

/// Silence after which a connection is given up, counted from what was said next; mesh-level liveness is much faster.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(13);
/// The mesh itself pings its idle neighbours every nine seconds; this is for a connection whose ping and the next were lost,
/// with time for two repetitions within [`IDLE_TIMEOUT`]. Short enough for the mappings of home routers (30 s and more).
const KEEP_ALIVE: Duration = Duration::from_millis(9_500);
/// The same for connections that are opened to ask: nothing else keeps them alive.
const ASKING_KEEP_ALIVE: Duration = Duration::from_secs(3);
/// A handshake that takes longer is given up.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Half of the standard's 333 ms would do for most paths; a lost first packet is then repeated after 300 ms, not 1 s.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Unread or unsent datagrams: 2 s of a 256 kbit/s stream, 4 s of 128 kbit/s; the oldest go first.
const DATAGRAM_BUFFER_BYTES: usize = 64 * 1_024;
/// Streams a peer may have open towards us: its control stream, and long messages in flight.
pub(super) const UNI_STREAMS_MAX: u32 = 64;
/// What a peer may send ahead on one stream.
const STREAM_WINDOW_BYTES: u32 = 64 * 1_024;
/// What a peer may send ahead on all its streams, so that a thousand peers cost at most 256 MB even if all are hostile.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1_024;
/// Packets that may stay unacknowledged until the timer of [`acks::DELAY`] fires: the one after them is acknowledged at once.
/// A child of one stripe gets three or four in that time; faster streams must not wait for the window of their path.
pub(super) const ACK_THRESHOLD: u32 = 7;
/// A gap is acknowledged at once, so that an ordered message that was lost is repeated as soon as anything follows it.
const REORDERING_THRESHOLD: u32 = 1;
/// Every packet names its connection in so many bytes; among a thousand connections of eight names each, a packet that
/// strays hits one of them once in half a million times, and then fails its authentication.
const CONNECTION_ID_BYTES: usize = 4;

const _: () = assert!(FRAME_MAX_BYTES * 4 <= STREAM_WINDOW_BYTES as usize);
const _: () = assert!(KEEP_ALIVE.as_millis() + 3 * acks::DELAY.as_millis() < IDLE_TIMEOUT.as_millis());
const _: () = assert!(ASKING_KEEP_ALIVE.as_secs() * 3 < IDLE_TIMEOUT.as_secs());

/// Questions that may be open at once on one connection, in each direction.
pub(super) const QUESTIONS_MAX: u32 = 8;
/// What somebody who asks lets the answer run ahead: 5 MB a second at 100 ms.
const ANSWER_WINDOW_BYTES: u32 = 512 * 1_024;

/// The settings of a socket.
pub(super) fn endpoint() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(CONNECTION_ID_BYTES)));
    config
}

/// The settings of a connection that is opened to ask: long answers may come on its streams.
pub(super) fn asking() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(
            IDLE_TIMEOUT.as_millis() as u32
        ))))
        .keep_alive_interval(Some(ASKING_KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        // Who asks sends little.
        .mtu_discovery_config(None)
        .max_concurrent_bidi_streams(VarInt::from_u32(QUESTIONS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(ANSWER_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(2 * ANSWER_WINDOW_BYTES))
        .datagram_receive_buffer_size(None);
    Arc::new(config)
}

/// The settings of every connection of the mesh.
pub(super) fn config() -> Arc<TransportConfig> {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_THRESHOLD))
        .reordering_threshold(VarInt::from_u32(REORDERING_THRESHOLD));
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(
            IDLE_TIMEOUT.as_millis() as u32
        ))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        // No chunk is larger than what every path takes; the search for more cost 11 kB for each connection.
        .mtu_discovery_config(None)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BUFFER_BYTES)
        .congestion_controller_factory(Arc::new(Trickle))
        .ack_frequency_config(Some(acks));
    Arc::new(config)
}
