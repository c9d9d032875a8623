//! Single FLAC frames of 20 ms, 16 bit.

use bytes::Bytes;
use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, StreamInfo};
use flacenc::error::{Verified, Verify};
use flacenc::source::{Fill, FrameBuf};

use super::CodecError;
use crate::units::{CHANNELS, PACKET_FRAMES, PACKET_SAMPLES, SAMPLE_RATE};

const BITS: usize = 16;
/// Frame numbers have 31 bits; wrapping after 497 days keeps them legal.
const FRAME_NUMBER_MASK: usize = (1 << 31) - 1;

pub(super) struct Encoder {
    config: Verified<flacenc::config::Encoder>,
    info: StreamInfo,
    buffer: FrameBuf,
    samples: Vec<i32>,
    sink: ByteSink,
    frame: usize,
}

impl Encoder {
    pub(super) fn new() -> Result<Encoder, CodecError> {
        let failed = |reason: String| CodecError::Setup {
            codec: "flac",
            bitrate_bps: 0,
            reason,
        };
        let mut config = flacenc::config::Encoder::default();
        config.block_size = PACKET_FRAMES;
        config.multithread = false;
        Ok(Encoder {
            config: config.into_verified().map_err(|(_, e)| failed(e.to_string()))?,
            info: StreamInfo::new(SAMPLE_RATE as usize, CHANNELS, BITS).map_err(|e| failed(e.to_string()))?,
            buffer: FrameBuf::with_size(CHANNELS, PACKET_FRAMES).map_err(|e| failed(e.to_string()))?,
            samples: vec![0; PACKET_SAMPLES],
            sink: ByteSink::new(),
            frame: 0,
        })
    }

    pub(super) fn encode(&mut self, pcm: &[f32; PACKET_SAMPLES]) -> Result<Bytes, CodecError> {
        let failed = |reason: String| CodecError::Encode { codec: "flac", reason };
        for (to, from) in self.samples.iter_mut().zip(pcm) {
            *to = quantize(*from);
        }
        self.buffer
            .fill_interleaved(&self.samples)
            .map_err(|e| failed(e.to_string()))?;
        let frame = flacenc::encode_fixed_size_frame(&self.config, &self.buffer, self.frame, &self.info)
            .map_err(|e| failed(e.to_string()))?;
        self.frame = (self.frame + 1) & FRAME_NUMBER_MASK;
        self.sink.clear();
        frame.write(&mut self.sink).map_err(|e| failed(e.to_string()))?;
        Ok(Bytes::copy_from_slice(self.sink.as_slice()))
    }
}

/// Plain rounding: a source of 16 bits passes unchanged, which dither would not allow.
fn quantize(sample: f32) -> i32 {
    match sample.is_finite() {
        true => (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i32,
        false => 0,
    }
}

/// The STREAMINFO block of every FLAC channel: blocks of 960, 48 kHz, stereo, 16 bit, length and checksum unknown.
pub fn stream_info() -> [u8; 34] {
    let mut info = [0; 34];
    let block = (PACKET_FRAMES as u16).to_be_bytes();
    info[0..2].copy_from_slice(&block);
    info[2..4].copy_from_slice(&block);
    let packed = (u64::from(SAMPLE_RATE) << 44) | ((CHANNELS as u64 - 1) << 41) | ((BITS as u64 - 1) << 36);
    info[10..18].copy_from_slice(&packed.to_be_bytes());
    info
}

/// The same frame with another number, which a file counts from its own start; `None` when it is no frame of ours.
pub fn renumber(frame: &[u8], number: u64) -> Option<Vec<u8>> {
    // Sync code with fixed block size, then block size and rate, channels and bits, number, sizes, checksum.
    let [0xff, 0xf8, sizes, layout, first, ..] = *frame else {
        return None;
    };
    let old = match first.leading_ones() as usize {
        0 => 1,
        1 => return None,
        length => length,
    };
    let extra = match sizes >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    } + match sizes & 0x0f {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let after = 4 + old;
    // The head's own checksum, and at the end that of the whole.
    if frame.len() < after + extra + 1 + 2 {
        return None;
    }
    let mut out = vec![0xff, 0xf8, sizes, layout];
    push_number(&mut out, number & FRAME_NUMBER_MASK as u64);
    out.extend(&frame[after..after + extra]);
    out.push(crc8(&out));
    out.extend(&frame[after + extra + 1..frame.len() - 2]);
    out.extend(crc16(&out).to_be_bytes());
    Some(out)
}

/// A frame of silence.
pub fn silent_frame(number: u64) -> Option<Vec<u8>> {
    // 960 frames of 48 kHz, two channels, 16 bits: both subframes constant, with the value nothing.
    let mut out = vec![0xff, 0xf8, 0x7a, 0x18];
    push_number(&mut out, number & FRAME_NUMBER_MASK as u64);
    out.extend((PACKET_FRAMES as u16 - 1).to_be_bytes());
    out.push(crc8(&out));
    out.extend([0; 6]);
    out.extend(crc16(&out).to_be_bytes());
    Some(out)
}

/// Numbers are written like characters in UTF-8.
fn push_number(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        out.push(number as u8);
        return;
    }
    let bits = 64 - number.leading_zeros();
    let tail = (2..=6).find(|length| bits <= length * 5 + 1).unwrap_or(6) - 1;
    let lead = 0xffu8 << (7 - tail);
    out.push(lead | (number >> (6 * tail)) as u8);
    for i in (0..tail).rev() {
        out.push(0x80 | (number >> (6 * i) & 0x3f) as u8);
    }
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ byte,
            |crc: u8, _| if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 },
        )
    })
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 != 0 { crc << 1 ^ 0x8005 } else { crc << 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_its_own_number_is_unchanged() {
        let mut encoder = Encoder::new().unwrap();
        for number in 0..300 {
            let frame = encoder.encode(&[0.1; PACKET_SAMPLES]).unwrap();
            assert_eq!(renumber(&frame, number).unwrap(), frame, "{number}");
        }
        encoder.frame = 0x7fff_fff0;
        let frame = encoder.encode(&[0.1; PACKET_SAMPLES]).unwrap();
        assert_eq!(renumber(&frame, 0x7fff_fff0).unwrap(), frame);
    }

    #[test]
    fn silence_made_by_hand_is_what_the_encoder_makes() {
        let mut encoder = Encoder::new().unwrap();
        let frame = encoder.encode(&[0.0; PACKET_SAMPLES]).unwrap();
        assert_eq!(silent_frame(0).unwrap(), frame);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(renumber(b"", 0), None);
        assert_eq!(renumber(&[0xff, 0xf8, 0x7a, 0x18, 0x80, 0, 0, 0], 0), None);
        assert_eq!(renumber(&[0xff, 0xf8, 0x7a, 0x18, 0, 0, 0], 0), None);
    }
}
