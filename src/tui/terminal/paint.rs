//! Frames: only cells that changed are written, and an unchanged frame writes nothing at all.

use std::io::{self, BufWriter, Stdout, Write};

use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use crossterm::{execute, queue};
use data_encoding::BASE64;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::view::{self, Rows};

/// A terminal larger than this in one direction is drawn up to here.
const CELLS_MAX: u16 = 1_000;
/// Bytes a terminal is given for its clipboard; many refuse more.
const CLIPBOARD_MAX_BYTES: usize = 64 * 1024;

/// The last frame, and where the next one is drawn: a copy of it between frames.
pub struct Painter {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    shown: Buffer,
    next: Buffer,
    /// Rows of the last frame that move with the sound.
    moving: Rows,
}

impl Painter {
    /// Clears the screen.
    ///
    /// # Errors
    /// When the terminal cannot be asked or written to.
    pub fn new() -> io::Result<Painter> {
        let backend = CrosstermBackend::new(BufWriter::with_capacity(32 * 1024, io::stdout()));
        let area = area(crossterm::terminal::size()?);
        let mut painter = Painter {
            backend,
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            moving: Rows::default(),
        };
        painter.forget()?;
        Ok(painter)
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.shown.area().width, self.shown.area().height)
    }

    /// Takes a new size; everything is drawn again.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        let area = area(size);
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        queue!(self.backend, Clear(ClearType::All))
    }

    /// Forgets what is on the screen, which somebody else may have written on, and asks for its size again.
    ///
    /// # Errors
    /// When the terminal cannot be asked or written to.
    pub fn forget(&mut self) -> io::Result<()> {
        self.resize(crossterm::terminal::size()?)
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.next.reset();
        self.moving = view::draw(model, &mut self.next);
        self.show()
    }

    /// Draws what moves with the sound, when nothing else has changed since the last frame.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn draw_moving(&mut self, model: &Model) -> io::Result<()> {
        view::draw_rows(model, &mut self.next, &self.moving);
        self.show()
    }

    fn show(&mut self) -> io::Result<()> {
        let changed = self.shown.diff(&self.next);
        if changed.is_empty() {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate)?;
        self.backend.draw(changed.into_iter())?;
        execute!(self.backend, EndSynchronizedUpdate)?;
        self.shown.content.clone_from(&self.next.content);
        Ok(())
    }

    /// Gives text to the terminal's clipboard (OSC 52), which works over SSH, too.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(CLIPBOARD_MAX_BYTES)];
        let writer = &mut self.backend;
        write!(writer, "\x1b]52;c;{}\x07", BASE64.encode(bytes))?;
        Write::flush(writer)
    }
}

fn area((columns, rows): (u16, u16)) -> Rect {
    Rect {
        x: 0,
        y: 0,
        width: columns.min(CELLS_MAX),
        height: rows.min(CELLS_MAX),
    }
}
