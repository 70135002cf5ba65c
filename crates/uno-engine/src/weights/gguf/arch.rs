//! The decoder's configuration from GGUF metadata.

use super::{GgufFile, Value};
use crate::{Arch, EngineError, ModelConfig, Rope, RopeScaling};

/// Context that Llama 3.1 and 3.2 were first trained with.
const LLAMA3_ORIGINAL: usize = 8192;

pub(super) fn config(file: &GgufFile) -> Result<ModelConfig, EngineError> {
    let name = file.architecture().ok_or_else(|| missing(file, "general.architecture"))?;
    let arch = match name {
        // Mistral is written as "llama" by llama.cpp's converter.
        "llama" => Arch::Llama,
        "qwen2" => Arch::Qwen2,
        "qwen3" => Arch::Qwen3,
        "phi3" => Arch::Phi3,
        other => return Err(unsupported(file, format!("architecture {other}"))),
    };
    let m = Metadata { file, arch: name };
    let hidden_size = m.size("embedding_length")?;
    let heads = m.size("attention.head_count")?;
    let kv_heads = m.optional_size("attention.head_count_kv")?.unwrap_or(heads);
    if heads % kv_heads != 0 {
        return Err(EngineError::format(
            file.path(),
            format!("{heads} heads do not divide into {kv_heads} key heads"),
        ));
    }
    let head_dim = match m.optional_size("attention.key_length")? {
        Some(dim) => dim,
        None if hidden_size % heads == 0 => hidden_size / heads,
        None => {
            return Err(EngineError::format(
                file.path(),
                format!("{hidden_size} does not divide into {heads} heads"),
            ));
        }
    };
    let max_positions = m.size("context_length")?;
    if m.number("expert_count").is_some_and(|n| n > 0.0) {
        return Err(unsupported(file, format!("{name}.expert_count (mixture of experts)")));
    }
    // Up to the window's length every token sees all before it, window or not. 0 stands for none.
    let window =
        m.number("attention.sliding_window").filter(|n| *n >= 1.0).map_or(usize::MAX, |n| n as usize);
    let rotated = m.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
    let scaling = rope_scaling(&m, head_dim, rotated)?;
    let unstretched = match scaling {
        Some(RopeScaling::LongRope { .. }) => m.size("rope.scaling.original_context_length")?,
        _ => usize::MAX,
    };
    let embedding = file.tensors().get("token_embd.weight");
    let vocab_size = match embedding.map(|t| t.shape.as_slice()) {
        Some([rows, _]) => *rows,
        _ => {
            return Err(EngineError::MissingTensor {
                path: file.path().into(),
                name: "token_embd.weight".into(),
            });
        }
    };
    let tokenizer = file.tokenizer().ok();
    let eos = tokenizer.iter().flat_map(|t| [t.eos, t.eot]).flatten().collect::<Vec<_>>();
    Ok(ModelConfig {
        arch,
        vocab_size,
        hidden_size,
        intermediate_size: m.size("feed_forward_length")?,
        layers: m.size("block_count")?,
        heads,
        kv_heads,
        head_dim,
        rope: Rope {
            theta: m.number("rope.freq_base").unwrap_or(10_000.0) as f32,
            scaling,
            partial: rotated as f32 / head_dim as f32,
        },
        norm_eps: m
            .number("attention.layer_norm_rms_epsilon")
            .ok_or_else(|| missing(file, "attention.layer_norm_rms_epsilon"))? as f32,
        max_positions: max_positions.min(window).min(unstretched),
        tied_head: !file.tensors().contains_key("output.weight"),
        qkv_bias: file.tensors().contains_key("blk.0.attn_q.bias"),
        qk_norm: arch == Arch::Qwen3,
        fused: arch == Arch::Phi3,
        bos: tokenizer.as_ref().and_then(|t| t.bos),
        eos,
    })
}

fn missing(file: &GgufFile, key: &str) -> EngineError {
    EngineError::format(file.path(), format!("metadata {key} is missing or of the wrong type"))
}

fn unsupported(file: &GgufFile, what: String) -> EngineError {
    EngineError::Unsupported { path: file.path().to_owned(), what }
}

/// Metadata under the architecture's prefix.
struct Metadata<'a> {
    file: &'a GgufFile,
    arch: &'a str,
}

impl Metadata<'_> {
    fn value(&self, key: &str) -> Option<&Value> {
        self.file.value(&format!("{}.{key}", self.arch))
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.value(key)?.as_f64()
    }

    /// A positive count below 2^31, when the key is there.
    fn optional_size(&self, key: &str) -> Result<Option<usize>, EngineError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_u64() {
            Some(n) if (1..1 << 31).contains(&n) => Ok(Some(n as usize)),
            _ => Err(EngineError::format(
                self.file.path(),
                format!("{}.{key} is not a positive number", self.arch),
            )),
        }
    }

    fn size(&self, key: &str) -> Result<usize, EngineError> {
        self.optional_size(key)?.ok_or_else(|| missing(self.file, &format!("{}.{key}", self.arch)))
    }
}

/// Linear scaling from the metadata; Llama 3's and LongRoPE's from the tensors that llama.cpp's converter writes for them.
fn rope_scaling(
    m: &Metadata<'_>,
    head_dim: usize,
    rotated: usize,
) -> Result<Option<RopeScaling>, EngineError> {
    if m.file.tensors().contains_key("rope_freqs.weight") {
        return llama3(m, head_dim).map(Some);
    }
    if m.file.tensors().contains_key("rope_factors_short.weight") {
        let divisors = m.file.dequantise("rope_factors_short.weight")?;
        if divisors.len() != rotated / 2 {
            let what =
                format!("rope_factors_short.weight has {} numbers for {rotated} rotating", divisors.len());
            return Err(EngineError::format(m.file.path(), what));
        }
        let attention = m.number("rope.scaling.attn_factor").unwrap_or(1.0) as f32;
        return Ok(Some(RopeScaling::LongRope { divisors, attention }));
    }
    let factor = m.number("rope.scaling.factor").unwrap_or(1.0) as f32;
    match m.value("rope.scaling.type").and_then(Value::as_str).unwrap_or("none") {
        "none" => Ok(None),
        "linear" => Ok((factor != 1.0).then_some(RopeScaling::Linear { factor })),
        other => Err(unsupported(m.file, format!("rope scaling {other}"))),
    }
}

/// The file holds a divisor per frequency instead of the parameters. All Llama 3 models share them but for the factor,
/// which is the largest divisor: rebuild the divisors and accept only if they are those of the file.
fn llama3(m: &Metadata<'_>, head_dim: usize) -> Result<RopeScaling, EngineError> {
    let divisors = m.file.dequantise("rope_freqs.weight")?;
    let factor = divisors.iter().copied().fold(1.0f32, f32::max);
    let (low, high) = (1.0f64, 4.0f64);
    let theta = m.number("rope.freq_base").unwrap_or(10_000.0);
    let same = divisors.iter().enumerate().all(|(i, &found)| {
        let frequency = theta.powf(-2.0 * i as f64 / head_dim as f64);
        let turns = LLAMA3_ORIGINAL as f64 * frequency / std::f64::consts::TAU;
        let expected = if turns > high {
            1.0
        } else if turns < low {
            f64::from(factor)
        } else {
            let smooth = (turns - low) / (high - low);
            1.0 / ((1.0 - smooth) / f64::from(factor) + smooth)
        };
        (f64::from(found) - expected).abs() <= 1e-3 * expected
    });
    if !same || divisors.len() != head_dim / 2 {
        return Err(unsupported(m.file, "rope_freqs.weight that is not Llama 3's; a Hugging Face directory, whose config.json holds the parameters,".into()));
    }
    Ok(RopeScaling::Llama3 {
        factor,
        low_freq_factor: low as f32,
        high_freq_factor: high as f32,
        original_max_positions: LLAMA3_ORIGINAL,
    })
}
