//! Reading along in an answer: the text, why it ended, and the tokens used. What cannot be understood is left out; the
//! client gets every byte either way.

use bytes::Bytes;
use serde::Deserialize;

/// Longest line of a stream that is looked into, and longest answer that is kept, bytes.
const LONGEST: usize = 1 << 20;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text of the first choice.
    pub text: String,
    /// Why it ended, in the server's word.
    pub finish: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens generated.
    pub completion_tokens: Option<u64>,
    /// Whether tools were called.
    pub tool_calls: bool,
    /// Something was left out because it was too long.
    pub cut: bool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    #[serde(alias = "message")]
    delta: Option<Delta>,
    /// Of plain completions.
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Answer {
    /// Reads a whole JSON answer.
    pub fn of_json(body: &[u8]) -> Self {
        let mut out = Self::default();
        out.add(body);
        out
    }

    fn add(&mut self, json: &[u8]) {
        let Ok(chunk) = serde_json::from_slice::<Chunk>(json) else { return };
        if let Some(usage) = chunk.usage {
            self.prompt_tokens = usage.prompt_tokens.or(self.prompt_tokens);
            self.completion_tokens = usage.completion_tokens.or(self.completion_tokens);
        }
        for choice in chunk.choices.into_iter().filter(|c| c.index == 0) {
            let (content, tools) = choice.delta.map_or((None, None), |d| (d.content, d.tool_calls));
            self.tool_calls |= tools.is_some();
            let text = content.or(choice.text).unwrap_or_default();
            if self.text.len() + text.len() <= LONGEST {
                self.text.push_str(&text);
            } else {
                self.cut = true;
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
    }
}

/// Reads server-sent events piece by piece.
#[derive(Debug, Default)]
pub struct Events {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    skipping: bool,
    /// What was read so far.
    pub answer: Answer,
    /// `[DONE]` was seen.
    pub done: bool,
}

impl Events {
    /// Reads the next piece.
    pub fn feed(&mut self, bytes: &Bytes) {
        let mut rest: &[u8] = bytes;
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            let (head, tail) = (&rest[..at], &rest[at + 1..]);
            if self.line.is_empty() {
                if !self.skipping {
                    self.take(head);
                }
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.take(&line);
            }
            self.skipping = false;
            rest = tail;
        }
        if self.skipping || self.line.len() + rest.len() > LONGEST {
            self.line = Vec::new();
            self.skipping = true;
            self.answer.cut = true;
        } else {
            self.line.extend_from_slice(rest);
        }
    }

    /// Whether the answer is complete: the server said so, or gave the reason why it ended.
    pub fn is_whole(&self) -> bool {
        self.done || self.answer.finish.is_some()
    }

    fn take(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        if data == b"[DONE]" {
            self.done = true;
        } else {
            self.answer.add(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = concat!(
        ": comment\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Grüß \"}}]}\r\n\r\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}\n\n",
        "data: not json\n\n",
        "data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Gott\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
    );

    fn read(pieces: &[&[u8]]) -> Events {
        let mut events = Events::default();
        pieces.iter().for_each(|p| events.feed(&Bytes::copy_from_slice(p)));
        events
    }

    #[test]
    fn a_json_answer_is_read() {
        let answer = Answer::of_json(
            br#"{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{}]},"finish_reason":"tool_calls"}],
                "usage":{"prompt_tokens":1,"completion_tokens":2},"else":[1]}"#,
        );
        assert_eq!((answer.finish.as_deref(), answer.tool_calls), (Some("tool_calls"), true));
        assert_eq!((answer.prompt_tokens, answer.completion_tokens), (Some(1), Some(2)));
        assert_eq!(Answer::of_json(b"<html>"), Answer::default());
        assert_eq!(Answer::of_json(br#"{"choices":[{"text":"abc"}]}"#).text, "abc");
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut events = Events::default();
        for _ in 0..100 {
            events.feed(&Bytes::from(vec![b'x'; 64 << 10]));
        }
        assert!(events.line.len() <= LONGEST && events.answer.cut);
        events.feed(&Bytes::from_static(b"\ndata: [DONE]\n"));
        assert!(events.done);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0..STREAM.len(), 0..9)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let bytes = STREAM.as_bytes();
            let ends = cuts.iter().copied().chain([bytes.len()]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            let pieces: Vec<&[u8]> = starts.zip(ends).map(|(a, b)| &bytes[a..b]).collect();
            let events = read(&pieces);
            prop_assert_eq!(events.answer.text.as_str(), "Grüß Gott");
            prop_assert!(events.done && events.is_whole());
            prop_assert_eq!(events.answer.completion_tokens, Some(2));
        }
    }
}
