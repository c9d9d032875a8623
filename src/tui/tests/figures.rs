//! For people: figures, a gallery of the screens, and a pretended engine to try them on.
#![allow(clippy::disallowed_methods, reason = "figures are measured with a clock")]

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::drawn;
use crate::engine::snapshot::{PlayerState, Snapshot};
use crate::tui::action::Screen;
use crate::tui::channels::tests::listing;
use crate::tui::sample::{engine, hosting, levels, listening, model, press};
use crate::tui::update::{Input, update};
use crate::tui::view;

#[test]
#[ignore = "measures: run it in a release build with --nocapture"]
fn how_long_frames_take() {
    let mut all = Vec::new();
    for n in 0..10_000u64 {
        all.push(listing(
            &format!(
                "Channel {n} {}",
                ["Jazz", "Night", "Drift", "深夜", "Attic"][n as usize % 5]
            ),
            "jazz",
            n,
        ));
    }
    let mut snapshot = listening(PlayerState::Playing);
    snapshot.listings = Arc::new(all);
    let mut model = model(Screen::Channels, (120, 36), snapshot);
    let mut buffer = Buffer::empty(Rect {
        x: 0,
        y: 0,
        width: 120,
        height: 36,
    });
    drop(press(&mut model, "/"));
    let mut times = Vec::new();
    for round in 0..200 {
        let key = [
            "n",
            "i",
            "g",
            "h",
            "t",
            "Backspace",
            "Backspace",
            "Backspace",
            "Backspace",
            "Backspace",
        ][round % 10];
        let start = std::time::Instant::now();
        drop(press(&mut model, key));
        buffer.reset();
        view::draw(&model, &mut buffer);
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "filter keystroke to frame, 10,000 channels: p50 {:?} p99 {:?} worst {:?}",
        times[100], times[197], times[199]
    );
    let many: Vec<_> = (0..100_000u64)
        .map(|n| {
            listing(
                &format!("Channel {n}"),
                ["jazz", "Jazz, swing", "talk", "深夜"][n as usize % 4],
                n,
            )
        })
        .collect();
    for round in 0..3 {
        let mut snapshot = listening(PlayerState::Playing);
        snapshot.listings = Arc::new(many.clone());
        let start = std::time::Instant::now();
        drop(update(&mut model, Input::Snapshot(Arc::new(snapshot))));
        println!("100,000 new listings taken in, round {round}: {:?}", start.elapsed());
    }
    let playing = crate::tui::sample::model(Screen::NowPlaying, (120, 36), listening(PlayerState::Playing));
    let start = std::time::Instant::now();
    for _ in 0..1_000 {
        buffer.reset();
        view::draw(&playing, &mut buffer);
    }
    println!(
        "a frame of Now Playing with spectrum, 120x36: {:?}",
        start.elapsed() / 1_000
    );
}

#[test]
#[ignore = "shows the screens to a person: cargo test --lib tui::tests::gallery -- --ignored --nocapture"]
fn gallery() {
    for size in [(120, 36), (90, 26), (60, 16), (40, 10), (40, 3)] {
        for screen in Screen::ALL {
            println!("{}", drawn(&model(screen, size, listening(PlayerState::Playing))).1);
        }
        println!("{}", drawn(&model(Screen::Studio, size, hosting(8))).1);
        println!("{}", drawn(&model(Screen::Channels, size, Snapshot::default())).1);
        for key in ["?", "t", ",", "H", "w", ":"] {
            let mut model = model(Screen::NowPlaying, size, listening(PlayerState::Playing));
            drop(press(&mut model, key));
            println!("{}", drawn(&model).1);
        }
    }
}

#[test]
#[ignore = "needs a terminal: run it by hand to try the interface on a pretended engine"]
fn try_it() {
    let (mut handle, far) = engine(listening(PlayerState::Playing));
    let mut options = crate::tui::Options::listening();
    options.config = std::env::var_os("INONDA_TRY").map(Into::into);
    std::thread::spawn(move || {
        let mut far = far;
        let stopped = std::env::var_os("INONDA_TRY_STOPPED").is_some();
        for n in 0u32.. {
            let mut moving = levels();
            moving.rms_db[0] -= (n % 10) as f32;
            moving
                .bands
                .iter_mut()
                .enumerate()
                .for_each(|(i, band)| *band -= ((n as usize + i * 3) % 12) as f32);
            far.levels.set(moving);
            if n % 10 == 0 {
                let snapshot = if stopped {
                    Snapshot::default()
                } else {
                    listening(PlayerState::Playing)
                };
                far.snapshot.send_replace(std::sync::Arc::new(snapshot));
            }
            while far.commands.try_recv().is_ok() {}
            std::thread::sleep(Duration::from_millis(33));
        }
    });
    println!("{:?}", crate::tui::run(&mut handle, options));
}
