//! Which data sets make up a set, and which of their metrics is the score.

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

/// Name, task, scoring, in the order of the published configuration.
const DATA_SETS: &[(&str, &str, Scoring)] = &[
    ("Locomo", "Long-Short", Scoring::Metric("f1")),
    ("DialSim-friends", "Long-Short", Scoring::Metric("accuracy")),
    ("DialSim-bigbang", "Long-Short", Scoring::Metric("accuracy")),
    ("DialSim-theoffice", "Long-Short", Scoring::Metric("accuracy")),
    ("LexEval-Summarization", "Long-Short", Scoring::Metric("rougel")),
    ("IdeaBench", "Long-Short", Scoring::Merged),
    ("LimitGen-Syn", "Long-Short", Scoring::Metric("rating")),
    ("JuDGE", "Short-Long", Scoring::Merged),
    ("HelloBench-Academic&Knowledge-QA", "Short-Long", Scoring::Metric("avg_score")),
    ("WritingPrompts", "Short-Long", Scoring::Metric("meteor")),
    ("LexEval-Judge", "Long-Long", Scoring::Metric("rougel")),
    ("WritingBench-Politics&Law", "Long-Long", Scoring::Metric("score")),
    ("HelloBench-Academic&Knowledge-Writing", "Long-Long", Scoring::Metric("avg_score")),
    ("WritingBench-Academic&Engineering", "Long-Long", Scoring::Metric("score")),
    ("HelloBench-Creative&Design", "Long-Long", Scoring::Metric("avg_score")),
    ("WritingBench-Creative&Design", "Long-Long", Scoring::Metric("score")),
    ("LexEval-QA", "Short-Short", Scoring::Metric("rougel")),
    ("JRE-L", "Short-Short", Scoring::Merged),
    ("NFCats", "Short-Short", Scoring::Metric("score")),
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

/// The task of a data set.
pub fn task_of(name: &str) -> Option<&'static str> {
    DATA_SETS.iter().find(|(known, ..)| *known == data_set(name)).map(|(_, task, _)| *task)
}

/// The data sets of a task, in the order of the published configuration.
pub fn data_sets(task: &str) -> Vec<&'static str> {
    DATA_SETS.iter().filter(|(_, t, _)| *t == task).map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_locomo_are_one() {
        assert_eq!(scoring("Locomo-7"), Some(Scoring::Metric("f1")));
        assert_eq!(data_set("Locomo-x"), "Locomo-x");
        assert_eq!(scoring("Locomo-"), None);
        assert_eq!(data_sets("Short-Short"), ["LexEval-QA", "JRE-L", "NFCats"]);
        assert_eq!(task_of("JuDGE"), Some("Short-Long"));
    }
}
