//! How sure a figure is: Wilson intervals, bootstrap intervals, differences of proportions. All at 95 %.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use uno_types::{Outcome, WinRate};

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Observations behind it.
    pub n: usize,
}

/// Wilson score interval of a share `rate` (0 to 1) seen in `n` trials; (0, 1) when there was none. Valid at 0 and 1
/// and for few trials, where the normal interval is not.
pub fn wilson(rate: f64, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (p, n) = (rate.clamp(0.0, 1.0), n as f64);
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Rounding must not push an end beyond the rate itself.
    (((centre - spread) / scale).clamp(0.0, p), ((centre + spread) / scale).clamp(p, 1.0))
}

/// Win rate of `outcomes`: (wins + ties/2) over all known ones. A tie says nothing about who is better (most often both obey,
/// or neither does), so the interval is Wilson's for the records that decide, with the ties' halves added to both ends: it lies above one
/// half exactly where that of wins against losses does, as in a sign test. Counting ties as trials of a coin would ask a cluster whose
/// base model often obeys already for several times the evidence.
pub fn win_rate(outcomes: &[Outcome]) -> WinRate {
    let count = |wanted: Outcome| outcomes.iter().filter(|o| **o == wanted).count();
    let (wins, ties, losses) = (count(Outcome::Win), count(Outcome::Tie), count(Outcome::Loss));
    let n = wins + ties + losses;
    let rate = if n == 0 { 0.0 } else { (wins as f64 + 0.5 * ties as f64) / n as f64 };
    let decided = wins + losses;
    let (low, high) = match decided {
        0 => wilson(rate, n),
        _ => {
            let (low, high) = wilson(wins as f64 / decided as f64, decided);
            let with_ties = |end: f64| (end * decided as f64 + 0.5 * ties as f64) / n as f64;
            (with_ties(low).min(rate), with_ties(high).max(rate))
        }
    };
    WinRate { wins, ties, losses, unknown: count(Outcome::Unknown), rate, low, high }
}

/// Mean of `values` with a percentile bootstrap interval from `resamples` draws (1 000 or more are usual). The same
/// seed gives the same interval on every machine. All zero when there are no values.
pub fn bootstrap_mean(values: &[f64], resamples: usize, seed: u64) -> Estimate {
    let n = values.len();
    if n == 0 {
        return Estimate::default();
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples.max(1))
        .map(|_| (0..n).map(|_| values[below(&mut rng, n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    Estimate { mean, low: percentile(&means, 0.025), high: percentile(&means, 0.975), n }
}

/// Mean of the paired differences `a[i] − b[i]` with a bootstrap interval: the same questions answered twice. The
/// shorter list counts.
pub fn paired_difference(a: &[f64], b: &[f64], resamples: usize, seed: u64) -> Estimate {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    bootstrap_mean(&differences, resamples, seed)
}

/// Difference `a − b` of two independent shares, each (successes, trials), with Newcombe's interval (Wilson's ends
/// combined). `n` is the sum of the trials; (−1, 1) when either side has none.
pub fn share_difference(a: (usize, usize), b: (usize, usize)) -> Estimate {
    let n = a.1 + b.1;
    if a.1 == 0 || b.1 == 0 {
        return Estimate { mean: 0.0, low: -1.0, high: 1.0, n };
    }
    let (pa, pb) = (a.0 as f64 / a.1 as f64, b.0 as f64 / b.1 as f64);
    let ((la, ua), (lb, ub)) = (wilson(pa, a.1), wilson(pb, b.1));
    let mean = pa - pb;
    let low = mean - ((pa - la).powi(2) + (ub - pb).powi(2)).sqrt();
    let high = mean + ((ua - pa).powi(2) + (pb - lb).powi(2)).sqrt();
    Estimate { mean, low: low.max(-1.0), high: high.min(1.0), n }
}

/// Linear interpolation between the order statistics of `sorted`, as numpy's default.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// A uniform number below `n` (n ≥ 1), drawn so that it depends on the ChaCha stream alone and not on the version of
/// a sampling library.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let n = n as u64;
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let draw = rng.next_u64();
        if draw < limit {
            return (draw % n) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-4
    }

    #[test]
    fn wilson_as_published() {
        // Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29.
        for (x, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(f64::from(x) / f64::from(n), n as usize);
            assert!(close(l, low) && close(h, high), "{x}/{n}: {l} {h}");
        }
    }

    #[test]
    fn newcombe_as_published() {
        // Newcombe 1998 (II), method 10: 56/70 − 48/80 = 0.2, interval 0.0524 to 0.3339.
        let d = share_difference((56, 70), (48, 80));
        assert!(close(d.mean, 0.2) && close(d.low, 0.0524) && close(d.high, 0.3339), "{d:?}");
    }

    #[test]
    fn unknown_outcomes_do_not_count() {
        use Outcome::{Loss, Tie, Unknown, Win};
        let w = win_rate(&[Win, Win, Tie, Loss, Unknown]);
        assert_eq!((w.wins, w.ties, w.losses, w.unknown, w.rate), (2, 1, 1, 1, 0.625));
        assert_eq!(win_rate(&[Unknown]).rate, 0.0);
        assert_eq!((win_rate(&[]).low, win_rate(&[]).high), (0.0, 1.0));
    }

    #[test]
    fn ties_leave_the_question_to_the_records_that_decide() {
        let of = |wins: usize, ties: usize, losses: usize| {
            let outcomes = [(Outcome::Win, wins), (Outcome::Tie, ties), (Outcome::Loss, losses)];
            win_rate(&outcomes.iter().flat_map(|(o, n)| vec![*o; *n]).collect::<Vec<_>>())
        };
        for (wins, losses) in [(4, 0), (3, 0), (9, 2), (6, 3), (2, 5)] {
            let (alone, tied) = (of(wins, 0, losses), of(wins, 30, losses));
            assert_eq!(alone.low > 0.5, tied.low > 0.5, "{wins} wins, {losses} losses");
            assert!(tied.high - tied.low < alone.high - alone.low);
        }
        assert!(of(4, 1, 0).low > 0.5 && of(3, 40, 0).low < 0.5 && of(0, 9, 0).low < 0.5);
    }

    #[test]
    fn the_bootstrap_is_reproducible() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 4 == 0)).collect();
        let a = bootstrap_mean(&values, 2000, 7);
        assert_eq!(a, bootstrap_mean(&values, 2000, 7));
        assert_eq!(a.mean, 0.25);
        assert!((0.08..0.18).contains(&a.low) && (0.33..0.45).contains(&a.high), "{a:?}");
    }

    proptest! {
        #[test]
        fn intervals_hold_their_figure(wins in 0usize..50, ties in 0usize..50, losses in 0usize..50) {
            let mut outcomes = vec![Outcome::Win; wins];
            outcomes.extend(vec![Outcome::Tie; ties]);
            outcomes.extend(vec![Outcome::Loss; losses]);
            let w = win_rate(&outcomes);
            prop_assert!(0.0 <= w.low && w.high <= 1.0);
            prop_assert!(outcomes.is_empty() || (w.low <= w.rate && w.rate <= w.high));
        }

        #[test]
        fn more_trials_narrow_the_interval(share in 0.0f64..1.0, n in 1usize..200) {
            let (few, many) = (wilson(share, n), wilson(share, n * 2));
            prop_assert!(many.1 - many.0 < few.1 - few.0);
        }

        #[test]
        fn bootstrap_stays_within_the_values(values in prop::collection::vec(-5.0f64..5.0, 1..30), seed: u64) {
            let e = bootstrap_mean(&values, 200, seed);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= e.low && e.low <= e.high && e.high <= most + 1e-9);
        }
    }
}
