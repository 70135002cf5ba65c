//! Writing a PEFT adapter directory that PEFT, vLLM and this engine read.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use super::files::replace;
use super::peft_read::{CONFIG_FILE, WEIGHTS_FILE};
use super::weights::LoraWeights;
use crate::error::EngineError;

impl LoraWeights {
    /// Writes `adapter_config.json` and `adapter_model.safetensors` (f32) into `dir`, which is created. Each file is written
    /// beside its place and renamed; the weights come first, so that a directory with a configuration is complete.
    ///
    /// `base_name` becomes `base_model_name_or_path`.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the disk does not take it, [`EngineError::NotFinite`] when training has diverged: such an
    /// adapter is not written.
    pub fn write_peft(&self, dir: &Path, base_name: &str) -> Result<(), EngineError> {
        std::fs::create_dir_all(dir).map_err(EngineError::io("create", dir))?;
        let weights = dir.join(WEIGHTS_FILE);
        let mut views = Vec::new();
        for (name, shape, data) in self.tensors() {
            let key = LoraWeights::peft_name(name);
            if data.iter().any(|v| !v.is_finite()) {
                return Err(EngineError::NotFinite { path: weights, name: key });
            }
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(data))
                .map_err(|e| EngineError::format(&weights, e.to_string()))?;
            views.push((key, view));
        }
        // PEFT's readers look for this mark.
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|e| EngineError::format(&weights, e.to_string()))?;
        replace(&weights, &bytes)?;
        let modules: Vec<&str> = self.config.targets.iter().map(|t| t.module()).collect();
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base_name,
            "r": self.config.rank,
            "lora_alpha": self.config.alpha,
            "lora_dropout": 0.0,
            "target_modules": modules,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "modules_to_save": null,
            "rank_pattern": {},
            "alpha_pattern": {},
            "use_rslora": false,
            "use_dora": false,
        });
        let path = dir.join(CONFIG_FILE);
        let mut text =
            serde_json::to_vec_pretty(&config).map_err(|e| EngineError::format(&path, e.to_string()))?;
        text.push(b'\n');
        replace(&path, &text)
    }
}
