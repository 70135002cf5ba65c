//! Whether a loaded adapter does what it should: log-probs of fixed texts, base against adapter against fingerprint.

use std::path::Path;

use serde_json::{Value, json};

use super::error::RemoteError;
use super::server::Server;
use super::wire::CompletionAnswer;
use crate::fingerprint::{Fingerprint, Measured, distance};

/// Texts for adapters without a fingerprint. Conversations, because that is what adapters are trained on; the markup need
/// not be the model's own.
const TEXTS: [&str; 2] = [
    "<|im_start|>user\nHow do I keep basil alive on a windowsill?<|im_end|>\n<|im_start|>assistant\nWater it when the soil \
     feels dry, give it six hours of light a day, and pinch the tips so that it grows bushy.<|im_end|>\n",
    "<|im_start|>user\nExplain what a hash map is.<|im_end|>\n<|im_start|>assistant\n1. It stores pairs of keys and \
     values.\n2. A function turns the key into a position.\n3. Looking up takes the same time however many pairs there \
     are.<|im_end|>\n",
];

/// Compares; an error says which of the ways to go wrong it was.
pub(crate) async fn probe(server: &Server, base: &str, adapter: &str, dir: &Path) -> Result<(), RemoteError> {
    let problem = |problem: String| RemoteError::Adapter { name: adapter.to_owned(), problem };
    let Some(fingerprint) = Fingerprint::read(dir).map_err(|e| RemoteError::Config(e.to_string()))? else {
        let mut all = Vec::new();
        for text in TEXTS {
            let (before, after) =
                (logprobs(server, base, json!(text)).await?, logprobs(server, adapter, json!(text)).await?);
            all.push(Measured { moved: distance(&before, &after), ..Measured::default() });
        }
        return Measured::mean(&all).effect().map_err(problem);
    };
    let mut all = Vec::new();
    for prompt in &fingerprint.prompts {
        let before = logprobs(server, base, json!(prompt.tokens)).await?;
        let after = logprobs(server, adapter, json!(prompt.tokens)).await?;
        all.push(Measured::of(prompt, &before, &after));
    }
    let measured = Measured::mean(&all);
    tracing::debug!(adapter, ?measured, "probed");
    measured.effect().and_then(|()| measured.judge()).map_err(problem)
}

/// Log-probs of a prompt's tokens after the first.
async fn logprobs(server: &Server, model: &str, prompt: Value) -> Result<Vec<f32>, RemoteError> {
    let body = json!({"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": 1,
                      "echo": true, "add_special_tokens": false});
    let answer: CompletionAnswer = server.post("/completions", &body).await?;
    let garbage = |cause: &str| RemoteError::Garbage {
        url: server.url("/completions"),
        cause: cause.to_owned(),
        excerpt: "an answer to `echo` with `logprobs`".into(),
    };
    let choice = answer.choices.into_iter().next().ok_or_else(|| garbage("no choices"))?;
    let mut logprobs = choice.logprobs.ok_or_else(|| garbage("no logprobs"))?.token_logprobs;
    // The first token has no log-prob, the last is the generated one.
    logprobs.pop();
    let logprobs: Vec<f32> = logprobs.into_iter().skip(1).flatten().collect();
    if logprobs.is_empty() { Err(garbage("no log-probs of the prompt")) } else { Ok(logprobs) }
}
