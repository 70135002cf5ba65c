//! What an adapter's tensors are called in PEFT's files.

use super::target::{Side, Target, TensorName};
use super::weights::LoraWeights;

/// What may stand before `layers.N`: PEFT's own wrapper, the causal model's body, and the text part of a multimodal model.
const PREFIXES: [&str; 3] = ["base_model", "model", "language_model"];

impl LoraWeights {
    /// The tensor's key in `adapter_model.safetensors`.
    pub fn peft_name(name: TensorName) -> String {
        let side = match name.side {
            Side::A => "lora_A",
            Side::B => "lora_B",
        };
        format!("base_model.model.model.layers.{}.{}.{side}.weight", name.layer, name.target.path())
    }
}

/// The tensor of a key, with or without PEFT's prefix and with or without the adapter's name (`lora_A.default.weight`, as in
/// a state dict that was saved by hand); `None` for every other tensor.
pub(super) fn parse(key: &str) -> Option<TensorName> {
    let segments: Vec<&str> = key.split('.').collect();
    let at = segments.iter().position(|s| *s == "layers")?;
    if !segments[..at].iter().all(|s| PREFIXES.contains(s)) {
        return None;
    }
    let (layer, path, side) = match &segments[at + 1..] {
        [layer, parent, module, side, "weight"] | [layer, parent, module, side, _, "weight"] => {
            (layer, (parent, module), side)
        }
        _ => return None,
    };
    let target = Target::from_module(path.1)?;
    let side = match *side {
        "lora_A" => Side::A,
        "lora_B" => Side::B,
        _ => return None,
    };
    let same_place = target.path() == format!("{}.{}", path.0, path.1);
    same_place.then_some(TensorName { layer: layer.parse().ok()?, target, side })
}

/// The target that an entry of `target_modules` means: a module's name, perhaps with what stands before it
/// (`self_attn.q_proj`, `model.layers.0.self_attn.q_proj`).
pub(super) fn module(entry: &str) -> Option<Target> {
    Target::from_module(entry.rsplit('.').next().unwrap_or(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_spelling_is_the_same_tensor() {
        let name = TensorName { layer: 11, target: Target::Down, side: Side::B };
        for prefix in [
            "base_model.model.model.",
            "base_model.model.",
            "model.",
            "",
            "base_model.model.model.language_model.",
        ] {
            for suffix in ["lora_B.weight", "lora_B.default.weight"] {
                assert_eq!(parse(&format!("{prefix}layers.11.mlp.down_proj.{suffix}")), Some(name));
            }
        }
        assert_eq!(parse(&LoraWeights::peft_name(name)), Some(name));
        for odd in [
            "",
            "layers",
            "layers.1",
            "lm_head.lora_A.weight",
            "vision_tower.layers.1.mlp.down_proj.lora_B.weight",
            "model.layers.x.mlp.down_proj.lora_B.weight",
            "model.layers.1.self_attn.down_proj.lora_B.weight",
            "model.layers.1.mlp.down_proj.lora_C.weight",
            "model.layers.1.mlp.down_proj.lora_B.bias",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
