//! What the screen costs: `cargo bench --bench screen` measures the release binary in a pseudo-terminal of 120x36.
//!
//! `cargo bench --bench screen -- pictures` makes the README's pictures again, from the same terminal, instead: it writes
//! `tests/pictures/*.svg`. Processor time and memory are read from `/proc`; keys are typed and their frames awaited in a terminal emulator.
#![allow(clippy::disallowed_methods, reason = "measures real processes by the system's clock")]

#[path = "../tests/on_air/rig.rs"]
mod on_air;
#[path = "../tests/terminal/picture.rs"]
mod picture;
#[path = "../tests/terminal/rig.rs"]
mod rig;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use on_air::Lab;
use rig::{Terminal, command};

const INONDA: &str = env!("CARGO_BIN_EXE_inonda");
const SIZE: (u16, u16) = (120, 36);
/// Ticks of `/proc/PID/stat` a second, on every Linux of today.
const TICKS: f64 = 100.0;

fn main() {
    let lab = Lab::new();
    if std::env::args().any(|argument| argument == "pictures") {
        return pictures(&lab);
    }
    println!("| what | reach | measured |\n|---|---|---|");
    let started = start(&lab);
    row("start to first frame, median of 11", "< 50 ms", &milliseconds(started));
    let mut terminal = browse(&lab);
    stopped(&terminal);
    let file = lab.chirp(400);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    terminal.keys(&format!(":play {link}\r"));
    terminal.wait_for("PLAYING");
    playing(&mut terminal);
    keys(&mut terminal);
    busy(&mut terminal);
    terminal.keys("q");
    terminal.end();
}

fn row(what: &str, reach: &str, measured: &str) {
    println!("| {what} | {reach} | {measured} |");
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn open(lab: &Lab, args: &[&str]) -> Terminal {
    let home = lab.path("home");
    fs::create_dir_all(&home).unwrap();
    Terminal::start(command(INONDA, args, &home), SIZE)
}

fn browse(lab: &Lab) -> Terminal {
    let terminal = open(lab, &["--output", "null", "--bind", "127.0.0.1:0"]);
    terminal.wait_for("Library");
    terminal
}

fn start(lab: &Lab) -> Duration {
    let mut times: Vec<Duration> = (0..11)
        .map(|_| {
            let begun = Instant::now();
            let terminal = browse(lab);
            let time = begun.elapsed();
            drop(terminal);
            time
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Nothing plays, nothing is typed.
fn stopped(terminal: &Terminal) {
    std::thread::sleep(Duration::from_secs(3));
    // Away from the turn of a minute, when the clock on the screen moves on.
    let second = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() % 60;
    if second > 48 {
        std::thread::sleep(Duration::from_secs(61 - second));
    }
    let bytes = terminal.bytes();
    let share = share_of_a_core(terminal, Duration::from_secs(10));
    row("stopped: processor", "< 0.2 % of a core", &format!("{share:.2} %"));
    let bytes = terminal.bytes() - bytes;
    row("stopped: bytes to the terminal in 10 s", "0", &bytes.to_string());
}

fn playing(terminal: &mut Terminal) {
    terminal.press("5", "Log");
    std::thread::sleep(Duration::from_secs(3));
    let without = share_of_a_core(terminal, Duration::from_secs(10));
    let reach = "< 1.5 % of a core";
    row("playing, meters, no spectrum", reach, &format!("{without:.2} %"));
    terminal.press("2", "Spectrum");
    std::thread::sleep(Duration::from_secs(2));
    let bytes = terminal.bytes();
    let with = share_of_a_core(terminal, Duration::from_secs(10));
    let rate = (terminal.bytes() - bytes) / 10_000;
    let measured = format!("{with:.2} %, {rate} kB/s to the terminal");
    row("playing with spectrum, 30 fps", "< 3 % of a core", &measured);
    // Without focus nothing moves: what is left is the sound and the mesh.
    terminal.keys("\x1b[O");
    std::thread::sleep(Duration::from_secs(2));
    let sound = share_of_a_core(terminal, Duration::from_secs(10));
    row("of that, sound and mesh without a screen", "", &format!("{sound:.2} %"));
    terminal.keys("\x1b[I");
    let memory = format!("{:.1} MB", resident_mb(terminal));
    row("memory while listening", "< 40 MB", &memory);
}

/// From a key to the frame that shows it.
fn keys(terminal: &mut Terminal) {
    let mut times = Vec::new();
    for round in 0..100 {
        let (key, words) = [
            ("3", "STRIPES"),
            ("1", "Library"),
            ("5", "all modules"),
            ("2", "Spectrum"),
        ][round % 4];
        times.push(terminal.press(key, words));
        std::thread::sleep(Duration::from_millis(37));
    }
    times.sort();
    let measured = format!(
        "median {}, p99 {}",
        milliseconds(times[times.len() / 2]),
        milliseconds(times[times.len() * 99 / 100])
    );
    row(
        "key press to frame, 100 presses while playing",
        "< 20 ms p99",
        &measured,
    );
}

/// Underruns while everything on the screen moves.
fn busy(terminal: &mut Terminal) {
    let before = underruns(terminal);
    for round in 0..50 {
        terminal.keys(":");
        terminal.keys(&format!("theme {}\r", ["nord", "dracula", "inonda-light"][round % 3]));
        terminal.keys("5jjjjjjjjjjkkkkkkkkkk");
        std::thread::sleep(Duration::from_millis(60));
    }
    let after = underruns(terminal);
    let measured = format!("{}", after - before);
    row(
        "underruns while 1,000 rows scroll and the theme changes 50 times",
        "0",
        &measured,
    );
}

fn underruns(terminal: &mut Terminal) -> u64 {
    terminal.press("2", "underruns");
    let text = terminal.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("underruns")).unwrap();
    words[at - 1].parse().unwrap()
}

fn share_of_a_core(terminal: &Terminal, time: Duration) -> f64 {
    let before = ticks(terminal);
    let begun = Instant::now();
    std::thread::sleep(time);
    (ticks(terminal) - before) / TICKS / begun.elapsed().as_secs_f64() * 100.0
}

/// User and system time, fields 14 and 15.
fn ticks(terminal: &Terminal) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", terminal.id())).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

fn resident_mb(terminal: &Terminal) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", terminal.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// What a person sees in the demo, after long enough for a second title, histories and every gauge to have something
/// to say.
fn pictures(lab: &Lab) {
    let mut demo = open(lab, &["demo", "--output", "null"]);
    demo.wait_for("PLAYING");
    std::thread::sleep(Duration::from_secs(170));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut take = |keys: &str, words: &str, name: &str| {
        demo.press(keys, words);
        std::thread::sleep(Duration::from_millis(1_500));
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, picture::svg(&demo.screen(), &format!("inonda: {name}"))).unwrap();
        println!("{}", path.display());
    };
    take("3", "STRIPES", "mesh");
    take("1", "Library", "channels");
    take("2", "Spectrum", "now-playing");
    take("t", "Theme", "themes");
}
