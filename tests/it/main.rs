//! The integration tests: the whole service in this process, real engines below it, HTTP above it.
//! `http/` mirrors `src/http` and the URLs.

#[macro_use]
mod engine;
mod app;
mod http;
mod layers;
