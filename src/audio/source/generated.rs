//! Music made from oscillators: short pieces with names, for a demonstration that needs no files. The same samples every time.

mod instrument;
mod reverb;
mod score;

use std::time::Duration;

use super::{Fill, Note, Source};
use crate::units::{CHANNELS, PACKET_SAMPLES, SAMPLE_RATE};
use instrument::Voice;
use reverb::Reverb;
use score::{Conductor, PIECES};

/// Notes that sound at once; the oldest gives way.
const VOICES_MAX: usize = 40;
/// What rings after the last bar, and the breath before the next piece.
const TAIL_FRAMES: u64 = 4 * SAMPLE_RATE as u64;
/// How long a skipped piece takes to fade.
const SKIP_FRAMES: u64 = SAMPLE_RATE as u64 / 5;
/// Who plays.
const BAND: &str = "The Oscillators";

/// The programme, piece after piece, for ever.
pub struct Generated {
    piece: usize,
    conductor: Conductor,
    voices: Vec<Voice>,
    reverb: Reverb,
    /// Frames played of this piece.
    frame: u64,
    /// Frames until the skipped piece is silent.
    skipping: Option<u64>,
    announce: bool,
}

impl Generated {
    /// The programme from its first piece on.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Generated {
        Generated {
            piece: 0,
            conductor: Conductor::new(&PIECES[0]),
            voices: Vec::with_capacity(VOICES_MAX),
            reverb: Reverb::new(),
            frame: 0,
            skipping: None,
            announce: true,
        }
    }

    fn next_piece(&mut self) {
        self.piece = (self.piece + 1) % PIECES.len();
        self.conductor = Conductor::new(&PIECES[self.piece]);
        self.voices.clear();
        self.reverb = Reverb::new();
        self.frame = 0;
        self.skipping = None;
        self.announce = true;
    }

    fn next_frame(&mut self) -> [f32; CHANNELS] {
        for note in self.conductor.notes_at(self.frame) {
            if self.voices.len() == VOICES_MAX {
                self.voices.remove(0);
            }
            self.voices.push(Voice::new(note));
        }
        let (mut dry, mut wet) = ([0f32; CHANNELS], 0f32);
        for voice in &mut self.voices {
            let (sound, send) = voice.next();
            dry[0] += sound[0];
            dry[1] += sound[1];
            wet += send;
        }
        self.voices.retain(|voice| !voice.is_over());
        let room = self.reverb.next(wet);
        let gain = PIECES[self.piece].gain * self.fade();
        self.frame += 1;
        [soft(gain * (dry[0] + room[0])), soft(gain * (dry[1] + room[1]))]
    }

    fn fade(&mut self) -> f32 {
        match &mut self.skipping {
            Some(left) => {
                *left = left.saturating_sub(1);
                *left as f32 / SKIP_FRAMES as f32
            }
            None => 1.0,
        }
    }

    fn is_over(&self) -> bool {
        self.skipping == Some(0) || self.frame >= PIECES[self.piece].frames() + TAIL_FRAMES
    }
}

impl Source for Generated {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        if self.is_over() {
            self.next_piece();
        }
        for frame in out.chunks_exact_mut(CHANNELS) {
            frame.copy_from_slice(&self.next_frame());
        }
        Fill::Full
    }

    fn note(&mut self) -> Option<Note> {
        let first = std::mem::take(&mut self.announce);
        first.then(|| Note::Title(format!("{BAND} – {}", PIECES[self.piece].title)))
    }

    fn skip(&mut self) {
        self.skipping.get_or_insert(SKIP_FRAMES);
    }

    fn position(&self) -> Duration {
        Duration::from_micros(self.frame * 1_000 / 48)
    }

    fn length(&self) -> Option<Duration> {
        Some(Duration::from_micros(
            (PIECES[self.piece].frames() + TAIL_FRAMES) * 1_000 / 48,
        ))
    }

    fn upcoming(&self) -> Vec<String> {
        (1..=3)
            .map(|n| format!("{BAND} – {}", PIECES[(self.piece + n) % PIECES.len()].title))
            .collect()
    }
}

/// Bends peaks instead of cutting them: straight below a half, never beyond one.
fn soft(x: f32) -> f32 {
    let over = x.abs() - 0.5;
    if over <= 0.0 {
        x
    } else {
        x.signum() * (0.5 + 0.5 * (over * 2.0).tanh())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::{Detail, Meter};

    fn play(source: &mut Generated, seconds: usize) -> Vec<f32> {
        let mut sound = Vec::new();
        let mut block = [0.0; PACKET_SAMPLES];
        for _ in 0..seconds * 50 {
            source.fill(&mut block);
            sound.extend(block);
        }
        sound
    }

    #[test]
    fn every_piece_is_about_as_loud_as_radio_and_never_clips() {
        let mut source = Generated::new();
        for piece in PIECES {
            // A third into the piece everybody plays.
            let seconds = (piece.frames() / u64::from(SAMPLE_RATE)) as usize;
            let sound = play(&mut source, seconds / 2);
            let mut loudness = ebur128::EbuR128::new(2, SAMPLE_RATE, ebur128::Mode::I).unwrap();
            loudness.add_frames_f32(&sound).unwrap();
            let lufs = loudness.loudness_global().unwrap();
            let mut meter = Meter::new(SAMPLE_RATE);
            meter.push(&sound);
            let peak = meter.levels(Detail::Levels).peak_db[0];
            assert!((lufs + 18.0).abs() < 1.5, "{}: {lufs} LUFS", piece.title);
            assert!(peak < -0.5, "{}: {peak} dB", piece.title);
            source.skip();
            play(&mut source, 1);
        }
    }

    #[test]
    fn two_runs_give_the_same_samples() {
        assert_eq!(play(&mut Generated::new(), 5), play(&mut Generated::new(), 5));
    }

    #[test]
    fn a_skip_fades_and_names_the_next_piece() {
        let mut source = Generated::new();
        let first = source.note().unwrap();
        play(&mut source, 8);
        let coming = source.upcoming()[0].clone();
        source.skip();
        let sound = play(&mut source, 1);
        assert_eq!(source.note(), Some(Note::Title(coming)));
        assert_ne!(Some(first), source.note());
        let step = sound.chunks_exact(2).map(|f| f[0]).collect::<Vec<_>>();
        let worst = step.windows(2).map(|w: &[f32]| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(worst < 0.2, "{worst}");
    }

    #[test]
    fn a_piece_ends_by_itself_and_the_next_begins() {
        let mut source = Generated::new();
        source.note();
        let whole = (PIECES[0].frames() + TAIL_FRAMES) / u64::from(SAMPLE_RATE) + 2;
        let sound = play(&mut source, whole as usize);
        assert_eq!(
            source.note(),
            Some(Note::Title(format!("{BAND} – {}", PIECES[1].title)))
        );
        assert!(sound.iter().all(|s| s.is_finite()));
    }
}
