//! HTTP Live Streaming: a list of segments that is fetched again and again, and the segments in their order.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use reqwest::Url;

use crate::gateway::station::Fetched;
use crate::gateway::station::open::{self, LocalAllowed, StationError};
use crate::gateway::station::playlist::{self, Playlist, Segments};
use crate::gateway::station::transport_stream;
use crate::limits::SEGMENT_MAX_BYTES;

/// Segments before the newest one at which a listener begins.
const BEHIND: usize = 3;

/// Receives until the stream ends; `Ok(false)` when nobody takes it any more.
pub(super) async fn receive(list: Url, local: LocalAllowed, out: &SyncSender<Fetched>) -> Result<bool, StationError> {
    let mut next: Option<u64> = None;
    let mut begun = false;
    loop {
        let segments = fetch_list(&list, local).await?;
        if segments.unsupported {
            return Err(StationError::Hls);
        }
        let start = match segments.ended {
            true => segments.first,
            false => segments.first + segments.uris.len().saturating_sub(BEHIND) as u64,
        };
        let wanted = next.unwrap_or(start).max(segments.first);
        let mut at = wanted;
        for uri in segments.uris.iter().skip((wanted - segments.first) as usize) {
            let url = list.join(uri).map_err(|_| StationError::Address(uri.clone()))?;
            let bytes = open::open(open::parse(url.as_str())?, local, &mut 4)
                .await?
                .whole(SEGMENT_MAX_BYTES)
                .await?;
            let (sound, ending) = sound_of(bytes)?;
            if !begun && out.send(Fetched::Begin(ending.to_owned())).is_err() {
                return Ok(false);
            }
            begun = true;
            if out.send(Fetched::Bytes(sound)).is_err() {
                return Ok(false);
            }
            at += 1;
        }
        next = Some(at);
        if segments.ended {
            return Ok(true);
        }
        let pause = Duration::from_secs(u64::from(segments.target_s)) / 2;
        tokio::time::sleep(pause).await;
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
    let tag = match bytes.get(..10) {
        Some([b'I', b'D', b'3', _, _, _, a, b, c, d]) => {
            let size = [a, b, c, d]
                .into_iter()
                .fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
            (10 + size).min(bytes.len())
        }
        _ => 0,
    };
    let sound = bytes[tag..].to_vec();
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

    proptest! {
        #[test]
        fn no_segment_makes_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = sound_of(bytes.clone());
            let _ = sound_of([&b"ID3"[..], &bytes].concat());
        }
    }
}
