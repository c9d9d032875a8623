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
    assert_eq!(open::is_own(&url).await, Ok(open::LocalAllowed(true)));
    assert!(open::open(url, open::LocalAllowed(true), &mut 3).await.is_ok());
}
