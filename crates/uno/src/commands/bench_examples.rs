//! The examples that `uno bench train` trains on: read from a file, or made up.

use std::path::Path;

use anyhow::{anyhow, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uno_models::{EmbeddedChat, encode_example};
use uno_store::StoreError;
use uno_train::{Loss, PreferenceExample, SftExample, TrainData};
use uno_types::Message;

/// A prompt or completion: a text, or messages.
#[derive(Deserialize)]
#[serde(untagged)]
enum Turns {
    Text(String),
    Messages(Vec<Message>),
}

impl Turns {
    fn messages(self) -> Vec<Message> {
        match self {
            Turns::Text(text) => vec![Message::user(text)],
            Turns::Messages(messages) => messages,
        }
    }

    fn text(self) -> String {
        match self {
            Turns::Text(text) => text,
            Turns::Messages(messages) => {
                messages.into_iter().next_back().map(|m| m.content).unwrap_or_default()
            }
        }
    }
}

#[derive(Deserialize)]
struct PairLine {
    prompt: Turns,
    chosen: Turns,
    rejected: Turns,
}

#[derive(Deserialize)]
struct CompletionLine {
    prompt: Turns,
    completion: Turns,
}

/// The first `limit` examples of a file: pairs for DPO+SFT, completions for SFT.
pub fn read(path: &Path, loss: &Loss, limit: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    match loss {
        Loss::DpoSft { .. } => pairs(path, limit, chat),
        Loss::Sft => completions(path, limit, chat),
    }
}

/// The file is the user's: unlike a run's own artefacts it is not made again when it is deleted.
fn lines<T: DeserializeOwned>(path: &Path, fields: &str) -> anyhow::Result<Vec<T>> {
    let lines = uno_store::jsonl::read(path).map_err(|error| match error {
        StoreError::CorruptLine { path, line, message, .. } => anyhow!(
            "{}:{line}: not an example: {message}; a line is a JSON object with {fields}",
            path.display()
        ),
        other => other.into(),
    })?;
    ensure!(!lines.is_empty(), "{} holds no example", path.display());
    Ok(lines)
}

fn completions(path: &Path, limit: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    let lines: Vec<CompletionLine> = lines(path, "prompt and completion")?;
    let mut examples = Vec::new();
    for (i, line) in lines.into_iter().take(limit).enumerate() {
        let (prompt, text) = (line.prompt.messages(), line.completion.text());
        let encoded = encode_example(chat.tokenizer(), chat.template(), &prompt, &text)?;
        examples.push(SftExample {
            id: format!("example-{i}"),
            prompt: encoded.prompt,
            completion: encoded.completion,
        });
    }
    Ok(TrainData::Completions(examples))
}

fn pairs(path: &Path, limit: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    let lines: Vec<PairLine> = lines(path, "prompt, chosen and rejected")?;
    let mut examples = Vec::new();
    for (i, line) in lines.into_iter().take(limit).enumerate() {
        let prompt = line.prompt.messages();
        let encode = |text: &str| encode_example(chat.tokenizer(), chat.template(), &prompt, text);
        let (chosen, rejected) = (encode(&line.chosen.text())?, encode(&line.rejected.text())?);
        let id = format!("pair-{i}");
        examples.push(PreferenceExample {
            id,
            prompt: chosen.prompt,
            chosen: chosen.completion,
            rejected: rejected.completion,
        });
    }
    Ok(TrainData::Preferences(examples))
}

/// Examples of random ids: nothing about their cost depends on which tokens they are.
pub fn made_up(tokens: usize, loss: &Loss, count: usize, chat: &EmbeddedChat) -> anyhow::Result<TrainData> {
    ensure!(tokens >= 3, "a pair has at least 3 tokens: prompt, chosen and rejected answer");
    let vocabulary = chat.decoder().config().vocab_size as u64;
    let mut state = 42u64;
    let mut ids = |n: usize| -> Vec<u32> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocabulary) as u32
        };
        (0..n).map(|_| next()).collect()
    };
    let third = tokens / 3;
    if *loss == Loss::Sft {
        let example = |i| SftExample {
            id: format!("made-up-{i}"),
            prompt: ids(tokens - third),
            completion: ids(third),
        };
        return Ok(TrainData::Completions((0..count).map(example).collect()));
    }
    let pair = |i| PreferenceExample {
        id: format!("made-up-{i}"),
        prompt: ids(tokens - 2 * third),
        chosen: ids(third),
        rejected: ids(third),
    };
    Ok(TrainData::Preferences((0..count).map(pair).collect()))
}
