//! What a chunk carries: up to twelve packets of 20 ms and, now and then, the title.
//!
//! ```text
//! byte 0    bits 0-3: packets - 1; bit 4: all packets have one length; bit 5: a title follows the lengths; bits 6-7: zero
//! lengths   one u16 (bit 4) or one u16 a packet, big endian
//! title     u8 how many packets before this chunk it began, u8 length, UTF-8
//! packets   one after the other, to the end
//! ```

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::audio::codec::{CodecError, Encoder};
use crate::audio::title;
use crate::limits::{CHUNK_PAYLOAD_GOAL_BYTES, CHUNK_PAYLOAD_MAX_BYTES, TITLE_MAX_BYTES};
use crate::units::{Codec, PACKET_SAMPLES, PACKET_TIME};

/// Packets in one chunk: 240 ms, the longest chunk time.
pub const PACKETS_MAX: usize = 12;
/// How often the title is said again, for those who joined meanwhile.
pub const TITLE_INTERVAL: Duration = Duration::from_secs(2);

/// The generated programme takes 0.71 Mbit/s and noise 1.5, measured; loud music lies between, and a budget had better be too large.
const FLAC_BPS: u32 = 1_000_000;

const SAME_LENGTH: u8 = 1 << 4;
const WITH_TITLE: u8 = 1 << 5;
const COUNT: u8 = 0x0f;
/// First byte and one length, which is what a chunk of Opus has.
const HEAD_BYTES: usize = 3;

/// An unpacked payload; the packets share its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub packets: Vec<Bytes>,
    pub title: Option<Titled>,
}

/// A title and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    pub text: String,
    /// Packets before this chunk's first at which the title changed; zero also for "some time ago".
    pub back: u8,
}

/// A payload that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the payload ends too early")]
    Short,
    #[error("the payload has bytes after its last packet")]
    Long,
    #[error("the payload is made by a newer version; update inonda")]
    Newer,
    #[error("the payload holds more than 12 packets or an empty one")]
    Packets,
    #[error("the payload's title is too long or not UTF-8")]
    Title,
}

/// Reads a payload, whoever wrote it.
///
/// # Errors
/// When it is not exactly what the head of this module describes.
pub fn unpack(payload: &Bytes) -> Result<Payload, PayloadError> {
    if payload.len() > CHUNK_PAYLOAD_MAX_BYTES {
        return Err(PayloadError::Long);
    }
    let mut reader = Reader { bytes: payload, at: 0 };
    let head = reader.u8()?;
    if head & !(COUNT | SAME_LENGTH | WITH_TITLE) != 0 {
        return Err(PayloadError::Newer);
    }
    let count = usize::from(head & COUNT) + 1;
    if count > PACKETS_MAX {
        return Err(PayloadError::Packets);
    }
    let mut lengths = [0usize; PACKETS_MAX];
    if head & SAME_LENGTH != 0 {
        lengths[..count].fill(reader.u16()?);
    } else {
        for length in &mut lengths[..count] {
            *length = reader.u16()?;
        }
    }
    if lengths[..count].contains(&0) {
        return Err(PayloadError::Packets);
    }
    let title = if head & WITH_TITLE != 0 {
        Some(reader.title()?)
    } else {
        None
    };
    let mut packets = Vec::with_capacity(count);
    for length in &lengths[..count] {
        packets.push(reader.take(*length)?);
    }
    if reader.at != payload.len() {
        return Err(PayloadError::Long);
    }
    Ok(Payload { packets, title })
}

/// Writes a payload of one to [`PACKETS_MAX`] packets, none of them empty or over 65,535 bytes.
pub fn pack(packets: &[Bytes], title: Option<&Titled>) -> Bytes {
    debug_assert!((1..=PACKETS_MAX).contains(&packets.len()));
    let same = packets.windows(2).all(|pair| pair[0].len() == pair[1].len());
    let mut out = BytesMut::with_capacity(CHUNK_PAYLOAD_GOAL_BYTES);
    let flags = if same { SAME_LENGTH } else { 0 } | if title.is_some() { WITH_TITLE } else { 0 };
    out.put_u8((packets.len() as u8 - 1) | flags);
    let lengths = if same { &packets[..1] } else { packets };
    for packet in lengths {
        out.put_u16(packet.len() as u16);
    }
    if let Some(title) = title {
        out.put_u8(title.back);
        out.put_u8(title.text.len() as u8);
        out.put_slice(title.text.as_bytes());
    }
    for packet in packets {
        out.put_slice(packet);
    }
    out.freeze()
}

/// Bits a second of encoded sound that a channel carries: what was asked of Opus, and for FLAC, which takes what it needs, a
/// guess at loud music.
pub fn rate_on_air(codec: Codec, asked_bps: u32) -> u32 {
    match codec {
        Codec::Opus => asked_bps,
        Codec::Flac => FLAC_BPS,
    }
}

/// What one packet's worth of sound became.
#[derive(Clone, Debug)]
pub struct Framed {
    /// The packet itself, for recording.
    pub packet: Bytes,
    /// The payload of a chunk, when this packet completed it.
    pub chunk: Option<Bytes>,
}

/// Encodes sound and collects the packets of a chunk, with the title where it belongs.
pub struct Framer {
    encoder: Encoder,
    per_chunk: usize,
    packets: Vec<Bytes>,
    title: String,
    /// Packets since the title changed, while listeners do not know yet.
    changed: Option<u8>,
    packets_since_title: u32,
    /// The title that the chunk in progress has kept room for.
    carried: Option<Titled>,
}

impl Framer {
    /// A framer with its own encoder; the chunk time is [`Codec::chunk_time`] of the same arguments.
    ///
    /// # Errors
    /// When the encoder refuses the bit rate.
    pub fn new(codec: Codec, bitrate_bps: u32, stripes: u8) -> Result<Framer, CodecError> {
        let per_chunk = (codec.chunk_time(bitrate_bps, stripes).as_millis() / PACKET_TIME.as_millis()) as usize;
        Ok(Framer {
            encoder: Encoder::new(codec, bitrate_bps)?,
            per_chunk,
            packets: Vec::with_capacity(per_chunk),
            title: String::new(),
            changed: None,
            packets_since_title: u32::MAX,
            carried: None,
        })
    }

    /// Media time of one chunk.
    pub fn chunk_time(&self) -> Duration {
        PACKET_TIME * self.per_chunk as u32
    }

    /// Packets still needed to complete the chunk in progress; zero when none is begun.
    pub fn missing(&self) -> usize {
        match self.packets.len() {
            0 => 0,
            begun => self.per_chunk - begun,
        }
    }

    /// From the next packet on the show has this title; it is cleaned and clipped. An empty one is not sent.
    pub fn set_title(&mut self, text: &str) {
        let text = title::clean(text);
        if text != self.title {
            self.title = text;
            self.changed = Some(0);
        }
    }

    /// Encodes 20 ms of sound.
    ///
    /// # Errors
    /// When the encoder fails; the packet is then missing from the chunk in progress, and the caller should end the show.
    pub fn push(&mut self, pcm: &[f32; PACKET_SAMPLES]) -> Result<Framed, CodecError> {
        if self.packets.is_empty() {
            self.carried = self.title_due();
        }
        let packet = self.encoder.encode(pcm, self.room())?;
        self.packets.push(packet.clone());
        self.packets_since_title = self.packets_since_title.saturating_add(1);
        self.changed = self.changed.map(|back| back.saturating_add(1));
        if self.packets.len() < self.per_chunk {
            return Ok(Framed { packet, chunk: None });
        }
        let chunk = pack(&self.packets, self.carried.take().as_ref());
        self.packets.clear();
        Ok(Framed {
            packet,
            chunk: Some(chunk),
        })
    }

    fn title_due(&mut self) -> Option<Titled> {
        let interval = (TITLE_INTERVAL.as_millis() / PACKET_TIME.as_millis()) as u32;
        if self.title.is_empty() || (self.changed.is_none() && self.packets_since_title < interval) {
            return None;
        }
        self.packets_since_title = 0;
        Some(Titled {
            text: self.title.clone(),
            back: self.changed.take().unwrap_or(0),
        })
    }

    /// Bytes for each packet of this chunk, so that the whole of it meets the goal.
    fn room(&self) -> usize {
        let title = self.carried.as_ref().map_or(0, |t| t.text.len() + 2);
        match self.per_chunk {
            // A packet that is alone in its chunk and over the goal stays over it.
            1 => CHUNK_PAYLOAD_MAX_BYTES - HEAD_BYTES - title,
            n => (CHUNK_PAYLOAD_GOAL_BYTES - HEAD_BYTES - title) / n,
        }
    }
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Result<u8, PayloadError> {
        let byte = *self.bytes.get(self.at).ok_or(PayloadError::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn u16(&mut self) -> Result<usize, PayloadError> {
        Ok(usize::from(u16::from_be_bytes([self.u8()?, self.u8()?])))
    }

    fn take(&mut self, len: usize) -> Result<Bytes, PayloadError> {
        let end = self.at + len;
        if end > self.bytes.len() {
            return Err(PayloadError::Short);
        }
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn title(&mut self) -> Result<Titled, PayloadError> {
        let back = self.u8()?;
        let len = usize::from(self.u8()?);
        if len > TITLE_MAX_BYTES {
            return Err(PayloadError::Title);
        }
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| PayloadError::Title)?;
        Ok(Titled {
            text: title::clean(text),
            back,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::source::{Generated, Source};

    const SILENCE: [f32; PACKET_SAMPLES] = [0.0; PACKET_SAMPLES];

    fn chunks(framer: &mut Framer, packets: usize) -> Vec<Payload> {
        let framed = (0..packets).filter_map(|_| framer.push(&SILENCE).unwrap().chunk);
        framed.map(|chunk| unpack(&chunk).unwrap()).collect()
    }

    #[test]
    fn every_opus_chunk_of_several_packets_meets_the_goal_even_with_the_longest_title() {
        for rate in [16_000, 32_000, 48_000, 64_000, 96_000, 128_000, 160_000, 192_000] {
            let mut framer = Framer::new(Codec::Opus, rate, 4).unwrap();
            framer.set_title(&"x".repeat(500));
            let mut titled = 0;
            for _ in 0..24 {
                if let Some(chunk) = framer.push(&SILENCE).unwrap().chunk {
                    assert!(chunk.len() <= CHUNK_PAYLOAD_GOAL_BYTES, "{rate} {}", chunk.len());
                    titled += usize::from(unpack(&chunk).unwrap().title.is_some());
                }
            }
            assert_eq!(titled, 1, "{rate}");
        }
    }

    #[test]
    fn a_title_is_said_when_it_changes_and_every_two_seconds() {
        let mut framer = Framer::new(Codec::Opus, 128_000, 4).unwrap();
        framer.set_title("one");
        let first = chunks(&mut framer, 300);
        let said: Vec<usize> = (0..first.len()).filter(|i| first[*i].title.is_some()).collect();
        assert_eq!(said, [0, 34, 68]);
        // One packet into a chunk the title changes: the next chunk says so, two packets back.
        chunks(&mut framer, 1);
        framer.set_title("two");
        let then = chunks(&mut framer, 5);
        assert_eq!(then[0].title, None);
        assert_eq!(
            then[1].title,
            Some(Titled {
                text: "two".into(),
                back: 2
            })
        );
    }

    #[test]
    fn flac_takes_about_what_a_session_of_it_says() {
        let mut framer = Framer::new(Codec::Flac, 0, 4).unwrap();
        let mut music = Generated::new();
        let (mut block, mut bytes) = (SILENCE, 0);
        for _ in 0..1_500 {
            music.fill(&mut block);
            bytes += framer.push(&block).unwrap().chunk.map_or(0, |chunk| chunk.len());
        }
        let bps = bytes as u32 * 8 / 30;
        assert!((FLAC_BPS / 3..FLAC_BPS).contains(&bps), "{bps}");
    }

    #[test]
    fn a_silent_title_is_no_title() {
        let mut framer = Framer::new(Codec::Opus, 128_000, 4).unwrap();
        framer.set_title("\u{7}");
        assert!(chunks(&mut framer, 300).iter().all(|chunk| chunk.title.is_none()));
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(
            lens in proptest::collection::vec(1usize..300, 1..=PACKETS_MAX),
            title in proptest::option::of(("[a-z ]{1,40}", any::<u8>())),
        ) {
            let packets: Vec<Bytes> = lens.iter().map(|len| Bytes::from(vec![*len as u8; *len])).collect();
            let title = title.map(|(text, back)| Titled { text: title::clean(&text), back });
            let back = unpack(&pack(&packets, title.as_ref())).unwrap();
            prop_assert_eq!(back, Payload { packets, title });
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..5_000)) {
            if let Ok(payload) = unpack(&Bytes::from(bytes.clone())) {
                let carried: usize = payload.packets.iter().map(Bytes::len).sum();
                prop_assert!(carried < bytes.len());
            }
        }

        #[test]
        fn a_cut_payload_is_refused(lens in proptest::collection::vec(1usize..300, 1..=PACKETS_MAX), cut in any::<prop::sample::Index>()) {
            let packets: Vec<Bytes> = lens.iter().map(|len| Bytes::from(vec![0; *len])).collect();
            let whole = pack(&packets, None);
            prop_assert!(unpack(&whole.slice(..cut.index(whole.len()))).is_err());
        }
    }
}
