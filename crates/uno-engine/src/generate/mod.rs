//! Continuing many sequences at once over a cache of keys and values.
//!
//! A batch has no padding: every row brings its own length, its own adapter and as many new tokens as it likes, so that
//! prefill and decoding are the same call. Rows with the same adapter share its products; a prompt prefix that several
//! sequences have in common is computed once ([`crate::Decoder::prefill_prefix`]) and referred to by all.

mod advance;
mod cache;
mod hidden;
mod sequence;
mod step;

pub use cache::KvBlock;
pub use sequence::Sequence;
