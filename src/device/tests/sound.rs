//! Tones in, tones out.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use super::server::{Recorder, load_sink, module_of, pactl, with_server, without_server};
use crate::device::null::Null;
use crate::device::{Capture, DeviceChange, Kind, Playback, has_output, list};

const RATE: usize = 48_000;
/// Left and right differ, so that swapped or mixed channels are seen.
const TONES: [f64; 2] = [440.0, 660.0];
const LEVEL: f64 = 0.5;
/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes the tones from frame `next` on, as many as are wanted.
fn feed(output: &mut Playback, next: &mut usize) {
    let frames = output.wanted_frames();
    let block: Vec<f32> = (*next..*next + frames).flat_map(tone).collect();
    output.write(&block);
    *next += frames;
}

/// Feeds until `until` is true, with what the device changes in between.
fn feed_until(output: &mut Playback, next: &mut usize, mut until: impl FnMut(Option<DeviceChange>) -> bool) {
    let begun = Instant::now();
    loop {
        let change = output.poll();
        if until(change) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing came of it");
        feed(output, next);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn tone(frame: usize) -> [f32; 2] {
    TONES.map(|hertz| (LEVEL * (TAU * hertz * frame as f64 / RATE as f64).sin()) as f32)
}

/// How far one second of a channel is from a pure tone of `hertz`: its level, and the largest difference of any sample. A
/// gap, a repetition, a wrong pitch or noise all show as a difference.
fn against_tone(second: &[f32], hertz: f64) -> (f64, f64) {
    let angle = |i: usize| TAU * hertz * i as f64 / RATE as f64;
    let part = |f: fn(f64) -> f64| {
        second
            .iter()
            .enumerate()
            .map(|(i, sample)| f64::from(*sample) * f(angle(i)))
            .sum::<f64>()
            * 2.0
            / RATE as f64
    };
    let (sine, cosine) = (part(f64::sin), part(f64::cos));
    let worst = second
        .iter()
        .enumerate()
        .map(|(i, sample)| (f64::from(*sample) - sine * angle(i).sin() - cosine * angle(i).cos()).abs());
    (sine.hypot(cosine), worst.fold(0.0, f64::max))
}

/// Whether interleaved stereo holds a second of both tones without a fault, at their level.
fn holds_clean_second(samples: &[f32]) -> bool {
    let Some(start) = samples.iter().position(|sample| sample.abs() > 0.01) else {
        return false;
    };
    let start = start / 2 + RATE / 10;
    (start..samples.len() / 2)
        .step_by(RATE / 10)
        .filter(|from| from + RATE <= samples.len() / 2)
        .any(|from| {
            TONES.iter().enumerate().all(|(channel, hertz)| {
                let second: Vec<f32> = (from..from + RATE).map(|i| samples[i * 2 + channel]).collect();
                let (level, worst) = against_tone(&second, *hertz);
                (level - LEVEL).abs() < 0.005 && worst < 0.005
            })
        })
}

#[test]
fn the_judge_of_tones_hears_a_missing_sample() {
    let good: Vec<f32> = (0..2 * RATE).flat_map(tone).collect();
    assert!(holds_clean_second(&good));
    let mut cut = good.clone();
    for at in (1..20).rev() {
        cut.drain(at * RATE / 5..at * RATE / 5 + 2);
    }
    assert!(!holds_clean_second(&cut));
    let swapped: Vec<f32> = good.chunks(2).flat_map(|frame| [frame[1], frame[0]]).collect();
    assert!(!holds_clean_second(&swapped));
}

#[test]
fn a_tone_played_to_a_speaker_is_heard_without_a_fault() {
    let name = "device::tests::sound::a_tone_played_to_a_speaker_is_heard_without_a_fault";
    with_server(name, speaker_plays, null_plays);
}

fn speaker_plays() {
    // Another process may keep the machine busy for longer than the sound server's 40 ms: one clean run is enough.
    for _ in 0..5 {
        let mut output = Playback::open(Some("speaker")).unwrap();
        assert_eq!(output.rate() as usize, RATE);
        let mut recorder = Recorder::start("speaker.monitor");
        let (mut next, mut heard) = (0, Vec::new());
        while heard.len() < 4 * RATE * 2 {
            feed(&mut output, &mut next);
            heard.extend(recorder.read(RATE / 100));
        }
        let latency = output.latency();
        assert!(
            latency > Duration::from_millis(10) && latency < Duration::from_secs(1),
            "{latency:?}"
        );
        output.drain();
        heard.extend(recorder.read(RATE));
        let tail = &heard[heard.len() - RATE / 2..];
        assert!(tail.iter().all(|sample| *sample == 0.0), "silence after the end");
        if holds_clean_second(&heard) {
            return;
        }
    }
    panic!("no run held a clean second");
}

fn null_plays() {
    let begun = Instant::now();
    let mut null = Null::new(RATE as u32, begun);
    let wanted = null.wanted_frames(begun + Duration::from_secs(1));
    null.write(wanted);
    assert!(null.latency(begun + Duration::from_secs(1)) < Duration::from_millis(100));
}

#[test]
fn a_microphone_gives_the_sound_before_it() {
    let name = "device::tests::sound::a_microphone_gives_the_sound_before_it";
    with_server(name, microphone_hears, || {});
}

fn microphone_hears() {
    for _ in 0..5 {
        let mut output = Playback::open(Some("other")).unwrap();
        let (capture, mut ring) = Capture::open(Some("other.monitor")).unwrap();
        assert_eq!((capture.rate() as usize, capture.channels()), (RATE, 2));
        let (mut next, mut heard) = (0, Vec::new());
        feed_until(&mut output, &mut next, |_| {
            heard.extend(std::iter::from_fn(|| ring.pop().ok()));
            heard.len() > 4 * RATE * 2
        });
        if holds_clean_second(&heard) {
            return;
        }
    }
    panic!("no run held a clean second");
}

#[test]
fn a_speaker_that_vanishes_is_replaced_and_taken_up_again_when_it_is_back() {
    let name = "device::tests::sound::a_speaker_that_vanishes_is_replaced_and_taken_up_again_when_it_is_back";
    with_server(name, speaker_vanishes, || {});
}

fn speaker_vanishes() {
    let mut output = Playback::open(None).unwrap();
    let home = output.name();
    let mut next = 0;
    pactl(&["unload-module", &module_of("speaker")]);
    feed_until(&mut output, &mut next, |change| {
        matches!(change, Some(DeviceChange::Lost { .. }))
    });
    let before = next;
    feed_until(&mut output, &mut next, |change| {
        matches!(change, Some(DeviceChange::Moved { .. }))
    });
    assert_ne!(output.name(), home);
    feed_until(&mut output, &mut next, {
        let begun = Instant::now();
        move |_| begun.elapsed() > Duration::from_millis(300)
    });
    assert!(next > before, "time goes on meanwhile");
    load_sink("speaker");
    feed_until(&mut output, &mut next, |change| {
        matches!(change, Some(DeviceChange::Back { .. }))
    });
    assert_eq!(output.name(), home);
    let mut recorder = Recorder::start("speaker.monitor");
    let mut heard = Vec::new();
    while !holds_clean_second(&heard) {
        assert!(heard.len() < 20 * RATE * 2, "the device that is back plays");
        assert_eq!(output.poll(), None);
        feed(&mut output, &mut next);
        heard.extend(recorder.read(RATE / 100));
    }
}

#[test]
fn a_microphone_that_vanishes_goes_on_into_the_same_ring_when_it_is_back() {
    let name = "device::tests::sound::a_microphone_that_vanishes_goes_on_into_the_same_ring_when_it_is_back";
    with_server(name, microphone_vanishes, || {});
}

fn microphone_vanishes() {
    let (mut capture, mut ring) = Capture::open(Some("speaker.monitor")).unwrap();
    let mut wait_for = |wanted: fn(&DeviceChange) -> bool| {
        let begun = Instant::now();
        while !capture.poll().is_some_and(|change| wanted(&change)) {
            assert!(begun.elapsed() < PATIENCE, "nothing was told");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    pactl(&["unload-module", &module_of("speaker")]);
    wait_for(|change| matches!(change, DeviceChange::Lost { kind: Kind::Input, .. }));
    load_sink("speaker");
    wait_for(|change| matches!(change, DeviceChange::Back { kind: Kind::Input, .. }));
    while ring.pop().is_ok() {}
    let begun = Instant::now();
    while ring.pop().is_err() {
        assert!(begun.elapsed() < PATIENCE, "the ring brings sound again");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_list_names_every_device_once_and_its_default() {
    let name = "device::tests::sound::the_list_names_every_device_once_and_its_default";
    with_server(name, list_is_complete, || {});
}

fn list_is_complete() {
    assert!(has_output());
    let infos = list();
    let ids = |kind| {
        let mut ids: Vec<String> = infos
            .iter()
            .filter(|info| info.kind == kind)
            .map(|info| info.id.clone())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(Kind::Output), ["other", "speaker"]);
    assert_eq!(ids(Kind::Input), ["other.monitor", "speaker.monitor"]);
    assert_eq!(infos.iter().filter(|info| info.default).count(), 2);
    assert!(infos.iter().all(|info| info.rates.contains(&48_000)));
}

#[test]
fn a_machine_without_sound_says_what_to_do_and_writes_nothing_else() {
    let name = "device::tests::sound::a_machine_without_sound_says_what_to_do_and_writes_nothing_else";
    let ask = || {
        let _ = list();
        match Playback::open(None) {
            // A machine with a sound card of its own.
            Ok(output) => drop(output),
            Err(error) => assert!(error.to_string().contains("--output null"), "{error}"),
        }
        let error = Playback::open(Some("no such device")).err().unwrap().to_string();
        assert!(
            error.contains("no such device") || error.contains("--output null"),
            "{error}"
        );
    };
    if let Some(stderr) = without_server(name, ask) {
        assert!(!stderr.contains("ALSA lib"), "{stderr}");
    }
}
