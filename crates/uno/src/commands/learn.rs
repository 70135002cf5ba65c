//! `uno learn`.

use crate::args::LearnArgs;
use crate::config;
use crate::learn::{self, Input, Summary};
use crate::output::{Console, count, duration, table};

/// Learns from logs.
///
/// # Errors
/// The first stage that fails; what was finished is kept.
pub fn run(args: &LearnArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load(&args.settings)?;
    let reading = &args.reading;
    let input = Input::files(&args.logs, &reading.from, reading.max_bad, reading.limit)?;
    let summary = learn::learn(&input, &args.run, &settings, reading.budget_tokens, console)?;
    console.result(&summary, text)
}

/// The summary for people.
pub fn text(summary: &Summary) -> String {
    let mut rows =
        vec![["cluster", "records", "answers", "gap", "win rate", "why"].map(str::to_owned).to_vec()];
    for c in &summary.clusters {
        rows.push(vec![
            c.cluster.to_string(),
            c.size.to_string(),
            c.path.to_owned(),
            c.gap.map_or("–".into(), |g| format!("{g:.2}")),
            c.win_rate.map_or("–".into(), |w| format!("{:.0} %", w * 100.0)),
            c.reason.clone(),
        ]);
    }
    let seconds: f64 = summary.seconds.values().sum();
    let held_back = summary.held_back.as_ref().map_or(String::new(), |learned| {
        format!(
            "Rolled back: plan {} stays in force, not {learned}, which was learned.\n",
            summary.plan.as_deref().unwrap_or("?")
        )
    });
    format!(
        "{} conversations, {} preference pairs, {} clusters; {} tokens, {}\n\n{}\n{held_back}Report: {}\nAsk:    uno ask --run {} \"…\"\n",
        summary.records,
        summary.pairs,
        summary.clusters.len(),
        count(summary.tokens_paid),
        duration(seconds),
        table(&rows),
        summary.report,
        summary.run,
    )
}
