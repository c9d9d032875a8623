//! Drawing: from the model to cells, and back from a place on the screen to what is there.

mod channels;
mod chrome;
mod frame;
mod log;
mod mesh;
mod now_playing;
mod overlay;
mod pen;
mod strip;
mod studio;

use pen::from;
pub use pen::{Pen, Rows};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Screen};
use super::model::{Model, Overlay};

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Three lines: what plays, how it is, and keys.
    Strip,
    /// 40 to 59 columns: mark, name, the most important number.
    Narrow,
    /// 60 to 79 columns, or 16 to 23 rows.
    Compact,
    /// From 80x24 on.
    Medium,
    /// Three panes, from 110x30 on.
    Full,
}

impl Tier {
    /// The tier of a size in columns and rows.
    pub const fn of((columns, rows): (u16, u16)) -> Tier {
        match (columns, rows) {
            (0..40, _) | (_, 0..8) => Tier::Strip,
            (40..60, _) => Tier::Narrow,
            (60..80, _) | (_, 8..24) => Tier::Compact,
            (110.., 30..) => Tier::Full,
            _ => Tier::Medium,
        }
    }

    /// True when Now Playing has room for a spectrum.
    pub const fn has_spectrum(self) -> bool {
        match self {
            Tier::Strip | Tier::Narrow => false,
            Tier::Compact | Tier::Medium | Tier::Full => true,
        }
    }
}

/// The parts of the screen.
#[derive(Clone, Copy, Debug)]
struct Parts {
    header: Rect,
    body: Rect,
    strip: Rect,
    hints: Rect,
}

fn parts(area: Rect, tier: Tier) -> Parts {
    let strip_rows = match tier {
        Tier::Strip => area.height.saturating_sub(1),
        Tier::Narrow | Tier::Compact => 2,
        Tier::Medium | Tier::Full => 4,
    };
    let header_rows = u16::from(tier != Tier::Strip);
    let row = |y: u16, height: u16| Rect {
        x: area.x,
        y: area.y + y,
        width: area.width,
        height,
    };
    let hints_y = area.height.saturating_sub(1);
    let strip_y = hints_y.saturating_sub(strip_rows);
    Parts {
        header: row(0, header_rows.min(area.height)),
        body: row(header_rows.min(strip_y), strip_y.saturating_sub(header_rows)),
        strip: row(strip_y, hints_y - strip_y),
        hints: row(hints_y, area.height.min(1)),
    }
}

/// Draws the whole screen. The rows that move with the sound come back: until anything else changes, drawing them is enough.
pub fn draw(model: &Model, buffer: &mut Buffer) -> Rows {
    let area = *buffer.area();
    let theme = &model.look.theme;
    buffer.set_style(area, theme.ground());
    let mut pen = Pen::new(theme, buffer);
    draw_parts(model, &mut pen, area);
    pen.moving
}

/// Draws these rows anew over what was there, as [`draw`] would.
pub fn draw_rows(model: &Model, buffer: &mut Buffer, rows: &Rows) {
    let area = *buffer.area();
    let theme = &model.look.theme;
    for y in (area.top()..area.bottom()).filter(|y| rows.has(*y)) {
        for x in area.left()..area.right() {
            let cell = &mut buffer[(x, y)];
            cell.reset();
            cell.set_style(theme.ground());
        }
    }
    draw_parts(model, &mut Pen::within(theme, buffer, rows), area);
}

fn draw_parts(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let tier = Tier::of((area.width, area.height));
    let parts = parts(area, tier);
    if tier == Tier::Strip {
        strip::small(model, pen, parts.strip);
        chrome::hints(model, pen, parts.hints, tier);
        return;
    }
    if pen.draws(parts.header) {
        chrome::header(model, pen, parts.header, tier);
    }
    if pen.draws(parts.body) {
        draw_body(model, pen, parts.body, tier);
    }
    if pen.draws(parts.strip) {
        match tier {
            Tier::Full | Tier::Medium => strip::framed(model, pen, parts.strip),
            Tier::Compact | Tier::Narrow | Tier::Strip => strip::compact(model, pen, parts.strip),
        }
    }
    if pen.draws(parts.hints) {
        chrome::hints(model, pen, parts.hints, tier);
    }
}

fn draw_body(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    match model.screen {
        Screen::Channels => channels::draw(model, pen, area, tier),
        Screen::NowPlaying => now_playing::draw(model, pen, area, tier),
        Screen::Mesh => mesh::draw(model, pen, area, tier),
        Screen::Studio => studio::draw(model, pen, area, tier),
        Screen::Log => log::draw(model, pen, area, tier),
    }
    if model.overlay.is_some() {
        overlay::draw(model, pen, area, tier);
    }
}

/// What a click meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    Tab(Screen),
    Row { row: usize, pane: usize },
    Verb(Action),
}

/// What is at a place of the screen.
pub fn hit(model: &Model, column: u16, row: u16) -> Option<Hit> {
    let area = Rect {
        x: 0,
        y: 0,
        width: model.size.0,
        height: model.size.1,
    };
    let tier = Tier::of(model.size);
    let parts = parts(area, tier);
    let inside = |r: Rect| (r.x..r.right()).contains(&column) && (r.y..r.bottom()).contains(&row);
    if inside(parts.header) {
        return chrome::tab_at(model, parts.header, tier, column).map(Hit::Tab);
    }
    if inside(parts.hints) {
        return chrome::verb_at(model, parts.hints, tier, column).map(Hit::Verb);
    }
    if !inside(parts.body) {
        return None;
    }
    if let Some(overlay) = &model.overlay {
        return match overlay {
            Overlay::Themes { .. } | Overlay::Settings { .. } | Overlay::Titles { .. } | Overlay::Help { .. } => {
                overlay::row_at(model, parts.body, tier, column, row).map(|row| Hit::Row { row, pane: 0 })
            }
            Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. } => None,
        };
    }
    match model.screen {
        Screen::Channels => channels::row_at(model, parts.body, tier, column, row),
        Screen::Mesh => mesh::row_at(model, parts.body, tier, column, row),
        Screen::Log => log::row_at(model, parts.body, tier, row),
        Screen::NowPlaying | Screen::Studio => None,
    }
}

/// Lines of the words over the screen that their box has no room for.
pub fn words_beyond(model: &Model) -> usize {
    let Some(Overlay::Words { lines, .. }) = &model.overlay else {
        return 0;
    };
    let area = Rect {
        x: 0,
        y: 0,
        width: model.size.0,
        height: model.size.1,
    };
    let tier = Tier::of(model.size);
    let parts = parts(area, tier);
    if tier == Tier::Strip {
        strip::words_beyond(lines, parts.strip)
    } else {
        overlay::words_beyond(model, parts.body, tier, lines)
    }
}

/// The first row shown of a list, so that the selected one is in view.
fn first_shown(selected: usize, rows: usize, room: usize) -> usize {
    if rows <= room {
        0
    } else {
        selected.saturating_sub(room / 2).min(rows - room)
    }
}
