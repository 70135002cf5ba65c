//! `uno doctor`.

mod serving;
mod trl;

use std::path::Path;
use std::process::Command;

use serde::Serialize;
use uno_store::{GenerationCache, RunDir, StageState};

use super::doctor_memory;
use crate::args::DoctorArgs;
use crate::config::{self, ModelSettings, Settings};
use crate::output::Console;

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    check: String,
    /// ok, warning, or problem.
    state: &'static str,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: "ok", found: found.into(), advice: None }
    }
    pub(super) fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), state: "warning", found: found.into(), advice: Some(advice.into()) }
    }
    pub(super) fn problem(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), state: "problem", found: found.into(), advice: Some(advice.into()) }
    }
}

/// Looks for what would make a run fail; exit status 1 when there is something.
///
/// # Errors
/// When a problem was found, or the settings are wrong.
pub fn run(args: &DoctorArgs, console: &Console) -> anyhow::Result<()> {
    let settings = match &args.run {
        // As `uno serve` reads them.
        Some(run) if args.serve => config::load_over(crate::serve::settings_of(run)?, &args.settings)?,
        _ => config::load(&args.settings)?,
    };
    let mut findings = vec![Finding::ok("settings", "valid"), cores(), doctor_memory::available()];
    findings.extend(doctor_memory::training(&settings));
    findings.extend(home());
    for (role, model) in roles(&settings) {
        findings.push(if model.is_remote() { server(role, model, &settings) } else { embedded(role, model) });
    }
    if settings.reranker.is_unset() {
        findings.push(Finding::warning(
            "reranker",
            "none: the gap is measured by embedding coverage",
            "an estimate; set reranker.model to a Qwen3-Reranker for the published measure",
        ));
    }
    findings.extend(trl::findings(&settings));
    if let Some(path) = &args.run {
        if !args.serve || path.join("run.json").exists() {
            findings.extend(run_dir(path));
        }
        if args.serve {
            findings.extend(serving::findings(&settings, path));
        }
    }
    console.result(&findings, |all| text(all))?;
    let problems = findings.iter().filter(|f| f.state == "problem").count();
    anyhow::ensure!(problems == 0, "{problems} problem(s): see above");
    Ok(())
}

fn roles(settings: &Settings) -> Vec<(&'static str, &ModelSettings)> {
    let all = [
        ("target", &settings.target),
        ("teacher", &settings.teacher),
        ("judge", &settings.judge),
        ("embedder", &settings.embedder),
        ("reranker", &settings.reranker),
    ];
    all.into_iter().filter(|(_, model)| !model.is_unset()).collect()
}

fn cores() -> Finding {
    let n = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Finding::ok("processor", format!("{n} threads"))
}

fn home() -> Vec<Finding> {
    let home = uno_models::registry::home();
    if let Err(error) = fs_err::create_dir_all(&home) {
        let advice = "set UNO_HOME to a directory that you may write";
        return vec![Finding::problem("model directory", error.to_string(), advice)];
    }
    let mut findings = vec![Finding::ok("model directory", home.display().to_string())];
    if let Some(free) = free_gib(&home) {
        findings.push(if free < 2.0 {
            Finding::warning("disk", format!("{free:.1} GiB free"), "models and checkpoints take about 2 GiB")
        } else {
            Finding::ok("disk", format!("{free:.1} GiB free"))
        });
    }
    findings
}

fn free_gib(path: &Path) -> Option<f64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: f64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1_048_576.0)
}

fn embedded(role: &str, model: &ModelSettings) -> Finding {
    let check = format!("{role}: {}", model.model);
    match uno_models::registry::resolve(&model.model) {
        Ok(path) => Finding::ok(check, path.display().to_string()),
        Err(error) => Finding::problem(
            check,
            error.to_string(),
            format!("uno models pull {} (known names: uno models list)", model.model),
        ),
    }
}

fn server(role: &str, model: &ModelSettings, settings: &Settings) -> Finding {
    let check = format!("{role}: {} at {}", model.model, model.url);
    let probe = match role {
        "embedder" => crate::roles::probe_embedder(model, settings),
        "reranker" => crate::roles::probe_reranker(settings),
        _ => crate::roles::probe_chat(model, settings),
    };
    match probe {
        Ok(id) => Finding::ok(check, id),
        Err(error) => {
            Finding::problem(check, format!("{error:#}"), "start the server, or correct the address and key")
        }
    }
}

fn run_dir(path: &Path) -> Vec<Finding> {
    let run = match RunDir::open_existing(path) {
        Ok(run) => run,
        Err(error) => return vec![Finding::problem("run", error.to_string(), "see the message")],
    };
    let manifest = run.manifest();
    let mut findings = vec![Finding::ok("run", format!("{} stages recorded", manifest.stages.len()))];
    for stage in &manifest.stages {
        for (file, stamp) in &stage.outputs {
            if !stamp.holds(&run.path(file)) {
                findings.push(Finding::warning(
                    format!("run: {file}"),
                    "missing, or changed since it was written",
                    format!("`uno learn` makes it anew (stage {})", stage.name),
                ));
            }
        }
        if stage.name == "plan" && stage.state == StageState::Done && run.plans().current().is_none() {
            findings.push(Finding::warning(
                "run: plan.json",
                "missing, or changed since it was written",
                "`uno learn` puts it back",
            ));
        }
        if let Some(error) = &stage.error {
            let advice = "run `uno learn` again; finished work is kept";
            findings.push(Finding::warning(format!("run: stage {}", stage.name), error.clone(), advice));
        }
    }
    match GenerationCache::inspect(&run.path("cache/generations.jsonl")) {
        Ok((_, recovery)) if recovery.corrupt > 0 => findings.push(Finding::warning(
            "run: generation cache",
            format!("{} damaged lines", recovery.corrupt),
            "they are ignored; those generations are paid for again when needed",
        )),
        Ok((n, _)) => findings.push(Finding::ok("run: generation cache", format!("{n} generations"))),
        Err(error) => {
            findings.push(Finding::problem("run: generation cache", error.to_string(), "see the message"))
        }
    }
    findings
}

fn text(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings
        .iter()
        .map(|f| {
            let mark = match f.state {
                "ok" => "ok      ",
                "warning" => "warning ",
                _ => "PROBLEM ",
            };
            let advice = f.advice.as_ref().map_or(String::new(), |a| format!("\n          → {a}"));
            format!("{mark}  {}: {}{advice}\n", f.check, f.found)
        })
        .collect();
    lines.concat()
}
