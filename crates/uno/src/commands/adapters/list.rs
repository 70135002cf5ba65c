//! `uno adapters list` and `uno adapters verify`.

use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use uno_store::RunDir;
use uno_types::Plan;

use crate::learn::artefacts::files;
use crate::learn::{WEIGHTS, is_named_for};
use crate::output::{Console, table};

/// An adapter of a run.
#[derive(Serialize)]
struct Adapter {
    name: String,
    cluster: usize,
    path: &'static str,
    win_rate: Option<f64>,
    /// The adapter that it replaced.
    parent: Option<String>,
    bytes: u64,
    intact: bool,
}

/// Lists the adapters of the plan in force.
///
/// # Errors
/// When the run has no plan.
pub fn list(run: &Path, console: &Console) -> anyhow::Result<()> {
    console.result(&adapters(&RunDir::open_existing(run)?)?, |all| text(all))
}

/// Lists them, and fails where one is not what its name says.
///
/// # Errors
/// When the run has no plan, or an adapter is damaged or missing.
pub fn verify(run: &Path, console: &Console) -> anyhow::Result<()> {
    let adapters = adapters(&RunDir::open_existing(run)?)?;
    console.result(&adapters, |all| text(all))?;
    let damaged: Vec<&str> = adapters.iter().filter(|a| !a.intact).map(|a| a.name.as_str()).collect();
    if !damaged.is_empty() {
        bail!(
            "damaged or missing: {}. Run `uno learn` on {} again: it is made anew from the kept work",
            damaged.join(", "),
            run.display()
        );
    }
    Ok(())
}

fn adapters(run: &RunDir) -> anyhow::Result<Vec<Adapter>> {
    let plan: Plan = run.read_json(files::PLAN)?;
    let mut all = Vec::new();
    for entry in &plan.clusters {
        let Some(adapter) = &entry.adapter else { continue };
        let dir = run.path(&adapter.dir);
        all.push(Adapter {
            name: adapter.name.clone(),
            cluster: entry.cluster,
            path: entry.path.as_str(),
            win_rate: entry.win_rate.map(|w| w.rate),
            parent: parent(&dir),
            bytes: fs_err::metadata(dir.join(WEIGHTS)).map_or(0, |m| m.len()),
            intact: is_named_for(&adapter.name, &dir),
        });
    }
    Ok(all)
}

/// The adapter that the one in `dir` replaced, if it replaced any.
fn parent(dir: &Path) -> Option<String> {
    let lineage = fs_err::read(dir.join("lineage.json")).ok()?;
    let lineage: serde_json::Value = serde_json::from_slice(&lineage).ok()?;
    Some(lineage["parent"].as_str()?.to_owned())
}

fn text(adapters: &[Adapter]) -> String {
    if adapters.is_empty() {
        return "The plan uses no adapter: every cluster is left to the base model.".to_owned();
    }
    let mut rows =
        vec![["adapter", "cluster", "path", "win rate", "MB", "content"].map(str::to_owned).to_vec()];
    for a in adapters {
        rows.push(vec![
            a.name.clone(),
            a.cluster.to_string(),
            a.path.to_owned(),
            a.win_rate.map_or("–".into(), |w| format!("{:.0} %", w * 100.0)),
            format!("{:.1}", a.bytes as f64 / 1e6),
            if a.intact { "as named".into() } else { "DAMAGED".into() },
        ]);
    }
    table(&rows)
}
