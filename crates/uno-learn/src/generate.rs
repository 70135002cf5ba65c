//! Runs a stage's batch of requests and hands back one result per request, in order.

use serde::de::DeserializeOwned;
use uno_types::{ChatModel, Constraint, Generation, GenerationRequest, Message, ModelError, Sampling};

use crate::LearnError;

/// Told (finished, total) after each finished request of a batch.
pub type OnProgress<'a> = dyn FnMut(usize, usize) + 'a;

/// One result per request, in the order of the requests. Failures of single requests stay in their places.
///
/// # Errors
/// [`LearnError::Model`] when the model is lost altogether; what was answered until then is in the caller's cache.
pub fn run(
    stage: &'static str,
    model: &dyn ChatModel,
    requests: &[GenerationRequest],
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<Result<Generation, ModelError>>, LearnError> {
    let mut results: Vec<Option<Result<Generation, ModelError>>> = vec![None; requests.len()];
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let mut finished = 0;
    model
        .generate(requests, &mut |index, result| {
            if let Some(slot) = results.get_mut(index) {
                finished += usize::from(slot.is_none());
                *slot = Some(result);
                on_progress(finished, requests.len());
            }
        })
        .map_err(|source| LearnError::Model { stage, source })?;
    let unanswered = || Err(ModelError::Upstream("the model gave no answer to this request".into()));
    Ok(results.into_iter().map(|r| r.unwrap_or_else(unanswered)).collect())
}

/// A request to the base model without log-probabilities.
pub(crate) fn request(messages: Vec<Message>, sampling: Sampling, max_tokens: usize) -> GenerationRequest {
    GenerationRequest { messages, adapter: None, sampling, max_tokens, constraint: None, logprobs: false }
}

/// A request whose answer is a JSON document of `schema`.
pub(crate) fn json_request(
    messages: Vec<Message>,
    sampling: Sampling,
    max_tokens: usize,
    schema: serde_json::Value,
) -> GenerationRequest {
    GenerationRequest {
        constraint: Some(Constraint::JsonSchema(schema)),
        ..request(messages, sampling, max_tokens)
    }
}

/// The JSON object in a generated text. Servers without constrained decoding wrap it in prose or a code fence, so
/// everything outside the outermost braces is ignored; a text cut off in the middle gives `None`.
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    serde_json::from_str(text.get(start..=end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn json_is_found_in_prose_and_fences_and_cut_text_is_refused() {
        assert_eq!(parse_json::<Value>("```json\n{\"a\":1}\n```"), Some(json!({"a": 1})));
        assert_eq!(parse_json::<Value>("Sure: {\"a\":{\"b\":[]}} ok"), Some(json!({"a": {"b": []}})));
        for bad in ["", "{\"a\":1", "}{", "no", "{\"a\":}"] {
            assert_eq!(parse_json::<Value>(bad), None, "{bad}");
        }
    }
}
