//! Other people's tools: what their deliveries say, and what becomes of them.

mod any_order;
mod events;
pub mod first_commit;
pub mod inbox;
mod links;
mod payloads;
mod signatures;
mod suggested;
pub mod unknown_start;
mod whole_folder;
