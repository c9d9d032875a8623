//! Encoding and decoding of 20 ms packets: the only place that names Opus and FLAC encoders.

mod flac;
mod opus;

use std::time::Duration;

use bytes::Bytes;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration as Ticks, Timestamp};

use crate::units::{CHANNELS, Codec, PACKET_FRAMES, PACKET_SAMPLES, SAMPLE_RATE};

pub use flac::{renumber, silent_frame, stream_info};

/// Frames by which an Opus decoder's sound lags the encoder's input: 312 of look-ahead at 48 kHz, also the `pre-skip` of a file.
pub const OPUS_DELAY_FRAMES: usize = 312;

/// A packet could not be encoded, or a codec not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("the {codec} encoder refused {bitrate_bps} bit/s: choose 16k to 510k ({reason})")]
    Setup {
        codec: &'static str,
        bitrate_bps: u32,
        reason: String,
    },
    #[error("the {codec} encoder failed: {reason}; try the other codec")]
    Encode { codec: &'static str, reason: String },
    #[error("the {codec} decoder could not start: {reason}; this is a fault of the build")]
    Decoder { codec: &'static str, reason: String },
}

/// Turns 20 ms of sound into one packet.
pub struct Encoder {
    inner: Inner,
}

enum Inner {
    Opus(opus::Encoder),
    Flac(Box<flac::Encoder>),
}

impl Encoder {
    /// An encoder at a bit rate, which FLAC ignores.
    ///
    /// # Errors
    /// When Opus does not know the rate.
    pub fn new(codec: Codec, bitrate_bps: u32) -> Result<Encoder, CodecError> {
        let inner = match codec {
            Codec::Opus => Inner::Opus(opus::Encoder::new(bitrate_bps)?),
            Codec::Flac => Inner::Flac(Box::new(flac::Encoder::new()?)),
        };
        Ok(Encoder { inner })
    }

    /// Encodes one packet of at most `max_bytes`; FLAC cannot obey and takes what it needs, never more than 3,900.
    ///
    /// # Errors
    /// When the encoder fails, which no sound should cause: samples that are not finite count as silence.
    pub fn encode(&mut self, pcm: &[f32; PACKET_SAMPLES], max_bytes: usize) -> Result<Bytes, CodecError> {
        match &mut self.inner {
            Inner::Opus(encoder) => encoder.encode(pcm, max_bytes),
            Inner::Flac(encoder) => encoder.encode(pcm),
        }
    }
}

/// Turns packets back into sound, and missing packets into something that is not a click.
pub struct Decoder {
    codec: Codec,
    inner: Box<dyn AudioDecoder>,
    /// The end of the last packet, for codecs that do not conceal by themselves.
    last: Box<[f32; PACKET_SAMPLES]>,
    concealed: u32,
}

impl Decoder {
    /// A decoder that has heard nothing.
    ///
    /// # Errors
    /// When the codec cannot be set up.
    pub fn new(codec: Codec) -> Result<Decoder, CodecError> {
        let mut params = AudioCodecParameters::new();
        params
            .with_sample_rate(SAMPLE_RATE)
            .with_channels(symphonia::core::audio::layouts::CHANNEL_LAYOUT_STEREO);
        match codec {
            Codec::Opus => params.for_codec(CODEC_ID_OPUS),
            Codec::Flac => params.for_codec(CODEC_ID_FLAC).with_extra_data(Box::new(stream_info())),
        };
        let failed = |e: symphonia::core::errors::Error| CodecError::Decoder {
            codec: name(codec),
            reason: e.to_string(),
        };
        let inner = registry()
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
            .map_err(failed)?;
        Ok(Decoder {
            codec,
            inner,
            last: Box::new([0.0; PACKET_SAMPLES]),
            concealed: 0,
        })
    }

    /// How much later a sound leaves the decoder than it entered the encoder, beyond the packet itself.
    pub fn delay(&self) -> Duration {
        match self.codec {
            Codec::Opus => Duration::from_micros(OPUS_DELAY_FRAMES as u64 * 1_000_000 / u64::from(SAMPLE_RATE)),
            Codec::Flac => Duration::ZERO,
        }
    }

    /// Decodes one packet, or conceals one that is missing (`None`). Returns whether real sound came out: a packet that is not
    /// what it says it is gets concealed, too.
    pub fn decode(&mut self, packet: Option<&[u8]>, out: &mut [f32; PACKET_SAMPLES]) -> bool {
        if let Some(data) = packet
            && !data.is_empty()
            && self.decode_real(data, out)
        {
            if self.codec == Codec::Flac {
                if self.concealed > 0 {
                    fade_in(out);
                }
                self.last.copy_from_slice(&out[..]);
            }
            self.concealed = 0;
            return true;
        }
        self.conceal(out);
        bound(out);
        self.concealed = self.concealed.saturating_add(1);
        false
    }

    /// Forgets everything heard, before a jump in time.
    pub fn reset(&mut self) {
        self.inner.reset();
        self.last.fill(0.0);
        self.concealed = 0;
    }

    fn decode_real(&mut self, data: &[u8], out: &mut [f32; PACKET_SAMPLES]) -> bool {
        let packet = PacketRef::new(0, Timestamp::ZERO, Ticks::new(PACKET_FRAMES as u64), data);
        let Ok(sound) = self.inner.decode_ref(&packet) else {
            return false;
        };
        if sound.frames() != PACKET_FRAMES || sound.num_planes() != CHANNELS {
            return false;
        }
        sound.copy_to_slice_interleaved(&mut out[..]);
        bound(out);
        true
    }

    fn conceal(&mut self, out: &mut [f32; PACKET_SAMPLES]) {
        match self.codec {
            Codec::Opus => {
                let nothing = PacketRef::new(0, Timestamp::ZERO, Ticks::new(PACKET_FRAMES as u64), &[]);
                match self.inner.decode_ref(&nothing) {
                    Ok(sound) if sound.frames() == PACKET_FRAMES => sound.copy_to_slice_interleaved(&mut out[..]),
                    Ok(_) | Err(_) => out.fill(0.0),
                }
            }
            Codec::Flac => {
                mirror(&self.last, out);
                self.last.fill(0.0);
            }
        }
    }
}

/// Every codec that inonda decodes: symphonia's own and Opus.
pub fn registry() -> &'static CodecRegistry {
    static REGISTRY: std::sync::OnceLock<CodecRegistry> = std::sync::OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut registry);
        registry.register_audio_decoder::<opus::OpusDecoder>();
        registry
    })
}

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::Flac => "flac",
    }
}

/// A decoder fed with noise may give anything; what goes on to the ears is finite and bounded.
fn bound(out: &mut [f32; PACKET_SAMPLES]) {
    for sample in out.iter_mut() {
        *sample = if sample.is_finite() {
            sample.clamp(-4.0, 4.0)
        } else {
            0.0
        };
    }
}

/// Plays the end of the last packet backwards while it fades over 10 ms: no step, then silence.
fn mirror(last: &[f32; PACKET_SAMPLES], out: &mut [f32; PACKET_SAMPLES]) {
    const FADE_FRAMES: usize = PACKET_FRAMES / 2;
    out.fill(0.0);
    for i in 0..FADE_FRAMES {
        let gain = 1.0 - i as f32 / FADE_FRAMES as f32;
        for c in 0..CHANNELS {
            out[i * CHANNELS + c] = last[(PACKET_FRAMES - 1 - i) * CHANNELS + c] * gain * gain;
        }
    }
}

fn fade_in(out: &mut [f32; PACKET_SAMPLES]) {
    const FADE_FRAMES: usize = 240;
    for i in 0..FADE_FRAMES {
        let gain = i as f32 / FADE_FRAMES as f32;
        for c in 0..CHANNELS {
            out[i * CHANNELS + c] *= gain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(packet: usize) -> [f32; PACKET_SAMPLES] {
        std::array::from_fn(|i| {
            let t = (packet * PACKET_FRAMES + i / CHANNELS) as f32 / SAMPLE_RATE as f32;
            0.5 * (t * 440.0 * std::f32::consts::TAU).sin()
        })
    }

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_level_through_either_codec() {
        for codec in [Codec::Opus, Codec::Flac] {
            let (mut encoder, mut decoder) = (Encoder::new(codec, 128_000).unwrap(), Decoder::new(codec).unwrap());
            let mut out = [0.0; PACKET_SAMPLES];
            for packet in 0..20 {
                let bytes = encoder.encode(&tone(packet), 1_275).unwrap();
                assert!(decoder.decode(Some(&bytes), &mut out));
            }
            assert!((rms(&out) - 0.5 / 2f32.sqrt()).abs() < 0.02, "{codec:?} {}", rms(&out));
        }
    }

    #[test]
    fn opus_packets_have_one_size_and_obey_the_room_they_are_given() {
        let mut encoder = Encoder::new(Codec::Opus, 128_000).unwrap();
        assert_eq!(encoder.encode(&tone(0), 1_275).unwrap().len(), 320);
        assert_eq!(encoder.encode(&tone(1), 250).unwrap().len(), 250);
        assert_eq!(encoder.encode(&tone(2), 1_275).unwrap().len(), 320);
    }

    #[test]
    fn flac_is_lossless_to_sixteen_bits_and_fits_a_chunk() {
        let (mut encoder, mut decoder) = (
            Encoder::new(Codec::Flac, 0).unwrap(),
            Decoder::new(Codec::Flac).unwrap(),
        );
        let mut seed = 1u32;
        let noise: [f32; PACKET_SAMPLES] = std::array::from_fn(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from((seed >> 16) as i16) / 32_768.0
        });
        let bytes = encoder.encode(&noise, 0).unwrap();
        assert!(bytes.len() <= 3_900, "{}", bytes.len());
        let mut out = [0.0; PACKET_SAMPLES];
        assert!(decoder.decode(Some(&bytes), &mut out));
        assert!(noise.iter().zip(&out).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_lost_packet_leaves_no_step() {
        for codec in [Codec::Opus, Codec::Flac] {
            let (mut encoder, mut decoder) = (Encoder::new(codec, 128_000).unwrap(), Decoder::new(codec).unwrap());
            let mut sound = Vec::new();
            let mut out = [0.0; PACKET_SAMPLES];
            for packet in 0..30 {
                let bytes = encoder.encode(&tone(packet), 1_275).unwrap();
                let heard = (packet != 20).then_some(&bytes[..]);
                assert_eq!(decoder.decode(heard, &mut out), packet != 20);
                sound.extend(out.iter().step_by(CHANNELS));
            }
            let step = sound
                .windows(2)
                .skip(5_000)
                .map(|w: &[f32]| (w[1] - w[0]).abs())
                .fold(0.0, f32::max);
            // The steepest step of the tone itself is 0.029.
            assert!(step < 0.05, "{codec:?} {step}");
        }
    }

    #[test]
    fn garbage_is_concealed_and_never_panics() {
        for codec in [Codec::Opus, Codec::Flac] {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut out = [0.0; PACKET_SAMPLES];
            let mut seed = 7u32;
            for len in 0..600usize {
                let bytes: Vec<u8> = (0..len)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (seed >> 24) as u8
                    })
                    .collect();
                decoder.decode(Some(&bytes), &mut out);
                assert!(out.iter().all(|s| s.is_finite() && s.abs() <= 4.0));
            }
        }
    }
}
