//! The line above the screen and the line of hints below it.

use ratatui::layout::Rect;

use super::{Pen, Tier};
use crate::tui::action::{Action, Screen};
use crate::tui::model::{Model, Overlay, PromptKind};
use crate::tui::text::{clean, width};
use crate::tui::theme::{Pack, Role};
use crate::tui::update::words::{clock, rate};

/// Draws tabs, and on the right the one fact that must not be missed.
pub fn header(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    if tier >= Tier::Medium && area.width >= 100 {
        let host = pen.glyphs().host.clone();
        pen.line(
            area,
            0,
            &[(" ", Role::Fg), (&host, Role::NodeHost), (" inonda", Role::Title)],
        );
    }
    for tab in tabs(model, area, tier) {
        let at = Rect {
            x: tab.x,
            width: area.right().saturating_sub(tab.x),
            ..area
        };
        let role = if tab.screen == model.screen {
            Role::Key
        } else {
            Role::Dim
        };
        pen.line(at, 0, &[(&tab.label, role)]);
    }
    let tabs_end = tabs(model, area, tier)
        .last()
        .map_or(area.x, |tab| tab.x + width(&tab.label) as u16);
    let right = Rect {
        x: tabs_end + 1,
        width: area.right().saturating_sub(tabs_end + 2),
        ..area
    };
    let facts = facts(model, tier);
    // The first fact must stay; the others go when there is no room for them.
    for count in (1..=facts.len()).rev() {
        let parts: Vec<(&str, Role)> = facts[..count]
            .iter()
            .map(|(text, role)| (text.as_str(), *role))
            .collect();
        let cells: usize = parts.iter().map(|(text, _)| width(text)).sum();
        if cells <= usize::from(right.width) || count == 1 {
            pen.line_right(right, 0, &parts);
            return;
        }
    }
}

fn facts(model: &Model, tier: Tier) -> Vec<(String, Role)> {
    let glyphs = &model.look.theme.glyphs;
    let roomy = tier >= Tier::Medium;
    let mut facts = Vec::new();
    if let Some(show) = model.show() {
        if show.confirming_peers > 0 {
            facts.push((format!("{} ON AIR {}", glyphs.live, clock(show.on_air)), Role::Live));
            if let Some(listeners) = show.listeners {
                facts.push((format!("  {listeners} listening"), Role::Dim));
            }
        } else {
            let words = if roomy { "nobody receives you yet" } else { "nobody yet" };
            facts.push((format!("{} {words}", glyphs.joining), Role::Warn));
        }
    } else if let Some(channel) = model.shown() {
        let fed = channel.parents.iter().flatten().count();
        let (mark, role) = if fed == channel.parents.len() {
            (&glyphs.room, Role::Ok)
        } else {
            (&glyphs.warn, Role::Warn)
        };
        let peers = channel.neighbours.len();
        let mesh = if roomy { "mesh " } else { "" };
        let many = if peers == 1 { "" } else { "s" };
        facts.push((format!("{mesh}{mark} {peers} peer{many}"), role));
    } else {
        let mesh = if roomy { "mesh " } else { "" };
        facts.push((format!("{mesh}{} no channel", glyphs.joining), Role::Muted));
    }
    let (down, up) = model.traffic_bps();
    facts.push((
        format!("   {} {} {} {}", glyphs.down, rate(down), glyphs.up, rate(up)),
        Role::Dim,
    ));
    if model.wall.unix_s > 0 {
        facts.push((
            format!("   {}", model.wall.hours_minutes(model.wall.unix_s)),
            Role::Muted,
        ));
    }
    facts
}

struct Tab {
    screen: Screen,
    label: String,
    x: u16,
}

/// The tabs with full names, short ones or numbers: as long as the fact that must not be missed keeps its room.
fn tabs(model: &Model, area: Rect, tier: Tier) -> Vec<Tab> {
    let lead = if tier >= Tier::Medium && area.width >= 100 {
        10
    } else {
        0
    };
    let fact = facts(model, tier).first().map_or(0, |(text, _)| width(text) as u16);
    let full = tabs_named(model, area.x + lead, |screen| screen.names().0);
    let short = || tabs_named(model, area.x + lead, |screen| screen.names().1);
    let fits = |tabs: &[Tab]| {
        let end = tabs.last().map_or(0, |tab| tab.x + width(&tab.label) as u16);
        end + fact + 2 <= area.right()
    };
    if tier >= Tier::Medium && fits(&full) {
        return full;
    }
    let short = short();
    if fits(&short) {
        return short;
    }
    tabs_named(model, area.x + lead, |_| "")
}

fn tabs_named(model: &Model, mut x: u16, name: impl Fn(Screen) -> &'static str) -> Vec<Tab> {
    let mut tabs = Vec::new();
    for (i, screen) in Screen::ALL.into_iter().enumerate() {
        let words = format!("{} {}", i + 1, name(screen));
        let words = words.trim_end();
        let label = if screen == model.screen {
            format!("[{words}]")
        } else {
            format!(" {words} ")
        };
        let cells = label.len() as u16;
        tabs.push(Tab { screen, label, x });
        x += cells;
    }
    tabs
}

/// The tab at a column of the header.
pub fn tab_at(model: &Model, area: Rect, tier: Tier, column: u16) -> Option<Screen> {
    let tabs = tabs(model, area, tier);
    tabs.iter()
        .find(|tab| (tab.x..tab.x + tab.label.len() as u16).contains(&column))
        .map(|tab| tab.screen)
}

/// Draws this screen's verbs, or what is being typed, or what has to be said.
pub fn hints(model: &Model, pen: &mut Pen<'_>, area: Rect, tier: Tier) {
    if let Some(prompt) = &model.prompt {
        return prompt_line(model, pen, area, prompt);
    }
    let (verbs, pinned) = hint_places(model, area, tier);
    let pinned_at = pinned.first().map_or(area.right(), |hint| hint.x);
    if let Some(flash) = &model.flash {
        let role = if flash.bad { Role::Warn } else { Role::Fg };
        let room = Rect {
            width: pinned_at.saturating_sub(area.x),
            ..area
        };
        let mark = if flash.bad {
            format!(" {} ", pen.glyphs().warn)
        } else {
            " ".to_owned()
        };
        pen.line(room, 0, &[(&mark, role), (&clean(&flash.text), role)]);
    } else if !model.pending.is_empty() {
        let keys: Vec<String> = model.pending.iter().map(ToString::to_string).collect();
        pen.line(
            area,
            0,
            &[(" ", Role::Fg), (&keys.join(" "), Role::Key), (" …", Role::Muted)],
        );
    } else {
        verbs.iter().for_each(|hint| draw_hint(pen, area, hint));
    }
    pinned.iter().for_each(|hint| draw_hint(pen, area, hint));
}

fn draw_hint(pen: &mut Pen<'_>, area: Rect, hint: &Hint) {
    let at = Rect {
        x: hint.x,
        width: area.right().saturating_sub(hint.x),
        ..area
    };
    pen.line(
        at,
        0,
        &[(&hint.key, Role::Key), (" ", Role::Fg), (hint.word, Role::Dim)],
    );
}

struct Hint {
    action: Action,
    key: String,
    word: &'static str,
    x: u16,
}

impl Hint {
    fn cells(&self) -> u16 {
        (width(&self.key) + 1 + width(self.word)) as u16
    }
}

/// Keys whose names are long have a sign where the font has it.
fn short_key(model: &Model, key: String) -> String {
    match (key.as_str(), model.look.pack) {
        ("Enter", Pack::Unicode) => "⏎".to_owned(),
        _ => key,
    }
}

/// Verbs from the left as far as there is room, and the pinned ones on the right.
fn hint_places(model: &Model, area: Rect, tier: Tier) -> (Vec<Hint>, Vec<Hint>) {
    let arrows = match model.look.pack {
        Pack::Unicode => "↑↓".to_owned(),
        Pack::Narrow | Pack::Ascii => "Up/Down".to_owned(),
    };
    let hint = |(action, word): (Action, &'static str)| {
        let key = match action {
            Action::VolumeDown => {
                format!(
                    "{}/{}",
                    model.bindings.label(Action::VolumeDown),
                    model.bindings.label(Action::VolumeUp)
                )
            }
            // Letters are typed into the filter of help.
            Action::Up if matches!(model.overlay, Some(Overlay::Help { .. })) => arrows.clone(),
            Action::Up => format!(
                "{}/{}",
                model.bindings.label(Action::Down),
                model.bindings.label(Action::Up)
            ),
            action => short_key(model, model.bindings.label(action)),
        };
        Hint {
            action,
            key,
            word,
            x: 0,
        }
    };
    let pins: &[(Action, &str)] = match (&model.overlay, tier) {
        (Some(_), _) => &[(Action::Back, "close")],
        (None, Tier::Full | Tier::Medium) => &[(Action::Help, "help"), (Action::Quit, "quit")],
        (None, Tier::Compact | Tier::Narrow | Tier::Strip) => &[(Action::Help, "help")],
    };
    let mut pinned: Vec<Hint> = pins.iter().copied().map(hint).collect();
    let mut x = area.right();
    for hint in pinned.iter_mut().rev() {
        x = x.saturating_sub(hint.cells() + 1);
        hint.x = x;
    }
    let mut verbs = Vec::new();
    let mut at = area.x + 1;
    for mut hint in verbs_here(model, tier)
        .into_iter()
        .map(hint)
        .filter(|hint| !hint.key.is_empty())
    {
        if at + hint.cells() + 2 > x {
            break;
        }
        hint.x = at;
        at += hint.cells() + 2;
        verbs.push(hint);
    }
    (verbs, pinned)
}

/// The verbs of what lies over the screen.
fn verbs_over(model: &Model, overlay: &Overlay) -> Vec<(Action, &'static str)> {
    use Action as A;
    match overlay {
        Overlay::Words { .. } if super::words_beyond(model) > 0 => vec![(A::Up, "read on")],
        Overlay::Help { .. } => vec![(A::Play, "run"), (A::Up, "select"), (A::NextPane, "this screen / all")],
        Overlay::Themes { .. } => vec![(A::Play, "keep"), (A::Up, "try another")],
        Overlay::Settings { .. } => vec![(A::Play, "change"), (A::Up, "select")],
        Overlay::Titles { .. } => vec![(A::Play, "copy"), (A::TagTitle, "tag"), (A::Up, "select")],
        Overlay::Ask { .. } => vec![(A::Play, "yes")],
        Overlay::Words { .. } | Overlay::Rebind { .. } => vec![],
    }
}

/// The verbs of the screen that do something at this moment, the most wanted first.
fn verbs_here(model: &Model, tier: Tier) -> Vec<(Action, &'static str)> {
    use Action as A;
    if let Some(overlay) = &model.overlay {
        return verbs_over(model, overlay);
    }
    let playing = model.player().is_some();
    let sound = [(A::Pause, "pause"), (A::Mute, "mute"), (A::VolumeDown, "vol")];
    if tier == Tier::Strip {
        return if playing {
            sound.to_vec()
        } else {
            vec![(A::CommandLine, "command")]
        };
    }
    let mut verbs = match model.screen {
        Screen::Channels => vec![
            (A::Play, "play"),
            (A::Filter, "filter"),
            (A::SortNext, "sort"),
            (A::Favourite, "fav"),
            (A::Info, "info"),
        ],
        Screen::NowPlaying if playing => {
            let mut verbs = sound.to_vec();
            verbs.extend([
                (A::Record, "rec"),
                (A::Visualiser, "visual"),
                (A::Sleep, "sleep"),
                (A::TagTitle, "tag"),
                (A::Titles, "history"),
            ]);
            verbs.extend([(A::Reconnect, "reconnect"), (A::Why, "why")]);
            verbs
        }
        Screen::NowPlaying => vec![(A::ScreenChannels, "channels"), (A::Titles, "history")],
        Screen::Mesh => vec![
            (A::Inspect, "inspect"),
            (A::BlockPeer, "block"),
            (A::UploadCap, "upload cap"),
            (A::HideIdle, "hide idle"),
            (A::Reconnect, "reconnect"),
            (A::Why, "why"),
        ],
        Screen::Studio if model.show().is_some() => {
            vec![
                (A::EditTitle, "title"),
                (A::SkipTrack, "next"),
                (A::EndShow, "end the show"),
                (A::Copy, "copy link"),
            ]
        }
        Screen::Studio => vec![(A::GoOnAir, "go on air"), (A::ScreenChannels, "channels")],
        Screen::Log => vec![
            (A::LogLevel, "level"),
            (A::LogModule, "module"),
            (A::Filter, "find"),
            (A::LogFollow, "follow"),
            (A::LogExplain, "explain"),
            (A::LogExport, "export"),
        ],
    };
    if model.screen == Screen::Mesh {
        verbs.insert(1, (A::TreeOrList, "tree/list"));
    }
    if playing && model.screen != Screen::NowPlaying {
        verbs.push((A::Pause, "pause"));
        verbs.push((A::Mute, "mute"));
    }
    verbs.extend([
        (A::Theme, "theme"),
        (A::Settings, "settings"),
        (A::CommandLine, "command"),
    ]);
    verbs
}

/// The verb at a column of the hints.
pub fn verb_at(model: &Model, area: Rect, tier: Tier, column: u16) -> Option<Action> {
    if model.prompt.is_some() {
        return None;
    }
    let (verbs, pinned) = hint_places(model, area, tier);
    let at = |hint: &Hint| (hint.x..hint.x + hint.cells()).contains(&column);
    verbs
        .iter()
        .chain(&pinned)
        .find(|hint| at(hint))
        .map(|hint| hint.action)
}

/// What may follow on the command line, as much of it as half the line holds.
fn choices(model: &Model, area: Rect) -> Option<String> {
    let all = crate::tui::update::candidates(model);
    let room = usize::from(area.width) / 2;
    let mut line = String::new();
    for (shown, candidate) in all.iter().enumerate() {
        if width(&line) + width(candidate) + 6 > room && shown > 0 {
            line.push_str(&format!("  +{}", all.len() - shown));
            break;
        }
        line.push_str(if shown == 0 { "" } else { "  " });
        line.push_str(candidate);
    }
    (!line.is_empty()).then_some(line)
}

fn prompt_line(model: &Model, pen: &mut Pen<'_>, area: Rect, prompt: &crate::tui::model::Prompt) {
    let (mark, about) = match prompt.kind {
        PromptKind::Command => (":", "Enter runs · Tab completes"),
        PromptKind::Filter => ("/", "tag: host: lang: · Esc clears"),
        PromptKind::Find => ("/", "Esc clears"),
        PromptKind::Title => ("title ", "Enter sends it to your listeners"),
        PromptKind::Air => ("air ", "file PATH, mic, tone or station URL, as NAME"),
        PromptKind::Upload => ("upload cap ", "such as 500k or 2M, 0 is listen only"),
    };
    let about = match prompt.kind {
        PromptKind::Filter => format!("{} found · {about}", model.channels.rows.len()),
        PromptKind::Find => format!("{} found · {about}", model.journal.visible().len()),
        PromptKind::Command if !prompt.text.is_empty() => choices(model, area).unwrap_or_else(|| about.to_owned()),
        PromptKind::Command | PromptKind::Title | PromptKind::Upload | PromptKind::Air => about.to_owned(),
    };
    let roomy = usize::from(area.width) > width(&about) + 30;
    let about_cells = if roomy { width(&about) + 2 } else { 0 };
    let room = usize::from(area.width).saturating_sub(about_cells + mark.len() + 3);
    // The part around the cursor is what matters when the line is longer than the room.
    let (before, after) = prompt.text.split_at(prompt.cursor);
    let mut cells = 0;
    let tail = before.char_indices().rev().take_while(|(_, c)| {
        cells += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
        cells <= room
    });
    let before = tail.last().map_or("", |(at, _)| &before[at..]);
    let cursor = pen.glyphs().cursor.clone();
    let at = Rect {
        width: area.width.saturating_sub(about_cells as u16),
        ..area
    };
    pen.line(
        at,
        0,
        &[
            (" ", Role::Fg),
            (mark, Role::Key),
            (before, Role::Fg),
            (&cursor, Role::Key),
            (after, Role::Fg),
        ],
    );
    if roomy {
        pen.line_right(area, 0, &[(&about, Role::Muted), (" ", Role::Fg)]);
    }
}
