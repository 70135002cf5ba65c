//! Ablations of the method by name: each is UNO with other settings of `learn`, no other code.

/// An ablation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ablation {
    /// Its name in tables.
    pub name: &'static str,
    /// Settings, as `--set` takes them.
    pub settings: &'static [&'static str],
}

const fn of(name: &'static str, settings: &'static [&'static str]) -> Ablation {
    Ablation { name, settings }
}

/// Evidence counts messages: whose they are, and whether others contradict them, does not matter.
pub const COUNT_MESSAGES: &[&str] =
    &["evidence.min_users=1", "evidence.min_user_share=0", "evidence.max_user_share=1"];

/// All ablations, thresholds swept at the end.
pub const ABLATIONS: &[Ablation] = &[
    of("no_clusters", &["cluster.by=none"]),
    of("query_features", &["cluster.by=query"]),
    of("rule_features", &["cluster.by=rules"]),
    of("all_expert", &["plan.gate=expert"]),
    of("all_critic", &["plan.gate=critic"]),
    of("unverified", &["plan.policy=unverified"]),
    of("paper_policy", &["plan.policy=paper"]),
    of("sampled_only", &["candidates.in_log=false", "candidates.repair=false"]),
    of("in_log_only", &["candidates.from_feedback=0", "candidates.from_rules=0", "candidates.repair=false"]),
    of("first_answers_only", &["candidates.fresh=0"]),
    of("unfilled", &["cluster.fill_to=0"]),
    of("judge_only", &["pairs.judge.programs=false", "verify.judge.programs=false"]),
    of("count_messages", COUNT_MESSAGES),
    of("distance_2", &["cluster.threshold=2"]),
    of("distance_4", &["cluster.threshold=4"]),
    of("distance_6", &["cluster.threshold=6"]),
    of("gap_03", &["plan.gap_threshold=0.3"]),
    of("gap_06", &["plan.gap_threshold=0.6"]),
    of("win_rate_05", &["plan.min_win_rate=0.5"]),
    of("win_rate_07", &["plan.min_win_rate=0.7"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Settings};

    #[test]
    fn names_are_distinct_and_settings_change_something() {
        for (i, ablation) in ABLATIONS.iter().enumerate() {
            assert!(ABLATIONS[..i].iter().all(|other| other.name != ablation.name), "{}", ablation.name);
            let settings = config::with(&Settings::default(), ablation.settings).unwrap();
            assert!(settings != Settings::default() || ablation.name == "distance_4", "{}", ablation.name);
        }
    }
}
