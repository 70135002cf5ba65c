//! Models behind an OpenAI-compatible server. The callers are synchronous; the requests are not: up to `concurrency` are
//! in flight at once and each result is handed over when it arrives.
//!
//! - [`RemoteChat`] has chat completions, JSON-schema constraints, log-probs, adapters,
//! - [`RemoteEmbedder`] embeddings,
//! - [`RemoteReranker`] yes/no log-probs of a Qwen3-Reranker, with its template rendered here and a self-test,
//! - [`AdapterHost`] the same for whoever counts the requests in flight itself,
//! - [`VllmAdapters`] LoRA adapters loaded into vLLM at run time, used only after a probe.
//!
//! Failures that may pass (429, 5xx, lost connections, time-outs) are tried again with growing pauses; everything else
//! is an error that names the URL and what to do.

mod adapter_files;
mod adapters;
mod chat;
mod config;
mod constrain;
mod embed;
mod error;
mod host;
mod models;
mod probe;
mod request;
mod rerank;
mod retry;
pub(crate) mod runtime;
mod schema;
mod server;
mod wire;

pub use adapter_files::{AdapterFiles, check_adapter_files};
pub use adapters::VllmAdapters;
pub use chat::RemoteChat;
pub use config::{ApiKey, PathMap, RemoteConfig};
pub use embed::RemoteEmbedder;
pub use error::RemoteError;
pub use host::{AdapterHost, Held};
pub use rerank::RemoteReranker;
