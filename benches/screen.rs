//! What the screen costs: `cargo bench --bench screen` measures the release binary in a pseudo-terminal of 120x36.
//!
//! `cargo bench --bench screen -- pictures` makes the README's pictures again, from the same terminal, instead: it writes
//! `tests/pictures/*.svg`. Processor time and memory are read from `/proc`; keys are typed and their frames awaited in a
//! terminal emulator. The sound goes to a sound server of the bench's own, and comes from a real host on loopback.
#![allow(clippy::disallowed_methods, reason = "measures real processes by the system's clock")]

#[path = "screen/list.rs"]
mod list;
#[path = "../tests/on_air/rig.rs"]
mod on_air;
#[path = "../tests/terminal/picture.rs"]
mod picture;
#[path = "screen/pictures.rs"]
mod pictures;
#[path = "../tests/terminal/rig.rs"]
mod rig;
#[path = "../src/device/tests/server.rs"]
#[allow(dead_code, reason = "shared with the tests of devices, which use all of it")]
mod server;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use on_air::{Lab, Node};
use rig::{Terminal, command};
use server::Server;

const INONDA: &str = env!("CARGO_BIN_EXE_inonda");
const SIZE: (u16, u16) = (120, 36);
/// Ticks of `/proc/PID/stat` a second, on every Linux of today.
const TICKS: f64 = 100.0;
/// Times the theme changes while rows scroll, and rows that scroll at each.
const THEMES: usize = 50;
const ROWS: usize = 20;

fn main() {
    let lab = Lab::new();
    if std::env::args().any(|argument| argument == "pictures") {
        return pictures::make(&lab);
    }
    let sound = Sound::start(&lab);
    println!("Sound goes to {}.\n", sound.words());
    println!("| what | reach | measured |\n|---|---|---|");
    start(&lab, &sound);
    let file = lab.chirp(400);
    let (host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    alone(&lab, &sound, &link);
    among_many(&lab, &sound, &host, &link);
}

/// Where the sound of the measured program goes.
struct Sound(Option<Speaker>);

struct Speaker {
    server: Server,
    address: String,
    cookie: PathBuf,
}

impl Sound {
    fn start(lab: &Lab) -> Sound {
        let folder = lab.path("sound");
        fs::create_dir_all(&folder).unwrap();
        // The server lets anybody in, and yet wants to see a cookie of the right size.
        let cookie = folder.join("cookie");
        fs::write(&cookie, [7; 256]).unwrap();
        Sound(Server::start(&folder).map(|server| Speaker {
            address: server.address(&folder),
            server,
            cookie,
        }))
    }

    fn words(&self) -> &str {
        match self.0 {
            Some(_) => "a null sink of pulseaudio",
            None => "the null device: no sound server is here, and nothing can run dry",
        }
    }
}

/// What is reached for.
enum Reach {
    Below(f64),
    Zero,
    /// A control: what must be seen when it is provoked.
    Seen,
    Open,
}

fn row(what: &str, reach: &Reach, measured: f64, unit: &str) {
    let (words, met) = match reach {
        Reach::Below(limit) => (format!("< {limit}{unit}"), measured < *limit),
        Reach::Zero => ("0".to_owned(), measured == 0.0),
        Reach::Seen => ("> 0".to_owned(), measured > 0.0),
        Reach::Open => (String::new(), true),
    };
    let digits = usize::from(!unit.is_empty()) + usize::from(unit.starts_with(" %"));
    let miss = if met { "" } else { " MISS" };
    println!("| {what} | {words} | {measured:.digits$}{unit}{miss} |");
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Median and 99th percentile, in milliseconds.
fn spread(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: usize| milliseconds(times[(times.len() * share / 100).min(times.len() - 1)]);
    (at(50), at(99))
}

fn open(lab: &Lab, sound: &Sound, more: &[&str]) -> Terminal {
    let home = lab.path("home");
    fs::create_dir_all(&home).unwrap();
    let output = if sound.0.is_some() { "device:speaker" } else { "null" };
    let args = [&["--output", output, "--bind", "127.0.0.1:0"], more].concat();
    let mut command = command(INONDA, &args, &home);
    if let Some(speaker) = &sound.0 {
        command.env("PULSE_SERVER", &speaker.address);
        command.env("PULSE_COOKIE", &speaker.cookie);
    }
    let terminal = Terminal::start(command, SIZE);
    terminal.wait_for("Library");
    terminal
}

fn start(lab: &Lab, sound: &Sound) {
    let mut times: Vec<Duration> = (0..11)
        .map(|_| {
            let begun = Instant::now();
            let terminal = open(lab, sound, &[]);
            let time = begun.elapsed();
            drop(terminal);
            time
        })
        .collect();
    times.sort();
    let median = milliseconds(times[times.len() / 2]);
    row("start to first frame, median of 11", &Reach::Below(50.0), median, " ms");
}

/// One channel by its link, no list.
fn alone(lab: &Lab, sound: &Sound, link: &str) {
    let mut terminal = open(lab, sound, &[]);
    stopped(&terminal);
    play(&mut terminal, link);
    playing(&mut terminal);
    keys(&mut terminal);
    leave(terminal);
}

fn play(terminal: &mut Terminal, link: &str) {
    terminal.keys(&format!(":play {link}\r"));
    terminal.wait_for("PLAYING");
}

fn leave(mut terminal: Terminal) {
    terminal.keys("q");
    terminal.end();
}

/// Nothing plays, nothing is typed.
fn stopped(terminal: &Terminal) {
    const SECONDS: u64 = 30;
    std::thread::sleep(Duration::from_secs(3));
    // Away from the turn of a minute, when the clock on the screen moves on.
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60;
    if second + SECONDS > 58 {
        std::thread::sleep(Duration::from_secs(61 - second));
    }
    let before = terminal.bytes();
    let share = share_of_a_core(terminal, SECONDS);
    let bytes = (terminal.bytes() - before) as f64;
    row("stopped, of a core over 30 s", &Reach::Below(0.2), share, " %");
    row("stopped, bytes to the terminal in these 30 s", &Reach::Zero, bytes, "");
}

fn playing(terminal: &mut Terminal) {
    terminal.press("5", "Log");
    std::thread::sleep(Duration::from_secs(3));
    let without = share_of_a_core(terminal, 10);
    row(
        "playing, meters, no spectrum, of a core",
        &Reach::Below(1.5),
        without,
        " %",
    );
    terminal.press("2", "Spectrum");
    std::thread::sleep(Duration::from_secs(2));
    let bytes = terminal.bytes();
    let with = share_of_a_core(terminal, 10);
    let rate = (terminal.bytes() - bytes) as f64 / 10_000.0;
    row(
        "playing with spectrum at 30 fps, of a core",
        &Reach::Below(3.0),
        with,
        " %",
    );
    row("  to the terminal meanwhile", &Reach::Open, rate, " kB/s");
    // Without focus nothing moves: what is left is the sound and the mesh.
    terminal.keys("\x1b[O");
    std::thread::sleep(Duration::from_secs(2));
    let unseen = share_of_a_core(terminal, 10);
    row("  of that, sound and mesh without a screen", &Reach::Open, unseen, " %");
    terminal.keys("\x1b[I");
    row(
        "memory while listening",
        &Reach::Below(40.0),
        resident_mb(terminal),
        " MB",
    );
}

/// From a key to the frame that shows it.
fn keys(terminal: &mut Terminal) {
    let times = (0..200).map(|round| {
        let (key, words) = [
            ("3", "STRIPES"),
            ("1", "Library"),
            ("5", "all modules"),
            ("2", "Spectrum"),
        ][round % 4];
        std::thread::sleep(Duration::from_millis(37));
        terminal.press(key, words)
    });
    let (median, last) = spread(times.collect());
    row(
        "key press to frame, 200 presses while playing, median",
        &Reach::Open,
        median,
        " ms",
    );
    row("  p99", &Reach::Below(20.0), last, " ms");
}

/// A list of 10,000 channels from a directory.
fn among_many(lab: &Lab, sound: &Sound, host: &Node, link: &str) {
    let (_directory, addr) = list::directory(lab);
    let mut terminal = open(lab, sound, &["--directory", &addr.to_string(), "--no-lan", "--no-dht"]);
    play(&mut terminal, link);
    // Our own host is not in the directory.
    terminal.wait_for(&format!(" of {}", list::MANY));
    std::thread::sleep(Duration::from_secs(3));
    row(
        "memory while listening, 10,000 channels listed",
        &Reach::Open,
        resident_mb(&terminal),
        " MB",
    );
    filter(&mut terminal);
    busy(&mut terminal);
    control(&mut terminal, sound, host);
    leave(terminal);
}

/// From a letter of the filter to the frame with the rows that fit.
fn filter(terminal: &mut Terminal) {
    const BACK: &str = "\x7f";
    terminal.press("/", "10000 found");
    let mut times = Vec::new();
    for round in 0..200 {
        let step = round % 10;
        let (key, typed) = match step {
            0..5 => (&"night"[step..=step], &"night"[..=step]),
            _ => (BACK, &"night"[..9 - step]),
        };
        std::thread::sleep(Duration::from_millis(43));
        // The foot of the list names the query whose rows it counts; blanks follow it.
        let foot = if typed.is_empty() {
            "of 10000 ".to_owned()
        } else {
            format!("· / {typed} ")
        };
        times.push(terminal.press(key, &foot));
    }
    terminal.escape();
    let (median, last) = spread(times);
    row(
        "filter keystroke to frame, 10,000 channels, 200 keys while playing, median",
        &Reach::Open,
        median,
        " ms",
    );
    row("  p99", &Reach::Below(16.0), last, " ms");
}

/// Underruns, of the player and of the device's ring, while everything on the screen moves.
fn busy(terminal: &mut Terminal) {
    let before = underruns(terminal);
    terminal.press("1", "Library");
    let mut scrolled = 0;
    for round in 0..THEMES {
        let ground = ground(terminal);
        let theme = ["nord", "dracula", "inonda-light"][round % 3];
        terminal.keys(&format!(":theme {theme}\r"));
        terminal.wait("another theme", |screen| screen.cell(0, 0).unwrap().bgcolor() != ground);
        let first = first_row(terminal);
        for _ in 0..ROWS {
            terminal.keys("j");
            std::thread::sleep(Duration::from_millis(8));
        }
        // Half a page down the list the selection stands still and the rows move.
        let wanted = first + ROWS - if round == 0 { ROWS.min(14) } else { 0 };
        terminal.wait("rows that moved", |screen| {
            first_of(&screen.contents()).is_some_and(|at| at >= wanted)
        });
        scrolled += first_row(terminal) - first;
    }
    while scrolled < 1_000 {
        terminal.keys("j");
        std::thread::sleep(Duration::from_millis(8));
        scrolled += 1;
    }
    let seen = first_row(terminal);
    assert!(seen >= 1_000, "only {seen} rows scrolled");
    let dry = underruns(terminal) - before;
    row(
        "audio underruns (player and device) while 1,000 rows scroll and the theme changes 50 times",
        &Reach::Zero,
        dry as f64,
        "",
    );
}

/// The count above does count: what happens when the sound is really cut off.
fn control(terminal: &mut Terminal, sound: &Sound, host: &Node) {
    let before = underruns(terminal);
    if let Some(speaker) = &sound.0 {
        rig::signal(speaker.server.id(), "STOP");
        std::thread::sleep(Duration::from_millis(400));
        rig::signal(speaker.server.id(), "CONT");
    }
    let device = underruns(terminal) - before;
    row(
        "  the same count when the sound server is stopped for 0.4 s",
        &Reach::Seen,
        device as f64,
        "",
    );
    let before = underruns(terminal);
    host.signal("STOP");
    std::thread::sleep(Duration::from_secs(5));
    host.signal("CONT");
    let player = underruns(terminal) - before;
    row(
        "  the same count when the host is stopped for five",
        &Reach::Seen,
        player as f64,
        "",
    );
}

fn ground(terminal: &Terminal) -> vt100::Color {
    terminal.screen().cell(0, 0).unwrap().bgcolor()
}

/// The number of the first row in view, from the foot of the list: `987–1014 of 10000`.
fn first_of(text: &str) -> Option<usize> {
    let before = text.split(" of 10000").next()?;
    let range = before.rsplit(' ').next()?;
    range.split('–').next()?.parse().ok()
}

fn first_row(terminal: &Terminal) -> usize {
    first_of(&terminal.text()).unwrap()
}

/// What Now Playing says once it has had time to hear of it, and times that the log tells of a lost device.
fn underruns(terminal: &mut Terminal) -> u64 {
    std::thread::sleep(Duration::from_secs(2));
    terminal.press("5", "all modules");
    let lost = terminal.text().matches("is lost").count() as u64;
    terminal.keys("2");
    let mut told = None;
    terminal.wait("a number of underruns", |screen| {
        let text = screen.contents();
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("underruns"));
        told = at.and_then(|at| words[at.checked_sub(1)?].parse().ok());
        told.is_some()
    });
    lost + told.unwrap_or(0)
}

fn share_of_a_core(terminal: &Terminal, seconds: u64) -> f64 {
    let before = ticks(terminal);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
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
