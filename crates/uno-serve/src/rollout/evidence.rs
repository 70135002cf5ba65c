//! What is known about a trial, and what follows from it.

use serde::{Deserialize, Serialize};
use uno_store::live::ArmCount;

use super::{Arm, Difference, RolloutOptions, Verdict, Wins};

/// What happened in one cluster of the plan on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratum {
    /// The cluster; `None`: none was near enough, or none was looked for.
    pub cluster: Option<i64>,
    /// Complaints under the plan in force.
    pub plan: Arm,
    /// Complaints under the plan on trial.
    pub trial: Arm,
    /// Answers of the plan in force that were liked.
    pub plan_liked: u64,
    /// Answers of the plan on trial that were liked.
    pub trial_liked: u64,
}

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// By cluster.
    pub strata: Vec<Stratum>,
    /// How the judge compared.
    pub judged: Wins,
}

impl Evidence {
    /// What the log counted under these two plans; a stream that was left counts as a complaint.
    pub fn of(counts: &[ArmCount], plan: &str, trial: &str, judged: Wins) -> Self {
        let mut strata: Vec<Stratum> = Vec::new();
        for count in counts.iter().filter(|c| c.plan == plan || c.plan == trial) {
            let at = strata.iter().position(|s| s.cluster == count.stratum).unwrap_or_else(|| {
                strata.push(Stratum { cluster: count.stratum, ..Stratum::default() });
                strata.len() - 1
            });
            let stratum = &mut strata[at];
            let (arm, liked) = match count.plan == trial {
                true => (&mut stratum.trial, &mut stratum.trial_liked),
                false => (&mut stratum.plan, &mut stratum.plan_liked),
            };
            arm.n += count.requests;
            arm.bad += (count.complaints + count.abandoned).min(count.requests);
            *liked += count.liked;
        }
        strata.sort_by_key(|s| s.cluster);
        Self { strata, judged }
    }

    /// Both arms over all clusters: of the trial, of the plan in force.
    pub fn sums(&self) -> (Arm, Arm) {
        let add = |a: Arm, b: Arm| Arm { n: a.n + b.n, bad: a.bad + b.bad };
        self.strata.iter().fold(Default::default(), |(t, p), s| (add(t, s.trial), add(p, s.plan)))
    }

    fn complaints(&self) -> Vec<(Arm, Arm)> {
        self.strata.iter().map(|s| (s.trial, s.plan)).collect()
    }

    /// Answers that nobody liked, so that more is worse here, too.
    fn unliked(&self) -> Vec<(Arm, Arm)> {
        let unliked = |arm: Arm, liked: u64| Arm { n: arm.n, bad: arm.n.saturating_sub(liked) };
        self.strata.iter().map(|s| (unliked(s.trial, s.trial_liked), unliked(s.plan, s.plan_liked))).collect()
    }
}

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How the trial stands.
    pub verdict: Verdict,
    /// Why, in words.
    pub why: String,
}

/// How a trial stands after `hours`. Three signals are looked at (complaints, likes, the judge), each with a third of `alpha`, and
/// complaints in every cluster by itself with its part of theirs, so that the chance of a false alarm by any of them is `alpha`.
pub fn judge(options: &RolloutOptions, evidence: &Evidence, hours: f64) -> Finding {
    let alpha = options.alpha / 3.0;
    let (trial, plan) = evidence.sums();
    let told = format!(
        "{} complaints about {} answers on trial, {} about {} of the plan in force",
        trial.bad, trial.n, plan.bad, plan.n
    );
    let found = |verdict, why: String| Finding { verdict, why: format!("{why}: {told}") };
    // Half for all clusters together, half for each of them.
    let complaints = Difference::stratified(&evidence.complaints(), alpha / 2.0);
    let likes = Difference::stratified(&evidence.unliked(), alpha);
    let judged = Difference::of_wins(evidence.judged, alpha);
    if complaints.is_some_and(|d| d.is_worse()) {
        return found(Verdict::Worse, "surely worse on trial".into());
    }
    if likes.is_some_and(|d| d.is_worse()) {
        return found(Verdict::Worse, "surely liked less often on trial".into());
    }
    let Wins { wins, losses, ties } = evidence.judged;
    let verdicts = format!("{wins} wins, {losses} losses, {ties} ties");
    if judged.is_some_and(|d| d.is_worse()) {
        return found(Verdict::Worse, format!("the judge surely prefers the plan in force ({verdicts})"));
    }
    let each = alpha / 2.0 / evidence.strata.len().max(1) as f64;
    for stratum in evidence.strata.iter().filter(|_| evidence.strata.len() > 1) {
        if Difference::of(stratum.trial, stratum.plan, each).is_some_and(|d| d.is_worse()) {
            let place = stratum.cluster.map_or("outside all clusters".into(), |c| format!("in cluster {c}"));
            return found(Verdict::Worse, format!("surely worse on trial {place}"));
        }
    }
    if trial.n >= options.min_requests
        && let Some(d) = complaints
    {
        if d.is_no_worse_than(options.margin) {
            return found(Verdict::TakenOver, "surely no worse on trial".into());
        }
        if judged.is_some_and(|d| d.is_better()) && d.estimate <= options.margin {
            return found(
                Verdict::TakenOver,
                format!("the judge surely prefers the plan on trial ({verdicts})"),
            );
        }
    }
    if options.max_hours > 0 && hours > options.max_hours as f64 {
        return found(Verdict::Undecided, format!("undecided after {} h on trial", options.max_hours));
    }
    found(Verdict::Going, "undecided".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(trial: (u64, u64), plan: (u64, u64)) -> Evidence {
        let arm = |(n, bad)| Arm { n, bad };
        let stratum = Stratum { trial: arm(trial), plan: arm(plan), ..Stratum::default() };
        Evidence { strata: vec![stratum], judged: Wins::default() }
    }

    fn verdict(evidence: &Evidence, hours: f64) -> Verdict {
        judge(&RolloutOptions::default(), evidence, hours).verdict
    }

    #[test]
    fn verdicts_follow_the_complaints() {
        assert_eq!(verdict(&Evidence::default(), 1.0), Verdict::Going);
        assert_eq!(verdict(&evidence((100, 60), (1000, 50)), 1.0), Verdict::Worse);
        assert_eq!(verdict(&evidence((3000, 60), (3000, 200)), 1.0), Verdict::TakenOver);
        assert_eq!(verdict(&evidence((100, 0), (3000, 300)), 1.0), Verdict::Going, "too few to take over");
        assert_eq!(verdict(&evidence((100, 10), (100, 10)), 169.0), Verdict::Undecided);
    }

    #[test]
    fn likes_and_the_judge_have_a_say() {
        let mut disliked = evidence((1000, 20), (1000, 20));
        disliked.strata[0].plan_liked = 300;
        disliked.strata[0].trial_liked = 100;
        let finding = judge(&RolloutOptions::default(), &disliked, 1.0);
        assert!(finding.verdict == Verdict::Worse && finding.why.contains("liked"), "{finding:?}");
        let open = evidence((400, 8), (400, 8));
        assert_eq!(verdict(&open, 1.0), Verdict::Going);
        let better = Evidence { judged: Wins { wins: 60, losses: 10, ties: 10 }, ..open.clone() };
        assert_eq!(verdict(&better, 1.0), Verdict::TakenOver);
        let worse = Evidence { judged: Wins { wins: 10, losses: 60, ties: 10 }, ..open.clone() };
        assert!(judge(&RolloutOptions::default(), &worse, 1.0).why.contains("10 wins, 60 losses"));
        assert_eq!(verdict(&worse, 1.0), Verdict::Worse);
        let praised = Evidence { judged: better.judged, ..evidence((400, 40), (400, 8)) };
        assert_ne!(verdict(&praised, 1.0), Verdict::TakenOver, "users outweigh the judge");
    }

    #[test]
    fn harm_in_one_cluster_is_not_hidden_by_the_others() {
        let arm = |n, bad| Arm { n, bad };
        let fine =
            Stratum { cluster: Some(0), trial: arm(2000, 40), plan: arm(2000, 60), ..Stratum::default() };
        let harm = Stratum { cluster: Some(1), trial: arm(60, 40), plan: arm(60, 3), ..Stratum::default() };
        let both = Evidence { strata: vec![fine, harm], judged: Wins::default() };
        let finding = judge(&RolloutOptions::default(), &both, 1.0);
        assert!(finding.verdict == Verdict::Worse && finding.why.contains("cluster 1"), "{finding:?}");
    }

    #[test]
    fn counts_are_put_together_by_the_trials_clusters() {
        let count = |plan: &str, stratum, requests, complaints, abandoned| ArmCount {
            plan: plan.into(),
            stratum,
            requests,
            complaints,
            abandoned,
            liked: 1,
            ..ArmCount::default()
        };
        let counts = [
            count("old", Some(1), 10, 1, 0),
            count("old", Some(1), 10, 8, 9),
            count("new", Some(1), 5, 0, 1),
            count("new", None, 3, 0, 0),
            count("other", None, 99, 99, 0),
        ];
        let evidence = Evidence::of(&counts, "old", "new", Wins::default());
        assert_eq!(evidence.strata.len(), 2);
        assert_eq!((evidence.strata[1].plan, evidence.strata[1].plan_liked), (Arm { n: 20, bad: 11 }, 2));
        assert_eq!(evidence.sums(), (Arm { n: 8, bad: 1 }, Arm { n: 20, bad: 11 }));
    }
}
