//! Log-probabilities of given tokens: `logprobs MODEL TEXTS.json [ADAPTER]`.
//!
//! TEXTS.json holds lists of token ids; printed is, for each, the natural-log probability of every token after the first, as
//! JSON. ADAPTER is a PEFT directory or a GGUF LoRA file. Used by examples/peft and examples/llama.cpp.

use std::error::Error;
use std::path::Path;

use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::AdapterRef;

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let (model, texts, adapter) = match given.as_slice() {
        [model, texts] => (model, texts, None),
        [model, texts, dir] => (model, texts, Some(AdapterRef { name: dir.clone(), dir: dir.clone() })),
        _ => return Err("usage: logprobs MODEL TEXTS.json [ADAPTER]".into()),
    };
    let chat = EmbeddedChat::open(Path::new(model), EmbeddedOptions::default())?;
    let texts: Vec<Vec<u32>> = serde_json::from_slice(&std::fs::read(texts)?)?;
    let score = |tokens: &Vec<u32>| {
        let (first, rest) = tokens.split_at(1.min(tokens.len()));
        chat.score(first, rest, adapter.as_ref())
    };
    let scored = texts.iter().map(score).collect::<Result<Vec<_>, _>>()?;
    println!("{}", serde_json::to_string(&scored)?);
    Ok(())
}
