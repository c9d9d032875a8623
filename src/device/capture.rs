//! Recording from the system's sound devices.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, FromSample, InputCallbackInfo, Sample, SampleFormat, SizedSample, StreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::device::event::{DeviceChange, DeviceError};
use crate::device::guard::{End, Presence, end, fault, watch_over};
use crate::device::list::{ANSWER_TIMEOUT, Kind, find};
use crate::device::output::Control;
use crate::device::quiet;
use crate::device::ring::{frames_in, time_of};
use crate::device::speaker::{choose, small_buffer};
use crate::units::{CHANNELS, SAMPLE_RATE};

/// What may wait for the sound thread before the newest is dropped.
const CAPACITY: Duration = Duration::from_secs(1);
/// How often a lost device is looked for.
const SEEK: Duration = Duration::from_secs(2);
/// One period of the device: who speaks on air is answered, so that this delay counts.
const PERIOD: Duration = Duration::from_millis(20);
/// Frames converted at once in the callback.
const BLOCK_FRAMES: usize = 512;

/// An open input; its sound comes through the ring that [`Capture::open`] returns. Dropping it ends it.
///
/// When the device is lost the ring brings nothing until the device is back, which is looked for every two seconds.
pub struct Capture {
    name: String,
    rate: u32,
    meter: Arc<Meter>,
    control: SyncSender<Control>,
    news: Receiver<DeviceChange>,
}

#[derive(Default)]
struct Meter {
    captured_frames: AtomicU64,
    overruns: AtomicU64,
    lost_frames: AtomicU64,
    device_latency_us: AtomicU64,
}

impl Capture {
    /// Opens the input called `name` (an id, a name, or a part of one that fits a single device), or the default. The ring
    /// brings interleaved stereo at [`Capture::rate`], a mono device on both sides, and holds a second.
    ///
    /// # Errors
    /// When there is no such device or it cannot be opened; the message says what there is. After at most four seconds.
    pub fn open(name: Option<&str>) -> Result<(Capture, Consumer<f32>), DeviceError> {
        let hung = DeviceError::Hung { kind: Kind::Input };
        let wanted = name.map(str::to_owned);
        let (control, orders) = sync_channel(8);
        let (ready, opened) = sync_channel(1);
        let (post, news) = sync_channel(16);
        let task_control = control.clone();
        thread::Builder::new()
            .name("inonda-microphone".into())
            .spawn(move || run(wanted.as_deref(), &task_control, &orders, &ready, &post))
            .map_err(|_| hung.clone())?;
        let Opened {
            name,
            rate,
            ring,
            meter,
        } = opened.recv_timeout(ANSWER_TIMEOUT).map_err(|_| hung)??;
        Ok((
            Capture {
                name,
                rate,
                meter,
                control,
                news,
            },
            ring,
        ))
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Frames a second in the ring.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels in the ring: always stereo.
    pub fn channels(&self) -> u16 {
        CHANNELS as u16
    }

    /// From the microphone to the ring.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.meter.device_latency_us.load(Relaxed))
    }

    /// Times that the reader was so late that sound was lost.
    pub fn overruns(&self) -> u64 {
        self.meter.overruns.load(Relaxed)
    }

    /// Sound lost in that way.
    pub fn lost(&self) -> Duration {
        time_of(self.meter.lost_frames.load(Relaxed) as usize, self.rate)
    }

    /// Whether the device has been lost or is back since the last call. Cheap.
    pub fn poll(&mut self) -> Option<DeviceChange> {
        self.news.try_recv().ok()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.control.try_send(Control::Quit);
    }
}

/// What the caller gets once the device has been opened for the first time.
struct Opened {
    name: String,
    rate: u32,
    ring: Consumer<f32>,
    meter: Arc<Meter>,
}

fn run(
    wanted: Option<&str>,
    control: &SyncSender<Control>,
    orders: &Receiver<Control>,
    ready: &SyncSender<Result<Opened, DeviceError>>,
    post: &SyncSender<DeviceChange>,
) {
    quiet::this_thread();
    let (kind, host) = (Kind::Input, cpal::default_host());
    let found = find(&host, kind, wanted).and_then(|(device, info)| {
        let failed = |error: cpal::Error| DeviceError::Open {
            kind,
            name: info.name.clone(),
            why: error.to_string(),
        };
        let config = config_of(&device, SAMPLE_RATE).map_err(failed)?;
        let (push, ring) = Push::with_ring(config.sample_rate());
        let stream = start(&device, &config, &push, control).map_err(failed)?;
        Ok((
            Presence::of(&host, &device, control.clone()),
            info,
            config.sample_rate(),
            push,
            ring,
            stream,
        ))
    });
    let (mut presence, info, rate, push, ring, mut stream) = match found {
        Ok(found) => found,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let (name, meter) = (info.name.clone(), push.meter());
    if ready
        .send(Ok(Opened {
            name: name.clone(),
            rate,
            ring,
            meter: Arc::clone(&meter),
        }))
        .is_err()
    {
        return end(stream);
    }
    loop {
        let over = watch_over(orders, || meter.captured_frames.load(Relaxed));
        drop(presence);
        end(stream);
        let End::Lost(why) = over else { return };
        let _ = post.try_send(DeviceChange::Lost {
            kind,
            name: name.clone(),
            why,
        });
        match seek(&info.id, rate, &push, control, orders) {
            Some(back) => (presence, stream) = back,
            None => return,
        }
        let _ = post.try_send(DeviceChange::Back {
            kind,
            name: name.clone(),
        });
    }
}

/// Waits until the device is back at the same rate; `None` when told to end.
fn seek(
    id: &str,
    rate: u32,
    push: &SharedPush,
    control: &SyncSender<Control>,
    orders: &Receiver<Control>,
) -> Option<(Presence, cpal::Stream)> {
    loop {
        match orders.recv_timeout(SEEK) {
            // Late words about the lost stream.
            Ok(Control::Fault(_)) => continue,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Control::Quit | Control::Stop { .. }) | Err(RecvTimeoutError::Disconnected) => return None,
        }
        let host = cpal::default_host();
        let Ok((device, _)) = find(&host, Kind::Input, Some(id)) else {
            continue;
        };
        let Ok(config) = config_of(&device, rate) else { continue };
        if config.sample_rate() != rate {
            continue;
        }
        if let Ok(stream) = start(&device, &config, push, control) {
            return Some((Presence::of(&host, &device, control.clone()), stream));
        }
    }
}

fn config_of(device: &cpal::Device, rate: u32) -> Result<cpal::SupportedStreamConfig, cpal::Error> {
    Ok(choose(
        device.default_input_config()?,
        device.supported_input_configs()?,
        rate,
    ))
}

/// Builds and starts a stream with a small buffer, or with the device's own when it refuses that.
fn start(
    device: &cpal::Device,
    supported: &cpal::SupportedStreamConfig,
    push: &SharedPush,
    control: &SyncSender<Control>,
) -> Result<cpal::Stream, cpal::Error> {
    let mut config = supported.config();
    config.buffer_size = small_buffer(supported, PERIOD);
    let stream = build(device, config, supported.sample_format(), push.clone(), control.clone()).or_else(|_| {
        config.buffer_size = BufferSize::Default;
        build(device, config, supported.sample_format(), push.clone(), control.clone())
    })?;
    stream.play()?;
    Ok(stream)
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    push: SharedPush,
    control: SyncSender<Control>,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::F32 => build_as::<f32>(device, config, push, control),
        SampleFormat::F64 => build_as::<f64>(device, config, push, control),
        SampleFormat::I8 => build_as::<i8>(device, config, push, control),
        SampleFormat::I16 => build_as::<i16>(device, config, push, control),
        SampleFormat::I24 => build_as::<cpal::I24>(device, config, push, control),
        SampleFormat::I32 => build_as::<i32>(device, config, push, control),
        SampleFormat::U8 => build_as::<u8>(device, config, push, control),
        SampleFormat::U16 => build_as::<u16>(device, config, push, control),
        SampleFormat::U32 => build_as::<u32>(device, config, push, control),
        _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
    }
}

fn build_as<T: SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    push: SharedPush,
    control: SyncSender<Control>,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels).max(1);
    let mut block = [0.0; BLOCK_FRAMES * CHANNELS];
    let on_input = move |input: &[T], info: &InputCallbackInfo| {
        let times = info.timestamp();
        let latency = times.callback.saturating_duration_since(times.capture);
        // Only the callback of a stream that is being closed could hold it.
        let Ok(mut push) = push.0.try_lock() else { return };
        push.meter.device_latency_us.store(latency.as_micros() as u64, Relaxed);
        for part in input.chunks(BLOCK_FRAMES * channels) {
            let stereo = &mut block[..part.len() / channels * CHANNELS];
            gather(part, stereo, channels);
            push.take(stereo);
        }
    };
    let on_error = move |error: cpal::Error| {
        if let Some(order) = fault(&error) {
            let _ = control.try_send(order);
        }
    };
    device.build_input_stream(config, on_input, on_error, Some(ANSWER_TIMEOUT))
}

/// The device's channels as stereo: one on both sides, the first two of many.
fn gather<T: Sample>(input: &[T], stereo: &mut [f32], channels: usize)
where
    f32: FromSample<T>,
{
    for (input, frame) in input.chunks_exact(channels).zip(stereo.chunks_exact_mut(CHANNELS)) {
        match input {
            [mono] => frame.fill(f32::from_sample(*mono)),
            [left, right, ..] => {
                frame[0] = f32::from_sample(*left);
                frame[1] = f32::from_sample(*right);
            }
            [] => {}
        }
    }
}

/// The callback's end, which outlives its stream: a device that is back goes on into the same ring.
#[derive(Clone)]
struct SharedPush(Arc<Mutex<Push>>);

impl SharedPush {
    fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).meter)
    }
}

/// Never blocks or allocates.
struct Push {
    ring: Producer<f32>,
    meter: Arc<Meter>,
    full: bool,
}

impl Push {
    fn with_ring(rate: u32) -> (SharedPush, Consumer<f32>) {
        let (ring, consumer) = RingBuffer::new(frames_in(CAPACITY, rate) * CHANNELS);
        let push = Push {
            ring,
            meter: Arc::default(),
            full: false,
        };
        (SharedPush(Arc::new(Mutex::new(push))), consumer)
    }

    fn take(&mut self, stereo: &[f32]) {
        let frames = stereo.len() / CHANNELS;
        let room = (self.ring.slots() / CHANNELS).min(frames);
        if let Ok(chunk) = self.ring.write_chunk_uninit(room * CHANNELS) {
            chunk.fill_from_iter(stereo.iter().copied());
        }
        self.meter.captured_frames.fetch_add(frames as u64, Relaxed);
        let lost = frames - room;
        if lost > 0 {
            self.meter.lost_frames.fetch_add(lost as u64, Relaxed);
            if !self.full {
                self.meter.overruns.fetch_add(1, Relaxed);
            }
        }
        self.full = lost > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_late_loses_the_newest_and_knows_how_much() {
        let (producer, mut consumer) = RingBuffer::new(10 * CHANNELS);
        let meter = Arc::new(Meter::default());
        let mut push = Push {
            ring: producer,
            meter: Arc::clone(&meter),
            full: false,
        };
        push.take(&[1.0; 16]);
        push.take(&[2.0; 16]);
        push.take(&[3.0; 16]);
        assert_eq!((meter.overruns.load(Relaxed), meter.lost_frames.load(Relaxed)), (1, 14));
        let kept: Vec<f32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
        assert_eq!(kept, [[1.0; 16].as_slice(), &[2.0; 4]].concat());
        push.take(&[4.0; 16]);
        assert_eq!(
            (meter.overruns.load(Relaxed), meter.captured_frames.load(Relaxed)),
            (1, 32)
        );
    }

    #[test]
    fn any_number_of_channels_becomes_stereo() {
        let mut stereo = [0.0; 4];
        gather(&[16_384_i16, -16_384], &mut stereo, 1);
        assert_eq!(stereo, [0.5, 0.5, -0.5, -0.5]);
        gather(&[0.1_f32, 0.2, 9.0, 0.3, 0.4, 9.0], &mut stereo, 3);
        assert_eq!(stereo, [0.1, 0.2, 0.3, 0.4]);
    }
}
