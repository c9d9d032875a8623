//! Walking through lists, on screens and in what lies over them.

use crossterm::event::KeyCode;

use super::{Effect, act, help, look, run, settings, view};
use crate::tui::action::{Action, Call, Screen};
use crate::tui::keys::{Chord, Meaning};
use crate::tui::model::{Model, Overlay};
use crate::tui::neighbours::Tie;

/// Panes that Tab walks through on this screen.
pub fn panes(model: &Model) -> usize {
    match model.screen {
        Screen::Channels | Screen::NowPlaying => 2,
        Screen::Mesh | Screen::Studio | Screen::Log => 1,
    }
}

/// Moves in the focused list.
pub fn walk(model: &mut Model, action: Action) {
    let count = panes(model);
    match action {
        Action::NextPane => return model.pane = (model.pane + 1) % count,
        Action::PreviousPane => return model.pane = (model.pane + count - 1) % count,
        _ => {}
    }
    let page = usize::from(model.size.1 / 2).max(1);
    match model.screen {
        Screen::Channels if model.pane == 1 => {
            let folded = view::Tier::of(model.size) != view::Tier::Full;
            // Folded into a line, the shelves stand side by side, above the list.
            let action = match (folded, action) {
                (true, Action::Left) => Action::Up,
                (true, Action::Right) => Action::Down,
                (true, Action::Down) => Action::Right,
                (_, action) => action,
            };
            let count = model.channels.shelves.len();
            let row = step(model.channels.shelf_selected, count, page, action);
            if action == Action::Right {
                model.pane = 0;
            } else if row != model.channels.shelf_selected {
                model.channels.open_shelf(row);
            }
        }
        Screen::Channels => {
            if action == Action::Left {
                model.pane = 1;
            }
            model.channels.selected = step(model.channels.selected, model.channels.rows.len(), page, action);
        }
        Screen::Mesh => {
            let (rows, at) = model.mesh_rows();
            let first = |tie: Tie| rows.iter().position(|neighbour| Tie::of(neighbour) == tie);
            let to = match action {
                Action::Left => first(Tie::Parent).unwrap_or(at),
                Action::Right => first(Tie::Child).unwrap_or(at),
                action => step(at, rows.len(), page, action),
            };
            model.mesh.selected = rows.get(to).map(|neighbour| neighbour.peer);
        }
        Screen::Log => {
            let count = model.journal.visible().len();
            model.journal.selected = step(model.journal.selected, count, page, action);
            model.journal.follow = model.journal.selected == 0;
        }
        Screen::NowPlaying => {
            if matches!(action, Action::Left | Action::Right) {
                model.pane = usize::from(action == Action::Right);
                return;
            }
            // Whoever walks means the titles: nothing else on this screen has rows.
            model.pane = 1;
            model.heard.selected = step(model.heard.selected, model.heard.titles.len(), page, action);
        }
        Screen::Studio => {}
    }
}

fn step(at: usize, count: usize, page: usize, action: Action) -> usize {
    let last = count.saturating_sub(1);
    match action {
        Action::Up | Action::PreviousMatch => at.saturating_sub(1),
        Action::Down | Action::NextMatch => (at + 1).min(last),
        Action::Top => 0,
        Action::Bottom => last,
        Action::HalfUp => at.saturating_sub(page),
        Action::HalfDown => (at + page).min(last),
        _ => at.min(last),
    }
}

/// A click on a row selects it; on the selected row of the channels it plays.
pub fn on_click(model: &mut Model, row: usize, pane: usize, effects: &mut Vec<Effect>) {
    if let Some(overlay) = &mut model.overlay {
        match overlay {
            Overlay::Themes { selected, .. }
            | Overlay::Settings { selected }
            | Overlay::Titles { selected }
            | Overlay::Help { selected, .. } => *selected = row,
            Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. } => {}
        }
        preview_theme(model);
        return;
    }
    model.pane = pane;
    match model.screen {
        Screen::Channels if pane == 1 => model.channels.open_shelf(row),
        Screen::Channels if row < model.channels.rows.len() => {
            if model.channels.selected == row {
                act::act(model, &Action::Play.into(), effects);
            }
            model.channels.selected = row;
        }
        Screen::Mesh => {
            let peer = model.mesh_rows().0.get(row).map(|neighbour| neighbour.peer);
            model.mesh.selected = peer;
        }
        Screen::Log => {
            model.journal.selected = row.min(model.journal.visible().len().saturating_sub(1));
            model.journal.follow = false;
        }
        Screen::NowPlaying if pane == 1 => model.heard.selected = row.min(model.heard.titles.len().saturating_sub(1)),
        Screen::Channels | Screen::NowPlaying | Screen::Studio => {}
    }
}

/// Gives a key to what lies over the screen; false when nothing lies there or it does not want the key.
pub fn on_overlay_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) -> bool {
    let Some(overlay) = model.overlay.clone() else {
        return false;
    };
    match overlay {
        Overlay::Help { typed, selected, all } => help::on_help_key(model, chord, (typed, selected, all), effects),
        Overlay::Ask { call, .. } => {
            let yes = chord.code == KeyCode::Enter || matches!(chord.typed(), Some('y' | 'Y'));
            answer(model, &call, yes, effects);
        }
        Overlay::Words { .. } => return on_words_key(model, chord),
        Overlay::Themes { .. } | Overlay::Settings { .. } | Overlay::Titles { .. } => {
            on_list_key(model, chord, effects);
        }
        Overlay::Rebind { .. } => {}
    }
    true
}

/// Keys that walk turn over what is longer than its box. Any other key closes; those that mean something on the screen do
/// it, too.
fn on_words_key(model: &mut Model, chord: Chord) -> bool {
    let count = overlay_rows(model);
    if count > 1
        && let Meaning::Call(call) = model.bindings.meaning(&[chord], model.screen)
        && is_step(call.action)
    {
        let page = usize::from(model.size.1 / 2).max(1);
        if let Some(first) = selected_row(model) {
            *first = step(*first, count, page, call.action);
        }
        return true;
    }
    model.overlay = None;
    matches!(chord.code, KeyCode::Esc | KeyCode::Enter) || matches!(chord.typed(), Some('q' | ' ' | 'w'))
}

fn is_step(action: Action) -> bool {
    matches!(
        action,
        Action::Up | Action::Down | Action::Top | Action::Bottom | Action::HalfUp | Action::HalfDown
    )
}

fn answer(model: &mut Model, call: &Call, yes: bool, effects: &mut Vec<Effect>) {
    if yes {
        run(model, call, effects);
    }
    model.overlay = None;
}

/// What the mouse asks for while something lies over the screen: its hints and the wheel are for that, not for the screen.
pub fn on_overlay_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(overlay) = model.overlay.clone() else { return };
    let down = matches!(action, Action::Down);
    match (overlay, action) {
        (_, Action::Back) => drop(dismiss(model)),
        (Overlay::Ask { call, .. }, Action::Play) => answer(model, &call, true, effects),
        (Overlay::Help { typed, selected, all }, _) => {
            let code = match action {
                Action::Play => KeyCode::Enter,
                Action::Up => KeyCode::Up,
                Action::Down => KeyCode::Down,
                Action::NextPane => KeyCode::Tab,
                _ => return,
            };
            let chord = Chord {
                code,
                mods: crossterm::event::KeyModifiers::NONE,
            };
            help::on_help_key(model, chord, (typed, selected, all), effects);
        }
        (_, Action::Up | Action::Down) => {
            let last = overlay_rows(model).saturating_sub(1);
            if let Some(selected) = selected_row(model) {
                *selected = if down {
                    (*selected + 1).min(last)
                } else {
                    selected.saturating_sub(1)
                };
            }
            preview_theme(model);
        }
        (_, Action::Play) => {
            if let Some(row) = selected_row(model).map(|row| *row) {
                choose(model, row, effects);
            }
        }
        (Overlay::Titles { selected }, Action::TagTitle) => drop(model.heard.tag(selected)),
        (_, _) => {}
    }
}

fn on_list_key(model: &mut Model, chord: Chord, effects: &mut Vec<Effect>) {
    let call = match model.bindings.meaning(&[chord], model.screen) {
        Meaning::Call(call) => Some(call.action),
        Meaning::Prefix(_) | Meaning::Nothing => None,
    };
    let page = usize::from(model.size.1 / 2).max(1);
    let count = overlay_rows(model);
    let Some(row) = selected_row(model).map(|row| *row) else {
        return;
    };
    let in_settings = matches!(model.overlay, Some(Overlay::Settings { .. }));
    let in_titles = matches!(model.overlay, Some(Overlay::Titles { .. }));
    match (chord.code, call) {
        (KeyCode::Esc, _) => drop(dismiss(model)),
        (KeyCode::Enter, _) => choose(model, row, effects),
        (_, Some(Action::Left | Action::Right)) if in_settings => choose(model, row, effects),
        (_, Some(Action::TagTitle)) if in_titles => drop(model.heard.tag(row)),
        (_, Some(Action::Copy)) if in_titles => choose(model, row, effects),
        (_, Some(Action::SearchTitle)) if in_titles => search(model, row, effects),
        (_, Some(Action::Quit | Action::Theme | Action::Settings | Action::Titles)) => drop(dismiss(model)),
        (code, action) => {
            let to = match (code, action) {
                (KeyCode::Char('g'), _) => 0,
                (_, Some(action)) => step(row, count, page, action),
                (_, None) => row,
            };
            if let Some(selected) = selected_row(model) {
                *selected = to;
            }
            preview_theme(model);
        }
    }
}

fn selected_row(model: &mut Model) -> Option<&mut usize> {
    match &mut model.overlay {
        Some(
            Overlay::Themes { selected, .. }
            | Overlay::Settings { selected }
            | Overlay::Titles { selected }
            | Overlay::Words { first: selected, .. },
        ) => Some(selected),
        Some(Overlay::Help { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => None,
    }
}

/// Copies the address of a web search for a title, counted from the newest: a browser may be on another machine.
pub fn search(model: &mut Model, from_newest: usize, effects: &mut Vec<Effect>) {
    let title = model.heard.newest().nth(from_newest).map(|heard| heard.title.clone());
    match title {
        Some(title) => {
            effects.push(Effect::Copy(search_address(&title)));
            model.tell(format!("copied a search for {title}; paste it into a browser"));
        }
        None => model.warn("no title was heard yet"),
    }
}

fn search_address(title: &str) -> String {
    let mut address = String::from("https://duckduckgo.com/?q=");
    for byte in title.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => address.push(char::from(byte)),
            b' ' => address.push('+'),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Rows of what lies over the screen.
pub fn overlay_rows(model: &Model) -> usize {
    match &model.overlay {
        Some(Overlay::Themes { .. }) => model.look.shelf.names().len(),
        Some(Overlay::Settings { .. }) => settings::settings_rows(model).len(),
        Some(Overlay::Titles { .. }) => model.heard.titles.len(),
        Some(Overlay::Help { typed, all, .. }) => help::help_rows(model, typed, *all).len(),
        // As many as there are lines to begin with.
        Some(Overlay::Words { .. }) => view::words_beyond(model) + 1,
        Some(Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => 0,
    }
}

fn preview_theme(model: &mut Model) {
    let Some(Overlay::Themes { selected, .. }) = model.overlay else {
        return;
    };
    if let Some(name) = model.look.shelf.names().get(selected).cloned()
        && name != model.look.wanted
    {
        look::wear(model, &name);
    }
}

/// Takes away what lies over the screen, and a theme that was only tried with it; false when nothing lies there.
pub fn dismiss(model: &mut Model) -> bool {
    match model.overlay.take() {
        Some(Overlay::Themes { before, .. }) => {
            look::wear(model, &before);
            true
        }
        Some(
            Overlay::Help { .. }
            | Overlay::Settings { .. }
            | Overlay::Titles { .. }
            | Overlay::Words { .. }
            | Overlay::Ask { .. }
            | Overlay::Rebind { .. },
        ) => true,
        None => false,
    }
}

fn keep_theme(model: &mut Model, effects: &mut Vec<Effect>) {
    model.overlay = None;
    model.settings.theme = model.look.wanted.clone();
    effects.push(Effect::SaveSettings);
}

fn choose(model: &mut Model, row: usize, effects: &mut Vec<Effect>) {
    match &model.overlay {
        Some(Overlay::Themes { .. }) => keep_theme(model, effects),
        Some(Overlay::Settings { .. }) => settings::change(model, row, effects),
        Some(Overlay::Titles { .. }) => {
            let title = model.heard.newest().nth(row).map(|title| title.title.clone());
            if let Some(title) = title {
                model.tell(format!("copied {title}"));
                effects.push(Effect::Copy(title));
            }
        }
        Some(Overlay::Help { .. } | Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => {}
    }
}
