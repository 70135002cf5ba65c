//! Whether a loaded adapter does what it should: log-probs of fixed texts, base against adapter against fingerprint.

use std::path::Path;

use serde_json::{Value, json};

use super::error::RemoteError;
use super::fingerprint::Fingerprint;
use super::server::Server;
use super::wire::CompletionAnswer;

/// Texts for adapters without a fingerprint. Conversations, because that is what adapters are trained on; the markup need
/// not be the model's own.
const TEXTS: [&str; 2] = [
    "<|im_start|>user\nHow do I keep basil alive on a windowsill?<|im_end|>\n<|im_start|>assistant\nWater it when the soil \
     feels dry, give it six hours of light a day, and pinch the tips so that it grows bushy.<|im_end|>\n",
    "<|im_start|>user\nExplain what a hash map is.<|im_end|>\n<|im_start|>assistant\n1. It stores pairs of keys and \
     values.\n2. A function turns the key into a position.\n3. Looking up takes the same time however many pairs there \
     are.<|im_end|>\n",
];

/// Below this mean change of log-probs an adapter counts as without effect. Servers repeat a prompt's log-probs exactly
/// when nothing else runs; this only covers the odd last bit.
const NO_EFFECT: f64 = 1e-4;

/// Mean difference of log-probs that bf16 arithmetic explains (seen between f32 and vLLM's bf16: see examples/vllm).
const BF16: f64 = 0.06;

/// Compares; an error says which of the ways to go wrong it was.
pub(crate) async fn probe(server: &Server, base: &str, adapter: &str, dir: &Path) -> Result<(), RemoteError> {
    let problem = |problem: String| RemoteError::Adapter { name: adapter.to_owned(), problem };
    let Some(fingerprint) = Fingerprint::read(dir)? else {
        let mut moved = Vec::new();
        for text in TEXTS {
            let (before, after) =
                (logprobs(server, base, json!(text)).await?, logprobs(server, adapter, json!(text)).await?);
            moved.push(distance(&before, &after));
        }
        return effect(mean(&moved)).map_err(problem);
    };
    let [mut moved, mut base_off, mut adapter_off, mut mistaken] = [const { Vec::<f64>::new() }; 4];
    for prompt in &fingerprint.prompts {
        let before = logprobs(server, base, json!(prompt.tokens)).await?;
        let after = logprobs(server, adapter, json!(prompt.tokens)).await?;
        moved.push(distance(&before, &after));
        base_off.push(distance(&before, &prompt.base));
        adapter_off.push(distance(&after, &prompt.adapter));
        mistaken.push(distance(&before, &prompt.adapter));
    }
    let measured = Measured {
        moved: mean(&moved),
        base_off: mean(&base_off),
        adapter_off: mean(&adapter_off),
        mistaken: mean(&mistaken),
    };
    tracing::debug!(adapter, ?measured, "probed");
    effect(measured.moved).and_then(|()| measured.judge()).map_err(problem)
}

fn effect(moved: f64) -> Result<(), String> {
    if moved > NO_EFFECT {
        return Ok(());
    }
    Err("the server answers under its name exactly like the base model; do the module names of its weights fit the \
         model, and was it trained at all?"
        .into())
}

/// Mean differences of log-probs.
#[derive(Debug)]
struct Measured {
    /// Server's base to server's adapter.
    moved: f64,
    /// Server's base to the fingerprint's base.
    base_off: f64,
    /// Server's adapter to the fingerprint's adapter.
    adapter_off: f64,
    /// Server's base to the fingerprint's adapter: how far off one is without the adapter.
    mistaken: f64,
}

impl Measured {
    fn judge(&self) -> Result<(), String> {
        // Quantised servers are off by more than bf16, with and without adapter alike.
        if self.base_off > 4.0 * BF16 {
            return Err(format!(
                "the server's base model is not the one the adapter was trained on: log-probs differ by {:.3} on average",
                self.base_off
            ));
        }
        let tolerance = BF16.max(2.0 * self.base_off);
        if self.adapter_off > tolerance {
            return Err(format!(
                "the server answers under its name with other weights: log-probs differ by {:.3} on average from those \
                 after training (tolerance {tolerance:.3}; the base model differs by {:.3})",
                self.adapter_off, self.mistaken
            ));
        }
        Ok(())
    }
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

/// Mean absolute difference; infinite when the lengths differ, which is never the same prompt.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() || a.is_empty() {
        return f64::INFINITY;
    }
    a.iter().zip(b).map(|(x, y)| f64::from((x - y).abs())).sum::<f64>() / a.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(moved: f64, base_off: f64, adapter_off: f64, mistaken: f64) -> Result<(), String> {
        effect(moved).and_then(|()| Measured { moved, base_off, adapter_off, mistaken }.judge())
    }

    #[test]
    fn each_way_to_be_wrong_has_its_words() {
        assert_eq!(judge(0.4, 0.02, 0.02, 0.4), Ok(()));
        assert!(judge(0.0, 0.02, 0.4, 0.4).unwrap_err().contains("exactly like the base"));
        assert!(judge(0.4, 0.02, 0.5, 0.4).unwrap_err().contains("other weights"));
        assert!(judge(0.4, 2.0, 2.0, 2.0).unwrap_err().contains("not the one"));
        assert!(judge(0.4, f64::INFINITY, 0.0, 0.4).unwrap_err().contains("not the one"));
    }
}
