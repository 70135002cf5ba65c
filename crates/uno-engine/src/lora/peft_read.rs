//! Reading a PEFT adapter directory: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

use super::files::in_file;
use super::layout::Layout;
use super::peft_names as names;
use super::target::{LoraConfig, Target, TensorName};
use super::weights::LoraWeights;
use crate::config::ModelConfig;
use crate::error::EngineError;

pub(super) const CONFIG_FILE: &str = "adapter_config.json";
pub(super) const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// The fields of `adapter_config.json` (PEFT 0.17) that change what an adapter computes. Those the engine does not do are
/// read in order to refuse them by name.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f32,
    target_modules: Modules,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    lora_bias: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    layers_to_transform: Option<serde_json::Value>,
    #[serde(default)]
    rank_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Modules {
    One(String),
    Many(Vec<String>),
}

impl PeftConfig {
    /// The first option that would make this engine compute something else than PEFT does.
    fn unsupported(&self) -> Option<&'static str> {
        let options = [
            (self.peft_type != "LORA", "a peft_type other than LORA"),
            (self.use_rslora, "use_rslora"),
            (self.use_dora, "use_dora"),
            (self.lora_bias, "lora_bias"),
            (self.fan_in_fan_out, "fan_in_fan_out"),
            (self.bias.as_deref().is_some_and(|b| b != "none"), "trained biases"),
            (self.modules_to_save.as_ref().is_some_and(|m| !m.is_empty()), "modules_to_save"),
            (self.layers_to_transform.as_ref().is_some_and(|l| !l.is_null()), "layers_to_transform"),
            (!self.rank_pattern.is_empty(), "rank_pattern"),
            (!self.alpha_pattern.is_empty(), "alpha_pattern"),
        ];
        options.into_iter().find(|(present, _)| *present).map(|(_, name)| name)
    }

    /// The adapted layers: as `target_modules` names them, or as the tensors tell where it is a pattern.
    fn targets(&self, tensors: &Tensors<'_>, model: &ModelConfig) -> Result<Vec<Target>, String> {
        let names = match &self.target_modules {
            Modules::One(name) if name == "all-linear" => return Ok(Target::all_linear(model)),
            Modules::One(name) if names::module(name).is_none() => {
                let found: BTreeSet<Target> = tensors.keys().map(|name| name.target).collect();
                return Ok(found.into_iter().collect());
            }
            Modules::One(name) => std::slice::from_ref(name),
            Modules::Many(names) => names.as_slice(),
        };
        let one = |name: &String| {
            let target = names::module(name).ok_or_else(|| format!("unknown target module {name:?}"))?;
            match target.exists_in(model) {
                true => Ok(target),
                false => Err(format!("a {} model has no {name}", model.arch.name())),
            }
        };
        names.iter().map(one).collect()
    }
}

/// The tensors of a file by what they are, with their key.
type Tensors<'a> = BTreeMap<TensorName, (String, TensorView<'a>)>;

impl LoraWeights {
    /// Reads the adapter in `dir` and checks that it belongs to a model of this shape.
    ///
    /// # Errors
    /// When a file is missing or damaged; an option is one that this engine does not compute (DoRA, rank-stabilised scale,
    /// ...); a target module is unknown; a tensor is missing, left over, of another shape (another base model, another
    /// rank) or not finite.
    pub fn read_peft(dir: &Path, model: &ModelConfig) -> Result<Self, EngineError> {
        let path = dir.join(CONFIG_FILE);
        let text = std::fs::read(&path).map_err(EngineError::io("read", &path))?;
        let peft: PeftConfig =
            serde_json::from_slice(&text).map_err(|e| EngineError::format(&path, e.to_string()))?;
        if let Some(option) = peft.unsupported() {
            return Err(EngineError::Unsupported { path, what: option.to_owned() });
        }
        let path = dir.join(WEIGHTS_FILE);
        let bytes = std::fs::read(&path).map_err(EngineError::io("read", &path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| EngineError::format(&path, e.to_string()))?;
        let tensors = tensors(&file, &path)?;
        let targets = peft.targets(&tensors, model).map_err(|what| EngineError::adapter(dir, what))?;
        let config = LoraConfig { rank: peft.r, alpha: peft.lora_alpha, targets };
        // Looked at before memory is taken for what the files claim to hold.
        check_tensors(&tensors, &Layout::new(model, &config).map_err(in_file(dir))?, &path)?;
        let mut weights = LoraWeights::zeros(model, config).map_err(in_file(dir))?;
        for (name, _, data) in weights.layout.cut_mut(&mut weights.data) {
            let Some((key, tensor)) = tensors.get(&name) else { continue };
            fill(data, tensor).map_err(|what| EngineError::format(&path, format!("tensor {key}: {what}")))?;
            if data.iter().any(|v| !v.is_finite()) {
                return Err(EngineError::NotFinite { path, name: key.clone() });
            }
        }
        Ok(weights)
    }
}

/// Every tensor of the file by what it is.
fn tensors<'a>(file: &SafeTensors<'a>, path: &Path) -> Result<Tensors<'a>, EngineError> {
    let mut all = Tensors::new();
    for (key, view) in file.tensors() {
        let Some(name) = names::parse(&key) else {
            return Err(EngineError::adapter(
                path,
                format!("tensor {key} is no LoRA factor of a linear layer that the engine knows"),
            ));
        };
        if let Some((earlier, _)) = all.insert(name, (key.clone(), view)) {
            return Err(EngineError::adapter(
                path,
                format!("tensors {earlier} and {key} are the same factor"),
            ));
        }
    }
    Ok(all)
}

/// Fails unless the file holds exactly the tensors of the layout.
fn check_tensors(tensors: &Tensors<'_>, layout: &Layout, path: &Path) -> Result<(), EngineError> {
    let mut left: BTreeSet<TensorName> = tensors.keys().copied().collect();
    for (name, shape) in layout.tensors() {
        let Some((key, tensor)) = tensors.get(&name) else {
            return Err(EngineError::MissingTensor { path: path.into(), name: LoraWeights::peft_name(name) });
        };
        if tensor.shape() != shape {
            let (expected, found) = (shape.to_vec(), tensor.shape().to_vec());
            return Err(EngineError::Shape { path: path.into(), name: key.clone(), expected, found });
        }
        left.remove(&name);
    }
    match left.first().and_then(|name| tensors.get(name)) {
        None => Ok(()),
        Some((key, _)) => Err(EngineError::adapter(
            path,
            format!("tensor {key} belongs to no layer of this model and configuration; another base model?"),
        )),
    }
}

/// Decodes the little-endian numbers of a tensor.
fn fill(out: &mut [f32], tensor: &TensorView<'_>) -> Result<(), String> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            for (v, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *v = f32::from_le_bytes(*b);
            }
        }
        Dtype::F16 => {
            for (v, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *v = half::f16::from_le_bytes(*b).to_f32();
            }
        }
        Dtype::BF16 => {
            for (v, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *v = half::bf16::from_le_bytes(*b).to_f32();
            }
        }
        other => return Err(format!("dtype {other:?} is not one of F32, F16, BF16")),
    }
    Ok(())
}
