//! Ward agglomerative clustering by nearest-neighbour chains: the same tree and the same label numbers as scipy's
//! `linkage(method="ward")` and scikit-learn's `AgglomerativeClustering(distance_threshold=…)`.
//!
//! All distances are computed in f64 and kept in a condensed matrix of n·(n−1)/2 values: 8 bytes each, so 10 000
//! records take 0.4 GB and the limit of [`MAX_POINTS`] takes 1.6 GB. Time is O(n²) distance updates.

use rayon::prelude::*;

use crate::LearnError;
use crate::features::check_rows;

/// Most points that [`tree`] accepts: its condensed matrix then takes 1.6 GB.
pub const MAX_POINTS: usize = 20_000;

/// A merge tree over `n` leaves (0 to n−1). Merge `i` makes node `n + i`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The two nodes of each merge, smaller number first; n−1 of them, by rising distance.
    pub children: Vec<[usize; 2]>,
    /// Ward distance of each merge, never falling.
    pub distances: Vec<f64>,
    leaves: usize,
}

/// Builds the merge tree of `points` (all of one length).
///
/// # Errors
/// [`LearnError::TooMany`] above [`MAX_POINTS`]; [`LearnError::Shape`] and [`LearnError::NotFinite`] for bad rows.
pub fn tree(points: &[Vec<f32>]) -> Result<Tree, LearnError> {
    let n = points.len();
    if n > MAX_POINTS {
        return Err(LearnError::TooMany { found: n, limit: MAX_POINTS });
    }
    check_rows("feature vector of record", points)?;
    let mut merges = chain(pairwise(points), n);
    // Stable, as numpy's mergesort: equal distances keep the order in which they were merged.
    merges.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut forest = Forest::new(n);
    let children = merges.iter().map(|(x, y, _)| forest.merge(*x, *y)).collect();
    Ok(Tree { children, distances: merges.into_iter().map(|m| m.2).collect(), leaves: n })
}

impl Tree {
    /// Leaves of the tree.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// How many clusters are left when merges at `threshold` and above are not made.
    pub fn clusters_at(&self, threshold: f64) -> usize {
        if self.leaves == 0 { 0 } else { self.distances.iter().filter(|d| **d >= threshold).count() + 1 }
    }

    /// The cluster of each leaf when merges at `threshold` and above are not made.
    pub fn cut(&self, threshold: f64) -> Vec<usize> {
        self.cut_into(self.clusters_at(threshold))
    }

    /// The cluster of each leaf when the last `k − 1` merges are undone; `k` is brought into 1 to `leaves`. Numbers
    /// follow scikit-learn's `_hc_cut`: the order of its heap of nodes, not that of first appearance.
    pub fn cut_into(&self, k: usize) -> Vec<usize> {
        let n = self.leaves;
        let mut labels = vec![0; n];
        if n < 2 {
            return labels;
        }
        let mut heap = vec![2 * n - 2];
        for _ in 1..k.clamp(1, n) {
            let [a, b] = self.children[heap[0] - n];
            push(&mut heap, a);
            replace_largest(&mut heap, b);
        }
        for (label, node) in heap.into_iter().enumerate() {
            self.for_each_leaf(node, |leaf| labels[leaf] = label);
        }
        labels
    }

    fn for_each_leaf(&self, node: usize, mut visit: impl FnMut(usize)) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            match node.checked_sub(self.leaves) {
                None => visit(node),
                Some(merge) => stack.extend(self.children[merge]),
            }
        }
    }
}

/// Position of the pair (i, j), i ≠ j, in the condensed matrix of n points.
fn condensed(n: usize, i: usize, j: usize) -> usize {
    let (i, j) = if i < j { (i, j) } else { (j, i) };
    n * i - i * (i + 1) / 2 + j - i - 1
}

/// Euclidean distances of all pairs, in f64.
fn pairwise(points: &[Vec<f32>]) -> Vec<f64> {
    let n = points.len();
    let mut out = vec![0f64; n * n.saturating_sub(1) / 2];
    let mut rows = Vec::with_capacity(n);
    let mut rest = out.as_mut_slice();
    for i in 0..n.saturating_sub(1) {
        let (row, tail) = std::mem::take(&mut rest).split_at_mut(n - 1 - i);
        rows.push((i, row));
        rest = tail;
    }
    rows.into_par_iter().for_each(|(i, row)| {
        for (distance, other) in row.iter_mut().zip(&points[i + 1..]) {
            let squares = points[i].iter().zip(other).map(|(a, b)| {
                let d = f64::from(*a) - f64::from(*b);
                d * d
            });
            *distance = squares.sum::<f64>().sqrt();
        }
    });
    out
}

/// scipy's `nn_chain`: merges (x, y, distance) with x < y, in the order in which they are found.
fn chain(mut d: Vec<f64>, n: usize) -> Vec<(usize, usize, f64)> {
    let mut size = vec![1usize; n];
    let mut path: Vec<usize> = Vec::with_capacity(n);
    let mut merges = Vec::with_capacity(n.saturating_sub(1));
    while merges.len() + 1 < n {
        if path.is_empty() {
            path.extend(size.iter().position(|s| *s > 0));
        }
        let (x, y, distance) = loop {
            let Some(&x) = path.last() else { return merges };
            // The previous node wins ties, so that the chain cannot run in circles.
            let previous = path.len().checked_sub(2).map(|i| path[i]);
            let (mut y, mut best) = previous.map_or((x, f64::INFINITY), |p| (p, d[condensed(n, x, p)]));
            for (i, s) in size.iter().enumerate() {
                if *s > 0 && i != x {
                    let distance = d[condensed(n, x, i)];
                    if distance < best {
                        (y, best) = (i, distance);
                    }
                }
            }
            if previous == Some(y) {
                break (x.min(y), x.max(y), best);
            }
            path.push(y);
        };
        path.truncate(path.len() - 2);
        merges.push((x, y, distance));
        let (nx, ny) = (size[x], size[y]);
        size[x] = 0;
        size[y] = nx + ny;
        for i in 0..n {
            if size[i] > 0 && i != y {
                let to_y = condensed(n, i, y);
                d[to_y] = lance_williams(d[condensed(n, i, x)], d[to_y], distance, [nx, ny, size[i]]);
            }
        }
    }
    merges
}

/// Ward distance between cluster i and the union of x and y, from their distances and sizes.
fn lance_williams(xi: f64, yi: f64, xy: f64, [nx, ny, ni]: [usize; 3]) -> f64 {
    let (nx, ny, ni) = (nx as f64, ny as f64, ni as f64);
    let t = 1.0 / (nx + ny + ni);
    // A negative argument can only come from rounding between identical points.
    ((ni + nx) * t * xi * xi + (ni + ny) * t * yi * yi - ni * t * xy * xy).max(0.0).sqrt()
}

/// Union-find that gives merged clusters the numbers n, n+1, …
struct Forest {
    parent: Vec<usize>,
    next: usize,
}

impl Forest {
    fn new(n: usize) -> Self {
        Self { parent: (0..(2 * n).saturating_sub(1)).collect(), next: n }
    }

    fn find(&mut self, mut x: usize) -> usize {
        while self.parent[x] != x {
            self.parent[x] = self.parent[self.parent[x]];
            x = self.parent[x];
        }
        x
    }

    fn merge(&mut self, x: usize, y: usize) -> [usize; 2] {
        let (x, y) = (self.find(x), self.find(y));
        self.parent[x] = self.next;
        self.parent[y] = self.next;
        self.next += 1;
        [x.min(y), x.max(y)]
    }
}

// Python's heapq on negated node numbers, that is a heap with the largest node first. std's BinaryHeap orders its
// array differently, and the array's order is what numbers the clusters.

fn push(heap: &mut Vec<usize>, node: usize) {
    heap.push(node);
    let last = heap.len() - 1;
    sift_down(heap, 0, last);
}

/// `heappushpop`: pushes `node` and removes the largest.
fn replace_largest(heap: &mut [usize], node: usize) {
    if heap.first().is_some_and(|top| *top > node) {
        heap[0] = node;
        sift_up(heap, 0);
    }
}

fn sift_down(heap: &mut [usize], start: usize, mut pos: usize) {
    let node = heap[pos];
    while pos > start {
        let parent = (pos - 1) / 2;
        if node <= heap[parent] {
            break;
        }
        heap[pos] = heap[parent];
        pos = parent;
    }
    heap[pos] = node;
}

fn sift_up(heap: &mut [usize], start: usize) {
    let mut pos = start;
    let node = heap[pos];
    let mut child = 2 * pos + 1;
    while child < heap.len() {
        let right = child + 1;
        if right < heap.len() && heap[child] <= heap[right] {
            child = right;
        }
        heap[pos] = heap[child];
        pos = child;
        child = 2 * pos + 1;
    }
    heap[pos] = node;
    sift_down(heap, start, pos);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_points() {
        assert_eq!(tree(&[]).unwrap().cut(4.0), Vec::<usize>::new());
        assert_eq!(tree(&[vec![1.0]]).unwrap().cut(4.0), [0]);
        let two = tree(&[vec![0.0], vec![3.0]]).unwrap();
        assert_eq!((two.cut(4.0), two.distances.clone()), (vec![0, 0], vec![3.0]));
        assert_eq!(two.clusters_at(3.0), 2, "a merge at the threshold is not made");
    }

    #[test]
    fn nan_is_refused() {
        assert!(matches!(tree(&[vec![f32::NAN]]), Err(LearnError::NotFinite { .. })));
    }

    proptest! {
        #[test]
        fn a_cut_numbers_clusters_without_holes(
            points in prop::collection::vec(prop::collection::vec(-3i8..3, 2), 1..40),
            threshold in 0.1f64..6.0,
        ) {
            let points: Vec<Vec<f32>> =
                points.into_iter().map(|p| p.into_iter().map(f32::from).collect()).collect();
            let tree = tree(&points).unwrap();
            prop_assert!(tree.distances.windows(2).all(|w| w[0] <= w[1]));
            let labels = tree.cut(threshold);
            let k = tree.clusters_at(threshold);
            prop_assert!((0..k).all(|c| labels.contains(&c)) && labels.iter().all(|l| *l < k));
            // Identical points merge at distance 0 and so share a cluster.
            for (a, p) in points.iter().enumerate() {
                for (b, q) in points.iter().enumerate() {
                    prop_assert!(p != q || labels[a] == labels[b]);
                }
            }
        }
    }
}
