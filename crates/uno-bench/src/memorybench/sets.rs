//! Which data sets make up a set, and which of their metrics is the score.

use super::norm::{Kind, SetName};

/// How an item's metrics become its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// This metric is the score.
    Metric(&'static str),
    /// A judge merges several metrics into 1 to 10; [`MERGED`] where an item holds it.
    Merged,
}

/// The name under which an item may hold its merged score.
pub const MERGED: &str = "llm_as_judge_score";

/// Name, task, domain, scoring, in the order of the published configuration.
const DATA_SETS: &[(&str, &str, &str, Scoring)] = &[
    ("Locomo", "Long-Short", "Open-Domain", Scoring::Metric("f1")),
    ("DialSim-friends", "Long-Short", "Open-Domain", Scoring::Metric("accuracy")),
    ("DialSim-bigbang", "Long-Short", "Open-Domain", Scoring::Metric("accuracy")),
    ("DialSim-theoffice", "Long-Short", "Open-Domain", Scoring::Metric("accuracy")),
    ("LexEval-Summarization", "Long-Short", "Legal", Scoring::Metric("rougel")),
    ("IdeaBench", "Long-Short", "Academic&Knowledge", Scoring::Merged),
    ("LimitGen-Syn", "Long-Short", "Academic&Knowledge", Scoring::Metric("rating")),
    ("JuDGE", "Short-Long", "Legal", Scoring::Merged),
    ("HelloBench-Academic&Knowledge-QA", "Short-Long", "Academic&Knowledge", Scoring::Metric("avg_score")),
    ("WritingPrompts", "Short-Long", "Open-Domain", Scoring::Metric("meteor")),
    ("LexEval-Judge", "Long-Long", "Legal", Scoring::Metric("rougel")),
    ("WritingBench-Politics&Law", "Long-Long", "Legal", Scoring::Metric("score")),
    (
        "HelloBench-Academic&Knowledge-Writing",
        "Long-Long",
        "Academic&Knowledge",
        Scoring::Metric("avg_score"),
    ),
    ("WritingBench-Academic&Engineering", "Long-Long", "Academic&Knowledge", Scoring::Metric("score")),
    ("HelloBench-Creative&Design", "Long-Long", "Open-Domain", Scoring::Metric("avg_score")),
    ("WritingBench-Creative&Design", "Long-Long", "Open-Domain", Scoring::Metric("score")),
    ("LexEval-QA", "Short-Short", "Legal", Scoring::Metric("rougel")),
    ("JRE-L", "Short-Short", "Academic&Knowledge", Scoring::Merged),
    ("NFCats", "Short-Short", "Open-Domain", Scoring::Metric("score")),
];

/// The data set that a name belongs to: `Locomo-0` to `Locomo-9` count as one.
pub fn data_set(name: &str) -> &str {
    match name.strip_prefix("Locomo-") {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) => "Locomo",
        _ => name,
    }
}

/// How items of a data set are scored; `None` when it is not one of MemoryBench's.
pub fn scoring(name: &str) -> Option<Scoring> {
    DATA_SETS.iter().find(|(known, ..)| *known == data_set(name)).map(|(.., scoring)| *scoring)
}

/// The data sets of a set, in the order of the published configuration; none when there is no such set.
pub fn data_sets(set: &SetName) -> Vec<&'static str> {
    let is_in = |task: &str, domain: &str| match set.kind {
        Kind::Task => task == set.name,
        Kind::Domain => domain == set.name,
    };
    let within = DATA_SETS.iter().filter(|(_, task, domain, _)| is_in(task, domain));
    within.map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_locomo_are_one() {
        assert_eq!(scoring("Locomo-7"), Some(Scoring::Metric("f1")));
        assert_eq!(data_set("Locomo-x"), "Locomo-x");
        assert_eq!(scoring("Locomo-"), None);
    }

    #[test]
    fn sets_by_task_and_by_domain() {
        let of = |name: &str| data_sets(&name.parse().unwrap());
        assert_eq!(of("task/Short-Short"), ["LexEval-QA", "JRE-L", "NFCats"]);
        assert_eq!(of("domain/Legal").len(), 5);
        assert!(of("domain/Short-Short").is_empty());
    }
}
