//! The pieces and who plays when.

use super::instrument::{Instrument, Sounded};
use crate::units::SAMPLE_RATE;

/// A piece, written as chords and patterns of sixteenths: `x` strong, `o` soft, `.` nothing.
pub(super) struct Piece {
    pub title: &'static str,
    pub beats_a_minute: f32,
    /// MIDI notes of each bar's chord, root first; the progression repeats.
    pub chords: &'static [[u8; 4]],
    pub bars: u32,
    pub kick: &'static str,
    pub brush: &'static str,
    pub hat: &'static str,
    pub bass: &'static str,
    /// Which chord note the arpeggio plays at each step, `.` for none.
    pub arpeggio: &'static str,
    /// Steps on which a melody note may fall.
    pub melody: &'static str,
    pub lead: Lead,
    /// Brings the piece to about -18 LUFS, measured.
    pub gain: f32,
}

/// Who has the melody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    Pluck,
    Bell,
}

pub(super) const PIECES: [Piece; 5] = [
    Piece {
        title: "Harbour Lights",
        beats_a_minute: 84.0,
        chords: &[[57, 60, 64, 71], [53, 57, 60, 64], [60, 64, 67, 74], [55, 59, 62, 69]],
        bars: 28,
        kick: "x.....o.x.......",
        brush: "....x.......x..o",
        hat: "o.x.o.x.o.x.o.xo",
        bass: "x.....x.x...x...",
        arpeggio: "0.2.1.3.2.1.3.2.",
        melody: "x...x.x...x.....",
        lead: Lead::Bell,
        gain: 0.425,
    },
    Piece {
        title: "Night Train, Window Seat",
        beats_a_minute: 112.0,
        chords: &[[50, 57, 60, 65], [50, 55, 59, 65], [48, 55, 60, 64], [46, 53, 58, 62]],
        bars: 36,
        kick: "x...x...x...x.o.",
        brush: "....x..o....x...",
        hat: "o.xoo.xoo.xoo.xx",
        bass: "x.xx..x.x.xx..x.",
        arpeggio: "0123.1320.312.13",
        melody: "x..x..x...x..x..",
        lead: Lead::Pluck,
        gain: 0.375,
    },
    Piece {
        title: "Paper Lanterns",
        beats_a_minute: 96.0,
        chords: &[[53, 57, 60, 67], [50, 57, 60, 65], [46, 53, 58, 62], [48, 55, 58, 64]],
        bars: 40,
        kick: "x...........",
        brush: "....o...o...",
        hat: "....x...x.o.",
        bass: "x...........",
        arpeggio: "0.1.2.3.2.1.",
        melody: "x...x...x.x.",
        lead: Lead::Bell,
        gain: 0.375,
    },
    Piece {
        title: "Copper Wire",
        beats_a_minute: 100.0,
        chords: &[[52, 59, 62, 67], [52, 57, 60, 67], [48, 55, 59, 64], [47, 54, 57, 62]],
        bars: 32,
        kick: "x..x..x...x.....",
        brush: "....x.......x...",
        hat: "x.o.x.oox.o.x.oo",
        bass: "x..x..x...xx..x.",
        arpeggio: "0..1..2..3..2.1.",
        melody: "..x.x...x..x....",
        lead: Lead::Pluck,
        gain: 0.44,
    },
    Piece {
        title: "First Snow",
        beats_a_minute: 63.0,
        chords: &[[50, 57, 61, 66], [47, 54, 57, 64], [43, 55, 59, 66], [45, 52, 57, 62]],
        bars: 20,
        kick: "................",
        brush: "................",
        hat: "........o.....o.",
        bass: "x.......x.......",
        arpeggio: "0...2...1...3...",
        melody: "x.....x...x.....",
        lead: Lead::Bell,
        gain: 0.515,
    },
];

impl Piece {
    fn steps_a_bar(&self) -> u32 {
        self.kick.len() as u32
    }

    fn step_frames(&self) -> f64 {
        f64::from(SAMPLE_RATE) * 60.0 / f64::from(self.beats_a_minute) / 4.0
    }

    /// From the first note to the end of the last bar.
    pub(super) fn frames(&self) -> u64 {
        (self.step_frames() * f64::from(self.steps_a_bar() * self.bars)) as u64
    }
}

/// Walks through a piece and gives each player the cue.
pub(super) struct Conductor {
    piece: &'static Piece,
    step: u32,
    random: u64,
    /// Places in the chord scale that the melody of a phrase takes, so that phrases come back.
    motif: [i32; 8],
    taken: usize,
}

/// Which players are in.
struct Players {
    arpeggio: bool,
    rhythm: bool,
    bass: bool,
    melody: bool,
}

impl Conductor {
    pub(super) fn new(piece: &'static Piece) -> Conductor {
        let seed = piece
            .title
            .bytes()
            .fold(1u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(byte)));
        let mut conductor = Conductor {
            piece,
            step: 0,
            random: seed,
            motif: [0; 8],
            taken: 0,
        };
        let mut place = 4i32;
        conductor.motif = std::array::from_fn(|_| {
            place = (place + conductor.draw(5) as i32 - 2).clamp(0, 8);
            place
        });
        conductor
    }

    /// The notes that begin at this frame of the piece; it must be called for each frame in order.
    pub(super) fn notes_at(&mut self, frame: u64) -> Vec<Sounded> {
        let piece = self.piece;
        let total = piece.steps_a_bar() * piece.bars;
        if self.step > total || (frame as f64) < f64::from(self.step) * piece.step_frames() {
            return Vec::new();
        }
        let (bar, at) = (self.step / piece.steps_a_bar(), self.step % piece.steps_a_bar());
        let mut notes = Vec::new();
        if self.step == total {
            self.last_chord(&mut notes);
        } else {
            self.cue(bar, at as usize, &mut notes);
        }
        self.step += 1;
        notes
    }

    fn cue(&mut self, bar: u32, at: usize, notes: &mut Vec<Sounded>) {
        let piece = self.piece;
        let players = players(bar, piece.bars);
        let chord = &piece.chords[bar as usize % piece.chords.len()];
        let bar_frames = (piece.step_frames() * f64::from(piece.steps_a_bar())) as u32;
        if at == 0 {
            for (i, pitch) in chord.iter().enumerate() {
                let pan = [-0.5, 0.3, -0.2, 0.6][i];
                notes.push(sounded(Instrument::Pad, f32::from(*pitch), 0.34, bar_frames, pan));
            }
            self.taken = 0;
        }
        if players.arpeggio
            && let Some(i) = digit(piece.arpeggio, at)
        {
            let lift = if (bar / 4) % 2 == 1 && at % 8 >= 4 { 24.0 } else { 12.0 };
            let strength = 0.16 + 0.05 * self.share();
            let pan = if at % 4 < 2 { -0.45 } else { 0.45 };
            notes.push(sounded(
                Instrument::Pluck,
                f32::from(chord[i]) + lift,
                strength,
                4_800,
                pan,
            ));
        }
        if players.bass
            && let Some(strength) = stroke(piece.bass, at)
        {
            let root = f32::from(chord[0]);
            let low = if root > 47.0 { root - 24.0 } else { root - 12.0 };
            let high = at > 0 && self.draw(5) == 0;
            let frames = (piece.step_frames() * 1.9) as u32;
            notes.push(sounded(
                Instrument::Bass,
                if high { low + 12.0 } else { low },
                0.34 * strength,
                frames,
                0.0,
            ));
        }
        if players.rhythm {
            self.drums(at, notes);
        }
        if players.melody
            && let Some(strength) = stroke(piece.melody, at)
        {
            self.sing(bar, chord, strength, notes);
        }
    }

    fn drums(&mut self, at: usize, notes: &mut Vec<Sounded>) {
        let piece = self.piece;
        let swing = 0.85 + 0.3 * self.share();
        if let Some(strength) = stroke(piece.kick, at) {
            notes.push(sounded(Instrument::Kick, 36.0, 0.55 * strength, 9_600, 0.0));
        }
        if let Some(strength) = stroke(piece.brush, at) {
            notes.push(sounded(
                Instrument::Brush,
                38.0 + at as f32,
                0.3 * strength * swing,
                9_600,
                -0.1,
            ));
        }
        if let Some(strength) = stroke(piece.hat, at) {
            let open = if strength > 0.8 && at % 8 == 6 { 9_600 } else { 2_400 };
            notes.push(sounded(
                Instrument::Hat,
                42.0 + at as f32,
                0.11 * strength * swing,
                open,
                0.35,
            ));
        }
    }

    /// A phrase has four bars: the motif, the motif, something else, the motif.
    fn sing(&mut self, bar: u32, chord: &[u8; 4], strength: f32, notes: &mut Vec<Sounded>) {
        let place = match bar % 4 {
            2 => self.draw(9) as i32,
            _ => self.motif[self.taken % self.motif.len()],
        };
        self.taken += 1;
        if self.draw(6) == 0 {
            return;
        }
        let octave = (place / 4) as f32 * 12.0;
        let pitch = f32::from(chord[(place % 4) as usize]) + 12.0 + octave;
        let instrument = match self.piece.lead {
            Lead::Pluck => Instrument::Pluck,
            Lead::Bell => Instrument::Bell,
        };
        let pan = 0.25 - 0.5 * self.share();
        notes.push(sounded(instrument, pitch, 0.22 * strength, 24_000, pan));
    }

    fn last_chord(&mut self, notes: &mut Vec<Sounded>) {
        for (i, pitch) in self.piece.chords[0].iter().enumerate() {
            let pitch = f32::from(*pitch);
            notes.push(sounded(
                Instrument::Pad,
                pitch,
                0.3,
                SAMPLE_RATE,
                0.4 * (i as f32 - 1.5),
            ));
            notes.push(sounded(
                Instrument::Bell,
                pitch + 12.0,
                0.12,
                SAMPLE_RATE,
                0.3 * (1.5 - i as f32),
            ));
        }
        notes.push(sounded(
            Instrument::Bass,
            f32::from(self.piece.chords[0][0]) - 12.0,
            0.3,
            2 * SAMPLE_RATE,
            0.0,
        ));
    }

    /// A number below `below`, the same for each performance.
    fn draw(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn share(&mut self) -> f32 {
        self.draw(1_000) as f32 / 1_000.0
    }
}

/// Two bars of pads, then the arpeggio, then everybody; a breath in the middle, and an end that thins out.
fn players(bar: u32, bars: u32) -> Players {
    let middle = (bars / 2) & !3;
    let breath = bar >= middle && bar < middle + 4;
    let ending = bar + 4 >= bars;
    Players {
        arpeggio: bar >= 2,
        rhythm: bar >= 4 && !breath && bar + 2 < bars,
        bass: bar >= 4 && !(breath && bar < middle + 2),
        melody: bar >= 8 && !ending || breath,
    }
}

fn sounded(instrument: Instrument, pitch: f32, strength: f32, frames: u32, pan: f32) -> Sounded {
    Sounded {
        instrument,
        pitch,
        strength,
        frames,
        pan,
    }
}

fn stroke(pattern: &str, at: usize) -> Option<f32> {
    match pattern.as_bytes().get(at) {
        Some(b'x') => Some(1.0),
        Some(b'o') => Some(0.6),
        Some(_) | None => None,
    }
}

fn digit(pattern: &str, at: usize) -> Option<usize> {
    let byte = *pattern.as_bytes().get(at)?;
    (b'0'..=b'3').contains(&byte).then(|| usize::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_a_piece_fills_its_bar() {
        for piece in &PIECES {
            let steps = piece.kick.len();
            for pattern in [piece.brush, piece.hat, piece.bass, piece.arpeggio, piece.melody] {
                assert_eq!(pattern.len(), steps, "{}", piece.title);
            }
            let seconds = piece.frames() / u64::from(SAMPLE_RATE);
            assert!((50..120).contains(&seconds), "{} {seconds}", piece.title);
        }
    }
}
