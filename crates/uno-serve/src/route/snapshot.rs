//! A plan as requests are routed by it, and where plans come from.

use std::sync::Arc;

use uno_learn::cluster::Centroids;
use uno_types::Plan;

use crate::rollout::{Decided, Trial, Umpire};

/// A plan with what it needs to route.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The plan's id.
    pub id: Arc<str>,
    /// The plan.
    pub plan: Plan,
    /// The centroids that it routes by.
    pub centroids: Centroids,
}

/// Where plans come from. Implemented by the binary, which knows run directories.
pub trait PlanSource: Send + Sync {
    /// Changes whenever the plan in force may have changed; cheap.
    fn stamp(&self) -> String;
    /// The plan in force; `None` when there is none yet.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn current(&self) -> Result<Option<Snapshot>, String>;
    /// A plan that was in force once.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn kept(&self, id: &str) -> Result<Snapshot, String>;
    /// Whether this plan is in force because it was learned, not because somebody went back to it.
    fn is_learned(&self, id: &str) -> bool;
    /// Takes the plan on trial back: `to` is in force again. Nothing happens when `trial` is not in force any more.
    ///
    /// # Errors
    /// Why it cannot be done, in words.
    fn withdraw(&self, trial: &str, to: &str, why: &str) -> Result<(), String>;
    /// Keeps the trial over restarts; `None`: there is none any more.
    fn keep_trial(&self, trial: Option<&Trial>);
    /// The trial that was kept.
    fn kept_trial(&self) -> Option<Trial>;
    /// Appends a line to the audit log.
    fn audit(&self, decided: &Decided);
    /// Who compares answers, if anybody does.
    fn umpire(&self) -> Option<Arc<dyn Umpire>> {
        None
    }
}
