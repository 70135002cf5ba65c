//! Adapters on the servers: each server is brought to hold what the plans need, and is routed to only for what it holds and
//! what has passed its probe there.
//!
//! The order is always load → probe → route, and stop routing → drain → unload. Names are content hashes, so a name never
//! means other weights.

mod reconcile;
mod steps;

pub use reconcile::{Reconciler, Server};
pub use steps::{Step, next_step};

use std::collections::BTreeSet;

use uno_types::{AdapterRef, Path, Plan};

/// The adapters of a plan, those of larger clusters first.
pub fn of_plan(plan: &Plan) -> Vec<AdapterRef> {
    let mut entries: Vec<_> = plan.clusters.iter().filter(|e| e.path != Path::Base).collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.size));
    let mut seen = BTreeSet::new();
    let adapters = entries.into_iter().filter_map(|e| e.adapter.clone());
    adapters.filter(|a| seen.insert(a.name.clone())).collect()
}

/// Whether a name is one that uno gives (`c07-expert-3fa9c1d2e4b5`): only such adapters are ever unloaded.
pub fn is_ours(name: &str) -> bool {
    let mut parts = name.splitn(3, '-');
    let (Some(cluster), Some(kind), Some(hash)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let number = cluster.strip_prefix('c').unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && matches!(kind, "expert" | "critic")
        && hash.len() == 12
        && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_our_own_names_are_ours() {
        assert!(super::is_ours("c07-expert-3fa9c1d2e4b5") && super::is_ours("c123-critic-000000000000"));
        for other in ["", "base", "c07-expert-3fa9", "c-expert-3fa9c1d2e4b5", "x07-expert-3fa9c1d2e4b5", "../c07-expert-3fa9c1d2e4b5"] {
            assert!(!super::is_ours(other), "{other}");
        }
    }
}
