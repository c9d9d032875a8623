//! A directory with more channels than anybody scrolls through, as the screen meets it: signed, served and verified.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use inonda::discovery::announcement::Announcement;
use inonda::discovery::directory::ledger::{Ledger, Row};
use inonda::units::{ChannelId, Codec, Epoch};

use crate::on_air::{Lab, Node};

/// Channels in the list.
pub const MANY: u32 = 10_000;

const NAMES: [&str; 5] = ["Night Jazz", "Harbour Talk", "深夜ラジオ", "Attic Tapes", "Drift"];
const GENRES: [&str; 4] = ["jazz", "talk", "ambient", "electronic"];

/// Starts a directory that has them all on its disk. Announcements are good for ten minutes, and so is the list.
pub fn directory(lab: &Lab) -> (Node, SocketAddr) {
    let rows: Vec<Row> = (0..MANY).map(announced).collect();
    let ledger = Ledger::open(&lab.path("state-directory")).unwrap();
    ledger.write(&rows).unwrap();
    drop(ledger);
    let mut node = lab.start(
        "directory",
        &["directory", "--bind", "127.0.0.1:0", "--no-dht", "--no-probe"],
    );
    let addr = node.wait("ready")["addrs"][0].as_str().unwrap().parse().unwrap();
    (node, addr)
}

fn announced(number: u32) -> Row {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = number as usize;
    let signed = Announcement {
        channel: ChannelId([0; 32]),
        epoch: Epoch(unix_s.saturating_mul(1_000)),
        issued_unix_s: unix_s,
        on_air: true,
        name: format!("{} {number}", NAMES[at % NAMES.len()]),
        genre: GENRES[at % GENRES.len()].into(),
        language: "en".into(),
        description: "Asked for by a bench.".into(),
        contact: String::new(),
        title: format!("Tape {number}"),
        codec: Codec::Opus,
        bitrate_bps: 128_000,
        started_unix_s: unix_s,
        listeners: number % 500,
        relays: number % 50,
        health_permille: 999,
        hosts: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
        relays_at: Vec::new(),
    }
    .sign(&SigningKey::from_bytes(&secret));
    (signed.says.channel, Some((true, signed.bytes)))
}
