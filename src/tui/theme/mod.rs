//! Themes: what every role looks like on this terminal.
//!
//! A theme file ([`Sheet`]) names thirteen core roles; the others follow. [`Theme::build`] merges a sheet with the ones it
//! inherits from, derives what is missing, moves what is hard to read, and puts the result in the colours that the
//! terminal has.

mod colour;
mod glyph;
mod role;
mod sheet;
mod shelf;

pub use colour::{Colour, Depth, contrast, distance, oklab};
pub use glyph::{Glyphs, Pack};
pub use role::Role;
pub use sheet::{Paint, Paints, Sheet, SheetError, line_at};
pub use shelf::{DEFAULT, SHIPPED, Shelf};

use ratatui::style::{Modifier, Style};

/// Every role's look, ready to draw with.
#[derive(Clone, Debug)]
pub struct Theme {
    pub name: String,
    pub depth: Depth,
    pub glyphs: Glyphs,
    styles: Vec<Style>,
}

impl Theme {
    /// Resolves `chain`: the wanted sheet first, then what it inherits from. Roles that no sheet names take the look of
    /// `terminal` on poor terminals and of their parent role otherwise.
    pub fn build(chain: &[Sheet], terminal: &Sheet, depth: Depth, pack: Pack) -> Theme {
        let mut paints: Vec<Paint> = match depth {
            Depth::TrueColour | Depth::Indexed => resolve(chain, |sheet| &sheet.roles),
            Depth::Ansi16 => {
                let poor: Vec<Sheet> = chain
                    .iter()
                    .map(|sheet| {
                        if sheet.ansi16.is_empty() && is_ansi(sheet) {
                            sheet.roles.clone()
                        } else {
                            sheet.ansi16.clone()
                        }
                    })
                    .chain([terminal.roles.clone()])
                    .map(|roles| Sheet {
                        roles,
                        ..Sheet::default()
                    })
                    .collect();
                resolve(&poor, |sheet| &sheet.roles)
            }
            Depth::Mono => Role::ALL.iter().map(|role| attributes(*role, chain)).collect(),
        };
        if depth != Depth::Mono {
            fill_grounds(&mut paints);
            guard(&mut paints);
        }
        let mut glyphs = Glyphs::of(pack);
        if pack == Pack::Unicode {
            for (name, sign) in chain.iter().rev().flat_map(|sheet| &sheet.glyphs) {
                glyphs.set(name, sign);
            }
        }
        Theme {
            name: chain.first().map_or(String::new(), |sheet| sheet.name.clone()),
            depth,
            glyphs,
            styles: paints.iter().map(|paint| to_style(*paint, depth)).collect(),
        }
    }

    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The ground of the whole screen with its text.
    pub fn ground(&self) -> Style {
        self.over(Role::Fg, Role::Bg)
    }

    /// A role's text on another role's ground.
    pub fn over(&self, text: Role, ground: Role) -> Style {
        let style = self.style(text);
        match self.style(ground).fg {
            Some(colour) => style.bg(colour),
            None => style,
        }
    }
}

fn is_ansi(sheet: &Sheet) -> bool {
    !sheet.roles.is_empty()
        && sheet
            .roles
            .values()
            .all(|paint| !matches!(paint.fg, Some(Colour::Rgb(..))))
}

fn resolve(chain: &[Sheet], section: impl Fn(&Sheet) -> &Paints) -> Vec<Paint> {
    let named = |role: Role| chain.iter().find_map(|sheet| section(sheet).get(role.name()).copied());
    Role::ALL
        .iter()
        .map(|role| {
            let mut at = *role;
            loop {
                if let Some(paint) = named(at) {
                    return with_habit(*role, at, paint);
                }
                match at.parent() {
                    Some(parent) => at = parent,
                    None => return Paint::default(),
                }
            }
        })
        .collect()
}

/// Some roles are more than their parent's colour.
fn with_habit(role: Role, from: Role, mut paint: Paint) -> Paint {
    if role == from {
        return paint;
    }
    if matches!(role, Role::Title | Role::Key | Role::Selection | Role::Playing) {
        paint.mods |= Modifier::BOLD;
    }
    paint
}

/// Selections stand on the overlay unless a theme says otherwise.
fn fill_grounds(paints: &mut [Paint]) {
    let overlay = paints[Role::Overlay as usize].fg;
    for role in [Role::Selection, Role::SelectionInactive] {
        let paint = &mut paints[role as usize];
        if paint.bg.is_none() {
            match overlay {
                Some(Colour::Default) | None => paint.mods |= Modifier::REVERSED,
                Some(_) => paint.bg = overlay,
            }
        }
    }
}

/// Moves every role that has a contrast floor until it keeps it against the grounds it is drawn on.
fn guard(paints: &mut [Paint]) {
    let ground = |role: Role| match paints[role as usize].fg {
        Some(Colour::Rgb(r, g, b)) => Some([r, g, b]),
        Some(Colour::Ansi(_) | Colour::Default) | None => None,
    };
    let common: Vec<[u8; 3]> = [Role::Bg, Role::Surface].into_iter().filter_map(ground).collect();
    for role in Role::ALL {
        let paint = &mut paints[*role as usize];
        let Some(Colour::Rgb(r, g, b)) = paint.fg else { continue };
        let own = match paint.bg {
            Some(Colour::Rgb(r, g, b)) => Some([r, g, b]),
            Some(Colour::Ansi(_) | Colour::Default) | None => None,
        };
        let grounds = own.map_or_else(|| common.clone(), |own| vec![own]);
        let floor = role.contrast_floor();
        if floor > 1.0 && !grounds.is_empty() {
            let [r, g, b] = colour::raised([r, g, b], &grounds, floor);
            paint.fg = Some(Colour::Rgb(r, g, b));
        }
    }
}

/// Looks without any colour.
fn attributes(role: Role, chain: &[Sheet]) -> Paint {
    if let Some(paint) = chain.iter().find_map(|sheet| sheet.mono.get(role.name())) {
        return Paint {
            mods: paint.mods,
            ..Paint::default()
        };
    }
    let mods = match role {
        Role::Selection => Modifier::REVERSED,
        Role::SelectionInactive | Role::Match => Modifier::UNDERLINED,
        Role::Title | Role::Key | Role::Playing | Role::Error | Role::LogError | Role::Rec | Role::BorderFocus => {
            Modifier::BOLD
        }
        Role::Live => Modifier::BOLD.union(Modifier::REVERSED),
        Role::Muted | Role::MeterEmpty => Modifier::DIM,
        _ => Modifier::empty(),
    };
    Paint {
        mods,
        ..Paint::default()
    }
}

fn to_style(paint: Paint, depth: Depth) -> Style {
    let mut style = Style::new().add_modifier(paint.mods);
    if depth == Depth::Mono {
        return style;
    }
    if let Some(colour) = paint.fg {
        style = style.fg(colour.to_terminal(depth));
    }
    if let Some(colour) = paint.bg {
        style = style.bg(colour.to_terminal(depth));
    }
    style
}
