//! The method, a module per stage: distil, pairs, judge, features, cluster, gap, verify, plan.
//!
//! Two kinds of modules. The *pure* ones turn numbers and texts into numbers and decisions, synchronously and
//! deterministically; they never see a model. The *stages* ask models for something, through the traits of
//! [`uno_types::role`]; they read no files and know no clock.

// Pure modules.
pub mod bleu;
pub mod check;
pub mod cluster;
pub mod error;
pub mod evolve;
pub mod features;
pub mod fill;
pub mod gap;
pub mod guards;
pub mod plan;
pub mod split;
pub mod stats;
pub mod support;
pub mod ward;

// Stages.
pub mod candidates;
pub mod distil;
pub mod generate;
pub mod judge;
pub mod pairs;
pub mod prompts;
pub mod reflect;
pub mod route;
pub mod verify;

#[cfg(test)]
mod testing;

pub use error::LearnError;
