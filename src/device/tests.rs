//! Real sound through a private sound server: what is played is recorded from the sink's monitor and judged as sound.

mod server;
mod sound;
