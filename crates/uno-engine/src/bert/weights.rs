//! The encoder's tensors.

use std::path::Path;

use super::BertConfig;
use crate::EngineError;
use crate::decoder::Precision;
use crate::kernel::matrix::{Mat, MatMut};
use crate::kernel::panel::{self, Panels};
use crate::kernel::product::{Into, Threads};
use crate::kernel::{bf16, int8};
use crate::weights::SafetensorsFile;

/// A matrix [in, out], packed for products with many rows.
pub(super) enum Weight {
    F32(Panels),
    Bf16(bf16::Packed),
    Int8(int8::Packed),
}

impl Weight {
    /// Of a row-major weight [out, in], in numbers that this machine has.
    fn new(weight: &[f32], out: usize, input: usize, precision: Precision) -> Self {
        let dense = Mat::dense(weight, out, input);
        match precision.effective() {
            Precision::F32 => Weight::F32(Panels::transposed(weight, out, input)),
            Precision::Bf16 => Weight::Bf16(bf16::Packed::of_transpose(dense)),
            Precision::Int8 => Weight::Int8(int8::Packed::of_transpose(dense)),
        }
    }

    /// `out (+)= x wᵀ`.
    pub(super) fn product(&self, x: Mat<'_>, out: MatMut<'_>, into: Into, threads: Threads) {
        match self {
            Weight::F32(panels) => panel::product(out, into, x, panels, threads),
            Weight::Bf16(packed) => bf16::product(out, into, x, packed, 1.0, threads),
            Weight::Int8(packed) => int8::product(out, into, x, packed, 1.0, threads),
        }
    }
}

/// A matrix and its bias [out].
pub(super) struct Linear {
    pub(super) weight: Weight,
    pub(super) bias: Vec<f32>,
}

/// Gain and offset of a layer norm.
pub(super) struct Norm {
    pub(super) gain: Vec<f32>,
    pub(super) offset: Vec<f32>,
}

/// One transformer block.
pub(super) struct Block {
    /// q, k and v in one matrix [3 hidden, hidden].
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) attention_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) output_norm: Norm,
}

/// All tensors.
pub(super) struct Weights {
    /// [vocab, hidden]
    pub(super) words: Vec<f32>,
    /// [positions, hidden], with the embedding of token type 0 already added: every token has it.
    pub(super) positions: Vec<f32>,
    pub(super) embedding_norm: Norm,
    pub(super) blocks: Vec<Block>,
    /// Hex BLAKE3 of the file.
    pub(super) hash: String,
}

impl Weights {
    pub(super) fn read(dir: &Path, config: &BertConfig, precision: Precision) -> Result<Self, EngineError> {
        let file = SafetensorsFile::open(&dir.join("model.safetensors"))?;
        // Checkpoints saved with a task head carry the model's name in front.
        let prefixed = file.shape("bert.embeddings.word_embeddings.weight").is_some();
        let source = Source { file: &file, prefix: if prefixed { "bert." } else { "" }, precision };
        let (h, m) = (config.hidden_size, config.intermediate_size);

        let mut positions =
            source.take("embeddings.position_embeddings.weight", &[config.max_positions, h])?;
        let types = source.take("embeddings.token_type_embeddings.weight", &[config.token_types, h])?;
        for row in positions.chunks_exact_mut(h) {
            row.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
        }
        let block = |layer: usize| -> Result<Block, EngineError> {
            let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
            let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
            Ok(Block {
                qkv: source.linear(&qkv, h, h)?,
                output: source.linear(&[name("attention.output.dense")], h, h)?,
                attention_norm: source.norm(&name("attention.output.LayerNorm"), h)?,
                up: source.linear(&[name("intermediate.dense")], m, h)?,
                down: source.linear(&[name("output.dense")], h, m)?,
                output_norm: source.norm(&name("output.LayerNorm"), h)?,
            })
        };
        Ok(Self {
            words: source.take("embeddings.word_embeddings.weight", &[config.vocab_size, h])?,
            positions,
            embedding_norm: source.norm("embeddings.LayerNorm", h)?,
            blocks: (0..config.layers).map(block).collect::<Result<_, _>>()?,
            hash: file.hash(),
        })
    }
}

struct Source<'a> {
    file: &'a SafetensorsFile,
    prefix: &'static str,
    precision: Precision,
}

impl Source<'_> {
    fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        self.file.take_f32(&format!("{}{name}", self.prefix), shape)
    }

    /// The layers `names`, [rows, cols] each, as one with their outputs side by side.
    fn linear(&self, names: &[String], rows: usize, cols: usize) -> Result<Linear, EngineError> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.take(&format!("{name}.weight"), &[rows, cols])?);
            bias.extend(self.take(&format!("{name}.bias"), &[rows])?);
        }
        Ok(Linear { weight: Weight::new(&weight, rows * names.len(), cols, self.precision), bias })
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm, EngineError> {
        Ok(Norm {
            gain: self.take(&format!("{name}.weight"), &[width])?,
            offset: self.take(&format!("{name}.bias"), &[width])?,
        })
    }
}
