//! Simulated users, MemoryBench, and measurements of the engine and the method.

pub mod baseline;
mod cpu;
pub mod evolution;
pub mod learning;
pub mod memorybench;
pub mod precision;
pub mod simulate;
pub mod speed;

pub use cpu::cpu_seconds;
