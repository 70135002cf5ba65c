//! Stored number formats to `f32`.
//!
//! GGML's block formats hold 32 or 256 numbers with shared scales; the layouts are those of ggml's `ggml-common.h`, the
//! arithmetic that of its `dequantize_row_*` reference functions.

mod kquants;
mod simple;

use half::{bf16, f16};
use rayon::prelude::*;

/// Numbers that one rayon task converts: large enough to forget the task's cost, a multiple of every block.
const TASK: usize = 1 << 16;

/// The tensor types that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are ggml's own")]
#[expect(non_camel_case_types, reason = "the names are ggml's own")]
pub enum TensorType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4_K,
    Q5_K,
    Q6_K,
}

impl TensorType {
    /// From GGML's type code; the error is the name of a type that is not read.
    pub fn from_code(code: u32) -> Result<Self, String> {
        Ok(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            other => {
                let name = unread_name(other).map_or_else(|| format!("number {other}"), str::to_owned);
                return Err(format!(
                    "quantisation {name} (use a file in Q4_K_M, Q8_0, F16 or another read format)"
                ));
            }
        })
    }

    /// GGML's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
        }
    }

    /// Numbers in a block.
    pub fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => 256,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
        }
    }
}

/// Names of GGML types that exist and are not read, for the error message.
fn unread_name(code: u32) -> Option<&'static str> {
    Some(match code {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}

/// Converts whole blocks; bytes after the last whole block are ignored. On all rayon threads for large tensors.
pub fn dequantise(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    let blocks = bytes.len() / kind.block_bytes();
    let mut out = vec![0.0f32; blocks * kind.block_len()];
    let task_bytes = TASK / kind.block_len() * kind.block_bytes();
    out.par_chunks_mut(TASK).zip(bytes.par_chunks(task_bytes)).for_each(|(out, bytes)| run(kind, bytes, out));
    out
}

/// One task: `bytes` and `out` hold the same number of blocks.
fn run(kind: TensorType, bytes: &[u8], out: &mut [f32]) {
    match kind {
        TensorType::F32 => each(bytes, out, f32::from_le_bytes),
        TensorType::F16 => each(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
        TensorType::BF16 => each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        TensorType::Q4_0 => blocks(bytes, out, simple::q4_0),
        TensorType::Q4_1 => blocks(bytes, out, simple::q4_1),
        TensorType::Q5_0 => blocks(bytes, out, simple::q5_0),
        TensorType::Q5_1 => blocks(bytes, out, simple::q5_1),
        TensorType::Q8_0 => blocks(bytes, out, simple::q8_0),
        TensorType::Q4_K => blocks(bytes, out, kquants::q4_k),
        TensorType::Q5_K => blocks(bytes, out, kquants::q5_k),
        TensorType::Q6_K => blocks(bytes, out, kquants::q6_k),
    }
}

fn each<const B: usize>(bytes: &[u8], out: &mut [f32], convert: impl Fn([u8; B]) -> f32) {
    for (source, target) in bytes.as_chunks::<B>().0.iter().zip(out) {
        *target = convert(*source);
    }
}

fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    convert: impl Fn(&[u8; B], &mut [f32; N]),
) {
    for (source, target) in bytes.as_chunks::<B>().0.iter().zip(out.as_chunks_mut::<N>().0) {
        convert(source, target);
    }
}

/// A half-precision scale at `at` in a block.
#[inline(always)]
fn scale(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}
