//! [`RemoteReranker`]: relevance as the log-probs of "yes" and "no" (Qwen3-Reranker model card).
//!
//! Rerank and score endpoints of servers drop the model's prompt template or its head, and then return numbers that mean
//! nothing (vllm#21681, llama.cpp#25447). So the prompt is rendered here, only next-token log-probs are asked for, and
//! nothing is scored before pairs with a known answer came out right.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use uno_types::{ModelError, Reranker};

use super::config::RemoteConfig;
use super::error::RemoteError;
use super::server::Server;
use super::wire::CompletionAnswer;
use super::{models, runtime};

const PATH: &str = "/completions";

const PREFIX: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the \
                      Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
const SUFFIX: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// The instruction the model was trained with most.
const INSTRUCTION: &str = "Given a web search query, retrieve relevant passages that answer the query";

/// Tokens whose log-probs are asked for; vLLM's default limit.
const TOP: usize = 20;

/// The model card's two examples, straight (relevant) and crossed (not).
const GOLDEN: [(&str, &str, bool); 4] = [
    ("What is the capital of China?", "The capital of China is Beijing.", true),
    (
        "Explain gravity",
        "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is \
         responsible for the movement of planets around the sun.",
        true,
    ),
    (
        "What is the capital of China?",
        "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is \
         responsible for the movement of planets around the sun.",
        false,
    ),
    ("Explain gravity", "The capital of China is Beijing.", false),
];

/// What a relevant pair must reach, and an irrelevant one must stay below by as much from the other side.
const SURE: f32 = 0.9;

/// A yes/no reranker behind an OpenAI-compatible server, self-tested.
pub struct RemoteReranker {
    server: Arc<Server>,
    model: String,
    id: String,
    concurrency: usize,
}

impl RemoteReranker {
    /// Looks the model up and runs the self-test.
    ///
    /// # Errors
    /// When the server cannot be reached, does not have the model, or scores the golden pairs wrongly.
    pub fn new(config: RemoteConfig) -> Result<Self, RemoteError> {
        let server = Server::new(&config)?;
        let (asked, name) = (server.clone(), config.model.clone());
        let known = runtime::wait(async move { models::find(&asked, &name).await })??;
        let reranker =
            Self { server, model: known.name, id: known.id, concurrency: config.concurrency.max(1) };
        reranker.self_test()?;
        Ok(reranker)
    }

    fn self_test(&self) -> Result<(), RemoteError> {
        let scores = self.score_all(GOLDEN.map(|(q, d, _)| (q, d)).as_slice())?;
        for ((query, document, relevant), score) in GOLDEN.iter().zip(scores) {
            if (*relevant && score < SURE) || (!relevant && score > 1.0 - SURE) {
                return Err(RemoteError::SelfTest(format!(
                    "{}: {} is no reranker that can be trusted: it gives {score:.3} to ({query:?}, {document:?}), where \
                     {} is right; serve Qwen3-Reranker as a generative model (not --task score), or go without a reranker",
                    self.server.url(PATH),
                    self.model,
                    if *relevant { "nearly 1" } else { "nearly 0" }
                )));
            }
        }
        Ok(())
    }

    fn score_all(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, RemoteError> {
        let prompts: Vec<String> = pairs.iter().map(|(q, d)| prompt(q, d)).collect();
        let (server, model, concurrency) = (self.server.clone(), self.model.clone(), self.concurrency);
        runtime::wait(async move {
            futures::stream::iter(prompts)
                .map(|prompt| score(&server, &model, prompt))
                .buffered(concurrency)
                .try_collect()
                .await
        })?
    }
}

impl Reranker for RemoteReranker {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, ModelError> {
        Ok(self.score_all(pairs)?)
    }
}

fn prompt(query: &str, document: &str) -> String {
    format!("{PREFIX}<Instruct>: {INSTRUCTION}\n<Query>: {query}\n<Document>: {document}{SUFFIX}")
}

async fn score(server: &Server, model: &str, prompt: String) -> Result<f32, RemoteError> {
    let body =
        json!({"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": TOP});
    let answer: CompletionAnswer = server.post(PATH, &body).await?;
    let top = answer.choices.first().and_then(|c| c.logprobs.as_ref()?.top_logprobs.first());
    top.and_then(yes_probability).ok_or_else(|| RemoteError::Garbage {
        url: server.url(PATH),
        cause: "neither \"yes\" nor \"no\" is among the likely next tokens; is this a Qwen3-Reranker?".into(),
        excerpt: top.map(Value::to_string).unwrap_or_default(),
    })
}

/// softmax over the two answers. One that is not among the most likely tokens is at most as likely as the least of them.
fn yes_probability(top: &Value) -> Option<f32> {
    let top = top.as_object()?;
    let of = |word: &str| top.get(word).and_then(Value::as_f64);
    let least = top.values().filter_map(Value::as_f64).fold(f64::INFINITY, f64::min);
    let (yes, no) = match (of("yes"), of("no")) {
        (None, None) => return None,
        (yes, no) => (yes.unwrap_or(least), no.unwrap_or(least)),
    };
    Some((1.0 / (1.0 + (no - yes).exp())) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_the_model_cards() {
        let prompt = prompt("Q", "D");
        assert!(prompt.starts_with("<|im_start|>system\nJudge whether the Document meets"));
        assert!(prompt.ends_with(
            "answer the query\n<Query>: Q\n<Document>: D<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        ));
    }

    #[test]
    fn yes_is_weighed_against_no_only() {
        let p =
            yes_probability(&json!({"yes": (0.6_f64).ln(), "no": (0.2_f64).ln(), "maybe": (0.2_f64).ln()}))
                .unwrap();
        assert!((p - 0.75).abs() < 1e-6);
        assert!(yes_probability(&json!({"yes": -0.001, "x": -9.0})).unwrap() > 0.999);
        assert_eq!(yes_probability(&json!({"x": -1.0})), None);
    }
}
