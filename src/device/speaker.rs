//! Opening one of the system's speakers and filling its callback.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, StreamConfig};

use crate::device::event::DeviceError;
use crate::device::guard::{End, Notify, Presence, end, fault, is_pulse, watch_over};
use crate::device::list::{ANSWER_TIMEOUT, DeviceInfo, Kind, find};
use crate::device::output::{Control, Output};
#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
use crate::device::pulse;
use crate::device::quiet;
use crate::device::ring::{Feed, Meter, Pull, frames_in, ring, time_of};
use crate::units::{CHANNELS, SAMPLE_RATE};

/// One period of the device, of which it keeps two: few wake-ups are spent on it, and with what waits in the ring a key is heard
/// within a quarter of a second.
const PERIOD: Duration = Duration::from_millis(40);
/// Frames converted at once in the callback.
const BLOCK_FRAMES: usize = 512;
/// What a device may claim as its latency when the end of a fade is waited for.
const TAIL_MAX: Duration = Duration::from_millis(300);

/// Opens the output called `name` (an id, a name, or a part of one that fits a single device), or the default.
///
/// It plays 48 kHz where the device can, otherwise at the device's own rate: see `Output::rate`. Its loss comes through
/// `notify`.
///
/// # Errors
/// When there is no such device or it cannot be opened; the message says what there is. After at most four seconds.
pub(super) fn open(name: Option<&str>, notify: Notify) -> Result<Output, DeviceError> {
    let wanted = name.map(str::to_owned);
    let (control, orders) = sync_channel(8);
    let (ready, opened) = sync_channel(1);
    let task_control = control.clone();
    let thread = thread::Builder::new()
        .name("inonda-speaker".into())
        .spawn(move || run(wanted.as_deref(), task_control, &orders, &ready, notify))
        .map_err(|_| DeviceError::Hung { kind: Kind::Output })?;
    let (info, rate, feed) = opened
        .recv_timeout(ANSWER_TIMEOUT)
        .map_err(|_| DeviceError::Hung { kind: Kind::Output })??;
    Ok(Output {
        name: info.name,
        id: info.id,
        rate,
        feed,
        control,
        thread: Some(thread),
    })
}

type Ready = SyncSender<Result<(DeviceInfo, u32, Feed), DeviceError>>;

fn run(wanted: Option<&str>, control: SyncSender<Control>, orders: &Receiver<Control>, ready: &Ready, notify: Notify) {
    quiet::this_thread();
    let host = cpal::default_host();
    let started = find(&host, Kind::Output, wanted).and_then(|(device, info)| {
        let failed = |why: String| DeviceError::Open {
            kind: Kind::Output,
            name: info.name.clone(),
            why,
        };
        start(&host, &device, &control)
            .map_err(failed)
            .map(|started| (device, info, started))
    });
    let (device, info, (stream, rate, feed)) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let meter = Arc::clone(&feed.meter);
    if ready.send(Ok((info, rate, feed))).is_err() {
        return end(stream);
    }
    let presence = Presence::of(&host, &device, control);
    match watch_over(orders, || meter.asked_frames.load(Relaxed)) {
        End::Stop { fade_frames } => let_fade(&meter, fade_frames, rate),
        End::Quit => {}
        End::Lost(why) => notify(why),
    }
    drop(presence);
    end(stream);
}

fn let_fade(meter: &Meter, fade_frames: u32, rate: u32) {
    meter.fade(fade_frames);
    let limit = Instant::now() + time_of(fade_frames as usize, rate) + TAIL_MAX;
    while !meter.has_faded() && Instant::now() < limit {
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_micros(meter.device_latency_us.load(Relaxed)).min(TAIL_MAX));
}

/// A running stream, which ends when it is dropped, its rate, and the ring that it plays.
type Started = (Box<dyn Any + Send>, u32, Feed);

fn start(host: &cpal::Host, device: &cpal::Device, control: &SyncSender<Control>) -> Result<Started, String> {
    #[cfg(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    if is_pulse(host) {
        let (feed, pull) = ring_for_device(SAMPLE_RATE);
        let id = device.id().map_err(|error| error.to_string())?;
        match pulse::start(id.id(), PERIOD, pull, control.clone()) {
            Ok(stream) => return Ok((Box::new(stream), SAMPLE_RATE, feed)),
            // A server that will not speak with us may speak with cpal; if not, its words are what people look for.
            Err(error) => tracing::debug!("no stream of our own at the sound server: {error}"),
        }
    }
    start_cpal(device, control).map_err(|error| error.to_string())
}

fn ring_for_device(rate: u32) -> (Feed, Pull) {
    let (feed, pull) = ring(rate);
    // Until the device says it itself: what plays first is then about where it should be in the show.
    let latency = 2 * PERIOD.as_micros() as u64;
    feed.meter.device_latency_us.store(latency, Relaxed);
    (feed, pull)
}

/// Builds and starts a stream with a small buffer, or with the device's own when it refuses that.
fn start_cpal(device: &cpal::Device, control: &SyncSender<Control>) -> Result<Started, cpal::Error> {
    let supported = choose(
        device.default_output_config()?,
        device.supported_output_configs()?,
        SAMPLE_RATE,
    );
    let mut config = supported.config();
    let mut first_error = None;
    for buffer_size in [small_buffer(&supported, PERIOD), BufferSize::Default] {
        config.buffer_size = buffer_size;
        let (feed, pull) = ring_for_device(config.sample_rate);
        match build(device, config, supported.sample_format(), pull, control.clone()) {
            Ok(stream) => {
                stream.play()?;
                return Ok((Box::new(stream), config.sample_rate, feed));
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)))
}

/// Stereo floats at `rate` as near as the device comes to it; its default when it has no such rate.
pub(super) fn choose(
    default: cpal::SupportedStreamConfig,
    ranges: impl Iterator<Item = cpal::SupportedStreamConfigRange>,
    rate: u32,
) -> cpal::SupportedStreamConfig {
    let rank = |format: SampleFormat| match format {
        SampleFormat::F32 => 0,
        SampleFormat::I32 => 1,
        SampleFormat::I24 => 2,
        SampleFormat::I16 => 3,
        _ => 4,
    };
    let distance = |channels: u16| {
        if usize::from(channels) == CHANNELS {
            0
        } else {
            1 + channels.abs_diff(default.channels())
        }
    };
    ranges
        .filter(|range| range.contains_rate(rate) && rank(range.sample_format()) < 4)
        .min_by_key(|range| (distance(range.channels()), rank(range.sample_format())))
        .map_or(default, |range| range.with_sample_rate(rate))
}

pub(super) fn small_buffer(supported: &cpal::SupportedStreamConfig, period: Duration) -> BufferSize {
    let frames = frames_in(period, supported.sample_rate()) as u32;
    BufferSize::Fixed(match supported.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } => frames.clamp(*min, (*max).max(*min)),
        cpal::SupportedBufferSize::Unknown => frames,
    })
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    pull: Pull,
    control: SyncSender<Control>,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::F32 => build_as::<f32>(device, config, pull, control),
        SampleFormat::F64 => build_as::<f64>(device, config, pull, control),
        SampleFormat::I8 => build_as::<i8>(device, config, pull, control),
        SampleFormat::I16 => build_as::<i16>(device, config, pull, control),
        SampleFormat::I24 => build_as::<cpal::I24>(device, config, pull, control),
        SampleFormat::I32 => build_as::<i32>(device, config, pull, control),
        SampleFormat::U8 => build_as::<u8>(device, config, pull, control),
        SampleFormat::U16 => build_as::<u16>(device, config, pull, control),
        SampleFormat::U32 => build_as::<u32>(device, config, pull, control),
        _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
    }
}

fn build_as<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut pull: Pull,
    control: SyncSender<Control>,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels).max(1);
    let mut block = [0.0; BLOCK_FRAMES * CHANNELS];
    let meter = Arc::clone(&pull.meter);
    let on_output = move |out: &mut [T], info: &OutputCallbackInfo| {
        let times = info.timestamp();
        let latency = times.playback.saturating_duration_since(times.callback);
        if !latency.is_zero() {
            pull.meter.device_latency_us.store(latency.as_micros() as u64, Relaxed);
        }
        let asked = time_of(out.len() / channels, config.sample_rate);
        pull.called(asked, latency, Instant::now());
        for part in out.chunks_mut(BLOCK_FRAMES * channels) {
            let stereo = &mut block[..part.len() / channels * CHANNELS];
            pull.fill(stereo);
            spread(stereo, part, channels);
        }
    };
    let on_error = move |error: cpal::Error| {
        if error.kind() == cpal::ErrorKind::Xrun {
            meter.ran_dry.store(true, Relaxed);
        }
        if let Some(order) = fault(&error) {
            let _ = control.try_send(order);
        }
    };
    device.build_output_stream(config, on_output, on_error, Some(ANSWER_TIMEOUT))
}

/// Stereo onto the device's channels: their mean on one, left and right on the first two of many.
fn spread<T: Sample + FromSample<f32>>(stereo: &[f32], out: &mut [T], channels: usize) {
    for (frame, out) in stereo.chunks_exact(CHANNELS).zip(out.chunks_exact_mut(channels)) {
        match out {
            [mono] => *mono = T::from_sample((frame[0] + frame[1]) * 0.5),
            [left, right, rest @ ..] => {
                *left = T::from_sample(frame[0].clamp(-1.0, 1.0));
                *right = T::from_sample(frame[1].clamp(-1.0, 1.0));
                rest.fill(T::EQUILIBRIUM);
            }
            [] => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_fits_any_number_of_channels() {
        let stereo = [0.5, -0.5, 1.0, 0.5];
        let mut mono = [9.0_f32; 2];
        spread(&stereo, &mut mono, 1);
        assert_eq!(mono, [0.0, 0.75]);
        let mut four = [9_i16; 8];
        spread(&stereo, &mut four, 4);
        assert_eq!(four, [16_384, -16_384, 0, 0, i16::MAX, 16_384, 0, 0]);
        let mut unsigned = [9_u8; 4];
        spread(&[0.0; 4], &mut unsigned, 2);
        assert_eq!(unsigned, [128; 4]);
    }
}
