//! Telling what comes through a pipe by its first bytes.

/// Bytes looked at: two frames of any MP3 or AAC stream, a fiftieth of a second of raw samples.
pub(super) const HEAD_BYTES: usize = 4_096;

/// What a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RIFF or one of its 64-bit forms.
    Wav,
    /// Something that is decoded.
    Container,
    /// Something that is no sound which could be decoded here, by its name.
    Foreign(&'static str),
    /// Nothing known: samples.
    Raw,
}

/// What begins with these bytes, which are the whole of a stream when there are fewer than [`HEAD_BYTES`].
pub(super) fn kind_of(head: &[u8]) -> Kind {
    const DECODED: [&[u8]; 5] = [b"OggS", b"fLaC", b"ID3", b"FORM", b"caff"];
    const FOREIGN: [(&[u8], &str); 17] = [
        (b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
        (b"FLV\x01", "Flash video"),
        (b"wvpk", "WavPack"),
        (b"MAC ", "Monkey's Audio"),
        (b"TTA1", "True Audio"),
        (b"DSD ", "DSD"),
        (b"FRM8", "DSD"),
        (b".snd", "Sun audio"),
        (b"#!AMR", "AMR"),
        (b"MThd", "MIDI"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"%PDF-", "PDF"),
    ];
    let is_riff = [&b"RIFF"[..], b"RF64", b"BW64"]
        .iter()
        .any(|mark| head.starts_with(mark));
    if is_riff && head.get(8..12) == Some(b"WAVE") {
        return Kind::Wav;
    }
    if head.get(4..8) == Some(b"ftyp") || DECODED.iter().any(|mark| head.starts_with(mark)) {
        return Kind::Container;
    }
    if let Some((_, name)) = FOREIGN.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Kind::Foreign(name);
    }
    if is_riff {
        return Kind::Foreign("RIFF without WAVE, such as AVI");
    }
    if has_two_frames(head, mp3_frame_bytes) || has_two_frames(head, adts_frame_bytes) {
        return Kind::Container;
    }
    if head.len() > 376 && [0, 188, 376].iter().all(|at| head[*at] == 0x47) {
        return Kind::Foreign("an MPEG transport stream");
    }
    if head.starts_with(b"\0\0\x01\xba") {
        return Kind::Foreign("an MPEG programme stream");
    }
    if head.len() >= 16
        && head
            .iter()
            .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
    {
        return Kind::Foreign("text");
    }
    Kind::Raw
}

/// Whether two frames follow each other, so that a few samples that look like a header are not taken for one. A stream that ends
/// with its first frame is believed.
fn has_two_frames(head: &[u8], frame_bytes: impl Fn(&[u8]) -> Option<usize>) -> bool {
    let Some(first) = frame_bytes(head) else { return false };
    first == head.len() || head.get(first..).and_then(frame_bytes).is_some()
}

/// The length of the MPEG audio frame that begins here.
fn mp3_frame_bytes(head: &[u8]) -> Option<usize> {
    const RATES_KBPS: [[u32; 14]; 5] = [
        [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let &[0xff, second, third, ..] = head else { return None };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (rate, hz, padding) = (usize::from(third >> 4), third >> 2 & 3, u32::from(third >> 1 & 1));
    if second & 0xe0 != 0xe0 || version == 1 || layer == 0 || hz == 3 || !(1..=14).contains(&rate) {
        return None;
    }
    let is_first_version = version == 3;
    let table = match (is_first_version, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    };
    let halved = match version {
        3 => 0,
        2 => 1,
        _ => 2,
    };
    let hz = [44_100, 48_000, 32_000][usize::from(hz)] >> halved;
    let bps = RATES_KBPS[table][rate - 1] * 1_000;
    Some(match (layer, is_first_version) {
        (3, _) => (12 * bps / hz + padding) * 4,
        (1, false) => 72 * bps / hz + padding,
        _ => 144 * bps / hz + padding,
    } as usize)
}

/// The length of the AAC frame in ADTS that begins here.
fn adts_frame_bytes(head: &[u8]) -> Option<usize> {
    let &[0xff, second, third, fourth, fifth, sixth, ..] = head else {
        return None;
    };
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let is_frame = second & 0xf6 == 0xf0 && third >> 2 & 0xf < 13 && length > 7;
    is_frame.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_look_like_a_header_are_samples() {
        let quiet: Vec<u8> = (0..2_000i16).flat_map(|n| (n % 3 - 1).to_le_bytes()).collect();
        assert_eq!(kind_of(&quiet), Kind::Raw);
        assert_eq!(kind_of(&[0xff; HEAD_BYTES]), Kind::Raw);
        // -1025, and then what a frame of MP3 might go on with, once.
        let once = [&[0xff, 0xfb, 0x90, 0x00][..], &[0x12; 4_000]].concat();
        assert_eq!(kind_of(&once), Kind::Raw);
        assert_eq!(kind_of(&[0; HEAD_BYTES]), Kind::Raw);
        assert_eq!(kind_of(&[7]), Kind::Raw);
    }

    #[test]
    fn streams_without_a_container_are_known_by_two_frames() {
        let mut mp3 = vec![0; 1_000];
        mp3[..4].copy_from_slice(&[0xff, 0xf3, 0x90, 0x00]);
        let next = mp3_frame_bytes(&mp3).unwrap();
        // MPEG 2, layer III: 80 kbit/s at 22.05 kHz.
        assert_eq!(next, 261);
        mp3[next..next + 4].copy_from_slice(&[0xff, 0xf3, 0x90, 0x00]);
        assert_eq!(kind_of(&mp3), Kind::Container);
        let mut adts = vec![0; 1_000];
        for at in [0, 200] {
            adts[at..at + 6].copy_from_slice(&[0xff, 0xf1, 0x4c, 0x80, 200 >> 3, 0]);
        }
        assert_eq!(adts_frame_bytes(&adts), Some(200));
        assert_eq!(kind_of(&adts), Kind::Container);
    }

    #[test]
    fn what_is_no_sound_is_named() {
        for (head, name) in [
            (&b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81"[..], "Matroska or WebM"),
            (b"<!DOCTYPE html><html>", "text"),
            (b"RIFF\0\0\0\0AVI LIST", "RIFF without WAVE, such as AVI"),
        ] {
            assert_eq!(kind_of(head), Kind::Foreign(name));
        }
        assert_eq!(kind_of(b"RF64\xff\xff\xff\xffWAVEds64"), Kind::Wav);
    }
}
