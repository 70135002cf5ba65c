//! From tensors on disk to a [`Decoder`].

use std::sync::OnceLock;

use rayon::prelude::*;

use super::{Block, Decoder, HeadNorms, Linear};
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::kernel::compact::Compact;
use crate::kernel::rope::Frequencies;
use crate::weights::TensorStore;
use crate::weights::dequant::TensorType;

/// Names of parts of a projection with the rows of each.
type Parts<'a> = &'a [(&'a str, usize)];

/// A matrix in as few bytes as give exactly its f32 numbers, when it is stored so.
fn compact(
    store: &TensorStore,
    name: &str,
    values: &[f32],
    cols: usize,
) -> Result<Option<Compact>, EngineError> {
    let Some(file) = store.gguf() else { return Ok(Compact::bf16(values, cols)) };
    Ok(match file.blocks(name)? {
        Some((TensorType::Q4_0, blocks)) => Some(Compact::q4_0(&blocks, cols)),
        Some((TensorType::Q4_1, blocks)) => Some(Compact::q4_1(&blocks, cols)),
        Some((TensorType::Q8_0, blocks)) => Some(Compact::q8_0(&blocks, cols)),
        _ => Compact::bf16(values, cols),
    })
}

/// Joins row blocks into one matrix.
fn linear(
    store: &TensorStore,
    prefix: &str,
    parts: Parts<'_>,
    input: usize,
    bias: bool,
) -> Result<Linear, EngineError> {
    let out = parts.iter().map(|(_, rows)| rows).sum();
    let mut weight = Vec::new();
    let mut biases = Vec::new();
    let mut joined: Option<Compact> = None;
    for (i, (name, rows)) in parts.iter().enumerate() {
        let full_name = format!("{prefix}.{name}.weight");
        let part = store.take_f32(&full_name, &[*rows, input])?;
        let small = compact(store, &full_name, &part, input)?;
        joined = match (i, joined.take(), small) {
            (0, _, small) => small,
            (_, Some(above), Some(below)) => above.join(below),
            _ => None,
        };
        if weight.is_empty() {
            weight = part;
            weight.reserve_exact(out * input - weight.len());
        } else {
            weight.extend_from_slice(&part);
        }
        if bias {
            biases.extend(store.take_f32(&format!("{prefix}.{name}.bias"), &[*rows])?);
        }
    }
    Ok(Linear { weight, out, input, bias: bias.then_some(biases), compact: joined, packs: OnceLock::new() })
}

fn block(store: &TensorStore, config: &ModelConfig, layer: usize) -> Result<Block, EngineError> {
    let prefix = format!("model.layers.{layer}");
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.q_dim(), config.kv_dim());
    let (attention, mlp) = (format!("{prefix}.self_attn"), format!("{prefix}.mlp"));
    let (qkv, gate_up): (Parts<'_>, Parts<'_>) = if config.fused {
        (&[("qkv_proj", q + 2 * kv)], &[("gate_up_proj", 2 * inner)])
    } else {
        (&[("q_proj", q), ("k_proj", kv), ("v_proj", kv)], &[("gate_proj", inner), ("up_proj", inner)])
    };
    let norm = |name: &str, width: usize| store.take_f32(&format!("{prefix}.{name}.weight"), &[width]);
    let head_norms = if config.qk_norm {
        let head = config.head_dim;
        Some(HeadNorms { q: norm("self_attn.q_norm", head)?, k: norm("self_attn.k_norm", head)? })
    } else {
        None
    };
    Ok(Block {
        attention_norm: norm("input_layernorm", hidden)?,
        qkv: linear(store, &attention, qkv, hidden, config.qkv_bias)?,
        head_norms,
        out: linear(store, &attention, &[("o_proj", hidden)], q, false)?,
        mlp_norm: norm("post_attention_layernorm", hidden)?,
        gate_up: linear(store, &mlp, gate_up, hidden, false)?,
        down: linear(store, &mlp, &[("down_proj", hidden)], inner, false)?,
    })
}

/// Reads every tensor, blocks in parallel; the file is hashed meanwhile.
pub(super) fn load(store: &TensorStore) -> Result<Decoder, EngineError> {
    let config = store.config().clone();
    let table = [config.vocab_size, config.hidden_size];
    let shared = || -> Result<_, EngineError> {
        let embedding = store.take_f32("model.embed_tokens.weight", &table)?;
        let head = if config.tied_head { None } else { Some(store.take_f32("lm_head.weight", &table)?) };
        let name = if config.tied_head { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let small = compact(store, name, head.as_ref().unwrap_or(&embedding), config.hidden_size)?;
        Ok((embedding, head, small, store.take_f32("model.norm.weight", &[config.hidden_size])?))
    };
    let blocks = || (0..config.layers).into_par_iter().map(|layer| block(store, &config, layer)).collect();
    let (blocks, (shared, hash)): (Result<Vec<Block>, EngineError>, _) =
        rayon::join(blocks, || rayon::join(shared, || store.hash().to_owned()));
    let (embedding, untied_head, compact_head, norm) = shared?;
    Ok(Decoder {
        frequencies: Frequencies::new(&config),
        embedding,
        blocks: blocks?,
        norm,
        untied_head,
        compact_head,
        head_packs: OnceLock::new(),
        hash,
        bytes: store.loaded_bytes(),
        config,
    })
}
