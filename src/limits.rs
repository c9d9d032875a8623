//! Every cap in one place, with its unit and its reason.

use std::time::Duration;

/// A control message on the wire: it must fit one packet of the smallest IPv6 path beside QUIC's own bytes.
pub const CONTROL_MESSAGE_MAX_BYTES: usize = 1_024;
/// Payload of one chunk: a 20 ms FLAC packet of noise needs 3,900 bytes; Opus stays near 960.
pub const CHUNK_PAYLOAD_MAX_BYTES: usize = 4_096;
/// What the payload of a chunk should not exceed, so that a chunk travels in one datagram of a 1,200-byte path.
pub const CHUNK_PAYLOAD_GOAL_BYTES: usize = 960;
/// A whole message on the wire: a chunk with its headers and signature.
pub const MESSAGE_MAX_BYTES: usize = CHUNK_PAYLOAD_MAX_BYTES + 256;
/// A question or one frame of an answer: a session and a chunk of FLAC together.
pub const ASK_FRAME_MAX_BYTES: usize = 8 * 1_024;
/// The stripes a channel may have; 8 doubles failure detection against 4 and won nothing in simulation.
pub const STRIPES_MAX: u8 = 16;
/// Addresses in one peer record or link.
pub const ADDRS_MAX: usize = 4;
/// From the host's sound to an ear, as a person may wish it: below a fifth of a second one late packet is heard, beyond ten
/// nothing gets safer and every node keeps more.
pub const DELAY_MIN: Duration = Duration::from_millis(200);
pub const DELAY_MAX: Duration = Duration::from_secs(10);
/// Bits a second that Opus can be asked for.
pub const OPUS_MIN_BPS: u64 = 6_000;
pub const OPUS_MAX_BPS: u64 = 510_000;
/// A title as it travels, in bytes of UTF-8.
pub const TITLE_MAX_BYTES: usize = 200;
/// A channel's name, in bytes of UTF-8.
pub const NAME_MAX_BYTES: usize = 80;
/// A channel's genre, in bytes of UTF-8.
pub const GENRE_MAX_BYTES: usize = 60;
/// A channel's description, in bytes of UTF-8.
pub const DESCRIPTION_MAX_BYTES: usize = 300;
/// Where a channel's people are met, in bytes: the address of a page or a mailbox.
pub const CONTACT_MAX_BYTES: usize = 120;
/// A language tag of a channel, in bytes: `en`, `zh-Hant`, or a few of them.
pub const LANGUAGE_MAX_BYTES: usize = 24;
/// A signed announcement: it must fit an item of the DHT, whose 1,000 bytes count the length in front of the value, too.
pub const ANNOUNCEMENT_MAX_BYTES: usize = 960;
/// Channels in one directory: at 2 KB each, 100 MB.
pub const DIRECTORY_CHANNELS_MAX: usize = 50_000;
/// Channels of one public /24 or /48 in a directory: a school, not a flood.
pub const DIRECTORY_PREFIX_MAX: usize = 64;
/// Channels a node keeps for its list: twice what one directory may hold.
pub const CATALOGUE_MAX: usize = 100_000;
/// Lines that a directory answers at once; each costs it about 30 KB.
pub const DIRECTORY_LINES_MAX: usize = 4_096;
/// Directories a node keeps in touch with.
pub const DIRECTORIES_MAX: usize = 16;
/// Channels read from another program's list, and bytes of it.
pub const FOREIGN_CHANNELS_MAX: usize = 10_000;
pub const FOREIGN_LIST_MAX_BYTES: usize = 4 << 20;
/// Entries of a playlist, its bytes, and bytes of one HLS segment: 30 s at 1 Mbit/s.
pub const PLAYLIST_ENTRIES_MAX: usize = 64;
pub const PLAYLIST_MAX_BYTES: usize = 256 * 1_024;
pub const SEGMENT_MAX_BYTES: usize = 4 << 20;
/// Stations taken from one answer of a directory of stations, and its bytes.
pub const STATIONS_MAX: usize = 500;
pub const STATIONS_MAX_BYTES: usize = 8 << 20;
/// Favourites read from one file: ten times the largest list anybody is known to keep.
pub const FAVOURITES_MAX: usize = 10_000;
/// Peers that a person may block for good.
pub const BLOCKED_MAX: usize = 256;
/// Groups of one favourite.
pub const GROUPS_MAX: usize = 16;
/// Addresses kept for one favourite, as many as mesh peers that a node remembers.
pub const PEERS_KEPT_MAX: usize = 8;
/// Channels in the history.
pub const HISTORY_MAX: usize = 500;
/// Channels of which the newest session is remembered; the one not seen for longest is forgotten.
pub const NEWEST_MAX: usize = 4_096;

const _: () = assert!(ANNOUNCEMENT_MAX_BYTES + 4 < 1_000 && ANNOUNCEMENT_MAX_BYTES < CONTROL_MESSAGE_MAX_BYTES);
const _: () = assert!(MESSAGE_MAX_BYTES + CONTROL_MESSAGE_MAX_BYTES + 256 < ASK_FRAME_MAX_BYTES);
const _: () = assert!(CHUNK_PAYLOAD_GOAL_BYTES < CHUNK_PAYLOAD_MAX_BYTES);
const _: () = assert!(
    CHUNK_PAYLOAD_GOAL_BYTES + 160 < 1_162,
    "a goal-sized chunk must fit quinn's smallest datagram"
);
const _: () = assert!(NAME_MAX_BYTES + GENRE_MAX_BYTES + DESCRIPTION_MAX_BYTES + 332 < CONTROL_MESSAGE_MAX_BYTES);
