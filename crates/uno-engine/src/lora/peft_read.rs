//! Reading a PEFT adapter directory: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

use super::target::{LoraConfig, Target};
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

    fn targets(&self, model: &ModelConfig) -> Result<Vec<Target>, String> {
        let names = match &self.target_modules {
            Modules::One(name) if name == "all-linear" => return Ok(Target::all_linear(model)),
            Modules::One(name) => std::slice::from_ref(name),
            Modules::Many(names) => names.as_slice(),
        };
        let one = |name: &String| {
            let target =
                Target::from_module(name).ok_or_else(|| format!("unknown target module {name:?}"))?;
            match target.exists_in(model) {
                true => Ok(target),
                false => Err(format!("a {} model has no {name}", model.arch.name())),
            }
        };
        names.iter().map(one).collect()
    }
}

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
        let targets = peft.targets(model).map_err(|what| EngineError::adapter(dir, what))?;
        let config = LoraConfig { rank: peft.r, alpha: peft.lora_alpha, targets };
        let mut weights = LoraWeights::zeros(model, config).map_err(|e| match e {
            EngineError::Adapter { what, .. } => EngineError::adapter(dir, what),
            other => other,
        })?;
        weights.fill_from(&dir.join(WEIGHTS_FILE))?;
        Ok(weights)
    }

    fn fill_from(&mut self, path: &Path) -> Result<(), EngineError> {
        let bytes = std::fs::read(path).map_err(EngineError::io("read", path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| EngineError::format(path, e.to_string()))?;
        let mut left: BTreeSet<&str> = file.names().into_iter().collect();
        for (name, shape, data) in self.layout.cut_mut(&mut self.data) {
            let key = LoraWeights::peft_name(name);
            let tensor = file
                .tensor(&key)
                .map_err(|_| EngineError::MissingTensor { path: path.into(), name: key.clone() })?;
            if tensor.shape() != shape {
                return Err(EngineError::Shape {
                    path: path.into(),
                    name: key,
                    expected: shape.to_vec(),
                    found: tensor.shape().to_vec(),
                });
            }
            fill(data, &tensor).map_err(|what| EngineError::format(path, format!("tensor {key}: {what}")))?;
            if data.iter().any(|v| !v.is_finite()) {
                return Err(EngineError::NotFinite { path: path.into(), name: key });
            }
            left.remove(key.as_str());
        }
        match left.first() {
            None => Ok(()),
            Some(name) => Err(EngineError::adapter(
                path,
                format!(
                    "tensor {name} belongs to no layer of this model and configuration; another base model?"
                ),
            )),
        }
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
