//! Hugging Face tensor names in GGUF, and the row order of q and k.

use super::GgufFile;
use crate::EngineError;

/// The GGUF name of a Hugging Face tensor (llama.cpp `gguf-py/gguf/tensor_mapping.py`), `None` when there is none.
pub(crate) fn gguf_name(hf: &str) -> Option<String> {
    let whole = match hf {
        "model.embed_tokens.weight" => Some("token_embd.weight"),
        "model.norm.weight" => Some("output_norm.weight"),
        "lm_head.weight" => Some("output.weight"),
        _ => None,
    };
    if let Some(name) = whole {
        return Some(name.to_owned());
    }
    let (layer, rest) = hf.strip_prefix("model.layers.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let (module, side) = rest.rsplit_once('.')?;
    let module = match module {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.qkv_proj" => "attn_qkv",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        // Phi-3's fused tensor goes by the name of its second half.
        "mlp.gate_up_proj" => "ffn_up",
        _ => return None,
    };
    Some(format!("blk.{layer}.{module}.{side}"))
}

/// Heads of a tensor whose rows the converter interleaved; `None` for every other tensor.
pub(super) fn permuted_heads(file: &GgufFile, hf: &str) -> Result<Option<usize>, EngineError> {
    if file.architecture() != Some("llama") {
        return Ok(None);
    }
    let projection =
        |name: &str| hf.ends_with(&format!("{name}.weight")) || hf.ends_with(&format!("{name}.bias"));
    let (q, k) = (projection("self_attn.q_proj"), projection("self_attn.k_proj"));
    if !(q || k) {
        return Ok(None);
    }
    let config = file.config()?;
    Ok(Some(if q { config.heads } else { config.kv_heads }))
}

/// Undoes llama.cpp's `LlamaModel.permute`: there, row `2 i + j` of a head (the interleaved rotation of the original
/// Llama code) is row `j * head_dim / 2 + i` of Hugging Face's half-rotation layout.
pub(super) fn unpermute(
    file: &GgufFile,
    name: &str,
    values: Vec<f32>,
    shape: &[usize],
    heads: usize,
) -> Result<Vec<f32>, EngineError> {
    let rows = shape.first().copied().unwrap_or(0);
    let width: usize = shape.iter().skip(1).product();
    if heads == 0 || rows % (2 * heads) != 0 {
        let what = format!("tensor {name}: {rows} rows do not divide into {heads} heads of even width");
        return Err(EngineError::format(file.path(), what));
    }
    Ok(reorder(&values, width, heads, Order::FromGguf))
}

/// Which way rows are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// From Hugging Face's halves to llama.cpp's pairs.
    ToGguf,
    /// Back.
    FromGguf,
}

/// The rows of `values` [rows, width] in the other order, head by head.
pub(crate) fn reorder(values: &[f32], width: usize, heads: usize, order: Order) -> Vec<f32> {
    let head_rows = values.len() / (width * heads).max(1);
    let half = (head_rows / 2).max(1);
    let mut out = vec![0.0; values.len()];
    for head in 0..heads {
        for row in 0..head_rows {
            let (halves, pairs) = (head * head_rows + row, head * head_rows + interleaved_row(row, half));
            let (from, to) = match order {
                Order::ToGguf => (halves, pairs),
                Order::FromGguf => (pairs, halves),
            };
            out[to * width..(to + 1) * width].copy_from_slice(&values[from * width..(from + 1) * width]);
        }
    }
    out
}

/// Where llama.cpp's interleaved order keeps row `row` of a head whose halves are `half` rows each.
fn interleaved_row(row: usize, half: usize) -> usize {
    (row % half) * 2 + row / half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_interleaved_head_by_head_and_back() {
        // Two heads of four rows: halves (0, 1 | 2, 3) become pairs (0, 2, 1, 3).
        let rows: Vec<f32> = (0..8).flat_map(|r| [r as f32, 10.0 * r as f32]).collect();
        let pairs = reorder(&rows, 2, 2, Order::ToGguf);
        let firsts: Vec<f32> = pairs.chunks(2).map(|row| row[0]).collect();
        assert_eq!(firsts, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        assert_eq!(reorder(&pairs, 2, 2, Order::FromGguf), rows);
    }

    #[test]
    fn names_are_mapped_and_others_refused() {
        assert_eq!(gguf_name("model.embed_tokens.weight").as_deref(), Some("token_embd.weight"));
        assert_eq!(gguf_name("model.layers.12.self_attn.q_proj.bias").as_deref(), Some("blk.12.attn_q.bias"));
        for odd in
            ["", "model.layers.", "model.layers.x.mlp.up_proj.weight", "model.layers.1.mlp.weight", "x"]
        {
            assert_eq!(gguf_name(odd), None, "{odd}");
        }
    }
}
