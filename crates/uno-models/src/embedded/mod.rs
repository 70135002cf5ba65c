//! Models that run in this process, on `uno-engine`.
//!
//! [`EmbeddedChat`] generates: requests are rendered and tokenised (`prompt`), ordered so that equal beginnings are
//! computed once (`prefix`), and decoded in one continuous batch (`scheduler`) whose rows each have their own adapter
//! (`adapters`), sampling and constraint (`row`). [`EmbeddedEmbedder`] embeds and [`EmbeddedReranker`] answers yes or no, both from last hidden states
//! (`states`). [`probe`]
//! measures what an adapter does.

mod adapters;
mod chat;
mod embedder;
mod fingerprint;
mod last_token;
mod pooling;
pub mod precision;
mod prefix;
mod prompt;
mod reranker;
mod row;
mod scheduler;
mod states;

pub use chat::{EmbeddedChat, EmbeddedOptions};
pub use embedder::EmbeddedEmbedder;
pub use fingerprint::probe;
pub use reranker::EmbeddedReranker;
