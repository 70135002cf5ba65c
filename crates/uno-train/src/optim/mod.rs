//! AdamW, the learning-rate schedule and gradient clipping.

mod adamw;
mod clip;
mod schedule;

pub use adamw::{AdamW, AdamWSettings};
pub use clip::{clip_factor, global_norm};
pub use schedule::cosine;
