//! MPEG transport streams, as far as HLS radio needs them: the payload of the first sound stream. Pure.

const PACKET_BYTES: usize = 188;
const SYNC: u8 = 0x47;

/// Whether bytes look like a transport stream.
pub fn is(bytes: &[u8]) -> bool {
    bytes.len() >= PACKET_BYTES && bytes[0] == SYNC && bytes.get(PACKET_BYTES).is_none_or(|byte| *byte == SYNC)
}

/// The elementary stream of the first sound stream (AAC in ADTS, or MPEG audio), and the usual file ending of its kind;
/// `None` when there is none.
pub fn sound(bytes: &[u8]) -> Option<(Vec<u8>, &'static str)> {
    let (mut programme, mut stream): (Option<u16>, Option<(u16, &'static str)>) = (None, None);
    let mut out = Vec::new();
    for packet in bytes.chunks_exact(PACKET_BYTES).filter(|packet| packet[0] == SYNC) {
        let start = packet[1] & 0x40 != 0;
        let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
        let Some(payload) = payload(packet) else { continue };
        if pid == 0 && start {
            programme = programme.or_else(|| programme_map(section(payload)?));
        } else if Some(pid) == programme && start {
            stream = stream.or_else(|| sound_stream(section(payload)?));
        } else if let Some((wanted, _)) = stream.filter(|(wanted, _)| *wanted == pid) {
            debug_assert_eq!(wanted, pid);
            out.extend_from_slice(if start { elementary(payload) } else { payload });
        }
    }
    stream.map(|(_, ending)| (out, ending))
}

fn payload(packet: &[u8]) -> Option<&[u8]> {
    let control = packet[3] >> 4 & 3;
    match control {
        1 => packet.get(4..),
        3 => packet.get(5 + usize::from(packet[4])..),
        _ => None,
    }
}

/// A table's section behind the pointer that precedes it.
fn section(payload: &[u8]) -> Option<&[u8]> {
    let section = payload.get(1 + usize::from(*payload.first()?)..)?;
    let length = usize::from(*section.get(1)? & 0x0f) << 8 | usize::from(*section.get(2)?);
    // Without the checksum at the end.
    section.get(..(3 + length).checked_sub(4)?)
}

fn programme_map(table: &[u8]) -> Option<u16> {
    table
        .get(8..)?
        .chunks_exact(4)
        .find(|entry| entry[..2] != [0, 0])
        .map(|entry| u16::from(entry[2] & 0x1f) << 8 | u16::from(entry[3]))
}

fn sound_stream(table: &[u8]) -> Option<(u16, &'static str)> {
    let skipped = usize::from(*table.get(10)? & 0x0f) << 8 | usize::from(*table.get(11)?);
    let mut rest = table.get(12 + skipped..)?;
    while let [kind, high, low, info_high, info_low, ..] = rest {
        let pid = u16::from(high & 0x1f) << 8 | u16::from(*low);
        match kind {
            0x0f => return Some((pid, "aac")),
            0x03 | 0x04 => return Some((pid, "mp3")),
            _ => {}
        }
        rest = rest.get(5 + (usize::from(info_high & 0x0f) << 8 | usize::from(*info_low))..)?;
    }
    None
}

/// What a packetised elementary stream carries, without its header.
fn elementary(payload: &[u8]) -> &[u8] {
    let header = match payload.get(..9) {
        Some([0, 0, 1, _, _, _, _, _, length]) => 9 + usize::from(*length),
        _ => return &[],
    };
    payload.get(header..).unwrap_or_default()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(pid: u16, start: bool, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![SYNC, u8::from(start) << 6 | (pid >> 8) as u8, pid as u8];
        let stuffing = PACKET_BYTES - 4 - payload.len();
        match stuffing {
            0 => out.push(0x10),
            _ => {
                out.push(0x30);
                out.push((stuffing - 1) as u8);
                out.resize(out.len() + stuffing - 1, 0xff);
            }
        }
        out.extend_from_slice(payload);
        out
    }

    fn table(id: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() + 9;
        let mut out = vec![0, id, 0xb0 | (length >> 8) as u8, length as u8, 0, 1, 0xc1, 0, 0];
        out.extend_from_slice(body);
        out.extend_from_slice(&[0; 4]);
        out
    }

    /// A transport stream that carries these bytes as AAC.
    pub fn wrap(sound: &[u8]) -> Vec<u8> {
        let mut out = packet(0, true, &table(0, &[0, 1, 0xe1, 0x00]));
        out.extend(packet(
            0x100,
            true,
            &table(2, &[0xe1, 0x01, 0xf0, 0, 0x0f, 0xe1, 0x01, 0xf0, 0]),
        ));
        for (at, part) in sound.chunks(150).enumerate() {
            let start = at % 5 == 0;
            let mut payload = if start {
                vec![0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0]
            } else {
                Vec::new()
            };
            payload.extend_from_slice(part);
            out.extend(packet(0x101, start, &payload));
        }
        out
    }

    #[test]
    fn the_sound_comes_out_as_it_went_in() {
        let sound_in: Vec<u8> = (0..4_000).map(|n| n as u8).collect();
        let stream = wrap(&sound_in);
        assert!(is(&stream));
        assert_eq!(sound(&stream), Some((sound_in, "aac")));
    }

    proptest! {
        #[test]
        fn damage_makes_nothing_panic(at in 0..2_000_usize, value: u8, raw in prop::collection::vec(any::<u8>(), 0..800)) {
            let mut stream = wrap(&[7; 1_000]);
            let at = at % stream.len();
            stream[at] = value;
            let _ = sound(&stream);
            let _ = sound(&raw);
        }
    }
}
