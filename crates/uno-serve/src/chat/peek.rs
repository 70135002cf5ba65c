//! What the gateway looks at in a request's body. Nothing is written anew: the body goes on as it came, but for the
//! model's name where the plan names another.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use uno_types::{Message, Role};

/// The fields that matter here; all others are skipped over.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    functions: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
}

/// A request's body, looked at.
pub struct Peek<'a> {
    /// The model's name; empty when there is none.
    pub model: Cow<'a, str>,
    /// Where the name stands, quotes included.
    model_at: Option<Range<usize>>,
    /// The answer is to be streamed.
    pub stream: bool,
    /// More than one answer is wanted.
    pub many: bool,
    /// Tools are offered.
    pub tools: bool,
    /// The user that the application names.
    pub user: Option<Cow<'a, str>>,
    messages: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// The conversation of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// The turns' texts.
    pub messages: Vec<Message>,
    /// There are images, sounds or files in it.
    pub media: bool,
    /// Tools were called in it.
    pub tools: bool,
}

impl<'a> Peek<'a> {
    /// Looks at a body.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(body: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|e| format!("the body is not UTF-8: {e}"))?;
        let fields: Fields<'a> =
            serde_json::from_str(text).map_err(|e| format!("the body is not what it should be: {e}"))?;
        let wanted = |raw: Option<&RawValue>| raw.is_some_and(|r| !matches!(r.get(), "null" | "[]" | "{}"));
        let text_of = |raw: &'a RawValue| serde_json::from_str::<Text<'a>>(raw.get()).ok().map(|t| t.0);
        let model_at = fields.model.map(|raw| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        });
        Ok(Self {
            model: fields.model.and_then(text_of).unwrap_or_default(),
            model_at,
            stream: fields.stream.is_some_and(|r| r.get() == "true"),
            many: fields.n.is_some_and(|r| !matches!(r.get(), "1" | "null")),
            tools: wanted(fields.tools) || wanted(fields.functions),
            user: fields.user.and_then(text_of),
            messages: fields.messages,
        })
    }

    /// The body with another model's name in the place of the one it has. Everything else stays byte by byte.
    pub fn with_model(&self, body: &Bytes, name: &str) -> Bytes {
        let Some(at) = &self.model_at else { return body.clone() };
        let quoted = serde_json::Value::from(name).to_string();
        let mut out = BytesMut::with_capacity(body.len() + quoted.len());
        out.extend_from_slice(&body[..at.start]);
        out.extend_from_slice(quoted.as_bytes());
        out.extend_from_slice(&body[at.end..]);
        out.freeze()
    }

    /// Reads the conversation.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn talk(&self) -> Result<Talk, String> {
        let Some(messages) = self.messages else { return Err("there are no messages".into()) };
        let turns: Vec<Turn<'_>> =
            serde_json::from_str(messages.get()).map_err(|e| format!("messages: {e}"))?;
        let mut talk = Talk { tools: self.tools, ..Talk::default() };
        for turn in turns {
            let role = match turn.role.as_ref() {
                "system" | "developer" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => Role::Tool,
            };
            talk.tools |=
                role == Role::Tool || turn.tool_calls.is_some_and(|r| !matches!(r.get(), "null" | "[]"));
            let text = turn.content.map_or(String::new(), |raw| content(raw, &mut talk.media));
            talk.messages.push(Message::new(role, text));
        }
        Ok(talk)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of a turn: as it is, or the joined texts of its parts.
fn content(raw: &RawValue, media: &mut bool) -> String {
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return text;
    }
    let parts: Vec<Part<'_>> = match serde_json::from_str(raw.get()) {
        Ok(parts) => parts,
        Err(_) => {
            *media |= raw.get() != "null";
            return String::new();
        }
    };
    *media |= parts.iter().any(|p| p.kind.as_deref() != Some("text"));
    let texts: Vec<&str> = parts.iter().filter_map(|p| p.text.as_deref()).collect();
    texts.join("\n")
}

impl Talk {
    /// The first turn of the user, which decides the route; empty when there is none.
    pub fn question(&self) -> &str {
        self.messages.iter().find(|m| m.role == Role::User).map_or("", |m| &m.content)
    }

    /// Whether the user speaks for the first time.
    pub fn is_first(&self) -> bool {
        self.messages.iter().filter(|m| m.role == Role::User).count() <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_name_is_replaced_and_nothing_else() {
        let body = Bytes::from_static(
            b" { \"x\" : [1.50, {\"model\":1}], \"model\" : \"u\\u006eo\",\n\"stream\":true}",
        );
        let peek = Peek::parse(&body).unwrap();
        assert_eq!((peek.model.as_ref(), peek.stream), ("uno", true));
        let out = peek.with_model(&body, "a\"b");
        assert_eq!(out, &b" { \"x\" : [1.50, {\"model\":1}], \"model\" : \"a\\\"b\",\n\"stream\":true}"[..]);
    }

    #[test]
    fn conversations_are_read_in_all_their_forms() {
        let body = br#"{"messages":[{"role":"developer","content":"be kind"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},{"role":"user","content":"c"}]}"#;
        let talk = Peek::parse(body).unwrap().talk().unwrap();
        assert_eq!((talk.question(), talk.is_first(), talk.tools, talk.media), ("a\nb", false, true, false));
        assert_eq!(talk.messages[0], Message::system("be kind"));
        let body =
            br#"{"tools":[],"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#;
        let talk = Peek::parse(body).unwrap().talk().unwrap();
        assert_eq!((talk.question(), talk.is_first(), talk.tools, talk.media), ("", true, false, true));
        for wrong in [&b"[]"[..], b"{", b"\"\xff\"", br#"{"model":1,"model":2}"#, b"", b"{\"a\":\xff}"] {
            assert!(Peek::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Peek::parse(b"{}").unwrap().talk().is_err());
        assert!(Peek::parse(br#"{"messages":[1]}"#).unwrap().talk().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Peek::parse(&body).map(|p| p.talk());
        }

        #[test]
        fn any_name_comes_out_as_it_went_in(name in ".*", other in ".*") {
            let body = Bytes::from(serde_json::json!({"a": other, "model": "uno", "z": [1, null]}).to_string());
            let out = Peek::parse(&body).unwrap().with_model(&body, &name);
            let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(out, serde_json::json!({"a": other, "model": name, "z": [1, null]}));
        }
    }
}
