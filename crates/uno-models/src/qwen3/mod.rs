//! The texts that Qwen3-Embedding and Qwen3-Reranker were trained with, and the test that tells a working reranker. One
//! place for both, whether the model runs in this process or behind a server.

mod self_test;
mod template;

pub(crate) use self_test::{golden_pairs, verdict};
pub use template::{RERANK_INSTRUCTION, RERANK_PREFIX, RERANK_SUFFIX, embedding_query, rerank_body};
pub(crate) use template::{defused, probability};
