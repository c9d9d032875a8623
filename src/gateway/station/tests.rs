//! Stations served by a small server on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;

/// A FLAC-free, encoder-free stream: WAV of a tone.
fn wav(seconds: usize) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for at in 0..seconds * 44_100 {
        let sample = ((at as f32 * 440.0 * std::f32::consts::TAU / 44_100.0).sin() * 9_000.0) as i16;
        writer.write_sample(sample).unwrap();
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// Serves each request by `answer(path)`, which gives the whole answer, head included.
fn serve(answer: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = reply(stream, addr, &answer);
        }
    });
    addr
}

fn reply(
    mut stream: TcpStream,
    addr: SocketAddr,
    answer: &impl Fn(&str, SocketAddr) -> Vec<u8>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    stream.write_all(&answer(&path, addr))
}

fn found(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Fills until something is heard or said; the first loud block and all notes.
#[allow(clippy::disallowed_methods, reason = "a real server is waited for")]
fn hear(url: &str) -> (bool, Vec<Note>) {
    let mut station = Station::start(url).unwrap();
    let (mut loud, mut notes) = (false, Vec::new());
    let until = Instant::now() + Duration::from_secs(20);
    let mut block = [0.0; PACKET_SAMPLES];
    while Instant::now() < until && (!loud || notes.is_empty()) {
        let filled = station.fill(&mut block);
        notes.extend(std::iter::from_fn(|| station.note()));
        match filled {
            Fill::Full => loud |= block.iter().any(|sample| sample.abs() > 0.1),
            Fill::Starved => std::thread::sleep(Duration::from_millis(5)),
            Fill::Ended => break,
        }
        let given_up = |note: &Note| matches!(note, Note::Trouble { .. });
        if !loud && notes.iter().any(given_up) {
            break;
        }
    }
    (loud, notes)
}

#[test]
fn redirects_and_playlists_lead_to_sound() {
    let sound = wav(3);
    let addr = serve(move |path, addr| match path {
        "/start" => moved("/list.pls"),
        "/list.pls" => found(
            "audio/x-scpls",
            format!("[playlist]\nFile1=http://{addr}/dead\nFile2=http://{addr}/list.m3u\n").as_bytes(),
        ),
        "/list.m3u" => found("audio/x-mpegurl", b"#EXTM3U\nlive.wav\n"),
        "/live.wav" => found("audio/wav", &sound),
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let (loud, notes) = hear(&format!("http://{addr}/start"));
    assert!(loud, "{notes:?}");
}

#[test]
fn an_old_server_with_titles_in_its_stream_is_understood() {
    let sound = wav(3);
    let addr = serve(move |_, _| {
        let mut out =
            b"ICY 200 OK\r\nicy-name: Old Jazz\r\nicy-metaint: 8192\r\ncontent-type: audio/wav\r\n\r\n".to_vec();
        for (at, part) in sound.chunks(8_192).enumerate() {
            out.extend_from_slice(part);
            if at == 2 {
                out.push(2);
                out.extend_from_slice(b"StreamTitle='Evans - Waltz';\0\0\0\0");
            } else if part.len() == 8_192 {
                out.push(0);
            }
        }
        out
    });
    let mut station = Station::start(&format!("http://{addr}/")).unwrap();
    let mut titles = Vec::new();
    let mut block = [0.0; PACKET_SAMPLES];
    for _ in 0..2_000 {
        if station.fill(&mut block) == Fill::Starved {
            std::thread::sleep(Duration::from_millis(5));
        }
        titles.extend(std::iter::from_fn(|| station.note()));
        if titles.len() >= 2 {
            break;
        }
    }
    assert_eq!(
        titles[..2],
        [Note::Title("Old Jazz".into()), Note::Title("Evans - Waltz".into())]
    );
}

#[test]
fn endless_redirects_garbage_and_missing_streams_are_said() {
    let addr = serve(|path, _| match path {
        "/round" => moved("/round"),
        "/list" => found("audio/x-mpegurl", b"/list\n"),
        "/page" => found("text/html", b"<html><body>hello there</body></html>"),
        "/noise" => found("audio/mpeg", &[0x55; 40_000]),
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    for (path, words) in [
        ("round", "redirects"),
        ("list", "redirects"),
        ("page", "no sound"),
        ("noise", "cannot be played"),
        ("gone", "status 404"),
    ] {
        let (loud, notes) = hear(&format!("http://{addr}/{path}"));
        let said = format!("{notes:?}");
        assert!(!loud && said.contains(words), "{path}: {said}");
    }
    assert!(matches!(
        Station::start("file:///etc/passwd"),
        Err(StationError::Address(_))
    ));
}

#[tokio::test]
async fn nothing_leads_into_the_local_network_unasked() {
    let addr = serve(|_, _| found("audio/wav", b"secret"));
    let url = open::parse(&format!("http://{addr}/")).unwrap();
    let refused = open::open(url.clone(), open::LocalAllowed(false), &mut 3).await.err();
    assert!(matches!(refused, Some(StationError::Local(_))), "{refused:?}");
    assert_eq!(open::is_own(&url), open::LocalAllowed(true));
    assert!(open::open(url, open::LocalAllowed(true), &mut 3).await.is_ok());
}

const MP3: &[u8] = include_bytes!("../../../tests/sounds/chirp.mp3");

/// Fills until `enough` loud blocks were heard; how many were, and all notes.
#[allow(clippy::disallowed_methods, reason = "a real server is waited for")]
fn hear_blocks(url: &str, enough: u32) -> (u32, Vec<Note>) {
    let mut station = Station::start(url).unwrap();
    let (mut loud, mut notes) = (0, Vec::new());
    let until = Instant::now() + Duration::from_secs(60);
    let mut block = [0.0; PACKET_SAMPLES];
    while Instant::now() < until && loud < enough {
        match station.fill(&mut block) {
            Fill::Full => loud += u32::from(block.iter().any(|sample| sample.abs() > 0.01)),
            Fill::Starved => std::thread::sleep(Duration::from_millis(5)),
            Fill::Ended => break,
        }
        notes.extend(std::iter::from_fn(|| station.note()));
    }
    (loud, notes)
}

#[test]
fn a_station_that_begins_to_send_garbage_is_dialled_again() {
    let dialled = std::sync::atomic::AtomicU32::new(0);
    let addr = serve(move |_, _| match dialled.fetch_add(1, Ordering::Relaxed) {
        // The connection stays good; only what comes on it is worth nothing.
        0 => found("audio/mpeg", &[&MP3[..MP3.len() / 4], &[0; 600_000]].concat()),
        _ => found("audio/x-mpeg", MP3),
    });
    // More than a quarter of the second and a half.
    let (loud, notes) = hear_blocks(&format!("http://{addr}/"), 50);
    assert_eq!(loud, 50, "{notes:?}");
}

/// The MP3 cut between two frames into so many segments.
fn segments(count: usize) -> Vec<Vec<u8>> {
    let tag = MP3[6..10].iter().fold(0, |size, byte| size << 7 | usize::from(*byte));
    let mut rest = &MP3[10 + tag..];
    let mut frames = Vec::new();
    while let [0xff, version, rate, ..] = rest {
        let one = version & 0x08 != 0;
        let kbps = match one {
            true => [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            false => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        }[usize::from(rate >> 4)];
        let hertz = [44_100, 48_000, 32_000][usize::from(rate >> 2 & 3)] / if one { 1 } else { 2 };
        let length = if one { 144 } else { 72 } * kbps * 1_000 / hertz + usize::from(rate >> 1 & 1);
        frames.push(&rest[..length.min(rest.len())]);
        rest = &rest[length.min(rest.len())..];
    }
    frames.chunks(frames.len().div_ceil(count)).map(<[_]>::concat).collect()
}

#[test]
fn an_hls_stream_is_heard_from_its_list_of_segments() {
    let parts = segments(8);
    let count = parts.len();
    let addr = serve(move |path, _| match path {
        "/master.m3u8" => found(
            "application/vnd.apple.mpegurl",
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=128000\nlive/list.m3u8\n",
        ),
        "/live/list.m3u8" => {
            let segments: String = (0..count).map(|n| format!("#EXTINF:1,\n{n}.mp3\n")).collect();
            let head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-ENDLIST\n";
            found("application/x-mpegURL", format!("{head}{segments}").as_bytes())
        }
        path => {
            let at: usize = path
                .trim_start_matches("/live/")
                .trim_end_matches(".mp3")
                .parse()
                .unwrap();
            // As packed audio travels: a tag with a time stamp in front.
            found("audio/mpeg", &[b"ID3\x04\0\0\0\0\0\x04tags", &parts[at][..]].concat())
        }
    });
    let (loud, notes) = hear_blocks(&format!("http://{addr}/master.m3u8"), 40);
    assert_eq!(loud, 40, "{notes:?}");
}

#[test]
fn a_dead_entry_of_a_playlist_is_passed_over_even_when_it_breaks_off() {
    let sound = wav(3);
    let addr = serve(move |path, addr| match path {
        "/" => found(
            "audio/x-mpegurl",
            format!("http://{addr}/broken\nhttp://{addr}/live.wav\n").as_bytes(),
        ),
        "/broken" => b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 900\r\n\r\nshort".to_vec(),
        _ => found("audio/wav", &sound),
    });
    let (loud, notes) = hear_blocks(&format!("http://{addr}/"), 20);
    assert_eq!(loud, 20, "{notes:?}");
}
