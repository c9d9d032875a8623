//! The README's pictures: the demo for what sounds, and a small town of real hosts for what is listed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::on_air::{Lab, Node};
use crate::rig::{Terminal, command};
use crate::{INONDA, SIZE, picture};

/// After so long there is a second title, and every gauge has something to say.
const SETTLED: Duration = Duration::from_secs(170);

/// A station: its name, genre, language, the title on air, and how many listen.
type Station = (&'static str, &'static str, &'static str, &'static str, usize);

const TOWN: [Station; 14] = [
    (
        "Harbour Nights",
        "jazz, acoustic",
        "en",
        "Slow Ferry - Lamps on the Water",
        8,
    ),
    ("深夜ラジオ", "talk", "ja", "雨の日の話", 4),
    ("Attic Tapes", "ambient", "en", "Side B - Rain on Slate", 3),
    ("Radio Ladera", "cumbia", "es", "Los Vecinos - Baile de abril", 2),
    ("The Night Shift", "talk", "en", "call in, lines are open", 2),
    ("Kellerklang", "electronic", "de", "Modul 7 - Treppenhaus", 1),
    ("Field Notes", "field recordings", "en", "dawn chorus, north wall", 1),
    ("Loop Society", "electronic, ambient", "en", "loop 33", 1),
    ("Studio Nord", "classical", "sv", "Kvartett i gryningen", 0),
    ("Brass & Dust", "jazz", "en", "Second Line - Corner Store", 0),
    ("モノラル喫茶", "jazz", "ja", "珈琲と針の音", 0),
    ("Open Kitchen", "talk", "en", "bread, part two", 0),
    ("Static Garden", "noise", "", "untitled, 4 of 9", 0),
    ("Mercado FM", "cumbia", "es", "pregones y vientos", 0),
];

/// Takes every picture.
pub fn make(lab: &Lab) {
    let town = Town::open(lab);
    let mut demo = terminal(lab, &["demo", "--output", "null"]);
    demo.wait_for("PLAYING");
    let directory = town.directory.as_str();
    let args = ["--directory", directory, "--no-lan", "--no-dht", "--output", "null"];
    let mut visit = terminal(lab, &[&args[..], &["--bind", "127.0.0.1:0"]].concat());
    visit.wait_for(TOWN[TOWN.len() - 1].0);
    visit.keys(&format!(":play {}\r", town.first));
    visit.wait_for("PLAYING");
    std::thread::sleep(SETTLED);
    take(&mut demo, "2", "Spectrum", "now-playing");
    take(&mut visit, "1", "Library", "channels");
    take(&mut visit, "3", "STRIPES", "mesh");
    visit.press("1", "Library");
    take(&mut visit, "tjj", "Theme", "themes");
}

fn terminal(lab: &Lab, args: &[&str]) -> Terminal {
    let home = lab.path(&format!("home-{}", args[0]));
    fs::create_dir_all(&home).unwrap();
    Terminal::start(command(INONDA, args, &home), SIZE)
}

fn take(terminal: &mut Terminal, keys: &str, words: &str, name: &str) {
    terminal.press(keys, words);
    std::thread::sleep(Duration::from_millis(1_500));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pictures/{name}.svg"));
    fs::write(&path, picture::svg(&terminal.screen(), &format!("inonda: {name}"))).unwrap();
    println!("{}", path.display());
}

/// Hosts, their listeners and the directory they announce to, all real, all on loopback.
struct Town {
    directory: String,
    /// The link of the first station.
    first: String,
    _people: Vec<Node>,
}

impl Town {
    fn open(lab: &Lab) -> Town {
        let mut node = lab.start("directory", &["directory", "--bind", "127.0.0.1:0", "--no-dht"]);
        let directory = node.wait("ready")["addrs"][0].as_str().unwrap().to_owned();
        let sound = lab.chirp(600);
        let mut people = vec![node];
        let mut first = None;
        for (at, (name, genre, language, title, listeners)) in TOWN.into_iter().enumerate() {
            let file = lab.path(&format!("{title}.wav"));
            fs::hard_link(&sound, &file).unwrap();
            let mut host = lab.start(
                &format!("host-{at}"),
                &[
                    "host",
                    name,
                    "--file",
                    file.to_str().unwrap(),
                    "--genre",
                    genre,
                    "--language",
                    language,
                    "--directory",
                    &directory,
                    "--bind",
                    "127.0.0.1:0",
                ],
            );
            let link = host.wait("on_air")["link"].as_str().unwrap().to_owned();
            people.push(host);
            for listener in 0..listeners {
                people.push(lab.listener(&format!("listener-{at}-{listener}"), &link, &["--output", "null"]));
            }
            first.get_or_insert(link);
        }
        Town {
            directory,
            first: first.unwrap(),
            _people: people,
        }
    }
}
