//! To come.
pub mod serve;
