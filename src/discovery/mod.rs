//! Finding channels: links, announcements, directories, the local network, the distributed hash table.

pub mod announcement;
mod asker;
mod catalogue;
pub mod dht;
pub mod directory;
mod foreign;
pub mod index_txt;
pub mod invite;
pub mod lan;
pub mod listing;
mod now;
mod probe;
pub mod proof;
mod reach;
mod scout;
pub mod service;
