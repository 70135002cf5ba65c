//! The cognitive gap: how far a cluster's feedback is from what the model already knows (METHOD §4).
//!
//! Each rule learnt from feedback has a redundancy p: how well the model's own rules for the same query cover it.
//! A reranker gives p directly. Without one, p is the best cosine between the rule and the model's own rules, put
//! through a [`Coverage`] map: raw cosines of small embedders are no probabilities. Novelty is 1 − p.

use serde::{Deserialize, Serialize};
use uno_types::{ClusterGap, GapMethod, RecordGap};

use crate::features::cosine;

/// A cluster whose gap is this or more holds signals that the model does not share.
pub const HIGH_GAP: f64 = 0.45;

/// Whether `gap` is high: at or above `threshold` ([`HIGH_GAP`] as published).
pub fn is_high(gap: f64, threshold: f64) -> bool {
    gap >= threshold
}

/// Minimum, mean and maximum of one record's novelties (each clamped to 0–1); `None` without any.
pub fn record_gap(record: &str, novelties: &[f64]) -> Option<RecordGap> {
    let known: Vec<f64> = novelties.iter().filter(|x| !x.is_nan()).map(|x| x.clamp(0.0, 1.0)).collect();
    if known.is_empty() {
        return None;
    }
    Some(RecordGap {
        record: record.to_owned(),
        min: known.iter().copied().fold(1.0, f64::min),
        mean: known.iter().sum::<f64>() / known.len() as f64,
        max: known.iter().copied().fold(0.0, f64::max),
    })
}

/// The gap of a cluster: mean of its records' `min`. `records` are those that have both rule lists.
pub fn cluster_gap(cluster: usize, records: &[RecordGap], method: GapMethod) -> ClusterGap {
    let n = records.len();
    let gap = (n > 0).then(|| records.iter().map(|r| r.min).sum::<f64>() / n as f64);
    ClusterGap { cluster, gap, n, method }
}

/// Logistic map from cosine similarity to redundancy: the probability that two rules say the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Cosine at which "same" and "different" are equally likely.
    pub midpoint: f64,
    /// Steepness there, above 0.
    pub slope: f64,
}

impl Default for Coverage {
    /// Anchors for all-MiniLM-L6-v2 on short instructions: cosine 0.20 is 5 % redundant, 0.62 is 95 %.
    ///
    /// Measured with [`Coverage::fit`] (midpoint 0.41, slope 14) on 14 pairs that say the same in other words (cosines
    /// 0.39 to 0.75, median 0.63) and the 652 other pairs of the same 37 rules (median 0.17, 95 % below 0.42; the
    /// highest, 0.66, between two limits of length). Another embedder needs a fit of its own.
    fn default() -> Self {
        Self::through((0.20, 0.05), (0.62, 0.95))
    }
}

impl Coverage {
    /// The map through two anchors (cosine, redundancy), `low` before `high` in both. Equal cosines give a steep step
    /// between them.
    pub fn through(low: (f64, f64), high: (f64, f64)) -> Self {
        let logit = |p: f64| (p.clamp(1e-6, 1.0 - 1e-6) / (1.0 - p.clamp(1e-6, 1.0 - 1e-6))).ln();
        let (a, b) = (logit(low.1), logit(high.1));
        let slope = ((b - a) / (high.0 - low.0).max(1e-3)).max(1e-3);
        Self { midpoint: low.0 - a / slope, slope }
    }

    /// Redundancy of a rule whose best cosine is `cosine`: 0 to 1, rising. NaN counts as no similarity.
    pub fn redundancy(&self, cosine: f64) -> f64 {
        let cosine = if cosine.is_nan() { -1.0 } else { cosine };
        1.0 / (1.0 + (-self.slope * (cosine - self.midpoint)).exp())
    }

    /// Novelty of `rule` against the model's `own` rules, all embedded by one model: 1 − redundancy of the best
    /// cosine; 1 when the model has no rules of its own.
    pub fn novelty(&self, rule: &[f32], own: &[Vec<f32>]) -> f64 {
        let best = own.iter().map(|o| cosine(rule, o)).fold(f64::NAN, f64::max);
        if best.is_nan() { 1.0 } else { 1.0 - self.redundancy(best) }
    }

    /// The map that fits cosines of rule pairs known to say the `same` and known to be `different`: Platt scaling,
    /// that is logistic regression on targets (n⁺+1)/(n⁺+2) and 1/(n⁻+2), which keep separable data finite. Both
    /// classes weigh the same, however many pairs each has.
    ///
    /// `None` when either list is empty or the same pairs are not the more similar ones on average: such an embedder
    /// cannot measure a gap.
    pub fn fit(same: &[f64], different: &[f64]) -> Option<Self> {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        if same.is_empty()
            || different.is_empty()
            || mean(same).partial_cmp(&mean(different)) != Some(std::cmp::Ordering::Greater)
        {
            return None;
        }
        let (ns, nd) = (same.len() as f64, different.len() as f64);
        let positive = same.iter().map(|c| (*c, (ns + 1.0) / (ns + 2.0), 1.0 / ns));
        let negative = different.iter().map(|c| (*c, 1.0 / (nd + 2.0), 1.0 / nd));
        let points: Vec<(f64, f64, f64)> = positive.chain(negative).collect();
        let (a, b) = newton(&points);
        (a.is_finite() && b.is_finite() && a > 0.0).then(|| Self { midpoint: -b / a, slope: a })
    }
}

/// Minimises weighted cross-entropy of σ(a·x + b) over (x, target, weight) by damped Newton steps; returns (a, b).
fn newton(points: &[(f64, f64, f64)]) -> (f64, f64) {
    // A touch of ridge keeps the Hessian invertible when all x of a class coincide.
    const RIDGE: f64 = 1e-6;
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let loss = |a: f64, b: f64| -> f64 {
        let each = points.iter().map(|(x, t, w)| {
            let z = a * x + b;
            // log(1 + e^z) − t·z, written so that it cannot overflow.
            w * (z.max(0.0) + (-z.abs()).exp().ln_1p() - t * z)
        });
        each.sum::<f64>() + 0.5 * RIDGE * a * a
    };
    let (mut a, mut b) = (0.0, 0.0);
    for _ in 0..100 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (RIDGE * a, 0.0, RIDGE, 0.0, RIDGE);
        for (x, t, w) in points {
            let p = sigmoid(a * x + b);
            let (g, h) = (w * (p - t), w * p * (1.0 - p));
            ga += g * x;
            gb += g;
            haa += h * x * x;
            hab += h * x;
            hbb += h;
        }
        let det = haa * hbb - hab * hab;
        let (da, db) = ((hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det);
        let (before, mut step) = (loss(a, b), 1.0);
        while step > 1e-10 && loss(a - step * da, b - step * db) > before {
            step *= 0.5;
        }
        a -= step * da;
        b -= step * db;
        if (step * da).abs() < 1e-10 && (step * db).abs() < 1e-10 {
            break;
        }
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_method_s_figures() {
        let a = record_gap("a", &[0.2, 0.8]).unwrap();
        assert_eq!((a.min, a.mean, a.max), (0.2, 0.5, 0.8));
        let b = record_gap("b", &[0.6]).unwrap();
        let gap = cluster_gap(3, &[a, b], GapMethod::Reranker);
        assert_eq!((gap.gap, gap.n), (Some(0.4), 2));
        assert_eq!(cluster_gap(0, &[], GapMethod::Reranker).gap, None);
        assert_eq!(record_gap("c", &[]), None);
        assert!(is_high(0.45, HIGH_GAP) && !is_high(0.4499, HIGH_GAP));
    }

    #[test]
    fn default_anchors_hold() {
        let c = Coverage::default();
        assert!((c.redundancy(0.20) - 0.05).abs() < 1e-9 && (c.redundancy(0.62) - 0.95).abs() < 1e-9);
        assert_eq!(c.novelty(&[1.0, 0.0], &[]), 1.0);
        assert!(c.novelty(&[1.0, 0.0], &[vec![0.0, 1.0], vec![2.0, 0.0]]) < 0.01, "the best own rule counts");
    }

    #[test]
    fn fit_separates_and_refuses_nonsense() {
        let c = Coverage::fit(&[0.8, 0.75, 0.9, 0.7, 0.85], &[0.1, 0.3, 0.2, 0.25, 0.05, 0.4, 0.15]).unwrap();
        assert!((0.45..0.65).contains(&c.midpoint), "{c:?}");
        assert!(c.redundancy(0.85) > 0.8 && c.redundancy(0.15) < 0.2);
        assert_eq!(Coverage::fit(&[], &[0.1]), None);
        assert_eq!(Coverage::fit(&[0.1], &[0.9]), None);
        assert_eq!(Coverage::fit(&[0.5], &[0.5]), None);
        assert_eq!(Coverage::fit(&[f64::NAN], &[0.5]), None);
    }

    proptest! {
        #[test]
        fn redundancy_rises_within_bounds(
            same in prop::collection::vec(0.3f64..1.0, 1..20),
            different in prop::collection::vec(-0.2f64..0.7, 1..20),
            x in -1f64..1.0, y in -1f64..1.0,
        ) {
            if let Some(c) = Coverage::fit(&same, &different) {
                let (low, high) = (x.min(y), x.max(y));
                prop_assert!(c.redundancy(low) <= c.redundancy(high));
                prop_assert!((0.0..=1.0).contains(&c.redundancy(x)));
            }
        }

        #[test]
        fn min_mean_max_are_ordered(novelties in prop::collection::vec(-0.5f64..1.5, 1..9)) {
            let g = record_gap("r", &novelties).unwrap();
            prop_assert!(0.0 <= g.min && g.min <= g.mean + 1e-12 && g.mean <= g.max + 1e-12 && g.max <= 1.0);
        }
    }
}
