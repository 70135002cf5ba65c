//! The plans that requests are routed by now, and the one that comes next.
//!
//! A plan comes into force when its adapters are ready somewhere: until then the one before answers. Nothing waits for an adapter
//! that cannot be loaded.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use uno_types::AdapterRef;

use super::Snapshot;
use crate::adapters::of_plan;
use crate::rollout::Shares;

/// A plan on trial and the shares of traffic it gets.
type Trial = (Arc<Snapshot>, Arc<Shares>);

/// Longest time that a plan waits for its adapters.
const PATIENCE: Duration = Duration::from_secs(180);

/// The plans in force.
#[derive(Default)]
pub struct Plans {
    now: RwLock<Now>,
    /// Adapters that failed, by server.
    blocked: Mutex<HashMap<String, BTreeSet<String>>>,
}

#[derive(Clone, Default)]
struct Now {
    current: Option<Arc<Snapshot>>,
    /// With the shares of conversations that it gets.
    trial: Option<Trial>,
    /// Waits for its adapters since then.
    next: Option<(Arc<Snapshot>, Instant)>,
}

impl Plans {
    /// The plan in force.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.read().current
    }

    /// The plan on trial and its shares.
    pub fn trial(&self) -> Option<Trial> {
        self.read().trial
    }

    /// The plan that waits for its adapters.
    pub fn next(&self) -> Option<Arc<Snapshot>> {
        self.read().next.map(|(snapshot, _)| snapshot)
    }

    /// The plan for a conversation of which no cluster is known, and whether it is the one on trial.
    pub fn of(&self, conversation: u64) -> Option<(Arc<Snapshot>, bool)> {
        let (current, trial) = self.both();
        match trial {
            Some((snapshot, shares)) if shares.takes(conversation, None) => Some((snapshot, true)),
            _ => current.map(|snapshot| (snapshot, false)),
        }
    }

    /// The plan in force and the one on trial.
    pub fn both(&self) -> (Option<Arc<Snapshot>>, Option<Trial>) {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        (now.current.clone(), now.trial.clone())
    }

    /// Puts another plan in force at once.
    pub fn set_current(&self, snapshot: Option<Snapshot>) {
        let mut now = self.write();
        now.current = snapshot.map(Arc::new);
        now.next = None;
    }

    /// Puts another plan in force as soon as its adapters are ready ([`Self::settle`]).
    pub fn set_next(&self, snapshot: Snapshot) {
        self.write().next = Some((Arc::new(snapshot), Instant::now()));
    }

    /// Puts a plan on trial, or ends the trial.
    pub fn set_trial(&self, trial: Option<(Snapshot, Shares)>) {
        self.write().trial = trial.map(|(snapshot, shares)| (Arc::new(snapshot), Arc::new(shares)));
    }

    /// All adapters that are needed, those of the plan in force first.
    pub fn wanted_adapters(&self) -> Vec<AdapterRef> {
        let now = self.read();
        let plans = [now.current, now.trial.map(|t| t.0), now.next.map(|n| n.0)];
        let mut seen = BTreeSet::new();
        let adapters = plans.iter().flatten().flat_map(|snapshot| of_plan(&snapshot.plan));
        adapters.filter(|a| seen.insert(a.name.clone())).collect()
    }

    /// Notes which adapters a server will not take for now.
    pub fn note_blocked(&self, server: &str, names: BTreeSet<String>) {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).insert(server.to_owned(), names);
    }

    /// Puts the next plan in force when it is time; says whether it did. `slots`: adapters that a server holds at once; where old
    /// and new ones do not fit together there is no point in waiting.
    pub fn settle(&self, ready: impl Fn(&str) -> bool, slots: usize) -> bool {
        let now = self.read();
        let Some((next, since)) = now.next else { return false };
        let fits = self.wanted_adapters().len() <= slots;
        let waiting = of_plan(&next.plan).iter().any(|a| !ready(&a.name) && !self.is_blocked(&a.name));
        if waiting && fits && now.current.is_some() && since.elapsed() < PATIENCE {
            return false;
        }
        let mut now = self.write();
        now.current = Some(next);
        now.next = None;
        true
    }

    fn is_blocked(&self, adapter: &str) -> bool {
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.values().any(|names| names.contains(adapter))
    }

    fn read(&self) -> Now {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Now> {
        self.now.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uno_learn::cluster::Centroids;
    use uno_types::{Path, Plan, PlanEntry};

    use super::*;

    fn snapshot(id: &str, adapters: &[&str]) -> Snapshot {
        let entry = |name: &&str| PlanEntry {
            cluster: 0,
            size: 1,
            path: Path::Expert,
            adapter: Some(AdapterRef { name: (*name).into(), dir: "d".into() }),
            gap: None,
            win_rate: None,
            reason: String::new(),
        };
        let plan = Plan { clusters: adapters.iter().map(entry).collect(), ..Plan::default() };
        Snapshot { id: id.into(), plan, centroids: Centroids::default() }
    }

    #[test]
    fn the_trial_gets_its_share_of_conversations_and_keeps_them() {
        let plans = Plans::default();
        assert!(plans.of(7).is_none());
        plans.set_current(Some(snapshot("a", &[])));
        plans.set_trial(Some((snapshot("b", &[]), Shares::of(0.1))));
        let conversations: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let on_trial =
            |plans: &Plans| -> Vec<bool> { conversations.iter().map(|c| plans.of(*c).unwrap().1).collect() };
        let first = on_trial(&plans);
        assert!((80..120).contains(&first.iter().filter(|t| **t).count()));
        plans.set_trial(Some((snapshot("b", &[]), Shares::of(0.3))));
        assert!(
            first.iter().zip(on_trial(&plans)).all(|(before, now)| now || !before),
            "who is on trial stays"
        );
        plans.set_trial(None);
        assert!(on_trial(&plans).iter().all(|t| !t));
    }

    #[test]
    fn a_plan_waits_for_its_adapters_but_not_in_vain() {
        let plans = Plans::default();
        let current = |plans: &Plans| plans.current().map(|s| s.id.to_string());
        plans.set_next(snapshot("a", &["x"]));
        assert!(plans.settle(|_| false, 4), "the first one comes at once: there is nothing else");
        plans.set_next(snapshot("b", &["x", "y"]));
        assert_eq!(plans.wanted_adapters().len(), 2);
        assert!(!plans.settle(|name| name == "x", 4));
        assert_eq!(current(&plans).unwrap(), "a");
        assert!(plans.settle(|_| true, 4));
        assert_eq!(current(&plans).unwrap(), "b");
        plans.set_next(snapshot("c", &["bad"]));
        assert!(!plans.settle(|_| false, 4));
        plans.note_blocked("s", BTreeSet::from(["bad".to_owned()]));
        assert!(plans.settle(|_| false, 4), "it cannot be loaded: the rest of the plan is in force");
        plans.set_next(snapshot("d", &["p", "q"]));
        assert!(plans.settle(|_| false, 2), "old and new do not fit together");
    }
}
