//! Looking at two arms again and again without fooling oneself: a mixture sequential probability ratio test for the difference
//! of two rates (Johari, Koomen, Pekelis, Walsh, "Peeking at A/B tests", KDD 2017). Its error holds at every look at once.

/// What happened in one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arm {
    /// Requests.
    pub n: u64,
    /// Requests with a complaint.
    pub bad: u64,
}

/// Spread of the differences that the mixture expects: rates of complaints differ by some per cent.
const TAU: f64 = 0.05;

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
        if trial.n == 0 || plan.n == 0 {
            return None;
        }
        // A little towards one half, so that arms without a complaint do not look certain.
        let rate = |arm: Arm| (arm.bad as f64 + 0.5) / (arm.n as f64 + 1.0);
        let variance = |arm: Arm| rate(arm) * (1.0 - rate(arm)) / arm.n as f64;
        let v = variance(trial) + variance(plan);
        let t = TAU * TAU;
        let radius = (v * (v + t) / t * (2.0 * (1.0 / alpha).ln() + ((v + t) / v).ln())).sqrt();
        let raw = |arm: Arm| arm.bad as f64 / arm.n as f64;
        Some(Self { estimate: raw(trial) - raw(plan), radius })
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
}
