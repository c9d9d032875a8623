//! What stands between a station's address and its sound: `.m3u`, `.pls` and HLS's `.m3u8`. Pure.

use std::collections::VecDeque;

use crate::limits::PLAYLIST_ENTRIES_MAX;

/// Numbers of segments beyond this are not believed, so that counting on never overflows.
const SEQUENCE_MAX: u64 = u64::MAX / 2;
/// Segments of a stream that has ended: five hours of six seconds.
const SEGMENTS_MAX: usize = 3_000;

/// A playlist that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playlist {
    /// Addresses to try in this order.
    Addresses(Vec<String>),
    /// The qualities of one HLS stream: address and bits a second.
    Qualities(Vec<(String, u64)>),
    /// The segments of an HLS stream that are there at this moment.
    Segments(Segments),
}

/// A window of an HLS stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// Number of the first segment.
    pub first: u64,
    pub uris: Vec<String>,
    pub target_s: u32,
    /// Nothing more will come.
    pub ended: bool,
    /// The sound lies in fragmented MP4 or is encrypted.
    pub unsupported: bool,
}

/// Reads any of the forms; `None` when it is none of them or names nothing.
pub fn read(text: &str) -> Option<Playlist> {
    let text = text.trim_start_matches('\u{feff}');
    if text.contains("#EXT-X-") {
        return read_hls(text);
    }
    let mut addresses: Vec<String> = Vec::new();
    let is_pls = text.lines().any(|line| line.trim().eq_ignore_ascii_case("[playlist]"));
    for line in text.lines().map(str::trim) {
        let address = match (is_pls, line.split_once('=')) {
            (true, Some((key, value))) if key.trim().to_ascii_lowercase().starts_with("file") => value.trim(),
            (true, _) => continue,
            (false, _) if line.is_empty() || line.starts_with('#') => continue,
            (false, _) => line,
        };
        if addresses.len() < PLAYLIST_ENTRIES_MAX && is_address(address) {
            addresses.push(address.to_owned());
        }
    }
    (!addresses.is_empty()).then_some(Playlist::Addresses(addresses))
}

fn is_address(text: &str) -> bool {
    !text.is_empty() && text.len() <= 2_048 && !text.chars().any(|c| c.is_control() || c == ' ' || c == '<')
}

fn read_hls(text: &str) -> Option<Playlist> {
    let mut qualities = Vec::new();
    let mut segments = Segments {
        target_s: 6,
        ..Segments::default()
    };
    let mut bandwidth = None;
    let mut uris = VecDeque::new();
    for line in text.lines().map(str::trim) {
        if let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            bandwidth = Some(attribute(attributes, "BANDWIDTH").unwrap_or(0));
        } else if let Some(target) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
            segments.target_s = target.parse().unwrap_or(6).clamp(1, 30);
        } else if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            segments.first = first.parse().unwrap_or(0).min(SEQUENCE_MAX);
        } else if line.starts_with("#EXT-X-ENDLIST") {
            segments.ended = true;
        } else if line.starts_with("#EXT-X-MAP") || line.starts_with("#EXT-X-KEY") && !line.contains("METHOD=NONE") {
            segments.unsupported = true;
        } else if is_address(line) && !line.starts_with('#') {
            match bandwidth.take() {
                Some(bandwidth) if qualities.len() < PLAYLIST_ENTRIES_MAX => {
                    qualities.push((line.to_owned(), bandwidth));
                }
                None => uris.push_back(line.to_owned()),
                Some(_) => {}
            }
        }
    }
    // A long list is one that reaches far back: its end is what is on air.
    while !segments.ended && uris.len() > PLAYLIST_ENTRIES_MAX {
        uris.pop_front();
        segments.first += 1;
    }
    uris.truncate(SEGMENTS_MAX);
    segments.uris = uris.into();
    match (qualities.is_empty(), segments.uris.is_empty() && !segments.ended) {
        (false, _) => Some(Playlist::Qualities(qualities)),
        (true, false) => Some(Playlist::Segments(segments)),
        (true, true) => None,
    }
}

fn attribute(attributes: &str, name: &str) -> Option<u64> {
    attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .and_then(|(_, value)| value.trim().parse().ok())
}

/// The quality to take: the best one up to 320 kbit/s, or the least of those above.
pub fn choose(qualities: &[(String, u64)]) -> Option<&str> {
    let best = qualities
        .iter()
        .filter(|(_, rate)| *rate <= 320_000)
        .max_by_key(|(_, rate)| *rate);
    best.or_else(|| qualities.iter().min_by_key(|(_, rate)| *rate))
        .map(|(uri, _)| uri.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_three_forms_are_read() {
        let m3u = read("#EXTM3U\n#EXTINF:-1,Jazz\nhttp://a/live.mp3\r\n\nlive2.mp3\n");
        assert_eq!(
            m3u,
            Some(Playlist::Addresses(vec![
                "http://a/live.mp3".into(),
                "live2.mp3".into()
            ]))
        );
        let pls = read("[playlist]\nNumberOfEntries=1\nFile1=http://b/x\nTitle1=B\nVersion=2\n");
        assert_eq!(pls, Some(Playlist::Addresses(vec!["http://b/x".into()])));
        let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900000\nhigh.m3u8\n";
        let Some(Playlist::Qualities(qualities)) = read(master) else {
            panic!()
        };
        assert_eq!(choose(&qualities), Some("low.m3u8"));
        let media =
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:17\n#EXTINF:4,\na.aac\n#EXTINF:4,\nb.aac\n";
        let Some(Playlist::Segments(segments)) = read(media) else {
            panic!()
        };
        assert_eq!((segments.first, segments.uris.len(), segments.ended), (17, 2, false));
        assert_eq!(read("<html><body>not found</body></html>"), None);
    }

    #[test]
    fn of_a_long_list_the_end_is_kept_and_mad_numbers_are_not_believed() {
        let uris: String = (0..100).map(|n| format!("#EXTINF:4,\n{n}.aac\n")).collect();
        let list = |head: &str| match read(&format!("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{head}\n{uris}")) {
            Some(Playlist::Segments(segments)) => segments,
            other => panic!("{other:?}"),
        };
        let live = list("7");
        assert_eq!((live.first, live.uris.len()), (43, PLAYLIST_ENTRIES_MAX));
        assert_eq!(live.uris.last().unwrap(), "99.aac");
        let whole = list("7\n#EXT-X-ENDLIST");
        assert_eq!((whole.first, whole.uris.len()), (7, 100));
        assert!(list("18446744073709551615").first <= SEQUENCE_MAX + 100);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(lines in prop::collection::vec("(#EXT-X-[A-Z-]{0,20}:|\\[playlist\\]|File1=|)\\PC{0,30}", 0..20)) {
            let _ = read(&lines.join("\n"));
        }
    }
}
