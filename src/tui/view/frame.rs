//! The frame around a screen's list: a pane where there is room for one, and nothing on small terminals.

use ratatui::layout::Rect;

use super::{Pen, Tier, first_shown};
use crate::tui::theme::Role;

/// What is inside the frame, up to its lines.
pub fn inside(area: Rect, tier: Tier) -> Rect {
    let frame = u16::from(tier >= Tier::Medium);
    Rect {
        x: area.x + frame,
        y: area.y + frame,
        width: area.width.saturating_sub(2 * frame),
        height: area.height.saturating_sub(2 * frame),
    }
}

/// The same with a column of air on either side.
pub fn aired(inside: Rect) -> Rect {
    Rect {
        x: inside.x + 1,
        width: inside.width.saturating_sub(2),
        ..inside
    }
}

/// Draws the frame with a title on the left and a fact on the right; returns what is inside.
pub fn draw(pen: &mut Pen<'_>, area: Rect, tier: Tier, (title, fact): (&str, &str), focused: bool) -> Rect {
    if tier >= Tier::Medium {
        let role = if focused { Role::Title } else { Role::Dim };
        pen.pane(area, &[(title, role)], &[(fact, Role::Dim)], focused);
    }
    inside(area, tier)
}

/// Which of `count` rows stands at a line of the screen, when the selected one is kept in view.
pub fn row_at(rows: Rect, count: usize, selected: usize, line: u16) -> Option<usize> {
    let offset = usize::from(line.checked_sub(rows.y).filter(|at| *at < rows.height)?);
    let at = first_shown(selected, count, usize::from(rows.height)) + offset;
    (at < count).then_some(at)
}
