//! Nothing a model made is ever made twice.

mod append_log;
mod chat;
mod embed;
mod generations;

pub use append_log::{AppendLog, Recovery};
pub use chat::CachedChat;
pub use embed::{CachedEmbedder, EmbeddingCache};
pub use generations::{GenerationCache, generation_key};
