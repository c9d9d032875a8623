//! A picture of a terminal's screen: every cell with its colours, as SVG.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// Size of a cell and of the letters in it, in units of the picture.
const CELL: (f32, f32) = (8.4, 18.0);
const LETTERS: f32 = 14.0;
/// Where letters stand, from the top of their cell.
const BASELINE: f32 = 13.6;
const MARGIN: f32 = 12.0;
/// Thickness of a light line of box drawing.
const LIGHT: f32 = 1.2;
const HEAVY: f32 = 2.6;

/// Draws the screen. Blocks and lines are drawn as shapes, so that they meet whatever font the reader has.
pub fn svg(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (
        f32::from(columns) * CELL.0 + 2.0 * MARGIN,
        f32::from(rows) * CELL.1 + 2.0 * MARGIN,
    );
    let ground = screen
        .cell(0, 0)
        .map_or(String::from("#000000"), |cell| colours(cell).1);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', 'Cascadia Mono', Menlo, Consolas, monospace\" font-size=\"{LETTERS}\" shape-rendering=\"crispEdges\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escape(title));
    let _ = writeln!(
        out,
        "<rect shape-rendering=\"auto\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{ground}\"/>"
    );
    for row in 0..rows {
        grounds(screen, row, &ground, &mut out);
        shapes(screen, row, &mut out);
        letters(screen, row, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn left(column: u16) -> f32 {
    MARGIN + f32::from(column) * CELL.0
}

fn top(row: u16) -> f32 {
    MARGIN + f32::from(row) * CELL.1
}

/// Backgrounds, neighbours of one colour together.
fn grounds(screen: &Screen, row: u16, ground: &str, out: &mut String) {
    runs(
        screen,
        row,
        |cell| Some(colours(cell).1).filter(|colour| colour != ground),
        |column, count, colour| {
            let (x, y, width, height) = (left(column), top(row), f32::from(count) * CELL.0, CELL.1);
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
            );
        },
    );
}

/// Box drawing and block elements; equal neighbours become one shape.
fn shapes(screen: &Screen, row: u16, out: &mut String) {
    let shape = |cell: &Cell| {
        let letter = cell.contents().chars().next()?;
        is_shape(letter).then(|| (letter, colours(cell).0))
    };
    runs(screen, row, shape, |column, count, (letter, colour)| {
        let (x, y) = (left(column), top(row));
        if let Some((from, to, wide)) = block(letter) {
            let step = if wide { f32::from(count) } else { 1.0 };
            for at in 0..(if wide { 1 } else { count }) {
                let x = x + f32::from(at) * CELL.0 + from.0 * CELL.0;
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{colour}\"/>",
                    y + from.1 * CELL.1,
                    (to.0 - from.0) * CELL.0 * step,
                    (to.1 - from.1) * CELL.1
                );
            }
            return;
        }
        let mut path = String::new();
        for at in 0..count {
            lines(letter, x + f32::from(at) * CELL.0, y, &mut path);
        }
        let heavy = if is_heavy(letter) { HEAVY } else { LIGHT };
        let _ = writeln!(
            out,
            "<path d=\"{}\" shape-rendering=\"auto\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{heavy}\"/>",
            path.trim()
        );
    });
}

/// Text: plain letters in runs held to the grid, every other sign alone in the middle of its cells.
fn letters(screen: &Screen, row: u16, out: &mut String) {
    let style = |cell: &Cell| {
        let text = cell.contents();
        let first = text.chars().next()?;
        let plain = text.len() == 1 && first.is_ascii_graphic();
        (first != ' ' && !is_shape(first))
            .then(|| (colours(cell).0, cell.bold(), cell.italic(), cell.underline(), plain))
    };
    runs(
        screen,
        row,
        style,
        |column, count, (colour, bold, italic, underline, plain)| {
            let mut look = format!("fill=\"{colour}\"");
            for (on, words) in [
                (bold, " font-weight=\"bold\""),
                (italic, " font-style=\"italic\""),
                (underline, " text-decoration=\"underline\""),
            ] {
                look.push_str(if on { words } else { "" });
            }
            let y = top(row) + BASELINE;
            let cells = (column..column + count).filter_map(|column| Some((column, screen.cell(row, column)?)));
            if plain {
                let text: String = cells.map(|(_, cell)| cell.contents().to_owned()).collect();
                let length = f32::from(count) * CELL.0;
                let _ = writeln!(
                    out,
                    "<text x=\"{:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" {look}>{}</text>",
                    left(column),
                    escape(&text)
                );
            } else {
                for (column, cell) in cells.filter(|(_, cell)| cell.has_contents()) {
                    let middle = left(column) + CELL.0 * if cell.is_wide() { 1.0 } else { 0.5 };
                    let text = escape(cell.contents());
                    let _ = writeln!(
                        out,
                        "<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" {look}>{text}</text>"
                    );
                }
            }
        },
    );
}

/// Calls `draw` for every run of cells for which `of` says the same.
fn runs<T: PartialEq + Clone>(
    screen: &Screen,
    row: u16,
    of: impl Fn(&Cell) -> Option<T>,
    mut draw: impl FnMut(u16, u16, T),
) {
    let columns = screen.size().1;
    let mut run: Option<(u16, T)> = None;
    for column in 0..=columns {
        let here = screen.cell(row, column).filter(|_| column < columns).and_then(&of);
        if run.as_ref().map(|(_, value)| value) != here.as_ref() {
            if let Some((start, value)) = run.take() {
                draw(start, column - start, value);
            }
            run = here.map(|value| (column, value));
        }
    }
}

/// Letter and ground, as they are seen.
fn colours(cell: &Cell) -> (String, String) {
    let (letter, ground) = (hex(cell.fgcolor(), "#e6ebf0"), hex(cell.bgcolor(), "#0f1318"));
    if cell.inverse() {
        (ground, letter)
    } else {
        (letter, ground)
    }
}

fn hex(colour: Color, otherwise: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        // Pictures are made in 24-bit colour.
        Color::Default | Color::Idx(_) => otherwise.to_owned(),
    }
}

fn is_shape(letter: char) -> bool {
    ('\u{2500}'..='\u{259f}').contains(&letter)
}

fn is_heavy(letter: char) -> bool {
    "━┃┏┓┗┛┣┫┳┻╋".contains(letter)
}

/// A corner in parts of the cell.
type Corner = (f32, f32);

/// The filled part of a block element, from and to; and whether neighbours join into one shape.
fn block(letter: char) -> Option<(Corner, Corner, bool)> {
    let part = |eighths: u32| eighths as f32 / 8.0;
    Some(match u32::from(letter) {
        0x2580 => ((0.0, 0.0), (1.0, 0.5), true),
        lower @ 0x2581..=0x2588 => ((0.0, 1.0 - part(lower - 0x2580)), (1.0, 1.0), true),
        left @ 0x2589..=0x258f => ((0.0, 0.0), (part(0x2590 - left), 1.0), false),
        0x2590 => ((0.5, 0.0), (1.0, 1.0), false),
        0x2594 => ((0.0, 0.0), (1.0, 0.125), true),
        0x2595 => ((0.875, 0.0), (1.0, 1.0), false),
        _ => return None,
    })
}

/// The strokes of a box-drawing sign.
fn lines(letter: char, x: f32, y: f32, path: &mut String) {
    let (w, h) = CELL;
    let (mx, my) = (x + w / 2.0, y + h / 2.0);
    let mut line = |from: (f32, f32), to: (f32, f32)| {
        let _ = write!(path, "M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1);
    };
    let (north, south, west, east) = ((mx, y), (mx, y + h), (x, my), (x + w, my));
    let middle = (mx, my);
    match letter {
        '─' | '━' => line(west, east),
        '│' | '┃' => line(north, south),
        '╌' | '╍' | '┄' | '┅' | '┈' => {
            line((x + 0.1 * w, my), (x + 0.4 * w, my));
            line((x + 0.6 * w, my), (x + 0.9 * w, my));
        }
        '┌' | '┏' => [east, south].into_iter().for_each(|end| line(middle, end)),
        '┐' | '┓' => [west, south].into_iter().for_each(|end| line(middle, end)),
        '└' | '┗' => [east, north].into_iter().for_each(|end| line(middle, end)),
        '┘' | '┛' => [west, north].into_iter().for_each(|end| line(middle, end)),
        '├' | '┣' => [north, south, east].into_iter().for_each(|end| line(middle, end)),
        '┤' | '┫' => [north, south, west].into_iter().for_each(|end| line(middle, end)),
        '┬' | '┳' => [west, east, south].into_iter().for_each(|end| line(middle, end)),
        '┴' | '┻' => [west, east, north].into_iter().for_each(|end| line(middle, end)),
        '┼' | '╋' => [north, south, west, east].into_iter().for_each(|end| line(middle, end)),
        '╭' => corner(path, south, middle, east),
        '╮' => corner(path, south, middle, west),
        '╰' => corner(path, north, middle, east),
        '╯' => corner(path, north, middle, west),
        _ => doubled(letter, (x, y), path),
    }
}

fn corner(path: &mut String, from: (f32, f32), bend: (f32, f32), to: (f32, f32)) {
    let _ = write!(
        path,
        "M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
        from.0, from.1, bend.0, bend.1, to.0, to.1
    );
}

/// Double lines: which sides are double, which single.
fn doubled(letter: char, (x, y): (f32, f32), path: &mut String) {
    // North, south, west, east: 0 nothing, 1 single, 2 double.
    let sides = match letter {
        '═' => [0, 0, 2, 2],
        '║' => [2, 2, 0, 0],
        '╔' => [0, 2, 0, 2],
        '╗' => [0, 2, 2, 0],
        '╚' => [2, 0, 0, 2],
        '╝' => [2, 0, 2, 0],
        '╠' => [2, 2, 0, 2],
        '╣' => [2, 2, 2, 0],
        '╦' => [0, 2, 2, 2],
        '╩' => [2, 0, 2, 2],
        '╬' => [2, 2, 2, 2],
        '╙' => [2, 0, 0, 1],
        '╟' => [2, 2, 0, 1],
        '╘' => [1, 0, 0, 2],
        '╞' => [1, 1, 0, 2],
        '╡' => [1, 1, 2, 0],
        '╴' => [0, 0, 1, 0],
        '╶' => [0, 0, 0, 1],
        '╵' => [1, 0, 0, 0],
        '╷' => [0, 1, 0, 0],
        other => panic!("the picture cannot draw {other:?}"),
    };
    let (w, h) = CELL;
    let (mx, my) = (x + w / 2.0, y + h / 2.0);
    let ends = [(mx, y), (mx, y + h), (x, my), (x + w, my)];
    for (side, (end, count)) in ends.into_iter().zip(sides).enumerate() {
        let offsets: &[f32] = match count {
            0 => &[],
            1 => &[0.0],
            _ => &[-1.4, 1.4],
        };
        for offset in offsets {
            let (dx, dy) = if side < 2 { (*offset, 0.0) } else { (0.0, *offset) };
            let _ = write!(
                path,
                "M{:.1} {:.1}L{:.1} {:.1}",
                mx + dx,
                my + dy,
                end.0 + dx,
                end.1 + dy
            );
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
