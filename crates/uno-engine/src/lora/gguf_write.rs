//! Writing a GGUF LoRA file that llama.cpp (`--lora`) and this engine read.

use std::borrow::Cow;
use std::path::Path;

use super::files::replace_with;
use super::gguf_names::{
    ADAPTER_TYPE, ALPHA, ARCHITECTURE, TYPE, architecture, interleaved_heads, tensor_name,
};
use super::weights::LoraWeights;
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::weights::gguf::GgufWriter;
use crate::weights::gguf::names::{Order, reorder};

/// llama.cpp's file type ALL_F32.
const ALL_F32: u32 = 0;

impl LoraWeights {
    /// Writes the adapter in f32 as one GGUF file, whole or not at all. The bytes depend on adapter, `model` and `name`
    /// alone. `name` becomes `general.name`.
    ///
    /// # Errors
    /// [`EngineError::Adapter`] when the adapter was made for a model of another shape; [`EngineError::NotFinite`] when
    /// training has diverged; [`EngineError::Io`] when the disk does not take it.
    pub fn write_gguf(&self, path: &Path, model: &ModelConfig, name: &str) -> Result<(), EngineError> {
        self.check_model(model)?;
        let mut file = GgufWriter::default();
        file.text(ARCHITECTURE, architecture(model));
        file.text(TYPE.0, TYPE.1);
        file.text("general.name", name);
        file.text(ADAPTER_TYPE.0, ADAPTER_TYPE.1);
        file.f32(ALPHA, self.config.alpha);
        file.u32("general.file_type", ALL_F32);
        for (tensor, [rows, columns], data) in self.tensors() {
            let unnamed = || EngineError::adapter(path, format!("GGUF has no name for {tensor:?}"));
            let key = tensor_name(tensor).ok_or_else(unnamed)?;
            if data.iter().any(|v| !v.is_finite()) {
                return Err(EngineError::NotFinite { path: path.into(), name: key });
            }
            let values = match interleaved_heads(tensor, model) {
                Some(heads) => Cow::Owned(reorder(data, columns, heads, Order::ToGguf)),
                None => Cow::Borrowed(data),
            };
            file.tensor(key, [rows, columns], values);
        }
        replace_with(path, |out| file.write(out))
    }
}
