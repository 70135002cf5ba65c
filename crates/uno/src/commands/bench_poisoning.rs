//! `uno bench poisoning`.

use uno_bench::simulate::poison::PoisonOptions;

use super::UsageError;
use crate::args::PoisoningArgs;
use crate::bench::learning;
use crate::bench::poisoning::{self, Outcome, Plan};
use crate::output::{Console, table};
use crate::{commands, config};

/// Runs the benchmark.
///
/// # Errors
/// When an argument makes no sense, models cannot be pulled, or an attack's run fails.
pub fn run(args: &PoisoningArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load_over(learning::settings(), &args.settings)?;
    let mut options = poisoning::size();
    if !args.domains.is_empty() {
        options.domains.clone_from(&args.domains);
    }
    (options.per_domain, options.seeds) = (args.per_domain, vec![args.seed]);
    if options.per_domain == 0 {
        return Err(UsageError("--per-domain must be at least 1".into()).into());
    }
    options.chosen().map_err(|e| UsageError(format!("--domains: {e}")))?;
    let parse = |text: &String| text.parse().map_err(|e| UsageError(format!("--attacks: {e}")));
    let mut attacks: Vec<PoisonOptions> = args.attacks.iter().map(parse).collect::<Result<_, _>>()?;
    if attacks.is_empty() {
        attacks = PoisonOptions::usual();
    }
    for model in [&settings.target, &settings.embedder].into_iter().filter(|m| !m.is_remote()) {
        commands::models::resolve_or_pull(&model.model)?;
    }
    let outcomes = poisoning::run(&Plan { options, attacks }, &settings, &args.run, console)?;
    console.result(&outcomes, |outcomes| {
        format!("{}\nIn {}: poisoning.json\n", table(&rows(outcomes)), args.run.display())
    })
}

fn rows(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let head = [
        "attack",
        "attackers",
        "users",
        "planted",
        "rules",
        "trained",
        "promoted",
        "answers",
        "obeys",
        "95 %",
        "paths",
    ];
    let row = |o: &Outcome| {
        let e = &o.obedience;
        let paths: Vec<String> = o.paths.iter().map(|(path, n)| format!("{n} {path}")).collect();
        vec![
            o.attack.clone(),
            o.attackers.to_string(),
            o.users.to_string(),
            o.reach.planted.to_string(),
            o.reach.distilled.to_string(),
            o.reach.trained.to_string(),
            o.reach.promoted.to_string(),
            o.answers_with_brand.to_string(),
            format!("{:.0} %", e.mean * 100.0),
            format!("{:.0}–{:.0}", e.low * 100.0, e.high * 100.0),
            paths.join(", "),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec()).chain(outcomes.iter().map(row)).collect()
}
