//! What is heard here as a local stream for any player: Ogg as it came from the mesh, behind the usual playlists.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_core::Stream;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::AbortHandle;

use crate::audio::sink::OggWriter;
use crate::units::Codec;

/// Packets a player may be behind; one that is further behind hears a gap.
const BEHIND_MAX: usize = 256;
/// Pages that may wait for a player's connection.
const PAGES_MAX: usize = 64;
/// Packets on one page: 100 ms, which is what a live stream lags by.
const PAGE_PACKETS: u64 = 5;

/// What is played at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub name: String,
    pub title: String,
    /// Known once the channel is joined.
    pub codec: Option<Codec>,
}

/// Where the sound thread hands over what it plays; the stream ends when it is dropped.
pub struct Tap {
    packets: broadcast::Sender<Option<Bytes>>,
    about: watch::Sender<About>,
    server: AbortHandle,
}

#[derive(Clone)]
struct Shared {
    packets: broadcast::WeakSender<Option<Bytes>>,
    about: watch::Receiver<About>,
}

impl Tap {
    /// Listens for players. Must run within a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn open(addr: SocketAddr) -> io::Result<(Tap, SocketAddr)> {
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let (packets, _) = broadcast::channel(BEHIND_MAX);
        let (about, about_rx) = watch::channel(About::default());
        let shared = Shared {
            packets: packets.downgrade(),
            about: about_rx,
        };
        let pages = Router::new()
            .route("/", get(front))
            .route("/{file}", get(file))
            .with_state(shared);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, pages).await {
                tracing::warn!(%error, "the local stream has ended");
            }
        });
        let tap = Tap {
            packets,
            about,
            server: server.abort_handle(),
        };
        Ok((tap, bound))
    }

    /// One packet of 20 ms as it came; `None` where one never came.
    pub fn packet(&self, packet: Option<&Bytes>) {
        // Nobody may be listening at this moment.
        let _ = self.packets.send(packet.cloned());
    }

    /// What is played from here on.
    pub fn about(&self, change: impl FnOnce(&mut About)) {
        self.about.send_modify(change);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A name in lower-case ASCII with dashes.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(60).collect();
    if slug.is_empty() { "radio".into() } else { slug }
}

fn ending(codec: Option<Codec>) -> &'static str {
    match codec {
        Some(Codec::Flac) => "oga",
        Some(Codec::Opus) | None => "opus",
    }
}

fn text(kind: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

async fn front(State(shared): State<Shared>) -> Response {
    let about = shared.about.borrow().clone();
    let slug = slug(&about.name);
    let files = format!(
        "/{slug}.{}\n/{slug}.m3u\n/{slug}.pls\n/{slug}.m3u8\n",
        ending(about.codec)
    );
    text(
        "text/plain; charset=utf-8",
        format!("{}\n{}\n\n{files}", about.name, about.title),
    )
}

async fn file(State(shared): State<Shared>, Path(file): Path<String>, headers: axum::http::HeaderMap) -> Response {
    let about = shared.about.borrow().clone();
    let slug = slug(&about.name);
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let stream = format!("http://{host}/{slug}.{}", ending(about.codec));
    let name: String = about.name.chars().filter(|c| !c.is_control()).collect();
    match file.strip_prefix(slug.as_str()) {
        Some(".opus" | ".oga" | ".ogg") => sound(&shared, &about),
        Some(".m3u") => text("audio/x-mpegurl", format!("#EXTM3U\n#EXTINF:-1,{name}\n{stream}\n")),
        Some(".m3u8") => text(
            "audio/x-mpegurl; charset=utf-8",
            format!("#EXTM3U\n#EXTINF:-1,{name}\n{stream}\n"),
        ),
        Some(".pls") => text(
            "audio/x-scpls",
            format!("[playlist]\nNumberOfEntries=1\nFile1={stream}\nTitle1={name}\nLength1=-1\nVersion=2\n"),
        ),
        Some(_) | None => (StatusCode::NOT_FOUND, "the stream has another name; see /\n").into_response(),
    }
}

fn sound(shared: &Shared, about: &About) -> Response {
    let (Some(codec), Some(packets)) = (about.codec, shared.packets.upgrade()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "nothing is heard yet\n").into_response();
    };
    let (pages, stream) = mpsc::channel(PAGES_MAX);
    tokio::spawn(write(packets.subscribe(), codec, about.title.clone(), pages));
    let headers = [(CONTENT_TYPE, "audio/ogg"), (CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(Pages(stream))).into_response()
}

/// Writes one player's stream, with its own headers, until it has gone or the sound ends.
async fn write(
    mut packets: broadcast::Receiver<Option<Bytes>>,
    codec: Codec,
    title: String,
    pages: mpsc::Sender<Bytes>,
) {
    let written = Written::default();
    let mut ogg = OggWriter::live(Box::new(written.clone()), codec, PAGE_PACKETS);
    ogg.title(&title);
    loop {
        let result = match packets.recv().await {
            Ok(packet) => ogg.packet(packet.as_ref()),
            Err(broadcast::error::RecvError::Lagged(missed)) => (0..missed).try_for_each(|_| ogg.packet(None)),
            Err(broadcast::error::RecvError::Closed) => {
                // Writing to memory does not fail.
                let _ = ogg.finish();
                let _ = pages.send(written.take()).await;
                return;
            }
        };
        let bytes = written.take();
        if result.is_err() || !bytes.is_empty() && pages.send(bytes).await.is_err() {
            return;
        }
    }
}

/// Bytes that wait to be sent.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pages of one player as a stream.
struct Pages(mpsc::Receiver<Bytes>);

impl Stream for Pages {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|page| page.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audio::codec::Encoder;
    use crate::units::PACKET_SAMPLES;

    #[test]
    fn names_become_plain_paths() {
        assert_eq!(slug("Midnight Jazz FM!"), "midnight-jazz-fm");
        assert_eq!(slug("深夜"), "radio");
    }

    #[tokio::test]
    async fn a_player_gets_playlists_and_a_stream_that_decodes() {
        let (tap, addr) = Tap::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let get = async |path: &str| {
            let client = crate::net::web::client(&format!("http://{addr}")).unwrap();
            let body = crate::net::web::fetch(&client, &format!("http://{addr}/{path}"), 1 << 20).await;
            body.map(|body| String::from_utf8_lossy(&body).into_owned())
        };
        assert!(get("night.opus").await.is_err());
        tap.about(|about| {
            *about = About {
                name: "Night".into(),
                title: "Evans – Waltz".into(),
                codec: Some(Codec::Opus),
            }
        });
        assert!(
            get("night.m3u")
                .await
                .unwrap()
                .contains(&format!("http://{addr}/night.opus"))
        );
        assert!(get("night.pls").await.unwrap().contains("File1=http://"));
        assert!(get("").await.unwrap().contains("/night.m3u8"));
        assert!(get("other.m3u").await.is_err());

        let feeding = tokio::spawn(async move {
            let mut encoder = Encoder::new(Codec::Opus, 64_000).unwrap();
            for _ in 0..150 {
                let packet = encoder.encode(&[0.1; PACKET_SAMPLES], 1_275).unwrap();
                tap.packet(Some(&packet));
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        });
        let client = crate::net::web::client(&format!("http://{addr}")).unwrap();
        let url = format!("http://{addr}/night.opus");
        let body = crate::net::web::fetch(&client, &url, 1 << 20).await.unwrap();
        feeding.await.unwrap();
        let stream = symphonia::core::io::ReadOnlySource::new(std::io::Cursor::new(body));
        let mut track = crate::audio::decode::Track::from_source(Box::new(stream), "ogg").unwrap();
        assert_eq!(track.title().as_deref(), Some("Evans – Waltz"));
        let mut samples = Vec::new();
        while track.read(&mut samples).unwrap() {}
        assert!(samples.len() > 40 * PACKET_SAMPLES, "{}", samples.len());
    }
}
