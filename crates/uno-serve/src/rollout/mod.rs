//! A new plan serves a share of the conversations first. What users say about its answers, and what a judge says about a sample of
//! them, is compared with the plan in force, and the trial ends by itself: taken over, or taken back.

mod evidence;
mod judging;
mod sequential;
mod shadow;
mod shares;
mod watch;

use serde::{Deserialize, Serialize};

pub use evidence::{Evidence, Finding, Stratum, judge};
pub use judging::{Comparison, Umpire};
pub(crate) use judging::{Judged, run as run_judging};
pub use sequential::{Arm, Difference, Wins};
pub use shares::{ClusterShare, Shares};
pub use watch::Rollout;

/// Trials of new plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutOptions {
    /// Share of conversations that a newly learned plan gets while it is on trial; 0: it is in force at once.
    pub share: f64,
    /// Shares of their own for clusters of the plan on trial: `[{cluster = 3, share = 0.5}]`.
    pub cluster_shares: Vec<ClusterShare>,
    /// Fewest requests of the trial before it can be taken over.
    pub min_requests: u64,
    /// The trial is taken over when its rate of complaints is surely not higher than this above that of the plan in force.
    pub margin: f64,
    /// Probability with which a verdict may be wrong, however often it is looked at.
    pub alpha: f64,
    /// Share of the requests that the judge compares: the other plan's answer to the same question is generated for it. 0: none.
    pub judge_share: f64,
    /// Most comparisons of a trial.
    pub judge_most: u64,
    /// A trial that is undecided after so many hours is taken back; 0: it goes on.
    pub max_hours: u64,
    /// Seconds between looks.
    pub look_seconds: u64,
}

impl Default for RolloutOptions {
    fn default() -> Self {
        Self {
            share: 0.0,
            cluster_shares: Vec::new(),
            min_requests: 200,
            margin: 0.03,
            alpha: 0.05,
            judge_share: 0.0,
            judge_most: 400,
            max_hours: 168,
            look_seconds: 10,
        }
    }
}

impl RolloutOptions {
    /// The shares of conversations that a trial gets.
    pub fn shares(&self) -> Shares {
        Shares::of(self.share).with(&self.cluster_shares)
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
    /// How the judge compared their answers so far.
    #[serde(default)]
    pub judged: Wins,
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
    /// Why, in words.
    #[serde(default)]
    pub why: String,
    /// Requests under the plan in force.
    pub plan_requests: u64,
    /// Complaints about them.
    pub plan_complaints: u64,
    /// Requests under the plan on trial.
    pub trial_requests: u64,
    /// Complaints about them.
    pub trial_complaints: u64,
    /// The same, and likes, by cluster of the plan on trial.
    #[serde(default)]
    pub clusters: Vec<Stratum>,
}
