//! Opus through libopus, and libopus as a decoder that symphonia knows.

use std::sync::Mutex;

use bytes::Bytes;
use opusic_c::{Application, Bandwidth, Bitrate, Channels, SampleRate};
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, GenericAudioBufferRef, layouts,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;

use super::CodecError;
use crate::units::{CHANNELS, PACKET_FRAMES, PACKET_SAMPLES, PACKET_TIME, SAMPLE_RATE};

/// The longest packet that Opus allows, 120 ms, in frames.
const PACKET_MAX_FRAMES: usize = 5_760;
/// The largest packet of 20 ms that Opus allows.
const PACKET_MAX_BYTES: usize = 1_275;
/// The smallest packet worth asking for; below it Opus leaves music behind.
const PACKET_MIN_BYTES: usize = 20;
/// From 0 to 10. At 9 and 10 the encoder spends its time on choices that nobody hears above 64 kbit/s.
const COMPLEXITY: u8 = 9;
/// From this rate on the whole band is worth coding in stereo.
const FULLBAND_BPS: u32 = 64_000;

pub(super) struct Encoder {
    inner: opusic_c::Encoder,
    packet_bytes: usize,
    clean: Box<[f32; PACKET_SAMPLES]>,
}

impl Encoder {
    pub(super) fn new(bitrate_bps: u32) -> std::result::Result<Encoder, CodecError> {
        let failed = |e: opusic_c::ErrorCode| CodecError::Setup {
            codec: "opus",
            bitrate_bps,
            reason: e.message().to_owned(),
        };
        let mut inner =
            opusic_c::Encoder::new(Channels::Stereo, SampleRate::Hz48000, Application::Audio).map_err(failed)?;
        inner.set_bitrate(Bitrate::Value(bitrate_bps)).map_err(failed)?;
        // Constant packets: a chunk has one size, and nothing about the sound shows in the traffic.
        inner.set_vbr(false).map_err(failed)?;
        inner.set_complexity(COMPLEXITY).map_err(failed)?;
        if bitrate_bps >= FULLBAND_BPS {
            inner.set_bandwidth(Bandwidth::Full).map_err(failed)?;
        }
        let packet_bytes = (u64::from(bitrate_bps) * PACKET_TIME.as_millis() as u64 / 8_000) as usize;
        Ok(Encoder {
            inner,
            packet_bytes: packet_bytes.clamp(PACKET_MIN_BYTES, PACKET_MAX_BYTES),
            clean: Box::new([0.0; PACKET_SAMPLES]),
        })
    }

    pub(super) fn encode(
        &mut self,
        pcm: &[f32; PACKET_SAMPLES],
        max_bytes: usize,
    ) -> std::result::Result<Bytes, CodecError> {
        for (to, from) in self.clean.iter_mut().zip(pcm) {
            *to = if from.is_finite() { from.clamp(-1.0, 1.0) } else { 0.0 };
        }
        let mut packet = vec![0u8; self.packet_bytes.min(max_bytes).max(PACKET_MIN_BYTES)];
        let len = self
            .inner
            .encode_float_to_slice(&self.clean[..], &mut packet)
            .map_err(|e| CodecError::Encode {
                codec: "opus",
                reason: e.message().to_owned(),
            })?;
        packet.truncate(len);
        Ok(packet.into())
    }
}

/// libopus behind symphonia's decoder interface. An empty packet asks for 20 ms of concealment.
pub struct OpusDecoder {
    params: AudioCodecParameters,
    /// Only ever reached through `get_mut`; symphonia wants decoders to be `Sync`, which libopus' state is not.
    inner: Mutex<opusic_c::Decoder>,
    channels: usize,
    pcm: Vec<f32>,
    buffer: AudioBuffer<f32>,
    /// Frames at the start of a file that only warm the decoder up.
    pre_skip: usize,
}

impl OpusDecoder {
    fn try_new(params: &AudioCodecParameters) -> Result<OpusDecoder> {
        let count = params.channels.as_ref().map_or(CHANNELS, |c| c.count());
        let (channels, layout) = match count {
            1 => (Channels::Mono, layouts::CHANNEL_LAYOUT_MONO),
            2 => (Channels::Stereo, layouts::CHANNEL_LAYOUT_STEREO),
            _ => return unsupported_error("opus: more than two channels"),
        };
        let Ok(inner) = opusic_c::Decoder::new(channels, SampleRate::Hz48000) else {
            return unsupported_error("opus: no decoder");
        };
        let mut params = params.clone();
        params.with_sample_rate(SAMPLE_RATE).with_channels(layout.clone());
        Ok(OpusDecoder {
            pre_skip: params.extra_data.as_deref().map_or(0, pre_skip),
            params,
            inner: Mutex::new(inner),
            channels: count,
            pcm: vec![0.0; PACKET_MAX_FRAMES * count],
            buffer: AudioBuffer::new(AudioSpec::new(SAMPLE_RATE, layout), PACKET_MAX_FRAMES),
        })
    }
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        if let Ok(inner) = self.inner.get_mut() {
            // Only an allocation could fail here, and a reset makes none.
            let _ = inner.reset();
        }
        self.pre_skip = 0;
    }

    fn codec_info(&self) -> &CodecInfo {
        &Self::supported_codecs()[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        let room = match packet.data.is_empty() {
            true => PACKET_FRAMES * self.channels,
            false => self.pcm.len(),
        };
        let Ok(inner) = self.inner.get_mut() else {
            return decode_error("opus: the decoder is gone");
        };
        let Ok(frames) = inner.decode_float_to_slice(packet.data, &mut self.pcm[..room], false) else {
            return decode_error("opus: not an opus packet");
        };
        self.buffer.render_uninit(Some(frames));
        self.buffer
            .copy_from_slice_interleaved(&&self.pcm[..frames * self.channels]);
        let skip = packet.trim_start.get() as usize + std::mem::take(&mut self.pre_skip);
        let (skip, end) = (skip.min(frames), (packet.trim_end.get() as usize).min(frames));
        if skip > 0 || end > 0 {
            self.buffer.trim(skip, end);
        }
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusDecoder {
    fn try_registry_new(params: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(OpusDecoder::try_new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec {
            id: CODEC_ID_OPUS,
            info: CodecInfo {
                short_name: "opus",
                long_name: "Opus",
                profiles: &[],
            },
        }]
    }
}

/// Bytes 10 and 11 of an `OpusHead`, little endian.
fn pre_skip(head: &[u8]) -> usize {
    match (head.get(..8), head.get(10..12)) {
        (Some(b"OpusHead"), Some(&[low, high])) => usize::from(u16::from_le_bytes([low, high])),
        _ => 0,
    }
}
