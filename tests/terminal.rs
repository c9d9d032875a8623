//! A person's whole visit: the real binary in a real terminal, with real hosts on loopback.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]

#[path = "on_air/rig.rs"]
mod on_air;
#[path = "terminal/rig.rs"]
mod rig;

use std::time::Duration;

use on_air::{Lab, Node};
use rig::{Terminal, command};
use vt100::Color;

const INONDA: &str = env!("CARGO_BIN_EXE_inonda");
const LARGE: (u16, u16) = (120, 36);

/// `inonda` with these arguments, at home in the lab.
fn open(lab: &Lab, args: &[&str], size: (u16, u16)) -> Terminal {
    let home = lab.path("home");
    std::fs::create_dir_all(&home).unwrap();
    Terminal::start(command(INONDA, args, &home), size)
}

/// A host with a station, and `inonda` with nothing but its link to go by.
fn visit(lab: &Lab) -> (Node, String, Terminal) {
    let file = lab.chirp(120);
    let (host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let terminal = browse(lab);
    (host, link, terminal)
}

fn browse(lab: &Lab) -> Terminal {
    let terminal = open(lab, &["--output", "null", "--bind", "127.0.0.1:0"], LARGE);
    terminal.wait_for("1 Channels");
    terminal
}

fn play(terminal: &mut Terminal, link: &str) {
    terminal.press(":", "Tab completes");
    terminal.keys(&format!("play {link}\r"));
    terminal.wait_for("PLAYING");
}

fn ground(terminal: &Terminal) -> Color {
    terminal.screen().cell(0, 0).unwrap().bgcolor()
}

#[test]
fn a_whole_visit() {
    let lab = Lab::new();
    let (_host, link, mut terminal) = visit(&lab);
    play(&mut terminal, &link);
    terminal.press("2", "Spectrum");
    terminal.wait_for("chirp");
    terminal.press("3", "FEEDS YOU");
    terminal.wait_for("STRIPES");
    terminal.press("w", "All 4 stripes have a parent");
    terminal.escape();
    terminal.press("u", "upload");
    terminal.press("\x15500k\r", "at most 500k are passed on");
    terminal.wait_for("of 500k");
    // The chooser shows what is selected at once, and keeps it on Enter.
    let before = ground(&terminal);
    terminal.press("t", "Theme");
    terminal.keys("jjj");
    terminal.wait("another ground", |screen| {
        screen.cell(0, 0).unwrap().bgcolor() != before
    });
    let worn = ground(&terminal);
    terminal.keys("\r");
    terminal.press("2r", "recording to");
    std::thread::sleep(Duration::from_secs(2));
    terminal.press("r", "recorded ");
    terminal.press("y", "copied chirp");
    assert_eq!(terminal.copied(), ["Y2hpcnA="]);
    assert_eq!(ground(&terminal), worn);
    terminal.press("1", "Library");
    terminal.press("/", "Esc clears");
    terminal.keys("zzz");
    terminal.wait_for("zzz");
    terminal.escape();
    terminal.press("4", "not on air");
    terminal.press("5", "Log");
    terminal.press("?", "type to filter");
    terminal.escape();
    terminal.keys("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    terminal.assert_whole();
    let kept = recordings(&lab);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(std::fs::read(&kept[0]).unwrap().starts_with(b"OggS"));
}

/// Every file in the home's music folder.
fn recordings(lab: &Lab) -> Vec<std::path::PathBuf> {
    let days = std::fs::read_dir(lab.path("home/Music/inonda")).unwrap();
    let files = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn volume_theme_and_titles_are_there_at_the_next_visit() {
    let lab = Lab::new();
    let (_host, link, mut terminal) = visit(&lab);
    play(&mut terminal, &link);
    terminal.press("----", "80 %");
    terminal.press(":", "Tab completes");
    terminal.keys("theme nord\r");
    terminal.press("2", "Spectrum");
    terminal.wait_for("► chirp");
    let worn = ground(&terminal);
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    let mut terminal = browse(&lab);
    assert_eq!(ground(&terminal), worn);
    terminal.press("H", "chirp");
    terminal.escape();
    play(&mut terminal, &link);
    terminal.wait_for("80 %");
}

#[test]
fn the_terminal_is_whole_after_every_signal() {
    for name in ["TERM", "HUP", "INT"] {
        let lab = Lab::new();
        let mut terminal = browse(&lab);
        terminal.signal(name);
        assert_eq!(terminal.end(), 0, "{name}");
        terminal.assert_whole();
    }
}

#[test]
fn the_shell_takes_the_terminal_and_fg_gives_it_back() {
    let lab = Lab::new();
    let home = lab.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut shell = command("/bin/bash", &["--norc", "--noprofile", "-i"], &home);
    shell.env("PS1", "shell> ");
    let mut terminal = Terminal::start(shell, LARGE);
    terminal.wait_for("shell> ");
    let start = format!("{INONDA} --output null --bind 127.0.0.1:0\r");
    terminal.press(&start, "1 Channels");
    terminal.press("\x1a", "Stopped");
    assert!(!terminal.screen().alternate_screen());
    terminal.press("echo whole\r", "\nwhole");
    terminal.press("fg\r", "1 Channels");
    assert!(terminal.screen().alternate_screen());
    terminal.press("5", "following");
    terminal.keys("q");
    terminal.wait("the shell", |screen| !screen.alternate_screen());
    terminal.keys("exit\r");
    assert_eq!(terminal.end(), 0);
    terminal.assert_whole();
}

/// Runs in a terminal of its own, below.
#[test]
#[ignore = "a panic for the next test"]
fn panics_while_it_draws() {
    let guard = inonda::tui::terminal::Guard::enter(true).unwrap();
    let other = std::thread::spawn(|| panic!("another thread fails"));
    assert!(other.join().is_err());
    assert_eq!(guard.panics().len(), 1);
    println!("drawing\r");
    std::thread::sleep(Duration::from_millis(300));
    panic!("the screen fails");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let lab = Lab::new();
    let program = std::env::current_exe().unwrap();
    let args = ["--ignored", "--exact", "panics_while_it_draws", "--nocapture"];
    let mut terminal = Terminal::start(command(program.to_str().unwrap(), &args, &lab.path("")), LARGE);
    terminal.wait("the other screen", |screen| screen.alternate_screen());
    terminal.wait_for("drawing");
    assert!(!terminal.text().contains("another thread fails"));
    assert_ne!(terminal.end(), 0);
    terminal.assert_whole();
    assert!(terminal.text().contains("the screen fails"), "{}", terminal.text());
}

#[test]
fn any_size_is_drawn_and_the_way_back_is_whole() {
    let lab = Lab::new();
    let (_host, link, mut terminal) = visit(&lab);
    play(&mut terminal, &link);
    for size in [(1, 1), (40, 3), (2, 50), (300, 1), (60, 16), (40, 10), (250, 70)] {
        terminal.resize(size);
        std::thread::sleep(Duration::from_millis(60));
        terminal.keys("12345");
    }
    terminal.resize(LARGE);
    terminal.press("2", "Spectrum");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_whole();
}

#[test]
fn a_key_typed_while_the_terminal_changes_its_size_is_not_lost() {
    let lab = Lab::new();
    let mut terminal = browse(&lab);
    // Both must arrive in the same moment, which only chance brings about.
    for round in 0..150 {
        let size = if round % 2 == 0 { (100, 30) } else { LARGE };
        let (key, tab) = if round % 2 == 0 {
            ("5", "[5 Log]")
        } else {
            ("3", "[3 Mesh]")
        };
        terminal.resize(size);
        std::thread::sleep(Duration::from_micros(round * 2));
        terminal.keys(key);
        terminal.wait(tab, |screen| {
            let text = screen.contents();
            text.contains(tab) && text.lines().count() == usize::from(size.1)
        });
    }
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn broken_files_are_told_once_with_their_line_and_the_rest_is_used() {
    let lab = Lab::new();
    let config = lab.path("home/.config/inonda");
    std::fs::create_dir_all(config.join("themes")).unwrap();
    std::fs::write(config.join("tui.toml"), "theme = \"mine\"\nmouse = 7\n").unwrap();
    std::fs::write(
        config.join("keys.toml"),
        "[keys]\n\"F2\" = \"mute\"\n\"F3\" = \"dance\"\n",
    )
    .unwrap();
    std::fs::write(config.join("themes/mine.toml"), "[roles]\nbg = \"#zz\"\n").unwrap();
    let mut terminal = browse(&lab);
    terminal.press("5", "Log");
    for words in ["tui.toml", "line 2", "keys.toml", "line 3", "dance", "mine"] {
        terminal.wait_for(words);
    }
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let lab = Lab::new();
    let terminal = browse(&lab);
    std::thread::sleep(Duration::from_secs(7));
    let (before, minute) = (terminal.bytes(), terminal.text());
    std::thread::sleep(Duration::from_secs(4));
    // Only the clock may have moved on.
    let allowed = if terminal.text() == minute { 0 } else { 200 };
    assert!(
        terminal.bytes() - before <= allowed,
        "{} bytes",
        terminal.bytes() - before
    );
}

#[test]
fn the_same_visit_in_lines_without_a_screen() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let lab = Lab::new();
    let file = lab.chirp(120);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let mut inonda = Command::new(INONDA)
        .args(["--plain", "--output", "null", "--bind", "127.0.0.1:0"])
        .env("HOME", lab.path("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = inonda.stdin.take().unwrap();
    writeln!(typed, "{link}").unwrap();
    std::thread::sleep(Duration::from_secs(4));
    writeln!(typed, "volume 60\ngoto mesh\nwhy\nhelp\ndance\nquit").unwrap();
    let output = inonda.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "no channel was found yet",
        "title: chirp",
        "feeds you in stripe all",
        "It plays as it should",
        "reconnect: reconnect now",
        "there is no command",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(output.status.code(), Some(0));
}
