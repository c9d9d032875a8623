//! The desktop: media keys and what plays (MPRIS), and notices. Where there is no bus, nothing happens and nothing is said.

#[cfg(all(feature = "desktop", target_os = "linux"))]
mod bus;

use tokio::sync::mpsc;

use crate::tui::action::Call;
use crate::tui::model::Model;
use crate::tui::text::clean;

/// Orders and states that may wait; media keys are pressed by hand.
#[cfg(all(feature = "desktop", target_os = "linux"))]
const WAITING_MAX: usize = 32;

/// What the desktop is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    Playing(Playing),
    Notice { title: String, text: String },
}

/// What plays, as the desktop shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playing {
    /// Empty when nothing plays.
    pub station: String,
    pub title: String,
    pub paused: bool,
    pub volume: u8,
    /// There is another favourite to go to.
    pub has_favourites: bool,
}

impl Playing {
    fn of(model: &Model) -> Playing {
        let channel = model.playing();
        let player = model.player();
        Playing {
            station: channel.map(|channel| clean(&channel.name)).unwrap_or_default(),
            title: channel.map(|channel| clean(&channel.title)).unwrap_or_default(),
            paused: player.is_some_and(|player| player.paused),
            volume: player.map_or(100, |player| player.volume),
            has_favourites: model.channels.listings.iter().any(|listing| listing.favourite),
        }
    }
}

/// The way to the desktop and back.
pub struct Desktop {
    shows: Option<mpsc::Sender<Show>>,
    calls: mpsc::Receiver<Call>,
    shown: Playing,
}

impl Desktop {
    /// Looks for the bus on a thread of its own.
    #[cfg(all(feature = "desktop", target_os = "linux"))]
    pub fn connect() -> Desktop {
        let (shows, shown) = mpsc::channel(WAITING_MAX);
        let (sender, calls) = mpsc::channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("desktop".into());
        let started = thread.spawn(move || bus::run(shown, sender)).is_ok();
        Desktop {
            shows: started.then_some(shows),
            calls,
            shown: Playing::default(),
        }
    }

    /// Nothing: this build knows no desktop.
    #[cfg(not(all(feature = "desktop", target_os = "linux")))]
    pub fn connect() -> Desktop {
        let (_, calls) = mpsc::channel(1);
        Desktop {
            shows: None,
            calls,
            shown: Playing::default(),
        }
    }

    /// Shows what plays, when it is something else than before.
    pub fn show(&mut self, model: &Model) {
        if self.shows.is_none() {
            return;
        }
        let playing = Playing::of(model);
        if playing != self.shown && self.send(Show::Playing(playing.clone())) {
            self.shown = playing;
        }
    }

    /// Says something on the desktop.
    pub fn notify(&mut self, title: String, text: String) {
        self.send(Show::Notice { title, text });
    }

    /// The next thing that a media key or another program asks for.
    pub async fn call(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            // There is no bus, or it has gone.
            None => std::future::pending().await,
        }
    }

    fn send(&mut self, show: Show) -> bool {
        let Some(shows) = &self.shows else { return false };
        match shows.try_send(show) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.shows = None;
                false
            }
        }
    }
}
