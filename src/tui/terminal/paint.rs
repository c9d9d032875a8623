//! Frames: only cells that changed are written, and an unchanged frame writes nothing at all.

use std::io::{self, BufWriter, Stdout, Write};

use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use crossterm::{execute, queue};
use data_encoding::BASE64;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
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
        self.show(|_| true)
    }

    /// Draws what moves with the sound, when nothing else has changed since the last frame.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn draw_moving(&mut self, model: &Model) -> io::Result<()> {
        let moving = std::mem::take(&mut self.moving);
        view::draw_rows(model, &mut self.next, &moving);
        let shown = self.show(|y| moving.has(y));
        self.moving = moving;
        shown
    }

    /// Writes what differs in these rows. Cells are compared one by one only in rows that differ at all: mostly one or two.
    fn show(&mut self, may_differ: impl Fn(u16) -> bool) -> io::Result<()> {
        let area = *self.next.area();
        let width = usize::from(area.width);
        let mut changed = Vec::new();
        for y in (0..area.height).filter(|y| may_differ(*y)) {
            let cells = usize::from(y) * width..(usize::from(y) + 1) * width;
            let (shown, next) = (&mut self.shown.content[cells.clone()], &self.next.content[cells]);
            if shown != next {
                changed.push((row(area, y, shown), row(area, y, next)));
                shown.clone_from_slice(next);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate)?;
        self.backend
            .draw(changed.iter().flat_map(|(shown, next)| shown.diff_iter(next)))?;
        execute!(self.backend, EndSynchronizedUpdate)
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

fn row(area: Rect, y: u16, cells: &[Cell]) -> Buffer {
    Buffer {
        area: Rect { y, height: 1, ..area },
        content: cells.to_vec(),
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
