//! The settings as rows, and what Enter does on each.

use super::{Effect, act, ask, rebind};
use crate::engine::snapshot::UNLIMITED_BPS;
use crate::tui::action::Action;
use crate::tui::model::{Model, PromptKind, SpectrumStyle};
use crate::tui::settings::DELAY_MAX;
use crate::tui::theme::Pack;
use crate::tui::update::words;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Theme,
    Signs,
    Mouse,
    Spectrum,
    SpectrumStyle,
    Keys,
    Record,
    Notifications,
    Output,
    Delay,
    Upload,
    Volumes,
}

const ROWS: [Row; 12] = [
    Row::Theme,
    Row::Signs,
    Row::Mouse,
    Row::Spectrum,
    Row::SpectrumStyle,
    Row::Keys,
    Row::Record,
    Row::Notifications,
    Row::Output,
    Row::Delay,
    Row::Upload,
    Row::Volumes,
];

/// A setting's name, value and what it is about.
pub struct SettingRow {
    pub name: &'static str,
    pub value: String,
    pub about: &'static str,
}

/// The settings as rows.
pub fn settings_rows(model: &Model) -> Vec<SettingRow> {
    ROWS.iter().map(|row| shown(model, *row)).collect()
}

fn shown(model: &Model, row: Row) -> SettingRow {
    let settings = &model.settings;
    let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
    let (name, value, about) = match row {
        Row::Theme => ("theme", settings.theme.clone(), "opens the chooser"),
        Row::Signs => (
            "signs",
            settings.glyphs.clone(),
            "unicode, narrow for East Asian fonts, ascii, or auto by the locale",
        ),
        Row::Mouse => (
            "mouse",
            on_off(settings.mouse),
            "click and scroll here; off lets the terminal select text",
        ),
        Row::Spectrum => (
            "spectrum",
            on_off(settings.spectrum),
            "costs an FFT thirty times a second while it is seen",
        ),
        Row::SpectrumStyle => (
            "spectrum style",
            settings.spectrum_style.word().to_owned(),
            "bars or only their tops",
        ),
        Row::Keys => (
            "keys",
            model.bindings.preset.name().to_owned(),
            "vim, arrows or emacs; ? then e changes one key",
        ),
        Row::Record => (
            "record",
            settings.record_word().to_owned(),
            "split: a file a title; whole: one file",
        ),
        Row::Notifications => (
            "notices",
            on_off(settings.notifications),
            "a notice on the desktop when a favourite goes on air",
        ),
        Row::Output => (
            "output",
            settings.output.clone().unwrap_or_else(|| "as started".to_owned()),
            "a device's name, for the next channel played",
        ),
        Row::Delay => (
            "delay",
            format!("{:.1} s", model.hearing.delay.as_secs_f64()),
            "behind the host, for the next channel played",
        ),
        Row::Upload => (
            "upload cap",
            upload_now(model).unwrap_or_else(|| "none".to_owned()),
            "most bits a second to pass on; 0 is listen only",
        ),
        Row::Volumes => (
            "volumes",
            match settings.volumes.len() {
                1 => "1 channel".to_owned(),
                count => format!("{count} channels"),
            },
            "Enter forgets the volumes kept by channel",
        ),
    };
    SettingRow { name, value, about }
}

/// Changes the setting of a row, or asks for its value.
pub fn change(model: &mut Model, row: usize, effects: &mut Vec<Effect>) {
    let Some(row) = ROWS.get(row) else { return };
    let settings = &mut model.settings;
    match row {
        Row::Theme => return act::act(model, &Action::Theme.into(), effects),
        Row::Signs => {
            let order = ["auto", "unicode", "narrow", "ascii"];
            let at = order.iter().position(|name| *name == settings.glyphs).unwrap_or(0);
            settings.glyphs = order[(at + 1) % order.len()].to_owned();
            let pack = Pack::from_name(&settings.glyphs).unwrap_or(model.look.suggested_pack);
            model.look.set_pack(pack);
        }
        Row::Mouse => {
            settings.mouse = !settings.mouse;
            effects.push(Effect::Mouse(settings.mouse));
        }
        Row::Spectrum => settings.spectrum = !settings.spectrum,
        Row::SpectrumStyle => {
            settings.spectrum_style = match settings.spectrum_style {
                SpectrumStyle::Bars => SpectrumStyle::Peaks,
                SpectrumStyle::Peaks => SpectrumStyle::Bars,
            };
        }
        Row::Keys => return rebind::next_preset(model, effects),
        Row::Record => settings.record_split = !settings.record_split,
        Row::Notifications => settings.notifications = !settings.notifications,
        Row::Output => return typed(model, "output ", settings_output(model)),
        Row::Delay => {
            let now = format!("{}", model.hearing.delay.as_secs_f64());
            return typed(model, "delay ", now);
        }
        Row::Upload => {
            let now = upload_now(model).unwrap_or_default();
            return typed(model, "upload ", now);
        }
        Row::Volumes => settings.volumes.clear(),
    }
    effects.push(Effect::SaveSettings);
}

fn upload_now(model: &Model) -> Option<String> {
    let bps = model.snapshot.upload_limit_bps;
    (bps < UNLIMITED_BPS).then(|| words::rate(bps))
}

fn settings_output(model: &Model) -> String {
    model.settings.output.clone().unwrap_or_default()
}

/// Opens the command line with the value as it is.
fn typed(model: &mut Model, command: &str, value: String) {
    model.overlay = None;
    ask(model, PromptKind::Command, &format!("{command}{value}"));
}

/// `:output NAME` and `:delay SECONDS`, kept and used from the next channel on.
pub fn hearing(model: &mut Model, action: Action, argument: &str, effects: &mut Vec<Effect>) {
    if action == Action::Output {
        let name = match argument {
            "" => return typed(model, "output ", settings_output(model)),
            "default" => None,
            name => Some(name.to_owned()),
        };
        model.settings.output = name;
        take_output(model);
        model.tell(format!("the next channel plays to {argument}"));
    } else {
        if argument.is_empty() {
            let now = format!("{}", model.hearing.delay.as_secs_f64());
            return typed(model, "delay ", now);
        }
        let Some(delay) = words::parse_seconds(argument).filter(|delay| *delay <= DELAY_MAX) else {
            return model.warn("a delay is a number of seconds up to 60, such as 2 or 0.5");
        };
        model.settings.delay = Some(delay);
        model.hearing.delay = delay;
        model.tell(format!(
            "the next channel is heard {:.1} s behind its host",
            delay.as_secs_f64()
        ));
    }
    effects.push(Effect::SaveSettings);
}

/// Lets the kept output count for the next channel.
pub fn take_output(model: &mut Model) {
    use crate::engine::command::OutputTarget;
    model.hearing.outputs = match model.settings.output.as_deref() {
        None => Vec::new(),
        Some("null") => vec![OutputTarget::Null],
        Some(name) => vec![OutputTarget::Device(Some(name.to_owned()))],
    };
}
