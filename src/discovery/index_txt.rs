//! PeerCast's `index.txt`: one channel a line, 19 fields separated by `<>`. Written so that existing yellow-page browsers
//! show our channels; read so that their channels show in our list.

use std::net::SocketAddr;

use crate::discovery::announcement::{Announcement, clean};
use crate::discovery::invite::Link;
use crate::discovery::listing::{Listing, Origin};
use crate::limits::{
    CONTACT_MAX_BYTES, DESCRIPTION_MAX_BYTES, FOREIGN_CHANNELS_MAX, GENRE_MAX_BYTES, NAME_MAX_BYTES, TITLE_MAX_BYTES,
};
use crate::units::Codec;

/// Fields of a line.
const FIELDS: usize = 19;

/// The line of a channel.
pub fn write(says: &Announcement, link: &Link, now_unix_s: u64) -> String {
    let minutes = now_unix_s.saturating_sub(says.started_unix_s) / 60;
    let tip = says.hosts.first().map(ToString::to_string).unwrap_or_default();
    let id = data_encoding::HEXUPPER.encode(&says.channel.0[..16]);
    let kind = match says.codec {
        Codec::Opus => "OPUS",
        Codec::Flac => "FLAC",
    };
    let fields: [String; FIELDS] = [
        escape(&says.name),
        id,
        tip,
        escape(&link.to_string()),
        escape(&says.genre),
        escape(&says.description),
        says.listeners.to_string(),
        says.relays.to_string(),
        (says.bitrate_bps / 1_000).to_string(),
        kind.into(),
        String::new(),
        String::new(),
        escape(&says.title),
        String::new(),
        percent(&says.name),
        format!("{}:{:02}", minutes / 60, minutes % 60),
        "click".into(),
        String::new(),
        "0".into(),
    ];
    fields.join("<>")
}

/// Reads a list. Channels of inonda keep their link; those of other programs are marked as not playable. Lines that are
/// none are passed over.
pub fn read(text: &str, origin: &Origin) -> Vec<Listing> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .take(FOREIGN_CHANNELS_MAX)
        .filter_map(|line| read_line(line, origin))
        .collect()
}

fn read_line(line: &str, origin: &Origin) -> Option<Listing> {
    let fields: Vec<&str> = line.split("<>").collect();
    let [
        name,
        id,
        tip,
        contact,
        genre,
        description,
        listeners,
        relays,
        bitrate,
        kind,
        artist,
        _album,
        title,
        ..,
    ] = fields.as_slice()
    else {
        return None;
    };
    if fields.len() < FIELDS - 1 || name.is_empty() {
        return None;
    }
    let link = unescape(contact).parse::<Link>().ok();
    let title = match (unescape(artist), unescape(title)) {
        (artist, title) if artist.is_empty() => title,
        (artist, title) => format!("{artist} – {title}"),
    };
    // Lists write -1 for a number that the host hides.
    let count = |text: &str| {
        text.trim()
            .parse::<i64>()
            .ok()
            .and_then(|count| u64::try_from(count).ok())
    };
    Some(Listing {
        channel: link.as_ref().map(|link| link.channel),
        link: match &link {
            Some(link) => link.to_string(),
            None => peercast(id, tip, name)?,
        },
        name: clean(&unescape(name), NAME_MAX_BYTES),
        genre: clean(&unescape(genre), GENRE_MAX_BYTES),
        language: String::new(),
        description: clean(&unescape(description), DESCRIPTION_MAX_BYTES),
        contact: match &link {
            Some(_) => String::new(),
            None => clean(&unescape(contact), CONTACT_MAX_BYTES),
        },
        groups: Vec::new(),
        title: clean(&title, TITLE_MAX_BYTES),
        listeners: count(listeners),
        relays: count(relays),
        bitrate_kbps: count(bitrate).and_then(|rate| u32::try_from(rate).ok()),
        codec: clean(&unescape(kind), 16).to_lowercase(),
        since_unix_s: None,
        sources: vec![origin.clone()],
        on_air: true,
        favourite: false,
        hidden: false,
        playable: link.is_some(),
        trend: Vec::new(),
    })
}

/// A channel of PeerCast by its ID, which PeerCast itself understands. Lines that announce something to readers have no ID
/// of their own; their text tells them apart.
fn peercast(id: &str, tip: &str, name: &str) -> Option<String> {
    if id.is_empty() || id.len() > 32 || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    if id.bytes().all(|digit| digit == b'0') {
        return Some(format!(
            "peercast://pls/{id}#{}",
            percent(&clean(&unescape(name), NAME_MAX_BYTES))
        ));
    }
    let tip = tip
        .parse::<SocketAddr>()
        .map_or_else(|_| String::new(), |tip| format!("?tip={tip}"));
    Some(format!("peercast://pls/{id}{tip}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace(['\n', '\r'], " ")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#039;", "'")
        .replace("&amp;", "&")
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::announcement::tests::with;
    use proptest::prelude::*;

    fn origin() -> Origin {
        Origin::Directory("http://yp.example/index.txt".into())
    }

    #[test]
    fn our_own_line_is_read_back_and_stays_playable() {
        let signed = with(1, 1_800_000_000, |says| {
            says.name = "Jazz <& more>".into();
            says.title = "A & B".into();
        });
        let says = &signed.says;
        let link = Link::new(says.channel, says.hosts.clone(), &says.name);
        let line = write(says, &link, says.started_unix_s + 3_700);
        assert_eq!(line.split("<>").count(), FIELDS);
        assert!(line.contains("<>1:01<>click<>"));
        let read = read(&line, &origin());
        assert_eq!(
            (read[0].name.as_str(), read[0].title.as_str()),
            ("Jazz <& more>", "A & B")
        );
        assert_eq!(read[0].link, link.to_string());
        assert!(read[0].playable && read[0].channel == Some(says.channel));
    }

    #[test]
    fn a_line_of_another_program_is_shown_and_marked() {
        let line = "予定地<>97968780D09CC97BB98D4A2BF221EDE7<>127.0.0.1:7144<>http://www.example.com/<>プログラミング<>peercastをいじる - &lt;Free&gt;<>-1<>4<>428<>FLV<>Artist<>Album<>Track<>http://c/<>%E4%BA%88<>1:14<>click<><>0\nnot a line\n<>\n";
        let read = read(line, &origin());
        assert_eq!(read.len(), 1);
        let listing = &read[0];
        assert_eq!((listing.name.as_str(), listing.codec.as_str()), ("予定地", "flv"));
        assert_eq!(
            (listing.listeners, listing.relays, listing.bitrate_kbps),
            (None, Some(4), Some(428))
        );
        assert_eq!(listing.description, "peercastをいじる - <Free>");
        assert_eq!(listing.title, "Artist – Track");
        assert!(!listing.playable && listing.channel.is_none());
        assert_eq!(
            listing.link,
            "peercast://pls/97968780D09CC97BB98D4A2BF221EDE7?tip=127.0.0.1:7144"
        );
        assert_eq!(listing.contact, "http://www.example.com/");
    }

    proptest! {
        #[test]
        fn no_list_makes_the_reader_panic(text in "(\\PC{0,10}(<>)?){0,60}", raw in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&text, &origin());
            read(&String::from_utf8_lossy(&raw), &origin());
        }
    }
}
