//! Plays to a sound server of the pulse protocol, on one thread that wakes up little more than once a period.
//!
//! cpal plays to such a server, too, and still finds and watches its devices. Its client, though, wakes up eight times a
//! period and clears a megabyte of memory at most of them, which was a quarter of everything a listener computes.

use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pulseaudio::protocol::{
    AuthParams, AuthReply, ChannelMap, Command, CommandReply, CreatePlaybackStreamReply, Descriptor, DescriptorFlags,
    LatencyParams, MAX_VERSION, PlaybackLatency, PlaybackStreamParams, Prop, Props, ProtocolError, SampleFormat,
    SampleSpec, SetClientNameReply, TagStructReader, read_descriptor, read_reply_message, stream,
    write_command_message, write_descriptor,
};

use crate::device::list::ANSWER_TIMEOUT;
use crate::device::output::Control;
use crate::device::ring::{Pull, frames_in, time_of};
use crate::units::{CHANNELS, SAMPLE_RATE};

const FRAME_BYTES: usize = CHANNELS * size_of::<f32>();
/// Frames converted at once.
const BLOCK_FRAMES: usize = 512;

/// Most that is given at once; a server asks for two periods.
const GIVEN_MAX_FRAMES: usize = SAMPLE_RATE as usize;

/// Most that is believed of a latency: slow wireless speakers have a second.
const LATENCY_MAX_FRAMES: usize = 4 * SAMPLE_RATE as usize;

/// How often the server is asked when what it is given will be heard; the clock tells in between.
const ASK_EVERY: Duration = Duration::from_millis(150);

/// A stream that plays until it is dropped.
pub(super) struct Stream(UnixStream);

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Starts to play what `pull` gives, at 48 kHz, to a sink by its name. The server holds two periods of it.
///
/// # Errors
/// When there is no server, or it refuses.
pub(super) fn start(
    sink: &str,
    period: Duration,
    pull: Pull,
    control: SyncSender<Control>,
) -> Result<Stream, ProtocolError> {
    let path = pulseaudio::socket_path_from_env().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let stream = Stream(socket.try_clone()?);
    let mut player = Player {
        reader: BufReader::new(socket),
        version: MAX_VERSION,
        channel: 0,
        pull,
        latency: (Duration::ZERO, Instant::now()),
        asked: None,
        bytes: Vec::new(),
    };
    player.greet()?;
    let wanted = player.create(sink, period)?;
    stream.0.set_read_timeout(None)?;
    stream.0.set_write_timeout(None)?;
    thread::Builder::new().name("inonda-pulse".into()).spawn(move || {
        let Err(error) = player.play(wanted);
        let _ = control.try_send(Control::Fault(error.to_string()));
    })?;
    Ok(stream)
}

struct Player {
    reader: BufReader<UnixStream>,
    version: u16,
    channel: u32,
    pull: Pull,
    /// From a write at this moment to the ear, as the server said it and with what it was given since.
    latency: (Duration, Instant),
    asked: Option<Instant>,
    /// A message to the server, kept to be used again.
    bytes: Vec<u8>,
}

impl Player {
    fn greet(&mut self) -> Result<(), ProtocolError> {
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
        let auth: AuthReply = self.ask(&Command::Auth(AuthParams {
            version: MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: cookie.unwrap_or_default(),
        }))?;
        self.version = MAX_VERSION.min(auth.version);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"inonda");
        self.ask::<SetClientNameReply>(&Command::SetClientName(props))?;
        Ok(())
    }

    /// Creates the stream; the bytes that it wants to begin with.
    fn create(&mut self, sink: &str, period: Duration) -> Result<u32, ProtocolError> {
        let period_bytes = (frames_in(period, SAMPLE_RATE) * FRAME_BYTES) as u32;
        let name = std::ffi::CString::new(sink).map_err(io::Error::from)?;
        let reply: CreatePlaybackStreamReply = self.ask(&Command::CreatePlaybackStream(PlaybackStreamParams {
            sample_spec: SampleSpec {
                format: SampleFormat::Float32Le,
                sample_rate: SAMPLE_RATE,
                channels: CHANNELS as u8,
            },
            channel_map: ChannelMap::stereo(),
            sink_name: Some(name),
            buffer_attr: stream::BufferAttr {
                max_length: 2 * period_bytes,
                target_length: 2 * period_bytes,
                minimum_request_length: period_bytes,
                ..Default::default()
            },
            flags: stream::StreamFlags {
                // The two periods are to be all there is up to the ear.
                adjust_latency: true,
                ..Default::default()
            },
            ..Default::default()
        }))?;
        self.channel = reply.channel;
        Ok(reply.requested_bytes)
    }

    fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, ProtocolError> {
        write_command_message(self.reader.get_mut(), 0, command, self.version)?;
        Ok(read_reply_message(&mut self.reader, self.version)?.1)
    }

    /// Gives the server what it asks for until it is gone.
    fn play(mut self, wanted: u32) -> Result<std::convert::Infallible, ProtocolError> {
        self.give(wanted as usize)?;
        loop {
            match self.read()? {
                Told::Wanted(bytes) => self.give(bytes as usize)?,
                Told::Latency(latency) => self.latency = (latency, Instant::now()),
                Told::Other => {}
            }
        }
    }

    fn read(&mut self) -> Result<Told, ProtocolError> {
        let length = read_descriptor(&mut self.reader)?.length;
        let mut body = io::Read::take(&mut self.reader, u64::from(length));
        let told = match Command::read_tag_prefixed(&mut body, self.version) {
            Ok((_, Command::Request(request))) if request.channel == self.channel => Told::Wanted(request.length),
            // Nothing but the latency is asked for once the stream is there.
            Ok((_, Command::Reply)) => {
                let timing: PlaybackLatency = TagStructReader::new(&mut body, self.version).read()?;
                let held = timing.write_offset.saturating_sub(timing.read_offset);
                let frames = usize::try_from(held).unwrap_or(0) / FRAME_BYTES;
                let held = time_of(frames.min(LATENCY_MAX_FRAMES), SAMPLE_RATE);
                let sink = Duration::from_micros(timing.sink_usec);
                Told::Latency((sink + held).min(time_of(LATENCY_MAX_FRAMES, SAMPLE_RATE)))
            }
            Ok((_, Command::PlaybackStreamKilled(_))) => {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
            Ok((_, Command::Error(error))) => return Err(ProtocolError::ServerError(error)),
            // Word of moves and pauses, and words of newer servers.
            Ok(_) | Err(_) => Told::Other,
        };
        io::copy(&mut body, &mut io::sink())?;
        Ok(told)
    }

    /// Sends so much sound, and now and then asks when it will be heard, in one write.
    fn give(&mut self, bytes: usize) -> Result<(), ProtocolError> {
        let now = Instant::now();
        let (latency, since) = self.latency;
        let latency = latency.saturating_sub(now - since);
        if !latency.is_zero() {
            let micros = latency.as_micros() as u64;
            self.pull.meter.device_latency_us.store(micros, Relaxed);
        }
        let mut frames = (bytes / FRAME_BYTES).min(GIVEN_MAX_FRAMES);
        let time = time_of(frames, SAMPLE_RATE);
        self.pull.called(time, latency, now);
        // It is not known yet, or the server has run dry, while this is zero.
        let due = latency.is_zero() || self.asked.is_none_or(|asked| now - asked >= ASK_EVERY);
        if !latency.is_zero() {
            self.latency = (latency + time, now);
        }
        while frames > 0 {
            let part = frames.min(BLOCK_FRAMES);
            frames -= part;
            self.append_sound(part)?;
        }
        if due {
            self.asked = Some(now);
            self.append_question()?;
        }
        self.reader.get_mut().write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    fn append_sound(&mut self, frames: usize) -> Result<(), ProtocolError> {
        let message = Descriptor {
            length: (frames * FRAME_BYTES) as u32,
            channel: self.channel,
            offset: 0,
            flags: DescriptorFlags::empty(),
        };
        write_descriptor(&mut self.bytes, &message)?;
        let mut block = [0.0; BLOCK_FRAMES * CHANNELS];
        let block = &mut block[..frames * CHANNELS];
        self.pull.fill(block);
        for sample in block {
            self.bytes.extend_from_slice(&sample.clamp(-1.0, 1.0).to_le_bytes());
        }
        Ok(())
    }

    fn append_question(&mut self) -> Result<(), ProtocolError> {
        let question = Command::GetPlaybackLatency(LatencyParams {
            channel: self.channel,
            now: SystemTime::now(),
        });
        write_command_message(&mut self.bytes, 0, &question, self.version)
    }
}

/// What the server says while it plays.
enum Told {
    Wanted(u32),
    Latency(Duration),
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ring::ring;
    use pulseaudio::protocol::{Request, write_reply_message};

    #[test]
    fn one_request_of_the_server_costs_one_answer_and_one_word_of_the_latency() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut server = BufReader::new(theirs);
        let (mut feed, pull) = ring(SAMPLE_RATE);
        feed.push(&[0.25; 2_000 * CHANNELS]);
        let mut player = Player {
            reader: BufReader::new(ours),
            version: MAX_VERSION,
            channel: 3,
            pull,
            latency: (Duration::ZERO, Instant::now()),
            asked: None,
            bytes: Vec::new(),
        };
        let request = Command::Request(Request {
            channel: 3,
            length: 1_920 * FRAME_BYTES as u32,
        });
        write_command_message(server.get_mut(), 0, &request, MAX_VERSION).unwrap();
        let Told::Wanted(bytes) = player.read().unwrap() else {
            panic!("a request was not understood");
        };
        player.give(bytes as usize).unwrap();
        assert_eq!(feed.fill_frames(), 80);
        let mut sounds = 0;
        let question = loop {
            let message = read_descriptor(&mut server).unwrap();
            let mut body = io::Read::take(&mut server, u64::from(message.length));
            if message.channel == 3 {
                sounds += io::copy(&mut body, &mut io::sink()).unwrap();
            } else {
                break Command::read_tag_prefixed(&mut body, MAX_VERSION).unwrap().1;
            }
        };
        assert_eq!(sounds, u64::from(bytes));
        assert!(matches!(question, Command::GetPlaybackLatency(_)), "{question:?}");
        let mut timing = PlaybackLatency {
            sink_usec: 5_000,
            source_usec: 0,
            playing: true,
            local_time: SystemTime::UNIX_EPOCH,
            remote_time: SystemTime::UNIX_EPOCH,
            write_offset: 3_840 * FRAME_BYTES as i64,
            read_offset: 1_920 * FRAME_BYTES as i64,
            underrun_for: 0,
            playing_for: 0,
        };
        write_reply_message(server.get_mut(), 0, &timing, MAX_VERSION).unwrap();
        let told = player.read().unwrap();
        assert!(matches!(told, Told::Latency(time) if time == Duration::from_millis(45)));
        // Nonsense neither breaks the clock nor is believed.
        for (write_offset, read_offset, seconds) in [(i64::MIN, i64::MAX, 0), (i64::MAX, i64::MIN, 4)] {
            (timing.write_offset, timing.read_offset, timing.sink_usec) = (write_offset, read_offset, 0);
            write_reply_message(server.get_mut(), 0, &timing, MAX_VERSION).unwrap();
            let told = player.read().unwrap();
            assert!(matches!(told, Told::Latency(time) if time == Duration::from_secs(seconds)));
        }
        server.get_mut().set_nonblocking(true).unwrap();
        assert!(read_descriptor(&mut server).is_err(), "nothing else is sent");
    }
}
