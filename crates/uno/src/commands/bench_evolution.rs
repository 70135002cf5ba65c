//! `uno bench evolution`.

use serde_json::json;
use uno_bench::evolution::{EvolutionOptions, Story, recovers, rows};

use super::UsageError;
use crate::args::EvolutionArgs;
use crate::bench::evolution::{self, Plan};
use crate::bench::learning;
use crate::output::{Console, table};
use crate::{commands, config};

/// Runs the benchmark.
///
/// # Errors
/// When an argument makes no sense, models cannot be pulled, or a step fails.
pub fn run(args: &EvolutionArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load_over(learning::settings(), &args.settings)?;
    let mut options = if args.quick { EvolutionOptions::quick() } else { EvolutionOptions::default() };
    options.steps = args.steps.unwrap_or(options.steps);
    options.first = args.first.unwrap_or(options.first);
    options.per_step = args.per_step.unwrap_or(options.per_step);
    options.seed = args.seed;
    if !args.domains.is_empty() {
        options.domains.clone_from(&args.domains);
    }
    Story::new(&options).map_err(UsageError)?;
    let system = args.system.parse().map_err(|e| UsageError(format!("--system: {e}")))?;
    for model in [&settings.target, &settings.embedder].into_iter().filter(|m| !m.is_remote()) {
        commands::models::resolve_or_pull(&model.model)?;
    }
    let plan = Plan { options, system };
    let steps = evolution::run(&plan, &settings, &args.run, console)?;
    let fallen = recovers(&steps, &plan.options.changes());
    let told = json!({ "system": args.system, "steps": steps, "fallen": fallen });
    console.result(&told, |_| {
        let verdict = match fallen.as_slice() {
            [] => "Never more than five points below the best so far, other than right after a change."
                .to_owned(),
            steps => {
                let numbers: Vec<String> = steps.iter().map(|s| (s + 1).to_string()).collect();
                format!("More than five points below the best so far in step {}.", numbers.join(", "))
            }
        };
        format!(
            "{}\n{verdict}\nIn {}: evolution.json, evolution.csv, evolution.svg\n",
            table(&rows(&steps)),
            args.run.display()
        )
    })
}
