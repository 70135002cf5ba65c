//! Whether a directory holds a LoRA adapter that a server can use. Servers load wrong files without a word and then answer
//! like the base model (vllm#34186, #18372), so we look first.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use uno_types::AdapterRef;

use super::error::RemoteError;

/// What [`check_adapter_files`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFiles {
    /// Absolute path of the directory.
    pub dir: PathBuf,
    /// Rank r.
    pub rank: usize,
    /// Adapted modules, for example `q_proj`, sorted.
    pub targets: Vec<String>,
    /// Hex hash of weights and configuration.
    pub hash: String,
}

#[derive(Deserialize)]
struct Config {
    peft_type: Option<String>,
    r: usize,
    target_modules: Option<Modules>,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Modules {
    Names(Vec<String>),
    Pattern(String),
}

/// Reads and checks `adapter_config.json` and `adapter_model.safetensors`: complete A/B pairs of the configured rank, for
/// the configured modules, under the names that servers look for, and only finite numbers.
///
/// # Errors
/// [`RemoteError::Adapter`] names the file, the tensor, and what to do.
pub fn check_adapter_files(adapter: &AdapterRef) -> Result<AdapterFiles, RemoteError> {
    check(adapter).map_err(|problem| RemoteError::Adapter { name: adapter.name.clone(), problem })
}

fn check(adapter: &AdapterRef) -> Result<AdapterFiles, String> {
    let dir = fs_err::canonicalize(&adapter.dir)
        .map_err(|e| format!("{e}; train it again or restore the directory"))?;
    let config_path = dir.join("adapter_config.json");
    let text = fs_err::read(&config_path).map_err(|e| e.to_string())?;
    let config: Config =
        serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", config_path.display()))?;
    if config.peft_type.as_deref().is_some_and(|t| t != "LORA")
        || config.use_dora
        || config.modules_to_save.is_some()
    {
        return Err(format!("{}: only plain LoRA adapters can be loaded at run time", config_path.display()));
    }
    let weights_path = dir.join("adapter_model.safetensors");
    let bytes = fs_err::read(&weights_path).map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| {
        format!("{}: {e}; the file is damaged, train the adapter again", weights_path.display())
    })?;
    let targets = pairs(&tensors, config.r).map_err(|e| format!("{}: {e}", weights_path.display()))?;
    if let Some(Modules::Names(configured)) = &config.target_modules
        && let Some(stray) = targets.iter().find(|t| !configured.contains(t))
    {
        return Err(format!("{}: target_modules lacks {stray}, which has weights", config_path.display()));
    }
    if let Some(Modules::Pattern(pattern)) = &config.target_modules {
        tracing::debug!(pattern, "target_modules is a pattern; not compared with the weights");
    }
    let hash = blake3::Hasher::new().update(&text).update(&bytes).finalize().to_hex().to_string();
    Ok(AdapterFiles { dir, rank: config.r, targets, hash })
}

/// The adapted modules, when every one has A [r, in] and B [out, r].
fn pairs(tensors: &SafeTensors<'_>, rank: usize) -> Result<Vec<String>, String> {
    let mut sides: BTreeMap<String, [bool; 2]> = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let (module, side) = name
            .strip_suffix(".lora_A.weight")
            .map(|m| (m, 0))
            .or_else(|| name.strip_suffix(".lora_B.weight").map(|m| (m, 1)))
            .ok_or_else(|| format!("tensor {name} is neither a lora_A nor a lora_B weight"))?;
        if !module.starts_with("base_model.model.") {
            return Err(format!(
                "tensor {name} does not begin with base_model.model., so servers would ignore it"
            ));
        }
        let shape = view.shape();
        if shape.len() != 2 || shape[side] != rank {
            return Err(format!("tensor {name} has shape {shape:?}, which does not fit rank {rank}"));
        }
        if !finite(view.dtype(), view.data())? {
            return Err(format!("tensor {name} holds NaN or infinity; train the adapter again"));
        }
        sides.entry(module.to_owned()).or_default()[side] = true;
    }
    if let Some((module, has)) = sides.iter().find(|(_, has)| **has != [true; 2]) {
        return Err(format!("{module} has no lora_{} weight", if has[0] { "B" } else { "A" }));
    }
    let mut targets: Vec<String> =
        sides.keys().filter_map(|m| m.rsplit('.').next()).map(str::to_owned).collect();
    targets.sort();
    targets.dedup();
    if targets.is_empty() { Err("no LoRA weights in it".into()) } else { Ok(targets) }
}

fn finite(dtype: Dtype, data: &[u8]) -> Result<bool, String> {
    // The exponent of a number that is not finite is all ones.
    Ok(match dtype {
        Dtype::F32 => data.chunks_exact(4).all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite()),
        Dtype::BF16 => data.chunks_exact(2).all(|b| u16::from_le_bytes([b[0], b[1]]) & 0x7f80 != 0x7f80),
        Dtype::F16 => data.chunks_exact(2).all(|b| u16::from_le_bytes([b[0], b[1]]) & 0x7c00 != 0x7c00),
        other => return Err(format!("weights of type {other:?}; F32, F16 or BF16 is needed")),
    })
}
