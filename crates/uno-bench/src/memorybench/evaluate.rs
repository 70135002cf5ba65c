//! From answers to `evaluate_details.json`: every metric that can be had, by data set.

use serde_json::{Map, Value, json};
use uno_types::ChatModel;

use super::judge::{Prompts, Scale, Task, judge};
use super::judgment::judgment_metrics;
use super::metrics::{EasyWords, coleman_liau, dale_chall, rouge_l, set_rouge_l};
use super::sets::MERGED;
use super::{Item, ItemResult, MemoryBenchError};

/// What metrics need besides the answers.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// Judges what no program can measure.
    pub judge: &'a dyn ChatModel,
    /// What it is asked.
    pub prompts: &'a Prompts,
    /// For JRE-L's Dale-Chall score; without it that metric is left out.
    pub easy_words: Option<&'a EasyWords>,
}

/// What is still to be judged of an item, and under which name its score goes.
struct Open {
    item: usize,
    metric: &'static str,
    task: Task,
}

/// The metrics of each answer, and how many of the judge's answers could not be read (they count as the published code
/// counts them: 1 for NFCats, 0 elsewhere).
///
/// # Errors
/// When a data set cannot be evaluated here, an item lacks its gold data, or the judge is lost.
pub fn evaluate(
    items: &[&Item],
    answers: &[String],
    with: &Evaluation<'_>,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<ItemResult>, usize), MemoryBenchError> {
    let (mut results, mut open) = (Vec::new(), Vec::new());
    for (i, (item, answer)) in items.iter().zip(answers).enumerate() {
        let (metrics, task) = measure(item, answer, with)?;
        open.extend(task.map(|(metric, task)| Open { item: i, metric, task }));
        results.push(ItemResult { test_idx: item.test_idx, metrics, dataset: item.data_set.clone() });
    }
    let tasks: Vec<Task> = open.iter().map(|o| o.task.clone()).collect();
    let scores = judge(&tasks, with.judge, on_progress)?;
    let unread = scores.iter().filter(|s| !s.read).count();
    for (open, score) in open.iter().zip(&scores) {
        // Whole numbers stand as such in the published files.
        let value = match open.task.scale {
            Scale::Checks(_) => json!(score.value),
            _ => json!(score.value as i64),
        };
        results[open.item].metrics.insert(open.metric.to_owned(), value);
    }
    Ok((results, unread))
}

type Measured = (Map<String, Value>, Option<(&'static str, Task)>);

/// Model-free metrics of an answer, and what the judge is to say about it.
fn measure(item: &Item, answer: &str, with: &Evaluation<'_>) -> Result<Measured, MemoryBenchError> {
    let problem = |reason: String| MemoryBenchError::Item {
        data_set: item.data_set.clone(),
        test_idx: item.test_idx,
        reason,
    };
    let gold = |key: &str| item.gold(key).ok_or_else(|| problem(format!("`info` holds no text `{key}`")));
    let question = item.question();
    let fill = |template: &str, more: &[(&str, &str)]| {
        super::judge::fill(template, &[&[("question", question), ("answer", answer)], more].concat())
    };
    let mut metrics = Map::new();
    let name = item.data_set.as_str();
    let task = if name.starts_with("LexEval-") {
        metrics.insert("rougel".into(), json!(set_rouge_l(gold("golden_answer")?, answer)));
        None
    } else if name == "NFCats" {
        Some(("score", Task { prompt: fill(&with.prompts.answer, &[]), scale: Scale::Five }))
    } else if name == "JRE-L" {
        let reference = gold("pr-abstract")?;
        metrics.insert("Rouge-L".into(), json!(rouge_l(reference, answer)));
        metrics.insert("CLI".into(), json!(coleman_liau(answer)));
        if let Some(easy) = with.easy_words {
            metrics.insert("DCRS".into(), json!(dale_chall(answer, easy)));
        }
        Some((MERGED, merge(&metrics, reference, with, fill)))
    } else if name == "JuDGE" {
        let reference = gold("golden_answer")?;
        if let Ok(Value::Object(map)) = serde_json::to_value(judgment_metrics(reference, answer)) {
            metrics = map;
        }
        Some((MERGED, merge(&metrics, reference, with, fill)))
    } else if name.starts_with("HelloBench-") {
        let checks = list(item, "checklist").ok_or_else(|| problem("`info` holds no `checklist`".into()))?;
        let prompt = fill(&with.prompts.checks, &[("checks", &numbered(&checks))]);
        Some(("avg_score", Task { prompt, scale: Scale::Checks(checks.len()) }))
    } else if name.starts_with("WritingBench-") {
        let criteria = list(item, "criteria").or_else(|| list(item, "checklist"));
        let criteria = criteria.ok_or_else(|| problem("`info` holds no `criteria`".into()))?;
        let prompt = fill(&with.prompts.criteria, &[("checks", &numbered(&criteria))]);
        Some(("score", Task { prompt, scale: Scale::Ten }))
    } else {
        return Err(problem(
            "this data set cannot be evaluated here: it needs a corpus, WordNet, or annotated papers".into(),
        ));
    };
    Ok((metrics, task))
}

/// The judge's last word over several metrics, which it is shown with four decimals.
fn merge(
    metrics: &Map<String, Value>,
    reference: &str,
    with: &Evaluation<'_>,
    fill: impl Fn(&str, &[(&str, &str)]) -> String,
) -> Task {
    let line = |(name, value): (&String, &Value)| match value.as_f64() {
        Some(number) => format!("{name}: {number:.4}"),
        None => format!("{name}: none"),
    };
    let metrics: Vec<String> = metrics.iter().map(line).collect();
    let prompt = fill(&with.prompts.merge, &[("gold", reference), ("metrics", &metrics.join("\n"))]);
    Task { prompt, scale: Scale::Ten }
}

/// A list of texts among the gold data; entries that are no texts are shown as JSON.
fn list(item: &Item, key: &str) -> Option<Vec<String>> {
    let entries = item.info.get(key)?.as_array()?;
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    Some(entries.iter().map(text).collect::<Vec<_>>()).filter(|list| !list.is_empty())
}

fn numbered(texts: &[String]) -> String {
    let lines = texts.iter().enumerate().map(|(i, text)| format!("{}. {text}", i + 1));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
