//! Results of an evolution: rows, CSV, a picture, and whether it recovers from every change.

use serde::{Deserialize, Serialize};
use uno_learn::stats::Estimate;

use super::EvolutionOptions;
use crate::learning::{Line, Score, lines};

/// A system after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepScore {
    /// From 0.
    pub step: usize,
    /// What happened in it; empty for an ordinary step.
    pub event: String,
    /// New logs.
    pub new_logs: usize,
    /// Logs so far.
    pub logs: usize,
    /// Figures on the held-out questions, by the rules that are in force.
    pub score: Score,
    /// The base model's obedience to the same rules.
    pub base: Estimate,
    /// Tokens spent on this step's logs.
    pub learning_tokens: usize,
    /// Seconds spent on this step's logs.
    pub learning_seconds: f64,
    /// Processor seconds of that, of all threads.
    pub cpu_seconds: f64,
}

/// How far a score may fall below its best.
const FALL: f64 = 0.05;
/// Steps that a change is given.
const PATIENCE: usize = 2;

/// Steps in which the score lies more than five points below its best so far, other than the step of a change and the one after:
/// two steps after a change the score must be back. Empty when all is well.
pub fn recovers(steps: &[StepScore], changes: &[usize]) -> Vec<usize> {
    let mut best: f64 = 0.0;
    let mut fallen = Vec::new();
    for step in steps {
        let mean = step.score.obedience.mean;
        let excused = changes.iter().any(|c| (*c..c + PATIENCE).contains(&step.step));
        if mean < best - FALL && !excused {
            fallen.push(step.step);
        }
        best = best.max(mean);
    }
    fallen
}

/// Rows for people, the head first.
pub fn rows(steps: &[StepScore]) -> Vec<Vec<String>> {
    let head = ["step", "event", "new", "logs", "obeys", "95 %", "base", "damage", "tokens", "time", "cpu"];
    let percent = |x: f64| format!("{:.0} %", x * 100.0);
    let row = |s: &StepScore| {
        let e = &s.score.obedience;
        vec![
            (s.step + 1).to_string(),
            s.event.clone(),
            s.new_logs.to_string(),
            s.logs.to_string(),
            percent(e.mean),
            format!("{:.0}–{:.0}", e.low * 100.0, e.high * 100.0),
            percent(s.base.mean),
            percent(s.score.damage.any.mean),
            s.learning_tokens.to_string(),
            format!("{:.0} s", s.learning_seconds),
            format!("{:.0} s", s.cpu_seconds),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec()).chain(steps.iter().map(row)).collect()
}

/// Comma-separated values with a head; events hold no commas but one where two fall together, which becomes a semicolon.
pub fn csv(steps: &[StepScore]) -> String {
    let mut out = String::from(
        "step,event,new_logs,logs,obedience,low,high,base,damage,learning_tokens,learning_seconds,cpu_seconds\n",
    );
    for s in steps {
        let e = &s.score.obedience;
        out.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{},{},{}\n",
            s.step + 1,
            s.event.replace(',', ";"),
            s.new_logs,
            s.logs,
            e.mean,
            e.low,
            e.high,
            s.base.mean,
            s.score.damage.any.mean,
            s.learning_tokens,
            s.learning_seconds,
            s.cpu_seconds
        ));
    }
    out
}

/// The score over steps, all together and by domain, with what happened.
pub fn svg(steps: &[StepScore], options: &EvolutionOptions) -> String {
    let names: Vec<String> = steps.iter().map(|s| (s.step + 1).to_string()).collect();
    let marks: Vec<(usize, String)> = steps
        .iter()
        .enumerate()
        .filter(|(_, s)| !s.event.is_empty())
        .map(|(i, s)| (i, s.event.clone()))
        .collect();
    let all =
        Line { label: "all".into(), values: steps.iter().map(|s| Some(s.score.obedience.mean)).collect() };
    let base = Line { label: "base".into(), values: steps.iter().map(|s| Some(s.base.mean)).collect() };
    let by_domain = options.domains.iter().map(|domain| Line {
        label: domain.clone(),
        values: steps.iter().map(|s| s.score.by_domain.get(domain).copied()).collect(),
    });
    let series: Vec<Line> = [all, base].into_iter().chain(by_domain).collect();
    lines("Held-out answers that obey the rule in force, after each step", &names, &marks, &series)
}
