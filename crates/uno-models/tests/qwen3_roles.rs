//! Qwen3-Embedding and Qwen3-Reranker in this process, against transformers 4.57 (fixtures/qwen3/make.py says how).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report, and a skipped test says so"
)]

mod common;
#[path = "../../uno-engine/tests/gguf_files/writer.rs"]
mod writer;

use std::path::{Path, PathBuf};

use common::{golden, ids};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use uno_models::qwen3::{RERANK_INSTRUCTION, RERANK_PREFIX, RERANK_SUFFIX, embedding_query, rerank_body};
use uno_models::{
    EmbeddedChat, EmbeddedEmbedder, EmbeddedOptions, EmbeddedReranker, ModelsError, TextTokenizer,
};
use uno_types::{Embedder, Reranker};
use writer::{Meta, Writer};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/qwen3").join(name)
}

/// The engine's tiny random Qwen3 with the tokenizer of the goldens.
fn tiny() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../uno-engine/tests/fixtures/tiny-qwen3-tied");
    for name in ["config.json", "model.safetensors"] {
        fs_err::copy(weights.join(name), dir.path().join(name)).unwrap();
    }
    fs_err::copy(fixture("tiny/tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
    dir
}

/// [`tiny`] with what says that it is an embedding model.
fn embedding() -> tempfile::TempDir {
    let dir = tiny();
    fs_err::create_dir(dir.path().join("1_Pooling")).unwrap();
    let pooling = json!({"pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true});
    fs_err::write(dir.path().join("1_Pooling/config.json"), pooling.to_string()).unwrap();
    dir
}

fn cases<'a>(golden: &'a Value, key: &str) -> &'a Vec<Value> {
    golden[key].as_array().unwrap()
}

/// Ids of the real tokenizer of Qwen3: template, pairs in two languages, and text that plays at being structure.
#[test]
fn the_templates_have_the_ids_of_the_real_tokenizer() {
    let golden = golden("qwen3/real.json");
    let tokenizer = TextTokenizer::from_dir(&fixture("real")).unwrap();
    assert_eq!(tokenizer.encode(RERANK_PREFIX).unwrap(), ids(&golden["prefix"]));
    assert_eq!(tokenizer.encode(RERANK_SUFFIX).unwrap(), ids(&golden["suffix"]));
    // The ids that the model card's yes and no have.
    assert_eq!((tokenizer.token_id("yes"), tokenizer.token_id("no")), (Some(9693), Some(2152)));
    let body = |case: &Value| {
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        tokenizer.encode_text(&rerank_body(RERANK_INSTRUCTION, &text("query"), &text("document"))).unwrap()
    };
    for case in cases(&golden, "pairs") {
        assert_eq!(body(case), ids(&case["body"]), "{case}");
    }
    let hostile = body(&golden["hostile"]);
    assert_eq!(hostile, ids(&golden["hostile"]["body"]));
    assert!(hostile.iter().all(|id| *id < 151_643), "a marker in a document became structure: {hostile:?}");
    // Where the template is trusted, the same words are structure.
    assert!(tokenizer.encode("<|im_end|></think>").unwrap() == [151_645, 151_668]);
    for case in cases(&golden, "embed") {
        let text = case["text"].as_str().unwrap();
        let question = embedding_query(RERANK_INSTRUCTION, text);
        assert_eq!(tokenizer.encode_document(text).unwrap(), ids(&case["ids"]));
        assert_eq!(tokenizer.encode_document(&question).unwrap(), ids(&case["question"]));
    }
}

/// 2e-5 absolute on unit vectors: what float32 leaves.
fn assert_embeddings(embedder: &EmbeddedEmbedder) {
    let golden = golden("qwen3/tiny.json");
    let texts: Vec<&str> = cases(&golden, "embed").iter().map(|c| c["text"].as_str().unwrap()).collect();
    let found = embedder.embed(&texts).unwrap();
    for (case, found) in cases(&golden, "embed").iter().zip(&found) {
        assert_eq!(embedder.encode(case["text"].as_str().unwrap()).unwrap(), ids(&case["ids"]));
        let expected = case["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        let worst = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-5, "{worst} for {:?}", case["text"]);
    }
    // A text's vector does not depend on its batch.
    for (text, found) in texts.iter().zip(&found) {
        assert_eq!(&embedder.embed(&[text]).unwrap()[0], found, "{text:?}");
    }
}

#[test]
fn embeddings_are_the_last_hidden_states_of_transformers() {
    let dir = embedding();
    let embedder = EmbeddedEmbedder::open(dir.path()).unwrap();
    assert_eq!((embedder.dimensions(), embedder.takes_instructions()), (64, true));
    assert_embeddings(&embedder);
}

/// As Qwen3-Embedding is published: without the prefix `model.` and without a head; here also with `tie_word_embeddings`
/// off, as the 8B model has it.
#[test]
fn weights_without_prefix_and_head_are_read() {
    let dir = embedding();
    let path = dir.path().join("model.safetensors");
    let whole = fs_err::read(&path).unwrap();
    let whole = SafeTensors::deserialize(&whole).unwrap();
    let bare = whole.iter().map(|(name, view)| (name.strip_prefix("model.").unwrap().to_owned(), view));
    safetensors::serialize_to_file(bare, None, &path).unwrap();
    assert_embeddings(&EmbeddedEmbedder::open(dir.path()).unwrap());

    let config = dir.path().join("config.json");
    let mut untied: Value = serde_json::from_slice(&fs_err::read(&config).unwrap()).unwrap();
    untied["tie_word_embeddings"] = false.into();
    fs_err::write(&config, untied.to_string()).unwrap();
    assert_embeddings(&EmbeddedEmbedder::open(dir.path()).unwrap());
    // Such weights can answer nothing.
    let error = EmbeddedReranker::open(dir.path(), RERANK_INSTRUCTION).err().unwrap().to_string();
    assert!(error.contains("no output head"), "{error}");
    let template = json!({"chat_template": "{{ messages }}"});
    fs_err::write(dir.path().join("tokenizer_config.json"), template.to_string()).unwrap();
    let error = EmbeddedChat::open(dir.path(), EmbeddedOptions::default()).err().unwrap().to_string();
    assert!(error.contains("cannot generate"), "{error}");
}

/// The tiny model as a GGUF file, with what llama.cpp's converter writes for Qwen3-Embedding.
fn gguf(dir: &Path, pooling: Option<u32>) -> PathBuf {
    let weights = fs_err::read(dir.join("model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let tokenizer: Value =
        serde_json::from_slice(&fs_err::read(dir.join("tokenizer.json")).unwrap()).unwrap();
    let mut tokens: Vec<String> = (0..320).map(|id| format!("[unused{id}]")).collect();
    let mut kinds = vec![5; 320];
    for (text, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize] = text.clone();
        kinds[id.as_u64().unwrap() as usize] = 1;
    }
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        kinds[added["id"].as_u64().unwrap() as usize] = if added["special"] == true { 3 } else { 4 };
    }
    let pairs = tokenizer["model"]["merges"].as_array().unwrap().iter();
    let merges = pairs.map(|m| format!("{} {}", m[0].as_str().unwrap(), m[1].as_str().unwrap())).collect();
    let mut w = Writer::default();
    w.meta("general.architecture", Meta::Text("qwen3"))
        .meta("general.name", Meta::Text("tiny"))
        .meta("qwen3.block_count", Meta::U32(2))
        .meta("qwen3.context_length", Meta::U32(512))
        .meta("qwen3.embedding_length", Meta::U32(64))
        .meta("qwen3.feed_forward_length", Meta::U32(112))
        .meta("qwen3.attention.head_count", Meta::U32(4))
        .meta("qwen3.attention.head_count_kv", Meta::U32(2))
        .meta("qwen3.attention.key_length", Meta::U32(32))
        .meta("qwen3.rope.freq_base", Meta::F32(1e6))
        .meta("qwen3.attention.layer_norm_rms_epsilon", Meta::F32(1e-6))
        .meta("tokenizer.ggml.model", Meta::Text("gpt2"))
        .meta("tokenizer.ggml.pre", Meta::Text("qwen2"))
        .meta("tokenizer.ggml.tokens", Meta::Texts(tokens))
        .meta("tokenizer.ggml.merges", Meta::Texts(merges))
        .meta("tokenizer.ggml.token_type", Meta::Ints(kinds))
        .meta("tokenizer.ggml.eos_token_id", Meta::U32(300));
    if let Some(kind) = pooling {
        w.meta("qwen3.pooling_type", Meta::U32(kind));
    }
    for (name, view) in weights.iter() {
        let name = name
            .replace("model.embed_tokens", "token_embd")
            .replace("model.norm", "output_norm")
            .replace("model.layers.", "blk.")
            .replace("input_layernorm", "attn_norm")
            .replace("post_attention_layernorm", "ffn_norm")
            .replace("self_attn.o_proj", "attn_output")
            .replace("self_attn.", "attn_")
            .replace("mlp.", "ffn_")
            .replace("_proj", "");
        let shape: Vec<u64> = view.shape().iter().map(|&d| d as u64).collect();
        w.tensor(&name, &shape, 0, view.data().to_vec());
    }
    let path = dir.join("tiny.gguf");
    fs_err::write(&path, w.bytes()).unwrap();
    path
}

#[test]
fn a_gguf_file_embeds_the_same() {
    let dir = tiny();
    assert_embeddings(&EmbeddedEmbedder::open(&gguf(dir.path(), Some(3))).unwrap());
    for pooling in [None, Some(1)] {
        let error = EmbeddedEmbedder::open(&gguf(dir.path(), pooling)).err().unwrap().to_string();
        assert!(error.contains("no embedding model"), "{error}");
    }
}

#[test]
fn a_text_beyond_the_context_is_cut_and_a_chat_model_is_no_embedder() {
    let dir = embedding();
    let embedder = EmbeddedEmbedder::open(dir.path()).unwrap();
    let long = "a".repeat(2000);
    assert_eq!(embedder.encode(&long).unwrap().len(), 512);
    assert_eq!(embedder.embed(&[&long]).unwrap(), embedder.embed(&[&long[..600]]).unwrap());
    let error = EmbeddedEmbedder::open(tiny().path()).err().unwrap().to_string();
    assert!(error.contains("no embedding model"), "{error}");
}

/// 1e-4 absolute on probabilities.
#[test]
fn the_reranker_gives_the_probabilities_of_transformers() {
    let golden = golden("qwen3/tiny.json");
    let reranker = EmbeddedReranker::open_untested(tiny().path(), RERANK_INSTRUCTION).unwrap();
    let texts: Vec<(&str, &str)> = cases(&golden, "pairs")
        .iter()
        .map(|case| (case["query"].as_str().unwrap(), case["document"].as_str().unwrap()))
        .collect();
    let scores = reranker.score(&texts).unwrap();
    for (case, score) in cases(&golden, "pairs").iter().zip(&scores) {
        let expected = case["p"].as_f64().unwrap();
        assert!((f64::from(*score) - expected).abs() < 1e-4, "{score}, expected {expected}: {case}");
    }
    // A pair's score does not depend on the others, and the shared beginning is not used up.
    for (pair, score) in texts.iter().zip(&scores) {
        assert_eq!(reranker.score(&[*pair]).unwrap(), [*score]);
    }
    // What does not fit is cut at the end of the document; the template stays.
    let long = "a".repeat(3000);
    let cut = reranker.score(&[("q", &long), ("q", &long[..1500])]).unwrap();
    assert_eq!(cut[0], cut[1]);
    assert!(reranker.score(&[]).unwrap().is_empty());
}

#[test]
fn only_a_model_that_passes_the_self_test_is_a_reranker() {
    let error = EmbeddedReranker::open(tiny().path(), RERANK_INSTRUCTION).err().unwrap();
    assert!(matches!(error, ModelsError::SelfTest(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("What is the capital of China?") || text.contains("gravity"), "{text}");
    assert!(text.contains("set reranker.model to a Qwen3-Reranker"), "{text}");

    // A model that learnt the golden pairs, in two languages.
    let dir = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("reranker/config.json", "config.json"),
        ("reranker/model.safetensors", "model.safetensors"),
        ("tiny/tokenizer.json", "tokenizer.json"),
    ] {
        fs_err::copy(fixture(from), dir.path().join(to)).unwrap();
    }
    let reranker = EmbeddedReranker::open(dir.path(), RERANK_INSTRUCTION).unwrap();
    let scores = reranker.score(&[
        ("中国的首都是哪里？", "中国的首都是北京。"),
        ("Explain gravity", "The capital of China is Beijing."),
    ]);
    let scores = scores.unwrap();
    assert!(scores[0] > 0.8 && scores[1] < 0.2, "{scores:?}");
    // Another instruction changes the question, not the self-test.
    assert!(EmbeddedReranker::open(dir.path(), "Is the rule covered?").is_ok());

    let tokenizer = dir.path().join("tokenizer.json");
    let without = fs_err::read_to_string(&tokenizer).unwrap().replace("<|im_start|>", "<|start|>");
    fs_err::write(&tokenizer, without).unwrap();
    let error = EmbeddedReranker::open(dir.path(), RERANK_INSTRUCTION).err().unwrap().to_string();
    assert!(error.contains("has no token <|im_start|>"), "{error}");
}
