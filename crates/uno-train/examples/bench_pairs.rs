//! Times training on preference pairs in TRL's conversational format: `bench_pairs MODEL PAIRS.jsonl [STEPS] [--completions]`.
//!
//! `MODEL` is a GGUF file. A line of `PAIRS.jsonl` holds `prompt`, `chosen` and `rejected`, each a list of messages. With
//! `--completions` the chosen answers are trained on with SFT, dropout included.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring script: it may stop where it stands"
)]

use std::path::Path;

use serde::Deserialize;
use uno_engine::Decoder;
use uno_models::{ChatTemplate, TextTokenizer, encode_example};
use uno_train::{PreferenceExample, SftExample, TrainConfig, TrainData, bench_training};
use uno_types::Message;

#[derive(Deserialize)]
struct Row {
    prompt: Vec<Message>,
    chosen: Vec<Message>,
    rejected: Vec<Message>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let completions = arguments.iter().any(|a| a == "--completions");
    let model = Path::new(arguments.first().map(String::as_str).unwrap_or("model.gguf"));
    let steps = arguments.get(2).and_then(|s| s.parse().ok()).unwrap_or(4);
    let file = uno_engine::weights::GgufFile::open(model).unwrap();
    let tokenizer = TextTokenizer::from_gguf(&file).unwrap();
    let template = ChatTemplate::from_gguf(&file).unwrap();
    let text = std::fs::read_to_string(&arguments[1]).unwrap();
    let encode = |prompt: &[Message], answer: &[Message]| {
        encode_example(&tokenizer, &template, prompt, &answer[0].content).unwrap()
    };
    let rows = text
        .lines()
        .enumerate()
        .map(|(i, line)| (format!("line {}", i + 1), serde_json::from_str::<Row>(line).unwrap()));
    let (data, config) = if completions {
        let examples = rows.map(|(id, row)| {
            let example = encode(&row.prompt, &row.chosen);
            SftExample { id, prompt: example.prompt, completion: example.completion }
        });
        (TrainData::Completions(examples.collect()), TrainConfig::critic())
    } else {
        let examples = rows.map(|(id, row)| {
            let (chosen, rejected) = (encode(&row.prompt, &row.chosen), encode(&row.prompt, &row.rejected));
            PreferenceExample {
                id,
                prompt: chosen.prompt,
                chosen: chosen.completion,
                rejected: rejected.completion,
            }
        });
        (TrainData::Preferences(examples.collect()), TrainConfig::expert())
    };
    drop(file);
    let decoder = Decoder::open(model).unwrap();
    let report = bench_training(&decoder, &data, &config, steps).unwrap();
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
}
