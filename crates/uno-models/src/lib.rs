//! Language models as the method sees them: chat, embed, rerank; embedded and remote.
//!
//! - [`sampling`] draws a token from logits, reproducibly.

pub mod error;
pub mod sampling;

pub use error::ModelsError;
