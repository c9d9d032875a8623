//! What every pane draws with.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::model::METER_FLOOR_DB;
use crate::tui::text::{clean, cut, fit, fit_right, width};
use crate::tui::theme::{Glyphs, Role, Theme};

/// A theme and a buffer to draw into.
pub struct Pen<'a> {
    pub theme: &'a Theme,
    buffer: &'a mut Buffer,
    /// The role that panes stand on.
    pub ground: Role,
}

impl<'a> Pen<'a> {
    /// Draws on the screen's ground.
    pub fn new(theme: &'a Theme, buffer: &'a mut Buffer) -> Pen<'a> {
        Pen {
            theme,
            buffer,
            ground: Role::Bg,
        }
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

    /// Gives a row of the area a look.
    pub fn paint_row(&mut self, area: Rect, row: u16, role: Role) {
        if row < area.height {
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
        let rule = self.theme.glyphs.rule.repeat(usize::from(area.width));
        self.line(area, row, &[(&rule, Role::Border)]);
    }

    /// Empties an area for what lies over it.
    pub fn clear(&mut self, area: Rect, ground: Role) {
        let area = area.intersection(*self.buffer.area());
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.buffer[(x, y)].reset();
            }
        }
        let style = self.theme.over(Role::Fg, ground);
        self.buffer.set_style(area, style);
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
        let across = usize::from(area.width) - 2;
        let top = format!("{}{}{}", set.top_left, set.horizontal_top.repeat(across), set.top_right);
        let bottom = format!(
            "{}{}{}",
            set.bottom_left,
            set.horizontal_bottom.repeat(across),
            set.bottom_right
        );
        self.line(area, 0, &[(&top, role)]);
        self.line(area, area.height - 1, &[(&bottom, role)]);
        for row in 1..area.height - 1 {
            self.line(area, row, &[(set.vertical_left, role)]);
            self.line_right(area, row, &[(set.vertical_right, role)]);
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
        let mut x = self.line(area, row, &[(&glyphs.bar_left, Role::Muted)]);
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
            let at = from(area, x);
            x = if is_peak || (peak as usize == inner && cell + 1 == inner && filled < 1.0) {
                self.line(at, row, &[(&glyphs.bar_peak, Role::MeterPeak)])
            } else if filled <= 0.05 {
                self.line(at, row, &[(&glyphs.bar_empty, Role::MeterEmpty)])
            } else {
                let eighths = ((filled * 8.0).round() as usize).clamp(1, 8);
                self.line(at, row, &[(glyphs.row(eighths), role)])
            };
        }
        let at = from(area, x);
        self.line(at, row, &[(&glyphs.bar_right, Role::Muted)])
    }

    /// A share from 0 to 1 in exactly `cells`.
    pub fn bar(&mut self, area: Rect, row: u16, cells: u16, share: f64, role: Role) -> u16 {
        let glyphs = self.glyphs();
        let inner = usize::from(cells.saturating_sub(2));
        let eighths = (share.clamp(0.0, 1.0) * inner as f64 * 8.0).round() as usize;
        let (full, part) = (eighths / 8, eighths % 8);
        let mut filled = glyphs.row(8).repeat(full);
        if part > 0 && full < inner {
            filled.push_str(glyphs.row(part));
        }
        let empty = glyphs
            .bar_empty
            .repeat(inner.saturating_sub(full + usize::from(part > 0)));
        self.line(
            area,
            row,
            &[
                (&glyphs.bar_left, Role::Muted),
                (&filled, role),
                (&empty, Role::MeterEmpty),
                (&glyphs.bar_right, Role::Muted),
            ],
        )
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
