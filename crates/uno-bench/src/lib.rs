//! Simulated users, MemoryBench, and measurements of the engine and the method.

pub mod baseline;
pub mod evolution;
pub mod learning;
pub mod memorybench;
pub mod precision;
pub mod simulate;
pub mod speed;
