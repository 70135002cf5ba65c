//! Reading a GGUF LoRA file, as this engine or llama.cpp's `convert_lora_to_gguf.py` wrote it.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::in_file;
use super::gguf_names::{
    ADAPTER_TYPE, ALPHA, ARCHITECTURE, TYPE, architecture, interleaved_heads, target_of, tensor_name,
};
use super::layout::Layout;
use super::target::{LoraConfig, Target};
use super::weights::LoraWeights;
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::weights::GgufFile;
use crate::weights::gguf::Value;
use crate::weights::gguf::names::{Order, reorder};

impl LoraWeights {
    /// Reads the adapter in `path` and checks that it belongs to a model of this shape. Its tensors may be stored in any
    /// format that weights can have.
    ///
    /// # Errors
    /// When the file is damaged, is no LoRA adapter or one of another architecture; when a layer has other adapted
    /// modules than the first one; when a tensor is missing, left over, of another shape or not finite.
    pub fn read_gguf(path: &Path, model: &ModelConfig) -> Result<Self, EngineError> {
        let file = GgufFile::open(path)?;
        for ((key, wanted), what) in [
            (TYPE, "is no adapter; name the model with target.model instead"),
            (ADAPTER_TYPE, "is no LoRA adapter"),
            ((ARCHITECTURE, architecture(model)), "belongs to a base model of another architecture"),
        ] {
            let found = file.value(key).and_then(Value::as_str).unwrap_or("nothing");
            if found != wanted {
                return Err(EngineError::adapter(path, format!("{what} ({key} is {found}, not {wanted})")));
            }
        }
        let config = config(&file, model)?;
        // Looked at before memory is taken for what the file claims to hold.
        check_tensors(&file, &Layout::new(model, &config).map_err(in_file(path))?)?;
        let mut weights = LoraWeights::zeros(model, config).map_err(in_file(path))?;
        weights.fill_from_gguf(&file, model)?;
        Ok(weights)
    }

    fn fill_from_gguf(&mut self, file: &GgufFile, model: &ModelConfig) -> Result<(), EngineError> {
        for (name, [_, width], data) in self.layout.cut_mut(&mut self.data) {
            let key = tensor_name(name).unwrap_or_default();
            let values = file.dequantise(&key)?;
            if values.iter().any(|v| !v.is_finite()) {
                return Err(EngineError::NotFinite { path: file.path().into(), name: key });
            }
            match interleaved_heads(name, model) {
                Some(heads) => data.copy_from_slice(&reorder(&values, width, heads, Order::FromGguf)),
                None => data.copy_from_slice(&values),
            }
        }
        Ok(())
    }
}

/// Fails unless the file holds exactly the tensors of the layout.
fn check_tensors(file: &GgufFile, layout: &Layout) -> Result<(), EngineError> {
    let path = file.path();
    let mut left: BTreeSet<&str> = file.tensors().keys().map(String::as_str).collect();
    for (name, shape) in layout.tensors() {
        let key = tensor_name(name).unwrap_or_default();
        let Some(tensor) = file.tensors().get(&key) else {
            return Err(EngineError::MissingTensor { path: path.into(), name: key });
        };
        if tensor.shape != shape {
            let (expected, found) = (shape.to_vec(), tensor.shape.clone());
            return Err(EngineError::Shape { path: path.into(), name: key, expected, found });
        }
        left.remove(key.as_str());
    }
    match left.first() {
        None => Ok(()),
        Some(name) => Err(EngineError::adapter(
            path,
            format!(
                "tensor {name} belongs to no layer of this model that the first block adapts; another base model?"
            ),
        )),
    }
}

/// Rank, alpha and modules, as the tensors of the first layer tell.
fn config(file: &GgufFile, model: &ModelConfig) -> Result<LoraConfig, EngineError> {
    let mut rank = 0;
    let mut targets: Vec<Target> = Vec::new();
    for (name, tensor) in file.tensors() {
        let Some(target) = target_of(name, model) else { continue };
        targets.push(target);
        if let (true, &[rows, width]) = (name.ends_with(".lora_a"), tensor.shape.as_slice())
            && width > 0
        {
            // Where ranks differ between modules, the shape of one of them is refused later.
            rank = rank.max(rows);
        }
    }
    if rank == 0 {
        return Err(EngineError::adapter(
            file.path(),
            "it adapts no linear layer of the model's first block",
        ));
    }
    // llama.cpp takes a missing or zero alpha as a scale of one.
    let alpha = file.value(ALPHA).and_then(Value::as_f64).filter(|a| *a != 0.0).unwrap_or(rank as f64);
    Ok(LoraConfig { rank, alpha: alpha as f32, targets })
}
