//! Every family from every kind of file: GGUF as safetensors, shards and halves as one f32 file, merged adapters as
//! unmerged, and tensors that nothing would read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report"
)]

mod common;
#[path = "gguf_files/writer.rs"]
mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use common::{Tensors, assert_close, fixture, tiny_models};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use uno_engine::{Arch, Decoder, EngineError, LoraWeights, ModelConfig, Side};
use writer::{Meta, Writer};

/// All tensors of a model by name, f32.
type All = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

const IDS: [u32; 9] = [5, 17, 300, 4, 99, 17, 17, 250, 8];

fn read(path: &Path) -> All {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |view: &TensorView<'_>| {
        view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), values(&view)))).collect()
}

fn bytes_of(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

fn write<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a String, &'a (Vec<usize>, Vec<f32>))>,
    dtype: Dtype,
) {
    let data: Vec<_> = tensors.map(|(name, (shape, v))| (name, shape.clone(), bytes_of(v, dtype))).collect();
    let views = data
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// A directory with this configuration and these tensors.
fn model(config_of: &Path, tensors: &All) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), std::fs::read(config_of.join("config.json")).unwrap())
        .unwrap();
    write(&dir.path().join("model.safetensors"), tensors.iter(), Dtype::F32);
    dir
}

/// 2e-4 + 1e-4 |x|, as for the unmerged adapter: merging moves logits by up to 4e-5.
#[test]
fn merged_adapters_agree_with_transformers() {
    for (name, dir) in tiny_models() {
        let mut tensors = read(&dir.join("model.safetensors"));
        let config = Decoder::open(&dir).unwrap().config().clone();
        let adapter = LoraWeights::read_peft(&dir.join("adapter"), &config).unwrap();
        let scale = adapter.config.scale();
        let all: Vec<_> = adapter.tensors().collect();
        for (of_b, [out, rank], b) in all.iter().filter(|(n, ..)| n.side == Side::B) {
            let (.., [_, input], a) = all
                .iter()
                .find(|(n, ..)| n.side == Side::A && (n.layer, n.target) == (of_b.layer, of_b.target))
                .unwrap();
            let peft = LoraWeights::peft_name(*of_b);
            let module = peft.strip_prefix("base_model.model.").unwrap().replace(".lora_B", "");
            let (shape, weight) = tensors.get_mut(&module).unwrap();
            assert_eq!(shape, &[*out, *input], "{module}");
            for (row, weight) in weight.chunks_exact_mut(*input).enumerate() {
                for (inner, b) in b[row * rank..(row + 1) * rank].iter().enumerate() {
                    let a = &a[inner * input..(inner + 1) * input];
                    weight.iter_mut().zip(a).for_each(|(w, a)| *w += scale * b * a);
                }
            }
        }
        let merged = model(&dir, &tensors);
        let decoder = Decoder::open(merged.path()).unwrap();
        let golden = Tensors::open(&dir.join("adapter/golden_logits.safetensors"));
        let (ids, expected) = (golden.ids("input_ids_right"), golden.f32("logits_right"));
        let got = decoder.logits(&ids[..24], None).unwrap();
        assert_close(&format!("{name} merged"), &got.data, &expected[..24 * 320], 2e-4, 1e-4);
    }
}

#[test]
fn shards_and_halves_are_the_model_in_one_file() {
    let dir = fixture("tiny-qwen3-tied");
    let tensors = read(&dir.join("model.safetensors"));
    for dtype in [Dtype::F16, Dtype::BF16] {
        let rounded: All = tensors
            .iter()
            .map(|(name, (shape, values))| {
                let round = |v: &f32| match dtype {
                    Dtype::F16 => half::f16::from_f32(*v).to_f32(),
                    _ => half::bf16::from_f32(*v).to_f32(),
                };
                (name.clone(), (shape.clone(), values.iter().map(round).collect()))
            })
            .collect();
        let one = model(&dir, &rounded);
        let split = model(&dir, &rounded);
        std::fs::remove_file(split.path().join("model.safetensors")).unwrap();
        let mut map = serde_json::Map::new();
        for shard in 0..3 {
            let file = format!("model-0000{}-of-00003.safetensors", shard + 1);
            let own = || rounded.iter().enumerate().filter(|(i, _)| i % 3 == shard).map(|(_, entry)| entry);
            write(&split.path().join(&file), own(), dtype);
            map.extend(own().map(|(name, _)| (name.clone(), file.clone().into())));
        }
        let index = serde_json::json!({ "weight_map": map });
        std::fs::write(split.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        let logits = |dir: &Path| Decoder::open(dir).unwrap().logits(&IDS, None).unwrap();
        assert_eq!(logits(one.path()), logits(split.path()), "{dtype:?}");
    }
}

/// Row `2 i + j` of a head in the file is row `j * head_dim / 2 + i` of Hugging Face (llama.cpp's `LlamaModel.permute`).
fn permute(values: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let head_dim = values.len() / width / heads;
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for row in 0..head_dim {
            let from = head * head_dim + row % 2 * (head_dim / 2) + row / 2;
            out.extend_from_slice(&values[from * width..(from + 1) * width]);
        }
    }
    out
}

/// The model as llama.cpp's converter writes it, in f32.
fn gguf(config: &ModelConfig, tensors: &All) -> Writer {
    let arch = match config.arch {
        Arch::Llama | Arch::Mistral => "llama",
        Arch::Qwen2 => "qwen2",
        Arch::Qwen3 => "qwen3",
        Arch::Phi3 => "phi3",
    };
    let key = |name: &str| format!("{arch}.{name}");
    let number = |n: usize| Meta::U32(n as u32);
    let mut w = Writer::default();
    w.meta("general.architecture", Meta::Text(arch))
        .meta(&key("block_count"), number(config.layers))
        .meta(&key("context_length"), number(config.max_positions))
        .meta(&key("embedding_length"), number(config.hidden_size))
        .meta(&key("feed_forward_length"), number(config.intermediate_size))
        .meta(&key("attention.head_count"), number(config.heads))
        .meta(&key("attention.head_count_kv"), number(config.kv_heads))
        .meta(&key("attention.key_length"), number(config.head_dim))
        .meta(&key("rope.dimension_count"), number(config.rotary_dim()))
        .meta(&key("rope.freq_base"), Meta::F32(config.rope.theta))
        .meta(&key("attention.layer_norm_rms_epsilon"), Meta::F32(config.norm_eps));
    for (name, (shape, values)) in tensors {
        let permuted = match (arch, name) {
            ("llama", name) if name.contains("q_proj") => permute(values, config.heads, config.hidden_size),
            ("llama", name) if name.contains("k_proj") => {
                permute(values, config.kv_heads, config.hidden_size)
            }
            _ => values.clone(),
        };
        let name = name
            .replace("model.embed_tokens", "token_embd")
            .replace("model.norm", "output_norm")
            .replace("lm_head", "output")
            .replace("model.layers.", "blk.")
            .replace("input_layernorm", "attn_norm")
            .replace("post_attention_layernorm", "ffn_norm")
            .replace("gate_up_proj", "up")
            .replace("self_attn.o_proj", "attn_output")
            .replace("self_attn.", "attn_")
            .replace("mlp.", "ffn_")
            .replace("_proj", "");
        let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
        w.f32(&name, &shape, &permuted);
    }
    w
}

#[test]
fn every_family_from_gguf_is_the_one_from_safetensors() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    for (name, path) in tiny_models() {
        let decoder = Decoder::open(&path).unwrap();
        let mut writer = gguf(decoder.config(), &read(&path.join("model.safetensors")));
        if decoder.config().rope.scaling.is_some() {
            // Only the divisors of the published Llama 3 models become parameters again (see gguf.rs).
            writer.f32("rope_freqs.weight", &[8], &[8.0; 8]);
            std::fs::write(&file, writer.bytes()).unwrap();
            assert!(Decoder::open(&file).unwrap_err().to_string().contains("rope_freqs"), "{name}");
            continue;
        }
        std::fs::write(&file, writer.bytes()).unwrap();
        let from_gguf = Decoder::open(&file).unwrap();
        assert_eq!(from_gguf.logits(&IDS, None).unwrap(), decoder.logits(&IDS, None).unwrap(), "{name}");
    }
}

/// phi-4-mini's rotation: part of each head, a divisor per frequency, from both kinds of file.
#[test]
fn long_rope_agrees_with_transformers() {
    let golden = Tensors::open(&fixture("longrope/golden_logits.safetensors"));
    let (ids, expected) = (golden.ids("input_ids"), golden.f32("logits"));
    let weights = read(&fixture("tiny-phi3-partial").join("model.safetensors"));
    let decoder = Decoder::open(model(&fixture("longrope"), &weights).path()).unwrap();
    assert_eq!(decoder.config().max_positions, 64);
    assert_close("longrope", &decoder.logits(&ids, None).unwrap().data, &expected, 2e-4, 1e-4);
    // Without the scaling it is another model.
    let plain = Decoder::open(&fixture("tiny-phi3-partial")).unwrap().logits(&ids, None).unwrap();
    assert!(plain.data.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 0.1));
    let too_long = vec![5; 65];
    assert!(matches!(decoder.logits(&too_long, None), Err(EngineError::ContextOverflow { .. })));

    let mut writer = gguf(decoder.config(), &weights);
    writer
        .meta("phi3.rope.scaling.original_context_length", Meta::U32(64))
        .meta("phi3.rope.scaling.attn_factor", Meta::F32(1.5f32.sqrt()))
        .f32("rope_factors_short.weight", &[6], &[1.0, 1.1, 1.3, 1.7, 2.4, 3.5])
        .f32("rope_factors_long.weight", &[6], &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    std::fs::write(&file, writer.bytes()).unwrap();
    let got = Decoder::open(&file).unwrap().logits(&ids, None).unwrap();
    assert_close("longrope from GGUF", &got.data, &expected, 2e-4, 1e-4);
}

#[test]
fn a_tensor_that_nothing_would_read_is_refused_by_name() {
    for name in ["tiny-llama", "tiny-qwen3-tied"] {
        let path = fixture(name);
        let whole = read(&path.join("model.safetensors"));
        let plain = Decoder::open(&path).unwrap();
        for odd in [
            "model.layers.0.self_attn.o_proj.bias",
            "model.layers.1.mlp.experts.0.up_proj.weight",
            "visual.proj",
        ] {
            let mut tensors = whole.clone();
            tensors.insert(odd.to_owned(), (vec![64], vec![1.0; 64]));
            let error = Decoder::open(model(&path, &tensors).path()).unwrap_err();
            assert!(
                matches!(&error, EngineError::Unsupported { what, .. } if what == &format!("tensor {odd}")),
                "{error}"
            );
        }
        // What only repeats the configuration is passed over, as transformers does.
        let mut tensors = whole.clone();
        tensors.insert("lm_head.weight".into(), whole["model.embed_tokens.weight"].clone());
        tensors.insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), (vec![8], vec![0.5; 8]));
        let same = Decoder::open(model(&path, &tensors).path()).unwrap();
        assert_eq!(same.logits(&IDS, None).unwrap(), plain.logits(&IDS, None).unwrap());

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.gguf");
        let mut writer = gguf(plain.config(), &whole);
        writer.f32("blk.1.attn_output.bias", &[64], &[0.0; 64]);
        std::fs::write(&file, writer.bytes()).unwrap();
        let error = Decoder::open(&file).unwrap_err().to_string();
        assert!(error.contains("tensor blk.1.attn_output.bias"), "{error}");
    }
}

/// The hidden state behind the last token is what the head reads: its product with the head is the logits.
#[test]
fn last_hidden_states_are_what_the_head_reads() {
    for (name, dir) in tiny_models() {
        let decoder = Decoder::open(&dir).unwrap();
        let tokens: Vec<u32> = (0..320).collect();
        let mut sequences = [decoder.start(None, None, 16), decoder.start(None, None, 16)];
        let [first, second] = &mut sequences;
        let hidden = decoder.last_hidden(&mut [(first, &IDS), (second, &IDS[..4])]).unwrap();
        for (hidden, ids) in hidden.chunks_exact(64).zip([&IDS[..], &IDS[..4]]) {
            let expected = decoder.logits(ids, None).unwrap();
            let got = decoder.logits_of(hidden, &tokens).unwrap();
            assert_close(&name, &got, expected.row(ids.len() - 1), 1e-4, 1e-4);
        }
        // Behind a shared beginning it is the same number for number.
        let shared = decoder.prefill_prefix(&IDS[..5], None).unwrap();
        let mut rest = decoder.start(Some(shared), None, 4);
        assert_eq!(decoder.last_hidden(&mut [(&mut rest, &IDS[5..])]).unwrap(), hidden[..64], "{name}");
        assert!(decoder.logits_of(&hidden[..64], &[320]).is_err());
        assert!(decoder.logits_of(&hidden[..63], &[0]).is_err());
    }
}
