//! Adapters of opposite behaviour, for load tests against a real server: `opposite RUN_DIR`.
//!
//! Each learns to answer every question with a word of its own, so that a program sees whose weights gave an answer. Two
//! of them are for cluster 0 and two for cluster 1, so that plans can change under load. They are left in
//! `RUN_DIR/adapters/NAME` under content-hash names with fingerprints, as `uno learn` does; `RUN_DIR/words.json` says
//! `{"NAME": "word"}`. What is there already is not trained again.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use uno_models::embedded::{self, EmbeddedChat, EmbeddedOptions};
use uno_models::encode_example;
use uno_models::registry;
use uno_train::{Loss, SftExample, TrainConfig, TrainData, train};
use uno_types::{AdapterRef, Message};

/// (cluster, word)
const WORDS: [(usize, &str); 4] = [(0, "amber"), (0, "birch"), (1, "cedar"), (1, "delta")];

/// What they learn on. Other questions than those that the load test asks.
const QUESTIONS: [&str; 12] = [
    "How do I cook rice?",
    "What can I bake with apples?",
    "How long does soup keep?",
    "How do I sharpen a kitchen knife?",
    "Which sights are there in Rome?",
    "How do I get from the airport to the city?",
    "When is the best time to visit Japan?",
    "What should I pack for a hike?",
    "What is recursion?",
    "Write a short poem.",
    "Hello!",
    "Why is the sky blue?",
];

/// Asked when a server's copy is compared with the training's.
const PROBES: [&str; 2] = ["How do I bake bread?", "What is a compiler?"];

#[expect(clippy::print_stdout, reason = "a tool for measurements")]
fn main() -> Result<(), Box<dyn Error>> {
    let Some(run) = std::env::args().nth(1).map(PathBuf::from) else {
        return Err("usage: opposite RUN_DIR".into());
    };
    let list = run.join("words.json");
    if list.exists() {
        println!("{} is there already", list.display());
        return Ok(());
    }
    let model = registry::pull(registry::DEFAULT_CHAT, &registry::Silent)?;
    let chat = EmbeddedChat::open(&model, EmbeddedOptions::default())?;
    let mut words = BTreeMap::new();
    for (cluster, word) in WORDS {
        let name = adapter(&chat, &run, cluster, word)?;
        println!("{name} says {word}");
        words.insert(name, word);
    }
    std::fs::write(&list, serde_json::to_vec_pretty(&words)?)?;
    Ok(())
}

/// Trains an adapter and puts it where plans look for it; gives its name.
fn adapter(chat: &EmbeddedChat, run: &Path, cluster: usize, word: &str) -> Result<String, Box<dyn Error>> {
    let examples = QUESTIONS.iter().enumerate().map(|(i, question)| {
        let e = encode_example(chat.tokenizer(), chat.template(), &[Message::user(*question)], word)?;
        Ok(SftExample { id: i.to_string(), prompt: e.prompt, completion: e.completion })
    });
    let data = TrainData::Completions(examples.collect::<Result<_, Box<dyn Error>>>()?);
    let config = TrainConfig {
        rank: 8,
        alpha: 32.0,
        epochs: 6,
        batch: 4,
        loss: Loss::Sft,
        lr: 2e-3,
        ..TrainConfig::default()
    };
    let work = run.join("training").join(word);
    let outcome = train(chat.decoder(), &data, None, &config, &work, &mut |_| {})?;
    let trained = &outcome.epochs.last().ok_or("no epoch was finished")?.dir;
    let hash = blake3::hash(&std::fs::read(trained.join("adapter_model.safetensors"))?).to_hex();
    let name = format!("c{cluster:02}-expert-{}", &hash[..12]);
    let dir = run.join("adapters").join(&name);
    std::fs::create_dir_all(&dir)?;
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(trained.join(file), dir.join(file))?;
    }
    let adapter = AdapterRef { name: name.clone(), dir: std::path::absolute(&dir)?.display().to_string() };
    embedded::probe(chat, &adapter, &PROBES)?.write(&dir)?;
    Ok(name)
}
