//! Two or more endpoints on loopback, over real sockets.

mod cost;
mod figures;
mod hostile;
mod rig;
mod rough;
mod talk;
