//! MemoryBench: its records, its metrics that need no model, and the way from items to its published summary.
//!
//! Written after the published format (THUIR/MemoryBench, Apache-2.0, and the results that bebr2/UNO published); nothing of
//! its data is part of this repository. What needs a model as judge lies with the caller.

mod dataset;
mod details;
mod error;
mod evaluate;
pub mod judge;
pub mod judgment;
mod literal;
pub mod metrics;
mod norm;
mod protocol;
mod sets;
mod summary;

pub use dataset::{Item, Split, read_items};
pub use details::{ItemResult, LlmMeans, read_details};
pub use error::MemoryBenchError;
pub use evaluate::{Evaluation, evaluate};
pub use literal::parse as parse_literal;
pub use norm::{Kind, Norm, SetName, SetNorm};
pub use protocol::{Protocol, Step, order, steps};
pub use sets::{Scoring, data_sets, scoring};
pub use summary::{Summary, summarise};
