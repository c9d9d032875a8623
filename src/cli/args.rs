//! The command line as people type it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cli::quantity::{parse_bitrate, parse_delay, parse_duration};
use crate::units::Codec;

/// Live radio in the terminal, carried by its listeners.
#[derive(Debug, Parser)]
#[command(name = "inonda", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// For `inonda` alone; the commands that run a node have their own.
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub hear: HearArgs,
    #[command(subcommand)]
    pub command: Option<Sub>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Everywhere {
    /// One JSON object a line on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// No colour, no drawing: lines of text
    #[arg(long, global = true)]
    pub plain: bool,
    /// Stop by itself after this long, for example 30s
    #[arg(long = "for", global = true, value_name = "TIME", value_parser = parse_duration)]
    pub stop_after: Option<Duration>,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Settings of the terminal interface; keys.toml and themes are looked for beside it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where keys, favourites and history are kept
    #[arg(long, global = true, value_name = "DIR", env = "INONDA_STATE")]
    pub state: Option<PathBuf>,
}

/// Options of every command that runs a node.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// UDP address to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub bind: Option<SocketAddr>,
    /// Somebody on the channel to ask first; may be given again
    #[arg(long = "peer", value_name = "HOST:PORT")]
    pub peers: Vec<String>,
    /// A directory of channels, or a list of another program (http://…/index.txt); may be given again
    #[arg(long = "directory", value_name = "HOST:PORT")]
    pub directories: Vec<String>,
    /// Neither look for channels on the local network nor announce there
    #[arg(long)]
    pub no_lan: bool,
    /// Do not use the distributed hash table
    #[arg(long)]
    pub no_dht: bool,
    /// An entrance of the distributed hash table in place of the usual ones; may be given again
    #[arg(long = "dht-bootstrap", value_name = "HOST:PORT")]
    pub bootstrap: Vec<String>,
    /// Most bits a second to pass on, for example 2M; 0 is listen only
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub upload: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum Sub {
    /// All of it on this machine: a host with a generated programme, three relays, and you listening through them
    Demo(DemoArgs),
    /// Join a channel, play it and pass it on
    Listen(ListenArgs),
    /// Go on air; prints the channel's link first
    Host(HostArgs),
    /// Carry channels without playing them
    Relay(RelayArgs),
    /// Run the mesh in virtual time and report: what would my line and my audience give?
    Simulate(SimulateArgs),
    /// List the sound devices
    Devices,
    /// List what is on air
    Channels(ChannelsArgs),
    /// Serve a directory of channels
    Directory(DirectoryArgs),
    /// Look for internet radio stations in a Radio Browser directory
    Stations(StationsArgs),
    /// List the channels and stations you marked, or change the list
    Favourites {
        #[command(subcommand)]
        action: Option<FavouritesAction>,
    },
    /// List the themes, or show the roles of one
    Themes {
        /// A theme's name
        name: Option<String>,
    },
    /// Print the sheet of keys
    Keys {
        /// Show a preset in place of your own: vim, arrows or emacs
        #[arg(long)]
        preset: Option<String>,
    },
    /// Print the completion script of a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Clone, Debug, Args)]
pub struct ChannelsArgs {
    /// Words that must occur in a channel's name, genre, description, title or language
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    pub node: NodeArgs,
}

#[derive(Clone, Debug, Args)]
pub struct DirectoryArgs {
    /// UDP address to serve on
    #[arg(long, value_name = "ADDR:PORT")]
    pub bind: Option<SocketAddr>,
    /// Another directory to exchange lists with; may be given again
    #[arg(long = "directory", value_name = "HOST:PORT")]
    pub directories: Vec<String>,
    /// Publish the list over HTTP here: /channels.json and /index.txt
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// List whatever is signed, without asking its host for the stream first
    #[arg(long)]
    pub no_probe: bool,
    /// Do not use the distributed hash table
    #[arg(long)]
    pub no_dht: bool,
    /// An entrance of the distributed hash table in place of the usual ones; may be given again
    #[arg(long = "dht-bootstrap", value_name = "HOST:PORT")]
    pub bootstrap: Vec<String>,
    /// Another directory to exchange lists with, as --directory
    #[arg(long = "peer", value_name = "HOST:PORT", hide = true)]
    pub peers: Vec<String>,
    /// Accepted for the sake of scripts: a directory passes no sound on
    #[arg(long, value_name = "RATE", hide = true)]
    pub upload: Option<String>,
    /// Accepted for the sake of scripts: a directory is not announced on the local network
    #[arg(long, hide = true)]
    pub no_lan: bool,
    /// Accepted for the sake of scripts: a directory maps no port
    #[arg(long, hide = true)]
    pub no_portmap: bool,
}

#[derive(Clone, Debug, Args)]
pub struct StationsArgs {
    /// A part of the station's name
    #[arg(value_name = "QUERY", required = true)]
    pub query: Vec<String>,
    /// A server of the Radio Browser API; may be given again
    #[arg(long = "server", value_name = "URL")]
    pub servers: Vec<String>,
    /// Mark the first station found as a favourite
    #[arg(long)]
    pub save: bool,
}

/// What to do with favourites.
#[derive(Clone, Debug, Subcommand)]
pub enum FavouritesAction {
    /// Mark a channel or station
    Add {
        /// A link `inonda:…`, a channel ID, or a station's address
        link: String,
        /// What to call it
        #[arg(long, default_value = "")]
        name: String,
        /// A group to put it in; may be given again
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
    },
    /// Take a channel or station off the list
    Remove {
        /// Its name, link or ID
        favourite: String,
    },
    /// Add what a file lists: TOML, M3U or OPML, told by its ending
    Import { file: PathBuf },
    /// Write the list to a file, in the form its ending names, or as TOML to standard output
    Export { file: Option<PathBuf> },
}

#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub hear: HearArgs,
}

#[derive(Clone, Debug, Args)]
pub struct ListenArgs {
    /// A channel: a link `inonda:…`, a channel ID, a station's http:// address, a favourite's name, or the beginning of a listed name
    #[arg(value_name = "CHANNEL")]
    pub channel: String,
    #[command(flatten)]
    pub hear: HearArgs,
    #[command(flatten)]
    pub node: NodeArgs,
}

/// How to hear.
#[derive(Clone, Debug, Args)]
pub struct HearArgs {
    /// Where the sound goes: device, device:NAME, null, wav:FILE, ogg:FILE or stdout; may be given again
    #[arg(long = "output", value_name = "OUTPUT", value_parser = parse_output)]
    pub outputs: Vec<crate::engine::command::OutputTarget>,
    /// Offer what is heard to any player, as http://ADDR:PORT/NAME.opus, .m3u, .pls and .m3u8
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Wanted delay from the host's sound to your ear [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = parse_delay)]
    pub delay: Option<Duration>,
    /// Loudness in percent [default: 100, or what was kept for the channel]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub volume: Option<u8>,
}

#[derive(Clone, Debug, Args)]
pub struct RelayArgs {
    /// Channels to carry
    #[arg(value_name = "CHANNEL", required = true)]
    pub channels: Vec<String>,
    #[command(flatten)]
    pub node: NodeArgs,
}

#[derive(Clone, Debug, Args)]
pub struct HostArgs {
    /// The channel's name
    #[arg(default_value = "inonda")]
    pub name: String,
    /// A file, a folder or a playlist; may be given again
    #[arg(long = "file", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// A microphone or other input, the default one when unnamed
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["files", "stdin", "tone"])]
    pub mic: Option<String>,
    /// Sound on standard input: WAV or any other container, or raw 48 kHz stereo 16 bit
    #[arg(long, conflicts_with_all = ["files", "tone"])]
    pub stdin: bool,
    /// An internet radio station to pass on: Icecast, SHOUTcast, HLS, or a playlist of one
    #[arg(long, value_name = "URL", conflicts_with_all = ["files", "mic", "stdin", "tone"])]
    pub station: Option<String>,
    /// A test tone
    #[arg(long, conflicts_with = "files")]
    pub tone: bool,
    /// Start again after the last file
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Encoded bits a second of Opus, 6k to 510k; FLAC takes what it needs, about 1M
    #[arg(long, value_name = "RATE", default_value = "128k", value_parser = parse_bitrate)]
    pub bitrate: u64,
    /// How the sound is encoded
    #[arg(long, value_enum, default_value_t = CodecArg::Opus)]
    pub codec: CodecArg,
    /// What kind of programme it is
    #[arg(long, default_value = "")]
    pub genre: String,
    /// One or two sentences for listeners
    #[arg(long, default_value = "")]
    pub description: String,
    /// The language spoken, for example en
    #[arg(long, default_value = "")]
    pub language: String,
    /// Where your listeners meet you: a page, or mailto:you@example
    #[arg(long, value_name = "URL", default_value = "", value_parser = parse_contact)]
    pub contact: String,
    /// Tell nobody: only whoever has the link can listen
    #[arg(long)]
    pub private: bool,
    /// Stripes: 4 makes groups of peers that each carry a quarter, 1 lets every peer carry the whole
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub stripes: u8,
    /// Children a stripe that the host feeds itself
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub host_slots: u8,
    /// Keep the show in this file as well: an Ogg file of what is sent; one that exists is not written over
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    #[command(flatten)]
    pub node: NodeArgs,
}

#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// People who listen; most of them pass the stream on, a fifth cannot
    #[arg(long, value_name = "N")]
    pub listeners: Option<usize>,
    /// Virtual time to run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub seconds: Option<Duration>,
    /// Encoded bits a second
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub rate: Option<u64>,
    /// Stripes: 4 makes groups of peers that each carry a quarter, 1 lets every peer carry the whole
    #[arg(long, value_name = "K")]
    pub stripes: Option<u8>,
    /// Delay from the host's sound to the ear, after which a chunk is missed
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub deadline: Option<Duration>,
    /// Mean stay of a listener, each of whom leaves without a word
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub session: Option<Duration>,
    /// A share of the audience vanishes at once, for example 0.3@20s; may be given again
    #[arg(long, value_name = "SHARE@TIME", value_parser = crate::cli::simulate::parse_crash)]
    pub crash: Vec<crate::sim::scenario::Crash>,
    /// Share of packets lost on each hop
    #[arg(long, value_name = "SHARE")]
    pub loss: Option<f64>,
    /// What all chance follows from
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Children a stripe that the host feeds itself
    #[arg(long, value_name = "S")]
    pub host_slots: Option<u8>,
    /// What the host's own line can send, for example 1M
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub upload: Option<u64>,
    /// A scenario file (TOML); the options given change it
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Draw the charts into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Run so many small scenarios whose every parameter is drawn from the seed, and check all that must hold
    #[arg(long, value_name = "N")]
    pub swarm: Option<u64>,
}

/// The codecs a host may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodecArg {
    Opus,
    Flac,
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Codec {
        match codec {
            CodecArg::Opus => Codec::Opus,
            CodecArg::Flac => Codec::Flac,
        }
    }
}

fn parse_output(text: &str) -> Result<crate::engine::command::OutputTarget, String> {
    use crate::engine::command::OutputTarget;
    let (kind, rest) = text
        .split_once(':')
        .map_or((text, None), |(kind, rest)| (kind, Some(rest)));
    match (kind, rest.filter(|rest| !rest.is_empty())) {
        ("device", name) => Ok(OutputTarget::Device(name.map(str::to_owned))),
        ("null", None) => Ok(OutputTarget::Null),
        ("stdout", None) => Ok(OutputTarget::Stdout),
        ("wav", Some(path)) => Ok(OutputTarget::Wav(path.into())),
        ("ogg", Some(path)) => Ok(OutputTarget::Ogg(path.into())),
        _ => Err("use device, device:NAME, null, wav:FILE, ogg:FILE or stdout".into()),
    }
}

/// Options of a node that stand before a subcommand, which has its own and would never hear of them.
pub fn misplaced(matches: &ArgMatches) -> Vec<String> {
    if matches.subcommand_name().is_none() {
        return Vec::new();
    }
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    Cli::command()
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && given(arg.get_id().as_str()))
        .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
        .collect()
}

/// Where listeners meet a host: an address that a browser or a mail program opens.
fn parse_contact(text: &str) -> Result<String, String> {
    let opens = ["http://", "https://", "mailto:"]
        .iter()
        .any(|head| text.starts_with(head));
    if (opens || text.is_empty()) && text.len() <= crate::limits::CONTACT_MAX_BYTES {
        return Ok(text.to_owned());
    }
    Err(format!(
        "it begins with https://, http:// or mailto: and has at most {} bytes",
        crate::limits::CONTACT_MAX_BYTES
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_node_stand_behind_the_subcommand() {
        let misplaced = |line: &[&str]| {
            let line = [&["inonda"], line].concat();
            super::misplaced(&Cli::command().try_get_matches_from(line).unwrap())
        };
        assert_eq!(
            misplaced(&["--no-dht", "--upload", "0", "host", "Radio"]),
            ["--no-dht", "--upload"]
        );
        assert_eq!(misplaced(&["--delay", "3s", "demo"]), ["--delay"]);
        for good in [
            &["--json", "--state", "/x", "host", "--no-dht"][..],
            &["--no-dht", "--output", "null"],
            &["demo", "--delay", "3s"],
        ] {
            assert!(misplaced(good).is_empty(), "{good:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn outputs_are_read_as_the_contract_writes_them() {
        use crate::engine::command::OutputTarget;
        assert_eq!(
            parse_output("wav:/tmp/a:b.wav").unwrap(),
            OutputTarget::Wav("/tmp/a:b.wav".into())
        );
        assert_eq!(
            parse_output("device:USB Audio").unwrap(),
            OutputTarget::Device(Some("USB Audio".into()))
        );
        for bad in ["", "wav", "wav:", "null:x", "mp3:x"] {
            assert!(parse_output(bad).is_err(), "{bad}");
        }
    }
}
