//! Linked notes, after the description of A-Mem: a note per message with keywords, context and tags that the model adds;
//! notes that lie near each other are linked; a question is turned into keywords, and the nearest notes are recalled with
//! those that they link to.
//!
//! Simplified: links follow from the embeddings (A-Mem asks the model which notes to link), and older notes are not
//! rewritten when new ones come.

use serde::Deserialize;
use serde_json::json;
use uno_learn::generate::{parse_json, run};
use uno_types::{Constraint, GenerationRequest, Lang, Message, Record, Sampling};

use super::dense::{embed, nearest};
use super::{BaselineError, Memory, Question, RECALLED, Tools};

const NAME: &str = "a_mem";
/// Cosine from which two notes are linked.
const LINK: f32 = 0.6;
/// Links of a note.
const LINKS: usize = 2;
/// Characters of a message that the model sees when it makes the note.
const SEEN: usize = 400;

/// The notes.
#[derive(Default)]
pub struct AMem {
    notes: Vec<String>,
    vectors: Vec<Vec<f32>>,
    links: Vec<Vec<usize>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Note {
    keywords: Vec<String>,
    context: String,
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Keywords {
    keywords: Vec<String>,
}

impl Memory for AMem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn simplified(&self) -> &'static str {
        "links by embedding, not by the model; older notes are not rewritten"
    }

    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError> {
        let messages: Vec<(&Message, Lang)> =
            logs.iter().flat_map(|r| r.messages.iter().map(|m| (m, r.lang))).collect();
        let requests: Vec<GenerationRequest> =
            messages.iter().map(|(m, lang)| note_request(&m.content, *lang)).collect();
        let made = run(NAME, tools.chat, &requests, &mut |_, _| {})?;
        let mut texts = Vec::new();
        for ((message, _), result) in messages.iter().zip(made) {
            let note: Note = result.ok().and_then(|g| parse_json(&g.text)).unwrap_or_default();
            texts.push(format!(
                "Speaker {} says: {}\nmemory context: {}\nmemory keywords: {}\nmemory tags: {}",
                message.role.as_str(),
                message.content,
                note.context,
                note.keywords.join(", "),
                note.tags.join(", ")
            ));
        }
        let vectors = embed(NAME, &texts.iter().map(String::as_str).collect::<Vec<_>>(), tools)?;
        for (text, vector) in texts.into_iter().zip(vectors) {
            let near =
                nearest(&vector, &self.vectors, LINKS).into_iter().filter(|(_, cosine)| *cosine >= LINK);
            let near: Vec<usize> = near.map(|(i, _)| i).collect();
            for &other in &near {
                if self.links[other].len() < LINKS {
                    self.links[other].push(self.notes.len());
                }
            }
            self.links.push(near);
            self.notes.push(text);
            self.vectors.push(vector);
        }
        Ok(())
    }

    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let requests: Vec<GenerationRequest> =
            questions.iter().map(|q| keyword_request(q.text(), q.lang)).collect();
        let keywords = run(NAME, tools.chat, &requests, &mut |_, _| {})?;
        let query = |(question, result): (&Question, Result<uno_types::Generation, _>)| {
            let found: Option<Keywords> = result.ok().and_then(|g| parse_json(&g.text));
            let found = found.map(|k| k.keywords.join(", ")).filter(|text| !text.trim().is_empty());
            found.unwrap_or_else(|| question.text().to_owned())
        };
        let queries: Vec<String> = questions.iter().zip(keywords).map(query).collect();
        let vectors = embed(NAME, &queries.iter().map(String::as_str).collect::<Vec<_>>(), tools)?;
        Ok(vectors.iter().map(|query| self.recalled(query)).collect())
    }
}

impl AMem {
    /// The nearest notes, each followed by those it links to, without repetition.
    fn recalled(&self, query: &[f32]) -> Vec<String> {
        let mut order: Vec<usize> = Vec::new();
        for (i, _) in nearest(query, &self.vectors, RECALLED) {
            for j in std::iter::once(i).chain(self.links[i].iter().copied()) {
                if !order.contains(&j) {
                    order.push(j);
                }
            }
        }
        order.truncate(2 * RECALLED);
        order.into_iter().map(|i| self.notes[i].clone()).collect()
    }
}

/// A JSON answer of `schema` to `instruction` about `text`.
pub(super) fn ask(
    instruction: &str,
    text: &str,
    max_tokens: usize,
    schema: serde_json::Value,
) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(format!("{instruction}\n\n{text}"))],
        adapter: None,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 42 },
        max_tokens,
        constraint: Some(Constraint::JsonSchema(schema)),
        logprobs: false,
    }
}

/// A list of at most `n` texts in a JSON schema.
pub(super) fn texts_schema(n: usize) -> serde_json::Value {
    json!({"type": "array", "items": {"type": "string", "maxLength": 120}, "maxItems": n})
}

fn note_request(text: &str, lang: Lang) -> GenerationRequest {
    let instruction = match lang {
        Lang::En => {
            "Describe this message for a memory: a few keywords, its context in one sentence, a few tags."
        }
        Lang::Zh => "请为记忆描述这条消息：几个关键词、一句话的背景、几个标签。",
    };
    let schema = json!({
        "type": "object",
        "properties": {"keywords": texts_schema(4), "context": {"type": "string", "maxLength": 120}, "tags": texts_schema(3)},
        "required": ["keywords", "context", "tags"],
        "additionalProperties": false,
    });
    ask(instruction, &text.chars().take(SEEN).collect::<String>(), 96, schema)
}

fn keyword_request(text: &str, lang: Lang) -> GenerationRequest {
    let instruction = match lang {
        Lang::En => "Give a few keywords to search a memory for what helps to answer this question.",
        Lang::Zh => "请给出几个关键词，用来在记忆中查找有助于回答这个问题的内容。",
    };
    let schema = json!({
        "type": "object",
        "properties": {"keywords": texts_schema(5)},
        "required": ["keywords"],
        "additionalProperties": false,
    });
    ask(instruction, &text.chars().take(SEEN).collect::<String>(), 48, schema)
}
