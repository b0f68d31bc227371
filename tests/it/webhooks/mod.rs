//! Other people's tools: what their deliveries say, and what becomes of them.

mod payloads;
mod signatures;
