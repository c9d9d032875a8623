//! Two or more endpoints on loopback, over real sockets.

mod figures;
mod hostile;
mod rig;
mod rough;
mod talk;
