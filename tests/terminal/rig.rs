//! The real binary in a real pseudo-terminal, and a terminal emulator that holds what a person would see.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]
// Tests and benches share this rig, and neither uses all of it.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{MouseProtocolMode, Parser, Screen};

/// Longest wait for anything; a loaded machine may need some of it, a hung program all.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A terminal with a program in it.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    parser: Parser<Clipboard>,
    /// Everything the program wrote.
    bytes: usize,
    closed: bool,
}

/// What was given to the clipboard (OSC 52), still in base64.
#[derive(Default)]
struct Clipboard(Vec<String>);

impl vt100::Callbacks for Clipboard {
    fn copy_to_clipboard(&mut self, _screen: &mut Screen, _kind: &[u8], data: &[u8]) {
        self.0.push(String::from_utf8_lossy(data).into_owned());
    }
}

/// What the program finds around it: a home of its own, a good terminal, and nothing else of this machine.
pub fn command(program: &str, args: &[&str], home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.args(args);
    command.env_clear();
    for (name, value) in [
        ("TERM", "xterm-256color"),
        ("COLORTERM", "truecolor"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ] {
        command.env(name, value);
    }
    command.env("HOME", home);
    command.cwd(home);
    command
}

impl Terminal {
    /// Starts the program in a terminal of this size, columns and rows.
    pub fn start(command: CommandBuilder, size: (u16, u16)) -> Terminal {
        let pair = native_pty_system().openpty(pty_size(size)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                parser: Parser::new_with_callbacks(size.1, size.0, 0, Clipboard::default()),
                bytes: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            loop {
                let read = reader.read(&mut bytes).unwrap_or(0);
                let mut seen = shown.seen.lock().unwrap();
                seen.parser.process(&bytes[..read]);
                seen.bytes += read;
                seen.closed = read == 0;
                shown.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Terminal {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            shared,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap()
    }

    /// Types text, or the bytes a key sends.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// What is on the screen, a line a row.
    pub fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// A copy of the screen, with colours and modes.
    pub fn screen(&self) -> Screen {
        self.seen().parser.screen().clone()
    }

    /// Everything given to the clipboard, in base64.
    pub fn copied(&self) -> Vec<String> {
        self.seen().parser.callbacks().0.clone()
    }

    /// Bytes the program wrote so far.
    pub fn bytes(&self) -> usize {
        self.seen().bytes
    }

    /// Waits until the screen is right; fails the test with the screen when it never is. Returns the time it took.
    pub fn wait(&self, what: &str, mut right: impl FnMut(&Screen) -> bool) -> Duration {
        let started = Instant::now();
        let mut seen = self.seen();
        while !right(seen.parser.screen()) {
            let left = PATIENCE.saturating_sub(started.elapsed());
            if left.is_zero() || seen.closed {
                let gone = if seen.closed { ", the program is gone" } else { "" };
                let text = seen.parser.screen().contents();
                drop(seen);
                panic!("no {what} on the screen{gone}:\n{text}");
            }
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
        started.elapsed()
    }

    /// Waits for words on the screen.
    pub fn wait_for(&self, words: &str) -> Duration {
        self.wait(words, |screen| screen.contents().contains(words))
    }

    /// Types and waits for words.
    pub fn press(&mut self, keys: &str, words: &str) -> Duration {
        self.keys(keys);
        self.wait_for(words)
    }

    /// Presses Esc, and waits a moment: with a key right behind it, it would be that key with Alt.
    pub fn escape(&mut self) {
        self.keys("\x1b");
        std::thread::sleep(Duration::from_millis(150));
    }

    /// Gives the terminal another size, columns and rows.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.seen().parser.screen_mut().set_size(size.1, size.0);
        self.master.resize(pty_size(size)).unwrap();
    }

    /// The process in the terminal.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal, by its name, to the process.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// True once the terminal reads whole lines and echoes, as a shell wants it.
    pub fn is_cooked(&self) -> bool {
        let output = std::process::Command::new("stty")
            .args(["-a", "-F"])
            .arg(self.master.tty_name().unwrap())
            .output()
            .unwrap();
        let modes = String::from_utf8_lossy(&output.stdout).into_owned();
        ["icanon", "echo", "isig"]
            .iter()
            .all(|mode| modes.split_whitespace().any(|word| word == *mode))
    }

    /// Fails unless the terminal is as the program found it.
    pub fn assert_whole(&self) {
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "pasted text is still in brackets");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None);
        assert!(self.is_cooked(), "still in raw mode");
    }

    /// Waits for the end of the program: its exit status.
    pub fn end(&mut self) -> u32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last must have arrived before anybody looks.
                std::thread::sleep(Duration::from_millis(50));
                return status.exit_code();
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the program does not end:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal, by its name.
pub fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}
