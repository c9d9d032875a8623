//! What every pane draws with.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::model::METER_FLOOR_DB;
use crate::tui::text::{clean, cut, fit, fit_right, width};
use crate::tui::theme::{Glyphs, Role, Theme};

/// Rows of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<bool>);

impl Rows {
    fn add(&mut self, y: u16) {
        let y = usize::from(y);
        if self.0.len() <= y {
            self.0.resize(y + 1, false);
        }
        self.0[y] = true;
    }

    pub fn has(&self, y: u16) -> bool {
        self.0.get(usize::from(y)).copied().unwrap_or(false)
    }
}

/// A theme and a buffer to draw into.
pub struct Pen<'a> {
    pub theme: &'a Theme,
    buffer: &'a mut Buffer,
    /// Nothing is drawn into other rows than these.
    only: Option<&'a Rows>,
    /// Rows of what moves with the sound.
    pub moving: Rows,
    /// The role that panes stand on.
    pub ground: Role,
}

impl<'a> Pen<'a> {
    /// Draws on the screen's ground.
    pub fn new(theme: &'a Theme, buffer: &'a mut Buffer) -> Pen<'a> {
        Pen {
            theme,
            buffer,
            only: None,
            moving: Rows::default(),
            ground: Role::Bg,
        }
    }

    /// Draws on the screen's ground, and only into these rows.
    pub fn within(theme: &'a Theme, buffer: &'a mut Buffer, only: &'a Rows) -> Pen<'a> {
        Pen {
            only: Some(only),
            ..Pen::new(theme, buffer)
        }
    }

    /// The first `rows` of an area move with the sound.
    pub fn moves(&mut self, area: Rect, rows: u16) {
        (area.y..area.y + rows).for_each(|y| self.moving.add(y));
    }

    /// Whether any row of the area is drawn into: what is not drawn need not be composed.
    pub fn draws(&self, area: Rect) -> bool {
        (area.top()..area.bottom()).any(|y| !self.leaves_out(y))
    }

    fn leaves_out(&self, y: u16) -> bool {
        self.only.is_some_and(|rows| !rows.has(y))
    }

    /// The signs in force.
    pub fn glyphs(&self) -> &'a Glyphs {
        &self.theme.glyphs
    }

    /// A role's look.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes parts one after the other, cut to the area's width; returns the column after the last.
    pub fn line(&mut self, area: Rect, row: u16, parts: &[(&str, Role)]) -> u16 {
        let mut x = area.x;
        if self.leaves_out(area.y + row) {
            return x;
        }
        for (text, role) in parts {
            let left = area.right().saturating_sub(x);
            x = self.put(x, area.y + row, left, area.bottom(), text, self.style(*role));
        }
        x
    }

    /// The same from a column of the area on.
    pub fn at(&mut self, area: Rect, column: u16, row: u16, parts: &[(&str, Role)]) -> u16 {
        let column = column.min(area.width);
        let rest = Rect {
            x: area.x + column,
            width: area.width - column,
            ..area
        };
        self.line(rest, row, parts)
    }

    /// Writes text that ends at the area's right border.
    pub fn line_right(&mut self, area: Rect, row: u16, parts: &[(&str, Role)]) {
        let taken: usize = parts.iter().map(|(text, _)| width(text)).sum();
        let taken = u16::try_from(taken).unwrap_or(u16::MAX).min(area.width);
        let right = Rect {
            x: area.right() - taken,
            width: taken,
            ..area
        };
        self.line(right, row, parts);
    }

    /// Writes text in a style, cut at `room` cells and not below `bottom`; returns the column after it.
    fn put(&mut self, x: u16, y: u16, room: u16, bottom: u16, text: &str, style: Style) -> u16 {
        if room == 0 || y >= bottom || y >= self.buffer.area().bottom() || x >= self.buffer.area().right() {
            return x;
        }
        let text = self.theme.glyphs.plain(text);
        let cutted = cut(&text, usize::from(room), &self.theme.glyphs.more);
        let (x, _) = self.buffer.set_stringn(x, y, cutted, usize::from(room), style);
        x
    }

    /// Fills `count` cells with one sign that is a cell wide; returns the column after them.
    pub fn cells(&mut self, area: Rect, row: u16, count: u16, sign: &str, role: Role) -> u16 {
        let (y, bounds) = (area.y + row, *self.buffer.area());
        let end = area.x.saturating_add(count).min(area.right()).min(bounds.right());
        if self.leaves_out(y) || y >= area.bottom().min(bounds.bottom()) {
            return area.x;
        }
        let style = self.style(role);
        for x in area.x..end {
            self.buffer[(x, y)].set_symbol(sign).set_style(style);
        }
        end.max(area.x)
    }

    /// Gives a row of the area a look.
    pub fn paint_row(&mut self, area: Rect, row: u16, role: Role) {
        if row < area.height && !self.leaves_out(area.y + row) {
            let style = self.style(role);
            self.buffer.set_style(
                Rect {
                    y: area.y + row,
                    height: 1,
                    ..area
                },
                style,
            );
        }
    }

    /// A level rule over the width of the area.
    pub fn rule(&mut self, area: Rect, row: u16) {
        self.cells(area, row, area.width, &self.theme.glyphs.rule, Role::Border);
    }

    /// Empties an area for what lies over it.
    pub fn clear(&mut self, area: Rect, ground: Role) {
        let area = area.intersection(*self.buffer.area());
        let style = self.theme.over(Role::Fg, ground);
        for y in area.top()..area.bottom() {
            if self.leaves_out(y) {
                continue;
            }
            for x in area.left()..area.right() {
                let cell = &mut self.buffer[(x, y)];
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// A frame with a title on the left and a fact on the right; returns what is inside, with a column of air.
    pub fn pane(&mut self, area: Rect, title: &[(&str, Role)], fact: &[(&str, Role)], focused: bool) -> Rect {
        if area.width < 4 || area.height < 2 {
            return Rect {
                width: 0,
                height: 0,
                ..area
            };
        }
        let set = self.theme.glyphs.border(focused);
        let role = if focused { Role::BorderFocus } else { Role::Border };
        let (last, side) = (area.height - 1, from(area, area.right() - 1));
        for (row, left, across, right) in [
            (0, set.top_left, set.horizontal_top, set.top_right),
            (last, set.bottom_left, set.horizontal_bottom, set.bottom_right),
        ] {
            self.cells(area, row, area.width, across, role);
            self.cells(area, row, 1, left, role);
            self.cells(side, row, 1, right, role);
        }
        for row in 1..last {
            self.cells(area, row, 1, set.vertical_left, role);
            self.cells(side, row, 1, set.vertical_right, role);
        }
        let inside_title = Rect {
            x: area.x + 2,
            width: area.width - 4,
            ..area
        };
        let fact_cells: usize = fact.iter().map(|(text, _)| width(text)).sum::<usize>();
        let title_cells: usize = title.iter().map(|(text, _)| width(text)).sum::<usize>();
        if title_cells > 0 {
            let mut parts = vec![(" ", role)];
            parts.extend_from_slice(title);
            parts.push((" ", role));
            self.line(inside_title, 0, &parts);
        }
        if fact_cells > 0 && title_cells + fact_cells + 5 <= usize::from(inside_title.width) {
            let mut parts = vec![(" ", role)];
            parts.extend_from_slice(fact);
            parts.push((" ", role));
            self.line_right(inside_title, 0, &parts);
        }
        Rect {
            x: area.x + 2,
            y: area.y + 1,
            width: area.width - 4,
            height: area.height - 2,
        }
    }

    /// A level from -60 to 0 dB, with a held peak and breaks at -12 and -3 dB, in exactly `cells`.
    pub fn meter(&mut self, area: Rect, row: u16, cells: u16, level_db: f32, peak_db: f32) -> u16 {
        let glyphs = self.glyphs();
        let inner = usize::from(cells.saturating_sub(2));
        let place = |db: f32| ((db - METER_FLOOR_DB) / -METER_FLOOR_DB).clamp(0.0, 1.0) * inner as f32;
        let (level, peak) = (place(finite(level_db)), place(finite(peak_db)));
        self.moving.add(area.y + row);
        let mut x = self.cells(area, row, 1, &glyphs.bar_left, Role::Muted);
        for cell in 0..inner {
            let db = METER_FLOOR_DB + (cell as f32 + 0.5) / inner as f32 * -METER_FLOOR_DB;
            let role = if db >= -3.0 {
                Role::MeterHigh
            } else if db >= -12.0 {
                Role::MeterMid
            } else {
                Role::MeterLow
            };
            let filled = level - cell as f32;
            let is_peak = peak >= 1.0 && peak as usize == cell && filled < 1.0;
            let (sign, role) = if is_peak || (peak as usize == inner && cell + 1 == inner && filled < 1.0) {
                (glyphs.bar_peak.as_str(), Role::MeterPeak)
            } else if filled <= 0.05 {
                (glyphs.bar_empty.as_str(), Role::MeterEmpty)
            } else {
                let eighths = ((filled * 8.0).round() as usize).clamp(1, 8);
                (glyphs.row(eighths), role)
            };
            x = self.cells(from(area, x), row, 1, sign, role);
        }
        self.cells(from(area, x), row, 1, &glyphs.bar_right, Role::Muted)
    }

    /// A share from 0 to 1 in exactly `cells`.
    pub fn bar(&mut self, area: Rect, row: u16, cells: u16, share: f64, role: Role) -> u16 {
        let glyphs = self.glyphs();
        let inner = usize::from(cells.saturating_sub(2));
        let eighths = (share.clamp(0.0, 1.0) * inner as f64 * 8.0).round() as usize;
        let (full, part) = (eighths / 8, eighths % 8);
        let (half, empty) = (u16::from(part > 0), inner.saturating_sub(full + usize::from(part > 0)));
        let parts = [
            (1, glyphs.bar_left.as_str(), Role::Muted),
            (full as u16, glyphs.row(8), role),
            (half, glyphs.row(part.max(1)), role),
            (empty as u16, glyphs.bar_empty.as_str(), Role::MeterEmpty),
            (1, glyphs.bar_right.as_str(), Role::Muted),
        ];
        parts.into_iter().fold(area.x, |x, (count, sign, role)| {
            self.cells(from(area, x), row, count, sign, role)
        })
    }

    /// The columns of a trail, scaled to its own highest point.
    pub fn spark(&self, points: &VecDeque<u32>, cells: usize) -> String {
        self.spark_to(points, cells, points.iter().copied().max().unwrap_or(0))
    }

    /// The columns of a trail around its own average, which stands at half height: for what matters when it changes.
    pub fn spark_around(&self, points: &VecDeque<u32>, cells: usize) -> String {
        let sum: u64 = points.iter().map(|point| u64::from(*point)).sum();
        let average = sum / (points.len() as u64).max(1);
        self.spark_to(points, cells, u32::try_from(average * 2).unwrap_or(u32::MAX))
    }

    fn spark_to(&self, points: &VecDeque<u32>, cells: usize, highest: u32) -> String {
        let highest = highest.max(1);
        let skip = points.len().saturating_sub(cells);
        let column = |point: &u32| {
            let eighths = (u64::from(*point) * 7 / u64::from(highest) + 1).min(8);
            self.theme.glyphs.column(eighths as usize)
        };
        points.iter().skip(skip).map(column).collect()
    }

    /// Text from the network in exactly `cells`.
    pub fn fitted(&self, text: &str, cells: usize) -> String {
        fit(&clean(text), cells, &self.theme.glyphs.more)
    }

    /// Our own text or a number, right-aligned in `cells`.
    pub fn right(&self, text: &str, cells: usize) -> String {
        fit_right(text, cells, &self.theme.glyphs.more)
    }
}

/// What is left of an area from a column of the screen on.
pub fn from(area: Rect, x: u16) -> Rect {
    let width = area.right().saturating_sub(x);
    Rect { x, width, ..area }
}

fn finite(db: f32) -> f32 {
    if db.is_finite() { db } else { -200.0 }
}
