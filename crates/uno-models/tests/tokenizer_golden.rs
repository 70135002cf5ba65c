//! Token ids and rendered texts of the real SmolLM2, against the Python libraries (exact).
//!
//! Golden: `fixtures/smollm2_tokenize.json`, made with tokenizers 0.22.2 and TRL 0.24.0. Needs the pulled default model.
#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod common;

use common::{ids, pulled};
use serde::Deserialize;
use serde_json::Value;
use uno_engine::weights::GgufFile;
use uno_models::{ChatTemplate, TextTokenizer, encode_example};
use uno_types::Message;

const EOS: u32 = 2;

/// The GGUF file of SmolLM2, or `None` (said aloud) where it was not pulled.
fn smollm2() -> Option<GgufFile> {
    let path = pulled("SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf")?;
    Some(GgufFile::open(&path).unwrap())
}

fn golden() -> Value {
    common::golden("smollm2_tokenize.json")
}

fn messages(value: &Value) -> Vec<Message> {
    Vec::deserialize(value).unwrap()
}

#[test]
fn plain_texts() {
    let Some(file) = smollm2() else { return };
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    let golden = golden();
    let rows = golden["encode"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let (text, expected) = (row["text"].as_str().unwrap(), ids(&row["ids"]));
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "{text:?}");
        // SmolLM2 adds nothing around a document.
        assert_eq!(tokenizer.encode_document(text).unwrap(), expected, "{text:?}");
        if !expected.iter().any(|&id| tokenizer.is_special(id)) {
            assert_eq!(tokenizer.decode(&expected), text);
        }
        let streamed: String = {
            let mut stream = tokenizer.stream();
            let mut out: String = expected.iter().map(|&id| stream.push(id)).collect();
            out.push_str(&stream.finish());
            out
        };
        assert_eq!(streamed, tokenizer.decode(&expected));
    }
    assert_eq!((tokenizer.vocab_size(), tokenizer.eos(), tokenizer.bos()), (49152, &[EOS][..], Some(1)));
}

#[test]
fn preference_pairs_as_trl_makes_them() {
    let Some(file) = smollm2() else { return };
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    let template = ChatTemplate::from_gguf(&file).unwrap();
    for row in golden()["dpo"].as_array().unwrap() {
        let prompt = messages(&row["row"]["prompt"]);
        assert_eq!(template.render(&prompt, true).unwrap(), row["text"]["prompt"].as_str().unwrap());
        for side in ["chosen", "rejected"] {
            let answer = messages(&row["row"][side]).remove(0).content;
            let example = encode_example(&tokenizer, &template, &prompt, &answer).unwrap();
            let all = prompt.iter().cloned().chain([Message::assistant(&answer)]).collect::<Vec<_>>();
            let whole = template.render(&all, false).unwrap();
            let text = |part: &str| row["text"][part].as_str().unwrap();
            assert_eq!(whole, format!("{}{}", text("prompt"), text(side)));

            // TRL cuts the prompt to 512 tokens from the left and appends one more EOS to the completion.
            let untruncated = row["prompt_tokens_before_truncation"].as_u64().unwrap() as usize;
            assert_eq!(example.prompt.len(), untruncated);
            let kept = &example.prompt[untruncated.saturating_sub(512)..];
            assert_eq!(kept, ids(&row["ids"]["prompt_input_ids"]));
            let with_eos: Vec<u32> = example.completion.iter().copied().chain([EOS]).collect();
            assert_eq!(with_eos, ids(&row["ids"][format!("{side}_input_ids")]));
            assert!(example.completion.ends_with(&[EOS, 198]));
        }
    }
}

#[test]
fn supervised_examples_as_trl_makes_them() {
    let Some(file) = smollm2() else { return };
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    let template = ChatTemplate::from_gguf(&file).unwrap();
    for row in golden()["sft"].as_array().unwrap() {
        let answer = messages(&row["completion"]).remove(0).content;
        let example = encode_example(&tokenizer, &template, &messages(&row["prompt"]), &answer).unwrap();
        assert_eq!(example.prompt, ids(&row["prompt_ids"]));
        let whole = [example.prompt.as_slice(), &example.completion].concat();
        assert_eq!(whole, ids(&row["input_ids"]));
        let mask = ids(&row["completion_mask"]);
        assert_eq!(mask.iter().filter(|&&m| m == 1).count(), example.completion.len());
    }
}

#[test]
fn every_token_has_the_bytes_it_decodes_to() {
    let Some(file) = smollm2() else { return };
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    for id in 0..tokenizer.vocab_size() as u32 {
        let special = tokenizer.is_special(id);
        assert_eq!(special, id < 17, "{id}");
        assert_eq!(special, tokenizer.token_bytes(id).is_empty(), "{id}");
        assert_eq!(tokenizer.decode(&[id]), String::from_utf8_lossy(tokenizer.token_bytes(id)));
    }
    assert_eq!(tokenizer.decode(&[u32::MAX, 49152]), "", "ids outside the vocabulary are nothing");
}
