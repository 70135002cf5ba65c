//! What to do next on one server. Pure: what it holds, what is wanted, what failed.

use std::collections::BTreeSet;

use uno_types::AdapterRef;

use super::is_ours;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It went away (the server restarted): route to it no more.
    Forget(String),
    /// Nobody wants it and its slot is needed: stop routing to it, wait for its requests, unload it.
    Unload(String),
    /// Load it (unless it is there) and probe it.
    Load(AdapterRef),
}

/// The next step, or `None` when there is nothing to do. `wanted`: the more important first; those beyond `slots` are left
/// out. `blocked`: those that failed lately.
pub fn next_step(
    wanted: &[AdapterRef],
    held: &[String],
    ready: &BTreeSet<String>,
    blocked: &BTreeSet<String>,
    slots: usize,
) -> Option<Step> {
    let holds = |name: &str| held.iter().any(|h| h == name);
    if let Some(gone) = ready.iter().find(|name| !holds(name)) {
        return Some(Step::Forget(gone.clone()));
    }
    let wanted = &wanted[..wanted.len().min(slots)];
    let missing = wanted.iter().find(|a| !ready.contains(&a.name) && !blocked.contains(&a.name))?;
    // What the server holds already (from before a restart of ours, or by another gateway) only needs its probe.
    if holds(&missing.name) || held.len() < slots {
        return Some(Step::Load(missing.clone()));
    }
    let idle = held.iter().find(|name| is_ours(name) && !wanted.iter().any(|a| a.name == **name))?;
    Some(Step::Unload(idle.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn adapter(i: usize) -> AdapterRef {
        AdapterRef { name: format!("c{i:02}-expert-{i:012x}"), dir: "d".into() }
    }

    fn names(of: &[usize]) -> Vec<String> {
        of.iter().map(|i| adapter(*i).name).collect()
    }

    fn step(wanted: &[usize], held: &[usize], ready: &[usize], slots: usize) -> Option<Step> {
        let wanted: Vec<AdapterRef> = wanted.iter().map(|i| adapter(*i)).collect();
        next_step(&wanted, &names(held), &names(ready).into_iter().collect(), &BTreeSet::new(), slots)
    }

    #[test]
    fn each_situation_has_its_step() {
        assert_eq!(step(&[1], &[], &[], 2), Some(Step::Load(adapter(1))));
        assert_eq!(step(&[1], &[1], &[], 1), Some(Step::Load(adapter(1))), "there, but never probed by us");
        assert_eq!(step(&[1], &[1], &[1], 1), None);
        assert_eq!(step(&[1], &[], &[1], 1), Some(Step::Forget(adapter(1).name)), "the server restarted");
        assert_eq!(step(&[2], &[1], &[1], 1), Some(Step::Unload(adapter(1).name)), "no slot is free");
        assert_eq!(
            step(&[2], &[1], &[1], 2),
            Some(Step::Load(adapter(2))),
            "the old one may stay: a rollback is quick"
        );
        assert_eq!(step(&[1, 2], &[1], &[1], 1), None, "more wanted than there are slots");
        let foreign = ["somebody-elses".to_owned()];
        assert_eq!(next_step(&[adapter(1)], &foreign, &BTreeSet::new(), &BTreeSet::new(), 1), None);
    }

    proptest! {
        /// A server that does as it is told ends up with what is wanted, and never holds more than it has slots.
        #[test]
        fn it_comes_to_rest(
            wanted in proptest::collection::btree_set(0..9usize, 0..6),
            held in proptest::collection::btree_set(0..9usize, 0..4),
            slots in 1..5usize,
        ) {
            let wanted: Vec<AdapterRef> = wanted.into_iter().map(adapter).collect();
            let mut held = names(&held.into_iter().take(slots).collect::<Vec<_>>());
            let mut ready: BTreeSet<String> = held.iter().take(1).cloned().collect();
            for _ in 0..50 {
                match next_step(&wanted, &held, &ready, &BTreeSet::new(), slots) {
                    None => {
                        prop_assert!(wanted.iter().take(slots).all(|a| ready.contains(&a.name)));
                        return Ok(());
                    }
                    Some(Step::Forget(name)) => { ready.remove(&name); }
                    Some(Step::Unload(name)) => {
                        ready.remove(&name);
                        held.retain(|h| *h != name);
                    }
                    Some(Step::Load(a)) => {
                        if !held.contains(&a.name) {
                            held.push(a.name.clone());
                        }
                        prop_assert!(held.len() <= slots);
                        ready.insert(a.name);
                    }
                }
            }
            prop_assert!(false, "it never ends");
        }
    }
}
