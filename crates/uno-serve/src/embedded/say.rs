//! Answers in OpenAI's form, whole and in events.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uno_types::{FinishReason, Generation, ModelError};

use super::request::Kind;
use crate::http::reply::{Fault, error_json};

/// Writes one answer.
pub(super) struct Teller {
    kind: Kind,
    id: String,
    created: u64,
    /// As the client named it.
    model: String,
    /// A last event with the tokens used.
    usage: bool,
}

impl Teller {
    pub(super) fn new(kind: Kind, model: String, usage: bool) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let prefix = match kind {
            Kind::Chat => "chatcmpl",
            Kind::Text => "cmpl",
        };
        Self { kind, id: format!("{prefix}-{:016x}", rand::random::<u64>()), created, model, usage }
    }

    fn object(&self, of_stream: bool, choices: Value) -> Value {
        let object = match (self.kind, of_stream) {
            (Kind::Chat, true) => "chat.completion.chunk",
            (Kind::Chat, false) => "chat.completion",
            (Kind::Text, _) => "text_completion",
        };
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices})
    }

    /// The whole answer.
    pub(super) fn whole(&self, generation: &Generation) -> String {
        let text = &generation.text;
        let mut choice = match self.kind {
            Kind::Chat => json!({"message": {"role": "assistant", "content": text}}),
            Kind::Text => json!({"text": text}),
        };
        choice["index"] = json!(0);
        choice["logprobs"] = Value::Null;
        choice["finish_reason"] = json!(finish(generation));
        let mut whole = self.object(false, json!([choice]));
        whole["usage"] = usage(generation);
        whole.to_string()
    }

    fn event(&self, delta: Value, text: &str, finish: Value, out: &mut Vec<u8>) {
        let choice = match self.kind {
            Kind::Chat => json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}),
            Kind::Text => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish}),
        };
        write(&self.object(true, json!([choice])), out);
    }

    /// The beginning of a stream.
    pub(super) fn begin(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.kind == Kind::Chat {
            self.event(json!({"role": "assistant", "content": ""}), "", Value::Null, &mut out);
        }
        out
    }

    /// Some text of a stream.
    pub(super) fn piece(&self, text: &str, out: &mut Vec<u8>) {
        self.event(json!({"content": text}), text, Value::Null, out);
    }

    /// The end of a stream. One that failed has an error as its last event and no `[DONE]`.
    pub(super) fn end(&self, result: &Result<Generation, ModelError>, out: &mut Vec<u8>) {
        match result {
            Ok(generation) => {
                self.event(json!({}), "", json!(finish(generation)), out);
                if self.usage {
                    let mut last = self.object(true, json!([]));
                    last["usage"] = usage(generation);
                    write(&last, out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Err(error) => {
                out.extend_from_slice(b"data: ");
                out.extend(error_json(Fault::Unavailable, &error.to_string()));
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}

fn write(event: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(event.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

fn finish(generation: &Generation) -> &'static str {
    match generation.finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

fn usage(generation: &Generation) -> Value {
    let Generation { prompt_tokens, completion_tokens, .. } = generation;
    json!({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
           "total_tokens": prompt_tokens + completion_tokens})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Events;

    fn generation() -> Generation {
        Generation {
            text: "Hi \"you\"\n".into(),
            finish: FinishReason::Length,
            prompt_tokens: 5,
            completion_tokens: 3,
            logprobs: None,
        }
    }

    #[test]
    fn the_gateway_reads_a_stream_as_it_reads_any_servers() {
        let teller = Teller::new(Kind::Chat, "m".into(), true);
        let mut out = teller.begin();
        teller.piece("Hi ", &mut out);
        teller.piece("\"you\"\n", &mut out);
        teller.end(&Ok(generation()), &mut out);
        let mut events = Events::default();
        events.feed(&out.clone().into());
        assert!(events.is_whole());
        assert_eq!(events.answer.text, "Hi \"you\"\n");
        assert_eq!((events.answer.prompt_tokens, events.answer.completion_tokens), (Some(5), Some(3)));
    }

    #[test]
    fn a_stream_that_failed_is_never_whole() {
        let teller = Teller::new(Kind::Chat, "m".into(), true);
        let mut out = teller.begin();
        teller.end(&Err(ModelError::Engine("it broke".into())), &mut out);
        let mut events = Events::default();
        events.feed(&out.clone().into());
        assert!(!events.is_whole());
        assert!(String::from_utf8(out).unwrap().contains("it broke"));
    }

    #[test]
    fn plain_completions_have_their_own_form() {
        let teller = Teller::new(Kind::Text, "m".into(), false);
        let whole: Value = serde_json::from_str(&teller.whole(&generation())).unwrap();
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["text"]),
            (&json!("text_completion"), &json!("Hi \"you\"\n"))
        );
        assert_eq!(whole["usage"]["total_tokens"], 8);
        let mut out = teller.begin();
        teller.piece("Hi", &mut out);
        let event: Value = serde_json::from_slice(&out[6..]).unwrap();
        assert_eq!(
            (&event["choices"][0]["text"], &event["choices"][0]["finish_reason"]),
            (&json!("Hi"), &Value::Null)
        );
    }
}
