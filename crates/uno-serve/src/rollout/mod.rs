//! A new plan serves a share of the conversations first. What users say about its answers is compared with what they say about
//! those of the plan in force, and the trial ends by itself: taken over, or taken back.

mod sequential;
mod watch;

use serde::{Deserialize, Serialize};

pub use sequential::{Arm, Difference};
pub use watch::Rollout;

/// Trials of new plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutOptions {
    /// Share of conversations that a newly learned plan gets while it is on trial; 0: it is in force at once.
    pub share: f64,
    /// Fewest requests of the trial before it can be taken over.
    pub min_requests: u64,
    /// The trial is taken over when its rate of complaints is surely not higher than this above that of the plan in force.
    pub margin: f64,
    /// Probability with which a verdict may be wrong, however often it is looked at.
    pub alpha: f64,
    /// A trial that is undecided after so many hours is taken back; 0: it goes on.
    pub max_hours: u64,
    /// Seconds between looks.
    pub look_seconds: u64,
}

impl Default for RolloutOptions {
    fn default() -> Self {
        Self { share: 0.0, min_requests: 200, margin: 0.03, alpha: 0.05, max_hours: 168, look_seconds: 10 }
    }
}

/// A trial, as it is kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The plan in force.
    pub plan: String,
    /// The plan on trial.
    pub trial: String,
    /// Since when, milliseconds since 1970.
    pub since: i64,
}

/// How a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It began.
    Begun,
    /// Undecided.
    Going,
    /// Surely no worse than the margin: it is in force now.
    TakenOver,
    /// Surely worse: it is taken back.
    Worse,
    /// Undecided for too long: it is taken back.
    Undecided,
    /// Somebody put another plan in force.
    Overtaken,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// When, RFC 3339.
    pub time: String,
    /// The trial.
    #[serde(flatten)]
    pub trial: Trial,
    /// How it stands.
    pub verdict: Verdict,
    /// Requests and complaints under the plan in force.
    pub plan_requests: u64,
    /// Complaints about them.
    pub plan_complaints: u64,
    /// Requests under the plan on trial.
    pub trial_requests: u64,
    /// Complaints about them.
    pub trial_complaints: u64,
}

/// How a trial stands after `hours`.
pub fn judge(options: &RolloutOptions, trial: Arm, plan: Arm, hours: f64) -> Verdict {
    let difference = Difference::of(trial, plan, options.alpha);
    if difference.is_some_and(|d| d.is_worse()) {
        return Verdict::Worse;
    }
    if trial.n >= options.min_requests && difference.is_some_and(|d| d.is_no_worse_than(options.margin)) {
        return Verdict::TakenOver;
    }
    if options.max_hours > 0 && hours > options.max_hours as f64 {
        return Verdict::Undecided;
    }
    Verdict::Going
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_numbers() {
        let options = RolloutOptions::default();
        let judge = |trial: (u64, u64), plan: (u64, u64), hours| {
            let arm = |(n, bad)| Arm { n, bad };
            super::judge(&options, arm(trial), arm(plan), hours)
        };
        assert_eq!(judge((0, 0), (0, 0), 1.0), Verdict::Going);
        assert_eq!(judge((100, 60), (1000, 50), 1.0), Verdict::Worse);
        assert_eq!(judge((3000, 60), (3000, 200), 1.0), Verdict::TakenOver);
        assert_eq!(judge((100, 0), (3000, 300), 1.0), Verdict::Going, "too few to take over");
        assert_eq!(judge((100, 10), (100, 10), 169.0), Verdict::Undecided);
    }
}
