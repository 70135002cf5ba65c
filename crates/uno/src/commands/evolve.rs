//! `uno evolve`.

use crate::args::EvolveArgs;
use crate::config;
use crate::learn::Input;
use crate::learn::evolve::{StepSummary, evolve};
use crate::output::{Console, count, table};

/// Takes one step of online evolution.
///
/// # Errors
/// When the run has no plan yet, or a stage fails; what was finished is kept.
pub fn run(args: &EvolveArgs, console: &Console) -> anyhow::Result<()> {
    let of_run = config::of_run(&uno_store::RunDir::open_existing(&args.run)?)?;
    let settings = config::load_over_run(&of_run, &args.settings)?;
    let reading = &args.reading;
    let input = Input::files(&args.logs, &reading.from, reading.max_bad, reading.limit)?;
    let summary = evolve(&input, &args.run, &settings, reading.budget_tokens, console)?;
    console.result(&summary, text)
}

fn text(s: &StepSummary) -> String {
    let Some(step) = s.step else {
        return format!("Nothing new: plan {} stays in force.", s.plan.as_deref().unwrap_or("?"));
    };
    let mut rows = vec![["cluster", "records", "answers", "why"].map(str::to_owned).to_vec()];
    for c in &s.clusters {
        let mark = if s.changed.contains(&c.cluster) { "*" } else { "" };
        rows.push(vec![
            format!("{}{mark}", c.cluster),
            c.size.to_string(),
            c.path.to_owned(),
            c.reason.clone(),
        ]);
    }
    format!(
        "Step {step}: {} new conversations, {} new pairs; {} tokens. * trained again.\n\n{}\nPlan {} follows {}.\n",
        s.new_records,
        s.new_pairs,
        count(s.tokens_paid),
        table(&rows),
        s.plan.as_deref().unwrap_or("?"),
        s.plan_before,
    )
}
