//! `config.json` of BERT encoders and of the pooling after them.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::EngineError;

/// Shape and constants of an encoder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BertConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of the residual stream, and of the result.
    pub hidden_size: usize,
    /// Transformer blocks.
    #[serde(rename = "num_hidden_layers")]
    pub layers: usize,
    /// Attention heads; divides `hidden_size`.
    #[serde(rename = "num_attention_heads")]
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Rows of the position embedding: the longest text, in tokens.
    #[serde(rename = "max_position_embeddings")]
    pub max_positions: usize,
    /// Rows of the token type embedding; only row 0 is used.
    #[serde(rename = "type_vocab_size")]
    pub token_types: usize,
    /// Epsilon of the layer norms.
    #[serde(rename = "layer_norm_eps")]
    pub norm_eps: f32,
}

impl BertConfig {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// Reads `dir/config.json`; refuses by name what this encoder does not compute.
    pub(super) fn read(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join("config.json");
        let value = json(&path)?;
        let unsupported = |what: String| Err(EngineError::Unsupported { path: path.clone(), what });
        let is = |key: &str, expected: &str| value[key].is_null() || value[key] == expected;
        for (key, expected) in
            [("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")]
        {
            if !is(key, expected) {
                return unsupported(format!("{key} {}", value[key]));
            }
        }
        let config: BertConfig =
            serde_json::from_value(value).map_err(|e| EngineError::format(&path, e.to_string()))?;
        let sizes =
            [config.vocab_size, config.hidden_size, config.layers, config.heads, config.intermediate_size];
        let sensible = |n: usize| n > 0 && n < 1 << 31;
        let rest = [config.max_positions, config.token_types];
        if !sizes.into_iter().chain(rest).all(sensible) || !config.hidden_size.is_multiple_of(config.heads) {
            return Err(EngineError::format(&path, "its sizes are zero, absurd or do not divide into heads"));
        }
        let pooling = dir.join("1_Pooling/config.json");
        // Absent in the wheel that packs the default model; mean pooling is sentence-transformers' default too.
        if pooling.is_file() && json(&pooling)?["pooling_mode_mean_tokens"] == Value::Bool(false) {
            return Err(EngineError::Unsupported {
                path: pooling,
                what: "pooling other than the mean".into(),
            });
        }
        Ok(config)
    }
}

fn json(path: &Path) -> Result<Value, EngineError> {
    let text = std::fs::read(path).map_err(EngineError::io("read", path))?;
    serde_json::from_slice(&text).map_err(|e| EngineError::format(path, e.to_string()))
}
