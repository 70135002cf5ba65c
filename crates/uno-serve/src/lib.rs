//! The gateway: it stands in front of an OpenAI-compatible server and answers along the path that the plan chose.
//!
//! ```text
//! client ──▶ server ─▶ handle ─▶ chat ─▶ route ─▶ upstream ──▶ vLLM
//!   ▲                              │                  │
//!   └───────── http::tee ◀─────────┼──────────────────┘   bytes pass through, a copy is read
//!                                  └─▶ record ─▶ uno-store::live
//! ```
//!
//! Three rules run through all of it. Whatever of ours fails, the base model answers, and it is counted. Nothing on the way
//! of a request waits for the log. An answer that broke off is never ended as if it were whole.

pub mod adapters;
mod admin;
pub mod auth;
pub mod chat;
pub mod decision;
pub mod embedded;
mod error;
mod feedback;
pub mod gateway;
mod handle;
mod health;
pub mod http;
pub mod metrics;
pub mod options;
mod pass;
pub mod record;
pub mod rollout;
pub mod route;
mod server;
pub mod sse;
pub mod trace;
pub mod upstream;
mod watcher;

pub use error::ServeError;
pub use gateway::{Adapters, Gateway, Parts};
pub use options::ServeOptions;
pub use server::Server;
