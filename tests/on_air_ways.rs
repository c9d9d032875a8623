//! Every way in and out of the sound, as the command line offers them.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]

#[path = "on_air/rig.rs"]
mod rig;

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use inonda::audio::chirp;
use inonda::audio::decode::Track;
use rig::{Lab, assert_whole};

/// Longest wait for a process to end.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_demo_plays_by_itself_and_ends_in_time() {
    let lab = Lab::new();
    let ended = lab
        .start_as_is("demo", &["demo", "--output", "null", "--for", "8s"])
        .end();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(!ended.one("title")["title"].as_str().unwrap().is_empty());
    let summary = ended.one("summary");
    assert!(summary["played_ms"].as_f64().unwrap() > 4_000.0, "{summary}");
    assert_eq!(summary["silence_ms"], 0.0);
    // Through the relays, and not from the host alone.
    assert!(
        ended
            .all("stats")
            .iter()
            .any(|stats| stats["hops"].as_u64().unwrap() >= 2)
    );
}

#[test]
fn sound_on_standard_output_is_nothing_but_sound() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let alone = ["--no-lan", "--no-dht", "--bind", "127.0.0.1:0"];
    let listen = [&["listen", &link, "--output", "stdout", "--for", "6s"][..], &alone].concat();
    let listener = lab.plain("pipe", &listen).stdout(Stdio::piped()).output().unwrap();
    assert!(
        listener.status.success(),
        "{}",
        String::from_utf8_lossy(&listener.stderr)
    );
    let findings = chirp::examine(&samples_of(&listener.stdout), 48_000);
    assert!(
        findings.is_whole() && listener.stdout.len() > 3 * 192_000,
        "{findings:#?}"
    );
    let demo = lab
        .plain("demo", &["demo", "--output", "stdout", "--for", "4s"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    assert!(demo.stdout.len() > 192_000 && demo.stdout.len().is_multiple_of(4));
    assert!(!demo.stdout.windows(5).any(|text| text == b"now: "));
    // A reader that has heard enough ends the listener, and that is no failure.
    let mut child = lab.plain("head", &listen).stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 100_000]).unwrap();
    assert_eq!(end_of(&mut child), Some(0));
}

#[test]
fn a_reader_that_does_not_read_cannot_keep_a_listener_from_ending() {
    let lab = Lab::new();
    let (_host, link) = lab.host("host", &["--tone"]);
    let listen = [
        "listen",
        &link,
        "--output",
        "stdout",
        "--no-lan",
        "--no-dht",
        "--bind",
        "127.0.0.1:0",
    ];
    let mut child = lab.plain("stalled", &listen).stdout(Stdio::piped()).spawn().unwrap();
    // The pipe holds a third of a second; after that the sound thread waits for ever.
    let mut first = [0; 1_000];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(end_of(&mut child), Some(0));
}

#[test]
fn what_comes_through_a_pipe_is_heard_and_what_is_no_sound_is_refused() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let mut host = lab.host_fed("host", &[], &file);
    let link = host.wait("on_air")["link"].as_str().unwrap().to_owned();
    let out = lab.path("heard.wav");
    let mut listener = lab.listener("listener", &link, &["--output", &format!("wav:{}", out.display())]);
    listener.wait("joined");
    listener.run_for(5);
    assert_eq!(listener.stop().code, Some(0));
    assert_whole(&out, 3.0);
    // SIGTERM is a goodbye, too.
    host.signal("TERM");
    let ended = host.end();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    ended.one("summary");
    let text = lab.path("page.html");
    std::fs::write(&text, "<html><body>404 Not Found</body></html>").unwrap();
    let refused = lab.host_fed("text", &[], &text).end();
    assert_eq!(refused.code, Some(1), "{}", refused.errors);
    assert!(refused.errors.contains("text"), "{}", refused.errors);
    let refused = lab
        .start(
            "bad",
            &["host", "Bad", "--bind", "127.0.0.1:0", "--file", text.to_str().unwrap()],
        )
        .end();
    assert_eq!(refused.code, Some(1), "{}", refused.errors);
}

#[test]
fn flac_arrives_bit_by_bit_through_a_relay() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap(), "--codec", "flac"]);
    let (relay, via_relay) = lab.relay("relay", &link);
    let (ogg, wav) = (lab.path("came.ogg"), lab.path("heard.wav"));
    let outputs = [format!("ogg:{}", ogg.display()), format!("wav:{}", wav.display())];
    let mut listener = lab.listener(
        "listener",
        &via_relay,
        &["--output", &outputs[0], "--output", &outputs[1]],
    );
    listener.wait("joined");
    listener.run_for(6);
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_whole(&wav, 4.0);
    let summary = ended.one("summary");
    assert_eq!(
        (&summary["silence_ms"], &summary["chunks_missed"]),
        (&0.0.into(), &0.into())
    );
    let (sent, came) = (integers(&file), integers(&ogg));
    assert!(came.len() > 4 * 96_000);
    let at = (0..sent.len() - came.len())
        .step_by(2)
        .find(|at| sent[*at..].starts_with(&came[..4_000]))
        .expect("what came is a part of what was sent");
    assert!(sent[at..].starts_with(&came), "not one sample differs");
    // A relay with the polite default passes all of it on.
    assert!(
        relay.stop().one("summary")["uploaded_bytes"].as_u64().unwrap()
            > summary["payload_bytes"].as_u64().unwrap() / 2
    );
}

#[test]
fn a_host_keeps_its_show_and_writes_over_nothing() {
    let lab = Lab::new();
    let file = lab.chirp(5);
    let kept = lab.path("show.ogg");
    let record = [
        "host",
        "Kept",
        "--bind",
        "127.0.0.1:0",
        "--file",
        file.to_str().unwrap(),
        "--record",
    ];
    let ended = lab
        .start("host", &[&record[..], &[kept.to_str().unwrap()]].concat())
        .end();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let findings = chirp::examine(&decoded(&kept), 48_000);
    assert!(findings.jumps.is_empty() && findings.dated.last().unwrap().source > 4.8 * 48_000.0);
    let before = std::fs::read(&kept).unwrap();
    let again = lab
        .start("again", &[&record[..], &[kept.to_str().unwrap()]].concat())
        .end();
    assert_eq!(again.code, Some(1), "{}", again.errors);
    assert!(again.errors.contains("show.ogg") && std::fs::read(&kept).unwrap() == before);
}

#[test]
fn every_node_ends_in_time_and_a_listener_that_heard_nothing_says_so() {
    let lab = Lab::new();
    let (host, link) = lab.host("host", &["--tone", "--for", "8s"]);
    let relay = lab.start("relay", &["relay", &link, "--bind", "127.0.0.1:0", "--for", "3s"]);
    let listener = lab.listener("listener", &link, &["--output", "null", "--for", "3s"]);
    let nobody = format!("inonda:{}?via=127.0.0.1:9", "a".repeat(52));
    let deaf = lab.listener("deaf", &nobody, &["--output", "null", "--for", "2s"]);
    for node in [relay, listener, host] {
        let ended = node.end();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        ended.one("summary");
    }
    assert_eq!(deaf.end().code, Some(3));
}

#[test]
fn one_channel_that_nobody_carries_does_not_end_a_relay() {
    let lab = Lab::new();
    let (_host, link) = lab.host("host", &["--tone"]);
    let nobody = format!("inonda:{}", "a".repeat(52));
    let mut relay = lab.start("relay", &["relay", &nobody, &link, "--bind", "127.0.0.1:0"]);
    relay.wait_for("notice", |notice| {
        notice["message"].as_str().unwrap().contains("not reached")
    });
    relay.wait("joined");
    assert_eq!(relay.stop().code, Some(0));
}

#[test]
fn a_title_is_told_when_it_is_heard_and_not_when_it_arrives() {
    let lab = Lab::new();
    lab.chirp(8);
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(lab.path("hush.wav"), spec).unwrap();
    (0..20 * 96_000).for_each(|_| writer.write_sample(0i16).unwrap());
    writer.finalize().unwrap();
    let list = lab.path("set.m3u");
    std::fs::write(&list, "chirp.wav\nhush.wav\n").unwrap();
    let (_host, link) = lab.host("host", &["--file", list.to_str().unwrap()]);
    let out = lab.path("heard.wav");
    let output = format!("wav:{}", out.display());
    let mut listener = lab.listener("listener", &link, &["--output", &output, "--delay", "3s"]);
    listener.wait_for("title", |title| title["title"] == "chirp");
    listener.wait_for("title", |title| title["title"] == "hush");
    // Statistics come once a second: the next ones tell how much has been played at most a second later.
    let played_ms = listener.wait("stats")["played_ms"].as_f64().unwrap();
    listener.run_for(2);
    assert_eq!(listener.stop().code, Some(0));
    let findings = chirp::examine(&rig::wav(&out), 48_000);
    let changed_ms = findings.last as f64 / 48.0;
    assert!(
        (-300.0..1_600.0).contains(&(played_ms - changed_ms)),
        "{played_ms} against {changed_ms}"
    );
}

#[test]
fn a_disk_that_fills_up_ends_with_advice_and_keeps_what_was_written() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let out = lab.path("heard.wav");
    // Files of at most 1.5 MB, which is eight seconds of sound; beyond it writing fails as on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 3000; exec {} listen '{link}' --output wav:{} --no-lan --no-dht --bind 127.0.0.1:0 --state {}",
        env!("CARGO_BIN_EXE_inonda"),
        out.display(),
        lab.path("state-full").display()
    );
    let ended = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{errors}");
    assert!(errors.contains("disk is full"), "{errors}");
    assert_whole(&out, 6.0);
}

/// 16-bit stereo as floats.
fn samples_of(bytes: &[u8]) -> Vec<f32> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect()
}

fn decoded(path: &std::path::Path) -> Vec<f32> {
    let mut track = Track::open(path).unwrap();
    let mut samples = Vec::new();
    while track.read(&mut samples).unwrap() {}
    samples
}

fn integers(path: &std::path::Path) -> Vec<i16> {
    decoded(path)
        .iter()
        .map(|sample| (sample * 32_768.0).round() as i16)
        .collect()
}

/// The exit status of a process that ends by itself.
fn end_of(child: &mut Child) -> Option<i32> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    panic!("it does not end");
}
