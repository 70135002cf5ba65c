//! Models that run in this process, on `uno-engine`.
//!
//! [`EmbeddedChat`] generates: requests are rendered and tokenised (`prompt`), ordered so that equal beginnings are
//! computed once (`prefix`), and decoded in one continuous batch (`scheduler`) whose rows each have their own adapter
//! (`adapters`), sampling and constraint (`row`). [`EmbeddedEmbedder`] embeds. [`probe`]
//! measures what an adapter does.

mod adapters;
mod chat;
mod embedder;
mod fingerprint;
mod prefix;
mod prompt;
mod row;
mod scheduler;

pub use chat::{EmbeddedChat, EmbeddedOptions};
pub use embedder::EmbeddedEmbedder;
pub use fingerprint::probe;
