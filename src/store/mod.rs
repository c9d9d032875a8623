//! What is kept between runs.

pub mod exchange;
pub mod keeper;
pub mod keys;
pub mod library;
pub mod shelf;
