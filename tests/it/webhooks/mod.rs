//! Other people's tools: what their deliveries say, and what becomes of them.

mod first_commit;
mod inbox;
mod links;
mod payloads;
mod signatures;
