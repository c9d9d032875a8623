//! Screens as people see them, keys as they are pressed, and what must never happen.

mod chance;
mod figures;
mod hearing;
mod joining;
mod looks;
mod over;
mod pressing;
mod screens;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::model::Model;
use super::view;

/// Draws a model as text, a line a row.
fn drawn(model: &Model) -> (Buffer, String) {
    let mut buffer = Buffer::empty(Rect {
        x: 0,
        y: 0,
        width: model.size.0,
        height: model.size.1,
    });
    view::draw(model, &mut buffer);
    let mut text = String::new();
    for row in 0..model.size.1 {
        let mut line = String::new();
        let mut skip = 0;
        for column in 0..model.size.0 {
            let symbol = buffer[(column, row)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = super::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    (buffer, text)
}

fn snap(name: &str, model: &Model) {
    snap_text(name, &drawn(model).1);
}

fn snap_text(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

const SIZES: [((u16, u16), &str); 5] = [
    ((120, 36), "120x36"),
    ((80, 24), "80x24"),
    ((60, 16), "60x16"),
    ((40, 10), "40x10"),
    ((60, 3), "strip"),
];

fn log_lines(model: &mut Model) {
    use crate::engine::event::Level;
    let mut add =
        |level, module, text: &str, hint: &str| model.journal.add(model.wall.unix_s, level, module, text, hint);
    add(Level::Info, "mesh", "ready as 01010101, on 2 addresses", "");
    add(
        Level::Warn,
        "app",
        "the output USB Audio went away",
        "It is used again when it comes back.",
    );
    add(
        Level::Error,
        "app",
        "cannot write /music/x.ogg: no space left",
        "Make room, then press r again.",
    );
}
