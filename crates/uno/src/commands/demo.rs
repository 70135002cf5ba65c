//! `uno demo`.

use serde::Serialize;

use crate::args::DemoArgs;
use crate::demo::{self, Outcome};
use crate::learn::{self, Input, Pipeline, Summary};
use crate::output::Console;
use crate::{commands, config};

/// What `uno demo` prints.
#[derive(Serialize)]
struct Demo {
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(flatten)]
    summary: Summary,
}

/// Shows the whole job on the example logs.
///
/// # Errors
/// When models cannot be pulled, or a stage fails.
pub fn run(args: &DemoArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load_over(demo::settings(args.quick), &args.settings)?;
    for model in [&settings.target, &settings.embedder].into_iter().filter(|m| !m.is_remote()) {
        commands::models::resolve_or_pull(&model.model)?;
    }
    let logs = demo::logs(args.quick)?;
    console.note(format_args!(
        "{} example conversations, {} held-out questions, run directory {}",
        logs.conversations,
        logs.held_out.len(),
        args.run.display()
    ));
    let mut pipeline = Pipeline::open(&args.run, &settings, None, console)?;
    learn::stages(&mut pipeline, &Input::text("examples/logs/conversations.jsonl", logs.text))?;
    let outcome = demo::evaluate(&mut pipeline, &logs.held_out)?;
    let summary = learn::finish(&pipeline)?;
    console.result(&Demo { outcome, summary }, text)
}

fn text(demo: &Demo) -> String {
    let line = |name: &str, e: &uno_learn::stats::Estimate| {
        format!(
            "  {name:<11} {:>4.0} %   [{:.0} %, {:.0} %]  n = {}\n",
            e.mean * 100.0,
            e.low * 100.0,
            e.high * 100.0,
            e.n
        )
    };
    let o = &demo.outcome.obedience;
    let examples: String = demo
        .outcome
        .examples
        .iter()
        .map(|e| {
            format!(
                "\nQ: {}   (house rule: {})\n--- base\n{}\n--- UNO ({})\n{}\n",
                e.question,
                e.rule,
                e.base.trim(),
                e.path,
                e.uno.trim()
            )
        })
        .collect();
    format!(
        "{}\nHeld-out answers that obey the users' house rule (95 % intervals):\n{}{}{}{examples}",
        commands::learn::text(&demo.summary),
        line("base", &o.base),
        line("UNO-Single", &o.uno_single),
        line("UNO", &o.uno),
    )
}
