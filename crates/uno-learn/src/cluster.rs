//! Centroids in query space: who a new query belongs to (METHOD §3).

use uno_types::Cluster;

use crate::LearnError;

/// Means of the clusters' normalised query embeddings. They are not normalised again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Centroids {
    dimensions: usize,
    values: Vec<f64>,
    counts: Vec<usize>,
}

impl Centroids {
    /// Means of `queries` (normalised, one length) by `labels`, which number the clusters from 0 without holes.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when rows differ in length or there is not one label per row; [`LearnError::Empty`] when
    /// a label is skipped.
    pub fn from_labels(queries: &[Vec<f32>], labels: &[usize]) -> Result<Self, LearnError> {
        if queries.len() != labels.len() {
            let what = "cluster labels".to_owned();
            return Err(LearnError::Shape { what, expected: queries.len(), found: labels.len() });
        }
        crate::features::check_rows("query vector of record", queries)?;
        let dimensions = queries.first().map_or(0, Vec::len);
        let k = labels.iter().max().map_or(0, |m| m + 1);
        let mut out = Self { dimensions, values: vec![0.0; k * dimensions], counts: vec![0; k] };
        for (query, label) in queries.iter().zip(labels) {
            out.counts[*label] += 1;
            for (sum, x) in out.row_mut(*label).iter_mut().zip(query) {
                *sum += f64::from(*x);
            }
        }
        for cluster in 0..k {
            let count = out.counts[cluster];
            if count == 0 {
                return Err(LearnError::Empty(format!(
                    "cluster {cluster} has no records; number clusters without holes"
                )));
            }
            out.row_mut(cluster).iter_mut().for_each(|x| *x /= count as f64);
        }
        Ok(out)
    }

    /// Centroids as they were stored: `values` row by row, and how many records each stands for.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when `values` is not `counts.len()` rows of `dimensions`.
    pub fn from_parts(dimensions: usize, values: Vec<f64>, counts: Vec<usize>) -> Result<Self, LearnError> {
        let expected = dimensions * counts.len();
        if values.len() != expected {
            return Err(LearnError::Shape { what: "centroids".into(), expected, found: values.len() });
        }
        if let Some(position) = values.iter().position(|x| !x.is_finite()) {
            return Err(LearnError::NotFinite { what: "centroids".into(), position });
        }
        Ok(Self { dimensions, values, counts })
    }

    /// Number of clusters.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no cluster.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Length of a centroid.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// All centroids, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Records that each centroid stands for.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// One centroid. Panics when there is no such cluster, as indexing does.
    pub fn row(&self, cluster: usize) -> &[f64] {
        &self.values[cluster * self.dimensions..][..self.dimensions]
    }

    fn row_mut(&mut self, cluster: usize) -> &mut [f64] {
        &mut self.values[cluster * self.dimensions..][..self.dimensions]
    }

    /// Online update: c ← (c·n + e)/(n + 1), n ← n + 1.
    ///
    /// # Errors
    /// [`LearnError::Shape`] for another length, [`LearnError::Empty`] for an unknown cluster.
    pub fn update(&mut self, cluster: usize, query: &[f32]) -> Result<(), LearnError> {
        if query.len() != self.dimensions {
            let what = "query vector".to_owned();
            return Err(LearnError::Shape { what, expected: self.dimensions, found: query.len() });
        }
        let Some(count) = self.counts.get_mut(cluster) else {
            return Err(LearnError::Empty(format!("there is no cluster {cluster} to update")));
        };
        let n = *count as f64;
        *count += 1;
        for (c, x) in self.row_mut(cluster).iter_mut().zip(query) {
            *c = (*c * n + f64::from(*x)) / (n + 1.0);
        }
        Ok(())
    }
}

/// The nearest centroid and the Euclidean distance to it; the first one on ties. `None` without clusters or when the
/// query has another length (it then comes from another embedder).
pub fn nearest(centroids: &Centroids, query: &[f32]) -> Option<(usize, f32)> {
    nearest_exact(centroids, query).map(|(cluster, distance)| (cluster, distance as f32))
}

/// As [`nearest`], but `None` as well when the query is farther away than `max_distance`.
pub fn nearest_within(
    centroids: &Centroids,
    query: &[f32],
    max_distance: Option<f64>,
) -> Option<(usize, f64)> {
    nearest_exact(centroids, query).filter(|(_, distance)| max_distance.is_none_or(|max| *distance <= max))
}

fn nearest_exact(centroids: &Centroids, query: &[f32]) -> Option<(usize, f64)> {
    if query.len() != centroids.dimensions {
        return None;
    }
    let mut best: Option<(usize, f64)> = None;
    for cluster in 0..centroids.len() {
        let squares = centroids.row(cluster).iter().zip(query).map(|(c, x)| (c - f64::from(*x)).powi(2));
        let distance = squares.sum::<f64>().sqrt();
        if best.is_none_or(|(_, least)| distance < least) {
            best = Some((cluster, distance));
        }
    }
    best
}

/// Euclidean distance of two unit vectors with this cosine similarity: √(2(1 − s)).
pub fn similarity_to_distance(similarity: f64) -> f64 {
    (2.0 * (1.0 - similarity)).max(0.0).sqrt()
}

/// The clusters that `labels` describe, with the record `ids` of their members sorted; one label per id.
pub fn clusters(ids: &[String], labels: &[usize]) -> Vec<Cluster> {
    let k = labels.iter().max().map_or(0, |m| m + 1);
    let mut out: Vec<Cluster> = (0..k).map(|id| Cluster { id, members: Vec::new() }).collect();
    for (id, label) in ids.iter().zip(labels) {
        out[*label].members.push(id.clone());
    }
    out.iter_mut().for_each(|c| c.members.sort());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_first_cluster() {
        let c = Centroids::from_labels(&[vec![1.0], vec![-1.0]], &[0, 1]).unwrap();
        assert_eq!(nearest(&c, &[0.0]), Some((0, 1.0)));
        assert_eq!(nearest_within(&c, &[0.0], Some(0.5)), None);
        assert_eq!(nearest(&c, &[0.0, 0.0]), None);
        assert_eq!(nearest(&Centroids::default(), &[]), None);
    }

    #[test]
    fn bad_parts_are_errors() {
        assert!(Centroids::from_parts(2, vec![0.0; 3], vec![1, 1]).is_err());
        assert!(Centroids::from_parts(1, vec![f64::NAN], vec![1]).is_err());
        assert!(Centroids::from_labels(&[vec![1.0]], &[1]).is_err());
        let mut c = Centroids::from_labels(&[vec![1.0]], &[0]).unwrap();
        assert!(c.update(3, &[1.0]).is_err() && c.update(0, &[1.0, 2.0]).is_err());
    }

    #[test]
    fn members_are_sorted() {
        let ids = ["b", "a", "c"].map(String::from);
        let c = clusters(&ids, &[1, 1, 0]);
        assert_eq!(c[1].members, ["a", "b"]);
    }

    proptest! {
        #[test]
        fn online_updates_equal_the_mean_of_all(
            first in prop::collection::vec(prop::collection::vec(-1f32..1.0, 3), 1..6),
            later in prop::collection::vec(prop::collection::vec(-1f32..1.0, 3), 0..6),
        ) {
            let mut online = Centroids::from_labels(&first, &vec![0; first.len()]).unwrap();
            for x in &later {
                online.update(0, x).unwrap();
            }
            let all: Vec<Vec<f32>> = first.into_iter().chain(later).collect();
            let batch = Centroids::from_labels(&all, &vec![0; all.len()]).unwrap();
            for (a, b) in online.values().iter().zip(batch.values()) {
                prop_assert!((a - b).abs() < 1e-9);
            }
            prop_assert_eq!(online.counts(), batch.counts());
        }
    }
}
