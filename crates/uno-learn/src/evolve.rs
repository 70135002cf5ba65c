//! Online evolution (METHOD §3, §8): new records join the clusters that there are, or split them.
//!
//! A new record goes to the nearest centroid and moves it. A cluster that got new records is then cut anew by the same
//! rule as in learning: where Ward's tree over its members falls apart at the threshold, and questions alone tell the
//! parts apart (else routing could not use them), the part with the most old members keeps the cluster's number.

use serde::{Deserialize, Serialize};
use uno_types::Cluster;

use crate::cluster::{Centroids, nearest};
use crate::{LearnError, ward};

/// When a cluster is split or trained again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvolveOptions {
    /// Fewest new pairs from which a cluster is trained again.
    pub retrain_min: usize,
    /// Least share of its pairs that must be new. Training starts from the base model with all of the cluster's pairs, so
    /// this share also keeps the cost of all steps together in proportion to the logs.
    pub retrain_share: f64,
    /// Fewest records with rules of a part that becomes a cluster of its own.
    pub min_split: usize,
}

impl Default for EvolveOptions {
    fn default() -> Self {
        Self { retrain_min: 4, retrain_share: 0.2, min_split: 8 }
    }
}

/// Whether `fresh` new pairs of `all` are enough to train again.
pub fn changed_enough(fresh: usize, all: usize, options: &EvolveOptions) -> bool {
    fresh >= options.retrain_min.max(1) && fresh as f64 >= options.retrain_share * all as f64
}

/// A record of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The record.
    pub id: String,
    /// Normalised embedding of its question.
    pub query: Vec<f32>,
    /// What it is clustered by; `None` without rules.
    pub point: Option<Vec<f32>>,
}

/// The clusters after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Regrouped {
    /// All of them; earlier ones keep their numbers, new ones come after them.
    pub clusters: Vec<Cluster>,
    /// Their centroids.
    pub centroids: Centroids,
    /// New clusters: (number, the cluster that it was part of).
    pub split: Vec<(usize, usize)>,
}

/// Share of the members of both parts that must be nearer to their own part's centroid.
const TOLD_APART: f64 = 0.8;

/// Assigns `new` to the clusters `old` (by number), and splits those that fall apart at Ward distance `threshold`; no part
/// smaller than `min_split` is split off.
///
/// # Errors
/// [`LearnError`] when vectors differ in length or there is no cluster.
pub fn regroup(
    old: Vec<Vec<Member>>,
    new: Vec<Member>,
    mut centroids: Centroids,
    threshold: f64,
    min_split: usize,
) -> Result<Regrouped, LearnError> {
    let known: Vec<usize> = old.iter().map(Vec::len).collect();
    let mut groups = old;
    let mut touched = vec![false; groups.len()];
    for member in new {
        let Some((cluster, _)) = nearest(&centroids, &member.query) else {
            return Err(LearnError::Empty("there is no cluster that a new record could join".into()));
        };
        if member.point.is_some() {
            centroids.update(cluster, &member.query)?;
            touched[cluster] = true;
        }
        groups[cluster].push(member);
    }
    let mut split = Vec::new();
    for cluster in 0..known.len() {
        if !touched[cluster] {
            continue;
        }
        for part in parts(&groups[cluster], known[cluster], threshold, min_split)? {
            let number = groups.len();
            let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut groups[cluster])
                .into_iter()
                .partition(|m| part.binary_search(&m.id).is_ok());
            groups[cluster] = kept;
            groups.push(gone);
            split.push((number, cluster));
        }
    }
    let centroids = if split.is_empty() { centroids } else { recomputed(&groups, &centroids, &split)? };
    let clusters = groups.into_iter().enumerate().map(|(id, members)| {
        let mut members: Vec<String> = members.into_iter().map(|m| m.id).collect();
        members.sort();
        Cluster { id, members }
    });
    Ok(Regrouped { clusters: clusters.collect(), centroids, split })
}

/// The parts to split off a cluster, as sorted ids; its first `known` members are old.
fn parts(
    members: &[Member],
    known: usize,
    threshold: f64,
    min_split: usize,
) -> Result<Vec<Vec<String>>, LearnError> {
    let taught: Vec<(usize, &Member)> =
        members.iter().enumerate().filter(|(_, m)| m.point.is_some()).collect();
    let points: Vec<Vec<f32>> = taught.iter().filter_map(|(_, m)| m.point.clone()).collect();
    if points.len() < 2 * min_split.max(1) {
        return Ok(Vec::new());
    }
    let labels = ward::tree(&points)?.cut(threshold);
    let count = labels.iter().max().map_or(0, |m| m + 1);
    let of = |label: usize| -> Vec<(usize, &Member)> {
        taught.iter().zip(&labels).filter(|(_, l)| **l == label).map(|(m, _)| *m).collect()
    };
    let mut all: Vec<Vec<(usize, &Member)>> = (0..count).map(of).collect();
    let olds = |part: &[(usize, &Member)]| part.iter().filter(|(i, _)| *i < known).count();
    all.sort_by_key(|part| std::cmp::Reverse((olds(part), part.len())));
    let Some((keeper, others)) = all.split_first() else { return Ok(Vec::new()) };
    let apart = others.iter().filter(|part| part.len() >= min_split && told_apart(keeper, part));
    Ok(apart
        .map(|part| {
            let mut ids: Vec<String> = part.iter().map(|(_, m)| m.id.clone()).collect();
            ids.sort();
            ids
        })
        .collect())
}

/// Whether questions alone tell the parts apart.
fn told_apart(a: &[(usize, &Member)], b: &[(usize, &Member)]) -> bool {
    let queries: Vec<Vec<f32>> = a.iter().chain(b).map(|(_, m)| m.query.clone()).collect();
    let labels: Vec<usize> = (0..queries.len()).map(|i| usize::from(i >= a.len())).collect();
    let Ok(centroids) = Centroids::from_labels(&queries, &labels) else { return false };
    let right = |own: usize, part: &[(usize, &Member)]| {
        let hits = part.iter().filter(|(_, m)| nearest(&centroids, &m.query).is_some_and(|(c, _)| c == own));
        hits.count() as f64 >= TOLD_APART * part.len() as f64
    };
    right(0, a) && right(1, b)
}

/// The centroids, those of split clusters and of their parts computed from their members.
fn recomputed(
    groups: &[Vec<Member>],
    centroids: &Centroids,
    split: &[(usize, usize)],
) -> Result<Centroids, LearnError> {
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    for (cluster, members) in groups.iter().enumerate() {
        if split.iter().any(|(new, from)| *new == cluster || *from == cluster) {
            let queries: Vec<Vec<f32>> =
                members.iter().filter(|m| m.point.is_some()).map(|m| m.query.clone()).collect();
            let own = Centroids::from_labels(&queries, &vec![0; queries.len()])?;
            values.extend_from_slice(own.values());
            counts.extend_from_slice(own.counts());
        } else {
            values.extend_from_slice(centroids.row(cluster));
            counts.push(centroids.counts()[cluster]);
        }
    }
    Centroids::from_parts(centroids.dimensions(), values, counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{dual, normalised};
    use proptest::prelude::*;

    /// A record whose question lies at `angle` (degrees) and whose rule is `rule`.
    fn member(id: &str, angle: f32, rule: usize) -> Member {
        let a = angle.to_radians();
        let query = normalised(&[a.cos(), a.sin(), 0.1]);
        let mut r = vec![0.0; 4];
        r[rule] = 1.0;
        Member { id: id.into(), point: Some(dual(&query, &r)), query }
    }

    fn many(prefix: &str, n: usize, angle: f32, rule: usize) -> Vec<Member> {
        (0..n).map(|i| member(&format!("{prefix}{i:02}"), angle + i as f32 * 0.1, rule)).collect()
    }

    fn centroids_of(old: &[Vec<Member>]) -> Centroids {
        let all: Vec<Vec<f32>> = old.iter().flatten().map(|m| m.query.clone()).collect();
        let labels: Vec<usize> = old.iter().enumerate().flat_map(|(c, ms)| vec![c; ms.len()]).collect();
        Centroids::from_labels(&all, &labels).unwrap()
    }

    #[test]
    fn more_of_the_same_joins_and_a_new_topic_splits_off() {
        let old = vec![many("a", 10, 0.0, 0), many("b", 10, 90.0, 1)];
        let centroids = centroids_of(&old);
        let same = regroup(old.clone(), many("n", 5, 1.0, 0), centroids.clone(), 1.0, 4).unwrap();
        assert_eq!((same.clusters.len(), same.clusters[0].members.len(), same.split.len()), (2, 15, 0));
        assert_eq!(same.centroids.counts(), [15, 10]);
        let late = regroup(old.clone(), many("n", 8, 35.0, 2), centroids.clone(), 1.0, 4).unwrap();
        assert_eq!((late.clusters.len(), late.split.clone()), (3, vec![(2, 0)]));
        assert_eq!(late.clusters[2].members.len(), 8);
        assert_eq!(late.clusters[0].members.len(), 10, "the old ones stay together under their number");
        assert_eq!(nearest(&late.centroids, &many("q", 1, 35.0, 2)[0].query).unwrap().0, 2);
        // Too few for a cluster of its own.
        let few = regroup(old, many("n", 3, 35.0, 2), centroids, 1.0, 4).unwrap();
        assert_eq!((few.clusters.len(), few.clusters[0].members.len()), (2, 13));
    }

    #[test]
    fn another_rule_on_the_same_questions_does_not_split_what_routing_could_not_tell_apart() {
        let old = vec![many("a", 10, 0.0, 0)];
        let centroids = centroids_of(&old);
        let drifted = regroup(old, many("n", 10, 0.05, 1), centroids, 0.5, 4).unwrap();
        assert_eq!((drifted.clusters.len(), drifted.split.len()), (1, 0));
    }

    #[test]
    fn a_cluster_is_trained_again_when_its_evidence_changed_enough() {
        let o = EvolveOptions::default();
        assert!(!changed_enough(0, 0, &o) && !changed_enough(3, 5, &o) && changed_enough(4, 20, &o));
        assert!(!changed_enough(4, 21, &o) && changed_enough(50, 100, &o));
    }

    proptest! {
        #[test]
        fn nobody_is_lost(new in prop::collection::vec((0f32..360.0, 0usize..4), 0..30)) {
            let old = vec![many("a", 6, 0.0, 0), many("b", 6, 120.0, 1)];
            let centroids = centroids_of(&old);
            let new: Vec<Member> =
                new.iter().enumerate().map(|(i, (angle, rule))| member(&format!("n{i:02}"), *angle, *rule)).collect();
            let all = 12 + new.len();
            let after = regroup(old, new, centroids, 1.0, 3).unwrap();
            let mut ids: Vec<String> = after.clusters.iter().flat_map(|c| c.members.clone()).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), all);
            prop_assert_eq!(after.centroids.len(), after.clusters.len());
            prop_assert!(after.clusters.iter().enumerate().all(|(i, c)| c.id == i));
        }
    }
}
