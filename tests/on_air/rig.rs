//! Real inonda processes on loopback, their events, and the sound they wrote.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]
// Tests and benches share this rig, and neither uses all of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use inonda::audio::chirp;
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything; a loaded machine may need some of it, a hung one all.
const PATIENCE: Duration = Duration::from_secs(40);

/// A folder for states and sounds that goes with the test.
pub struct Lab {
    folder: TempDir,
}

impl Lab {
    pub fn new() -> Lab {
        Lab {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A WAV file of the chirp that tells its own time.
    pub fn chirp(&self, seconds: usize) -> PathBuf {
        let path = self.path("chirp.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for sample in chirp::samples(0, seconds * 48_000) {
            writer.write_sample((sample * 32_767.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        path
    }

    /// Starts `inonda` with a state folder of its own; `name` is for messages.
    pub fn start(&self, name: &str, args: &[&str]) -> Node {
        self.start_with_log(name, args, "warn")
    }

    /// The same with a log filter of its own.
    pub fn start_with_log(&self, name: &str, args: &[&str], log: &str) -> Node {
        let runs_a_node = args
            .first()
            .is_some_and(|sub| ["host", "listen", "relay"].contains(sub));
        let alone: &[&str] = if runs_a_node { &["--no-lan", "--no-dht"] } else { &[] };
        self.spawn(name, &[args, alone].concat(), log, Stdio::null())
    }

    /// A host that takes this file on standard input.
    pub fn host_fed(&self, name: &str, more: &[&str], fed: &Path) -> Node {
        let args = [
            &[
                "host",
                "Test Radio",
                "--bind",
                "127.0.0.1:0",
                "--no-lan",
                "--no-dht",
                "--stdin",
            ],
            more,
        ]
        .concat();
        self.spawn(name, &args, "warn", std::fs::File::open(fed).unwrap().into())
    }

    /// `inonda` as a person or a pipe has it: no events on standard output.
    pub fn plain(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inonda"));
        command
            .args(args)
            .args(["--state", self.path(&format!("state-{name}")).to_str().unwrap()])
            .env("INONDA_LOG", "warn")
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a node that may look for channels wherever its arguments let it.
    pub fn start_as_is(&self, name: &str, args: &[&str]) -> Node {
        self.spawn(name, args, "warn", Stdio::null())
    }

    fn spawn(&self, name: &str, args: &[&str], log: &str, stdin: Stdio) -> Node {
        let state = self.path(&format!("state-{name}"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_inonda"))
            .args(args)
            .args(["--json", "--state", state.to_str().unwrap()])
            .env("INONDA_LOG", log)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, events) = sync_channel(100_000);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON: {line}: {e}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        Node {
            name: name.into(),
            child,
            events,
            seen: Vec::new(),
            errors: Some(errors),
        }
    }

    pub fn host(&self, name: &str, more: &[&str]) -> (Node, String) {
        self.host_with_log(name, more, "warn")
    }

    pub fn host_with_log(&self, name: &str, more: &[&str], log: &str) -> (Node, String) {
        let mut host = self.start_with_log(
            name,
            &[&["host", "Test Radio", "--bind", "127.0.0.1:0"], more].concat(),
            log,
        );
        let link = host.wait("on_air")["link"].as_str().unwrap().to_owned();
        (host, link)
    }

    /// A relay, and the link with only itself to ask.
    pub fn relay(&self, name: &str, link: &str) -> (Node, String) {
        let mut relay = self.start(name, &["relay", link, "--bind", "127.0.0.1:0"]);
        let addr = relay.wait("ready")["addrs"][0].as_str().unwrap().to_owned();
        relay.wait("joined");
        (relay, format!("{}?via={addr}", link.split('?').next().unwrap()))
    }

    pub fn listener(&self, name: &str, link: &str, more: &[&str]) -> Node {
        self.start(name, &[&["listen", link, "--bind", "127.0.0.1:0"], more].concat())
    }
}

/// A running process; it is killed when the test lets go of it.
pub struct Node {
    name: String,
    pub child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
    errors: Option<std::thread::JoinHandle<String>>,
}

impl Node {
    /// The next event of this name; fails the test when the process ends or says nothing for too long.
    pub fn wait(&mut self, name: &str) -> Value {
        self.wait_for(name, |_| true)
    }

    pub fn wait_for(&mut self, name: &str, mut right: impl FnMut(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            match self
                .events
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if event["event"] == name && right(&event) {
                        return event;
                    }
                }
                Err(why) => {
                    let _ = self.child.kill();
                    let errors = self.errors.take().map(|thread| thread.join().unwrap());
                    let last: Vec<_> = self.seen.iter().rev().take(6).collect();
                    panic!(
                        "{}: no {name} ({why:?}); last events {last:#?}; stderr {errors:?}",
                        self.name
                    );
                }
            }
        }
    }

    /// The newest event of this name of all that have come, or the next one.
    pub fn latest(&mut self, name: &str) -> Value {
        let mut latest = None;
        while let Ok(event) = self.events.try_recv() {
            if event["event"] == name {
                latest = Some(event.clone());
            }
            self.seen.push(event);
        }
        latest.unwrap_or_else(|| self.wait(name))
    }

    /// Reads events for this long, by this process's own statistics: one a second.
    pub fn run_for(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.wait("stats");
        }
    }

    /// The peer this process is, once it has said so.
    pub fn peer(&self) -> String {
        let ready = self.seen.iter().find(|event| event["event"] == "ready").unwrap();
        ready["peer"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process: its status, its last event and what it said on standard error.
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while let Ok(event) = self
            .events
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.seen.push(event);
        }
        assert!(
            !matches!(self.events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)),
            "{} does not end",
            self.name
        );
        let status = self.child.wait().unwrap();
        let errors = self.errors.take().unwrap().join().unwrap();
        Ended {
            code: status.code(),
            events: std::mem::take(&mut self.seen),
            errors,
        }
    }

    /// Ctrl-C, then the end.
    pub fn stop(self) -> Ended {
        self.signal("INT");
        self.end()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process left.
pub struct Ended {
    pub code: Option<i32>,
    pub events: Vec<Value>,
    pub errors: String,
}

impl Ended {
    pub fn all(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    pub fn one(&self, name: &str) -> &Value {
        self.all(name)
            .last()
            .copied()
            .unwrap_or_else(|| panic!("no {name} in {:#?}; stderr {}", self.events, self.errors))
    }
}

/// The samples of a WAV file.
pub fn wav(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (48_000, 2));
    reader
        .samples::<i16>()
        .map(|sample| f32::from(sample.unwrap()) / 32_768.0)
        .collect()
}

/// Fails unless this is the chirp, at least so long, without a gap, a repetition or a wrong pitch.
pub fn assert_whole(path: &Path, seconds: f64) {
    let samples = wav(path);
    let findings = chirp::examine(&samples, 48_000);
    assert!(findings.is_whole(), "{findings:#?}");
    assert!(
        samples.len() as f64 / 96_000.0 > seconds,
        "only {} s",
        samples.len() as f64 / 96_000.0
    );
}
