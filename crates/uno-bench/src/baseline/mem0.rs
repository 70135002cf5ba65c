//! Extracted facts that are updated, after the description of Mem0: the model reads each dialogue and states facts about
//! what the user wants; a fact that says what an older one says replaces it or is dropped; the nearest facts are recalled.
//!
//! Simplified: whether a fact is new, an update or known is decided by the cosine with the nearest older fact (Mem0 asks
//! the model for add, update, delete or none).

use serde::Deserialize;
use serde_json::json;
use uno_learn::generate::{parse_json, run};
use uno_types::{GenerationRequest, Lang, Record};

use super::a_mem::{ask, texts_schema};
use super::dense::{embed, nearest};
use super::{BaselineError, Frame, Memory, Question, Tools};

const NAME: &str = "mem0";
/// From here a fact is known already.
const KNOWN: f32 = 0.95;
/// From here it replaces the older one.
const UPDATE: f32 = 0.85;
/// Facts recalled at most (Mem0's default).
const RECALLED: usize = 10;
/// Characters of a dialogue that the model sees.
const SEEN: usize = 1200;
/// Facts of one dialogue at most.
const FACTS: usize = 3;

/// The facts.
#[derive(Default)]
pub struct Mem0 {
    facts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Reply {
    facts: Vec<String>,
}

/// Facts that the model states about each dialogue; none where it fails.
pub(super) fn facts(
    name: &'static str,
    logs: &[Record],
    tools: &Tools<'_>,
) -> Result<Vec<Vec<String>>, BaselineError> {
    let requests: Vec<GenerationRequest> = logs.iter().map(request).collect();
    let made = run(name, tools.chat, &requests, &mut |_, _| {})?;
    let parsed = made.into_iter().map(|result| {
        let reply: Option<Reply> = result.ok().and_then(|g| parse_json(&g.text));
        let facts = reply.map(|r| r.facts).unwrap_or_default();
        facts.into_iter().filter(|fact| !fact.trim().is_empty()).take(FACTS).collect()
    });
    Ok(parsed.collect())
}

fn request(record: &Record) -> GenerationRequest {
    let instruction = match record.lang {
        Lang::En => {
            "Read this conversation and state, in short sentences, facts about the user's wishes and preferences that help \
             in later conversations. An empty list is right when there are none."
        }
        Lang::Zh => {
            "请阅读这段对话，用短句写出有助于以后对话的、关于用户愿望和偏好的事实。没有则返回空列表。"
        }
    };
    // The end of a dialogue says what the user wanted; the beginning what it was about.
    let (mut first, mut rest) = (String::new(), String::new());
    for (i, m) in record.messages.iter().enumerate() {
        let short: String = m.content.chars().take(SEEN / 4).collect();
        let target = if i < 2 { &mut first } else { &mut rest };
        target.push_str(&format!("{}: {short}\n", m.role.as_str()));
    }
    let text: String = first.chars().take(SEEN / 2).chain(rest.chars().take(SEEN / 2)).collect();
    let schema = json!({
        "type": "object",
        "properties": {"facts": texts_schema(FACTS)},
        "required": ["facts"],
        "additionalProperties": false,
    });
    ask(instruction, &text, 96, schema)
}

impl Memory for Mem0 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn simplified(&self) -> &'static str {
        "add, update or drop by cosine with the nearest fact, not by the model"
    }

    fn frame(&self) -> Frame {
        Frame::Memories
    }

    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError> {
        let new: Vec<String> = facts(NAME, logs, tools)?.into_iter().flatten().collect();
        let vectors = embed(NAME, &new.iter().map(String::as_str).collect::<Vec<_>>(), tools)?;
        for (fact, vector) in new.into_iter().zip(vectors) {
            match nearest(&vector, &self.vectors, 1).first() {
                Some(&(_, cosine)) if cosine >= KNOWN => {}
                Some(&(i, cosine)) if cosine >= UPDATE => {
                    self.facts[i] = fact;
                    self.vectors[i] = vector;
                }
                _ => {
                    self.facts.push(fact);
                    self.vectors.push(vector);
                }
            }
        }
        Ok(())
    }

    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let texts: Vec<&str> = questions.iter().map(Question::text).collect();
        let recall = |query: &Vec<f32>| {
            let found = nearest(query, &self.vectors, RECALLED);
            found.into_iter().map(|(i, _)| self.facts[i].clone()).collect()
        };
        Ok(embed(NAME, &texts, tools)?.iter().map(recall).collect())
    }
}
