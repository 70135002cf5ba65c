//! The servers that answer, and the adapters that they are to hold.

use std::path::Path;
use std::time::Duration;

use uno_models::remote::{AdapterHost, RemoteConfig, check_adapter_files};
use uno_serve::adapters::{locate, of_plan};
use uno_store::RunDir;
use uno_types::{AdapterRef, Plan};

use super::super::Finding;
use crate::config::{ModelSettings, Settings};
use crate::learn::artefacts::files;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The adapters of the plan in force.
#[derive(Default)]
pub(super) struct PlanAdapters {
    /// Usable or not.
    count: usize,
    pub(super) findings: Vec<Finding>,
}

/// Reads the plan and checks every adapter's files.
pub(super) fn adapters(run: &Path) -> PlanAdapters {
    let check = "plan";
    if !run.join(files::PLAN).is_file() {
        let found = "none yet: everything goes to the base model";
        let advice = "`uno learn` makes one; a running gateway takes it up by itself";
        return PlanAdapters { count: 0, findings: vec![Finding::warning(check, found, advice)] };
    }
    let read = || -> anyhow::Result<Vec<AdapterRef>> {
        let mut plan: Plan = RunDir::open_existing(run)?.read_json(files::PLAN)?;
        locate(&mut plan, run).map_err(anyhow::Error::msg)?;
        Ok(of_plan(&plan))
    };
    let adapters = match read() {
        Ok(adapters) => adapters,
        Err(error) => {
            let advice = "`uno adapters rollback` puts an earlier plan in force, `uno learn` makes it anew";
            let finding = Finding::problem(check, format!("{error:#}"), advice);
            return PlanAdapters { count: 0, findings: vec![finding] };
        }
    };
    let mut findings = Vec::new();
    for adapter in &adapters {
        if let Err(error) = check_adapter_files(adapter) {
            let advice = "its cluster is answered by the base model; `uno learn` trains it again, or restore the directory";
            findings.push(Finding::problem(format!("adapter {}", adapter.name), error.to_string(), advice));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(check, format!("{} adapters, all of their files valid", adapters.len())));
    }
    PlanAdapters { count: adapters.len(), findings }
}

/// Every server; nothing where the embedded engine answers.
pub(super) fn all(settings: &Settings, adapters: &PlanAdapters) -> Vec<Finding> {
    let given = &settings.serve.upstreams;
    let urls: Vec<&String> = match given.as_slice() {
        [] if !settings.target.is_remote() => return Vec::new(),
        [] => vec![&settings.target.url],
        given => given.iter().collect(),
    };
    let config = match crate::roles::target_config(settings) {
        Ok(config) => config,
        Err(error) => {
            return vec![Finding::problem(
                "servers' key",
                format!("{error:#}"),
                "set the variable for `uno serve`, too",
            )];
        }
    };
    urls.into_iter()
        .flat_map(|url| {
            let config =
                RemoteConfig { base_url: url.clone(), retries: 0, timeout: PATIENCE, ..config.clone() };
            // `target.url` has a line of its own already.
            let model = (!given.is_empty()).then(|| model(settings, url));
            model.into_iter().chain(loading(url, &config, adapters)).collect::<Vec<_>>()
        })
        .collect()
}

fn model(settings: &Settings, url: &str) -> Finding {
    let check = format!("server {url}");
    let asked = ModelSettings { url: url.to_owned(), ..settings.target.clone() };
    match crate::roles::probe_chat(&asked, settings) {
        Ok(id) => Finding::ok(check, format!("serves {id}")),
        Err(error) => {
            let advice = "start it with the model that target.model names, or take it out of serve.upstreams";
            Finding::problem(check, format!("{error:#}"), advice)
        }
    }
}

/// Whether adapters can be loaded, and enough of them.
fn loading(url: &str, config: &RemoteConfig, adapters: &PlanAdapters) -> Vec<Finding> {
    let check = format!("adapters on {url}");
    let unreachable = |error: String| {
        vec![Finding::problem(check.clone(), error, "start the server, or correct the address and key")]
    };
    let host = match AdapterHost::new(config) {
        Ok(host) => host,
        Err(error) => return unreachable(error.to_string()),
    };
    match host.loads_adapters() {
        Err(error) => return unreachable(error.to_string()),
        Ok(false) => {
            let advice = "run vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True";
            let found = "the server does not load adapters at run time";
            return vec![match adapters.count {
                0 => Finding::warning(check, found, advice),
                _ => Finding::problem(check, found, advice),
            }];
        }
        Ok(true) => {}
    }
    let held = match host.held() {
        Ok(held) => held.adapters.len(),
        Err(error) => return unreachable(error.to_string()),
    };
    let (ours, slots) = (config.max_loras, host.slots());
    let mut found = vec![match slots {
        Some(slots) if slots < ours => Finding::problem(
            check.clone(),
            format!("the server holds {slots} adapters at once, remote.max_loras says {ours}"),
            "set remote.max_loras to the server's --max-loras",
        ),
        slots => Finding::ok(
            check.clone(),
            format!(
                "loads them at run time, holds {held} now, {} at once",
                slots.map_or_else(
                    || format!("{ours} (remote.max_loras; the server does not say)"),
                    |n| n.to_string()
                )
            ),
        ),
    }];
    if adapters.count > ours {
        found.push(Finding::problem(
            check,
            format!("the plan uses {} adapters, but only {ours} fit at once (remote.max_loras)", adapters.count),
            "start the server with a larger --max-loras and set remote.max_loras so; until then the smallest clusters are answered by the base model",
        ));
    } else if adapters.count > 0 && adapters.count == ours {
        found.push(Finding::warning(
            check,
            format!("the plan fills all {ours} places"),
            "one or two more let a new plan's adapters load before the old ones go (--max-loras, remote.max_loras)",
        ));
    }
    found
}
