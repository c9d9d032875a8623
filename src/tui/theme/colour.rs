//! Colours as people see them: OKLab distances, WCAG contrast, and the palettes of poorer terminals.

use ratatui::style::Color;

/// A colour as a theme file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Rgb(u8, u8, u8),
    /// One of the sixteen colours that the terminal's owner chose.
    Ansi(u8),
    /// What the terminal uses by itself.
    Default,
}

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    TrueColour,
    Indexed,
    Ansi16,
    Mono,
}

/// The sixteen names, in ANSI order.
pub const ANSI_NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright_black",
    "bright_red",
    "bright_green",
    "bright_yellow",
    "bright_blue",
    "bright_magenta",
    "bright_cyan",
    "bright_white",
];

impl Depth {
    /// Judges by the environment: `NO_COLOR`, `COLORTERM` and `TERM`, as `lookup` tells them.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Depth {
        let term = lookup("TERM").unwrap_or_default();
        if lookup("NO_COLOR").is_some_and(|v| !v.is_empty()) || term == "dumb" {
            return Depth::Mono;
        }
        let colorterm = lookup("COLORTERM").unwrap_or_default().to_ascii_lowercase();
        if colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct") {
            return Depth::TrueColour;
        }
        if term.contains("256color") {
            return Depth::Indexed;
        }
        if term.is_empty() || term.starts_with("vt") {
            return Depth::Mono;
        }
        Depth::Ansi16
    }

    /// For the log and the settings screen.
    pub const fn name(self) -> &'static str {
        match self {
            Depth::TrueColour => "24-bit",
            Depth::Indexed => "256",
            Depth::Ansi16 => "16",
            Depth::Mono => "mono",
        }
    }
}

impl Colour {
    /// Reads `#rrggbb`, `none` or the name of one of the 16 colours of every terminal.
    pub fn parse(text: &str) -> Option<Colour> {
        if let Some(hex) = text.strip_prefix('#') {
            if hex.len() != 6 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            let n = u32::from_str_radix(hex, 16).ok()?;
            return Some(Colour::Rgb((n >> 16) as u8, (n >> 8) as u8, n as u8));
        }
        if text == "none" {
            return Some(Colour::Default);
        }
        let wanted = text.replace('-', "_");
        ANSI_NAMES
            .iter()
            .position(|name| *name == wanted)
            .map(|i| Colour::Ansi(i as u8))
    }

    /// The colour as a terminal of that depth can show it.
    pub fn to_terminal(self, depth: Depth) -> Color {
        match (self, depth) {
            (_, Depth::Mono) | (Colour::Default, _) => Color::Reset,
            (Colour::Ansi(i), _) => ansi(i),
            (Colour::Rgb(r, g, b), Depth::TrueColour) => Color::Rgb(r, g, b),
            (Colour::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_indexed(r, g, b)),
            (Colour::Rgb(r, g, b), Depth::Ansi16) => {
                ansi(nearest_of(r, g, b, (0..16).map(|i| (i, XTERM_16[i as usize]))))
            }
        }
    }
}

fn ansi(index: u8) -> Color {
    [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ][usize::from(index & 15)]
}

const XTERM_16: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

/// The closest of xterm's 240 fixed colours: the cube and the greys; the first sixteen belong to the terminal's owner.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let cube = (0..216u8).map(|i| {
        let at = |n: u8| STEPS[usize::from(n % 6)];
        (16 + i, [at(i / 36), at(i / 6), at(i)])
    });
    let greys = (0..24u8).map(|i| (232 + i, [8 + 10 * i; 3]));
    nearest_of(r, g, b, cube.chain(greys))
}

fn nearest_of(r: u8, g: u8, b: u8, candidates: impl Iterator<Item = (u8, [u8; 3])>) -> u8 {
    let wanted = oklab([r, g, b]);
    candidates
        .map(|(index, rgb)| (index, distance(wanted, oklab(rgb))))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(index, _)| index)
}

/// Euclidean distance in OKLab; 0.02 is just noticeable, 1 is black to white.
pub fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

fn linear(channel: u8) -> f32 {
    let c = f32::from(channel) / 255.0;
    if c <= 0.04045 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

fn encoded(value: f32) -> u8 {
    let v = value.clamp(0.0, 1.0);
    let c = if v <= 0.003_130_8 {
        v * 12.92
    } else {
        1.055 * v.powf(1.0 / 2.4) - 0.055
    };
    (c * 255.0).round() as u8
}

/// sRGB to OKLab (Ottosson 2020): lightness, green-red, blue-yellow.
pub fn oklab([r, g, b]: [u8; 3]) -> [f32; 3] {
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// OKLab to the nearest sRGB colour that exists.
pub fn from_oklab([l, a, b]: [f32; 3]) -> [u8; 3] {
    let x = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let y = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let z = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        encoded(4.076_741_7 * x - 3.307_711_6 * y + 0.230_969_94 * z),
        encoded(-1.268_438 * x + 2.609_757_4 * y - 0.341_319_4 * z),
        encoded(-0.004_196_086_3 * x - 0.703_418_6 * y + 1.707_614_7 * z),
    ]
}

/// WCAG relative luminance.
fn luminance([r, g, b]: [u8; 3]) -> f32 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// WCAG contrast, from 1 to 21.
pub fn contrast(a: [u8; 3], b: [u8; 3]) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// The colour moved in lightness, no further than needed, until it keeps `floor` against every ground.
pub fn raised(colour: [u8; 3], grounds: &[[u8; 3]], floor: f32) -> [u8; 3] {
    let passes = |c: [u8; 3]| grounds.iter().all(|ground| contrast(c, *ground) >= floor);
    if passes(colour) {
        return colour;
    }
    let [lightness, a, b] = oklab(colour);
    let mean = grounds.iter().map(|g| luminance(*g)).sum::<f32>() / grounds.len().max(1) as f32;
    // Luminance 0.18 is as far from white as from black in contrast.
    let direction = if mean < 0.18 { 0.005 } else { -0.005 };
    for step in 1..=200 {
        let l = lightness + direction * step as f32;
        // Very light and very dark colours hold less chroma; keeping it would change the hue when clipped.
        let chroma = ((1.0 - l) / 0.3).min(l / 0.3).clamp(0.0, 1.0);
        let moved = from_oklab([l.clamp(0.0, 1.0), a * chroma, b * chroma]);
        if passes(moved) {
            return moved;
        }
    }
    if direction > 0.0 { [255; 3] } else { [0; 3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_there_and_back_is_the_same_colour() {
        for rgb in [[0, 0, 0], [255, 255, 255], [108, 182, 255], [238, 74, 66], [1, 2, 3]] {
            let back = from_oklab(oklab(rgb));
            assert!(
                rgb.iter().zip(back).all(|(a, b)| a.abs_diff(b) <= 1),
                "{rgb:?} {back:?}"
            );
        }
    }

    #[test]
    fn a_raised_colour_passes_and_a_passing_one_is_left_alone() {
        let ground = [[0x10, 0x10, 0x18]];
        assert!(contrast(raised([30, 30, 90], &ground, 4.5), ground[0]) >= 4.5);
        assert_eq!(raised([230, 230, 230], &ground, 4.5), [230, 230, 230]);
        assert!(contrast(raised([250, 240, 120], &[[255; 3]], 3.0), [255; 3]) >= 3.0);
    }

    #[test]
    fn depth_follows_the_evidence() {
        let depth = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            Depth::from_env(|key| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
        };
        assert_eq!(
            depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            Depth::TrueColour
        );
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "linux")]), Depth::Ansi16);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Depth::Mono);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Depth::Mono);
    }

    #[test]
    fn indexed_colours_hit_the_cube_exactly() {
        assert_eq!(Colour::Rgb(255, 0, 0).to_terminal(Depth::Indexed), Color::Indexed(196));
        assert_eq!(
            Colour::Rgb(95, 135, 175).to_terminal(Depth::Indexed),
            Color::Indexed(67)
        );
    }
}
