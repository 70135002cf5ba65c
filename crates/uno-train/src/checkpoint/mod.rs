//! The resume point of a run.
//!
//! `state.safetensors` variants hold the LoRA weights and both Adam moments, `state.json` says which of them is valid,
//! how far the run is, and what the finished epochs came to. Everything random is counter-based (module `order`), so the
//! counters in `state.json` are the whole state of the random numbers. A resume point is valid from the moment when
//! `state.json` is renamed into place; before that the previous one is.

pub(crate) mod files;
mod progress;
mod tensors;

pub(crate) use progress::{EpochSums, Progress, Saved, load, save};
