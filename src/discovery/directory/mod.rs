//! Directories: lists of what is on air, kept by anybody who wants to keep one.

pub mod desk;
pub mod follow;
pub mod ledger;
pub mod roll;
mod serve;
pub mod server;
mod web;
pub mod wire;
