//! Opening what a station's address leads to: each hop is looked up, checked and dialled at the address that was checked.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::station::icy::{self, Head};
use crate::limits::PLAYLIST_MAX_BYTES;
use crate::net::web::{self, WebError, is_local};

/// Redirects and playlists on the way to one stream.
pub const HOPS_MAX: usize = 8;
/// How long an answer, or the next piece of one, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of an answer.
const HEAD_MAX_BYTES: usize = 16 * 1_024;

/// A station cannot be received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StationError {
    #[error("{0:?} is no address of a station: it begins with http:// or https://")]
    Address(String),
    #[error("it leads through more than {HOPS_MAX} redirects and playlists; give the address of the stream itself")]
    Endless,
    #[error("it leads to {0} on your own network, which nobody asked for; give that address itself if you mean it")]
    Local(String),
    #[error("the name {0} is not known")]
    Unknown(String),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("it does not answer in time")]
    TimedOut,
    #[error("it sends {0}, which is no sound")]
    NoSound(String),
    #[error("what it sends cannot be decoded")]
    Spoiled,
    #[error("its HLS stream is encrypted or in fragmented MP4, which inonda cannot play")]
    Hls,
    #[error("{0}")]
    Failed(String),
}

impl StationError {
    /// Whether trying again is of no use; a station that has `sounded` may have trouble that passes.
    pub(super) fn is_hopeless(&self, sounded: bool) -> bool {
        match self {
            StationError::Address(_) | StationError::Endless | StationError::Local(_) | StationError::Hls => true,
            StationError::Status(408 | 429) => false,
            StationError::Status(status) => !sounded && *status < 500,
            StationError::NoSound(_) => !sounded,
            StationError::Unknown(_) | StationError::TimedOut | StationError::Spoiled | StationError::Failed(_) => {
                false
            }
        }
    }
}

impl From<WebError> for StationError {
    fn from(error: WebError) -> StationError {
        match error {
            WebError::Address(text) => StationError::Address(text),
            WebError::Redirects => StationError::Endless,
            WebError::Status(status) => StationError::Status(status),
            WebError::TimedOut => StationError::TimedOut,
            error @ (WebError::Local | WebError::TooLong(_) | WebError::Failed(_)) => {
                StationError::Failed(error.to_string())
            }
        }
    }
}

/// An answer whose body is still to come.
pub struct Opened {
    pub url: Url,
    pub head: Head,
    body: Body,
}

enum Body {
    Http(Box<reqwest::Response>),
    /// An answer older than HTTP/1.1, and what came behind its head.
    Raw(TcpStream, Vec<u8>),
}

/// Whether a person meant a machine of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAllowed(pub bool);

/// Reads an address.
///
/// # Errors
/// When it is none of HTTP.
pub fn parse(text: &str) -> Result<Url, StationError> {
    let wrong = || StationError::Address(text.chars().take(80).collect());
    let url: Url = text.trim().parse().map_err(|_| wrong())?;
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err(wrong()),
    }
}

/// Whether an address that a person gave means this machine's own network.
pub fn is_own(url: &Url) -> LocalAllowed {
    LocalAllowed(url.host_str().is_some_and(web::is_own_host))
}

async fn look_up(url: &Url) -> Result<Vec<SocketAddr>, StationError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let found = timeout(PATIENCE, tokio::net::lookup_host((host.clone(), port))).await;
    match found {
        Ok(Ok(addrs)) => Ok(addrs.take(8).collect()),
        Ok(Err(_)) => Err(StationError::Unknown(host)),
        Err(_) => Err(StationError::TimedOut),
    }
}

/// Opens an address and follows its redirects, at most `hops` of them; each is counted.
///
/// # Errors
/// When nothing useful answers, or it leads where nobody asked to go.
pub async fn open(mut url: Url, local: LocalAllowed, hops: &mut usize) -> Result<Opened, StationError> {
    loop {
        if *hops == 0 {
            return Err(StationError::Endless);
        }
        *hops -= 1;
        let addrs = look_up(&url).await?;
        if !local.0 && addrs.iter().any(|addr| is_local(addr.ip())) {
            return Err(StationError::Local(url.host_str().unwrap_or_default().to_owned()));
        }
        let opened = request(&url, &addrs).await?;
        let status = opened.head.status;
        if !(300..400).contains(&status) {
            return match status {
                200..300 => Ok(opened),
                status => Err(StationError::Status(status)),
            };
        }
        let location = opened.head.get("location").ok_or(StationError::Status(status))?;
        let next = url
            .join(location)
            .map_err(|_| StationError::Address(location.to_owned()))?;
        url = parse(next.as_str())?;
    }
}

async fn request(url: &Url, addrs: &[SocketAddr]) -> Result<Opened, StationError> {
    let client = pinned(url, addrs)?;
    let answer = client.get(url.clone()).header("Icy-MetaData", "1").send();
    match timeout(PATIENCE, answer).await {
        Ok(Ok(response)) => Ok(Opened {
            url: url.clone(),
            head: Head {
                status: response.status().as_u16(),
                fields: fields(&response),
            },
            body: Body::Http(Box::new(response)),
        }),
        // Old servers answer "ICY 200 OK", which is not HTTP.
        Ok(Err(error)) if url.scheme() == "http" && !error.is_connect() && !error.is_timeout() => {
            timeout(PATIENCE, raw(url, addrs))
                .await
                .map_err(|_| StationError::TimedOut)?
                .map_err(|why| why.unwrap_or_else(|| web::failure(&error).into()))
        }
        Ok(Err(error)) => Err(web::failure(&error).into()),
        Err(_) => Err(StationError::TimedOut),
    }
}

/// A client that dials what was checked, whatever the name means a moment later.
fn pinned(url: &Url, addrs: &[SocketAddr]) -> Result<Client, StationError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("inonda/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs(url.host_str().unwrap_or_default(), addrs)
        .build()
        .map_err(|error| StationError::Failed(error.to_string()))
}

fn fields(response: &reqwest::Response) -> Vec<(String, String)> {
    response
        .headers()
        .iter()
        .take(64)
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

/// The same request as it was spoken in 1999; `Err(None)` when the answer is no better understood that way.
async fn raw(url: &Url, addrs: &[SocketAddr]) -> Result<Opened, Option<StationError>> {
    let io = |error: std::io::Error| Some(StationError::Failed(error.to_string()));
    let mut stream = TcpStream::connect(addrs).await.map_err(io)?;
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    let host = url.host_str().unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: inonda\r\nIcy-MetaData: 1\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(io)?;
    let mut bytes = Vec::new();
    let mut part = [0; 2_048];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut part).await.map_err(io)?;
        if read == 0 || bytes.len() > HEAD_MAX_BYTES {
            return Err(None);
        }
        bytes.extend_from_slice(&part[..read]);
    };
    let head = icy::head(&bytes[..end]).ok_or(None)?;
    let rest = bytes.split_off(end + 4);
    Ok(Opened {
        url: url.clone(),
        head,
        body: Body::Raw(stream, rest),
    })
}

impl Opened {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks or falls silent.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, StationError> {
        match &mut self.body {
            Body::Http(response) => {
                let piece = response.chunk().await;
                piece
                    .map(|piece| piece.map(|piece| piece.to_vec()))
                    .map_err(|error| web::failure(&error).into())
            }
            Body::Raw(stream, rest) => {
                if !rest.is_empty() {
                    return Ok(Some(std::mem::take(rest)));
                }
                let mut part = vec![0; 8_192];
                match timeout(PATIENCE, stream.read(&mut part)).await {
                    Ok(Ok(0)) => Ok(None),
                    Ok(Ok(read)) => {
                        part.truncate(read);
                        Ok(Some(part))
                    }
                    Ok(Err(error)) => Err(StationError::Failed(error.to_string())),
                    Err(_) => Err(StationError::TimedOut),
                }
            }
        }
    }

    /// The whole body, at most `max` bytes.
    ///
    /// # Errors
    /// When it is longer, or breaks.
    pub async fn whole(&mut self, max: usize) -> Result<Vec<u8>, StationError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            if body.len() + piece.len() > max {
                return Err(WebError::TooLong(max).into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The body as text, as long as a playlist may be.
    ///
    /// # Errors
    /// As [`Opened::whole`].
    pub async fn text(&mut self) -> Result<String, StationError> {
        let body = self.whole(PLAYLIST_MAX_BYTES).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
