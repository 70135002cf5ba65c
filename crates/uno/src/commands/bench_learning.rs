//! `uno bench learning`.

use uno_bench::baseline::MemoryKind;
use uno_bench::learning::{Cell, LearningOptions, text};

use super::UsageError;
use crate::args::LearningArgs;
use crate::bench::learning::{self, Plan};
use crate::bench::{ABLATIONS, SystemName};
use crate::output::{Console, table};
use crate::{commands, config};

/// Runs the benchmark.
///
/// # Errors
/// When an argument makes no sense, models cannot be pulled, or a system fails.
pub fn run(args: &LearningArgs, console: &Console) -> anyhow::Result<()> {
    let settings = config::load_over(learning::settings(), &args.settings)?;
    for model in [&settings.target, &settings.embedder].into_iter().filter(|m| !m.is_remote()) {
        commands::models::resolve_or_pull(&model.model)?;
    }
    let systems = systems(args)?;
    let with_more_noise = if args.systems.is_empty() { few(&systems) } else { systems.clone() };
    let plan = Plan { options: options(args)?, systems, with_more_noise };
    let cells = learning::run(&plan, &settings, &args.run, console)?;
    console.result(&cells, |cells| show(cells, args))
}

fn options(args: &LearningArgs) -> anyhow::Result<LearningOptions> {
    let mut options = if args.quick { LearningOptions::quick() } else { LearningOptions::default() };
    if !args.domains.is_empty() {
        options.domains.clone_from(&args.domains);
    }
    if !args.noise.is_empty() {
        options.noise.clone_from(&args.noise);
    }
    options.per_domain = args.per_domain.unwrap_or(options.per_domain);
    options.held_out = args.held_out.unwrap_or(options.held_out);
    options.seeds.clone_from(&args.seeds);
    let wrong = options.noise.iter().find(|share| !(0.0..=0.5).contains(*share));
    if let Some(share) = wrong {
        return Err(UsageError(format!("--noise: {share} is not between 0 and 0.5")).into());
    }
    if let Some(twice) = (1..args.seeds.len()).find(|i| args.seeds[..*i].contains(&args.seeds[*i])) {
        return Err(UsageError(format!("--seeds: {} is there twice", args.seeds[twice])).into());
    }
    if options.per_domain == 0 || options.held_out == 0 {
        return Err(UsageError("--per-domain and --held-out must be at least 1".into()).into());
    }
    options.chosen().map_err(|e| UsageError(format!("--domains: {e}")))?;
    Ok(options)
}

fn systems(args: &LearningArgs) -> anyhow::Result<Vec<SystemName>> {
    let ablations = ABLATIONS.iter().copied().map(SystemName::Ablated).filter(|_| args.ablations);
    Ok(chosen(args)?.into_iter().chain(ablations).collect())
}

/// What more noise does to UNO is told beside the base model; the baselines would take most of the hour once more.
fn few(systems: &[SystemName]) -> Vec<SystemName> {
    let told = [SystemName::Memory(MemoryKind::WoMemory), SystemName::UnoSingle, SystemName::Uno];
    systems.iter().copied().filter(|s| told.contains(s) || matches!(s, SystemName::Ablated(_))).collect()
}

fn chosen(args: &LearningArgs) -> anyhow::Result<Vec<SystemName>> {
    if !args.systems.is_empty() {
        let parse = |name: &String| name.parse().map_err(|e| UsageError(format!("--systems: {e}")).into());
        return args.systems.iter().map(parse).collect();
    }
    Ok(match args.quick {
        false => SystemName::all(),
        true => vec![
            SystemName::Memory(MemoryKind::WoMemory),
            SystemName::Memory(MemoryKind::Bm25Dialog),
            SystemName::Memory(MemoryKind::EmbedderDialog),
            SystemName::Memory(MemoryKind::Rules),
            SystemName::UnoSingle,
            SystemName::Uno,
        ],
    })
}

fn show(cells: &[Cell], args: &LearningArgs) -> String {
    let kinds = cells.iter().map(|c| {
        let share =
            |kind: &str| c.score.by_kind.get(kind).map_or("–".into(), |s| format!("{:.0} %", s * 100.0));
        vec![
            c.system.clone(),
            format!("{:.0} %", c.noise * 100.0),
            share("known"),
            share("unusual"),
            share("arbitrary"),
        ]
    });
    let head = ["system", "noise", "known", "unusual", "arbitrary"].map(str::to_owned).to_vec();
    format!(
        "{}\nObedience by kind of rule:\n{}\nIn {}: learning.json, learning.csv, learning-noise-*.svg\n",
        table(&text(cells)),
        table(&std::iter::once(head).chain(kinds).collect::<Vec<_>>()),
        args.run.display()
    )
}
