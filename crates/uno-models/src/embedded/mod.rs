//! Models that run in this process, on `uno-engine`.
//!
//! [`EmbeddedChat`] generates: requests are rendered and tokenised (`prompt`), ordered so that equal beginnings are
//! computed once (`prefix`), and decoded in one continuous batch (`batch`) whose rows each have their own adapter
//! (`adapters`), sampling and constraint (`row`). [`LiveBatch`] is such a batch that never ends: a server's requests join it
//! as they come, and leave it. [`EmbeddedEmbedder`] embeds and [`EmbeddedReranker`] answers yes or no, both from last hidden
//! states (`states`). [`probe`] measures what an adapter does.

mod adapters;
mod batch;
mod chat;
mod embedder;
mod fingerprint;
mod last_token;
mod live;
mod pooling;
pub mod precision;
mod prefix;
mod prompt;
mod reranker;
mod row;
mod states;

pub use chat::{EmbeddedChat, EmbeddedOptions};
pub use embedder::EmbeddedEmbedder;
pub use fingerprint::probe;
pub use live::{Listener, LiveBatch, LiveJob, LiveRequest};
pub use reranker::EmbeddedReranker;
