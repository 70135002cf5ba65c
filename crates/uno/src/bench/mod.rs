//! Wiring of the benchmarks: systems under test on the models of a run, and the benchmarks that test them.

pub mod evolution;
pub mod learning;
pub mod memorybench;
mod system;
mod trained;

pub use system::{Bench, SystemName};
