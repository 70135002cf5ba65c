//! Results as a table for people and as CSV.

use serde::{Deserialize, Serialize};
use uno_learn::stats::{Estimate, paired_difference};

use super::Score;
use super::score::RESAMPLES;

/// One system on one level of noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The system.
    pub system: String,
    /// Share of conversations whose users do not voice the house rule.
    pub noise: f64,
    /// Its figures.
    pub score: Score,
    /// Obedience of `uno` minus the system's own, question by question; none before both have answered.
    pub uno_ahead: Option<Estimate>,
    /// Tokens spent on taking in the logs.
    pub learning_tokens: usize,
    /// Seconds of taking in the logs, training included.
    pub learning_seconds: f64,
    /// Processor seconds of taking in the logs and answering, of all threads; less where another system of the same benchmark has
    /// paid for a part.
    pub cpu_seconds: f64,
    /// Seconds of training alone; none for systems that do not train.
    pub training_seconds: Option<f64>,
    /// Perplexity of the base model's own answers under the system, beside the base model's own; none for systems that do not
    /// change the model, or whose model runs elsewhere.
    pub perplexity: Option<(f64, f64)>,
}

const HEAD: [&str; 12] = [
    "system",
    "noise",
    "obeys",
    "95 %",
    "uno ahead",
    "damage",
    "95 %",
    "tokens/answer",
    "s/answer",
    "learning",
    "cpu",
    "perplexity",
];

/// Compares `uno` with each system of one level of noise. `obeyed` holds 1 or 0 for each question, one list per cell.
pub fn ahead_of(cells: &mut [Cell], obeyed: &[Vec<f64>], seed: u64) {
    let Some(uno) = cells.iter().position(|c| c.system == "uno") else { return };
    for (i, cell) in cells.iter_mut().enumerate().filter(|(i, _)| *i != uno) {
        cell.uno_ahead = Some(paired_difference(&obeyed[uno], &obeyed[i], RESAMPLES, seed));
    }
}

/// Rows for people, the head first.
pub fn text(cells: &[Cell]) -> Vec<Vec<String>> {
    let percent = |x: f64| format!("{:.0} %", x * 100.0);
    let interval = |e: &Estimate| format!("{:.0}–{:.0}", e.low * 100.0, e.high * 100.0);
    let row = |c: &Cell| {
        let damage = &c.score.damage.any;
        vec![
            c.system.clone(),
            percent(c.noise),
            percent(c.score.obedience.mean),
            interval(&c.score.obedience),
            c.uno_ahead
                .as_ref()
                .map_or("–".into(), |a| format!("{:+.0} ({})", a.mean * 100.0, interval(a))),
            percent(damage.mean),
            interval(damage),
            format!("{:.0}", c.score.tokens_per_answer),
            format!("{:.2}", c.score.seconds_per_answer),
            format!("{:.0} s", c.learning_seconds),
            format!("{:.0} s", c.cpu_seconds),
            c.perplexity.map_or("–".into(), |(own, base)| format!("{own:.2} (base {base:.2})")),
        ]
    };
    std::iter::once(HEAD.map(str::to_owned).to_vec()).chain(cells.iter().map(row)).collect()
}

/// Comma-separated values with a head; names hold no commas.
pub fn csv(cells: &[Cell]) -> String {
    let mut out = String::from(
        "system,noise,n,obedience,obedience_low,obedience_high,uno_ahead,uno_ahead_low,uno_ahead_high,damage,damage_low,damage_high,damage_beyond_base,empty,\
         repetitive,off_topic,worse_elsewhere,tokens_per_answer,calls_per_answer,seconds_per_answer,learning_tokens,\
         learning_seconds,cpu_seconds,training_seconds,perplexity,base_perplexity,known,unusual,arbitrary\n",
    );
    for c in cells {
        let (s, d) = (&c.score, &c.score.damage);
        let kind = |name: &str| s.by_kind.get(name).map(ToString::to_string).unwrap_or_default();
        let optional = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
        let fields = [
            c.system.clone(),
            c.noise.to_string(),
            s.obedience.n.to_string(),
            s.obedience.mean.to_string(),
            s.obedience.low.to_string(),
            s.obedience.high.to_string(),
            optional(c.uno_ahead.map(|a| a.mean)),
            optional(c.uno_ahead.map(|a| a.low)),
            optional(c.uno_ahead.map(|a| a.high)),
            d.any.mean.to_string(),
            d.any.low.to_string(),
            d.any.high.to_string(),
            d.beyond_base.mean.to_string(),
            d.empty.to_string(),
            d.repetitive.to_string(),
            d.off_topic.to_string(),
            d.worse_elsewhere.to_string(),
            s.tokens_per_answer.to_string(),
            s.calls_per_answer.to_string(),
            s.seconds_per_answer.to_string(),
            c.learning_tokens.to_string(),
            c.learning_seconds.to_string(),
            c.cpu_seconds.to_string(),
            optional(c.training_seconds),
            optional(c.perplexity.map(|p| p.0)),
            optional(c.perplexity.map(|p| p.1)),
            kind("known"),
            kind("unusual"),
            kind("arbitrary"),
        ];
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    out
}
