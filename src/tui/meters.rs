//! Levels as meters show them: with a held peak, and at rest when nothing sounds.

use std::time::Duration;

use super::action::Screen;
use super::model::{Model, Overlay};
use super::view::Tier;
use crate::engine::snapshot::{Detail, Levels, PlayerState};

/// Sound below this is silence to a meter, in dB.
pub const METER_FLOOR_DB: f32 = -60.0;

/// Levels with their held peaks.
#[derive(Clone, Copy, Debug)]
pub struct Meters {
    pub levels: Levels,
    pub held_db: [f32; 2],
    held_at: [Duration; 2],
    /// When anything was last heard.
    sound_at: Option<Duration>,
}

impl Default for Meters {
    /// Meters at rest.
    fn default() -> Meters {
        Meters {
            levels: Levels::default(),
            held_db: [f32::NEG_INFINITY; 2],
            held_at: [Duration::ZERO; 2],
            sound_at: None,
        }
    }
}

impl Meters {
    /// Takes new levels; a peak is held for a second and a half and then falls.
    pub fn take(&mut self, levels: Levels, now: Duration) {
        self.levels = levels;
        for side in 0..2 {
            let peak = levels.peak_db[side];
            if peak >= self.held_db[side] || now.saturating_sub(self.held_at[side]) > Duration::from_millis(1_500) {
                self.held_db[side] = peak;
                self.held_at[side] = now;
            }
        }
        if levels.peak_db.iter().any(|peak| *peak > METER_FLOOR_DB) {
            self.sound_at = Some(now);
        }
    }

    /// True while something moves, or did within three seconds.
    pub fn is_moving(&self, now: Duration) -> bool {
        self.sound_at
            .is_some_and(|at| now.saturating_sub(at) < Duration::from_secs(3))
    }
}

/// What moves, and whether anybody sees it.
impl Model {
    /// True while what is heard should be sounding.
    pub fn is_hearing(&self) -> bool {
        self.player().is_some_and(|player| {
            !player.paused && matches!(player.state, PlayerState::Playing | PlayerState::BufferLow)
        })
    }

    /// True while sound should be coming out, here or at our listeners.
    pub fn is_sounding(&self) -> bool {
        self.is_hearing() || self.show().is_some()
    }

    /// Meters of what the strip is about: what is heard, else our own show.
    pub fn strip_meters(&self) -> &Meters {
        if self.player().is_none() && self.show().is_some() {
            &self.programme
        } else {
            &self.meters
        }
    }

    /// True while levels move on the screen.
    pub fn is_metering(&self) -> bool {
        let moving = self.meters.is_moving(self.now) || self.programme.is_moving(self.now);
        self.is_sounding() && self.focused && moving && self.shows_meters()
    }

    fn shows_meters(&self) -> bool {
        match Tier::of(self.size) {
            Tier::Compact | Tier::Narrow => matches!(self.screen, Screen::NowPlaying | Screen::Studio),
            Tier::Strip | Tier::Medium | Tier::Full => true,
        }
    }

    /// True while the spectrum is on the screen and has something to show.
    pub fn shows_spectrum(&self) -> bool {
        self.detail_seen() == Detail::Spectrum
    }

    /// What of the sound can be seen on the screen.
    pub fn detail_seen(&self) -> Detail {
        let closely = self.screen == Screen::NowPlaying
            && !self.covers_spectrum()
            && self.focused
            && self.is_hearing()
            && self.meters.is_moving(self.now);
        if !closely {
            Detail::Levels
        } else if self.settings.spectrum && Tier::of(self.size).has_spectrum() {
            Detail::Spectrum
        } else {
            Detail::Loudness
        }
    }

    /// True while what lies over the screen leaves no spectrum to see. The theme chooser stands beside it on purpose, and
    /// a few words lie in the middle.
    pub fn covers_spectrum(&self) -> bool {
        match &self.overlay {
            Some(Overlay::Help { .. } | Overlay::Titles { .. } | Overlay::Settings { .. }) => true,
            Some(Overlay::Themes { .. }) => Tier::of(self.size) <= Tier::Narrow,
            Some(Overlay::Words { .. } | Overlay::Ask { .. } | Overlay::Rebind { .. }) | None => false,
        }
    }
}
