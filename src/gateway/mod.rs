//! Doors to the world of HTTP radio.

pub mod listen;
pub mod radio_browser;
pub mod station;
