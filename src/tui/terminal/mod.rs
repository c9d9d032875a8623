//! The only part that touches the terminal, the clock and files: one queue of input, snapshots, events and time.
#![allow(clippy::disallowed_methods, reason = "the only part that touches the clock")]

mod desktop;
mod files;
mod frames;
mod guard;
pub use guard::give_back;
mod hush;
mod opening;
mod outside;
mod paint;
mod park;
pub mod plain;
mod signals;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind, MouseButton, MouseEventKind};

use self::files::Files;
use self::frames::Frames;
pub use self::guard::Guard;
use self::opening::open_model;
use self::outside::Outside;
use self::paint::Painter;
use self::park::{Woken, wait_until};
use self::signals::Signal;
use super::keys::Chord;
use super::model::{Model, Overlay, Wall};
use super::update::{Effect, Input, MouseKind, update};
use super::{Error, Left, Options};
use crate::engine::Handle;

/// A key's frame may follow the last one after this; keys typed meanwhile share it.
const KEY_GAP: Duration = Duration::from_millis(8);
/// Meters move this often.
const METER_GAP: Duration = Duration::from_millis(50);
/// The spectrum moves this often; no frame comes sooner for its own sake.
const SPECTRUM_GAP: Duration = Duration::from_millis(33);
/// Frames a second, and over SSH, where every one crosses a network.
const FRAMES: usize = 30;
const SSH_FRAMES: usize = 10;
/// Over SSH meters move this often.
const SSH_GAP: Duration = Duration::from_millis(100);
/// The folder of themes is looked at this often, and while themes are chosen.
const THEMES_GAP: Duration = Duration::from_secs(3);
const CHOOSING_GAP: Duration = Duration::from_secs(1);
/// A new snapshot may wait this long for its frame.
const SNAPSHOT_GAP: Duration = Duration::from_millis(250);
/// Levels are looked at this often to notice that sound came back.
const SILENT_GAP: Duration = Duration::from_millis(250);

/// Runs the interface on this thread until the person leaves or the engine stops.
///
/// # Errors
/// When there is no terminal, or it cannot be written to.
pub fn run(handle: &mut Handle, options: Options) -> Result<Left, Error> {
    if !io::IsTerminal::is_terminal(&io::stdout()) {
        return Err(Error::NoTerminal);
    }
    let mut files = Files::new(&options);
    let mut model = open_model(&options, &mut files);
    let guard = Guard::enter(model.settings.mouse).map_err(Error::Terminal)?;
    let mut driver = Driver::new(handle, &mut files);
    driver.outside.begin(&mut model, &options);
    let result = driver.drive(&mut model, &guard);
    driver.outside.save(&mut model, true);
    drop(guard);
    files.keep_titles(&mut model);
    result
}

/// What the screen's thread wakes up for beside the time.
enum Happened {
    /// `None` when there is no terminal any more.
    Typed(Option<io::Result<TerminalEvent>>),
    Called(super::action::Call),
    Signal(Option<Signal>),
    /// `None` when the engine has stopped.
    Event(Option<Box<crate::engine::event::Event>>),
    /// A new snapshot, or no more of them.
    Changed(bool),
}

struct Driver<'a> {
    outside: Outside<'a>,
    started: Instant,
    frames: Frames,
    /// Only what moves with the sound has changed since the last frame.
    only_moving: bool,
    levels_at: Instant,
    /// When a second has passed for what counts seconds.
    second_at: Instant,
    themes_at: Instant,
    minute: u64,
    frame_gap: Duration,
    left: Option<Left>,
}

impl<'a> Driver<'a> {
    fn new(handle: &'a mut Handle, files: &'a mut Files) -> Driver<'a> {
        let now = Instant::now();
        let over_ssh = std::env::var_os("SSH_CONNECTION").is_some();
        Driver {
            outside: Outside::new(handle, files),
            started: now,
            frames: Frames::new(if over_ssh { SSH_FRAMES } else { FRAMES }),
            only_moving: false,
            levels_at: now,
            second_at: now,
            themes_at: now,
            minute: 0,
            frame_gap: if over_ssh { SSH_GAP } else { SPECTRUM_GAP },
            left: None,
        }
    }

    fn drive(&mut self, model: &mut Model, guard: &Guard) -> Result<Left, Error> {
        let mut painter = Painter::new().map_err(Error::Terminal)?;
        let mut input = Woken::new(EventStream::new());
        let mut snapshots = self.outside.handle.watch();
        let mut signals = signals::listen().map_err(Error::Terminal)?;
        model.size = painter.size();
        let snapshot = self.outside.handle.snapshot();
        self.feed(model, Input::Snapshot(snapshot), &mut painter, guard)?;
        loop {
            if let Some(left) = self.left.take() {
                return Ok(left);
            }
            self.draw_if_due(model, &mut painter)?;
            let wake = self.next_wake(model);
            let (outside, next) = (&mut self.outside, &mut snapshots);
            let happened = async {
                tokio::select! {
                    biased;
                    typed = input.next() => Happened::Typed(typed),
                    call = outside.desktop.call() => Happened::Called(call),
                    signal = signals.recv() => Happened::Signal(signal),
                    event = outside.handle.event() => Happened::Event(event.map(Box::new)),
                    changed = next.changed() => Happened::Changed(changed.is_ok()),
                }
            };
            match wait_until(happened, wake) {
                None => self.on_time(model, &mut painter, guard)?,
                Some(Happened::Typed(Some(Ok(event)))) => self.on_terminal(model, event, &mut painter, guard)?,
                Some(Happened::Typed(Some(Err(error)))) => return Err(Error::Terminal(error)),
                Some(Happened::Typed(None) | Happened::Signal(None)) => return Ok(Left::Terminated),
                Some(Happened::Called(call)) => {
                    self.feed(model, Input::Said(call), &mut painter, guard)?;
                    self.wish(KEY_GAP);
                }
                Some(Happened::Signal(Some(signal))) => self.on_signal(model, signal, &mut painter, guard)?,
                Some(Happened::Event(Some(event))) => {
                    self.feed(model, Input::Event(event), &mut painter, guard)?;
                    self.wish(SNAPSHOT_GAP);
                }
                Some(Happened::Changed(true)) => {
                    let snapshot = Arc::clone(&snapshots.borrow_and_update());
                    self.feed(model, Input::Snapshot(snapshot), &mut painter, guard)?;
                    self.wish(SNAPSHOT_GAP);
                }
                Some(Happened::Event(None) | Happened::Changed(false)) => return Ok(Left::Stopped),
            }
            if model.stopped {
                return Ok(Left::Stopped);
            }
        }
    }

    /// Asks for a frame at the latest after `gap`.
    fn wish(&mut self, gap: Duration) {
        self.only_moving = false;
        self.frames.wish(gap, Instant::now());
    }

    fn draw_if_due(&mut self, model: &Model, painter: &mut Painter) -> Result<(), Error> {
        let now = Instant::now();
        if self.frames.due().is_some_and(|at| at <= now) {
            if self.only_moving {
                painter.draw_moving(model).map_err(Error::Terminal)?;
            } else {
                painter.draw(model).map_err(Error::Terminal)?;
            }
            self.only_moving = true;
            self.frames.drawn(now);
        }
        Ok(())
    }

    /// Time until something changes by itself.
    fn next_wake(&self, model: &Model) -> Instant {
        let now = Instant::now();
        let counting = model.moves_by_itself();
        let until_minute = Duration::from_secs(60 - unix_s() % 60);
        let mut wake = if counting { self.second_at } else { now + until_minute };
        if model.is_sounding() && model.focused {
            wake = wake.min(self.levels_at + self.level_gap(model));
        }
        if let Some(flash) = &model.flash {
            wake = wake.min(self.started + flash.until);
        }
        if !model.pending.is_empty() {
            wake = wake.min(self.started + model.pending_since + super::model::PENDING);
        }
        if let Some(gap) = themes_gap(model) {
            wake = wake.min(self.themes_at + gap);
        }
        let others = [self.frames.due(), self.outside.save_at()];
        others.into_iter().flatten().fold(wake, Instant::min)
    }

    fn level_gap(&self, model: &Model) -> Duration {
        if !model.is_metering() {
            SILENT_GAP
        } else if model.shows_spectrum() {
            SPECTRUM_GAP.max(self.frame_gap)
        } else {
            METER_GAP.max(self.frame_gap)
        }
    }

    fn on_time(&mut self, model: &mut Model, painter: &mut Painter, guard: &Guard) -> Result<(), Error> {
        let now = Instant::now();
        if model.is_sounding() && model.focused && now >= self.levels_at + self.level_gap(model) {
            self.levels_at = now;
            let (heard, own) = (self.outside.handle.levels(), self.outside.handle.programme_levels());
            self.feed(model, Input::Levels(heard), painter, guard)?;
            self.feed(model, Input::Programme(own), painter, guard)?;
            if model.is_metering() {
                self.frames.wish(self.frame_gap, now);
            }
        }
        self.outside.save(model, false);
        if themes_gap(model).is_some_and(|gap| now >= self.themes_at + gap) {
            self.themes_at = now;
            if model.look.shelf.look_again() {
                self.feed(model, Input::ThemesChanged, painter, guard)?;
                self.wish(KEY_GAP);
            }
        }
        for text in guard.panics() {
            let hint = "A part of inonda failed; please report it with :log.export.".to_owned();
            self.feed(model, Input::Told { text, hint, bad: true }, painter, guard)?;
        }
        let flashing = model.flash.is_some();
        self.feed(model, Input::Tick, painter, guard)?;
        let minute = unix_s() / 60;
        let second_passed = now >= self.second_at;
        if second_passed {
            self.second_at = now + Duration::from_secs(1);
        }
        if minute != self.minute || flashing != model.flash.is_some() || second_passed || !model.pending.is_empty() {
            if minute != self.minute {
                self.minute = minute;
                self.outside.files.keep_titles(model);
            }
            self.wish(SPECTRUM_GAP);
        }
        Ok(())
    }

    fn on_terminal(
        &mut self,
        model: &mut Model,
        event: TerminalEvent,
        painter: &mut Painter,
        guard: &Guard,
    ) -> Result<(), Error> {
        let input = match event {
            TerminalEvent::Key(key) if key.kind == KeyEventKind::Release => return Ok(()),
            TerminalEvent::Key(key) => Input::Key(Chord::of(&key)),
            TerminalEvent::Paste(text) => Input::Paste(text),
            TerminalEvent::Resize(..) => return self.resized(model, painter, guard),
            TerminalEvent::FocusGained => Input::Focus(true),
            TerminalEvent::FocusLost => Input::Focus(false),
            TerminalEvent::Mouse(mouse) => {
                let kind = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => MouseKind::Click,
                    MouseEventKind::ScrollUp => MouseKind::WheelUp,
                    MouseEventKind::ScrollDown => MouseKind::WheelDown,
                    _ => return Ok(()),
                };
                Input::Mouse {
                    kind,
                    column: mouse.column,
                    row: mouse.row,
                }
            }
        };
        self.feed(model, input, painter, guard)?;
        self.only_moving = false;
        self.frames.wish_for_key(KEY_GAP, Instant::now());
        Ok(())
    }

    fn on_signal(
        &mut self,
        model: &mut Model,
        signal: Signal,
        painter: &mut Painter,
        guard: &Guard,
    ) -> Result<(), Error> {
        match signal {
            Signal::End => self.left = Some(Left::Terminated),
            Signal::Stop => self.suspend(model, painter, guard)?,
        }
        Ok(())
    }

    /// Asks for the size and draws everything again.
    fn resized(&mut self, model: &mut Model, painter: &mut Painter, guard: &Guard) -> Result<(), Error> {
        painter.forget().map_err(Error::Terminal)?;
        let (columns, rows) = painter.size();
        self.feed(model, Input::Resize(columns, rows), painter, guard)?;
        self.wish(KEY_GAP);
        Ok(())
    }

    /// Gives the terminal back, stops this process until `fg`, and takes the terminal again.
    fn suspend(&mut self, model: &mut Model, painter: &mut Painter, guard: &Guard) -> Result<(), Error> {
        guard.leave();
        let stopped = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
        guard.enter_again(model.settings.mouse).map_err(Error::Terminal)?;
        painter.forget().map_err(Error::Terminal)?;
        model.size = painter.size();
        if let Err(error) = stopped {
            model.warn(format!("cannot stop here: {error}"));
        }
        self.wish(Duration::ZERO);
        Ok(())
    }

    /// Applies an input and does what follows from it.
    fn feed(&mut self, model: &mut Model, input: Input, painter: &mut Painter, guard: &Guard) -> Result<(), Error> {
        model.now = self.started.elapsed();
        model.wall = wall();
        let is_snapshot = matches!(input, Input::Snapshot(_));
        for effect in update(model, input) {
            self.perform(model, effect, painter, guard)?;
        }
        if is_snapshot {
            self.outside.desktop.show(model);
        }
        Ok(())
    }

    fn perform(
        &mut self,
        model: &mut Model,
        effect: Effect,
        painter: &mut Painter,
        guard: &Guard,
    ) -> Result<(), Error> {
        let Some(effect) = self.outside.perform(model, effect) else {
            return Ok(());
        };
        match effect {
            Effect::Copy(text) => painter.copy(&text).map_err(Error::Terminal)?,
            Effect::Mouse(on) => guard.mouse(on).map_err(Error::Terminal)?,
            Effect::Suspend => self.suspend(model, painter, guard)?,
            Effect::Redraw => {
                painter.forget().map_err(Error::Terminal)?;
                self.wish(Duration::ZERO);
            }
            Effect::Quit => self.left = Some(Left::Quit),
            Effect::Send(_)
            | Effect::Notify { .. }
            | Effect::Export { .. }
            | Effect::Record { .. }
            | Effect::GoOnAir { .. }
            | Effect::SaveSettings
            | Effect::SaveKeys(_)
            | Effect::SavePreset(_) => {}
        }
        Ok(())
    }
}

/// Saving a theme shows it: the folder is looked at now and then, more often while themes are chosen.
fn themes_gap(model: &Model) -> Option<Duration> {
    let choosing = matches!(model.overlay, Some(Overlay::Themes { .. }));
    let gap = if choosing { CHOOSING_GAP } else { THEMES_GAP };
    model.look.shelf.has_folder().then_some(gap)
}

fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

fn wall() -> Wall {
    let offset = jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now());
    Wall {
        unix_s: unix_s(),
        offset_s: offset.seconds(),
    }
}
