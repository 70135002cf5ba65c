//! Looking at two arms again and again without fooling oneself: a mixture sequential probability ratio test for the difference
//! of two rates (Johari, Koomen, Pekelis, Walsh, "Peeking at A/B tests", KDD 2017). Its error holds at every look at once.

use serde::{Deserialize, Serialize};

/// What happened in one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Requests.
    pub n: u64,
    /// Requests with a complaint.
    pub bad: u64,
}

/// Spread of the differences that the mixture expects: rates of complaints differ by some per cent.
const TAU: f64 = 0.05;
/// The same for rates of wins, which lie further apart.
const WINS_TAU: f64 = 0.15;

/// How a judge compared answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wins {
    /// The plan on trial answered better.
    pub wins: u64,
    /// The plan in force did.
    pub losses: u64,
    /// Neither.
    pub ties: u64,
}

impl Wins {
    /// Comparisons.
    pub fn n(&self) -> u64 {
        self.wins + self.losses + self.ties
    }
}

/// Half the width of a band around an estimate of variance `v` that covers the truth at all looks at once.
fn radius(v: f64, tau: f64, alpha: f64) -> f64 {
    let t = tau * tau;
    (v * (v + t) / t * (2.0 * (1.0 / alpha).ln() + ((v + t) / v).ln())).sqrt()
}

/// The difference of two rates with a band that covers the truth at all looks at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Rate of the trial less that of the plan in force.
    pub estimate: f64,
    /// Half the band's width.
    pub radius: f64,
}

impl Difference {
    /// Compares the arms; `alpha`: the probability with which the band may ever miss. `None` while an arm is empty.
    pub fn of(trial: Arm, plan: Arm, alpha: f64) -> Option<Self> {
        Self::stratified(&[(trial, plan)], alpha)
    }

    /// Compares the arms within strata (trial, plan in force) and takes the mean weighted by their size, so that a stratum of which the
    /// trial gets a larger share does not count for more of its arm. Strata that only one arm has seen tell nothing.
    pub fn stratified(strata: &[(Arm, Arm)], alpha: f64) -> Option<Self> {
        let seen: Vec<&(Arm, Arm)> = strata.iter().filter(|(t, p)| t.n > 0 && p.n > 0).collect();
        let total: u64 = seen.iter().map(|(t, p)| t.n + p.n).sum();
        if total == 0 {
            return None;
        }
        // A little towards one half, so that arms without a complaint do not look certain.
        let rate = |arm: &Arm| (arm.bad as f64 + 0.5) / (arm.n as f64 + 1.0);
        let variance = |arm: &Arm| rate(arm) * (1.0 - rate(arm)) / arm.n as f64;
        let raw = |arm: &Arm| arm.bad as f64 / arm.n as f64;
        let (mut estimate, mut v) = (0.0, 0.0);
        for (trial, plan) in seen {
            let weight = (trial.n + plan.n) as f64 / total as f64;
            estimate += weight * (raw(trial) - raw(plan));
            v += weight * weight * (variance(trial) + variance(plan));
        }
        Some(Self { estimate, radius: radius(v, TAU, alpha) })
    }

    /// One half less the rate at which the trial wins (a tie is half a win), so that above zero is worse here, too. `None` while
    /// nothing was compared.
    pub fn of_wins(wins: Wins, alpha: f64) -> Option<Self> {
        if wins.n() == 0 {
            return None;
        }
        let n = wins.n() as f64;
        let mean = (wins.wins as f64 + wins.ties as f64 / 2.0) / n;
        // The variance if both plans were alike, not the one seen: a few verdicts that agree would look certain.
        let variance = (wins.wins + wins.losses + 2) as f64 / (4.0 * (n + 2.0));
        Some(Self { estimate: 0.5 - mean, radius: radius(variance / n, WINS_TAU, alpha) })
    }

    /// Whether the trial is surely better.
    pub fn is_better(&self) -> bool {
        self.estimate + self.radius < 0.0
    }

    /// Whether the trial is surely worse.
    pub fn is_worse(&self) -> bool {
        self.estimate - self.radius > 0.0
    }

    /// Whether the trial is surely not worse by more than `margin`.
    pub fn is_no_worse_than(&self, margin: f64) -> bool {
        self.estimate + self.radius < margin
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// When a trial at these rates is judged, looking after every 20 requests: worse, no worse by 5 %, at which request.
    fn judged(trial: f64, plan: f64, seed: u64) -> (Option<u64>, Option<u64>) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut a, mut b) = (Arm::default(), Arm::default());
        let (mut worse, mut fine) = (None, None);
        for n in 1..=4000 {
            a.n += 1;
            a.bad += u64::from(rng.random_bool(trial));
            for _ in 0..4 {
                b.n += 1;
                b.bad += u64::from(rng.random_bool(plan));
            }
            if n % 20 == 0 {
                let d = Difference::of(a, b, 0.05).unwrap();
                worse = worse.or(d.is_worse().then_some(n));
                fine = fine.or(d.is_no_worse_than(0.05).then_some(n));
            }
        }
        (worse, fine)
    }

    #[test]
    fn equal_arms_are_hardly_ever_told_apart_however_often_one_looks() {
        let wrong = (0..200).filter(|seed| judged(0.1, 0.1, *seed).0.is_some()).count();
        assert!(wrong <= 10, "{wrong} of 200 false alarms at 5 %");
    }

    #[test]
    fn harm_is_found_and_harmlessness_too() {
        let found = (0..50).filter(|seed| judged(0.25, 0.1, *seed).0.is_some_and(|n| n <= 1000)).count();
        assert!(found >= 48, "{found} of 50 within 1000 requests");
        let fine = (0..50).filter(|seed| judged(0.05, 0.1, *seed).1.is_some_and(|n| n <= 1000)).count();
        assert!(fine >= 48, "{fine} of 50");
        assert_eq!(Difference::of(Arm { n: 3, bad: 0 }, Arm::default(), 0.05), None);
        let few = Difference::of(Arm { n: 3, bad: 3 }, Arm { n: 3, bad: 0 }, 0.05).unwrap();
        assert!(!few.is_no_worse_than(0.05), "{few:?}");
    }

    #[test]
    fn shares_that_differ_by_cluster_fool_nobody() {
        // In the second stratum users complain more whoever answers, and the trial got most of it.
        let strata = [
            (Arm { n: 500, bad: 25 }, Arm { n: 4500, bad: 225 }),
            (Arm { n: 900, bad: 360 }, Arm { n: 100, bad: 40 }),
        ];
        let pooled = Difference::of(Arm { n: 1400, bad: 385 }, Arm { n: 4600, bad: 265 }, 0.05).unwrap();
        assert!(pooled.is_worse(), "the trap: {pooled:?}");
        let fair = Difference::stratified(&strata, 0.05).unwrap();
        assert!(fair.estimate.abs() < 1e-9 && !fair.is_worse(), "{fair:?}");
        let alone = [strata[0], (Arm { n: 50, bad: 50 }, Arm::default())];
        assert_eq!(Difference::stratified(&alone, 0.05), Difference::stratified(&strata[..1], 0.05));
    }

    #[test]
    fn wins_are_told_from_chance() {
        let judged = |rate: f64, seed: u64| {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut wins = Wins::default();
            let mut found = (None, None);
            for n in 1..=400 {
                match rng.random_bool(0.2) {
                    true => wins.ties += 1,
                    false if rng.random_bool(rate) => wins.wins += 1,
                    false => wins.losses += 1,
                }
                let d = Difference::of_wins(wins, 0.05).unwrap();
                found.0 = found.0.or(d.is_better().then_some(n));
                found.1 = found.1.or(d.is_worse().then_some(n));
            }
            found
        };
        let wrong = (0..200).filter(|seed| judged(0.5, *seed) != (None, None)).count();
        assert!(wrong <= 10, "{wrong} of 200 false alarms at 5 %");
        assert!((0..50).filter(|seed| judged(0.75, *seed).0.is_some()).count() >= 48);
        assert!((0..50).filter(|seed| judged(0.25, *seed).1.is_some()).count() >= 48);
        assert_eq!(Difference::of_wins(Wins::default(), 0.05), None);
        assert!(!Difference::of_wins(Wins { wins: 3, ..Wins::default() }, 0.05).unwrap().is_better());
    }
}
