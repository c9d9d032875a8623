//! Sound without devices: sources and codecs for the host, the player for the listener, and the meters and files of both.
//! Pure: time is an argument, nothing here sleeps, and only readers and writers that are handed in touch a disk.

pub mod chirp;
pub mod codec;
pub mod decode;
pub mod level;
pub mod payload;
pub mod player;
pub mod playlist;
pub mod resample;
pub mod sink;
pub mod source;
pub mod title;
