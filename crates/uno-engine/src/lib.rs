//! The CPU transformer: kernels, decoder with explicit forward and backward, LoRA, KV cache, MiniLM encoder, weight files.
//!
//! Everything here is synchronous, works on plain `f32` slices and knows token ids but no text.
//!
//! - [`weights`] opens GGUF files and Hugging Face directories,
//! - [`decoder`] is the frozen model: scoring, training passes and all-position logits,
//! - [`generate`] continues many sequences at once over a KV cache,
//! - [`lora`] holds adapters and their gradients and reads and writes PEFT directories and GGUF LoRA files,
//! - [`bert`] is the sentence encoder.

pub mod bert;
pub mod config;
pub mod decoder;
pub mod error;
pub mod generate;
mod kernel;
pub mod lora;
mod memory;
pub mod weights;

pub use config::{Arch, ModelConfig, Rope, RopeScaling};
pub use decoder::{Decoder, Dropout, Logits, Packed, PassMemory, Precision, Products, Workspace};
pub use error::EngineError;
pub use generate::{KvBlock, Sequence};
pub use lora::{LoraConfig, LoraGrads, LoraWeights, Side, Target, TensorName};
pub use memory::{available_mib, peak_rss_mib};
