//! Opening what a host puts on air.

use tokio::sync::mpsc;

use crate::audio::playlist;
use crate::audio::source::{Generated, Live, PcmStream, Playlist, Source, Tone};
use crate::device::Capture;
use crate::engine::command::{Programme, Show};
use crate::engine::event::Level;
use crate::engine::report::Report;
use crate::engine::trouble::Trouble;
use crate::gateway::station::Station;

/// A source that is ready to sound, and the device behind it, which lives as long.
pub struct Ready {
    pub source: Box<dyn Source>,
    pub capture: Option<Capture>,
}

/// Opens the sources of a show: files one after the other, or one live input.
///
/// # Errors
/// When nothing can be put on air.
pub fn open(show: &Show, reports: &mpsc::Sender<Report>) -> Result<Ready, Trouble> {
    let mut files = Vec::new();
    let mut refused = Vec::new();
    for programme in &show.sources {
        match programme {
            Programme::File(path) => match playlist::expand(path) {
                Ok(found) => files.extend(found),
                Err(error) => refused.push(error.to_string()),
            },
            Programme::Microphone(name) => return microphone(name.as_deref()),
            Programme::Stdin => return Ok(recorded(PcmStream::new(Box::new(std::io::stdin())))),
            Programme::Station(url) => {
                let station = Station::start(url)
                    .map_err(|error| Trouble::new(format!("{url} cannot be received: {error}"), "check the address"))?;
                return Ok(recorded(station));
            }
            Programme::Tone => return Ok(recorded(Tone::new())),
            Programme::Generated => return Ok(recorded(Generated::new())),
        }
    }
    if files.is_empty() {
        return Err(Trouble::new(
            format!("there is nothing to play: {}", refused.join("; ")),
            "name audio files, folders that hold some, or .m3u, .m3u8 or .pls playlists",
        ));
    }
    for error in refused {
        let message = format!("left out: {error}");
        let hint = "the show goes on with the rest".into();
        let _ = reports.blocking_send(Report::Notice {
            level: Level::Warn,
            message,
            hint,
        });
    }
    Ok(recorded(Playlist::new(files, show.repeat)))
}

fn recorded(source: impl Source + 'static) -> Ready {
    Ready {
        source: Box::new(source),
        capture: None,
    }
}

fn microphone(name: Option<&str>) -> Result<Ready, Trouble> {
    let (capture, samples) = Capture::open(name)
        .map_err(|error| Trouble::device(error.to_string(), "`inonda devices` lists what there is"))?;
    let source = Live::new(samples, capture.rate(), usize::from(capture.channels()));
    Ok(Ready {
        source: Box::new(source),
        capture: Some(capture),
    })
}
