//! Finding channels with real processes on loopback: directories, the local network, the DHT, favourites.
#![allow(clippy::disallowed_methods, reason = "real processes live on the system's clock")]

#[path = "on_air/rig.rs"]
mod rig;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

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

    for named in ["night r", id(&link).as_str()] {
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
    let (_c, _) = host(&lab, "Told to nobody", &[&one, &two], &["--private"]);
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

#[test]
fn a_bare_id_is_enough_over_the_dht_even_without_the_host() {
    let network = mainline::Testnet::builder(12).build().unwrap();
    let lab = Lab::new();
    let entrances: Vec<&str> = network
        .bootstrap
        .iter()
        .flat_map(|one| ["--dht-bootstrap", one.as_str()])
        .collect();
    let dht = |args: &[&str]| -> Vec<String> {
        args.iter()
            .chain(&["--no-lan"])
            .chain(&entrances)
            .map(|arg| (*arg).to_owned())
            .collect()
    };
    let start =
        |name: &str, args: Vec<String>| lab.start_as_is(name, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let mut on_air = start("host", dht(&["host", "Far", "--tone", "--bind", "127.0.0.1:0"]));
    let link = on_air.wait("on_air")["link"].as_str().unwrap().to_owned();
    let listen = ["listen", &id(&link), "--output", "null", "--bind", "127.0.0.1:0"];
    let mut listener = start("listener", dht(&listen));
    listener.wait("joined");
    assert_eq!(listener.stop().code, Some(0));
    on_air.stop();
}
