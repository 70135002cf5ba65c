//! Low-rank adapters (Hu et al. 2021): y += (alpha / rank) · B · A · x beside frozen linear layers, stored as
//! PEFT or llama.cpp store them.

mod files;
mod gguf_names;
mod gguf_read;
mod gguf_write;
mod grads;
mod layout;
mod packed;
mod peft_names;
mod peft_read;
mod peft_write;
mod target;
mod train_packs;
mod weights;

pub use grads::LoraGrads;
pub use target::{LoraConfig, Side, Target, TensorName};
pub use weights::LoraWeights;

pub(crate) use grads::GroupGrads;
pub(crate) use layout::{Group, Layout};
pub(crate) use packed::PackedGroup;
pub(crate) use weights::GroupWeights;
