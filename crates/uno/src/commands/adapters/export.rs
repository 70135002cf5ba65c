//! `uno adapters export`: adapters for PEFT and vLLM, or for llama.cpp.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use uno_engine::weights::TensorStore;
use uno_engine::{LoraWeights, ModelConfig};
use uno_models::remote::check_adapter_files;
use uno_store::RunDir;
use uno_types::{AdapterRef, Plan};

use super::super::UsageError;
use crate::args::{ExportArgs, ExportFormat};
use crate::learn::artefacts::files;
use crate::learn::{WEIGHTS, is_named_for};
use crate::output::{Console, table};

/// What a PEFT export holds; the last two only where they are there.
const PARTS: [&str; 4] = [WEIGHTS, "adapter_config.json", "fingerprint.json", "training.jsonl"];

/// An adapter that was written.
#[derive(Serialize)]
struct Exported {
    name: String,
    path: PathBuf,
    bytes: u64,
}

/// Writes adapters of a run.
///
/// # Errors
/// When an adapter is unknown, damaged or not of the run's base model, or cannot be written.
pub fn run(args: &ExportArgs, console: &Console) -> anyhow::Result<()> {
    let run = RunDir::open_existing(&args.run)?;
    let adapters = chosen(&run, &args.names)?;
    fs_err::create_dir_all(&args.to)?;
    let model = match args.format {
        ExportFormat::Gguf if !adapters.is_empty() => Some(base(&run)?),
        ExportFormat::Gguf | ExportFormat::Peft => None,
    };
    let mut exported = Vec::new();
    for adapter in adapters {
        let path = match &model {
            None => peft(&adapter, &args.to)?,
            Some(model) => gguf(&adapter, model, &args.to)?,
        };
        let bytes = fs_err::metadata(if path.is_dir() { path.join(WEIGHTS) } else { path.clone() })?.len();
        exported.push(Exported { name: adapter.name, path, bytes });
    }
    console.result(&exported, |all| text(all))
}

/// The adapters of the plan in force, or those of the names; each with its directory, and what its name says.
fn chosen(run: &RunDir, names: &[String]) -> anyhow::Result<Vec<AdapterRef>> {
    let mut adapters: Vec<AdapterRef> = if names.is_empty() {
        let plan: Plan =
            run.read_json(files::PLAN).context("without names, the plan's adapters are exported")?;
        plan.clusters.into_iter().filter_map(|c| c.adapter).collect()
    } else {
        let dir = |name: &String| AdapterRef { name: name.clone(), dir: format!("adapters/{name}") };
        names.iter().map(dir).collect()
    };
    for adapter in &mut adapters {
        let dir = run.path(&adapter.dir);
        if !dir.is_dir() {
            return Err(UsageError(format!(
                "{} has no adapter {}: see `uno adapters list --run {}`",
                run.root().display(),
                adapter.name,
                run.root().display()
            ))
            .into());
        }
        ensure!(
            is_named_for(&adapter.name, &dir),
            "adapter {} is damaged: its content is not what its name says. Run `uno learn` on {} again: it is made anew from \
             the kept work",
            adapter.name,
            run.root().display()
        );
        adapter.dir = dir.display().to_string();
    }
    Ok(adapters)
}

/// The shape of the model that the run's adapters belong to.
fn base(run: &RunDir) -> anyhow::Result<ModelConfig> {
    let target = crate::config::of_run(run)?.target;
    let name = if target.is_remote() { target.weights } else { target.model };
    let path = uno_models::registry::resolve(&name)
        .with_context(|| format!("a GGUF LoRA file needs the shape of the base model, `{name}`"))?;
    Ok(TensorStore::open(&path)?.config().clone())
}

/// Copies the adapter's directory, all or nothing.
fn peft(adapter: &AdapterRef, to: &Path) -> anyhow::Result<PathBuf> {
    check_adapter_files(adapter)?;
    let home = to.join(&adapter.name);
    if home.exists() {
        if is_named_for(&adapter.name, &home) {
            return Ok(home);
        }
        bail!("{} is there and holds something else: remove it or choose another --to", home.display());
    }
    let partial = to.join(format!(".{}.partial", adapter.name));
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    fs_err::create_dir_all(&partial)?;
    for part in PARTS {
        let from = Path::new(&adapter.dir).join(part);
        if from.exists() {
            fs_err::copy(from, partial.join(part))?;
        }
    }
    fs_err::rename(&partial, &home)?;
    Ok(home)
}

/// Writes the adapter as one GGUF file.
fn gguf(adapter: &AdapterRef, model: &ModelConfig, to: &Path) -> anyhow::Result<PathBuf> {
    let path = to.join(format!("{}.gguf", adapter.name));
    LoraWeights::read_peft(Path::new(&adapter.dir), model)?.write_gguf(&path, model, &adapter.name)?;
    Ok(path)
}

fn text(exported: &[Exported]) -> String {
    if exported.is_empty() {
        return "The plan uses no adapter: there is nothing to export.".to_owned();
    }
    let mut rows = vec![["adapter", "MB", "path"].map(str::to_owned).to_vec()];
    for e in exported {
        rows.push(vec![e.name.clone(), format!("{:.1}", e.bytes as f64 / 1e6), e.path.display().to_string()]);
    }
    table(&rows)
}
