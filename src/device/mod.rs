//! Sound devices: the only place that knows how this machine makes and takes sound.
//!
//! Everything speaks interleaved stereo `f32` at the device's own rate, through a lock-free ring. An audio callback pops or
//! pushes that ring, fills silence, counts, and does nothing else; opening, watching and closing happen on threads of
//! their own, so that a sound server that hangs costs a thread and not the show.
//!
//! [`Playback`] and [`Capture`] outlive their devices: when one is lost they go on with the next one, or with nothing at
//! all on the system's clock, and return when it is back.
#![allow(clippy::disallowed_methods, reason = "devices live on the system's clock")]

mod capture;
mod event;
mod guard;
mod list;
mod null;
mod output;
mod playback;
#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "dragonfly"
))]
mod pulse;
mod quiet;
mod ring;
mod speaker;
#[cfg(test)]
mod tests;

pub use capture::Capture;
pub use event::{DeviceChange, DeviceError};
pub use list::{DeviceInfo, Kind, has_output, list};
pub use playback::Playback;
