//! The plans that are in force: read once, swapped whole.

use std::sync::{Arc, PoisonError, RwLock};

use uno_learn::cluster::Centroids;
use uno_types::Plan;

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
    /// The plan on trial, if there is one.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn candidate(&self) -> Result<Option<Snapshot>, String> {
        Ok(None)
    }
}

/// The plans that requests are routed by now.
#[derive(Default)]
pub struct Plans {
    now: RwLock<Pair>,
}

#[derive(Clone, Default)]
struct Pair {
    current: Option<Arc<Snapshot>>,
    /// With the share of conversations that it gets, 0 to 1.
    trial: Option<(Arc<Snapshot>, f64)>,
}

impl Plans {
    /// The plan in force.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.read().current
    }

    /// The plan on trial and its share.
    pub fn trial(&self) -> Option<(Arc<Snapshot>, f64)> {
        self.read().trial
    }

    /// The plan for a conversation, and whether it is the one on trial.
    pub fn of(&self, conversation: u64) -> Option<(Arc<Snapshot>, bool)> {
        let now = self.read();
        if let Some((snapshot, share)) = now.trial
            && (conversation as f64 / u64::MAX as f64) < share
        {
            return Some((snapshot, true));
        }
        now.current.map(|snapshot| (snapshot, false))
    }

    /// Puts another plan in force.
    pub fn set_current(&self, snapshot: Option<Snapshot>) {
        self.now.write().unwrap_or_else(PoisonError::into_inner).current = snapshot.map(Arc::new);
    }

    /// Puts a plan on trial, or ends the trial.
    pub fn set_trial(&self, trial: Option<(Snapshot, f64)>) {
        let trial = trial.map(|(snapshot, share)| (Arc::new(snapshot), share));
        self.now.write().unwrap_or_else(PoisonError::into_inner).trial = trial;
    }

    fn read(&self) -> Pair {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trial_gets_its_share_of_conversations_and_keeps_them() {
        let plans = Plans::default();
        assert!(plans.of(7).is_none());
        let snapshot =
            |id: &str| Snapshot { id: id.into(), plan: Plan::default(), centroids: Centroids::default() };
        plans.set_current(Some(snapshot("a")));
        plans.set_trial(Some((snapshot("b"), 0.1)));
        let conversations: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let on_trial =
            |plans: &Plans| -> Vec<bool> { conversations.iter().map(|c| plans.of(*c).unwrap().1).collect() };
        let first = on_trial(&plans);
        assert!((80..120).contains(&first.iter().filter(|t| **t).count()));
        plans.set_trial(Some((snapshot("b"), 0.3)));
        assert!(
            first.iter().zip(on_trial(&plans)).all(|(before, now)| now || !before),
            "who is on trial stays"
        );
        plans.set_trial(None);
        assert!(on_trial(&plans).iter().all(|t| !t));
    }
}
