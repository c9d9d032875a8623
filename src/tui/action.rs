//! One vocabulary: keys, the `:` line, the help screen and `keys.toml` all speak of these actions.

/// The five screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Channels,
    NowPlaying,
    Mesh,
    Studio,
    Log,
}

impl Screen {
    /// Every screen, in the order of their number keys.
    pub const ALL: [Screen; 5] = [
        Screen::Channels,
        Screen::NowPlaying,
        Screen::Mesh,
        Screen::Studio,
        Screen::Log,
    ];

    /// The tab's word, and its short form.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Screen::Channels => ("Channels", "Chan"),
            Screen::NowPlaying => ("Now Playing", "Now"),
            Screen::Mesh => ("Mesh", "Mesh"),
            Screen::Studio => ("Studio", "Studio"),
            Screen::Log => ("Log", "Log"),
        }
    }

    /// The screen a person means by a word or a number.
    pub fn from_word(word: &str) -> Option<Screen> {
        let word = word.to_ascii_lowercase().replace([' ', '-', '_'], "");
        Some(match word.as_str() {
            "1" | "channels" | "chan" => Screen::Channels,
            "2" | "nowplaying" | "now" | "playing" => Screen::NowPlaying,
            "3" | "mesh" => Screen::Mesh,
            "4" | "studio" => Screen::Studio,
            "5" | "log" => Screen::Log,
            _ => return None,
        })
    }
}

/// Where an action's key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere; about sound.
    Playback,
    /// Everywhere; about getting around.
    Around,
    On(Screen),
}

/// What follows an action's name on the `:` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    None,
    /// May follow; the example is shown in help.
    Optional(&'static str),
    Needed(&'static str),
}

/// One line of the vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub action: Action,
    /// The name in `keys.toml` and on the `:` line.
    pub name: &'static str,
    /// Keys of the vim preset, the default; `"x x"` is pressed twice.
    pub keys: &'static [&'static str],
    /// What it does, in a few lower-case words.
    pub label: &'static str,
    pub scope: Scope,
    pub argument: Argument,
}

/// An action with what was said with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub action: Action,
    pub argument: String,
}

impl From<Action> for Call {
    fn from(action: Action) -> Call {
        Call {
            action,
            argument: String::new(),
        }
    }
}

macro_rules! actions {
    ($($scope:expr => { $($action:ident $name:literal [$($key:literal),*] $label:literal $(($argument:expr))?;)+ })+) => {
        /// Everything a person can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Action { $($($action),+),+ }

        /// The vocabulary, in the order of the help screen.
        pub const VOCABULARY: &[Entry] = &[$($(Entry {
            action: Action::$action, name: $name, keys: &[$($key),*], label: $label, scope: $scope,
            argument: { #[allow(unused_variables)] let argument = Argument::None; $(let argument = $argument;)? argument },
        }),+),+];
    };
}

use Argument::{Needed, Optional};

actions! {
    Scope::On(Screen::Channels) => {
        Play "play" ["Enter"] "play" (Optional("<name or link>"));
        Preview "preview" ["p"] "preview 10 s";
        SortNext "sort" ["s"] "sort by the next column" (Optional("listeners"));
        SortReverse "sort.reverse" ["S"] "reverse the order";
        Favourite "favourite" ["f"] "favourite";
        OnAirOnly "channels.on-air" ["o"] "on air only";
        Info "info" ["i"] "full info";
        Refresh "refresh" ["R"] "ask directories again";
        Broadcast "broadcast" ["b"] "broadcast my own";
        Hide "hide" ["B"] "hide this channel";
        ShowHidden "hidden" ["."] "show hidden";
    }
    Scope::On(Screen::NowPlaying) => {
        SearchTitle "title.search" ["Enter"] "search the web for the title";
        TitleOlder "title.older" ["<"] "the title before";
        TitleNewer "title.newer" [">"] "the title after";
    }
    Scope::On(Screen::Mesh) => {
        Inspect "mesh.inspect" ["Enter"] "inspect";
        TreeOrList "mesh.tree" ["o"] "tree or list";
        BlockPeer "block" ["b"] "block this peer";
        UploadCap "upload" ["u"] "upload cap" (Optional("2M"));
        HideIdle "mesh.idle" ["x"] "hide idle";
    }
    Scope::On(Screen::Studio) => {
        GoOnAir "air" ["O"] "go on air" (Optional("file ~/Music as Night Ferry"));
        EditTitle "title" ["T"] "edit the title" (Optional("<text>"));
        SkipTrack "skip" [">"] "next track";
        EndShow "studio.end" ["x x"] "end the show";
    }
    Scope::On(Screen::Log) => {
        LogLevel "log.level" ["l"] "level" (Optional("warn"));
        LogModule "log.module" ["o"] "module" (Optional("mesh"));
        LogFollow "log.follow" ["F"] "follow";
        LogExplain "log.explain" ["Enter"] "explain";
        LogExport "export" ["E"] "export, without addresses";
        LogClear "log.clear" ["C"] "clear the view";
    }
    Scope::Playback => {
        Pause "pause" ["space"] "pause, resume";
        Mute "mute" ["m"] "mute";
        VolumeUp "volume.up" ["=", "+"] "volume 5 % up";
        VolumeDown "volume.down" ["-"] "volume 5 % down";
        VolumeDownFine "volume.down.fine" ["_"] "volume 1 % down";
        VolumeUpFine "volume.up.fine" ["alt-="] "volume 1 % up";
        Volume "volume" [] "set the volume" (Needed("60"));
        FavouriteBefore "favourite.previous" ["["] "previous favourite";
        FavouriteAfter "favourite.next" ["]"] "next favourite";
        Record "record" ["r"] "record, or close it" (Optional("split"));
        TagTitle "tag" ["*"] "tag the current title";
        Visualiser "visualiser" ["v"] "spectrum on, off";
        VisualiserStyle "visualiser.style" ["V"] "its style";
        Sleep "sleep" ["z"] "sleep timer on, off" (Optional("30m"));
        SleepMore "sleep.more" ["Z"] "15 minutes more";
        Reconnect "reconnect" ["c"] "reconnect now";
        Why "why" ["w"] "why does it sound like this?";
        Titles "titles" ["H"] "titles heard";
        Recast "recast" ["P"] "pass this station on, or no longer";
        Leave "leave" [] "leave this channel";
    }
    Scope::Around => {
        Goto "goto" [] "go to a screen" (Needed("mesh"));
        ScreenChannels "screen.channels" ["1"] "channels";
        ScreenNowPlaying "screen.now-playing" ["2"] "now playing";
        ScreenMesh "screen.mesh" ["3"] "mesh";
        ScreenStudio "screen.studio" ["4"] "studio";
        ScreenLog "screen.log" ["5"] "log";
        NextPane "pane.next" ["Tab"] "next pane";
        PreviousPane "pane.previous" ["BackTab"] "previous pane";
        Up "up" ["k", "Up"] "up";
        Down "down" ["j", "Down"] "down";
        Left "left" ["h", "Left"] "left, fold";
        Right "right" ["Right"] "right, unfold";
        Top "top" ["g g", "Home"] "top";
        Bottom "bottom" ["G", "End"] "bottom";
        HalfDown "half.down" ["^d", "PageDown"] "half a page down";
        HalfUp "half.up" ["^u", "PageUp"] "half a page up";
        NextMatch "match.next" ["n"] "next match";
        PreviousMatch "match.previous" ["N"] "previous match";
        Filter "filter" ["/"] "filter" (Optional("tag:jazz"));
        CommandLine "command" [":"] "command line";
        Help "help" ["?"] "help";
        Theme "theme" ["t"] "theme, live preview" (Optional("nord"));
        Settings "settings" [","] "settings";
        Output "output" [] "where the sound goes" (Optional("device"));
        Delay "delay" [] "seconds behind the host" (Optional("2"));
        Keys "keys" [] "keys: change, or find conflicts";
        ReleaseMouse "mouse" ["M"] "release the mouse";
        Copy "copy" ["y"] "copy the link, title or line";
        Redraw "redraw" ["^l"] "redraw";
        Suspend "suspend" ["^z"] "back to the shell, fg returns";
        Back "back" ["Esc"] "back, never quits";
        Quit "quit" ["q"] "quit, asks while on air";
        QuitNow "quit!" ["^c"] "quit at once";
    }
}

impl Action {
    /// This action's line of the vocabulary.
    pub fn entry(self) -> &'static Entry {
        let index = VOCABULARY
            .iter()
            .position(|entry| entry.action == self)
            .unwrap_or_default();
        &VOCABULARY[index]
    }
}

impl Call {
    /// Reads a line as typed after `:` or written in `keys.toml`: a name, or a unique beginning of one, and its argument.
    ///
    /// # Errors
    /// Says in words what is unknown or missing.
    pub fn parse(line: &str) -> Result<Call, String> {
        let line = line.trim().trim_start_matches(':');
        let (word, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let word = match word {
            "q" => "quit",
            "q!" => "quit!",
            "vol" => "volume",
            "h" => "help",
            other => other,
        };
        let exact = VOCABULARY.iter().find(|entry| entry.name == word);
        let entry = match exact {
            Some(entry) => entry,
            None => unique(word)?,
        };
        match entry.argument {
            Argument::None if !argument.is_empty() => Err(format!("{} takes nothing after it", entry.name)),
            Argument::Needed(example) if argument.is_empty() => Err(format!("say what: {} {example}", entry.name)),
            Argument::None | Argument::Optional(_) | Argument::Needed(_) => Ok(Call {
                action: entry.action,
                argument: argument.to_owned(),
            }),
        }
    }
}

fn unique(word: &str) -> Result<&'static Entry, String> {
    let starts: Vec<&Entry> = VOCABULARY
        .iter()
        .filter(|entry| !word.is_empty() && entry.name.starts_with(word))
        .collect();
    match starts.as_slice() {
        [] => Err(format!("there is no command {word:?}; ? lists them")),
        [entry] => Ok(*entry),
        several => {
            let names: Vec<&str> = several.iter().take(5).map(|entry| entry.name).collect();
            Err(format!("{word:?} could be {}", names.join(", ")))
        }
    }
}

/// Names that complete what is typed on the `:` line.
pub fn completions(typed: &str) -> Vec<&'static str> {
    VOCABULARY
        .iter()
        .map(|entry| entry.name)
        .filter(|name| name.starts_with(typed))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_one_line_and_every_name_is_unique() {
        for (i, entry) in VOCABULARY.iter().enumerate() {
            assert_eq!(entry.action.entry().name, entry.name);
            assert!(
                VOCABULARY[i + 1..].iter().all(|other| other.name != entry.name),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn a_line_is_a_name_or_a_unique_beginning_with_its_argument() {
        assert_eq!(
            Call::parse(":theme nord").unwrap(),
            Call {
                action: Action::Theme,
                argument: "nord".into()
            }
        );
        assert_eq!(Call::parse("q").unwrap().action, Action::Quit);
        assert_eq!(
            Call::parse("reco x").unwrap_err(),
            "\"reco\" could be record, reconnect"
        );
        assert_eq!(Call::parse("recon").unwrap().action, Action::Reconnect);
        assert!(Call::parse("volume").unwrap_err().contains("60"));
        assert!(Call::parse("mute now").is_err());
        assert!(Call::parse("").is_err());
    }
}
