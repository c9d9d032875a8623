//! The same actions as numbered lines: for screen readers, pipes and terminals that cannot be drawn on.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::files::Files;
use super::{open_model, wall};
use crate::engine::{Command, Handle};
use crate::tui::action::{Action, Argument, Call, Screen, VOCABULARY};
use crate::tui::model::{Model, Overlay};
use crate::tui::text::clean;
use crate::tui::update::words;
use crate::tui::update::{Effect, Input, update};
use crate::tui::{Error, Left, Options};

/// Lines typed that may wait.
const LINES_MAX: usize = 64;
/// Rows of a list that are read out at a time.
const ROWS_MAX: usize = 20;

/// Runs on standard input and output until the person leaves, the input ends or the engine stops. Must not be called
/// inside a tokio runtime.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(handle: &mut Handle, options: &Options) -> Result<Left, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Terminal)?;
    let mut files = Files::new(options);
    let (mut model, first) = open_model(options, &mut files);
    let mut reader = Reader {
        handle,
        files: &mut files,
        started: Instant::now(),
        said: 0,
        left: None,
    };
    for input in first {
        reader.feed(&mut model, input);
    }
    let left = runtime.block_on(reader.read(&mut model)).map_err(Error::Terminal);
    files.keep_titles(&mut model);
    // The thread that reads standard input ends with the process.
    runtime.shutdown_background();
    left
}

struct Reader<'a> {
    handle: &'a mut Handle,
    files: &'a mut Files,
    started: Instant,
    /// Lines of the journal already written.
    said: usize,
    left: Option<Left>,
}

impl Reader<'_> {
    async fn read(&mut self, model: &mut Model) -> io::Result<Left> {
        let mut lines = typed();
        let mut snapshots = self.handle.watch();
        let snapshot = self.handle.snapshot();
        self.feed(model, Input::Snapshot(snapshot));
        say("A number or a name plays a channel; help lists the commands, quit ends.")?;
        self.screen(model)?;
        let mut input_ended = false;
        loop {
            self.news(model)?;
            if let Some(left) = self.left.take() {
                return Ok(left);
            }
            tokio::select! {
                line = lines.recv(), if !input_ended => match line {
                    Some(line) => self.line(model, line.trim())?,
                    // A pipe that ran dry: what plays goes on only if something plays.
                    None if model.player().is_none() && model.joining.is_none() => return Ok(Left::Quit),
                    None => input_ended = true,
                },
                event = self.handle.event() => match event {
                    Some(event) => self.feed(model, Input::Event(Box::new(event))),
                    None => return Ok(Left::Stopped),
                },
                changed = snapshots.changed() => {
                    if changed.is_err() {
                        return Ok(Left::Stopped);
                    }
                    let snapshot = Arc::clone(&snapshots.borrow_and_update());
                    self.feed(model, Input::Snapshot(snapshot));
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => self.feed(model, Input::Tick),
            }
            if model.stopped {
                return Ok(Left::Stopped);
            }
        }
    }

    fn feed(&mut self, model: &mut Model, input: Input) {
        model.now = self.started.elapsed();
        model.wall = wall();
        // Nothing draws the spectrum here.
        model.focused = false;
        for effect in update(model, input) {
            self.perform(model, effect);
        }
    }

    /// What happened since the last line.
    fn news(&mut self, model: &mut Model) -> io::Result<()> {
        let fresh = model.journal.lines.len().saturating_sub(self.said);
        self.said = model.journal.lines.len();
        let lines: Vec<String> = model
            .journal
            .lines
            .iter()
            .rev()
            .take(fresh)
            .map(|line| line.text.clone())
            .collect();
        lines.iter().rev().try_for_each(|line| say(line))
    }

    fn line(&mut self, model: &mut Model, line: &str) -> io::Result<()> {
        if line.is_empty() {
            return self.screen(model);
        }
        if let Some(Overlay::Ask { call, .. }) = model.overlay.take() {
            if matches!(line, "y" | "yes") {
                self.feed(model, Input::Said(call));
            }
            return Ok(());
        }
        let play = |argument: &str| Call {
            action: Action::Play,
            argument: argument.to_owned(),
        };
        let call = match line.parse::<usize>() {
            Ok(number) => {
                if number == 0 || model.channels.row(number - 1).is_none() {
                    return say("there is no channel of that number; goto channels lists them");
                }
                model.channels.selected = number - 1;
                play("")
            }
            Err(_) if line.starts_with("inonda:") => play(line),
            Err(_) => match Call::parse(line) {
                Ok(call) => call,
                Err(error) => return say(&error),
            },
        };
        model.flash = None;
        self.feed(model, Input::Said(call.clone()));
        self.answer(model, &call)
    }

    /// What an action would have shown.
    fn answer(&mut self, model: &mut Model, call: &Call) -> io::Result<()> {
        if let Some(flash) = model.flash.take() {
            say(&flash.text)?;
        }
        if model.prompt.take().is_some() {
            say(&format!("say it in one line, such as: {}", example(call.action)))?;
        }
        match model.overlay.take() {
            Some(Overlay::Help { .. }) => help(),
            Some(Overlay::Words { lines, .. }) => lines.iter().try_for_each(|line| say(line)),
            Some(Overlay::Titles { .. }) => titles(model),
            Some(Overlay::Ask { question, call }) => {
                say(&format!("{question} yes or no"))?;
                model.overlay = Some(Overlay::Ask { question, call });
                Ok(())
            }
            Some(Overlay::Themes { .. } | Overlay::Settings { .. } | Overlay::Rebind { .. }) => {
                say("that is about the drawn screen, and nothing is drawn here")
            }
            None if is_screen(call.action) || call.action == Action::Filter => self.screen(model),
            None => Ok(()),
        }
    }

    /// The screen in lines.
    fn screen(&self, model: &Model) -> io::Result<()> {
        match model.screen {
            Screen::Channels => channels(model),
            Screen::NowPlaying => {
                if let Some(channel) = model.playing() {
                    say(&format!("{}: {}", clean(&channel.name), clean(&channel.title)))?;
                }
                words::why(model).iter().try_for_each(|line| say(line))
            }
            Screen::Mesh => mesh(model),
            Screen::Studio => match model.show() {
                Some(show) => {
                    let title = clean(&show.title);
                    say(&format!(
                        "on air: {}, {title}, link {}",
                        clean(&show.name),
                        clean(&show.link)
                    ))?;
                    words::why(model).iter().try_for_each(|line| say(line))
                }
                None => say("you are not on air; air file PATH as NAME goes on air"),
            },
            Screen::Log => {
                let lines: Vec<String> = model
                    .journal
                    .visible()
                    .iter()
                    .take(ROWS_MAX)
                    .map(|l| l.text.clone())
                    .collect();
                lines.iter().rev().try_for_each(|line| say(line))
            }
        }
    }

    fn perform(&mut self, model: &mut Model, effect: Effect) {
        let told = match effect {
            Effect::Send(command) => self.send(command),
            Effect::Copy(text) => Ok(Some(text)),
            Effect::Export { name, text } => self
                .files
                .export(&name, &text)
                .map(|path| Some(format!("written to {path}"))),
            Effect::RecordAs { name } => {
                let flac = model
                    .playing()
                    .is_some_and(|c| c.codec == crate::mesh::session::Codec::Flac);
                self.files.recording(&name, flac).and_then(|path| {
                    let told = format!("recording to {}", path.display());
                    self.send(Command::Record(Some(path))).map(|_| Some(told))
                })
            }
            Effect::GoOnAir { name, source } => {
                let show = self.files.studio(&name, source);
                show.and_then(|show| self.send(Command::Host(Box::new(show))))
            }
            Effect::SaveSettings => self.files.keep_settings(&model.settings).map(|()| None),
            Effect::SaveKeys(line) => self.files.keep_key(&line).map(|()| None),
            Effect::Mouse(_) | Effect::Redraw | Effect::Suspend => Ok(None),
            Effect::Quit => {
                self.left = Some(Left::Quit);
                Ok(None)
            }
        };
        match told {
            Ok(Some(text)) => model.tell(text),
            Ok(None) => {}
            Err(error) => model.warn(error),
        }
    }

    fn send(&self, command: Command) -> Result<Option<String>, String> {
        self.handle
            .send(command)
            .map(|()| None)
            .map_err(|stopped| stopped.to_string())
    }
}

/// Lines from standard input; a thread of their own waits for them.
fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", clean(line))?;
    out.flush()
}

fn channels(model: &Model) -> io::Result<()> {
    let list = &model.channels;
    for number in 0..list.rows.len().min(ROWS_MAX) {
        let Some(listing) = list.row(number) else { continue };
        let mut facts = vec![clean(&listing.name)];
        facts.extend(
            [&listing.genre, &listing.title]
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| clean(text)),
        );
        facts.extend(listing.listeners.map(|count| format!("{count} listening")));
        facts.extend(listing.favourite.then(|| "a favourite".to_owned()));
        facts.extend((!listing.on_air).then(|| "not on air".to_owned()));
        say(&format!("{} {}", number + 1, facts.join(", ")))?;
    }
    match list.rows.len() {
        0 => say("no channel was found yet; play LINK joins one by its link"),
        count if count > ROWS_MAX => say(&format!("{} more; filter WORDS narrows the list", count - ROWS_MAX)),
        _ => Ok(()),
    }
}

fn mesh(model: &Model) -> io::Result<()> {
    let Some(channel) = model.shown() else {
        return say("you take part in no channel");
    };
    let neighbours = crate::tui::neighbours::sorted(&channel.neighbours, model.mesh.hide_idle);
    for (number, neighbour) in neighbours.iter().enumerate().take(ROWS_MAX) {
        // The key and the hidden address say nothing in a list.
        let facts = words::neighbour(model, channel, neighbour).split_off(2).join(", ");
        let facts = facts.split_whitespace().collect::<Vec<_>>().join(" ");
        say(&format!("{} {}: {facts}", number + 1, neighbour.peer.short()))?;
    }
    say(&format!("{} of {} slots taken", channel.children, channel.slots))
}

fn titles(model: &Model) -> io::Result<()> {
    for heard in model.heard.newest().take(ROWS_MAX) {
        let time = model.wall.hours_minutes(heard.unix_s);
        let tagged = if heard.tagged { ", tagged" } else { "" };
        say(&format!("{time} {}, {}{tagged}", heard.title, heard.channel))?;
    }
    Ok(())
}

fn help() -> io::Result<()> {
    for entry in VOCABULARY {
        let argument = match entry.argument {
            Argument::None => String::new(),
            Argument::Optional(example) | Argument::Needed(example) => format!(" {example}"),
        };
        say(&format!("{}{argument}: {}", entry.name, entry.label))?;
    }
    Ok(())
}

fn example(action: Action) -> String {
    let entry = action.entry();
    match entry.argument {
        Argument::None => entry.name.to_owned(),
        Argument::Optional(example) | Argument::Needed(example) => format!("{} {example}", entry.name),
    }
}

const fn is_screen(action: Action) -> bool {
    matches!(
        action,
        Action::Goto
            | Action::ScreenChannels
            | Action::ScreenNowPlaying
            | Action::ScreenMesh
            | Action::ScreenStudio
            | Action::ScreenLog
    )
}
