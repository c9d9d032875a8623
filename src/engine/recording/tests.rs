//! Recordings as a player of files hears them.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::*;
use crate::audio::chirp;
use crate::audio::codec::Encoder;
use crate::audio::decode::Track;
use crate::units::{CHANNELS, PACKET_FRAMES, SAMPLE_RATE};

fn packets(codec: Codec, count: usize) -> Vec<Bytes> {
    let mut encoder = Encoder::new(codec, 128_000).unwrap();
    let packet = |i: usize| {
        let pcm = chirp::samples((i * PACKET_FRAMES) as u64, PACKET_FRAMES);
        encoder.encode(pcm[..].try_into().unwrap(), 4_000).unwrap()
    };
    (0..count).map(packet).collect()
}

fn wanted(place: &Path, split: bool) -> Recording {
    Recording {
        place: place.to_owned(),
        split,
        date: "2026-11-25".into(),
    }
}

fn decoded(path: &Path) -> (Vec<f32>, Option<String>) {
    let mut track = Track::open(path).unwrap();
    let title = track.title();
    let mut sound = Vec::new();
    while track.read(&mut sound).unwrap() {}
    (sound, title)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).iter().map(name).collect()
}

#[test]
fn pieces_joined_are_the_whole_without_a_gap() {
    let cuts = [
        (0, "Doppler – Passing By"),
        (120, "Second"),
        (121, "Third"),
        (260, "Fourth"),
    ];
    for codec in [Codec::Opus, Codec::Flac] {
        let folder = tempfile::tempdir().unwrap();
        let (one, many) = (folder.path().join("one"), folder.path().join("many"));
        let mut whole = Recorder::begin(&wanted(&one, false), codec, "Night Ferry").unwrap();
        let mut split = Recorder::begin(&wanted(&many, true), codec, "Night Ferry").unwrap();
        for (i, packet) in packets(codec, 400).iter().enumerate() {
            if let Some((_, title)) = cuts.iter().find(|(at, _)| *at == i) {
                whole.title(title);
                split.title(title);
            }
            whole.packet(Some(packet));
            split.packet(Some(packet));
        }
        assert_eq!(split.view().pieces, 4);
        assert_eq!((whole.finish(), split.finish()), (None, None));
        let (whole, title) = decoded(&numbered(&one, 1, extension(codec)));
        assert_eq!(title.as_deref(), Some("Doppler – Passing By"));
        let pieces: Vec<(Vec<f32>, Option<String>)> = files(&many).iter().map(|path| decoded(path)).collect();
        let titles: Vec<&str> = pieces.iter().map(|(_, title)| title.as_deref().unwrap()).collect();
        assert_eq!(titles, cuts.map(|(_, title)| title));
        let joined: Vec<f32> = pieces.into_iter().flat_map(|(sound, _)| sound).collect();
        assert_eq!(joined.len(), whole.len(), "{codec:?}");
        let findings = chirp::examine(&joined, SAMPLE_RATE);
        assert!(
            findings.is_whole(),
            "{codec:?} {:?} {:?}",
            findings.jumps,
            findings.clicks
        );
        let worst = joined
            .iter()
            .zip(&whole)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 0.02, "{codec:?}: {worst} away from the whole");
    }
}

#[test]
fn every_piece_says_what_where_and_when_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::begin(&wanted(folder.path(), true), Codec::Opus, "Night Ferry").unwrap();
    let sound = packets(Codec::Opus, 20);
    for title in ["", "Satie – Vexations"] {
        recorder.title(title);
        sound.iter().for_each(|packet| recorder.packet(Some(packet)));
    }
    assert_eq!(recorder.finish(), None);
    assert_eq!(
        names(folder.path()),
        ["001 Night Ferry.opus", "002 Satie – Vexations.opus"]
    );
    let bytes = fs::read(folder.path().join("002 Satie – Vexations.opus")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for tag in [
        "ARTIST=Satie",
        "TITLE=Vexations",
        "ALBUM=Night Ferry",
        "DATE=2026-11-25",
        "TRACKNUMBER=2",
    ] {
        assert!(text.contains(tag), "{tag}");
    }
}

#[test]
fn nothing_that_exists_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("show.opus");
    fs::write(&taken, "mine").unwrap();
    fs::write(folder.path().join("007 kept.opus"), "mine").unwrap();
    let sound = packets(Codec::Opus, 5);
    for split in [false, true] {
        let place = if split { folder.path() } else { taken.as_path() };
        let mut recorder = Recorder::begin(&wanted(place, split), Codec::Opus, "Ferry").unwrap();
        sound.iter().for_each(|packet| recorder.packet(Some(packet)));
        assert_eq!(recorder.finish(), None);
    }
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    let expected = ["007 kept.opus", "008 Ferry.opus", "show 2.opus", "show.opus"];
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn a_session_of_another_codec_gets_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("show");
    let mut recorder = Recorder::begin(&wanted(&place, false), Codec::Opus, "Ferry").unwrap();
    for codec in [Codec::Opus, Codec::Flac] {
        recorder.session(codec);
        packets(codec, 50)
            .iter()
            .for_each(|packet| recorder.packet(Some(packet)));
    }
    assert_eq!(recorder.finish(), None);
    for name in ["show.opus", "show.oga"] {
        let (sound, _) = decoded(&folder.path().join(name));
        assert!(sound.len() / CHANNELS >= 49 * PACKET_FRAMES, "{name}");
    }
}

#[test]
fn a_place_that_takes_no_files_is_told_and_a_stem_cannot_leave_its_folder() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let trouble = Recorder::begin(&wanted(file.path(), true), Codec::Opus, "Ferry")
        .err()
        .unwrap();
    assert!(trouble.message.contains("choose another place"), "{trouble}");
    assert_eq!(Recording::stem("../../etc/passwd"), "_.._etc_passwd");
    assert_eq!(Recording::stem("深夜ラジオ"), "深夜ラジオ");
    assert_eq!(Recording::stem(""), "inonda");
}
