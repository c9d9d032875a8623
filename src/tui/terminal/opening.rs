//! What the interface begins with: settings, theme, keys, and what is wrong with their files.

use super::files::Files;
use super::wall;
use crate::engine::event::Level;
use crate::tui::keys::Bindings;
use crate::tui::look::Look;
use crate::tui::model::Model;
use crate::tui::theme::{Depth, Pack, Shelf};
use crate::tui::update::take_output;
use crate::tui::{Given, Options, text};

/// The model at the start. What is wrong with the files it was made from is in its log, and the first of it in the strip.
pub(super) fn open_model(options: &Options, files: &mut Files) -> Model {
    let lookup = |name: &str| std::env::var(name).ok();
    let depth = Depth::from_env(lookup);
    if depth == Depth::Mono {
        // crossterm drops colour resets under NO_COLOR and with them the reversed selection; the theme sets no colours.
        crossterm::style::force_color_output(true);
    }
    let suggested = Pack::from_env(lookup);
    let mut told = Vec::new();
    let settings = files.settings(&mut told);
    let name = options.theme.clone().unwrap_or_else(|| settings.theme.clone());
    let (mut look, words) = Look::new(Shelf::open(files.themes().as_deref()), &name, depth, suggested);
    told.extend(words);
    if let Some(pack) = Pack::from_name(&settings.glyphs) {
        look.set_pack(pack);
    }
    let (bindings, words) = files
        .keys()
        .map_or_else(|| (Bindings::default(), Vec::new()), |text| Bindings::read(&text));
    told.extend(words);
    let started = format!(
        "inonda {}, theme {}, colour {}, glyphs {}",
        env!("CARGO_PKG_VERSION"),
        look.theme.name,
        depth.name(),
        look.pack.name()
    );
    let mut model = Model::new(options.visit, options.screen, look, bindings, settings);
    model.wall = wall();
    model.hearing = options.hearing.clone();
    take_settings(&mut model, options.given);
    model.heard = files.titles();
    let now = model.wall.unix_s;
    model.journal.add(now, Level::Info, "app", &started, "");
    let hint = "The rest of the file is used; mend the line and start again.";
    for text in &told {
        model.journal.add(now, Level::Warn, "app", text, hint);
    }
    match told.as_slice() {
        [] => {}
        [only] => model.warn(text::clean(only)),
        [first, rest @ ..] => model.warn(format!("{} · {} more in the log, 5", text::clean(first), rest.len())),
    }
    model
}

/// What was kept counts where the command line said nothing.
fn take_settings(model: &mut Model, given: Given) {
    if let Some(delay) = model.settings.delay.filter(|_| !given.delay) {
        model.hearing.delay = delay;
    }
    if !given.output && model.settings.output.is_some() {
        take_output(model);
    }
}
