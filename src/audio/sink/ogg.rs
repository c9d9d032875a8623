//! Ogg files from packets as they came, without encoding again: Opus (RFC 7845) and FLAC.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ogg::{PacketWriteEndInfo, PacketWriter};

use super::SinkError;
use crate::audio::codec::{self, OPUS_DELAY_FRAMES};
use crate::audio::title;
use crate::units::{CHANNELS, Codec, PACKET_FRAMES, SAMPLE_RATE};

/// Packets on one page: half a second, which is what a process that is killed may lose twice of.
const PAGE_PACKETS: u64 = 25;
const VENDOR: &str = concat!("inonda ", env!("CARGO_PKG_VERSION"));
/// Distinguishes streams in one file; there is one.
const SERIAL: u32 = 0x1d0_0da;

/// What a file says of itself beside its title; what is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The station, which players file it under as an album.
    pub station: String,
    /// The day it was heard, as `2026-11-25`.
    pub date: String,
    /// Its place among the pieces of one recording.
    pub number: Option<u32>,
}

/// Writes the packets of one channel. The title is part of the header: it is the one set before the first packet.
pub struct OggWriter {
    writer: PacketWriter<'static, Counted>,
    path: PathBuf,
    page_packets: u64,
    codec: Codec,
    title: String,
    about: About,
    begun: bool,
    /// Decoded frames at the beginning that players leave out.
    skip_frames: usize,
    /// The newest packet, held back because the last one is marked.
    held: Option<Vec<u8>>,
    packets: u64,
    /// First byte of the last Opus packet, of which gaps are made.
    configuration: u8,
}

impl OggWriter {
    /// Creates or replaces a file.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, codec: Codec) -> Result<OggWriter, SinkError> {
        let file = File::create(path).map_err(|e| SinkError::create(path, &e))?;
        Ok(OggWriter::to_file(file, path, codec))
    }

    /// Creates a file where there is none yet.
    ///
    /// # Errors
    /// [`SinkError::Exists`] when there is one, and when it cannot be created.
    pub fn create_new(path: &Path, codec: Codec) -> Result<OggWriter, SinkError> {
        match File::create_new(path) {
            Ok(file) => Ok(OggWriter::to_file(file, path, codec)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(SinkError::Exists { path: path.to_owned() })
            }
            Err(error) => Err(SinkError::create(path, &error)),
        }
    }

    fn to_file(file: File, path: &Path, codec: Codec) -> OggWriter {
        let mut writer = OggWriter::live(Box::new(BufWriter::new(file)), codec, PAGE_PACKETS);
        path.clone_into(&mut writer.path);
        writer
    }

    /// Writes to anything, a page after each so many packets.
    pub fn live(writer: Box<dyn Write + Send>, codec: Codec, page_packets: u64) -> OggWriter {
        OggWriter {
            writer: PacketWriter::new(Counted { to: writer, bytes: 0 }),
            path: PathBuf::new(),
            page_packets,
            codec,
            title: String::new(),
            about: About::default(),
            begun: false,
            skip_frames: OPUS_DELAY_FRAMES,
            held: None,
            packets: 0,
            configuration: 0xfc,
        }
    }

    /// Names the recording; after the first packet it is too late and nothing happens.
    pub fn title(&mut self, text: &str) {
        if !self.begun {
            self.title = title::clean(text);
        }
    }

    /// Says where and when it was heard; after the first packet it is too late and nothing happens.
    pub fn about(&mut self, about: About) {
        self.about = about;
    }

    /// Goes on where another file ended: Opus packets from just before the cut come first, which a decoder needs to be in
    /// step and players leave out (RFC 7845, 4.6), so that the pieces joined are the whole. Before the first packet only;
    /// FLAC packets stand alone and need nothing.
    ///
    /// # Errors
    /// As [`OggWriter::packet`].
    pub fn follow(&mut self, before: impl Iterator<Item = Option<Bytes>>) -> Result<(), SinkError> {
        if self.begun || self.codec != Codec::Opus {
            return Ok(());
        }
        let before: Vec<Option<Bytes>> = before.collect();
        if !before.is_empty() {
            self.skip_frames = before.len() * PACKET_FRAMES;
        }
        before.iter().try_for_each(|packet| self.packet(packet.as_ref()))
    }

    /// Bytes handed to the file so far.
    pub fn bytes(&self) -> u64 {
        self.writer.inner().bytes
    }

    /// Appends 20 ms; `None` is a packet that never came, for which the file asks its player to conceal 20 ms.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn packet(&mut self, packet: Option<&Bytes>) -> Result<(), SinkError> {
        self.append(packet).map_err(|e| SinkError::write(&self.path, &e))
    }

    /// Writes the last packet with its mark and closes the file.
    ///
    /// # Errors
    /// As [`OggWriter::packet`].
    pub fn finish(mut self) -> Result<(), SinkError> {
        self.end().map_err(|e| SinkError::write(&self.path, &e))
    }

    fn append(&mut self, packet: Option<&Bytes>) -> io::Result<()> {
        if !self.begun {
            self.write_headers()?;
            self.begun = true;
        }
        let data = match (self.codec, packet.filter(|p| !p.is_empty())) {
            (Codec::Opus, Some(packet)) => {
                // The code that says "one frame", keeping mode, bandwidth and channels.
                self.configuration = packet[0] & 0xfc;
                packet.to_vec()
            }
            // RFC 7845, 4.1: a packet with its first byte only makes the decoder conceal.
            (Codec::Opus, None) => vec![self.configuration],
            (Codec::Flac, packet) => {
                let number = self.packets + u64::from(self.held.is_some());
                let frame = packet.and_then(|p| codec::renumber(p, number));
                frame.or_else(|| codec::silent_frame(number)).unwrap_or_default()
            }
        };
        let end_page = (self.packets + 1).is_multiple_of(self.page_packets);
        let info = if end_page {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        self.write_held(info)?;
        self.held = Some(data);
        if end_page {
            self.writer.inner_mut().flush()?;
        }
        Ok(())
    }

    fn write_held(&mut self, info: PacketWriteEndInfo) -> io::Result<()> {
        if let Some(data) = self.held.take() {
            self.packets += 1;
            self.writer
                .write_packet(data, SERIAL, info, self.packets * PACKET_FRAMES as u64)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.write_held(PacketWriteEndInfo::EndStream)?;
        self.writer.inner_mut().flush()
    }

    fn write_headers(&mut self) -> io::Result<()> {
        let (first, second) = match self.codec {
            Codec::Opus => (
                opus_head(self.skip_frames),
                [b"OpusTags".to_vec(), self.comments()].concat(),
            ),
            Codec::Flac => (flac_head(), self.flac_comments()),
        };
        self.writer
            .write_packet(first, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        self.writer.write_packet(second, SERIAL, PacketWriteEndInfo::EndPage, 0)
    }

    fn comments(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut say = |text: &str| {
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        };
        say(VENDOR);
        let mut comments: Vec<String> = match self.title.split_once(" – ") {
            Some((artist, title)) => vec![format!("ARTIST={artist}"), format!("TITLE={title}")],
            None if self.title.is_empty() => Vec::new(),
            None => vec![format!("TITLE={}", self.title)],
        };
        let About { station, date, number } = &self.about;
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let more = [
            ("ALBUM", title::clean(station)),
            ("DATE", date.clone()),
            ("TRACKNUMBER", number),
        ];
        comments.extend(
            more.iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| format!("{name}={value}")),
        );
        let mut all = std::mem::take(&mut out);
        all.extend((comments.len() as u32).to_le_bytes());
        for comment in comments {
            all.extend((comment.len() as u32).to_le_bytes());
            all.extend(comment.as_bytes());
        }
        all
    }

    fn flac_comments(&self) -> Vec<u8> {
        let comments = self.comments();
        // Block type 4, and the bit of the last block.
        let mut out = vec![0x84];
        out.extend(&(comments.len() as u32).to_be_bytes()[1..]);
        out.extend(comments);
        out
    }
}

/// Passes on what is written and counts it.
struct Counted {
    to: Box<dyn Write + Send>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.to.write(data)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn opus_head(skip_frames: usize) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.push(1);
    head.push(CHANNELS as u8);
    head.extend(u16::try_from(skip_frames).unwrap_or(u16::MAX).to_le_bytes());
    head.extend(SAMPLE_RATE.to_le_bytes());
    // No gain, and the plain mapping of one or two channels.
    head.extend([0, 0, 0]);
    head
}

fn flac_head() -> Vec<u8> {
    let info = codec::stream_info();
    // Version 1.0, one more header packet, the native signature, then the block.
    let mut head = b"\x7fFLAC\x01\x00\x00\x01fLaC".to_vec();
    head.push(0);
    head.extend(&(info.len() as u32).to_be_bytes()[1..]);
    head.extend(info);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::chirp;
    use crate::audio::codec::Encoder;
    use crate::audio::decode::Track;

    fn record(path: &Path, codec: Codec, packets: usize, lost: impl Fn(usize) -> bool) {
        let mut encoder = Encoder::new(codec, 128_000).unwrap();
        let mut writer = OggWriter::create(path, codec).unwrap();
        writer.title("Doppler – Passing By");
        for i in 0..packets + 7 {
            let pcm = chirp::samples((i * PACKET_FRAMES) as u64, PACKET_FRAMES);
            let packet = encoder.encode(pcm[..].try_into().unwrap(), 4_000).unwrap();
            // As if joined late: the recording does not begin with the encoder.
            if i >= 7 {
                writer.packet((!lost(i)).then_some(&packet)).unwrap();
            }
        }
        writer.finish().unwrap();
    }

    fn read(path: &Path) -> (Vec<f32>, Option<String>) {
        let mut track = Track::open(path).unwrap();
        let title = track.title();
        let mut sound = Vec::new();
        while track.read(&mut sound).unwrap() {}
        (sound, title)
    }

    #[test]
    fn a_recording_plays_whole_and_knows_its_title() {
        let folder = tempfile::tempdir().unwrap();
        for codec in [Codec::Opus, Codec::Flac] {
            let path = folder.path().join("a.ogg");
            record(&path, codec, 200, |_| false);
            let (sound, title) = read(&path);
            let delay = if codec == Codec::Opus { OPUS_DELAY_FRAMES } else { 0 };
            assert_eq!(sound.len() / CHANNELS, 200 * PACKET_FRAMES - delay, "{codec:?}");
            assert_eq!(title.as_deref(), Some("Doppler – Passing By"));
            let findings = chirp::examine(&sound, SAMPLE_RATE);
            assert!(
                findings.is_whole(),
                "{codec:?} {:?} {:?}",
                findings.jumps,
                findings.clicks
            );
        }
    }

    #[test]
    fn a_gap_keeps_its_length() {
        let folder = tempfile::tempdir().unwrap();
        for codec in [Codec::Opus, Codec::Flac] {
            let path = folder.path().join("a.ogg");
            record(&path, codec, 200, |i| (100..110).contains(&i));
            let (sound, _) = read(&path);
            let findings = chirp::examine(&sound, SAMPLE_RATE);
            assert!(findings.jumps.is_empty(), "{codec:?} {:?}", findings.jumps);
            assert!(sound.len() / CHANNELS >= 199 * PACKET_FRAMES);
        }
    }
}
