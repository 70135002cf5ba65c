//! Run directories, the generation cache and the live log: everything a run knows lies in one directory, and survives `kill -9`.
//!
//! - [`RunDir`]: opens and locks a run directory; artefacts are written to a temporary file, synced and renamed.
//! - [`Manifest`]: `run.json`, which says what each stage read and wrote, so that an unchanged stage is skipped.
//! - [`GenerationCache`], [`CachedChat`], [`CachedEmbedder`]: no generation is paid for twice.
//! - [`Plans`]: every published plan is kept, the one in force is swapped whole, and a log says what replaced what.
//! - [`live`]: the log of a gateway, in SQLite or Postgres.
//! - [`TokenLedger`]: tokens paid and reused per stage, and the budget that stops a run.
//!
//! What a record or a rule means is no business of this crate: artefacts are any serde type.

pub mod atomic;
pub mod cache;
pub mod error;
pub mod hash;
pub mod jsonl;
pub mod ledger;
pub mod live;
pub mod manifest;
pub mod plans;
pub mod run_dir;

pub use cache::{CachedChat, CachedEmbedder, EmbeddingCache, GenerationCache};
pub use error::StoreError;
pub use ledger::{StageTokens, TokenLedger};
pub use manifest::{Manifest, ModelStamp, OutputStamp, StageRecord, StageState};
pub use plans::{ChangedBy, PlanChange, Plans};
pub use run_dir::RunDir;
