//! LoRA training on a frozen base (METHOD §5): DPO+SFT on preference pairs for Experts, SFT for Critics.
//!
//! - [`train`] runs a whole training, with a PEFT checkpoint per epoch, and can be killed and called again at any moment;
//! - [`loss`] and [`optim`] are the pure parts: losses over per-token log-probabilities, AdamW, the schedule, clipping;
//! - [`trl`] runs the same training in TRL, for models that need GPUs;
//! - [`bench_training`] measures speed and memory.
//!
//! The losses are those of TRL 0.24 (checked against values and gradients that TRL computed). Three things differ by
//! choice: nothing is ever cut (longer examples are refused and reported), a pair's prompt goes through the model once
//! for both completions, and reference log-probabilities are computed once per pair instead of once per epoch.

mod backend;
mod bench;
mod checkpoint;
mod config;
mod config_check;
mod data;
mod error;
mod event;
pub mod loss;
mod memory;
mod numbers;
pub mod optim;
pub mod order;
mod pack;
mod precision;
mod reference;
mod run;
mod tensorboard;
pub mod trl;

pub use backend::Backend;
pub use bench::{BenchReport, bench_training};
pub use config::{Checkpointing, Loss, TrainConfig};
pub use data::{PreferenceExample, Refused, SftExample, TrainData};
pub use error::TrainError;
pub use event::{EpochResult, StepEvent, TrainEvent, TrainOutcome};
pub use memory::{MemoryPlan, budget_mib};
pub use numbers::TrainPrecision;
pub use precision::{PrecisionReport, compare_precision};
pub use run::{train, train_from};
pub use uno_engine::Precision;
