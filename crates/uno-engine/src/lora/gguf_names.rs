//! What an adapter's tensors are called in a GGUF LoRA file, and the row order of q and k there.
//!
//! The format is that of llama.cpp's `convert_lora_to_gguf.py`: the base model's tensor name with `.lora_a` or `.lora_b`.

use super::target::{Side, Target, TensorName};
use crate::config::{Arch, ModelConfig};
use crate::weights::gguf::names::gguf_name;

/// `general.type` of an adapter's file.
pub(super) const TYPE: (&str, &str) = ("general.type", "adapter");
/// `adapter.type` of a LoRA adapter.
pub(super) const ADAPTER_TYPE: (&str, &str) = ("adapter.type", "lora");
/// `alpha`; the scale is alpha / rank, as in PEFT.
pub(super) const ALPHA: &str = "adapter.lora.alpha";
/// The base model's architecture; llama.cpp refuses an adapter of another one.
pub(super) const ARCHITECTURE: &str = "general.architecture";

/// llama.cpp's name of the model's architecture: Mistral is a "llama" there.
pub(super) fn architecture(model: &ModelConfig) -> &'static str {
    match model.arch {
        Arch::Llama | Arch::Mistral => "llama",
        Arch::Qwen2 => "qwen2",
        Arch::Qwen3 => "qwen3",
        Arch::Phi3 => "phi3",
    }
}

/// For example `blk.3.attn_q.weight.lora_a`.
pub(super) fn tensor_name(name: TensorName) -> Option<String> {
    let base = gguf_name(&format!("model.layers.{}.{}.weight", name.layer, name.target.path()))?;
    let side = match name.side {
        Side::A => "lora_a",
        Side::B => "lora_b",
    };
    Some(format!("{base}.{side}"))
}

/// The target of a GGUF LoRA tensor of layer 0; `None` for every other tensor.
pub(super) fn target_of(gguf: &str, model: &ModelConfig) -> Option<Target> {
    let sides = [Side::A, Side::B];
    Target::all_linear(model).into_iter().find(|&target| {
        sides.iter().any(|&side| tensor_name(TensorName { layer: 0, target, side }).as_deref() == Some(gguf))
    })
}

/// Heads of a factor whose rows llama.cpp's converter interleaves: B of q and k in Llama and Mistral models. A is read in the
/// order of the residual stream, which is the same everywhere.
pub(super) fn interleaved_heads(name: TensorName, model: &ModelConfig) -> Option<usize> {
    if !matches!(model.arch, Arch::Llama | Arch::Mistral) || name.side == Side::A {
        return None;
    }
    match name.target {
        Target::Q => Some(model.heads),
        Target::K => Some(model.kv_heads),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_base_with_a_side() {
        let name = |target, side| tensor_name(TensorName { layer: 7, target, side }).unwrap();
        assert_eq!(name(Target::Q, Side::A), "blk.7.attn_q.weight.lora_a");
        assert_eq!(name(Target::O, Side::B), "blk.7.attn_output.weight.lora_b");
        assert_eq!(name(Target::Qkv, Side::B), "blk.7.attn_qkv.weight.lora_b");
        assert_eq!(name(Target::GateUp, Side::A), "blk.7.ffn_up.weight.lora_a");
        assert_eq!(name(Target::Gate, Side::A), "blk.7.ffn_gate.weight.lora_a");
        assert_eq!(name(Target::Down, Side::B), "blk.7.ffn_down.weight.lora_b");
    }
}
