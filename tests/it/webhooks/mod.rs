//! Other people's tools: what their deliveries say, and what becomes of them.

mod any_order;
pub mod first_commit;
pub mod inbox;
mod links;
mod payloads;
mod signatures;
mod whole_folder;
