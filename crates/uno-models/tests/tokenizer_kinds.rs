//! Tokenizers rebuilt from GGUF metadata, on a vocabulary of all 256 bytes and a few merges: every pre-tokenizer, special
//! tokens, and the same tokenizer read from `tokenizer.json`.
#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

#[path = "../../uno-engine/tests/gguf_files/writer.rs"]
mod writer;

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use uno_engine::weights::GgufFile;
use uno_models::{ChatTemplate, ModelsError, TextTokenizer, encode_example};
use uno_types::Message;
use writer::{Meta, Writer};

/// The vocabulary: specials 0 and 1, a user-defined token 2, the bytes in GPT-2's spelling from 3, then the merges' results.
fn vocabulary() -> (Vec<String>, Vec<String>, Vec<i32>) {
    let mut tokens: Vec<String> = ["<|im_start|>", "<|im_end|>", "<tool>"].map(String::from).to_vec();
    let mut kinds = vec![3, 3, 4];
    let mut next = 0x100;
    for byte in 0..=255u8 {
        let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let character = if printable {
            u32::from(byte)
        } else {
            next += 1;
            next - 1
        };
        tokens.push(char::from_u32(character).unwrap().to_string());
    }
    let merges =
        ["h e", "l l", "he ll", "hell o", "Ġ hello", "1 2", "12 3", "Ċ Ċ"].map(String::from).to_vec();
    tokens.extend(merges.iter().map(|m| m.replace(' ', "")));
    kinds.resize(tokens.len(), 1);
    (tokens, merges, kinds)
}

fn gguf(dir: &Path, pre: &'static str, change: impl FnOnce(&mut Writer)) -> GgufFile {
    let (tokens, merges, kinds) = vocabulary();
    let mut file = Writer::default();
    file.meta("general.architecture", Meta::Text("llama"))
        .meta("tokenizer.ggml.model", Meta::Text("gpt2"))
        .meta("tokenizer.ggml.pre", Meta::Text(pre))
        .meta("tokenizer.ggml.tokens", Meta::Texts(tokens))
        .meta("tokenizer.ggml.merges", Meta::Texts(merges))
        .meta("tokenizer.ggml.token_type", Meta::Ints(kinds))
        .meta("tokenizer.ggml.eos_token_id", Meta::U32(1));
    change(&mut file);
    let path = dir.join("model.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    GgufFile::open(&path).unwrap()
}

fn tokenizer(pre: &'static str) -> TextTokenizer {
    let dir = tempfile::tempdir().unwrap();
    TextTokenizer::from_gguf(&gguf(dir.path(), pre, |_| {})).unwrap()
}

/// The texts of the tokens, for reading in a failed test.
fn cut(tokenizer: &TextTokenizer, text: &str) -> Vec<String> {
    tokenizer.encode(text).unwrap().into_iter().map(|id| tokenizer.token_text(id).unwrap()).collect()
}

#[test]
fn digits_and_newlines_are_cut_as_each_family_does() {
    for (pre, digits, newlines) in [
        // SmolLM2: every digit alone; `\s+` leaves two newlines together before a word only up to the last.
        ("smollm", vec!["1", "2", "3", "4"], vec!["Ċ", "Ċ", "x"]),
        ("gpt-2", vec!["123", "4"], vec!["Ċ", "Ċ", "x"]),
        // Three digits at most; newlines stay together.
        ("llama-bpe", vec!["123", "4"], vec!["ĊĊ", "x"]),
        ("dbrx", vec!["123", "4"], vec!["ĊĊ", "x"]),
        ("qwen2", vec!["1", "2", "3", "4"], vec!["ĊĊ", "x"]),
    ] {
        let tokenizer = tokenizer(pre);
        assert_eq!(cut(&tokenizer, "1234"), digits, "{pre}");
        assert_eq!(cut(&tokenizer, "\n\nx"), newlines, "{pre}");
        assert_eq!(cut(&tokenizer, "hello hello"), ["hello", "Ġhello"], "{pre}");
    }
    let dir = tempfile::tempdir().unwrap();
    let error = TextTokenizer::from_gguf(&gguf(dir.path(), "falcon", |_| {})).unwrap_err().to_string();
    assert!(error.contains("falcon") && error.contains("tokenizer.json"), "{error}");
}

#[test]
fn special_tokens_are_ids_and_not_text() {
    let tokenizer = tokenizer("smollm");
    assert_eq!(cut(&tokenizer, "<|im_start|>hello<|im_end|>"), ["<|im_start|>", "hello", "<|im_end|>"]);
    let ids = tokenizer.encode("<|im_start|>a<tool>b<|im_end|>").unwrap();
    // A user-defined token is one id, but text.
    assert_eq!(tokenizer.decode(&ids), "a<tool>b");
    assert_eq!((tokenizer.token_bytes(0), tokenizer.token_bytes(2)), (&b""[..], &b"<tool>"[..]));
    assert!(tokenizer.is_special(1) && !tokenizer.is_special(2));
    assert_eq!(
        (tokenizer.eos(), tokenizer.bos(), tokenizer.token_id("<|im_end|>")),
        (&[1][..], None, Some(1))
    );
}

#[test]
fn a_bos_is_added_to_documents_only_and_only_if_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = gguf(dir.path(), "llama-bpe", |w| {
        w.meta("tokenizer.ggml.bos_token_id", Meta::U32(0))
            .meta("tokenizer.ggml.add_bos_token", Meta::Bool(true));
    });
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    assert_eq!(tokenizer.encode_document("h").unwrap()[0], 0);
    assert_eq!(tokenizer.encode("h").unwrap().len(), 1);
    let mut short = TextTokenizer::from_gguf(&file).unwrap();
    short.truncate_to(3).unwrap();
    assert_eq!(short.encode_document("h h h h h").unwrap().len(), 3);
}

#[test]
fn damaged_metadata_is_an_error() {
    let refused = |change: &dyn Fn(&mut Writer), word: &str| {
        let dir = tempfile::tempdir().unwrap();
        let error =
            TextTokenizer::from_gguf(&gguf(dir.path(), "smollm", |w| change(w))).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("model.gguf"), "{error}");
    };
    refused(&|w| w.metadata[1].1 = Meta::Text("llama"), "llama");
    refused(&|w| w.metadata[3].1 = Meta::Texts(vec!["a".into(), "a".into()]), "token types");
    refused(&|w| w.metadata[4].1 = Meta::Texts(vec!["ab".into()]), "merge");
    refused(&|w| w.metadata[4].1 = Meta::Texts(vec!["no such".into()]), "");
    refused(&|w| w.metadata[6].1 = Meta::U32(99_999), "outside the vocabulary");
    refused(&|w| drop(w.metadata.remove(3)), "tokenizer.ggml.tokens");
}

/// The same tokenizer as `tokenizer.json` gives the same ids and bytes, with special ids from the files beside it.
#[test]
fn a_directory_gives_the_same_as_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let (tokens, merges, _) = vocabulary();
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, text)| (text.clone(), json!(id))).collect();
    let added = |id: usize, special: bool| json!({"id": id, "content": tokens[id], "special": special, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let file = json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|im_start|>"},
        "added_tokens": [added(0, true), added(1, true), added(2, false)],
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level]},
        "post_processor": null,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "vocab": vocab, "merges": merges},
    });
    std::fs::write(dir.path().join("tokenizer.json"), file.to_string()).unwrap();
    let config =
        json!({"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|im_end|>", "pad_token": null});
    std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    std::fs::write(
        dir.path().join("generation_config.json"),
        json!({"eos_token_id": [1, 2, 999_999]}).to_string(),
    )
    .unwrap();

    let (from_dir, from_gguf) = (TextTokenizer::from_dir(dir.path()).unwrap(), tokenizer("smollm"));
    assert_eq!((from_dir.bos(), from_dir.eos(), from_dir.pad()), (Some(0), &[1, 2][..], None));
    for text in ["", "hello hello 1234\n\n you", "<|im_start|>user\nhi<tool>你好 😀<|im_end|>\n"] {
        let ids = from_dir.encode(text).unwrap();
        assert_eq!(ids, from_gguf.encode(text).unwrap(), "{text:?}");
        assert_eq!(from_dir.decode(&ids), from_gguf.decode(&ids));
    }
    for id in 0..from_gguf.vocab_size() as u32 {
        assert_eq!(from_dir.token_bytes(id), from_gguf.token_bytes(id), "{id}");
    }

    std::fs::write(dir.path().join("tokenizer.json"), &file.to_string()[..500]).unwrap();
    assert!(matches!(TextTokenizer::from_dir(dir.path()), Err(ModelsError::Format { .. })));
}

#[test]
fn a_prompt_that_changes_under_its_answer_is_refused() {
    let tokenizer = tokenizer("smollm");
    let example = |source: &str| {
        let template = ChatTemplate::from_source(source).unwrap();
        encode_example(&tokenizer, &template, &[Message::user("hello")], "hello hello")
    };
    let good = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}";
    let found = example(good).unwrap();
    let texts = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token_text(id).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts(&found.prompt), ["<|im_start|>", "hello", "<|im_end|>", "<|im_start|>"]);
    assert_eq!(texts(&found.completion), ["hello", "Ġhello", "<|im_end|>"]);

    let error = example("{{ messages|length }}{{ messages[0].content }}").unwrap_err();
    assert!(matches!(&error, ModelsError::Template(text) if text.contains("from character 0")), "{error}");
}

proptest! {
    /// With all bytes in the vocabulary nothing is lost: decoding gives the text back, also piece by piece, and every token's
    /// bytes are its share of it.
    #[test]
    fn texts_survive(text in r"(\PC|[ \n\t0-9a-z'<>|]){0,40}", pre in 0usize..4) {
        let tokenizer = {
            use std::sync::OnceLock;
            static ALL: OnceLock<Vec<TextTokenizer>> = OnceLock::new();
            &ALL.get_or_init(|| ["smollm", "gpt-2", "llama-bpe", "dbrx"].map(tokenizer).into_iter().collect())[pre]
        };
        let ids = tokenizer.encode(&text).unwrap();
        prop_assume!(!ids.iter().any(|&id| tokenizer.is_special(id)));
        prop_assert_eq!(tokenizer.decode(&ids), text.as_str());
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.token_bytes(id).to_vec()).collect();
        prop_assert_eq!(bytes, text.as_bytes());
        let mut stream = tokenizer.stream();
        let mut streamed = String::new();
        for &id in &ids {
            let piece = stream.push(id);
            let broken = piece.contains(char::REPLACEMENT_CHARACTER) && !text.contains(char::REPLACEMENT_CHARACTER);
            prop_assert!(!broken, "a piece is broken UTF-8");
            streamed.push_str(&piece);
        }
        streamed.push_str(&stream.finish());
        prop_assert_eq!(streamed, text);
    }
}
