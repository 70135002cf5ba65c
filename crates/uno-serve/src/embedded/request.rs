//! What a request asks of the embedded engine. What the engine cannot do is refused, not ignored.

use serde::Deserialize;
use serde_json::{Value, json};
use uno_models::embedded::LiveRequest;
use uno_types::{AdapterRef, Constraint, GenerationRequest, Message, Sampling};

use super::FindAdapter;
use crate::chat::Peek;
use crate::http::reply::Fault;

/// Most tokens of a chat's answer where the request does not say.
const CHAT_TOKENS: usize = 512;
/// Most tokens of a plain completion where the request does not say, as OpenAI has it.
const TEXT_TOKENS: usize = 16;

/// Which of OpenAI's two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Text,
}

/// The fields that the engine knows, or knows that it cannot do.
#[derive(Deserialize)]
struct Fields {
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    stop: Option<OneOrMany>,
    response_format: Option<Value>,
    stream_options: Option<Value>,
    /// A boolean in chats, a number in plain completions.
    logprobs: Option<Value>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    logit_bias: Option<Value>,
    top_k: Option<i64>,
    best_of: Option<u64>,
    echo: Option<bool>,
    suffix: Option<String>,
    prompt: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(this: Option<Self>) -> Vec<String> {
        match this {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        }
    }
}

/// A request, understood.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) live: LiveRequest,
    /// As the client named it.
    pub(super) model: String,
    pub(super) stream: bool,
    /// A last event with the tokens used.
    pub(super) usage: bool,
}

type Wrong = (Fault, String);

fn invalid(message: impl Into<String>) -> Wrong {
    (Fault::Invalid, message.into())
}

impl Wanted {
    pub(super) fn read(kind: Kind, body: &[u8], base: &str, find: &FindAdapter) -> Result<Self, Wrong> {
        let peek = Peek::parse(body).map_err(invalid)?;
        let fields: Fields = serde_json::from_slice(body).map_err(|e| invalid(e.to_string()))?;
        fields.check(peek.many)?;
        let adapter = match peek.model.as_ref() {
            name if name == base => None,
            name => Some(
                find(name).ok_or_else(|| (Fault::NotFound, format!("the model `{name}` does not exist")))?,
            ),
        };
        let (stream, model) = (peek.stream, peek.model.to_string());
        let usage = fields.stream_options.as_ref().is_some_and(|o| o["include_usage"] == true);
        let live = match kind {
            Kind::Chat => {
                let talk = peek.talk().map_err(invalid)?;
                for (asked, what) in [(talk.tools, "tools"), (talk.media, "images, sounds and files")] {
                    if asked {
                        return Err(cannot(what));
                    }
                }
                fields.live(talk.messages, None, adapter, CHAT_TOKENS)?
            }
            Kind::Text => {
                let mut fields = fields;
                let prompt = match OneOrMany::all(fields.prompt.take()).as_slice() {
                    [one] => one.clone(),
                    [] => return Err(invalid("there is no prompt")),
                    _ => return Err(cannot("several prompts in a request")),
                };
                fields.live(Vec::new(), Some(prompt), adapter, TEXT_TOKENS)?
            }
        };
        Ok(Self { live, model, stream, usage })
    }
}

impl Fields {
    /// Refuses what the engine cannot do.
    fn check(&self, many: bool) -> Result<(), Wrong> {
        let some = |value: &Option<Value>| {
            value.as_ref().is_some_and(|v| !matches!(v, Value::Null | Value::Bool(false)) && *v != json!({}))
        };
        let penalty = |value: Option<f32>| value.is_some_and(|v| v != 0.0);
        for (asked, what) in [
            (many || self.best_of.is_some_and(|n| n > 1), "several answers (n, best_of)"),
            (some(&self.logprobs), "logprobs"),
            (some(&self.logit_bias), "logit_bias"),
            (penalty(self.presence_penalty) || penalty(self.frequency_penalty), "penalties"),
            (self.top_k.is_some_and(|k| k > 0), "top_k"),
            (self.echo == Some(true), "echo"),
            (self.suffix.as_ref().is_some_and(|s| !s.is_empty()), "suffix"),
        ] {
            if asked {
                return Err(cannot(what));
            }
        }
        Ok(())
    }

    fn live(
        self,
        messages: Vec<Message>,
        text: Option<String>,
        adapter: Option<AdapterRef>,
        tokens: usize,
    ) -> Result<LiveRequest, Wrong> {
        let constraint = match &self.response_format {
            None | Some(Value::Null) => None,
            Some(format) => match format["type"].as_str() {
                Some("text") => None,
                Some("json_object") => Some(json!({"type": "object"})),
                Some("json_schema") => match format.pointer("/json_schema/schema") {
                    Some(schema) => Some(schema.clone()),
                    None => return Err(invalid("response_format: json_schema needs json_schema.schema")),
                },
                _ => return Err(cannot("such a response_format")),
            },
        };
        let request = GenerationRequest {
            messages,
            adapter,
            sampling: Sampling {
                temperature: self.temperature.unwrap_or(1.0),
                top_p: self.top_p.unwrap_or(1.0),
                seed: self.seed.map_or_else(rand::random, i64::unsigned_abs),
            },
            max_tokens: self.max_completion_tokens.or(self.max_tokens).unwrap_or(tokens),
            constraint: constraint.map(Constraint::JsonSchema),
            logprobs: false,
        };
        Ok(LiveRequest { request, text, stop: OneOrMany::all(self.stop) })
    }
}

fn cannot(what: &str) -> Wrong {
    invalid(format!("the embedded engine has no {what}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn read(kind: Kind, body: &str) -> Result<Wanted, Wrong> {
        let find: FindAdapter =
            Arc::new(|name| (name == "a").then(|| AdapterRef { name: "a".into(), dir: "d".into() }));
        Wanted::read(kind, body.as_bytes(), "base", &find)
    }

    #[test]
    fn fields_are_read_and_what_cannot_be_done_is_refused() {
        let wanted = read(
            Kind::Chat,
            r#"{"model":"a","messages":[{"role":"user","content":"q"}],"max_tokens":7,"temperature":0,"seed":-3,
                "stop":["\n\n","END"],"stream":true,"stream_options":{"include_usage":true},"presence_penalty":0}"#,
        )
        .unwrap();
        let request = &wanted.live.request;
        assert_eq!(request.adapter.as_ref().unwrap().name, "a");
        assert_eq!((request.max_tokens, request.sampling.seed, wanted.usage), (7, 3, true));
        assert_eq!(wanted.live.stop, ["\n\n", "END"]);
        let base =
            read(Kind::Chat, r#"{"model":"base","messages":[],"response_format":{"type":"json_object"}}"#);
        let base = base.unwrap().live.request;
        assert!(base.adapter.is_none() && base.constraint.is_some());
        assert_eq!(read(Kind::Chat, r#"{"model":"b","messages":[]}"#).unwrap_err().0, Fault::NotFound);
        for refused in [
            r#""tools":[{}]"#,
            r#""n":2"#,
            r#""logprobs":true"#,
            r#""temperature":"hot""#,
            r#""frequency_penalty":0.5"#,
            r#""logit_bias":{"7":1}"#,
            r#""top_k":5"#,
            r#""response_format":{"type":"grammar"}"#,
            r#""response_format":{"type":"json_schema"}"#,
        ] {
            let body = format!(r#"{{"model":"base","messages":[],{refused}}}"#);
            assert_eq!(read(Kind::Chat, &body).unwrap_err().0, Fault::Invalid, "{refused}");
        }
    }

    #[test]
    fn a_plain_completion_has_one_prompt() {
        let wanted = read(Kind::Text, r#"{"model":"base","prompt":["once"],"stop":"."}"#).unwrap();
        assert_eq!(
            (wanted.live.text.as_deref(), wanted.live.request.max_tokens),
            (Some("once"), TEXT_TOKENS)
        );
        for refused in
            [r#""prompt":["a","b"]"#, r#""prompt":[1,2]"#, r#""prompt":"a","echo":true"#, r#""x":1"#]
        {
            let body = format!(r#"{{"model":"base",{refused}}}"#);
            assert_eq!(read(Kind::Text, &body).unwrap_err().0, Fault::Invalid, "{refused}");
        }
    }
}
