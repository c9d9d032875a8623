//! inonda: live radio in the terminal, carried by its listeners.
//!
//! Layers point downwards only: people (`cli`, `tui`) know the [`engine`]; the engine drives the outside (`net`, `device`,
//! `discovery`, `gateway`, `store`) and the pure cores (`mesh`, `audio`, `studio`), which know no socket, clock or terminal.
#![forbid(unsafe_code)]

pub mod audio;
pub mod limits;
pub mod mesh;
pub mod sim;
pub mod units;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "device")]
pub mod device;
#[cfg(feature = "discovery")]
pub mod discovery;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "engine")]
pub mod gateway;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "tui")]
pub mod tui;
