//! How to ask a server for JSON of a schema. Servers differ, so there are several ways, from strict to merely worded; the
//! first that a server accepts is remembered. Whatever the way, the answer is checked here before anyone sees it.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `response_format: json_schema`: OpenAI, vLLM since 0.6, llama.cpp, SGLang.
    JsonSchema,
    /// `guided_json`: older vLLM.
    GuidedJson,
    /// `response_format: json_object`, the schema in words.
    JsonObject,
    /// The schema in words only.
    Words,
}

const WAYS: [Way; 4] = [Way::JsonSchema, Way::GuidedJson, Way::JsonObject, Way::Words];

/// The strictest way that the server has not turned down yet.
#[derive(Debug, Default)]
pub(crate) struct Ways(AtomicU8);

impl Ways {
    pub(crate) fn current(&self) -> Way {
        WAYS[usize::from(self.0.load(Ordering::Relaxed)).min(WAYS.len() - 1)]
    }

    /// Goes on to the way after `refused`, for all requests to come. False when there is none.
    pub(crate) fn refuse(&self, refused: Way) -> bool {
        let next = WAYS.iter().position(|w| *w == refused).map_or(WAYS.len(), |i| i + 1);
        if next >= WAYS.len() {
            return false;
        }
        // Never back: another request may have got further meanwhile.
        self.0.fetch_max(next as u8, Ordering::Relaxed);
        true
    }
}

impl Way {
    /// Adds the constraint to a chat request's body.
    pub(crate) fn apply(self, body: &mut Value, schema: &Value) {
        match self {
            Way::JsonSchema => {
                body["response_format"] =
                    json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}});
            }
            Way::GuidedJson => body["guided_json"] = schema.clone(),
            Way::JsonObject => {
                body["response_format"] = json!({"type": "json_object"});
                add_words(body, schema);
            }
            Way::Words => add_words(body, schema),
        }
    }
}

fn add_words(body: &mut Value, schema: &Value) {
    let Some(last) = body["messages"].as_array_mut().and_then(|m| m.last_mut()) else { return };
    let text = last["content"].as_str().unwrap_or_default();
    last["content"] =
        format!("{text}\n\nAnswer only with JSON that follows this JSON schema: {schema}").into();
}

/// Whether an error is about the way of asking and not about the rest of the request.
pub(crate) fn is_refusal(status: u16, message: &str) -> bool {
    const ABOUT: [&str; 8] = [
        "response_format",
        "json_schema",
        "json_object",
        "guided",
        "schema",
        "grammar",
        "structured",
        "extra",
    ];
    let message = message.to_lowercase();
    matches!(status, 400 | 422 | 501) && ABOUT.iter().any(|word| message.contains(word))
}

/// The JSON of an answer that wraps it in a code fence, as models do that only have the words to go by.
pub(crate) fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_go_from_strict_to_loose_and_never_back() {
        let ways = Ways::default();
        assert_eq!(ways.current(), Way::JsonSchema);
        assert!(ways.refuse(Way::GuidedJson));
        assert!(ways.refuse(Way::JsonSchema));
        assert_eq!(ways.current(), Way::JsonObject);
        assert!(ways.refuse(Way::JsonObject));
        assert!(!ways.refuse(Way::Words));
        assert_eq!(ways.current(), Way::Words);
    }

    #[test]
    fn only_errors_about_the_constraint_are_refusals() {
        assert!(is_refusal(400, "response_format json_schema is not supported"));
        assert!(is_refusal(422, "Extra inputs are not permitted: guided_json"));
        assert!(!is_refusal(400, "maximum context length is 10 tokens"));
        assert!(!is_refusal(500, "response_format"));
    }

    #[test]
    fn fences_are_taken_off() {
        assert_eq!(unfenced("```json\n{\"n\": 3}\n```"), "{\"n\": 3}");
        assert_eq!(unfenced(" {} \n"), "{}");
        assert_eq!(unfenced("```"), "```");
    }
}
