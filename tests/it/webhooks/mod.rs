//! Other people's tools: what their deliveries say, and what becomes of them.

mod events;
mod first_commit;
mod inbox;
mod payloads;
mod signatures;
