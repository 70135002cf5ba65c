//! What all other crates speak of. Data and the traits of the model roles; no I/O, no models, no clock.
//!
//! The modules follow the way of the data (METHOD): a [`Record`] of a log yields [`Rule`]s and [`Candidate`]s, the best
//! candidate becomes a [`Pair`]; records form a [`Cluster`] with a [`ClusterGap`]; a trained adapter earns a
//! [`WinRate`] from [`Verdict`]s; the [`Plan`] says which [`Path`] answers. [`role`] holds what a model must be able to do.

pub mod adapter;
pub mod check;
pub mod cluster;
pub mod pair;
pub mod plan;
pub mod record;
pub mod role;
pub mod rule;
pub mod verdict;

pub use adapter::{AdapterKind, AdapterRef};
pub use check::Check;
pub use cluster::{Cluster, ClusterGap, GapMethod, RecordGap};
pub use pair::{Candidate, Pair, Style};
pub use plan::{Path, Plan, PlanEntry};
pub use record::{Lang, Message, Record, Role, Source};
pub use role::{
    ChatModel, Constraint, Embedder, FinishReason, Generation, GenerationRequest, ModelError, Reranker,
    Sampling,
};
pub use rule::{DropReason, DroppedRule, Rule, RuleSet};
pub use verdict::{Guard, Outcome, ScoredBy, Verdict, WinRate};
