//! Everything the screens draw from, as plain state: no clock, no terminal, no engine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Hearing;
use super::action::{Call, Screen};
use super::channels::ChannelList;
use super::heard::Heard;
use super::journal::Journal;
use super::keys::{Bindings, Chord};
use super::look::Look;
pub use super::meters::{METER_FLOOR_DB, Meters};
use super::neighbours::{Neighbours, sorted};
use super::reception::Reception;
pub use super::settings::{Settings, SpectrumStyle};
pub use super::wish::{Asked, Awaited, Joining, Preview};
use crate::engine::snapshot::{ChannelView, Detail, HostView, PlayerView, Role as Part};
use crate::engine::{Snapshot, place};
use crate::mesh::stats::Neighbour;
use crate::units::PeerId;

/// Percent above which a person was never asked for; the engine's scale ends there, too.
pub const VOLUME_MAX: u8 = 100;
/// How long a message stays in place of the hints.
pub const FLASH: Duration = Duration::from_secs(5);
/// How long the first half of a sequence is waited for.
pub const PENDING: Duration = Duration::from_millis(1_500);

/// Why the person is here; it changes only what the first screen says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visit {
    /// `inonda` with no arguments.
    #[default]
    Browse,
    Listen,
    Demo,
    Host,
}

/// The wall clock, told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Unix seconds.
    pub unix_s: u64,
    /// Seconds east of Greenwich.
    pub offset_s: i32,
}

impl Wall {
    /// Hours and minutes here, of a moment in Unix seconds.
    pub fn hours_minutes(self, unix_s: u64) -> String {
        let local = unix_s.saturating_add_signed(i64::from(self.offset_s)) % 86_400;
        format!("{:02}:{:02}", local / 3_600, local / 60 % 60)
    }

    /// Hours and minutes when it was today, month and day when it was not: five letters either way.
    pub fn time_or_day(self, unix_s: u64) -> String {
        match self.day(unix_s) == self.day(self.unix_s) {
            true => self.hours_minutes(unix_s),
            false => self.date(unix_s).strftime("%m-%d").to_string(),
        }
    }

    /// Hours and minutes, after month and day when it was not today.
    pub fn day_and_time(self, unix_s: u64) -> String {
        let time = self.hours_minutes(unix_s);
        match self.day(unix_s) == self.day(self.unix_s) {
            true => time,
            false => format!("{} {time}", self.date(unix_s).strftime("%m-%d")),
        }
    }

    /// Days since 1970 here.
    fn day(self, unix_s: u64) -> u64 {
        unix_s.saturating_add_signed(i64::from(self.offset_s)) / 86_400
    }

    fn date(self, unix_s: u64) -> jiff::civil::Date {
        let local = i64::try_from(self.day(unix_s) * 86_400).unwrap_or_default();
        let moment = jiff::Timestamp::from_second(local).unwrap_or_default();
        moment.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// With seconds.
    pub fn full_time(self, unix_s: u64) -> String {
        let local = unix_s.saturating_add_signed(i64::from(self.offset_s)) % 86_400;
        format!("{:02}:{:02}:{:02}", local / 3_600, local / 60 % 60, local % 60)
    }
}

/// A line of text being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub kind: PromptKind,
    pub text: String,
    /// Byte offset of the cursor, on a letter's border.
    pub cursor: usize,
}

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    Command,
    Filter,
    Find,
    Title,
    Upload,
    /// With what to go on air.
    Air,
}

/// What lies over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// Help, with what was typed to narrow it, the selected line, and whether it shows every screen.
    Help {
        typed: String,
        selected: usize,
        all: bool,
    },
    /// The theme chooser: the selected row, and the theme to go back to.
    Themes {
        selected: usize,
        before: String,
    },
    Settings {
        selected: usize,
    },
    /// The titles heard.
    Titles {
        selected: usize,
    },
    /// A few sentences.
    Words {
        title: String,
        lines: Vec<String>,
        /// The first line shown where they are longer than their box.
        first: usize,
    },
    /// A yes or no before a call.
    Ask {
        question: String,
        call: Call,
    },
    /// The next key pressed becomes this action's key.
    Rebind {
        call: Call,
    },
}

/// A message in place of the hints for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub text: String,
    pub bad: bool,
    pub until: Duration,
}

/// The mesh screen's own state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeshPane {
    /// The neighbour that keys act on; without one, the first of the list.
    pub selected: Option<PeerId>,
    pub hide_idle: bool,
    /// On small screens: the list instead of the tree.
    pub list: bool,
}

/// The whole of the terminal interface at one moment.
#[derive(Clone, Debug)]
pub struct Model {
    /// Time since the start.
    pub now: Duration,
    pub wall: Wall,
    /// Columns and rows.
    pub size: (u16, u16),
    pub focused: bool,
    pub visit: Visit,
    pub screen: Screen,
    pub pane: usize,
    pub overlay: Option<Overlay>,
    pub prompt: Option<Prompt>,
    /// Commands typed before, oldest first.
    pub said: VecDeque<String>,
    pub pending: Vec<Chord>,
    pub pending_since: Duration,
    pub flash: Option<Flash>,
    pub snapshot: Arc<Snapshot>,
    pub meters: Meters,
    /// Of our own show, as it leaves.
    pub programme: Meters,
    pub channels: ChannelList,
    pub mesh: MeshPane,
    pub neighbours: Neighbours,
    pub journal: Journal,
    pub heard: Heard,
    pub look: Look,
    pub hearing: Hearing,
    pub settings: Settings,
    pub bindings: Bindings,
    /// When the sleep timer stops the sound.
    pub sleep_at: Option<Duration>,
    /// What was asked of the sound path and may not be in a snapshot yet.
    pub asked: Asked,
    /// The sleep timer has begun to fade the sound.
    pub fading: bool,
    /// A preview that returns to the earlier link.
    pub preview: Option<Preview>,
    /// The channel last asked for, until it plays.
    pub joining: Option<Joining>,
    /// How well the channel that is shown came in of late.
    pub reception: Reception,
    pub stopped: bool,
    /// The spectrum's bands are asked for at this moment.
    pub measured: Detail,
    /// The rate of what is heard, a point a second, and when the last one was taken.
    pub rate_history: VecDeque<u32>,
    /// The same of what is passed on.
    pub upload_history: VecDeque<u32>,
    pub rate_at: Duration,
}

/// See [`Model::shown`].
pub fn shown_of(snapshot: &Snapshot) -> Option<&ChannelView> {
    let channels = &snapshot.channels;
    let playing = channels.iter().find(|channel| channel.player.is_some());
    let own = || channels.iter().find(|channel| channel.role == Part::Host);
    playing.or_else(own).or_else(|| channels.first())
}

impl Model {
    /// The state before anything was heard of the engine.
    pub fn new(visit: Visit, screen: Screen, look: Look, bindings: Bindings, settings: Settings) -> Model {
        Model {
            now: Duration::ZERO,
            wall: Wall::default(),
            size: (80, 24),
            focused: true,
            visit,
            screen,
            pane: 0,
            overlay: None,
            prompt: None,
            said: VecDeque::new(),
            pending: Vec::new(),
            pending_since: Duration::ZERO,
            flash: None,
            snapshot: Arc::new(Snapshot::default()),
            meters: Meters::default(),
            programme: Meters::default(),
            channels: ChannelList::default(),
            mesh: MeshPane::default(),
            neighbours: Neighbours::default(),
            journal: Journal::default(),
            heard: Heard::default(),
            look,
            hearing: Hearing::default(),
            settings,
            bindings,
            sleep_at: None,
            asked: Asked::default(),
            fading: false,
            preview: None,
            joining: None,
            reception: Reception::default(),
            stopped: false,
            measured: Detail::Levels,
            rate_history: VecDeque::new(),
            upload_history: VecDeque::new(),
            rate_at: Duration::ZERO,
        }
    }

    /// The channel that is heard.
    pub fn playing(&self) -> Option<&ChannelView> {
        self.snapshot.channels.iter().find(|channel| channel.player.is_some())
    }

    /// The sound path, if there is one.
    pub fn player(&self) -> Option<&PlayerView> {
        self.playing()
            .and_then(|channel| channel.player.as_ref())
            .or(self.snapshot.player.as_ref())
    }

    /// Our own show, while there is one.
    pub fn show(&self) -> Option<&HostView> {
        self.snapshot.host.as_ref().filter(|host| host.channel.is_some())
    }

    /// The channel that the mesh screen is about: heard, else our own, else any.
    pub fn shown(&self) -> Option<&ChannelView> {
        shown_of(&self.snapshot)
    }

    /// What passes in and out each second, over all channels.
    pub fn traffic_bps(&self) -> (u64, u64) {
        let channels = &self.snapshot.channels;
        (
            channels.iter().map(|c| c.download_bps).sum(),
            channels.iter().map(|c| c.upload_bps).sum(),
        )
    }

    /// The channel that is on its way to being heard: asked for, or taken part in without sound so far.
    pub fn awaited(&self) -> Option<Awaited<'_>> {
        let channels = &self.snapshot.channels;
        if let Some(joining) = &self.joining {
            let known = joining
                .place
                .as_deref()
                .and_then(|at| channels.iter().find(|c| place(&c.link) == at));
            return Some(Awaited {
                name: joining.name.as_str(),
                peers: known.map_or(0, |channel| channel.neighbours.len()),
            });
        }
        let silent = channels.iter().find(|c| c.role == Part::Listener && c.player.is_none());
        silent.filter(|_| self.playing().is_none()).map(|channel| Awaited {
            name: channel.name.as_str(),
            peers: channel.neighbours.len(),
        })
    }

    /// The place of what plays, see [`place`].
    pub fn playing_place(&self) -> Option<&str> {
        self.playing().map(|channel| place(&channel.link))
    }

    /// The neighbours of the shown channel in the order of the mesh screen, and which one is selected.
    pub fn mesh_rows(&self) -> (Vec<&Neighbour>, usize) {
        let Some(channel) = self.shown() else {
            return (Vec::new(), 0);
        };
        let rows = sorted(&channel.neighbours, self.mesh.hide_idle);
        let at = rows
            .iter()
            .position(|n| Some(n.peer) == self.mesh.selected)
            .unwrap_or(0);
        (rows, at)
    }

    /// True while something on the screen counts seconds, or something is due soon.
    pub fn moves_by_itself(&self) -> bool {
        let waiting = self.joining.is_some() || self.preview.is_some() || self.channels.is_behind();
        waiting || self.is_sounding() || self.sleep_at.is_some()
    }

    /// True before anything was ever heard or marked, while the channels are looked at for the first time.
    pub fn is_first_visit(&self) -> bool {
        let list = &self.channels;
        self.visit == Visit::Browse
            && self.screen == Screen::Channels
            && self.snapshot.kept.recent.is_empty()
            && self.snapshot.channels.is_empty()
            && self.joining.is_none()
            && list.query.is_empty()
            && list.shelf == super::channels::Shelf::default()
            && self.heard.titles.is_empty()
            && self.pane == 0
    }

    /// Shows what was asked of the sound path as if it had happened.
    pub fn show_asked(&mut self) {
        let asked = self.asked;
        if self.now >= asked.until {
            return;
        }
        let snapshot = Arc::make_mut(&mut self.snapshot);
        let heard = snapshot
            .channels
            .iter_mut()
            .filter_map(|channel| channel.player.as_mut());
        for player in heard.chain(snapshot.player.as_mut()) {
            player.volume = asked.volume.unwrap_or(player.volume);
            player.muted = asked.muted.unwrap_or(player.muted);
            player.paused = asked.paused.unwrap_or(player.paused);
        }
    }

    /// Puts a message in place of the hints for a while.
    pub fn tell(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash {
            text: text.into(),
            bad: false,
            until: self.now + FLASH,
        });
    }

    /// The same for what went wrong.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash {
            text: text.into(),
            bad: true,
            until: self.now + FLASH,
        });
    }
}
