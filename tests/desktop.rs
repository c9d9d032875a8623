//! Media keys: the real program on a bus of the test's own, asked by another program.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mpris_server::zbus::{Connection, OwnedVariant, Variant, connection};

const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
/// A noisy machine may need this long for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line.trim().to_owned()
}

fn inonda(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inonda"));
    command.env("INONDA_LOG", "error").env("HOME", state);
    command.arg("--state").arg(state.join("state"));
    command.arg("--config").arg(state.join("tui.toml"));
    command
}

struct Asker(Connection);

impl Asker {
    async fn get(&self, property: &str) -> Option<OwnedVariant> {
        let reply = self
            .call("org.freedesktop.DBus.Properties", "Get", &(PLAYER, property))
            .await?;
        reply.body().deserialize::<OwnedVariant>().ok()
    }

    async fn call<B>(&self, interface: &str, method: &str, body: &B) -> Option<mpris_server::zbus::Message>
    where
        B: serde::Serialize + mpris_server::zbus::zvariant::DynamicType,
    {
        let name = Some("org.mpris.MediaPlayer2.inonda");
        let path = "/org/mpris/MediaPlayer2";
        self.0.call_method(name, path, Some(interface), method, body).await.ok()
    }

    /// Asks until the answer holds this text.
    async fn wait_for(&self, property: &str, wanted: &str) {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < PATIENCE {
            last = format!("{:?}", self.get(property).await);
            if last.contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{property} is {last}, not {wanted}");
    }
}

#[test]
fn media_keys_pause_and_turn_the_volume_and_the_desktop_sees_what_plays() {
    let daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address"])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut daemon) = daemon else {
        return eprintln!("skipped: there is no dbus-daemon (Debian package dbus)");
    };
    let address = first_line(&mut daemon);
    let _daemon = Ends(daemon);
    let (host_home, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut host = inonda(host_home.path())
        .args([
            "host",
            "Night Ferry",
            "--tone",
            "--bind",
            "127.0.0.1:0",
            "--no-lan",
            "--no-dht",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let link = first_line(&mut host);
    let _host = Ends(host);
    assert!(link.starts_with("inonda:"), "{link}");
    let mut listener = inonda(home.path())
        .args(["--plain", "--no-lan", "--no-dht", "--output", "null"])
        .env("DBUS_SESSION_BUS_ADDRESS", &address)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(listener.stdin.as_mut().unwrap(), "play {link}").unwrap();
    let _listener = Ends(listener);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bus = connection::Builder::address(address.as_str()).build().await.unwrap();
        let asker = Asker(bus);
        asker.wait_for("PlaybackStatus", "Playing").await;
        asker.wait_for("Metadata", "Night Ferry").await;
        asker.call(PLAYER, "PlayPause", &()).await.unwrap();
        asker.wait_for("PlaybackStatus", "Paused").await;
        asker.call(PLAYER, "Play", &()).await.unwrap();
        asker.wait_for("PlaybackStatus", "Playing").await;
        let volume = (PLAYER, "Volume", Variant::from(0.4f64));
        asker
            .call("org.freedesktop.DBus.Properties", "Set", &volume)
            .await
            .unwrap();
        asker.wait_for("Volume", "0.4").await;
    });
}
