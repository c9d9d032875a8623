//! How loud each part of the sound is.

use ratatui::layout::Rect;

use crate::tui::model::{Model, SpectrumStyle};
use crate::tui::theme::Role;
use crate::tui::view::{Pen, from};

/// The spectrum in a frame.
pub fn spectrum_pane(model: &Model, pen: &mut Pen<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    let style = match model.settings.spectrum_style {
        SpectrumStyle::Bars => "bars",
        SpectrumStyle::Peaks => "peaks",
    };
    let fact = if model.settings.spectrum {
        format!("{style}  24 bands")
    } else {
        "off · v shows it".to_owned()
    };
    let inner = pen.pane(area, &[("Spectrum", Role::Dim)], &[(&fact, Role::Muted)], false);
    if model.settings.spectrum && model.is_sounding() && !model.covers_spectrum() {
        spectrum(model, pen, inner, inner.height >= 5);
    } else if !model.is_sounding() {
        pen.line(inner, 0, &[("no sound at this moment", Role::Muted)]);
    }
}

const BAND_NAMES: [(usize, &str); 10] = [
    (0, "32"),
    (3, "64"),
    (5, "125"),
    (8, "250"),
    (10, "500"),
    (13, "1k"),
    (15, "2k"),
    (18, "4k"),
    (20, "8k"),
    (22, "16k"),
];

/// Range of the spectrum, in dB.
const SPECTRUM_FLOOR_DB: f32 = -72.0;

/// The bars, with a scale of level and pitch where there is room.
pub fn spectrum(model: &Model, pen: &mut Pen<'_>, area: Rect, with_scale: bool) {
    let scale = if with_scale { 5 } else { 0 };
    let rows = area.height - u16::from(with_scale);
    let bands = &model.meters.levels.bands;
    pen.moves(area, rows);
    let step = ((area.width.saturating_sub(scale)) / bands.len() as u16).clamp(1, 4);
    let bar = step.saturating_sub(1).max(1);
    if with_scale {
        for (row, db) in [(0, "  0"), (rows / 3, "−24"), (rows * 2 / 3, "−48")] {
            pen.line(area, row, &[(db, Role::Muted)]);
        }
    }
    for (band, db) in bands.iter().enumerate() {
        let x = area.x + scale + band as u16 * step;
        if x + bar > area.right() {
            break;
        }
        let share = ((db.max(SPECTRUM_FLOOR_DB) - SPECTRUM_FLOOR_DB) / -SPECTRUM_FLOOR_DB).clamp(0.0, 1.0);
        let eighths = (share * f32::from(rows) * 8.0).round() as usize;
        let at = Rect { x, width: bar, ..area };
        for row in 0..rows {
            let from_bottom = usize::from(rows - 1 - row);
            let filled = eighths.saturating_sub(from_bottom * 8).min(8);
            let is_top = filled > 0 && eighths <= (from_bottom + 1) * 8;
            let drawn = match model.settings.spectrum_style {
                SpectrumStyle::Bars => filled,
                SpectrumStyle::Peaks if is_top => filled,
                SpectrumStyle::Peaks => 0,
            };
            if drawn > 0 {
                let stop = Role::SPECTRUM[(from_bottom * Role::SPECTRUM.len() / usize::from(rows)).min(4)];
                pen.cells(at, row, bar, pen.glyphs().column(drawn), stop);
            }
        }
    }
    if with_scale && step >= 3 {
        for (band, name) in BAND_NAMES {
            let x = area.x + scale + band as u16 * step;
            let at = from(area, x);
            pen.line(at, area.height - 1, &[(name, Role::Muted)]);
        }
    }
}
