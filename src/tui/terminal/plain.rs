//! The same actions as numbered lines: for screen readers, pipes and terminals that cannot be drawn on.

mod lines;

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::lines::{channels, example, help, mesh, read_out, say, settings, state_after, titles};
use super::files::Files;
use super::opening::open_model;
use super::outside::Outside;
use super::wall;
use crate::engine::Handle;
use crate::tui::action::{Action, Call, Screen};
use crate::tui::model::{Model, Overlay};
use crate::tui::text::clean;
use crate::tui::update::{Effect, Input, update, words};
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
    let mut model = open_model(options, &mut files);
    // What is said here is printed from the log.
    model.flash = None;
    let outside = Outside::new(handle, &mut files);
    outside.begin(&mut model, options);
    let mut reader = Reader {
        outside,
        started: Instant::now(),
        said: 0,
        left: None,
    };
    let left = runtime.block_on(reader.read(&mut model)).map_err(Error::Terminal);
    reader.outside.save(&mut model, true);
    files.keep_titles(&mut model);
    // The thread that reads standard input ends with the process.
    runtime.shutdown_background();
    left
}

struct Reader<'a> {
    outside: Outside<'a>,
    started: Instant,
    /// Lines of the journal already written, of all that were ever added.
    said: u64,
    left: Option<Left>,
}

impl Reader<'_> {
    async fn read(&mut self, model: &mut Model) -> io::Result<Left> {
        let mut lines = typed();
        let mut snapshots = self.outside.handle.watch();
        let snapshot = self.outside.handle.snapshot();
        self.feed(model, Input::Snapshot(snapshot));
        say("A number plays a channel; favourite 3 and info 3 are about one; help lists the commands, quit ends.")?;
        self.screen(model)?;
        let mut input_ended = false;
        loop {
            self.news(model)?;
            self.outside.save(model, false);
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
                call = self.outside.desktop.call() => self.feed(model, Input::Said(call)),
                event = self.outside.handle.event() => match event {
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
        let is_snapshot = matches!(input, Input::Snapshot(_));
        for effect in update(model, input) {
            self.perform(model, effect);
        }
        if is_snapshot {
            self.outside.desktop.show(model);
        }
    }

    /// What happened since the last line.
    fn news(&mut self, model: &mut Model) -> io::Result<()> {
        let fresh = model.journal.added.saturating_sub(self.said);
        self.said = model.journal.added;
        let lines = &model.journal.lines;
        let kept = lines.len().min(usize::try_from(fresh).unwrap_or(usize::MAX));
        let news: Vec<String> = lines.iter().skip(lines.len() - kept).map(read_out).collect();
        news.iter().try_for_each(|line| say(line))
    }

    fn line(&mut self, model: &mut Model, line: &str) -> io::Result<()> {
        if let Some(Overlay::Ask { call, .. }) = model.overlay.clone() {
            if matches!(line, "y" | "yes") {
                // The question lies there while it is answered: that is what makes this the second word.
                self.feed(model, Input::Said(call.clone()));
                return self.answer(model, &call);
            }
            model.overlay = None;
            if matches!(line, "n" | "no" | "") {
                return say("nothing was changed");
            }
            // Anything else is no answer but the next thing to do.
        }
        if line.is_empty() {
            return self.screen(model);
        }
        let call = match self.understand(model, line) {
            Ok(call) => call,
            Err(error) => return say(&error),
        };
        model.flash = None;
        self.feed(model, Input::Said(call.clone()));
        self.answer(model, &call)
    }

    /// What a line asks for; a number in it selects a row of the list that it is about.
    fn understand(&self, model: &mut Model, line: &str) -> Result<Call, String> {
        if let Ok(number) = line.parse::<usize>() {
            let action = match model.screen {
                Screen::Mesh => Action::Inspect,
                Screen::NowPlaying => Action::SearchTitle,
                Screen::Channels | Screen::Studio | Screen::Log => Action::Play,
            };
            select(model, action, number)?;
            return Ok(action.into());
        }
        if line.starts_with("inonda:") {
            return Ok(Call {
                action: Action::Play,
                argument: line.to_owned(),
            });
        }
        if let Some((word, number)) = line.rsplit_once(' ')
            && let (Ok(call), Ok(number)) = (Call::parse(word), number.parse::<usize>())
            && takes_number(call.action)
        {
            select(model, call.action, number)?;
            return Ok(call);
        }
        Call::parse(line)
    }

    /// What an action would have shown.
    fn answer(&mut self, model: &mut Model, call: &Call) -> io::Result<()> {
        if let Some(flash) = model.flash.take() {
            say(&flash.text)?;
        } else if let Some(state) = state_after(model, call.action) {
            say(&state)?;
        }
        if let Some(prompt) = model.prompt.take() {
            let now = if prompt.text.is_empty() {
                String::new()
            } else {
                format!(", now {}", prompt.text)
            };
            say(&format!("say it in one line, such as: {}{now}", example(call.action)))?;
        }
        match model.overlay.take() {
            Some(Overlay::Help { .. }) => help(),
            Some(Overlay::Words { lines, .. }) => lines.iter().try_for_each(|line| say(line)),
            Some(Overlay::Titles { .. }) => titles(model),
            Some(Overlay::Settings { .. }) => settings(model),
            Some(Overlay::Ask { question, call }) => {
                say(&format!("{question} yes or no"))?;
                model.overlay = Some(Overlay::Ask { question, call });
                Ok(())
            }
            Some(Overlay::Themes { .. } | Overlay::Rebind { .. }) => {
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
                    .map(|line| read_out(line))
                    .collect();
                lines.iter().rev().try_for_each(|line| say(line))
            }
        }
    }

    fn perform(&mut self, model: &mut Model, effect: Effect) {
        match self.outside.perform(model, effect) {
            Some(Effect::Copy(text)) => model.tell(text),
            Some(Effect::Quit) => self.left = Some(Left::Quit),
            // Nothing is drawn here, and what goes to the desktop is a line of the log already.
            Some(_) | None => {}
        }
    }
}

/// Selects a row of the list that an action is about.
fn select(model: &mut Model, action: Action, number: usize) -> Result<(), String> {
    let row = number.checked_sub(1);
    let peers: Vec<_> = model.mesh_rows().0.iter().map(|neighbour| neighbour.peer).collect();
    let (count, list) = match action {
        Action::BlockPeer | Action::Inspect => (peers.len(), "neighbour; goto mesh lists them"),
        Action::TagTitle | Action::SearchTitle => (model.heard.titles.len(), "title; titles lists them"),
        _ => (model.channels.rows.len(), "channel; goto channels lists them"),
    };
    let row = row
        .filter(|row| *row < count)
        .ok_or_else(|| format!("there is no such {list}"))?;
    match action {
        Action::BlockPeer | Action::Inspect => model.mesh.selected = peers.get(row).copied(),
        Action::TagTitle | Action::SearchTitle => {
            model.heard.selected = row;
            (model.screen, model.pane) = (Screen::NowPlaying, 1);
        }
        _ => model.channels.selected = row,
    }
    Ok(())
}

const fn takes_number(action: Action) -> bool {
    matches!(
        action,
        Action::Play
            | Action::Preview
            | Action::Favourite
            | Action::Hide
            | Action::Info
            | Action::BlockPeer
            | Action::Inspect
            | Action::TagTitle
            | Action::SearchTitle
    )
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
