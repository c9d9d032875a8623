//! Levels as meters show them: with a held peak, and at rest when nothing sounds.

use std::time::Duration;

use crate::engine::snapshot::Levels;

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
