//! The session bus: this player under the name `org.mpris.MediaPlayer2.inonda`, and notices.

use std::collections::HashMap;

use mpris_server::zbus::{self, Connection, Variant};
use mpris_server::{Metadata, PlaybackStatus, Player, TrackId};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::{Playing, Show};
use crate::tui::action::{Action, Call};

/// How long a notice stays, in milliseconds.
const NOTICE_MS: i32 = 8_000;

/// Serves the bus until the interface ends. Without a bus it ends at once.
pub fn run(shows: mpsc::Receiver<Show>, calls: mpsc::Sender<Call>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    if let Err(error) = LocalSet::new().block_on(&runtime, serve(shows, calls)) {
        tracing::debug!(%error, "no desktop");
    }
}

async fn serve(mut shows: mpsc::Receiver<Show>, calls: mpsc::Sender<Call>) -> zbus::Result<()> {
    let player = Box::pin(player()).await?;
    listen(&player, &calls);
    let task = player.run();
    let told = async {
        while let Some(show) = shows.recv().await {
            let shown = match show {
                Show::Playing(playing) => tell(&player, &playing).await,
                Show::Notice { title, text } => notify(&title, &text).await,
            };
            if let Err(error) = shown {
                tracing::debug!(%error, "the desktop did not take something");
            }
        }
    };
    tokio::select! {
        () = task => {}
        () = told => {}
    }
    Ok(())
}

/// This player on the bus; a second inonda gets a name with its process number, as MPRIS has it.
async fn player() -> zbus::Result<Player> {
    let build = |name: String| {
        Player::builder(&name)
            .identity("inonda")
            .can_play(true)
            .can_pause(true)
            .can_quit(true)
            .build()
    };
    match build("inonda".to_owned()).await {
        Err(zbus::Error::NameTaken) => build(format!("inonda.instance{}", std::process::id())).await,
        built => built,
    }
}

fn listen(player: &Player, calls: &mpsc::Sender<Call>) {
    let caller = |action: Action| {
        let calls = calls.clone();
        move || drop(calls.try_send(action.into()))
    };
    let toggle = caller(Action::Pause);
    player.connect_play_pause(move |_| toggle());
    let toggle = caller(Action::Pause);
    player.connect_play(move |player| {
        if player.playback_status() == PlaybackStatus::Paused {
            toggle();
        }
    });
    let toggle = caller(Action::Pause);
    player.connect_pause(move |player| {
        if player.playback_status() == PlaybackStatus::Playing {
            toggle();
        }
    });
    let leave = caller(Action::Leave);
    player.connect_stop(move |_| leave());
    let next = caller(Action::FavouriteAfter);
    player.connect_next(move |_| next());
    let previous = caller(Action::FavouriteBefore);
    player.connect_previous(move |_| previous());
    let quit = caller(Action::Quit);
    player.connect_quit(move |_| quit());
    let calls = calls.clone();
    player.connect_set_volume(move |_, volume| {
        let percent = (volume.clamp(0.0, 1.0) * 100.0).round();
        let call = Call {
            action: Action::Volume,
            argument: percent.to_string(),
        };
        drop(calls.try_send(call));
    });
}

async fn tell(player: &Player, playing: &Playing) -> zbus::Result<()> {
    let status = match (playing.station.is_empty(), playing.paused) {
        (true, _) => PlaybackStatus::Stopped,
        (false, true) => PlaybackStatus::Paused,
        (false, false) => PlaybackStatus::Playing,
    };
    player.set_metadata(metadata(playing)).await?;
    player.set_volume(f64::from(playing.volume) / 100.0).await?;
    player.set_can_go_next(playing.has_favourites).await?;
    player.set_can_go_previous(playing.has_favourites).await?;
    player.set_playback_status(status).await
}

/// The station is the album; a station that names no title is the title itself.
fn metadata(playing: &Playing) -> Metadata {
    if playing.station.is_empty() {
        return Metadata::builder().trackid(TrackId::NO_TRACK).build();
    }
    let about = Metadata::builder().album(playing.station.as_str());
    let about = match TrackId::try_from("/org/inonda/now") {
        Ok(track) => about.trackid(track),
        Err(_) => about,
    };
    match playing.title.split_once(" – ") {
        Some((artist, title)) => about.artist([artist]).title(title).build(),
        None if playing.title.is_empty() => about.title(playing.station.as_str()).build(),
        None => about.title(playing.title.as_str()).build(),
    }
}

async fn notify(title: &str, text: &str) -> zbus::Result<()> {
    let connection = Connection::session().await?;
    say(&connection, title, text).await
}

/// Says something through whatever shows notices on this bus.
async fn say(connection: &Connection, title: &str, text: &str) -> zbus::Result<()> {
    // The text of a notice may hold markup; names come from strangers.
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hints: HashMap<&str, Variant<'_>> = HashMap::new();
    let notice = (
        "inonda",
        0u32,
        "",
        title,
        plain.as_str(),
        Vec::<&str>::new(),
        hints,
        NOTICE_MS,
    );
    let name = "org.freedesktop.Notifications";
    let path = "/org/freedesktop/Notifications";
    connection
        .call_method(Some(name), path, Some(name), "Notify", &notice)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use futures_core::Stream;

    use super::*;

    /// A bus of our own; `None` where the program is missing.
    fn bus() -> Option<(Child, String)> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address"]);
        let mut daemon = command.stdout(Stdio::piped()).spawn().ok()?;
        let mut address = String::new();
        BufReader::new(daemon.stdout.take()?).read_line(&mut address).ok()?;
        Some((daemon, address.trim().to_owned()))
    }

    #[test]
    fn a_notice_reaches_whoever_shows_notices_and_its_text_is_no_markup() {
        let Some((mut daemon, address)) = bus() else {
            return eprintln!("skipped: there is no dbus-daemon (Debian package dbus)");
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let told = runtime.block_on(async {
            let connect = || zbus::connection::Builder::address(address.as_str()).build();
            let (desktop, ours) = (connect().await.unwrap(), connect().await.unwrap());
            desktop.request_name("org.freedesktop.Notifications").await.unwrap();
            let mut messages = std::pin::pin!(zbus::MessageStream::from(&desktop));
            let answer = async {
                loop {
                    let message = std::future::poll_fn(|cx| messages.as_mut().poll_next(cx))
                        .await
                        .unwrap()
                        .unwrap();
                    let header = message.header();
                    if header.member().is_some_and(|member| member.as_str() == "Notify") {
                        desktop.reply(&header, &1u32).await.unwrap();
                        let body = message.body();
                        type Notice<'a> = (
                            &'a str,
                            u32,
                            &'a str,
                            &'a str,
                            &'a str,
                            Vec<&'a str>,
                            HashMap<&'a str, Variant<'a>>,
                            i32,
                        );
                        let (app, _, _, title, text, ..): Notice<'_> = body.deserialize().unwrap();
                        return (app.to_owned(), title.to_owned(), text.to_owned());
                    }
                }
            };
            let (said, told) = tokio::join!(say(&ours, "Night Ferry is on air", "a <b>favourite</b>"), answer);
            said.unwrap();
            told
        });
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let expected = ("inonda", "Night Ferry is on air", "a &lt;b&gt;favourite&lt;/b&gt;");
        assert_eq!((told.0.as_str(), told.1.as_str(), told.2.as_str()), expected);
    }

    #[test]
    fn a_title_is_split_and_a_station_without_one_is_named_itself() {
        let playing = |title: &str| Playing {
            station: "Night Ferry".into(),
            title: title.into(),
            ..Playing::default()
        };
        let split = metadata(&playing("Satie – Vexations"));
        assert_eq!(
            (split.title(), split.artist()),
            (Some("Vexations"), Some(vec!["Satie".to_owned()]))
        );
        assert_eq!(split.album(), Some("Night Ferry"));
        assert_eq!(metadata(&playing("")).title(), Some("Night Ferry"));
        assert_eq!(metadata(&Playing::default()).title(), None);
    }
}
