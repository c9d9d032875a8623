//! `inonda host [NAME]`: go on air.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::args::{Everywhere, HostArgs};
use crate::cli::session::Until;
use crate::cli::{Failure, folders, identity, listen, session};
use crate::engine::command::{Command, Programme, Show};
use crate::limits::{DESCRIPTION_MAX_BYTES, GENRE_MAX_BYTES, NAME_MAX_BYTES, OPUS_MAX_BPS, OPUS_MIN_BPS};
use crate::tui::Studio;
use crate::units::Codec;

/// The port a host takes when it is free, so that a link outlives a restart; PeerCast's, which routers may know already.
const HOST_PORT: u16 = 7144;

/// Hosts until the programme or the person ends it.
///
/// # Errors
/// No source, an unusable key folder, a taken port, a missing device or file.
pub fn run(args: &HostArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    check_text(args)?;
    check_rate(args)?;
    check_record(args)?;
    let sources = sources(args)?;
    let owned = identity::channel(everywhere, &args.name)?;
    let show = Show {
        station: None,
        key: owned.key,
        name: args.name.clone(),
        genre: args.genre.clone(),
        description: args.description.clone(),
        language: args.language.clone(),
        contact: args.contact.clone(),
        private: args.private,
        sources,
        bitrate_bps: u32::try_from(args.bitrate).unwrap_or(u32::MAX),
        codec: args.codec.into(),
        stripes: args.stripes,
        host_slots: args.host_slots,
        repeat: args.repeat,
        record: args.record.clone(),
        held: Some(owned.lock),
    };
    let held = identity::node(everywhere)?;
    let mut binds = vec![
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, HOST_PORT)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, HOST_PORT)),
    ];
    binds.extend(listen::any_port());
    let handle = session::start(
        &args.node,
        everywhere,
        held.identity.clone(),
        binds,
        Some(folders::state(everywhere)?),
        false,
    )?;
    let _ = handle.send(Command::Host(Box::new(show)));
    session::follow(handle, everywhere, Until::OffAir)
}

/// Shows begun from inside the terminal interface: this person's keys, and what `inonda host` takes when nothing is said.
pub fn studio(everywhere: &Everywhere) -> Studio {
    let everywhere = everywhere.clone();
    Studio(Arc::new(move |name: &str, source: Programme| {
        let name = if name.is_empty() { "inonda" } else { name };
        if name.len() > NAME_MAX_BYTES {
            return Err(format!("a name has at most {NAME_MAX_BYTES} bytes"));
        }
        let source = match source {
            Programme::File(path) => Programme::File(found(path)?),
            other => other,
        };
        let owned = identity::channel(&everywhere, name).map_err(|failure| failure.message)?;
        Ok(Show {
            station: None,
            key: owned.key,
            name: name.to_owned(),
            genre: String::new(),
            description: String::new(),
            language: String::new(),
            contact: String::new(),
            private: false,
            sources: vec![source],
            bitrate_bps: 128_000,
            codec: Codec::Opus,
            stripes: 4,
            host_slots: 4,
            repeat: true,
            record: None,
            held: Some(owned.lock),
        })
    }))
}

/// A file that is there; `~` is the person's home, since no shell has read the line.
fn found(path: PathBuf) -> Result<PathBuf, String> {
    let path = match (path.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        _ => path,
    };
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("there is no {}", path.display()))
    }
}

fn sources(args: &HostArgs) -> Result<Vec<Programme>, Failure> {
    if let Some(device) = &args.mic {
        return Ok(vec![Programme::Microphone(
            (!device.is_empty()).then(|| device.clone()),
        )]);
    }
    if let Some(url) = &args.station {
        return Ok(vec![Programme::Station(url.clone())]);
    }
    if args.stdin {
        return Ok(vec![Programme::Stdin]);
    }
    if args.tone {
        return Ok(vec![Programme::Tone]);
    }
    if args.files.is_empty() {
        return Err(Failure::new(
            "there is nothing to put on air",
            "give --file PATH, --mic, --stdin, --station URL or --tone",
        )
        .code(2));
    }
    Ok(args.files.iter().cloned().map(Programme::File).collect())
}

fn check_rate(args: &HostArgs) -> Result<(), Failure> {
    let fits = (OPUS_MIN_BPS..=OPUS_MAX_BPS).contains(&args.bitrate);
    if fits || Codec::from(args.codec) == Codec::Flac {
        return Ok(());
    }
    let (least, most) = (OPUS_MIN_BPS / 1_000, OPUS_MAX_BPS / 1_000);
    Err(Failure::new(
        format!("Opus cannot be sent with {} bit/s", args.bitrate),
        format!("choose --bitrate from {least}k to {most}k, or --codec flac"),
    )
    .code(2))
}

fn check_record(args: &HostArgs) -> Result<(), Failure> {
    let Some(path) = &args.record else { return Ok(()) };
    if path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("wav"))
    {
        let hint = "name it .ogg; any program turns that into a WAV afterwards";
        return Err(Failure::new("--record keeps what is sent, which is no WAV", hint).code(2));
    }
    if path.is_file() {
        let message = format!("{} is there already and is not written over", path.display());
        return Err(Failure::new(message, "move it away, or choose another --record FILE"));
    }
    Ok(())
}

fn check_text(args: &HostArgs) -> Result<(), Failure> {
    let limits = [
        ("name", &args.name, NAME_MAX_BYTES),
        ("genre", &args.genre, GENRE_MAX_BYTES),
        ("description", &args.description, DESCRIPTION_MAX_BYTES),
    ];
    for (what, text, most) in limits {
        if text.len() > most {
            return Err(Failure::new(
                format!("the {what} has {} bytes, {most} are possible", text.len()),
                "shorten it",
            )
            .code(2));
        }
        if text.chars().any(char::is_control) {
            return Err(Failure::new(format!("the {what} holds control characters"), "leave them out").code(2));
        }
    }
    Ok(())
}
