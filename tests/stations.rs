//! Internet radio stations, and players of this machine: real processes and a small web server on loopback.

#[path = "on_air/rig.rs"]
mod rig;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use inonda::engine::command::{Command as EngineCommand, Listen, OutputTarget};
use inonda::engine::node::{self, NodeConfig};
use inonda::engine::{Event, FindingConfig, Handle, Target};
use inonda::net::Identity;
use rig::Lab;

/// A station: `/list.m3u` leads to `/live.wav`, a minute of chirp at the pace of the network; and a directory of stations.
fn station(lab: &Lab) -> SocketAddr {
    let sound = std::fs::read(lab.chirp(60)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sound = sound.clone();
            std::thread::spawn(move || {
                // Who stops listening breaks the connection.
                let _ = answer(stream, addr, &sound);
            });
        }
    });
    addr
}

fn answer(mut stream: TcpStream, addr: SocketAddr, sound: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let stations = format!(r#"[{{"name":"Chirp FM","url":"http://{addr}/list.m3u","tags":"test","bitrate":1536}}]"#);
    let (kind, body) = match path.as_str() {
        "/list.m3u" => ("audio/x-mpegurl", b"#EXTM3U\nlive.wav\n".as_slice()),
        "/live.wav" => ("audio/wav", sound),
        "/json/stations/search" => ("application/json", stations.as_bytes()),
        "/noise" => ("audio/mpeg", [0x55; 20_000].as_slice()),
        "/gone" => return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        _ => ("text/plain", b"".as_slice()),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

fn get(http: &str, path: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(http).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut head = [0; 2_048];
    let read = stream.read(&mut head).unwrap();
    (String::from_utf8_lossy(&head[..read]).into_owned(), stream)
}

#[test]
fn a_station_is_found_listened_to_and_offered_to_players() {
    let lab = Lab::new();
    let addr = station(&lab);
    let server = format!("http://{addr}");
    let out = Command::new(env!("CARGO_BIN_EXE_inonda"))
        .args(["stations", "chirp", "--server", &server, "--save", "--json", "--state"])
        .arg(lab.path("state-listener"))
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (found["name"].as_str(), found["source"].as_str()),
        (Some("Chirp FM"), Some("station"))
    );

    // By the name under which it was saved.
    let mut listener = lab.start(
        "listener",
        &[
            "listen",
            "chirp fm",
            "--output",
            "null",
            "--bind",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ],
    );
    let http = listener.wait("published")["http"].as_str().unwrap().to_owned();
    listener.wait("joined");
    listener.run_for(2);
    let (list, _) = get(&http, "/chirp-fm.m3u");
    assert!(list.contains(&format!("http://{http}/chirp-fm.opus")), "{list}");
    let (head, mut stream) = get(&http, "/chirp-fm.opus");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut sound = [0; 4_096];
    stream.read_exact(&mut sound).unwrap();
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.one("summary")["played_ms"].as_f64().unwrap() > 1_000.0);
}

#[test]
fn a_station_is_passed_on_to_others() {
    let lab = Lab::new();
    let addr = station(&lab);
    let mut host = lab.start(
        "host",
        &[
            "host",
            "Again",
            "--station",
            &format!("http://{addr}/list.m3u"),
            "--bind",
            "127.0.0.1:0",
        ],
    );
    let link = host.wait("on_air")["link"].as_str().unwrap().to_owned();
    let mut listener = lab.listener("listener", &link, &["--output", "null"]);
    listener.wait("joined");
    listener.run_for(2);
    assert_eq!(listener.stop().code, Some(0));
    assert_eq!(host.stop().code, Some(0));
}

/// Waits for an event that `wanted` makes something of.
fn told<T>(node: &mut Handle, wanted: impl Fn(Event) -> Option<T>) -> T {
    loop {
        let event = node.blocking_event().expect("the node has stopped");
        if let Event::Failed { message, .. } = &event {
            panic!("{message}");
        }
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

#[test]
fn a_station_that_is_listened_to_is_passed_on_at_a_word() {
    let lab = Lab::new();
    let addr = station(&lab);
    let mut node = node::start(NodeConfig {
        identity: Identity::generate().unwrap(),
        bind: "127.0.0.1:0".parse().unwrap(),
        peers: Vec::new(),
        upload_bps: None,
        state: Some(lab.path("state-person")),
        finding: Some(FindingConfig::default()),
        snapshots: false,
        line: None,
    })
    .unwrap();
    let _ = node.send(EngineCommand::Listen(Listen {
        target: Target::Station(format!("http://{addr}/live.wav")),
        delay: Duration::from_secs(2),
        http: None,
        outputs: vec![OutputTarget::Null],
    }));
    let channel = told(&mut node, |event| match event {
        Event::Joined { channel, .. } => Some(channel),
        Event::OnAir { .. } => panic!("nobody asked to pass it on"),
        _ => None,
    });
    let _ = node.send(EngineCommand::Recast { channel, on: true });
    let link = told(&mut node, |event| match event {
        Event::OnAir { link, .. } => Some(link),
        _ => None,
    });
    let mut listener = lab.listener("listener", &link, &["--output", "null"]);
    listener.wait("joined");
    listener.run_for(2);
    let ended = listener.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.one("summary")["played_ms"].as_f64().unwrap() > 1_000.0);

    let _ = node.send(EngineCommand::Recast { channel, on: false });
    let said = told(&mut node, |event| match event {
        Event::Notice { message, .. } => Some(message),
        _ => None,
    });
    assert!(said.contains("no longer announced"), "{said}");
    let _ = node.send(EngineCommand::Quit);
    while node.blocking_event().is_some() {}
}

#[test]
fn a_station_that_is_none_is_said() {
    let lab = Lab::new();
    let addr = station(&lab);
    for (what, word) in [("nothing", "no sound"), ("gone", "status 404"), ("noise", "cannot be")] {
        let ended = lab
            .start(
                what,
                &[
                    "listen",
                    &format!("http://{addr}/{what}"),
                    "--output",
                    "null",
                    "--bind",
                    "127.0.0.1:0",
                ],
            )
            .end();
        assert_eq!(ended.code, Some(3), "{what}: {}", ended.errors);
        assert!(ended.errors.contains(word), "{what}: {}", ended.errors);
        assert!(ended.all("joined").is_empty(), "{what} was never heard");
    }
}
