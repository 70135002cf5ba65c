//! One chat request: building it, and reading the answer.

use std::sync::Arc;

use serde_json::{Value, json};
use uno_types::{Constraint, FinishReason, Generation, GenerationRequest, ModelError};

use super::chat::Answer;
use super::constrain::{self, Way, Ways};
use super::error::{RemoteError, excerpt};
use super::schema;
use super::server::Server;
use super::wire::{ChatAnswer, ChatChoice};

const PATH: &str = "/chat/completions";

/// How often a constrained answer that breaks its schema is asked for again, with another seed.
const REPAIRS: u64 = 2;

/// Why a request gave no generation.
pub(super) enum Lost {
    /// This request failed.
    Request(ModelError),
    /// The server does not know the adapter (any more).
    Adapter,
    /// The server does not know this way of asking for JSON.
    Refused(RemoteError),
    /// No request can work.
    Server(ModelError),
}

impl From<RemoteError> for Lost {
    fn from(error: RemoteError) -> Self {
        if error.is_gone() { Lost::Server(error.into()) } else { Lost::Request(error.into()) }
    }
}

/// Asks one model of one server.
pub(super) struct Asker {
    server: Arc<Server>,
    /// The base model's name.
    model: String,
    /// Tokens of context; newer vLLM refuses a `max_tokens` beyond it instead of stopping there.
    context_length: usize,
    ways: Ways,
}

impl Asker {
    pub(super) fn new(server: Arc<Server>, model: String, context_length: usize) -> Self {
        Self { server, model, context_length, ways: Ways::default() }
    }

    pub(super) async fn ask(&self, request: &GenerationRequest) -> Answer {
        let Some(Constraint::JsonSchema(schema)) = &request.constraint else {
            return self.ask_within_context(request, self.body(request)).await;
        };
        let mut repairs = 0;
        loop {
            let way = self.ways.current();
            let mut body = self.body(request);
            way.apply(&mut body, schema);
            body["seed"] = seed(request.sampling.seed.wrapping_add(repairs)).into();
            let mut generation = match self.ask_within_context(request, body).await {
                Err(Lost::Refused(error)) if self.ways.refuse(way) => {
                    tracing::warn!(?way, next = ?self.ways.current(), %error, "asking for JSON in another way");
                    continue;
                }
                Err(Lost::Refused(error)) => return Err(error.into()),
                other => other?,
            };
            generation.text = constrain::unfenced(&generation.text).to_owned();
            let problem = match schema::check(&generation.text, schema) {
                Ok(()) => return Ok(generation),
                // Cut off, not wrong: the caller sees it by `finish`.
                Err(_) if generation.finish == FinishReason::Length => return Ok(generation),
                Err(problem) => problem,
            };
            // A server that takes the field and pays no attention to it.
            if matches!(way, Way::JsonSchema | Way::GuidedJson) && self.ways.refuse(way) {
                tracing::warn!(?way, problem, "the server does not follow the schema");
                continue;
            }
            repairs += 1;
            if repairs > REPAIRS {
                return Err(Lost::Request(ModelError::Upstream(format!(
                    "{}: {} answered {:?} instead of JSON of the schema ({problem}), {repairs} times; use a server with \
                     structured output (response_format json_schema) or a larger model",
                    self.server.url(PATH),
                    self.model,
                    excerpt(&generation.text)
                ))));
            }
        }
    }

    /// Sends a body; when prompt and `max_tokens` together do not fit, asks once more for what does fit.
    async fn ask_within_context(&self, request: &GenerationRequest, mut body: Value) -> Answer {
        match self.send(request, &body).await {
            Err(RemoteError::Status { status: 400, message, .. }) if over_context(&message).is_some() => {
                let (limit, prompt) = over_context(&message).unwrap_or_default();
                if prompt >= limit {
                    return Err(Lost::Request(ModelError::ContextLength { tokens: prompt, limit }));
                }
                body["max_tokens"] = (limit - prompt).into();
                Ok(self.send(request, &body).await?)
            }
            Err(RemoteError::Status { status: 404, .. }) if request.adapter.is_some() => Err(Lost::Adapter),
            Err(error) if request.constraint.is_some() && is_refusal(&error) => Err(Lost::Refused(error)),
            other => Ok(other?),
        }
    }

    async fn send(&self, request: &GenerationRequest, body: &Value) -> Result<Generation, RemoteError> {
        let answer: ChatAnswer = self.server.post(PATH, body).await?;
        let garbage = |cause: &str| RemoteError::Garbage {
            url: self.server.url(PATH),
            cause: cause.to_owned(),
            excerpt: excerpt(&format!("{answer:?}")),
        };
        if let Some(adapter) = &request.adapter
            && answer.model.as_ref().is_some_and(|m| *m != adapter.name)
        {
            let problem = format!(
                "{} answered as {:?} instead; the server mixes adapters up: update it",
                self.server.url(PATH),
                answer.model.as_deref().unwrap_or_default()
            );
            return Err(RemoteError::Adapter { name: adapter.name.clone(), problem });
        }
        let choice = answer.choices.first().ok_or_else(|| garbage("no choices"))?;
        let logprobs = if request.logprobs {
            Some(logprobs(choice).ok_or_else(|| garbage("no logprobs; the server must support `logprobs`"))?)
        } else {
            None
        };
        let usage = answer.usage.as_ref();
        Ok(Generation {
            text: choice.message.content.clone().unwrap_or_default(),
            finish: match choice.finish_reason.as_deref() {
                Some("length") => FinishReason::Length,
                _ => FinishReason::Stop,
            },
            prompt_tokens: usage.map_or(0, |u| u.prompt_tokens),
            completion_tokens: usage.map_or(0, |u| u.completion_tokens),
            logprobs,
        })
    }

    fn body(&self, request: &GenerationRequest) -> Value {
        let messages: Vec<Value> =
            request.messages.iter().map(|m| json!({"role": m.role.as_str(), "content": m.content})).collect();
        let mut body = json!({
            "model": request.adapter.as_ref().map_or(&self.model, |a| &a.name),
            "messages": messages,
            "max_tokens": request.max_tokens.min(self.context_length),
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "seed": seed(request.sampling.seed),
        });
        if request.logprobs {
            body["logprobs"] = true.into();
        }
        body
    }
}

fn is_refusal(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Status { status, message, .. } if constrain::is_refusal(*status, message))
}

/// Servers keep seeds in 64 signed bits.
fn seed(seed: u64) -> i64 {
    (seed & i64::MAX as u64) as i64
}

fn logprobs(choice: &ChatChoice) -> Option<Vec<f32>> {
    let tokens = choice.logprobs.as_ref()?.content.as_ref()?;
    Some(tokens.iter().map(|t| t.logprob).collect())
}

/// (limit, prompt tokens) of the servers' words for "does not fit".
fn over_context(message: &str) -> Option<(usize, usize)> {
    let number_after = |text: &str| -> Option<usize> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let digits = text[start..].split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let lower = message.to_lowercase();
    let after = |words: &[&str]| words.iter().find_map(|w| Some(&lower[lower.find(w)? + w.len()..]));
    let limit = number_after(after(&["maximum context length", "maximum model length", "max_model_len"])?)?;
    let before = |word: &str| {
        let head = &lower[..lower.find(word)?];
        head.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse::<usize>().ok()
    };
    // vLLM does not even tokenise what is too long by its characters alone.
    if lower.contains(" characters (") {
        return Some((limit, limit + 1));
    }
    let prompt = before(" in the messages")
        .or_else(|| before(" input tokens"))
        .or_else(|| before(" tokens from the input"))
        .or_else(|| {
            number_after(after(&["prompt (length", "at least", "your prompt contains", "your request has"])?)
        })?;
    Some((limit, prompt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_servers_say_too_long() {
        let openai = "This model's maximum context length is 4096 tokens. However, you requested 5010 tokens (5000 in the messages, 10 in the completion).";
        assert_eq!(over_context(openai), Some((4096, 5000)));
        let vllm = "The decoder prompt (length 5000) is longer than the maximum model length of 4096.";
        assert_eq!(over_context(vllm), Some((4096, 5000)));
        let newer = "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is 4096 tokens and your request has 120 input tokens";
        assert_eq!(over_context(newer), Some((4096, 120)));
        let renderer = "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens, which exceeds this limit even without any output tokens.";
        assert_eq!(over_context(renderer), Some((4096, 4097)));
        let unread = "This model's maximum context length is 4096 tokens. However, your prompt contains 99999 characters (more than 40960 characters, which is the upper bound for 4096 input tokens).";
        assert_eq!(over_context(unread), Some((4096, 4097)));
        assert_eq!(over_context("no such model"), None);
    }

    #[test]
    fn seeds_fit_signed_numbers() {
        assert_eq!(seed(u64::MAX), i64::MAX);
        assert_eq!(seed(7), 7);
    }
}
