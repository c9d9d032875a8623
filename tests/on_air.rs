//! Hosts, relays and listeners as real processes, judged by what is heard.

#[path = "on_air/rig.rs"]
mod rig;

use rig::{Lab, Node, assert_whole};

#[test]
fn a_listener_hears_the_host_through_a_relay() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let (relay, via_relay) = lab.relay("relay", &link);
    let out = lab.path("heard.wav");
    let mut listener = lab.listener("listener", &via_relay, &["--output", &format!("wav:{}", out.display())]);
    listener.wait("joined");
    listener.run_for(6);
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_whole(&out, 4.0);
    assert_eq!(ended.one("summary")["silence_ms"], 0.0);
    assert_eq!(ended.one("title")["title"], "chirp");
    for node in [relay, host] {
        let ended = node.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert!(ended.one("summary")["uploaded_bytes"].as_u64().unwrap() > 50_000);
    }
}

#[test]
fn the_death_of_any_parent_is_inaudible() {
    for signal in ["KILL", "STOP"] {
        let lab = Lab::new();
        let file = lab.chirp(90);
        let (host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
        let mut relays = Vec::new();
        let mut vias = Vec::new();
        for name in ["one", "two", "three"] {
            let (relay, via) = lab.relay(name, &link);
            vias.push(via);
            relays.push(relay);
        }
        let out = lab.path("heard.wav");
        let mut listener = lab.listener(
            "listener",
            &vias[0],
            &["--output", &format!("wav:{}", out.display()), "--delay", "2s"],
        );
        listener.wait("joined");
        listener.run_for(3);
        // A relay that feeds the listener goes: whatever it fed must come from elsewhere.
        let stopped = relays.remove(feeding(&mut listener, &relays));
        stopped.signal(signal);
        listener.run_for(12);
        let ended = listener.stop();
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.errors);
        assert_whole(&out, 12.0);
        assert_eq!(ended.one("summary")["silence_ms"], 0.0, "{signal}");
        assert!(host.stop().code == Some(0));
    }
}

/// Which of these relays feeds a listener, once one does.
fn feeding(listener: &mut Node, relays: &[Node]) -> usize {
    let peers: Vec<String> = relays.iter().map(Node::peer).collect();
    let stats = listener.wait_for("stats", |stats| place_of(stats, &peers).is_some());
    place_of(&stats, &peers).unwrap()
}

/// The same for several listeners, some of which may have moved to each other: the first that a relay feeds counts.
fn feeding_any<T>(listeners: &mut [(Node, T)], relays: &[Node]) -> usize {
    let peers: Vec<String> = relays.iter().map(Node::peer).collect();
    let mut turns = (0..listeners.len()).cycle();
    let mut look = || {
        let listener = &mut listeners[turns.next().unwrap()].0;
        place_of(&listener.latest("stats"), &peers)
    };
    (0..100).find_map(|_| look()).expect("a relay that feeds a listener")
}

fn place_of(stats: &serde_json::Value, peers: &[String]) -> Option<usize> {
    let parents = stats["parents"].as_array()?;
    peers
        .iter()
        .position(|peer| parents.iter().any(|parent| parent == peer))
}

#[test]
fn the_death_of_parents_in_a_mesh_of_ten_is_heard_by_nobody() {
    let lab = Lab::new();
    let file = lab.chirp(120);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let mut relays: Vec<_> = ["one", "two", "three", "four"]
        .iter()
        .map(|name| lab.relay(name, &link))
        .collect();
    // Who tunes in to a show that has run for a while begins with its past in reserve.
    relays[0].0.run_for(3);
    let mut listeners: Vec<_> = (0..5)
        .map(|n| {
            let out = lab.path(&format!("heard-{n}.wav"));
            let output = format!("wav:{}", out.display());
            let via = &relays[n % relays.len()].1;
            (lab.listener(&format!("listener-{n}"), via, &["--output", &output]), out)
        })
        .collect();
    for (listener, _) in &mut listeners {
        listener.wait("joined");
    }
    listeners[0].0.run_for(3);
    let (mut relays, _vias): (Vec<Node>, Vec<String>) = relays.into_iter().unzip();
    let killed = relays.remove(feeding_any(&mut listeners, &relays));
    killed.signal("KILL");
    listeners[0].0.run_for(6);
    let stopped = relays.remove(feeding_any(&mut listeners, &relays));
    stopped.signal("STOP");
    listeners[0].0.run_for(8);
    for (listener, out) in listeners {
        let ended = listener.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert_whole(&out, 15.0);
        assert_eq!(ended.one("summary")["silence_ms"], 0.0);
    }
}

#[test]
fn the_end_of_a_show_is_heard_to_the_last_second_and_then_said() {
    let lab = Lab::new();
    let file = lab.chirp(8);
    let (host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let out = lab.path("heard.wav");
    let listener = lab.listener(
        "listener",
        &link,
        &["--output", &format!("wav:{}", out.display()), "--delay", "1s"],
    );
    let ended = listener.end();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.one("off_air")["reason"].as_str().unwrap().contains("ended"));
    assert_eq!(host.end().code, Some(0));
    let findings = inonda::audio::chirp::examine(&rig::wav(&out), 48_000);
    assert!(findings.jumps.is_empty(), "{findings:#?}");
    let last = findings.dated.last().unwrap().source / 48_000.0;
    assert!(
        (7.8..8.1).contains(&last),
        "the last that was heard is of second {last} of 8"
    );
}

#[test]
fn mistakes_end_with_their_exit_status_and_advice() {
    let lab = Lab::new();
    let nobody = format!("inonda:{}?via=127.0.0.1:9", "a".repeat(52));
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["listen", "inonda:nonsense"], 2, "names no channel"),
        (&["listen", &nobody, "--output", "null"], 3, "not reached"),
        (
            &["listen", &nobody, "--output", "device:no such device"],
            4,
            "no such device",
        ),
        (&["host", "Nothing"], 2, "nothing to put on air"),
        (&["host", "Loud", "--tone", "--bitrate", "900k"], 2, "6k to 510k"),
        (&["host", "Kept", "--tone", "--record", "x.wav"], 2, "name it .ogg"),
        (&["--upload", "0", "host", "Early", "--tone"], 2, "--upload"),
        (&["listen", &nobody, "--delay", "1h"], 2, "between"),
        (
            &[
                "host",
                "Missing",
                "--bind",
                "127.0.0.1:0",
                "--file",
                "/nonexistent/music",
            ],
            1,
            "/nonexistent/music",
        ),
        (&["host", "Taken", "--tone", "--bind", &taken], 1, "taken"),
        (
            &["listen", &nobody, "--output", "wav:/nonexistent/x.wav"],
            1,
            "/nonexistent/x.wav",
        ),
    ];
    for (args, code, words) in cases {
        let ended = lab.start("mistake", args).end();
        assert_eq!(ended.code, Some(*code), "{args:?}: {}", ended.errors);
        assert!(ended.errors.contains(words), "{args:?}: {}", ended.errors);
        let error = ended.one("error");
        assert_eq!(error["code"], *code);
        assert!(!error["hint"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_host_that_was_killed_and_comes_back_is_heard_again() {
    let lab = Lab::new();
    let (host, link) = lab.host("host", &["--tone"]);
    let (_relay, via_relay) = lab.relay("relay", &link);
    let mut listener = lab.listener("listener", &via_relay, &["--output", "null", "--delay", "1s"]);
    listener.wait("joined");
    listener.run_for(3);
    let relay_addr = via_relay.split("via=").nth(1).unwrap();
    host.signal("KILL");
    drop(host);
    let mut again = lab.start(
        "host",
        &[
            "host",
            "Test Radio",
            "--tone",
            "--bind",
            "127.0.0.1:0",
            "--peer",
            relay_addr,
        ],
    );
    assert_eq!(
        again.wait("on_air")["link"].as_str().unwrap().split('?').next(),
        link.split('?').next()
    );
    let payload = |stats: &serde_json::Value| stats["payload_bytes"].as_u64().unwrap();
    // What arrives in the next second is new sound once the old session has been silent for long enough.
    let mut before = payload(&listener.wait("stats"));
    listener.wait_for("stats", |stats| {
        let now = payload(stats);
        let growing = now > before + 8_000 && stats["buffer_ms"].as_f64().unwrap() > 100.0;
        before = now;
        growing
    });
    let ended = again.stop();
    let alarms: Vec<_> = ended
        .all("notice")
        .into_iter()
        .filter(|notice| notice["level"] == "error")
        .collect();
    assert!(alarms.is_empty(), "its own last session is no other host: {alarms:?}");
}

#[test]
fn a_second_host_with_the_same_key_is_told_and_not_heard() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let (_relay, via_relay) = lab.relay("relay", &link);
    let out = lab.path("heard.wav");
    let mut listener = lab.listener("listener", &via_relay, &["--output", &format!("wav:{}", out.display())]);
    listener.wait("joined");
    // Another machine with a copy of the channel's key.
    let copy = lab.path("state-second").join("channels");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(
        lab.path("state-host").join("channels").join("test-radio.key"),
        copy.join("test-radio.key"),
    )
    .unwrap();
    let relay_addr = via_relay.split("via=").nth(1).unwrap();
    let mut second = lab.start(
        "second",
        &[
            "host",
            "Test Radio",
            "--tone",
            "--bind",
            "127.0.0.1:0",
            "--peer",
            relay_addr,
        ],
    );
    let told = second.wait_for("notice", |notice| notice["level"] == "error");
    assert!(told["message"].as_str().unwrap().contains("somebody else"), "{told}");
    listener.run_for(6);
    listener.stop();
    assert_whole(&out, 5.0);
}

#[test]
fn what_is_kept_is_what_was_heard() {
    let lab = Lab::new();
    let file = lab.chirp(60);
    let (_host, link) = lab.host("host", &["--file", file.to_str().unwrap()]);
    let (wav, ogg) = (lab.path("heard.wav"), lab.path("heard.ogg"));
    let outputs = [format!("wav:{}", wav.display()), format!("ogg:{}", ogg.display())];
    let mut listener = lab.listener("listener", &link, &["--output", &outputs[0], "--output", &outputs[1]]);
    listener.wait("joined");
    listener.run_for(5);
    assert_eq!(listener.stop().code, Some(0));
    assert_whole(&wav, 4.0);
    let mut track = inonda::audio::decode::Track::open(&ogg).unwrap();
    let mut samples = Vec::new();
    while track.read(&mut samples).unwrap() {}
    let findings = inonda::audio::chirp::examine(&samples, 48_000);
    assert!(findings.is_whole(), "{findings:#?}");
    assert!(samples.len() > 4 * 96_000);
}

#[test]
fn a_full_disk_ends_with_advice() {
    let lab = Lab::new();
    let (_host, link) = lab.host("host", &["--tone"]);
    let ended = lab.listener("listener", &link, &["--output", "wav:/dev/full"]).end();
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    assert!(ended.errors.contains("disk is full"), "{}", ended.errors);
}

#[test]
fn a_bad_file_in_a_playlist_is_named_and_the_show_goes_on() {
    let lab = Lab::new();
    let chirp = lab.chirp(6);
    let broken = lab.path("broken.mp3");
    std::fs::write(&broken, b"this is no sound at all, whatever its name says").unwrap();
    let list = lab.path("set.m3u");
    std::fs::write(&list, "broken.mp3\nmissing.flac\nchirp.wav\n").unwrap();
    let (host, link) = lab.host("host", &["--file", list.to_str().unwrap()]);
    let out = lab.path("heard.wav");
    let listener = lab
        .listener(
            "listener",
            &link,
            &["--output", &format!("wav:{}", out.display()), "--delay", "1s"],
        )
        .end();
    assert_eq!(listener.code, Some(0));
    let host = host.end();
    assert_eq!(host.code, Some(0), "{}", host.errors);
    let notices = host.all("notice");
    let named = |name: &str| {
        notices
            .iter()
            .any(|notice| notice["message"].as_str().unwrap().contains(name))
    };
    assert!(named("broken.mp3") && named("missing.flac"), "{notices:#?}");
    assert!(chirp.exists() && rig::wav(&out).len() > 2 * 96_000);
}
