//! The fetching thread: from a station's address to the bytes of its sound, again and again.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use reqwest::Url;

use crate::gateway::station::open::{self, HOPS_MAX, LocalAllowed, Opened, StationError};
use crate::gateway::station::playlist::{self, Playlist};
use crate::gateway::station::{Fetched, Shared, hls, icy};

/// Pause before a station is dialled again; it doubles up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// Attempts in a row without sound after which a station is given up, and one that was never heard.
const ATTEMPTS_MAX: u32 = 6;
const FIRST_ATTEMPTS_MAX: u32 = 3;
/// Bytes handed on at once.
const PIECE_MAX_BYTES: usize = 16 * 1_024;
/// A stream that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(20);

/// What an address leads to.
pub(super) enum Lead {
    /// A stream and the ending of its format.
    Stream(Box<Opened>, &'static str),
    /// An HLS stream, by the address of its list of segments.
    Hls(Url),
}

/// Where what is fetched goes.
pub(super) struct Out<'a> {
    pub(super) to: &'a SyncSender<Fetched>,
    pub(super) shared: &'a Shared,
    /// The number of this connection.
    pub(super) attempt: u64,
}

impl Out<'_> {
    /// Begins a stream of this kind; false when nobody takes it.
    pub(super) fn begin(&self, kind: &'static str) -> bool {
        let attempt = self.attempt;
        self.to.send(Fetched::Begin { kind, attempt }).is_ok()
    }

    /// Hands something on; false when nobody takes it any more.
    ///
    /// # Errors
    /// When the decoder can make nothing of this stream: another connection may be better.
    pub(super) fn send(&self, fetched: Fetched) -> Result<bool, StationError> {
        if self.shared.is_spoiled(self.attempt) {
            return Err(StationError::Spoiled);
        }
        Ok(self.to.send(fetched).is_ok())
    }

    /// Hands bytes on in pieces, so that little of them waits.
    pub(super) fn send_bytes(&self, bytes: &[u8]) -> Result<bool, StationError> {
        for piece in bytes.chunks(PIECE_MAX_BYTES) {
            if !self.send(Fetched::Bytes(piece.to_vec()))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Fetches until nobody takes the bytes any more or the station is given up.
#[allow(
    clippy::disallowed_methods,
    reason = "how long a stream lasted is a matter of the clock"
)]
pub(super) fn run(url: &Url, to: &SyncSender<Fetched>, shared: &Shared) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(to, &StationError::Failed(error.to_string()), true),
    };
    let (mut pause, mut attempts) = (RETRY_FIRST, 0);
    for attempt in 1.. {
        let begun = Instant::now();
        let out = Out { to, shared, attempt };
        let ended = runtime.block_on(receive(url, &out));
        let why = match ended {
            // Nobody listens.
            Ok(false) => return,
            Ok(true) => StationError::Failed("the station ended the stream".into()),
            Err(why) => why,
        };
        if begun.elapsed() >= GOOD {
            (pause, attempts) = (RETRY_FIRST, 0);
        }
        attempts += 1;
        let sounded = shared.has_sounded();
        let most = if sounded { ATTEMPTS_MAX } else { FIRST_ATTEMPTS_MAX };
        let over = why.is_hopeless(sounded) || attempts >= most;
        say(to, &why, over);
        if over {
            return;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(RETRY_LAST);
    }
}

fn say(to: &SyncSender<Fetched>, why: &StationError, over: bool) {
    let hint = if over {
        "check the address in a browser, or try another station"
    } else {
        "it is dialled again in a moment"
    };
    let _ = to.send(Fetched::Trouble {
        message: format!("the station cannot be received: {why}"),
        hint: hint.into(),
    });
}

/// Receives one connection's worth; `Ok(false)` when nobody takes it any more.
async fn receive(url: &Url, out: &Out<'_>) -> Result<bool, StationError> {
    let local = open::is_own(url);
    match lead(url.clone(), local).await? {
        Lead::Hls(list) => hls::receive(list, local, out).await,
        Lead::Stream(opened, ending) => stream(*opened, ending, out).await,
    }
}

/// Follows redirects and playlists to the sound.
pub(super) async fn lead(url: Url, local: LocalAllowed) -> Result<Lead, StationError> {
    let mut hops = HOPS_MAX;
    let mut waiting = vec![url];
    let mut why = StationError::Endless;
    while let Some(url) = waiting.pop() {
        let mut opened = match open::open(url, local, &mut hops).await {
            Ok(opened) => opened,
            Err(error @ StationError::Endless) => return Err(error),
            Err(error) => {
                why = error;
                continue;
            }
        };
        let kind = opened.head.get("content-type").unwrap_or_default().to_ascii_lowercase();
        if let Some(ending) = ending(&kind, opened.url.path()) {
            return Ok(Lead::Stream(Box::new(opened), ending));
        }
        let text = match opened.text().await {
            Ok(text) => text,
            // One dead address of a list is no reason not to try the others.
            Err(error) => {
                why = error;
                continue;
            }
        };
        match playlist::read(&text) {
            Some(Playlist::Segments(_)) => return Ok(Lead::Hls(opened.url)),
            Some(Playlist::Qualities(qualities)) => {
                let chosen = playlist::choose(&qualities).ok_or(StationError::Hls)?;
                waiting.extend(opened.url.join(chosen).ok());
            }
            Some(Playlist::Addresses(addresses)) => {
                let base = opened.url.clone();
                waiting.extend(addresses.iter().rev().filter_map(|address| base.join(address).ok()));
            }
            None => why = StationError::NoSound(if kind.is_empty() { "something".into() } else { kind }),
        }
    }
    Err(why)
}

/// The format's usual file ending, by the content type and else by the path; `None` for what is read as a playlist.
pub fn ending(kind: &str, path: &str) -> Option<&'static str> {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let by_path = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    Some(match kind {
        "audio/mpeg" | "audio/mp3" | "audio/mpeg3" | "audio/mpg" | "audio/x-mpeg" | "audio/x-mpeg3"
        | "audio/x-mpeg-3" | "audio/x-mp3" | "audio/x-mpg" => "mp3",
        "audio/aac" | "audio/aacp" | "audio/x-aac" | "audio/x-aacp" | "audio/x-hx-aac-adts" => "aac",
        "audio/ogg" | "application/ogg" | "application/x-ogg" | "audio/x-ogg" | "audio/opus" | "audio/vorbis" => "ogg",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "" | "application/octet-stream" | "binary/octet-stream" | "audio/unknown" => match by_path.as_str() {
            "m3u" | "m3u8" | "pls" => return None,
            "aac" => "aac",
            "ogg" | "opus" => "ogg",
            "flac" => "flac",
            "wav" => "wav",
            // What old servers send without saying so.
            _ => "mp3",
        },
        _ => return None,
    })
}

async fn stream(mut opened: Opened, kind: &'static str, out: &Out<'_>) -> Result<bool, StationError> {
    if !out.begin(kind) {
        return Ok(false);
    }
    if let Some(name) = opened.head.get("icy-name") {
        let name = crate::discovery::announcement::clean(name, crate::limits::TITLE_MAX_BYTES);
        out.send(Fetched::Title(name))?;
    }
    let interval = opened
        .head
        .get("icy-metaint")
        .and_then(|interval| interval.parse().ok());
    let mut splitter = icy::Splitter::new(interval);
    while let Some(bytes) = opened.piece().await? {
        for piece in splitter.push(&bytes) {
            let taken = match piece {
                icy::Piece::Sound(bytes) => out.send_bytes(&bytes)?,
                icy::Piece::Title(title) => out.send(Fetched::Title(title))?,
            };
            if !taken {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
