//! The whole way of the sound, from a microphone through the mesh to a speaker, with a sound server's null sinks as both.

#![allow(clippy::disallowed_methods, reason = "sound devices live on the system's clock")]

#[path = "on_air/rig.rs"]
mod rig;
#[path = "../src/device/tests/server.rs"]
#[allow(dead_code, reason = "shared with the tests of devices, which use all of it")]
mod server;

use std::process::{Child, Command};

use inonda::audio::chirp;
use rig::{Lab, Node, assert_whole};
use server::{Recorder, load_sink, module_of, pactl, with_server};

const RATE: usize = 48_000;

/// A busy machine may starve the sound server's 40 ms once, which no program can mend: one clean run of these is enough.
const RUNS: usize = 4;

fn skip() {
    eprintln!("no sound server here: nothing to test");
}

#[test]
fn what_a_speaker_plays_is_what_the_host_sent() {
    with_server("what_a_speaker_plays_is_what_the_host_sent", speaker, skip);
}

fn speaker() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap(), "--loop"]);
    let (_relay, via_relay) = lab.relay("relay", &link);
    let clean = (0..RUNS).any(|run| {
        let mut recorder = Recorder::start("speaker.monitor");
        let mut listener = lab.listener(&format!("listener-{run}"), &via_relay, &["--output", "device:speaker"]);
        listener.wait("joined");
        let heard = recorder.read(RATE * 6);
        let ended = listener.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let sound = heard.iter().filter(|sample| sample.abs() > 0.01).count();
        let findings = chirp::examine(&heard, RATE as u32);
        let clean = findings.is_whole() && sound > RATE * 4;
        if !clean {
            eprintln!("run {run}: {findings:#?}");
        }
        clean
    });
    assert!(clean, "no run was whole");
}

#[test]
fn what_a_microphone_hears_is_what_listeners_hear() {
    with_server("what_a_microphone_hears_is_what_listeners_hear", microphone, skip);
}

fn microphone() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let _player = Player::start(file.to_str().unwrap());
    let (_host, link) = lab.host("host", &["--mic", "other.monitor"]);
    let (_relay, via_relay) = lab.relay("relay", &link);
    let clean = (0..RUNS).any(|run| {
        let out = lab.path(&format!("heard-{run}.wav"));
        let mut listener = lab.listener(
            &format!("listener-{run}"),
            &via_relay,
            &["--output", &format!("wav:{}", out.display())],
        );
        listener.wait("joined");
        listener.run_for(6);
        let ended = listener.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let findings = chirp::examine(&rig::wav(&out), RATE as u32);
        if !findings.is_whole() {
            eprintln!("run {run}: {findings:#?}");
        }
        findings.is_whole()
    });
    assert!(clean, "no run was whole");
}

#[test]
fn a_listener_whose_speaker_is_unplugged_hears_the_next_and_then_the_first_again() {
    with_server(
        "a_listener_whose_speaker_is_unplugged_hears_the_next_and_then_the_first_again",
        unplugged,
        skip,
    );
}

fn unplugged() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let wav = lab.path("heard.wav");
    let outputs = ["--output", "device", "--output", &format!("wav:{}", wav.display())];
    let mut listener = lab.listener("listener", &link, &outputs);
    listener.wait("joined");
    listener.run_for(2);
    pactl(&["unload-module", &module_of("speaker")]);
    told(&mut listener, "now comes out of");
    let mut recorder = Recorder::start("other.monitor");
    assert!(is_chirp(&recorder.read(RATE * 2)), "the next device plays");
    drop(recorder);
    load_sink("speaker");
    told(&mut listener, "is back");
    let mut recorder = Recorder::start("speaker.monitor");
    assert!(is_chirp(&recorder.read(RATE * 2)), "the first device plays again");
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    // What else the listener keeps does not suffer.
    assert_whole(&wav, 4.0);
}

#[test]
fn a_host_whose_microphone_is_unplugged_goes_on_when_it_is_back() {
    with_server(
        "a_host_whose_microphone_is_unplugged_goes_on_when_it_is_back",
        dead_microphone,
        skip,
    );
}

fn dead_microphone() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let player = Player::start(file.to_str().unwrap());
    let (mut host, link) = lab.host("host", &["--mic", "other.monitor"]);
    let wav = lab.path("heard.wav");
    let mut listener = lab.listener("listener", &link, &["--output", &format!("wav:{}", wav.display())]);
    listener.wait("joined");
    listener.run_for(2);
    pactl(&["unload-module", &module_of("other")]);
    drop(player);
    told(&mut host, "is lost");
    load_sink("other");
    let _player = Player::start(file.to_str().unwrap());
    told(&mut host, "is back");
    listener.run_for(5);
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let heard = rig::wav(&wav);
    assert!(
        is_chirp(&heard[heard.len() - 3 * RATE..]),
        "the microphone is heard again"
    );
}

#[test]
fn a_device_that_is_not_there_is_named_and_ends_with_status_four() {
    with_server(
        "a_device_that_is_not_there_is_named_and_ends_with_status_four",
        || {
            let lab = Lab::new();
            let (_host, link) = lab.host("host", &["--tone"]);
            let ended = lab
                .listener("listener", &link, &["--output", "device:gramophone"])
                .end();
            assert_eq!(ended.code, Some(4), "{}", ended.errors);
            let message = ended.one("error");
            assert!(message["message"].as_str().unwrap().contains("gramophone"), "{message}");
            let ended = lab.start("mic", &["host", "Mic", "--mic", "gramophone"]).end();
            assert_eq!(ended.code, Some(4), "{}", ended.errors);
        },
        skip,
    );
}

/// Waits until a process says this about a device.
fn told(node: &mut Node, words: &str) {
    node.wait_for("notice", |notice| {
        notice["message"]
            .as_str()
            .is_some_and(|message| message.contains(words))
    });
}

/// Whether most of this is the chirp: a change of device may cost its beginning.
fn is_chirp(heard: &[f32]) -> bool {
    let findings = chirp::examine(heard, RATE as u32);
    let dated = findings.dated.len();
    dated > 20 && findings.strange * 4 < dated
}

/// A player of a file into the sink that is the microphone.
struct Player(Child);

impl Player {
    fn start(file: &str) -> Player {
        Player(
            Command::new("paplay")
                .args(["--device=other", "--latency-msec=200", file])
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
