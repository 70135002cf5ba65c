//! A tensor's bytes as stored, for those who keep weights compact in memory.

use super::{GgufFile, TensorType, names};
use crate::EngineError;

impl GgufFile {
    /// The stored blocks of a matrix by its Hugging Face name, rows in Hugging Face's order; `None` when there is no such
    /// matrix or its rows do not consist of whole blocks.
    pub(crate) fn blocks(&self, hf_name: &str) -> Result<Option<(TensorType, Vec<u8>)>, EngineError> {
        let Some(name) = names::gguf_name(hf_name) else { return Ok(None) };
        let Some(tensor) = self.tensors.get(&name) else { return Ok(None) };
        let &[rows, width] = tensor.shape.as_slice() else { return Ok(None) };
        if width % tensor.kind.block_len() != 0 {
            return Ok(None);
        }
        let bytes = self.file[tensor.start..tensor.start + tensor.length].to_vec();
        let row_bytes = width / tensor.kind.block_len() * tensor.kind.block_bytes();
        let bytes = match names::permuted_heads(self, hf_name)? {
            Some(heads) => names::unpermute(self, &name, bytes, &[rows, row_bytes], heads)?,
            None => bytes,
        };
        Ok(Some((tensor.kind, bytes)))
    }

    /// Stored type and numbers of each matrix.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = (TensorType, usize)> {
        self.tensors.values().filter(|t| t.shape.len() == 2).map(|t| (t.kind, t.shape.iter().product()))
    }
}
