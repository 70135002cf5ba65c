//! From tensors on disk to a [`Decoder`].

use std::collections::HashSet;

use rayon::prelude::*;

use super::precision::{Packs, Precision};
use super::{Block, Decoder, HeadNorms, Linear};
use crate::config::ModelConfig;
use crate::error::EngineError;
use crate::kernel::rope::Frequencies;
use crate::weights::TensorStore;

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// Names of parts of a projection with the rows of each.
type Parts<'a> = &'a [(&'a str, usize)];

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
    for (name, rows) in parts {
        let full_name = format!("{prefix}.{name}.weight");
        let part = store.take_f32(&full_name, &[*rows, input])?;
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
    Ok(Linear { weight, out, input, bias: bias.then_some(biases), packs: Packs::default() })
}

/// The projections that make up q | k | v and gate | up, with the rows of each.
fn joined(config: &ModelConfig) -> [Vec<(&'static str, usize)>; 2] {
    let (q, kv, inner) = (config.q_dim(), config.kv_dim(), config.intermediate_size);
    if config.fused {
        [vec![("qkv_proj", q + 2 * kv)], vec![("gate_up_proj", 2 * inner)]]
    } else {
        [vec![("q_proj", q), ("k_proj", kv), ("v_proj", kv)], vec![("gate_proj", inner), ("up_proj", inner)]]
    }
}

/// Hugging Face names of all tensors of a model of this configuration.
fn names(config: &ModelConfig) -> HashSet<String> {
    let [qkv, gate_up] = joined(config);
    let mut parts: Vec<String> =
        ["input_layernorm.weight", "post_attention_layernorm.weight"].map(String::from).into();
    for (name, _) in &qkv {
        parts.push(format!("self_attn.{name}.weight"));
        if config.qkv_bias {
            parts.push(format!("self_attn.{name}.bias"));
        }
    }
    parts.extend(gate_up.iter().map(|(name, _)| format!("mlp.{name}.weight")));
    parts.extend(["self_attn.o_proj.weight", "mlp.down_proj.weight"].map(String::from));
    if config.qk_norm {
        parts.extend(["self_attn.q_norm.weight", "self_attn.k_norm.weight"].map(String::from));
    }
    let in_blocks = (0..config.layers)
        .flat_map(|layer| parts.iter().map(move |part| format!("model.layers.{layer}.{part}")));
    let mut all: HashSet<String> = in_blocks.collect();
    all.extend([EMBEDDING, "model.norm.weight"].map(String::from));
    if !config.tied_head {
        all.insert(HEAD.to_owned());
    }
    all
}

fn block(store: &TensorStore, config: &ModelConfig, layer: usize) -> Result<Block, EngineError> {
    let prefix = format!("model.layers.{layer}");
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (attention, mlp) = (format!("{prefix}.self_attn"), format!("{prefix}.mlp"));
    let [qkv, gate_up] = joined(config);
    let norm = |name: &str, width: usize| store.take_f32(&format!("{prefix}.{name}.weight"), &[width]);
    let head_norms = if config.qk_norm {
        let head = config.head_dim;
        Some(HeadNorms { q: norm("self_attn.q_norm", head)?, k: norm("self_attn.k_norm", head)? })
    } else {
        None
    };
    Ok(Block {
        attention_norm: norm("input_layernorm", hidden)?,
        qkv: linear(store, &attention, &qkv, hidden, config.qkv_bias)?,
        head_norms,
        out: linear(store, &attention, &[("o_proj", hidden)], config.q_dim(), false)?,
        mlp_norm: norm("post_attention_layernorm", hidden)?,
        gate_up: linear(store, &mlp, &gate_up, hidden, false)?,
        down: linear(store, &mlp, &[("down_proj", hidden)], inner, false)?,
    })
}

/// Reads every tensor, blocks in parallel; the file is hashed meanwhile.
pub(super) fn load(store: &TensorStore) -> Result<Decoder, EngineError> {
    let config = store.config().clone();
    store.refuse_others(&names(&config))?;
    let headless = store.is_bare() && !config.tied_head;
    let table = [config.vocab_size, config.hidden_size];
    let shared = || -> Result<_, EngineError> {
        let embedding = store.take_f32(EMBEDDING, &table)?;
        let untied = !config.tied_head && !headless;
        let head = if untied { Some(store.take_f32(HEAD, &table)?) } else { None };
        Ok((embedding, head, store.take_f32("model.norm.weight", &[config.hidden_size])?))
    };
    let blocks = || (0..config.layers).into_par_iter().map(|layer| block(store, &config, layer)).collect();
    let (blocks, (shared, hash)): (Result<Vec<Block>, EngineError>, _) =
        rayon::join(blocks, || rayon::join(shared, || store.hash().to_owned()));
    let (embedding, untied_head, norm) = shared?;
    Ok(Decoder {
        frequencies: Frequencies::new(&config),
        embedding,
        blocks: blocks?,
        norm,
        untied_head,
        head_packs: Packs::default(),
        generation: Precision::F32,
        headless,
        hash,
        bytes: store.loaded_bytes(),
        config,
    })
}
