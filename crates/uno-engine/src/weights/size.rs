//! What a model will take in memory, from the headers of its files.

use super::TensorStore;

impl TensorStore {
    /// Bytes of the weights once [`crate::Decoder::load`] has read them: every number as f32.
    pub fn loaded_bytes(&self) -> usize {
        self.config().parameters() * size_of::<f32>()
    }
}
