//! Files one after the other, without a gap and without a click.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Fill, Note, Notes, Source};
use crate::audio::decode::{DecodeError, Track};
use crate::audio::resample::{Quality, Resampler};
use crate::audio::title;
use crate::units::{CHANNELS, PACKET_FRAMES, PACKET_SAMPLES, SAMPLE_RATE};

/// Decoded ahead beyond the block that is asked for, so that an end that comes as a surprise can still be faded.
const AHEAD: usize = PACKET_SAMPLES;
/// Fade where a track is left or found in the middle: 10 ms.
const FADE: usize = 480 * CHANNELS;

/// A list of files.
pub struct Playlist {
    paths: Vec<PathBuf>,
    repeat: bool,
    /// The next path to open.
    next: usize,
    /// Files in a row that could not be played at all.
    failed: usize,
    track: Option<Playing>,
    resampler: Option<(u32, Resampler)>,
    decoded: Vec<f32>,
    /// 48 kHz stereo that waits.
    ready: Vec<f32>,
    /// Samples in `ready` after which the next title begins.
    title_at: Option<(usize, String)>,
    fade_in: bool,
    ended: bool,
    position_frames: u64,
    length: Option<Duration>,
    notes: Notes,
}

struct Playing {
    track: Track,
    path: PathBuf,
    sounded: bool,
}

impl Playlist {
    /// Plays `paths` in order, again and again if `repeat`.
    pub fn new(paths: Vec<PathBuf>, repeat: bool) -> Playlist {
        Playlist {
            paths,
            repeat,
            next: 0,
            failed: 0,
            track: None,
            resampler: None,
            decoded: Vec::new(),
            ready: Vec::new(),
            title_at: None,
            fade_in: false,
            ended: false,
            position_frames: 0,
            length: None,
            notes: Notes::default(),
        }
    }

    /// Opens the next file that can be played; false when there is none.
    fn open_next(&mut self) -> bool {
        loop {
            if self.next >= self.paths.len() {
                if !self.repeat || self.failed >= self.paths.len() {
                    return false;
                }
                self.next = 0;
            }
            let path = self.paths[self.next].clone();
            self.next += 1;
            match Track::open(&path) {
                Ok(track) => {
                    self.track = Some(Playing {
                        track,
                        path,
                        sounded: false,
                    });
                    return true;
                }
                Err(error) => {
                    self.failed += 1;
                    self.skipped(path, &error);
                }
            }
            if self.failed >= self.paths.len() {
                return false;
            }
        }
    }

    /// Decodes a little more; false at the end of the list.
    fn advance(&mut self) -> bool {
        let Some(playing) = &mut self.track else {
            if self.open_next() {
                return true;
            }
            self.finish();
            return false;
        };
        self.decoded.clear();
        match playing.track.read(&mut self.decoded) {
            Ok(true) => {
                self.take_decoded();
                true
            }
            Ok(false) => {
                let empty = !playing.sounded;
                let path = playing.path.clone();
                self.track = None;
                if empty {
                    self.failed += 1;
                    self.skipped(path, &DecodeError::NoSound);
                }
                true
            }
            Err(error) => {
                let (path, sounded) = (playing.path.clone(), playing.sounded);
                self.track = None;
                self.failed += usize::from(!sounded);
                self.break_off();
                self.skipped(path, &error);
                true
            }
        }
    }

    fn take_decoded(&mut self) {
        let Some(playing) = &mut self.track else {
            return;
        };
        let rate_hz = playing.track.rate_hz();
        if self.resampler.as_ref().is_none_or(|(rate, _)| *rate != rate_hz) {
            if let Some((_, old)) = &mut self.resampler {
                old.finish(&mut self.ready);
            }
            self.resampler = Some((rate_hz, Resampler::new(rate_hz, SAMPLE_RATE, Quality::Studio)));
        }
        let tagged = playing.track.title();
        if !playing.sounded {
            playing.sounded = true;
            self.failed = 0;
            let text = tagged.or_else(|| stem(&playing.path));
            self.title_at = Some((self.ready.len(), text.unwrap_or_default()));
        } else if let Some(text) = tagged {
            self.title_at = Some((self.ready.len(), text));
        }
        let from = self.ready.len();
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.push(&self.decoded, &mut self.ready);
        }
        if std::mem::take(&mut self.fade_in) {
            fade(&mut self.ready[from..], |share| share);
        }
    }

    /// The sound ends where nobody meant it to.
    fn break_off(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            resampler.finish(&mut self.ready);
        }
        let from = self.ready.len().saturating_sub(FADE);
        fade(&mut self.ready[from..], |share| 1.0 - share);
        self.fade_in = true;
    }

    fn finish(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        if let Some((_, mut resampler)) = self.resampler.take() {
            resampler.finish(&mut self.ready);
        }
        if self.failed >= self.paths.len() {
            self.notes.say(Note::Trouble {
                message: "none of the files can be played".to_owned(),
                hint: "name other files or folders with --file".to_owned(),
            });
        }
    }

    fn skipped(&mut self, path: PathBuf, error: &DecodeError) {
        self.notes.say(Note::Skipped {
            path,
            why: error.to_string(),
        });
    }

    /// Says a title once its first sample is in the block that goes out.
    fn announce(&mut self, taken: usize) {
        let Some((at, text)) = self.title_at.take() else {
            return;
        };
        if at >= taken {
            self.title_at = Some((at - taken, text));
            return;
        }
        self.position_frames = ((taken - at) / CHANNELS) as u64;
        self.length = self.track.as_ref().and_then(|playing| playing.track.length());
        if !text.is_empty() {
            self.notes.say(Note::Title(text));
        }
    }
}

impl Source for Playlist {
    fn fill(&mut self, out: &mut [f32; PACKET_SAMPLES]) -> Fill {
        while self.ready.len() < PACKET_SAMPLES + AHEAD && !self.ended {
            // One title waits at a time, so that none is passed over; short files then come one a block.
            if self.title_at.is_some() && self.track.is_none() && self.ready.len() >= PACKET_SAMPLES {
                break;
            }
            self.advance();
        }
        let taken = self.ready.len().min(PACKET_SAMPLES);
        out[..taken].copy_from_slice(&self.ready[..taken]);
        out[taken..].fill(0.0);
        self.ready.drain(..taken);
        self.position_frames += PACKET_FRAMES as u64;
        self.announce(taken);
        match self.ended && self.ready.is_empty() {
            true => Fill::Ended,
            false => Fill::Full,
        }
    }

    fn note(&mut self) -> Option<Note> {
        self.notes.next()
    }

    fn skip(&mut self) {
        if self.track.take().is_some() {
            self.ready.truncate(FADE.max(PACKET_SAMPLES / 2));
            self.resampler = None;
            let from = self.ready.len().saturating_sub(FADE);
            fade(&mut self.ready[from..], |share| 1.0 - share);
            self.fade_in = true;
            self.title_at = None;
        }
    }

    fn position(&self) -> Duration {
        Duration::from_micros(self.position_frames * 1_000 / 48)
    }

    fn length(&self) -> Option<Duration> {
        self.length
    }

    fn upcoming(&self) -> Vec<String> {
        let count = self.paths.len();
        let left = if self.repeat {
            count
        } else {
            count.saturating_sub(self.next)
        };
        (0..left.min(3))
            .filter_map(|i| stem(&self.paths[(self.next + i) % count]))
            .collect()
    }
}

fn stem(path: &Path) -> Option<String> {
    let text = title::clean(&path.file_stem()?.to_string_lossy());
    (!text.is_empty()).then_some(text)
}

fn fade(samples: &mut [f32], gain: impl Fn(f32) -> f32) {
    let frames = (samples.len() / CHANNELS).min(FADE / CHANNELS);
    for (i, frame) in samples.chunks_exact_mut(CHANNELS).take(frames).enumerate() {
        let gain = gain((i + 1) as f32 / frames as f32);
        frame.iter_mut().for_each(|sample| *sample *= gain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::chirp;
    use crate::audio::sink::WavWriter;

    struct Heard {
        sound: Vec<f32>,
        titles: Vec<(usize, String)>,
        skipped: Vec<(String, String)>,
        trouble: usize,
    }

    fn wav(path: &Path, rate_hz: u32, sound: &[f32]) {
        let mut writer = WavWriter::create(path, rate_hz).unwrap();
        writer.write(sound).unwrap();
        writer.finish().unwrap();
    }

    fn play(mut playlist: Playlist, blocks_max: usize) -> Heard {
        let mut heard = Heard {
            sound: Vec::new(),
            titles: Vec::new(),
            skipped: Vec::new(),
            trouble: 0,
        };
        let mut block = [0.0; PACKET_SAMPLES];
        for at in 0..blocks_max {
            let fill = playlist.fill(&mut block);
            heard.sound.extend(block);
            while let Some(note) = playlist.note() {
                match note {
                    Note::Title(title) => heard.titles.push((at, title)),
                    Note::Skipped { path, why } => {
                        heard
                            .skipped
                            .push((path.file_name().unwrap().to_string_lossy().into_owned(), why));
                    }
                    Note::Trouble { .. } => heard.trouble += 1,
                }
            }
            if fill == Fill::Ended {
                break;
            }
        }
        heard
    }

    #[test]
    fn a_signal_cut_into_files_comes_out_without_a_seam() {
        let folder = tempfile::tempdir().unwrap();
        let sound = chirp::samples(0, 200_000);
        let paths: Vec<PathBuf> = (0..4).map(|i| folder.path().join(format!("part {i}.wav"))).collect();
        for (path, part) in paths.iter().zip(sound.chunks(100_000)) {
            wav(path, 48_000, part);
        }
        let heard = play(Playlist::new(paths, false), 1_000);
        let findings = chirp::examine(&heard.sound, SAMPLE_RATE);
        assert!(findings.is_whole(), "{:?} {:?}", findings.jumps, findings.clicks);
        let titles: Vec<&str> = heard.titles.iter().map(|(_, title)| title.as_str()).collect();
        assert_eq!(titles, ["part 0", "part 1", "part 2", "part 3"]);
        assert_eq!(heard.titles[2].0, 100_000 / PACKET_FRAMES);
        assert!(heard.skipped.is_empty());
    }

    #[test]
    fn bad_files_are_named_and_the_show_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let whole = chirp::samples(0, 96_000);
        wav(&path("good.wav"), 48_000, &whole);
        let bytes = std::fs::read(path("good.wav")).unwrap();
        std::fs::write(path("cut.wav"), &bytes[..bytes.len() / 2]).unwrap();
        std::fs::write(
            path("noise.mp3"),
            bytes.iter().map(|b| b.wrapping_mul(31) ^ 0x5a).collect::<Vec<_>>(),
        )
        .unwrap();
        std::fs::write(path("text.ogg"), "not sound at all").unwrap();
        std::fs::write(path("empty.flac"), "").unwrap();
        let names = ["gone.mp3", "cut.wav", "text.ogg", "empty.flac", "noise.mp3", "good.wav"];
        let heard = play(Playlist::new(names.map(path).to_vec(), false), 1_000);
        let skipped: Vec<&str> = heard.skipped.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(skipped, ["gone.mp3", "cut.wav", "text.ogg", "empty.flac", "noise.mp3"]);
        assert!(
            heard.skipped[1].1.contains("cut off after 0:01 of 0:02"),
            "{}",
            heard.skipped[1].1
        );
        let titles: Vec<&str> = heard.titles.iter().map(|(_, title)| title.as_str()).collect();
        assert_eq!(titles, ["cut", "good"]);
        let findings = chirp::examine(&heard.sound, SAMPLE_RATE);
        assert!(findings.clicks.is_empty(), "{:?}", findings.clicks);
    }

    #[test]
    fn a_list_without_one_good_file_ends_even_when_repeated() {
        let playlist = Playlist::new(vec!["/gone/a.mp3".into(), "/gone/b.mp3".into()], true);
        let heard = play(playlist, 1_000);
        assert_eq!(
            (heard.skipped.len(), heard.trouble, heard.sound.len()),
            (2, 1, PACKET_SAMPLES)
        );
    }

    #[test]
    fn a_repeated_list_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        wav(&path, 44_100, &chirp::samples(0, 44_100));
        let heard = play(Playlist::new(vec![path], true), 160);
        assert_eq!(heard.titles.len(), 4);
    }

    #[test]
    fn skipping_fades_and_goes_on_with_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["a.wav", "b.wav"].map(|name| folder.path().join(name)).to_vec();
        paths
            .iter()
            .for_each(|path| wav(path, 48_000, &chirp::samples(0, 96_000)));
        let mut playlist = Playlist::new(paths, false);
        let (mut sound, mut block) = (Vec::new(), [0.0; PACKET_SAMPLES]);
        for i in 0..100 {
            if i == 30 {
                playlist.skip();
            }
            playlist.fill(&mut block);
            sound.extend(block);
        }
        let findings = chirp::examine(&sound, SAMPLE_RATE);
        assert!(findings.clicks.is_empty(), "{:?}", findings.clicks);
        assert_eq!(std::iter::from_fn(|| playlist.note()).count(), 2);
        assert!(playlist.position() < Duration::from_millis(1_450));
    }

    #[test]
    fn every_format_comes_out_whole_in_tune_and_with_its_title() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds");
        for name in [
            "chirp.mp3",
            "chirp.m4a",
            "alac.m4a",
            "chirp.flac",
            "vorbis.ogg",
            "chirp.opus",
            "chirp.aiff",
        ] {
            let heard = play(Playlist::new(vec![folder.join(name)], false), 200);
            let titles: Vec<&str> = heard.titles.iter().map(|(_, title)| title.as_str()).collect();
            assert_eq!(titles, ["Doppler – Passing By"], "{name}");
            assert!(heard.skipped.is_empty(), "{name}: {:?}", heard.skipped);
            let findings = chirp::examine(&heard.sound, SAMPLE_RATE);
            assert!(
                findings.is_whole(),
                "{name}: {:?} {:?} {}",
                findings.jumps,
                findings.clicks,
                findings.strange
            );
            assert!(
                findings.level_db.0 > -0.5 && findings.level_db.1 < 0.5,
                "{name}: {:?}",
                findings.level_db
            );
            assert!(
                findings.speed.0 > 0.9999 && findings.speed.1 < 1.0001,
                "{name}: {:?}",
                findings.speed
            );
            // Encoders put silence before the sound, which gapless playback leaves out: symphonia does not for AAC.
            let early = findings.dated[0].at as f64 - findings.dated[0].source;
            let late_max = if name == "chirp.m4a" { 2_300.0 } else { 2.0 };
            assert!((-2.0..late_max).contains(&early), "{name}: {early} frames late");
        }
    }

    #[test]
    fn a_damaged_file_of_any_format_is_left_without_a_panic() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds");
        let scratch = tempfile::tempdir().unwrap();
        let mut seed = 5u32;
        let mut draw = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below.max(1)
        };
        for name in [
            "chirp.mp3",
            "chirp.m4a",
            "alac.m4a",
            "chirp.flac",
            "vorbis.ogg",
            "chirp.opus",
            "chirp.aiff",
        ] {
            let whole = std::fs::read(folder.join(name)).unwrap();
            for _ in 0..12 {
                let mut bytes = whole.clone();
                for _ in 0..1 + draw(40) {
                    let at = draw(bytes.len());
                    bytes[at] = draw(256) as u8;
                }
                bytes.truncate(bytes.len() - draw(bytes.len() / 2));
                let path = scratch.path().join(name);
                std::fs::write(&path, bytes).unwrap();
                let heard = play(Playlist::new(vec![path], false), 500);
                assert!(heard.sound.iter().all(|sample| sample.is_finite()), "{name}");
            }
        }
    }
}
