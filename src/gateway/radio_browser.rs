//! The Radio Browser API: a directory of internet radio stations that anybody may run.
//!
//! Documented at <https://docs.radio-browser.info>. Any of its servers will do; they are tried in order.

use reqwest::Url;
use serde::Deserialize;

use crate::discovery::announcement::clean;
use crate::discovery::listing::{Listing, Origin};
use crate::limits::{GENRE_MAX_BYTES, LANGUAGE_MAX_BYTES, NAME_MAX_BYTES, STATIONS_MAX, STATIONS_MAX_BYTES};
use crate::net::web::{self, WebError};

/// Servers asked when a person names none.
pub const SERVERS: [&str; 2] = [
    "https://all.api.radio-browser.info",
    "https://de1.api.radio-browser.info",
];

/// One station as the API writes it; whatever is missing or strange becomes empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    name: Option<String>,
    url: Option<String>,
    url_resolved: Option<String>,
    tags: Option<String>,
    language: Option<String>,
    codec: Option<String>,
    bitrate: Option<u32>,
    lastcheckok: Option<i64>,
}

/// Asks for stations whose name contains the query, the most popular first.
///
/// # Errors
/// When no server answers; the last one's trouble is told.
pub async fn search(servers: &[String], query: &str) -> Result<Vec<Listing>, WebError> {
    let mut why = WebError::Address("nothing".into());
    for server in servers {
        let url = match address(server, query) {
            Ok(url) => url,
            Err(error) => {
                why = error;
                continue;
            }
        };
        let client = web::client(url.as_str())?;
        match web::fetch(&client, url.as_str(), STATIONS_MAX_BYTES).await {
            Ok(body) => {
                let own = url.host_str().is_some_and(web::is_own_host);
                return Ok(read(&body)?
                    .into_iter()
                    .filter(|row| own || !is_own(&row.link))
                    .collect());
            }
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn address(server: &str, query: &str) -> Result<Url, WebError> {
    let wrong = || WebError::Address(server.to_owned());
    let mut url: Url = server.parse().map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    url.set_path("/json/stations/search");
    url.query_pairs_mut()
        .append_pair("name", query)
        .append_pair("limit", &STATIONS_MAX.to_string())
        .append_pair("hidebroken", "true")
        .append_pair("order", "clickcount")
        .append_pair("reverse", "true");
    Ok(url)
}

/// Whether a station's address leads into the listener's own network: no list of the world's stations has business there.
fn is_own(link: &str) -> bool {
    link.parse::<Url>()
        .is_ok_and(|url| url.host_str().is_some_and(web::is_own_host))
}

/// Reads an answer; stations without a usable address are left out.
///
/// # Errors
/// When it is no list of stations.
pub fn read(body: &[u8]) -> Result<Vec<Listing>, WebError> {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(body)
        .map_err(|error| WebError::Failed(format!("its answer is no list of stations: {error}")))?;
    Ok(rows
        .into_iter()
        .take(STATIONS_MAX)
        .filter_map(|row| listing(serde_json::from_value(row).ok()?))
        .collect())
}

fn listing(row: Row) -> Option<Listing> {
    let usable = |url: &String| {
        ["http://", "https://"].iter().any(|head| url.starts_with(head))
            && url.len() <= 2_048
            && !url.chars().any(|c| c.is_control() || c == ' ')
    };
    // The resolved address spares a playlist, but not every server has it.
    let link = [row.url_resolved, row.url].into_iter().flatten().find(usable)?;
    let text = |text: Option<String>, max| clean(text.unwrap_or_default().trim(), max);
    let name = text(row.name, NAME_MAX_BYTES);
    (!name.is_empty()).then(|| Listing {
        channel: None,
        link,
        name,
        genre: text(row.tags, GENRE_MAX_BYTES),
        language: text(row.language, LANGUAGE_MAX_BYTES),
        description: String::new(),
        contact: String::new(),
        groups: Vec::new(),
        title: String::new(),
        listeners: None,
        relays: None,
        bitrate_kbps: row.bitrate.filter(|rate| *rate > 0),
        codec: text(row.codec, 16).to_lowercase(),
        since_unix_s: None,
        sources: vec![Origin::Station],
        on_air: row.lastcheckok != Some(0),
        favourite: false,
        hidden: false,
        playable: true,
        trend: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = r#"[
        {"stationuuid":"1","name":" Jazz FM\t","url":"http://a/x.pls","url_resolved":"http://a/x.mp3","tags":"jazz,smooth",
         "language":"english","codec":"MP3","bitrate":128,"lastcheckok":1,"hls":0,"unknown":{"a":[1]}},
        {"name":"No address","url":"","url_resolved":null},
        {"name":"Odd","url":"http://b/","bitrate":"many"},
        {"name":"Down","url":"https://c/","lastcheckok":0}
    ]"#;

    #[test]
    fn stations_are_read_and_useless_ones_left_out() {
        let found = read(ANSWER.as_bytes()).unwrap();
        let names: Vec<&str> = found.iter().map(|station| station.name.as_str()).collect();
        assert_eq!(names, ["Jazz FM", "Down"]);
        assert_eq!(
            (found[0].link.as_str(), found[0].bitrate_kbps),
            ("http://a/x.mp3", Some(128))
        );
        assert!(found[0].on_air && !found[1].on_air);
        assert!(read(b"<html>").is_err());
    }

    #[test]
    fn a_list_of_the_world_does_not_lead_into_the_own_network() {
        for own in [
            "http://192.168.1.1/setup",
            "http://nas.local/x",
            "http://localhost:8000/",
        ] {
            assert!(is_own(own), "{own}");
        }
        assert!(!is_own("http://radio.example/live"));
    }

    #[test]
    fn a_query_travels_escaped() {
        let url = address("http://127.0.0.1:9", "a&b=c d").unwrap();
        assert!(
            url.as_str()
                .starts_with("http://127.0.0.1:9/json/stations/search?name=a%26b%3Dc+d&limit=")
        );
        assert!(address("ftp://x", "a").is_err());
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(raw in prop::collection::vec(any::<u8>(), 0..200), name in "\\PC{0,40}") {
            let _ = read(&raw);
            let _ = read(serde_json::json!([{"name": name, "url": name, "bitrate": -1}, 5, null]).to_string().as_bytes());
        }
    }
}
