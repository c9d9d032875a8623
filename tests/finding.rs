//! Finding channels with real processes on loopback: directories, the local network, the DHT, favourites.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]

#[path = "on_air/rig.rs"]
mod rig;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use inonda::discovery::announcement::Announcement;
use inonda::discovery::directory::wire::{Frame, Question};
use inonda::engine::FindingConfig;
use inonda::engine::command::Command as EngineCommand;
use inonda::engine::node::{self, NodeConfig};
use inonda::net::{Endpoint, Identity};
use inonda::units::{ChannelId, Codec, Epoch};
use rig::{Lab, Node};
use serde_json::Value;

/// A directory of its own; where it is asked, and where it publishes.
fn directory(lab: &Lab, name: &str, more: &[&str]) -> (Node, String, SocketAddr) {
    let args = [
        "directory",
        "--bind",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--no-dht",
    ];
    let mut node = lab.start(name, &[&args, more].concat());
    let addr = node.wait("ready")["addrs"][0].as_str().unwrap().to_owned();
    let http = node.wait("published")["http"].as_str().unwrap().parse().unwrap();
    (node, addr, http)
}

/// A host of a tone that announces to directories.
fn host(lab: &Lab, name: &str, directories: &[&str], more: &[&str]) -> (Node, String) {
    let state = name.to_lowercase().replace(' ', "-");
    let mut args = vec!["host", name, "--tone", "--bind", "127.0.0.1:0", "--genre", "jazz"];
    directories
        .iter()
        .for_each(|directory| args.extend(["--directory", directory]));
    let mut node = lab.start(&state, &[&args[..], more].concat());
    let link = node.wait("on_air")["link"].as_str().unwrap().to_owned();
    (node, link)
}

/// What `inonda channels --json` prints.
fn channels(lab: &Lab, args: &[&str]) -> Vec<Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_inonda"))
        .args(["channels", "--json", "--no-dht", "--state"])
        .arg(lab.path("state-browser"))
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asks again until the list is as wanted; how long that took.
fn until(lab: &Lab, args: &[&str], right: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let listed = channels(lab, args);
        if right(&listed) {
            return listed;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "still {listed:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(http: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn id(link: &str) -> String {
    link.trim_start_matches("inonda:").split('?').next().unwrap().to_owned()
}

#[test]
fn a_channel_is_listed_heard_by_name_and_by_id_and_goes_with_its_host() {
    let lab = Lab::new();
    let (_directory, addr, http) = directory(&lab, "directory", &[]);
    let (on_air, link) = host(&lab, "Night Radio", &[&addr], &["--description", "Late"]);
    let asked = ["--no-lan", "--directory", &addr];
    let listed = until(&lab, &asked, |listed| !listed.is_empty());
    let row = &listed[0];
    assert_eq!(
        (row["name"].as_str(), row["source"].as_str()),
        (Some("Night Radio"), Some("directory"))
    );
    assert_eq!(row["channel"].as_str().unwrap(), id(&link));
    assert_eq!(
        (row["bitrate"].as_u64(), row["codec"].as_str()),
        (Some(128_000), Some("opus"))
    );
    assert!(channels(&lab, &["--no-lan", "--directory", &addr, "polka"]).is_empty());
    assert_eq!(
        channels(&lab, &["--no-lan", "--directory", &addr, "late", "JAZZ"]).len(),
        1
    );

    let json: Value = serde_json::from_str(&get(http, "/channels.json")).unwrap();
    assert_eq!(json[0]["name"], "Night Radio");
    let index = get(http, "/index.txt");
    assert_eq!(index.lines().next().unwrap().split("<>").count(), 19);

    // A link whose host's name no longer exists is looked for like a bare ID.
    let stale = format!("inonda:{}?via=nobody.invalid:9", id(&link));
    for named in ["night r", id(&link).as_str(), &stale] {
        let mut listener = lab.start(
            &format!("listener-{}", named.len()),
            &[
                "listen",
                named,
                "--output",
                "null",
                "--bind",
                "127.0.0.1:0",
                "--directory",
                &addr,
            ],
        );
        listener.wait("joined");
        assert_eq!(listener.stop().code, Some(0));
    }
    assert_eq!(on_air.stop().code, Some(0));
    until(&lab, &asked, <[Value]>::is_empty);
}

#[test]
fn a_directory_that_is_killed_loses_nothing() {
    let lab = Lab::new();
    let (first, addr, _) = directory(&lab, "directory", &[]);
    let hosts: Vec<_> = (0..3)
        .map(|n| host(&lab, &format!("Radio {n}"), &[&addr], &[]))
        .collect();
    until(&lab, &["--no-lan", "--directory", &addr], |listed| listed.len() == 3);
    first.signal("KILL");
    drop(first);
    let mut again = lab.start("directory", &["directory", "--bind", &addr, "--no-dht"]);
    again.wait("ready");
    assert_eq!(channels(&lab, &["--no-lan", "--directory", &addr]).len(), 3);
    drop(hosts);
}

#[test]
fn directories_exchange_and_a_private_show_is_nowhere() {
    let lab = Lab::new();
    let (_one, one, _) = directory(&lab, "one", &[]);
    let (_two, two, _) = directory(&lab, "two", &["--directory", &one]);
    let (_a, _) = host(&lab, "Told to one", &[&one], &[]);
    let (_b, _) = host(&lab, "Told to two", &[&two], &[]);
    let (_c, secret) = host(&lab, "Told to nobody", &[&one, &two], &["--private"]);
    assert!(secret.ends_with("private=1"), "{secret}");
    for directory in [&one, &two] {
        let listed = until(&lab, &["--no-lan", "--directory", directory], |listed| {
            listed.len() == 2
        });
        assert!(listed.iter().all(|row| row["name"] != "Told to nobody"));
    }
}

#[test]
fn a_favourite_is_found_with_no_directory_at_all() {
    let lab = Lab::new();
    let (_host, link) = host(&lab, "Kept", &[], &[]);
    let state = lab.path("state-person");
    let run = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_inonda"))
            .args(args)
            .arg("--state")
            .arg(&state)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    run(&["favourites", "add", &id(&link), "--name", "My night", "--group", "Jazz"]);
    // The first visit needs the link; afterwards the peers are known.
    let heard = |what: &str| {
        let mut listener = lab.start("person", &["listen", what, "--output", "null", "--bind", "127.0.0.1:0"]);
        listener.wait("joined");
        assert_eq!(listener.stop().code, Some(0));
    };
    heard(&link);
    heard("my night");
    assert!(run(&["favourites", "--json"]).contains("\"peers\":[\"127.0.0.1:"));
    // Nobody lists it; where it was last reached it proves to be on air.
    let (_empty, empty, _) = directory(&lab, "empty", &[]);
    let listed = run(&[
        "channels",
        "--json",
        "--no-lan",
        "--no-dht",
        "--directory",
        &empty,
        "--for",
        "4s",
    ]);
    let row: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(
        (&row["source"], &row["on_air"], &row["groups"]),
        (&"favourite".into(), &true.into(), &serde_json::json!(["Jazz"]))
    );
    let file = lab.path("list.opml");
    run(&["favourites", "export", file.to_str().unwrap()]);
    run(&["favourites", "remove", "My night"]);
    assert!(run(&["favourites"]).is_empty());
    run(&["favourites", "import", file.to_str().unwrap(), "-q"]);
    assert!(run(&["favourites"]).starts_with("My night\tinonda:"));
}

#[test]
fn a_name_that_nobody_has_ends_with_status_3() {
    let lab = Lab::new();
    let (_directory, addr, _) = directory(&lab, "directory", &[]);
    let ended = lab
        .start(
            "lost",
            &["listen", "no such radio", "--output", "null", "--directory", &addr],
        )
        .end();
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    assert!(ended.errors.contains("no channel is called"), "{}", ended.errors);
}

#[test]
fn the_local_network_needs_no_configuration() {
    let lab = Lab::new();
    let mut on_air = lab.start_as_is(
        "host",
        &["host", "Neighbour", "--tone", "--bind", "127.0.0.1:0", "--no-dht"],
    );
    let link = on_air.wait("on_air")["link"].as_str().unwrap().to_owned();
    let listed = until(&lab, &[], |listed| listed.iter().any(|row| row["name"] == "Neighbour"));
    let row = listed.iter().find(|row| row["name"] == "Neighbour").unwrap();
    assert_eq!(
        (row["source"].as_str(), row["channel"].as_str()),
        (Some("lan"), Some(id(&link).as_str()))
    );
    let mut listener = lab.start_as_is(
        "listener",
        &[
            "listen",
            &id(&link),
            "--output",
            "null",
            "--bind",
            "127.0.0.1:0",
            "--no-dht",
        ],
    );
    listener.wait("joined");
    assert_eq!(listener.stop().code, Some(0));
    assert_eq!(on_air.stop().code, Some(0));
    until(&lab, &["--for", "3s"], |listed| {
        listed.iter().all(|row| row["name"] != "Neighbour")
    });
}

/// The entrances of a test network as arguments.
fn entrances(network: &mainline::Testnet) -> Vec<&str> {
    let one = |entrance| ["--dht-bootstrap", entrance];
    network.bootstrap.iter().map(String::as_str).flat_map(one).collect()
}

#[test]
fn a_bare_id_is_enough_over_the_dht() {
    let network = mainline::Testnet::builder(12).build().unwrap();
    let lab = Lab::new();
    let dht = |args: &[&str]| {
        [args, &["--bind", "127.0.0.1:0", "--no-lan"], &entrances(&network)]
            .concat()
            .join("\n")
    };
    let start = |name: &str, args: &str| lab.start_as_is(name, &args.split('\n').collect::<Vec<_>>());
    let mut on_air = start("host", &dht(&["host", "Far", "--tone"]));
    let link = on_air.wait("on_air")["link"].as_str().unwrap().to_owned();
    let mut listener = start("listener", &dht(&["listen", &id(&link), "--output", "null"]));
    listener.wait("joined");
    assert_eq!(listener.stop().code, Some(0));
    on_air.stop();
}

#[test]
fn a_bare_id_is_enough_where_only_a_relay_is_in_the_dht() {
    let network = mainline::Testnet::builder(12).build().unwrap();
    let lab = Lab::new();
    // The host tells nobody anything; its relay is all that can be found.
    let (on_air, link) = host(&lab, "Hidden", &[], &[]);
    let entrances = entrances(&network);
    let here = ["--bind", "127.0.0.1:0", "--no-lan"];
    let mut relay = lab.start_as_is("relay", &[&["relay", &link], &here[..], &entrances].concat());
    relay.wait("joined");
    let id = id(&link);
    let listen = ["listen", &id, "--output", "null"];
    let mut listener = lab.start_as_is("listener", &[&listen, &here[..], &entrances].concat());
    listener.wait("joined");
    assert_eq!(listener.stop().code, Some(0));
    assert_eq!(relay.stop().code, Some(0));
    on_air.stop();
}

/// A directory that lists what it invents, nothing else, and answers what it is asked next with nonsense.
fn liar() -> SocketAddr {
    let (told, addr) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let bind = "127.0.0.1:0".parse().unwrap();
            let (endpoint, _events) = Endpoint::bind(bind, &Identity::generate().unwrap()).unwrap();
            let mut lines = endpoint.lines();
            told.send(endpoint.bound()).unwrap();
            while let Some(line) = lines.recv().await {
                tokio::spawn(async move {
                    let mut first = true;
                    while let Some(mut question) = line.question().await {
                        let is_list = matches!(Question::decode(&question.bytes), Ok(Question::Since { .. }));
                        if is_list && std::mem::take(&mut first) {
                            let (count, whole) = (INVENTED, true);
                            let head = Frame::Head {
                                instance: 1,
                                version: 1,
                                whole,
                                count,
                            };
                            let _ = question.answer(&head.encode()).await;
                            for seed in 0..INVENTED {
                                let _ = question.answer(&Frame::Listed(invented(seed)).encode()).await;
                            }
                        } else {
                            let _ = question.answer(&[0xff; 900]).await;
                        }
                        let _ = question.finish().await;
                    }
                });
            }
        });
    });
    addr.recv().unwrap()
}

const INVENTED: u32 = 300;

fn invented(seed: u32) -> bytes::Bytes {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut secret = [5; 32];
    secret[..4].copy_from_slice(&seed.to_be_bytes());
    Announcement {
        channel: ChannelId([0; 32]),
        epoch: Epoch(now * 1_000),
        issued_unix_s: now,
        on_air: true,
        name: format!("Invented {seed}"),
        genre: String::new(),
        language: String::new(),
        description: String::new(),
        title: String::new(),
        contact: String::new(),
        codec: Codec::Opus,
        bitrate_bps: 128_000,
        started_unix_s: now,
        listeners: 9_999,
        relays: 0,
        health_permille: 1_000,
        hosts: vec!["127.0.0.1:9".parse().unwrap()],
        relays_at: Vec::new(),
    }
    .sign(&ed25519_dalek::SigningKey::from_bytes(&secret))
    .bytes
}

#[test]
fn a_directory_that_lies_hides_nothing_that_another_one_knows() {
    let lab = Lab::new();
    let (_honest, honest, _) = directory(&lab, "honest", &[]);
    let (_on_air, _) = host(&lab, "Honest radio", &[&honest], &[]);
    let liar = liar().to_string();
    let asked = ["--no-lan", "--directory", &liar, "--directory", &honest];
    let listed = until(&lab, &asked, |listed| {
        listed.iter().any(|row| row["name"] == "Honest radio") && listed.len() > 1
    });
    let row = listed.iter().find(|row| row["name"] == "Honest radio").unwrap();
    assert_eq!(row["sources"], serde_json::json!(["directory"]));
    // A directory that exchanges lists with the liar lists nothing of what it invented.
    let (_friend, friend, _) = directory(&lab, "friend", &["--directory", &liar, "--directory", &honest]);
    let listed = until(&lab, &["--no-lan", "--directory", &friend], |listed| !listed.is_empty());
    assert_eq!(listed.len(), 1, "{listed:#?}");
}

#[test]
fn a_list_that_runs_sees_a_channel_come_and_its_crashed_host_go() {
    let lab = Lab::new();
    let mut list = node::start(NodeConfig {
        identity: Identity::generate().unwrap(),
        bind: "127.0.0.1:0".parse().unwrap(),
        peers: Vec::new(),
        upload_bps: Some(0),
        state: Some(lab.path("state-list")),
        finding: Some(FindingConfig {
            lan: true,
            browse: true,
            ..FindingConfig::default()
        }),
        snapshots: true,
        line: None,
    })
    .unwrap();
    let args = ["host", "Passing", "--tone", "--bind", "127.0.0.1:0", "--no-dht"];
    let mut on_air = lab.start_as_is("host", &args);
    on_air.wait("on_air");
    let see = |there: bool| {
        let start = Instant::now();
        while list.snapshot().listings.iter().any(|row| row.name == "Passing") != there {
            assert!(start.elapsed() < Duration::from_secs(30), "still the same list");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    see(true);
    on_air.signal("KILL");
    see(false);
    let _ = list.send(EngineCommand::Quit);
    while list.blocking_event().is_some() {}
}
