//! What a colour is for.

macro_rules! roles {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// A purpose that a theme gives a look. The first thirteen make a theme; the rest are derived from them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Role { $($variant),+ }

        impl Role {
            /// Every role, in order of declaration.
            pub const ALL: &'static [Role] = &[$(Role::$variant),+];

            /// The name in theme files.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$variant => $name),+ }
            }

            /// The role of that name in theme files.
            pub fn from_name(name: &str) -> Option<Role> {
                match name { $($name => Some(Role::$variant),)+ _ => None }
            }
        }
    };
}

roles! {
    Bg "bg", Surface "surface", Overlay "overlay", Border "border", Fg "fg", Dim "dim", Muted "muted", Accent "accent",
    Alt "alt", Ok "ok", Warn "warn", Error "error", Live "live",
    Selection "selection", SelectionInactive "selection_inactive", BorderFocus "border_focus", Title "title", Key "key",
    Match "match", Playing "playing", Favourite "favourite", Rec "rec",
    MeterLow "meter_low", MeterMid "meter_mid", MeterHigh "meter_high", MeterPeak "meter_peak",
    MeterEmpty "meter_empty", Spectrum1 "spectrum_1", Spectrum2 "spectrum_2", Spectrum3 "spectrum_3",
    Spectrum4 "spectrum_4", Spectrum5 "spectrum_5", BufferLow "buffer_low", BufferMid "buffer_mid",
    BufferFull "buffer_full", Spark "spark", NodeHost "node_host", NodeRoom "node_room", NodeFull "node_full",
    NodeNospare "node_nospare", NodeClosed "node_closed", NodeStalled "node_stalled", Link "link", LinkSelf "link_self",
    LogInfo "log_info", LogWarn "log_warn", LogError "log_error",
}

impl Role {
    /// How many roles make a theme.
    pub const CORE: usize = 13;

    /// The places that a list of stops (`meter = ["ok", "warn", "error"]`) fills.
    pub fn stops(name: &str) -> Option<&'static [Role]> {
        match name {
            "meter" => Some(&[Role::MeterLow, Role::MeterMid, Role::MeterHigh]),
            "buffer" => Some(&[Role::BufferLow, Role::BufferMid, Role::BufferFull]),
            "spectrum" => Some(Role::SPECTRUM),
            _ => None,
        }
    }

    /// The stops of the spectrum, lowest level first.
    pub const SPECTRUM: &'static [Role] = &[
        Role::Spectrum1,
        Role::Spectrum2,
        Role::Spectrum3,
        Role::Spectrum4,
        Role::Spectrum5,
    ];

    /// The role whose look this one takes when a theme says nothing; `None` for the thirteen.
    pub const fn parent(self) -> Option<Role> {
        Some(match self {
            Role::Bg
            | Role::Surface
            | Role::Overlay
            | Role::Border
            | Role::Fg
            | Role::Dim
            | Role::Muted
            | Role::Accent
            | Role::Alt
            | Role::Ok
            | Role::Warn
            | Role::Error
            | Role::Live => return None,
            Role::Selection | Role::SelectionInactive | Role::Title | Role::MeterPeak => Role::Fg,
            Role::BorderFocus | Role::Key | Role::Playing | Role::NodeHost | Role::LinkSelf => Role::Accent,
            Role::Match | Role::Spectrum3 | Role::Spark => Role::Alt,
            Role::Favourite | Role::MeterMid | Role::BufferMid | Role::NodeNospare | Role::LogWarn => Role::Warn,
            Role::Rec | Role::Spectrum5 => Role::Live,
            Role::MeterLow | Role::BufferFull | Role::NodeRoom | Role::Spectrum1 => Role::Ok,
            Role::MeterHigh | Role::BufferLow | Role::NodeStalled | Role::LogError => Role::Error,
            Role::MeterEmpty | Role::Link => Role::Border,
            Role::Spectrum2 => Role::Accent,
            Role::Spectrum4 => Role::Warn,
            Role::NodeFull | Role::LogInfo => Role::Dim,
            Role::NodeClosed => Role::Muted,
        })
    }

    /// The contrast that text in this role keeps against its ground; 1 asks for nothing.
    pub const fn contrast_floor(self) -> f32 {
        match self {
            Role::Bg | Role::Surface | Role::Overlay | Role::Border | Role::MeterEmpty | Role::Link => 1.0,
            Role::Fg | Role::Dim | Role::Selection | Role::SelectionInactive | Role::Title | Role::LogInfo => 4.5,
            Role::NodeFull => 4.5,
            Role::Muted
            | Role::Accent
            | Role::Alt
            | Role::Ok
            | Role::Warn
            | Role::Error
            | Role::Live
            | Role::BorderFocus
            | Role::Key
            | Role::Match
            | Role::Playing
            | Role::Favourite
            | Role::Rec
            | Role::MeterLow
            | Role::MeterMid
            | Role::MeterHigh
            | Role::MeterPeak
            | Role::Spectrum1
            | Role::Spectrum2
            | Role::Spectrum3
            | Role::Spectrum4
            | Role::Spectrum5
            | Role::BufferLow
            | Role::BufferMid
            | Role::BufferFull
            | Role::Spark
            | Role::NodeHost
            | Role::NodeRoom
            | Role::NodeNospare
            | Role::NodeClosed
            | Role::NodeStalled
            | Role::LinkSelf
            | Role::LogWarn
            | Role::LogError => 3.0,
        }
    }
}
