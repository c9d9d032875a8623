//! HTTP Live Streaming: a list of segments that is fetched again and again, and the segments in their order.

use std::time::Duration;

use reqwest::Url;

use crate::gateway::station::fetch::Out;
use crate::gateway::station::open::{self, LocalAllowed, StationError};
use crate::gateway::station::playlist::{self, Playlist, Segments};
use crate::gateway::station::transport_stream;
use crate::limits::SEGMENT_MAX_BYTES;

/// Segments before the newest one at which a listener begins.
const BEHIND: u64 = 3;
/// Lists in a row without anything new, each half a segment after the one before: after the first number one that counts
/// from the beginning again is believed, after the second the stream counts as broken off.
const RESTARTED_AFTER: u32 = 3;
const IDLE_MAX: u32 = 12;

/// Receives until the stream ends; `Ok(false)` when nobody takes it any more.
pub(super) async fn receive(list: Url, local: LocalAllowed, out: &Out<'_>) -> Result<bool, StationError> {
    let mut place = Place::default();
    let mut begun = false;
    loop {
        let segments = fetch_list(&list, local).await?;
        if segments.unsupported {
            return Err(StationError::Hls);
        }
        let new = place
            .new_in(&segments)
            .ok_or_else(|| StationError::Failed("its list of segments no longer grows".into()))?;
        for uri in new {
            let url = list.join(uri).map_err(|_| StationError::Address(uri.clone()))?;
            let bytes = open::open(open::parse(url.as_str())?, local, &mut 4)
                .await?
                .whole(SEGMENT_MAX_BYTES)
                .await?;
            let (sound, kind) = sound_of(bytes)?;
            if !begun && !out.begin(kind) {
                return Ok(false);
            }
            begun = true;
            if !out.send_bytes(&sound)? {
                return Ok(false);
            }
        }
        if segments.ended {
            return Ok(true);
        }
        let pause = Duration::from_secs(u64::from(segments.target_s)) / 2;
        tokio::time::sleep(pause).await;
    }
}

/// Where a listener is in a list that moves on.
#[derive(Debug, Default)]
struct Place {
    /// Number of the segment that comes next.
    next: Option<u64>,
    /// Lists in a row in which nothing was new.
    idle: u32,
}

impl Place {
    /// The segments that were not there before; `None` when nothing has been new for too long.
    fn new_in<'a>(&mut self, segments: &'a Segments) -> Option<&'a [String]> {
        let (first, end) = (segments.first, segments.first + segments.uris.len() as u64);
        let from_start = match segments.ended {
            true => first,
            false => end.saturating_sub(BEHIND).max(first),
        };
        // A server that was started anew counts from the beginning; one stale list between others is passed over.
        let restarted = self.next.is_some_and(|next| next > end) && self.idle >= RESTARTED_AFTER;
        let wanted = match self.next.filter(|_| !restarted) {
            Some(next) => next.clamp(first, end.max(first)),
            None => from_start,
        };
        let new = &segments.uris[(wanted - first) as usize..];
        if new.is_empty() && !segments.ended {
            self.idle += 1;
            return (self.idle < IDLE_MAX).then_some(new);
        }
        (self.next, self.idle) = (Some(end), 0);
        Some(new)
    }
}

async fn fetch_list(list: &Url, local: LocalAllowed) -> Result<Segments, StationError> {
    let text = open::open(list.clone(), local, &mut 4).await?.text().await?;
    match playlist::read(&text) {
        Some(Playlist::Segments(segments)) => Ok(segments),
        Some(_) | None => Err(StationError::NoSound("a playlist that has changed its kind".into())),
    }
}

/// The sound of a segment: out of a transport stream, or behind the tags in front of packed audio.
fn sound_of(bytes: Vec<u8>) -> Result<(Vec<u8>, &'static str), StationError> {
    if transport_stream::is(&bytes) {
        return transport_stream::sound(&bytes).ok_or_else(|| StationError::NoSound("a picture".into()));
    }
    let mut rest = bytes.as_slice();
    while let Some([b'I', b'D', b'3', _, _, _, a, b, c, d]) = rest.get(..10) {
        let size = [a, b, c, d]
            .into_iter()
            .fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        rest = &rest[(10 + size).min(rest.len())..];
    }
    let sound = rest.to_vec();
    match sound.get(..2) {
        Some([0xff, second]) if second & 0xf6 == 0xf0 => Ok((sound, "aac")),
        Some([0xff, second]) if second & 0xe0 == 0xe0 => Ok((sound, "mp3")),
        _ => Err(StationError::Hls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_and_wrappings_are_taken_off() {
        let adts = [&[0xff, 0xf1][..], &[5; 600]].concat();
        let tagged = [&b"ID3\x04\0\0\0\0\0\x05"[..], &[0; 5], &adts].concat();
        assert_eq!(sound_of(tagged), Ok((adts.clone(), "aac")));
        let wrapped = transport_stream::tests::wrap(&adts);
        assert_eq!(sound_of(wrapped), Ok((adts, "aac")));
        assert_eq!(sound_of(b"<html>".to_vec()), Err(StationError::Hls));
    }

    fn list(first: u64, count: u64) -> Segments {
        Segments {
            first,
            uris: (first..first + count).map(|n| format!("{n}.aac")).collect(),
            target_s: 4,
            ..Segments::default()
        }
    }

    #[test]
    fn each_segment_is_taken_once_and_a_late_listener_begins_near_the_end() {
        let mut place = Place::default();
        assert_eq!(place.new_in(&list(10, 6)).unwrap(), ["13.aac", "14.aac", "15.aac"]);
        assert!(place.new_in(&list(10, 6)).unwrap().is_empty());
        assert_eq!(place.new_in(&list(12, 6)).unwrap(), ["16.aac", "17.aac"]);
        // Who was away for too long goes on with what is there.
        assert_eq!(place.new_in(&list(40, 2)).unwrap(), ["40.aac", "41.aac"]);
    }

    #[test]
    fn a_server_that_counts_anew_is_followed_and_one_that_stands_still_is_given_up() {
        let mut place = Place::default();
        place.new_in(&list(500, 3)).unwrap();
        assert!(place.new_in(&list(499, 3)).unwrap().is_empty(), "one stale list");
        let taken: Vec<usize> = (0..4).map(|_| place.new_in(&list(0, 3)).unwrap().len()).collect();
        assert_eq!(taken, [0, 0, 3, 0]);
        let stands = (0..20).position(|_| place.new_in(&list(0, 3)).is_none());
        assert!(stands.is_some());
    }

    proptest! {
        #[test]
        fn no_segment_makes_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = sound_of(bytes.clone());
            let _ = sound_of([&b"ID3"[..], &bytes].concat());
        }
    }
}
