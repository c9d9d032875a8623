//! What is heard, or our own show, in one mark, one word and one sentence.

use crate::engine::snapshot::PlayerState;
use crate::tui::model::{Awaited, Model};
use crate::tui::text::clean;
use crate::tui::theme::Role;
use crate::tui::view::Pen;

fn joining(awaited: Awaited<'_>, pen: &Pen<'_>) -> State {
    let found = match awaited.peers {
        0 => "looking for peers".to_owned(),
        1 => "1 peer found".to_owned(),
        peers => format!("{peers} peers found"),
    };
    State {
        mark: pen.glyphs().joining.clone(),
        word: "JOINING",
        role: Role::Accent,
        name: clean(awaited.name),
        detail: format!("{found} · Esc gives up"),
    }
}

/// Silence on air that a host should hear of.
const SILENCE_S: u64 = 5;

/// The state in one mark, one word and one sentence.
pub struct State {
    pub mark: String,
    pub word: &'static str,
    pub role: Role,
    /// The channel, or what matters more.
    pub name: String,
    pub detail: String,
}

/// The state of what is heard, or of our own show.
pub fn state(model: &Model, pen: &Pen<'_>) -> State {
    let glyphs = pen.glyphs();
    let of = |mark: &str, word, role, name: String, detail: String| State {
        mark: mark.to_owned(),
        word,
        role,
        name,
        detail,
    };
    if model.stopped {
        return of(
            &glyphs.stop,
            "STOPPED",
            Role::Muted,
            "inonda said goodbye".into(),
            String::new(),
        );
    }
    if let Some(awaited) = model.awaited() {
        return joining(awaited, pen);
    }
    let Some(player) = model.player() else {
        return without_player(model, pen);
    };
    let (name, title) = model
        .playing()
        .map_or_else(Default::default, |c| (clean(&c.name), clean(&c.title)));
    if player.paused {
        return of(
            &glyphs.pause,
            "PAUSED",
            Role::Warn,
            name,
            "space resumes; others still get the sound through you".into(),
        );
    }
    let preview = model.preview.as_ref().filter(|_| player.state != PlayerState::Joining);
    if let Some(preview) = preview {
        let left = preview.until.saturating_sub(model.now).as_secs_f32().ceil();
        let detail = format!("{left} s of preview, Enter stays, Esc returns");
        return of(&glyphs.play, "PREVIEW", Role::Accent, name, detail);
    }
    match player.state {
        PlayerState::Joining => {
            let peers = model.playing().map_or(0, |channel| channel.neighbours.len());
            joining(Awaited { name: &name, peers }, pen)
        }
        PlayerState::Playing if player.muted => {
            of(&glyphs.play, "MUTED", Role::Warn, name, "m lets you hear it".into())
        }
        PlayerState::Playing => of(&glyphs.play, "PLAYING", Role::Playing, name, title),
        PlayerState::BufferLow => of(
            &glyphs.warn,
            "BUFFER LOW",
            Role::Warn,
            name,
            "playing a little slower · w tells why".into(),
        ),
        PlayerState::Reconnecting => of(
            &glyphs.reconnect,
            "RECONNECTING",
            Role::Warn,
            name,
            "asking other parents · c now".into(),
        ),
        PlayerState::OffAir => of(
            &glyphs.stop,
            "OFF AIR",
            Role::Muted,
            name,
            "the show has ended · 1 shows what is on air".into(),
        ),
        PlayerState::NoOutput => of(
            &glyphs.closed,
            "NO SOUND OUT",
            Role::Error,
            name,
            "no device takes the sound · 5 tells more".into(),
        ),
    }
}

fn without_player(model: &Model, pen: &Pen<'_>) -> State {
    let glyphs = pen.glyphs();
    let of = |mark: &str, word, role, name: String, detail: String| State {
        mark: mark.to_owned(),
        word,
        role,
        name,
        detail,
    };
    if let Some(show) = model.show() {
        let silent = show.silent_for.as_secs();
        let name = clean(&show.name);
        return if show.confirming_peers == 0 {
            let detail = "nobody receives you yet · y copies the link to send".to_owned();
            of(&glyphs.joining, "WAITING", Role::Warn, name, detail)
        } else if silent >= SILENCE_S {
            of(
                &glyphs.warn,
                "SILENCE",
                Role::Error,
                format!("{silent} s"),
                "your listeners hear nothing · check the source".into(),
            )
        } else {
            let listening = show
                .listeners
                .map_or(String::new(), |count| format!("{count} listening · "));
            let detail = format!("{listening}SENT {} {} peers confirm", glyphs.ok, show.confirming_peers);
            of(&glyphs.live, "ON AIR", Role::Live, name, detail)
        };
    }
    if let Some(channel) = model.snapshot.channels.first() {
        return of(
            &glyphs.room,
            "RELAYING",
            Role::Ok,
            clean(&channel.name),
            "carried, not played".into(),
        );
    }
    of(
        &glyphs.stop,
        "SILENT",
        Role::Muted,
        "nothing is playing".into(),
        "1 then Enter plays a channel".into(),
    )
}
