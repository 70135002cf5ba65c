//! Simulated users, and measurements of the engine and the method.

pub mod simulate;
pub mod speed;
