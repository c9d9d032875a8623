//! Completion on the `:` line: names of commands, and the values of every command that has a set of them.

use crate::tui::action::{Action, Call, VOCABULARY, completions};
use crate::tui::channels::Sort;
use crate::tui::journal::MODULES;
use crate::tui::model::{Model, Prompt, PromptKind};
use crate::tui::text::clean;
use crate::tui::theme::Pack;

/// Candidates worth showing.
const SHOWN_MAX: usize = 40;

/// What may stand at the end of the line, by what is there already; empty when nothing is known.
pub fn candidates(model: &Model) -> Vec<String> {
    match &model.prompt {
        Some(prompt) if prompt.kind == PromptKind::Command => fitting(prompt, model).1,
        Some(_) | None => Vec::new(),
    }
}

/// Completes the end of the line as far as all that fits agrees.
pub fn complete(prompt: &mut Prompt, model: &Model) {
    let (start, fitting) = fitting(prompt, model);
    let Some(first) = fitting.first() else { return };
    let mut common = first.clone();
    for name in &fitting {
        while !name.to_lowercase().starts_with(&common.to_lowercase()) {
            common.pop();
        }
    }
    if common.len() < prompt.text.len() - start {
        return;
    }
    prompt.text.truncate(start);
    prompt.text.push_str(&common);
    if fitting.len() == 1 && start == 0 {
        prompt.text.push(' ');
    }
    prompt.cursor = prompt.text.len();
}

/// Where the part to complete begins, and what fits it.
fn fitting(prompt: &Prompt, model: &Model) -> (usize, Vec<String>) {
    let text = prompt.text.as_str();
    let Some((word, argument)) = text.split_once(' ') else {
        return (0, completions(text).into_iter().map(str::to_owned).collect());
    };
    // Of a filter, the term that is being typed.
    let action = action_of(word);
    let typed = match action {
        Some(Action::Filter) => argument.rsplit(' ').next().unwrap_or_default(),
        _ => argument,
    };
    let wanted = typed.to_lowercase();
    let mut all = action.map(|action| values(model, action)).unwrap_or_default();
    all.retain(|value| value.to_lowercase().starts_with(&wanted));
    all.truncate(SHOWN_MAX);
    (text.len() - typed.len(), all)
}

fn action_of(word: &str) -> Option<Action> {
    let exact = VOCABULARY.iter().find(|entry| entry.name == word);
    exact
        .map(|entry| entry.action)
        .or_else(|| Call::parse(&format!("{word} x")).ok().map(|call| call.action))
}

/// The set of values that may follow an action's name; empty when any text may, or nothing.
fn values(model: &Model, action: Action) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match action {
        Action::Theme => {
            let mut names = model.look.shelf.names();
            names.extend(Pack::ALL.iter().map(|pack| pack.name().to_owned()));
            names
        }
        Action::Goto => words(&["channels", "now-playing", "mesh", "studio", "log"]),
        Action::Play => model
            .channels
            .listings
            .iter()
            .filter(|listing| listing.playable && !listing.hidden)
            .map(|listing| clean(&listing.name))
            .collect(),
        Action::SortNext => Sort::ALL.iter().map(|sort| sort.name().to_owned()).collect(),
        Action::Filter => terms(model),
        Action::LogLevel => words(&["info", "warn", "error"]),
        Action::LogModule => ["all"].iter().chain(&MODULES).map(|word| (*word).to_owned()).collect(),
        Action::Record => words(&["split", "whole", "off"]),
        Action::Sleep => words(&["off", "15m", "30m", "1h", "2h"]),
        Action::Volume => words(&["0", "25", "50", "75", "100"]),
        Action::UploadCap => words(&["0", "500k", "1M", "2M", "5M"]),
        Action::Delay => words(&["0.5", "1", "2", "5"]),
        Action::Output => words(&["default", "null"]),
        Action::GoOnAir => words(&["file ", "mic", "tone"]),
        _ => Vec::new(),
    }
}

/// `tag:`, `lang:` and `host:` with what the list holds.
fn terms(model: &Model) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for listing in model.channels.listings.iter() {
        let tags = listing.genre.split([',', ' ', '·']);
        terms.extend(
            tags.filter(|tag| !tag.is_empty())
                .map(|tag| format!("tag:{}", clean(tag))),
        );
        let languages = listing.language.split([',', ' ']);
        terms.extend(
            languages
                .filter(|language| !language.is_empty())
                .map(|language| format!("lang:{}", clean(language))),
        );
    }
    terms.push("host:".to_owned());
    terms.sort();
    terms.dedup();
    terms
}
