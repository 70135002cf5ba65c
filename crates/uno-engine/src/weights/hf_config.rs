//! `config.json` of Hugging Face models.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{Arch, EngineError, ModelConfig, Rope, RopeScaling};

/// The keys that matter to the forward pass; defaults are those of transformers' configuration classes.
#[derive(Debug, Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    #[serde(default = "default_eps")]
    rms_norm_eps: f32,
    max_position_embeddings: usize,
    original_max_position_embeddings: Option<usize>,
    rope_theta: Option<f32>,
    rope_scaling: Option<Value>,
    /// transformers 5 keeps theta and scaling here.
    rope_parameters: Option<Value>,
    partial_rotary_factor: Option<f32>,
    tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    bos_token_id: Option<u32>,
    eos_token_id: Option<Eos>,
}

fn default_eps() -> f32 {
    1e-6
}

/// One id or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Eos {
    One(u32),
    Many(Vec<u32>),
}

impl Eos {
    fn into_ids(self) -> Vec<u32> {
        match self {
            Eos::One(id) => vec![id],
            Eos::Many(ids) => ids,
        }
    }
}

/// Only what `generation_config.json` adds: chat models often have a second end token there.
#[derive(Debug, Deserialize)]
struct Generation {
    eos_token_id: Option<Eos>,
}

/// Reads `dir/config.json` (and `dir/generation_config.json` for further end tokens).
pub(super) fn read(dir: &Path) -> Result<ModelConfig, EngineError> {
    let path = dir.join("config.json");
    let text = std::fs::read(&path).map_err(EngineError::io("read", &path))?;
    let mut config = parse(&text, &path)?;
    let path = dir.join("generation_config.json");
    if let Ok(text) = std::fs::read(&path) {
        let generation: Generation =
            serde_json::from_slice(&text).map_err(|e| EngineError::format(&path, e.to_string()))?;
        let more = generation.eos_token_id.map(Eos::into_ids).unwrap_or_default();
        for id in more {
            if !config.eos.contains(&id) {
                config.eos.push(id);
            }
        }
    }
    Ok(config)
}

fn parse(text: &[u8], path: &Path) -> Result<ModelConfig, EngineError> {
    let format = |what: String| EngineError::format(path, what);
    let unsupported = |what: String| EngineError::Unsupported { path: path.to_owned(), what };

    let value: Value = serde_json::from_slice(text).map_err(|e| format(e.to_string()))?;
    let Some(model_type) = value.get("model_type").and_then(Value::as_str) else {
        return Err(format("model_type is missing".into()));
    };
    // Before the other keys: a foreign family need not have them.
    let arch = Arch::from_name(model_type).ok_or_else(|| unsupported(format!("model_type {model_type}")))?;
    let raw: Raw = serde_json::from_value(value).map_err(|e| format(e.to_string()))?;

    for (name, n) in [
        ("vocab_size", raw.vocab_size),
        ("hidden_size", raw.hidden_size),
        ("intermediate_size", raw.intermediate_size),
        ("num_hidden_layers", raw.num_hidden_layers),
        ("num_attention_heads", raw.num_attention_heads),
        ("max_position_embeddings", raw.max_position_embeddings),
    ] {
        if n == 0 || n >= 1 << 31 {
            return Err(format(format!("{name} is {n}")));
        }
    }
    let heads = raw.num_attention_heads;
    let kv_heads = raw.num_key_value_heads.unwrap_or(heads);
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        return Err(format(format!("{heads} attention heads do not divide into {kv_heads} key/value heads")));
    }
    let head_dim = match raw.head_dim {
        Some(dim) => dim,
        // The default of transformers' Qwen3Config.
        None if arch == Arch::Qwen3 => 128,
        None if raw.hidden_size.is_multiple_of(heads) => raw.hidden_size / heads,
        None => {
            return Err(format(format!(
                "hidden_size {} does not divide into {heads} heads",
                raw.hidden_size
            )));
        }
    };
    if head_dim == 0 || head_dim % 2 != 0 || head_dim > 1 << 16 {
        return Err(format(format!("head_dim {head_dim} is not a positive even number")));
    }
    if let Some(act) = raw.hidden_act.as_deref().filter(|act| *act != "silu") {
        return Err(unsupported(format!("hidden_act {act}")));
    }
    if raw.attention_bias || raw.mlp_bias {
        return Err(unsupported("attention_bias / mlp_bias".into()));
    }
    let rope = rope(&raw).map_err(unsupported)?;
    if !(rope.partial > 0.0 && rope.partial <= 1.0) {
        return Err(format(format!("partial_rotary_factor {} is not within (0, 1]", rope.partial)));
    }
    // Up to the window's length every token sees all before it, window or not.
    let windowed = raw.use_sliding_window.unwrap_or(!matches!(arch, Arch::Qwen2 | Arch::Qwen3));
    let window = raw.sliding_window.filter(|window| windowed && *window > 0).unwrap_or(usize::MAX);
    let unstretched = match rope.scaling {
        Some(RopeScaling::LongRope { .. }) => original_context(&raw),
        _ => usize::MAX,
    };
    let config = ModelConfig {
        arch,
        vocab_size: raw.vocab_size,
        hidden_size: raw.hidden_size,
        intermediate_size: raw.intermediate_size,
        layers: raw.num_hidden_layers,
        heads,
        kv_heads,
        head_dim,
        rope,
        norm_eps: raw.rms_norm_eps,
        max_positions: raw.max_position_embeddings.min(window).min(unstretched),
        tied_head: raw.tie_word_embeddings.unwrap_or(false),
        qkv_bias: arch == Arch::Qwen2,
        qk_norm: arch == Arch::Qwen3,
        fused: arch == Arch::Phi3,
        bos: raw.bos_token_id,
        eos: raw.eos_token_id.map(Eos::into_ids).unwrap_or_default(),
    };
    let pairs = config.rotary_dim() / 2;
    let positive = |n: &f32| n.is_finite() && *n > 0.0;
    if let Some(RopeScaling::LongRope { divisors, attention }) = &config.rope.scaling
        && !(divisors.len() == pairs && divisors.iter().all(positive) && positive(attention))
    {
        let what = format!(
            "rope_scaling: short_factor must hold {pairs} positive numbers, and attention_factor be one"
        );
        return Err(format(what));
    }
    Ok(config)
}

/// Context that a model with LongRoPE was first trained with.
fn original_context(raw: &Raw) -> usize {
    let key = "original_max_position_embeddings";
    let scaling = raw.rope_scaling.as_ref().or(raw.rope_parameters.as_ref());
    let inner = scaling.and_then(|s| s.get(key)).and_then(Value::as_u64).map(|n| n as usize);
    raw.original_max_position_embeddings.or(inner).unwrap_or(raw.max_position_embeddings).max(1)
}

/// The divisors within the original context, and what makes up for the flatter attention of a long one (transformers'
/// `_compute_longrope_parameters`).
fn long_rope(raw: &Raw, scaling: &Value) -> Result<RopeScaling, String> {
    let divisors = scaling.get("short_factor").and_then(Value::as_array).into_iter().flatten();
    let divisors: Option<Vec<f32>> = divisors.map(|d| Some(d.as_f64()? as f32)).collect();
    let divisors = divisors.ok_or("rope_scaling with a short_factor that is not all numbers")?;
    let original = original_context(raw) as f64;
    let stretch = raw.max_position_embeddings as f64 / original;
    let usual = if stretch <= 1.0 { 1.0 } else { (1.0 + stretch.ln() / original.ln()).sqrt() };
    let attention = scaling.get("attention_factor").and_then(Value::as_f64).unwrap_or(usual) as f32;
    Ok(RopeScaling::LongRope { divisors, attention })
}

/// Base, scaling and rotated share; the error names a scaling that is not read.
fn rope(raw: &Raw) -> Result<Rope, String> {
    let scaling = raw.rope_scaling.as_ref().or(raw.rope_parameters.as_ref());
    let number = |key: &str| scaling.and_then(|s| s.get(key)).and_then(Value::as_f64).map(|n| n as f32);
    let kind = |key: &str| scaling.and_then(|s| s.get(key)).and_then(Value::as_str);
    let need = |key: &str| number(key).ok_or_else(|| format!("rope_scaling without {key}"));
    let change = match kind("rope_type").or(kind("type")).unwrap_or("default") {
        "default" => None,
        "linear" => Some(RopeScaling::Linear { factor: need("factor")? }),
        "llama3" => Some(RopeScaling::Llama3 {
            factor: need("factor")?,
            low_freq_factor: need("low_freq_factor")?,
            high_freq_factor: need("high_freq_factor")?,
            original_max_positions: need("original_max_position_embeddings")? as usize,
        }),
        "longrope" | "su" => Some(long_rope(raw, scaling.unwrap_or(&Value::Null))?),
        other => return Err(format!("rope scaling {other}")),
    };
    Ok(Rope {
        theta: raw.rope_theta.or(number("rope_theta")).unwrap_or(10_000.0),
        scaling: change,
        partial: raw.partial_rotary_factor.or(number("partial_rotary_factor")).unwrap_or(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Value)) -> Result<ModelConfig, EngineError> {
        let mut config = serde_json::json!({
            "model_type": "llama", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 112,
            "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 512, "rope_theta": 1e5, "tie_word_embeddings": true, "eos_token_id": [2, 3],
        });
        change(&mut config);
        parse(config.to_string().as_bytes(), Path::new("config.json"))
    }

    #[test]
    fn a_llama_config_is_read() {
        let config = with(|_| {}).unwrap();
        assert_eq!((config.head_dim, config.kv_heads, config.rope.theta), (16, 2, 1e5));
        assert_eq!((config.tied_head, config.qkv_bias, config.eos), (true, false, vec![2, 3]));
    }

    #[test]
    fn what_the_engine_cannot_run_is_refused_by_name() {
        let refused = [
            ("model_type", Value::from("mamba"), "mamba"),
            ("hidden_act", Value::from("gelu"), "gelu"),
            ("rope_scaling", serde_json::json!({"type": "yarn", "factor": 4.0}), "yarn"),
        ];
        for (key, value, name) in refused {
            let error = with(|c| c[key] = value).unwrap_err();
            assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    /// What is exact ends where the window or LongRoPE's other divisors would begin.
    #[test]
    fn a_window_or_a_stretched_rotation_bounds_the_context() {
        assert_eq!(with(|c| c["sliding_window"] = 128.into()).unwrap().max_positions, 128);
        assert_eq!(with(|c| c["sliding_window"] = 4096.into()).unwrap().max_positions, 512);
        let off = |c: &mut Value| {
            c["sliding_window"] = 128.into();
            c["use_sliding_window"] = false.into();
        };
        assert_eq!(with(off).unwrap().max_positions, 512);
        let long = |divisors: usize| {
            with(|c| {
                c["original_max_position_embeddings"] = 64.into();
                c["rope_scaling"] = serde_json::json!({"type": "longrope", "short_factor": vec![1.5; divisors], "long_factor": [9]});
            })
        };
        let config = long(8).unwrap();
        assert_eq!(config.max_positions, 64);
        // sqrt(1 + ln(512 / 64) / ln(64)) = sqrt(1.5)
        let attention = 1.5f32.sqrt();
        let expected = RopeScaling::LongRope { divisors: vec![1.5; 8], attention };
        assert_eq!(config.rope.scaling, Some(expected));
        assert!(long(7).unwrap_err().to_string().contains("8 positive numbers"));
    }

    #[test]
    fn nonsense_is_an_error() {
        for (key, value) in [
            ("num_key_value_heads", Value::from(3)),
            ("num_key_value_heads", Value::from(0)),
            ("hidden_size", Value::from(0)),
            ("hidden_size", Value::from(-64)),
            ("hidden_size", Value::from(65)),
            ("head_dim", Value::from(7)),
            ("partial_rotary_factor", Value::from(1.5)),
            ("vocab_size", Value::Null),
        ] {
            assert!(matches!(with(|c| c[key] = value).unwrap_err(), EngineError::Format { .. }), "{key}");
        }
    }
}
