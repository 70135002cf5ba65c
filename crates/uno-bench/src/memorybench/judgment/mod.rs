//! JuDGE: what a Chinese criminal judgment decides, read from two documents and compared.
//!
//! Eight of the ten published metrics; the two BERTScores need a model that is not part of this engine.

mod extract;
mod numeral;
mod segment;

use serde::Serialize;
use uno_learn::bleu::jieba;

use super::metrics::meteor;
pub use extract::{Verdict, extract};
pub use segment::{Parts, parts};

/// The metrics of one document.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct JudgmentMetrics {
    /// METEOR of the court's reasons; absent where a part is missing.
    pub reasoning_meteor: Option<f64>,
    /// METEOR of the decision.
    pub judge_meteor: Option<f64>,
    /// Charges of the gold document that were found.
    pub crime_recall: f64,
    /// Charges that are in the gold document.
    pub crime_precision: f64,
    /// Cited articles of the Criminal Law that were found.
    pub penalcode_index_recall: f64,
    /// Cited articles that are in the gold document.
    pub penalcode_index_precision: f64,
    /// Agreement of the terms of imprisonment, in months; absent where neither document has one.
    pub time_score: Option<f64>,
    /// Agreement of the fines, in yuan; absent where neither document has one.
    pub amount_score: Option<f64>,
}

/// Compares an answer with the gold judgment.
pub fn judgment_metrics(gold: &str, answer: &str) -> JudgmentMetrics {
    let (a, b) = (parts(gold), parts(answer));
    let complete = [&a.reason, &a.decision, &b.reason, &b.decision].iter().all(|part| !part.is_empty());
    let score = |gold: &str, answer: &str| complete.then(|| meteor(&jieba(gold), &jieba(answer)));
    let (x, y) = (extract(gold, &a), extract(answer, &b));
    let (crime_recall, crime_precision) = recall_precision(&x.charges, &y.charges);
    let (penalcode_index_recall, penalcode_index_precision) = recall_precision(&x.articles, &y.articles);
    JudgmentMetrics {
        reasoning_meteor: score(&a.reason, &b.reason),
        judge_meteor: score(&a.decision, &b.decision),
        crime_recall,
        crime_precision,
        penalcode_index_recall,
        penalcode_index_precision,
        time_score: agreement(x.months, y.months),
        amount_score: agreement(x.yuan, y.yuan),
    }
}

fn recall_precision<T: Ord>(
    gold: &std::collections::BTreeSet<T>,
    answer: &std::collections::BTreeSet<T>,
) -> (f64, f64) {
    let common = gold.intersection(answer).count() as f64;
    let share = |n: usize| if n == 0 { 0.0 } else { common / n as f64 };
    (share(gold.len()), share(answer.len()))
}

/// Above it a term of imprisonment holds a death sentence.
const DEATH: f64 = 10_000.0;

/// 1 for equals, 1 − difference/greater otherwise; 0 where one has a figure (or a death sentence) and the other has none.
fn agreement(gold: Option<f64>, answer: Option<f64>) -> Option<f64> {
    match (gold, answer) {
        (None, None) => None,
        (None, Some(_)) | (Some(_), None) => Some(0.0),
        (Some(a), Some(b)) if a == b => Some(1.0),
        (Some(a), Some(b)) if (a - DEATH) * (b - DEATH) < 0.0 => Some(0.0),
        (Some(a), Some(b)) => Some(1.0 - (a - b).abs() / a.max(b)),
    }
}

#[cfg(test)]
mod tests;
