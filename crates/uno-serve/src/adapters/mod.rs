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
use std::path::Path as FilePath;

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
    let (Some(cluster), Some(kind), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let number = cluster.strip_prefix('c').unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && matches!(kind, "expert" | "critic")
        && hash.len() == 12
        && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Makes the adapters' directories absolute. A plan may only name directories below `root`/adapters, and adapters as uno names
/// them: it is a file, and somebody may have edited it.
///
/// # Errors
/// Names the adapter that is none of ours.
pub fn locate(plan: &mut Plan, root: &FilePath) -> Result<(), String> {
    for adapter in plan.clusters.iter_mut().filter_map(|c| c.adapter.as_mut()) {
        if !is_ours(&adapter.name) || adapter.dir != format!("adapters/{}", adapter.name) {
            return Err(format!(
                "the plan names adapter `{}` in `{}`, which is no adapter of this run",
                adapter.name, adapter.dir
            ));
        }
        let dir = root.join(&adapter.dir);
        adapter.dir = std::path::absolute(&dir).unwrap_or(dir).display().to_string();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path as FilePath;

    use uno_types::{AdapterRef, Path, Plan, PlanEntry};

    #[test]
    fn a_plan_reaches_its_own_adapters_only() {
        let plan = |name: &str, dir: &str| Plan {
            clusters: vec![PlanEntry {
                cluster: 0,
                size: 1,
                path: Path::Expert,
                adapter: Some(AdapterRef { name: name.into(), dir: dir.into() }),
                gap: None,
                win_rate: None,
                reason: String::new(),
            }],
            ..Plan::default()
        };
        let name = "c07-expert-3fa9c1d2e4b5";
        let mut good = plan(name, &format!("adapters/{name}"));
        super::locate(&mut good, FilePath::new("/runs/a")).unwrap();
        assert_eq!(good.clusters[0].adapter.as_ref().unwrap().dir, format!("/runs/a/adapters/{name}"));
        for (name, dir) in [
            (name, "/etc"),
            (name, "adapters/../../other"),
            (name, "https://evil.example/adapter"),
            ("../c07-expert-3fa9c1d2e4b5", "adapters/../c07-expert-3fa9c1d2e4b5"),
            ("mock-model", "adapters/mock-model"),
        ] {
            assert!(super::locate(&mut plan(name, dir), FilePath::new("/runs/a")).is_err(), "{name} {dir}");
        }
    }

    #[test]
    fn only_our_own_names_are_ours() {
        assert!(super::is_ours("c07-expert-3fa9c1d2e4b5") && super::is_ours("c123-critic-000000000000"));
        for other in [
            "",
            "base",
            "c07-expert-3fa9",
            "c-expert-3fa9c1d2e4b5",
            "x07-expert-3fa9c1d2e4b5",
            "../c07-expert-3fa9c1d2e4b5",
        ] {
            assert!(!super::is_ours(other), "{other}");
        }
    }
}
