//! Wiring of the benchmarks: systems under test on the models of a run, and the benchmarks that test them.

mod ablations;
pub mod evolution;
pub mod learning;
mod level;
pub mod memorybench;
pub mod poisoning;
mod system;
mod trained;

pub use ablations::ABLATIONS;
pub use system::{Bench, SystemName};
