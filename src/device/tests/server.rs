//! A sound server of the test's own. cpal finds its server through the environment, which a test must not change for its
//! neighbours: the test runs itself again as a child with the right environment.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Tells a child that it is one.
const CHILD: &str = "INONDA_TEST_SOUND_SERVER";

/// Runs `body` against a server with the sinks `speaker` and `other`. `test` is the full name of the calling test. Where no
/// server can be had, says so and runs `without`.
pub fn with_server(test: &str, body: impl FnOnce(), without: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path()) else {
        eprintln!("{test}: no pulseaudio here, the null device stands in");
        return without();
    };
    let output = child(test)
        .env("PULSE_SERVER", server.address(folder.path()))
        .env(CHILD, "1")
        .output()
        .unwrap();
    drop(server);
    assert_passed(test, &output);
}

/// Runs `body` where there is no sound server at all, and returns what it wrote to stderr.
pub fn without_server(test: &str, body: impl FnOnce()) -> Option<String> {
    if std::env::var_os(CHILD).is_some() {
        body();
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = child(test);
    command
        .env_remove("PULSE_SERVER")
        .env_remove("PULSE_RUNTIME_PATH")
        .env("XDG_RUNTIME_DIR", folder.path());
    let output = command.env(CHILD, "1").output().unwrap();
    assert_passed(test, &output);
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `pactl` against the server of this test.
pub fn pactl(args: &[&str]) -> String {
    let output = Command::new("pactl").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "pactl {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Loads a null sink and returns the number of its module.
pub fn load_sink(name: &str) -> String {
    let sink = format!("sink_name={name}");
    pactl(&["load-module", "module-null-sink", &sink, "norewinds=1", "rate=48000"])
        .trim()
        .to_owned()
}

/// The number of the module behind a sink.
pub fn module_of(sink: &str) -> String {
    let modules = pactl(&["list", "short", "modules"]);
    let line = modules
        .lines()
        .find(|line| line.contains(&format!("sink_name={sink}")))
        .expect("a module of this sink");
    line.split_whitespace().next().unwrap().to_owned()
}

/// Records stereo floats at 48 kHz from a source until stopped.
pub struct Recorder(Child);

impl Recorder {
    pub fn start(source: &str) -> Recorder {
        let device = format!("--device={source}");
        let args = [
            &device,
            "--raw",
            "--format=float32le",
            "--rate=48000",
            "--channels=2",
            "--latency-msec=50",
        ];
        Recorder(Command::new("parec").args(args).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Reads `frames` frames from now on, interleaved.
    pub fn read(&mut self, frames: usize) -> Vec<f32> {
        let mut bytes = vec![0; frames * 8];
        std::io::Read::read_exact(self.0.stdout.as_mut().unwrap(), &mut bytes).unwrap();
        bytes
            .chunks_exact(4)
            .map(|sample| f32::from_le_bytes(sample.try_into().unwrap()))
            .collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server with the sinks `speaker` and `other`; it ends with this.
pub struct Server(Child);

impl Server {
    /// Starts one that keeps its files in a folder, if there is any to start.
    pub fn start(folder: &Path) -> Option<Server> {
        Command::new("pactl").arg("--version").output().ok()?;
        let socket = folder.join("native");
        let protocol = format!(
            "module-native-protocol-unix socket={} auth-anonymous=1",
            socket.display()
        );
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        command.args(["-L", &protocol]);
        for sink in ["speaker", "other"] {
            command.args([
                "-L",
                &format!("module-null-sink sink_name={sink} norewinds=1 rate=48000"),
            ]);
        }
        command
            .env("HOME", folder)
            .env("XDG_RUNTIME_DIR", folder)
            .env_remove("PULSE_SERVER");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let server = Server(child);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let info = Command::new("pactl")
                .arg("info")
                .env("PULSE_SERVER", server.address(folder))
                .output()
                .ok()?;
            if info.status.success() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    /// Its process.
    #[allow(dead_code, reason = "only the bench of the screen stops it")]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What `PULSE_SERVER` must be to reach the one of this folder.
    pub fn address(&self, folder: &Path) -> String {
        format!("unix:{}", folder.join("native").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command
}

fn assert_passed(test: &str, output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{test} as a child:\n{out}\n{err}"
    );
}
