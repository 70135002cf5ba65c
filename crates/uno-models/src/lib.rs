//! Language models as the method sees them: chat, embed, rerank; embedded and remote.
//!
//! - [`tokenizer`] cuts text into token ids and back,
//! - [`template`] renders messages as the text that a model continues,
//! - [`sampling`] draws a token from logits, reproducibly,
//! - [`constraint`] holds a generation to a JSON schema,
//! - [`embedded`] runs models in this process,
//! - [`fingerprint`] knows an adapter again by what it does,
//! - [`qwen3`] holds the texts of Qwen3-Embedding and Qwen3-Reranker, and the reranker's self-test,
//! - [`registry`] pulls and finds model files,
//! - [`remote`] asks OpenAI-compatible servers.

pub mod constraint;
pub mod embedded;
pub mod error;
pub mod fingerprint;
pub mod qwen3;
pub mod registry;
pub mod remote;
pub mod sampling;
pub mod template;
pub mod tokenizer;

pub use embedded::precision;
pub use embedded::{EmbeddedChat, EmbeddedEmbedder, EmbeddedOptions, EmbeddedReranker};
pub use error::ModelsError;
pub use fingerprint::{Fingerprint, FingerprintPrompt};
pub use template::{ChatTemplate, TokenizedExample, encode_example};
pub use tokenizer::TextTokenizer;
pub use uno_engine::Precision;
