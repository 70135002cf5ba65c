//! A Llama of a few thousand weights with a tokenizer of single bytes, as a Hugging Face directory: everything that
//! training and serving need, at a size at which a training takes a fraction of a second.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};

const HIDDEN: usize = 32;
const INNER: usize = 48;
const LAYERS: usize = 2;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD: usize = HIDDEN / HEADS;
const VOCABULARY: usize = 260;

/// Writes the model; the same bytes every time for the same `seed`.
pub fn write(dir: &Path, seed: u64) {
    std::fs::create_dir_all(dir).unwrap();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
        "vocab_size": VOCABULARY, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "rope_scaling": null, "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "dtype": "float32"
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    std::fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let tokenizer_config = json!({
        "bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<pad>", "chat_template": template
    });
    std::fs::write(dir.join("tokenizer_config.json"), tokenizer_config.to_string()).unwrap();
    std::fs::write(dir.join("model.safetensors"), weights(seed)).unwrap();
}

/// Every byte is a token, in the alphabet of GPT-2's byte-level tokenizers.
fn tokenizer() -> Value {
    let mut vocabulary = Map::new();
    for (i, name) in ["<pad>", "<|im_start|>", "<|im_end|>"].iter().enumerate() {
        vocabulary.insert((*name).to_owned(), json!(i));
    }
    let printable = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || (174..=255).contains(&b);
    let mut other = 256;
    for byte in 0..256u32 {
        let letter = if printable(byte) { byte } else { other };
        other += u32::from(!printable(byte));
        vocabulary.insert(char::from_u32(letter).unwrap().to_string(), json!(byte + 3));
    }
    let added: Vec<Value> = ["<pad>", "<|im_start|>", "<|im_end|>"]
        .iter()
        .enumerate()
        .map(|(i, text)| {
            json!({"id": i, "content": text, "special": true, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false})
        })
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                  "vocab": vocabulary, "merges": []}
    })
}

fn weights(seed: u64) -> Vec<u8> {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("model.embed_tokens.weight".into(), vec![VOCABULARY, HIDDEN]),
        ("model.norm.weight".into(), vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}.weight");
        for (rest, rows, columns) in [
            ("self_attn.q_proj", HEADS * HEAD, HIDDEN),
            ("self_attn.k_proj", KV_HEADS * HEAD, HIDDEN),
            ("self_attn.v_proj", KV_HEADS * HEAD, HIDDEN),
            ("self_attn.o_proj", HIDDEN, HEADS * HEAD),
            ("mlp.gate_proj", INNER, HIDDEN),
            ("mlp.up_proj", INNER, HIDDEN),
            ("mlp.down_proj", HIDDEN, INNER),
        ] {
            shapes.push((name(rest), vec![rows, columns]));
        }
        shapes.push((name("input_layernorm"), vec![HIDDEN]));
        shapes.push((name("post_attention_layernorm"), vec![HIDDEN]));
    }
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ seed;
    let mut data: HashMap<String, (Vec<usize>, Vec<u8>)> = HashMap::new();
    for (name, shape) in shapes {
        let n: usize = shape.iter().product();
        let norm = shape.len() == 1;
        let values = (0..n).flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
            let value = if norm { 1.0 + 0.2 * uniform } else { 0.4 * uniform };
            value.to_le_bytes()
        });
        let values = values.collect();
        data.insert(name, (shape, values));
    }
    let mut views: Vec<(&str, TensorView<'_>)> = data
        .iter()
        .map(|(name, (shape, bytes))| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        })
        .collect();
    views.sort_by_key(|(name, _)| *name);
    safetensors::serialize(views, None).unwrap()
}
