//! The one owner of running state. People talk to it through a [`Handle`]: commands in, events and snapshots out.

mod apply;
mod broadcast;
mod channel;
pub mod clock;
pub mod command;
mod connection;
pub mod directory;
mod ending;
pub mod event;
mod finding;
pub mod handle;
mod join;
mod keeping;
mod listen;
pub mod node;
mod output;
mod programme;
mod recording;
mod report;
mod search;
pub mod snapshot;
mod state;
pub mod target;
mod trouble;
mod tuning;

pub use crate::discovery::invite::Link;
pub use crate::discovery::listing;
pub use crate::discovery::service::Config as FindingConfig;
pub use crate::store::library::place;
pub use command::Command;
pub use event::Event;
pub use handle::Handle;
pub use node::{NodeConfig, StartError};
pub use snapshot::Snapshot;
pub use target::Target;
