//! Test doubles of the model traits: they answer as the test says.

use std::sync::Mutex;

use uno_types::role::OnGeneration;
use uno_types::{
    ChatModel, Embedder, FinishReason, Generation, GenerationRequest, Message, ModelError, Record, Role,
    Rule, RuleSet, Source,
};

type Answer = Result<String, ModelError>;

/// Answers each request by a function of it, and remembers all requests.
pub struct Scripted<F> {
    answer: F,
    pub seen: Mutex<Vec<GenerationRequest>>,
}

impl<F: Fn(&GenerationRequest) -> Answer + Send + Sync> Scripted<F> {
    pub fn new(answer: F) -> Self {
        Self { answer, seen: Mutex::new(Vec::new()) }
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl<F: Fn(&GenerationRequest) -> Answer + Send + Sync> ChatModel for Scripted<F> {
    fn id(&self) -> String {
        "scripted".into()
    }
    fn context_length(&self) -> usize {
        4096
    }
    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        // Backwards: results may come in any order.
        for (i, request) in requests.iter().enumerate().rev() {
            self.seen.lock().unwrap().push(request.clone());
            let result = (self.answer)(request);
            if let Err(ModelError::Engine(_)) = &result {
                return Err(ModelError::Engine("the model is gone".into()));
            }
            done(
                i,
                result.map(|text| Generation {
                    text,
                    finish: FinishReason::Stop,
                    prompt_tokens: 1,
                    completion_tokens: 1,
                    logprobs: None,
                }),
            );
        }
        Ok(())
    }
}

/// Counts of letter pairs: similar texts have similar vectors, which is all that these tests need.
pub struct Letters;

impl Embedder for Letters {
    fn id(&self) -> String {
        "letters".into()
    }
    fn dimensions(&self) -> usize {
        26 * 26
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let vector = |text: &&str| {
            let letters: Vec<usize> = text
                .to_lowercase()
                .bytes()
                .filter(u8::is_ascii_lowercase)
                .map(|b| usize::from(b - b'a'))
                .collect();
            let mut v = vec![0.0; 26 * 26];
            letters.windows(2).for_each(|w| v[w[0] * 26 + w[1]] += 1.0);
            v
        };
        Ok(texts.iter().map(vector).collect())
    }
}

/// A conversation: user and assistant in turn.
pub fn record(id: &str, turns: &[&str]) -> Record {
    let role = |i: usize| if i.is_multiple_of(2) { Role::User } else { Role::Assistant };
    Record {
        id: id.into(),
        lang: uno_types::Lang::detect(turns.first().unwrap_or(&"")),
        user: None,
        messages: turns.iter().enumerate().map(|(i, t)| Message::new(role(i), *t)).collect(),
        accepted: vec![],
        source: Source::default(),
    }
}

/// A rule with or without a check.
pub fn rule(text: &str, evidence: &str, check: Option<uno_types::Check>) -> Rule {
    Rule { text: text.into(), evidence: evidence.into(), similarity: 1.0, check, verbatim: false }
}

/// The rules of a record.
pub fn rules(record: &str, with_feedback: Vec<Rule>) -> RuleSet {
    RuleSet { record: record.into(), with_feedback, ..RuleSet::default() }
}

/// The last turn of a request: the record's part of a prompt.
pub fn last(request: &GenerationRequest) -> &str {
    request.messages.last().map_or("", |m| &m.content)
}
