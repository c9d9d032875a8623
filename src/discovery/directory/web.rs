//! A directory's list over HTTP: JSON for programs, PeerCast's `index.txt` for yellow-page browsers.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::discovery::announcement::{Announcement, Signed};
use crate::discovery::directory::desk::Desk;
use crate::discovery::index_txt;
use crate::discovery::invite::Link;
use crate::discovery::now::unix_s;
use crate::units::Codec;

/// Serves until the listener fails.
pub async fn run(listener: TcpListener, desk: Desk) {
    let pages = Router::new()
        .route("/", get(front))
        .route("/channels.json", get(channels))
        .route("/index.txt", get(index))
        .route("/counts.json", get(counts))
        .with_state(desk);
    if let Err(error) = axum::serve(listener, pages).await {
        tracing::warn!(%error, "the list is no longer published over HTTP");
    }
}

async fn listed(desk: &Desk) -> Vec<Announcement> {
    let all = desk.listed().await;
    all.iter()
        .filter_map(|bytes| Signed::read_unverified(bytes).ok())
        .map(|signed| signed.says)
        .collect()
}

fn link(says: &Announcement) -> Link {
    Link::new(says.channel, says.addrs(), &says.name)
}

fn text(kind: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

async fn front(State(desk): State<Desk>) -> Response {
    let count = desk.counts().await.listed;
    let body = format!(
        "inonda directory, {count} channels on air\n\n/channels.json\n/index.txt\n/counts.json\n\nListen with: inonda channels --directory HOST:PORT\n"
    );
    text("text/plain; charset=utf-8", body)
}

async fn index(State(desk): State<Desk>) -> Response {
    let now = unix_s();
    let lines: String = listed(&desk)
        .await
        .iter()
        .map(|says| index_txt::write(says, &link(says), now) + "\n")
        .collect();
    text("text/plain; charset=utf-8", lines)
}

async fn channels(State(desk): State<Desk>) -> Response {
    let rows: Vec<Value> = listed(&desk).await.iter().map(row).collect();
    text("application/json", Value::Array(rows).to_string())
}

fn row(says: &Announcement) -> Value {
    json!({
        "channel": says.channel.to_string(),
        "link": link(says).to_string(),
        "name": says.name,
        "genre": says.genre,
        "language": says.language,
        "description": says.description,
        "title": says.title,
        "contact": says.contact,
        "listeners": says.listeners,
        "relays": says.relays,
        "bitrate": says.bitrate_bps,
        "codec": match says.codec { Codec::Opus => "opus", Codec::Flac => "flac" },
        "since": says.started_unix_s,
        "health": f64::from(says.health_permille) / 1_000.0,
    })
}

async fn counts(State(desk): State<Desk>) -> Response {
    let counts = desk.counts().await;
    let refused: serde_json::Map<String, Value> = counts
        .refused
        .iter()
        .map(|(why, count)| (why.word().to_owned(), Value::from(*count)))
        .collect();
    let body = json!({
        "listed": counts.listed, "candidates": counts.candidates, "accepted": counts.accepted, "refused": refused,
    });
    text("application/json", body.to_string())
}
