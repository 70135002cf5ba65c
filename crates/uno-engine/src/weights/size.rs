//! What a model will take in memory, from the headers of its files.

use super::dequant::TensorType;
use super::{Format, TensorStore};

impl TensorStore {
    /// Bytes of the weights once [`crate::Decoder::load`] has read them: every number as f32, and the compact form beside it
    /// that generation reads.
    pub fn loaded_bytes(&self) -> usize {
        let numbers = self.config().parameters();
        let compact = match &self.format {
            Format::Gguf(file) => file.matrices().map(|(kind, numbers)| compact_bytes(kind, numbers)).sum(),
            // Published bf16 weights keep their halves; f32 ones that are no bf16 numbers keep none.
            Format::Safetensors(dir) => {
                let stored: usize = dir.files().iter().map(|file| file.bytes().len()).sum();
                if stored < numbers * 3 { numbers * 2 } else { 0 }
            }
        };
        numbers * size_of::<f32>() + compact
    }
}

fn compact_bytes(kind: TensorType, numbers: usize) -> usize {
    match kind {
        // Half a byte, and a scale and a minimum as f32 per 32 numbers.
        TensorType::Q4_0 | TensorType::Q4_1 => numbers / 2 + numbers / 32 * 8,
        TensorType::Q8_0 => numbers + numbers / 32 * 4,
        TensorType::BF16 => numbers * 2,
        TensorType::F32
        | TensorType::F16
        | TensorType::Q5_0
        | TensorType::Q5_1
        | TensorType::Q4_K
        | TensorType::Q5_K
        | TensorType::Q6_K => 0,
    }
}
