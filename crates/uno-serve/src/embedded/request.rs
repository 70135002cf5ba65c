//! What a chat request asks of the embedded engine. What the engine cannot do is refused, not ignored.

use serde::Deserialize;
use serde_json::Value;
use uno_types::{Constraint, GenerationRequest, Sampling};

use super::FindAdapter;
use crate::chat::Peek;
use crate::http::reply::Fault;

/// Most tokens of an answer where the request does not say.
const DEFAULT_TOKENS: usize = 512;

/// The fields that the engine knows.
#[derive(Deserialize)]
struct Fields {
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    response_format: Option<Value>,
    stream_options: Option<Value>,
    logprobs: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

/// A request, understood.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) request: GenerationRequest,
    /// As the client named it.
    pub(super) model: String,
    pub(super) stream: bool,
    /// A last event with the tokens used.
    pub(super) usage: bool,
    stop: Vec<String>,
}

impl Wanted {
    pub(super) fn read(body: &[u8], base: &str, find: &FindAdapter) -> Result<Self, (Fault, String)> {
        let invalid = |message: String| (Fault::Invalid, message);
        let peek = Peek::parse(body).map_err(invalid)?;
        let fields: Fields = serde_json::from_slice(body).map_err(|e| invalid(e.to_string()))?;
        let talk = peek.talk().map_err(invalid)?;
        for (asked, what) in [
            (talk.tools, "tools"),
            (talk.media, "images, sounds and files"),
            (peek.many, "several answers (n)"),
            (fields.logprobs == Some(true), "logprobs"),
        ] {
            if asked {
                return Err(invalid(format!("the embedded engine has no {what}")));
            }
        }
        let adapter = match peek.model.as_ref() {
            name if name == base => None,
            name => Some(
                find(name).ok_or_else(|| (Fault::NotFound, format!("the model `{name}` does not exist")))?,
            ),
        };
        let constraint =
            fields.response_format.as_ref().and_then(|f| f.pointer("/json_schema/schema")).cloned();
        Ok(Self {
            request: GenerationRequest {
                messages: talk.messages,
                adapter,
                sampling: Sampling {
                    temperature: fields.temperature.unwrap_or(1.0),
                    top_p: fields.top_p.unwrap_or(1.0),
                    seed: fields.seed.map_or_else(rand::random, i64::unsigned_abs),
                },
                max_tokens: fields.max_completion_tokens.or(fields.max_tokens).unwrap_or(DEFAULT_TOKENS),
                constraint: constraint.map(Constraint::JsonSchema),
                logprobs: false,
            },
            model: peek.model.into_owned(),
            stream: peek.stream,
            usage: fields.stream_options.is_some_and(|o| o["include_usage"] == true),
            stop: match fields.stop {
                None => Vec::new(),
                Some(Stop::One(stop)) => vec![stop],
                Some(Stop::Many(stops)) => stops,
            },
        })
    }

    /// The text up to the first of the request's stops, and whether there was one.
    pub(super) fn until_stop<'a>(&self, text: &'a str) -> (&'a str, bool) {
        let stops = self.stop.iter().filter(|s| !s.is_empty());
        match stops.filter_map(|s| text.find(s.as_str())).min() {
            Some(at) => (&text[..at], true),
            None => (text, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uno_types::AdapterRef;

    use super::*;

    fn read(body: &str) -> Result<Wanted, (Fault, String)> {
        let find: FindAdapter =
            Arc::new(|name| (name == "a").then(|| AdapterRef { name: "a".into(), dir: "d".into() }));
        Wanted::read(body.as_bytes(), "base", &find)
    }

    #[test]
    fn fields_are_read_and_what_cannot_be_done_is_refused() {
        let wanted = read(
            r#"{"model":"a","messages":[{"role":"user","content":"q"}],"max_tokens":7,"temperature":0,"seed":-3,
                "stop":["\n\n","END"],"stream":true,"stream_options":{"include_usage":true}}"#,
        )
        .unwrap();
        assert_eq!(wanted.request.adapter.as_ref().unwrap().name, "a");
        assert_eq!((wanted.request.max_tokens, wanted.request.sampling.seed, wanted.usage), (7, 3, true));
        assert_eq!(wanted.until_stop("one END two\n\n"), ("one ", true));
        assert_eq!(wanted.until_stop("one"), ("one", false));
        assert!(read(r#"{"model":"base","messages":[]}"#).unwrap().request.adapter.is_none());
        assert_eq!(read(r#"{"model":"b","messages":[]}"#).unwrap_err().0, Fault::NotFound);
        for refused in [
            r#"{"model":"base","messages":[],"tools":[{}]}"#,
            r#"{"model":"base","messages":[],"n":2}"#,
            r#"{"model":"base","messages":[],"logprobs":true}"#,
            r#"{"model":"base","messages":[],"temperature":"hot"}"#,
        ] {
            assert_eq!(read(refused).unwrap_err().0, Fault::Invalid, "{refused}");
        }
    }
}
