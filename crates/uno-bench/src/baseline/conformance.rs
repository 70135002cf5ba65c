//! What every memory must do, run on each of them with models that answer the same to the same.

use std::cell::RefCell;
use std::sync::Mutex;

use uno_types::role::OnGeneration;
use uno_types::{Constraint, FinishReason, Generation, GenerationRequest, Source};

use super::*;

/// Answers JSON requests with fixed keys, others with the length of the prompt; refuses prompts that are too long.
struct Model {
    limit: usize,
    asked: Mutex<Vec<String>>,
}

impl Model {
    fn new(limit: usize) -> Self {
        Self { limit, asked: Mutex::new(Vec::new()) }
    }
}

impl ChatModel for Model {
    fn id(&self) -> String {
        "model".into()
    }
    fn context_length(&self) -> usize {
        self.limit
    }
    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        for (i, request) in requests.iter().enumerate() {
            let prompt: String = request.messages.iter().map(|m| m.content.as_str()).collect();
            let tokens = prompt.split_whitespace().count();
            let text = match &request.constraint {
                Some(Constraint::JsonSchema(_)) => {
                    let last = prompt.split_whitespace().next_back().unwrap_or_default();
                    serde_json::json!({"facts": [format!("The user said {last}")], "keywords": [last], "context": last,
                        "tags": [], "rules": ["Answer in one sentence"]})
                    .to_string()
                }
                _ if tokens > self.limit => {
                    done(i, Err(ModelError::ContextLength { tokens, limit: self.limit }));
                    continue;
                }
                _ => format!("answer to {tokens} words"),
            };
            self.asked.lock().unwrap().push(prompt);
            let finish = FinishReason::Stop;
            done(
                i,
                Ok(Generation { text, finish, prompt_tokens: tokens, completion_tokens: 3, logprobs: None }),
            );
        }
        Ok(())
    }
}

/// Letters as dimensions.
struct Letters;

impl Embedder for Letters {
    fn id(&self) -> String {
        "letters".into()
    }
    fn dimensions(&self) -> usize {
        26
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let vector = |text: &&str| {
            let mut v = vec![0.01f32; 26];
            text.to_lowercase()
                .bytes()
                .filter(u8::is_ascii_lowercase)
                .for_each(|b| v[usize::from(b - b'a')] += 1.0);
            v
        };
        Ok(texts.iter().map(vector).collect())
    }
}

fn logs() -> Vec<Record> {
    let topics = [
        "rice", "soup", "bread", "beans", "pasta", "fish", "cake", "eggs", "jam", "tea", "pie", "corn",
        "figs", "kale",
    ];
    let record = |(i, topic): (usize, &&str)| Record {
        id: format!("r{i}"),
        lang: Lang::En,
        user: None,
        messages: vec![
            Message::user(format!("How do I make {topic}?")),
            Message::assistant(format!("Take {topic} and cook it for a while until it is done.")),
            Message::user("Please answer in one sentence."),
        ],
        accepted: Vec::new(),
        source: Source::default(),
    };
    topics.iter().enumerate().map(record).collect()
}

fn with_tools<T>(model: &Model, work: impl FnOnce(&Tools<'_>) -> T) -> T {
    let (answer, distil) = (AnswerOptions::default(), DistilOptions::default());
    work(&Tools { chat: model, embedder: &Letters, answer: &answer, distil: &distil })
}

fn filled(kind: MemoryKind, tools: &Tools<'_>) -> Box<dyn Memory> {
    let mut memory = kind.create();
    memory.add(&logs(), tools).unwrap();
    memory
}

#[test]
fn every_memory_answers_every_question_and_repeats_itself() {
    for kind in MemoryKind::ALL {
        let model = Model::new(10_000);
        with_tools(&model, |tools| {
            let questions =
                [Question::of("How do I make rice pudding?"), Question::of("How do I make fish soup?")];
            let memory = filled(kind, tools);
            assert_eq!((memory.name(), MemoryKind::of(memory.name())), (kind.name(), Some(kind)));
            let recalled = memory.recall(&questions, tools).unwrap();
            assert_eq!(recalled.len(), 2, "{}", kind.name());
            let nothing = recalled.iter().all(Vec::is_empty);
            assert_eq!(nothing, kind == MemoryKind::WoMemory, "{}: {recalled:?}", kind.name());
            let answers = answer(memory.as_ref(), &questions, tools).unwrap();
            assert!(answers.iter().all(|a| a.starts_with("answer to")), "{}: {answers:?}", kind.name());
            assert_eq!(
                answers,
                answer(filled(kind, tools).as_ref(), &questions, tools).unwrap(),
                "{}",
                kind.name()
            );
        });
    }
}

#[test]
fn an_empty_memory_leaves_the_question_alone() {
    for kind in MemoryKind::ALL {
        let model = Model::new(10_000);
        with_tools(&model, |tools| {
            let mut memory = kind.create();
            memory.add(&[], tools).unwrap();
            let answers = answer(memory.as_ref(), &[Question::of("How are you?")], tools).unwrap();
            assert_eq!(answers, ["answer to 3 words"], "{}", kind.name());
            assert!(answer(memory.as_ref(), &[], tools).unwrap().is_empty());
        });
    }
}

#[test]
fn the_question_is_asked_in_full_and_a_prompt_that_is_too_long_gets_shorter() {
    let longest = RefCell::new(0);
    for kind in MemoryKind::ALL {
        let model = Model::new(40);
        with_tools(&model, |tools| {
            let question = Question::of("How do I make a really good rice pudding?");
            let answers =
                answer(filled(kind, tools).as_ref(), std::slice::from_ref(&question), tools).unwrap();
            assert!(answers[0].starts_with("answer to"), "{}: {answers:?}", kind.name());
            let asked = model.asked.lock().unwrap();
            let last = asked.last().unwrap();
            assert!(last.contains(question.text()), "{}: {last}", kind.name());
            longest.replace_with(|n| last.split_whitespace().count().max(*n));
        });
    }
    assert!(*longest.borrow() <= 40);
}

#[test]
fn the_system_turn_stays_in_front() {
    let model = Model::new(10_000);
    with_tools(&model, |tools| {
        let prompt = vec![Message::system("Be kind."), Message::user("How do I make tea?")];
        let recalled = vec!["a".to_owned(), "b".to_owned()];
        for frame in [Frame::Context, Frame::Memories, Frame::Rules] {
            for lang in [Lang::En, Lang::Zh] {
                let messages = frame.messages(&prompt, lang, &recalled);
                assert_eq!((messages.len(), &messages[0]), (2, &prompt[0]));
                assert!(
                    messages[1].content.contains("How do I make tea?") && messages[1].content.contains('b')
                );
            }
        }
        let metered = Metered::new(tools.chat);
        let tools = Tools { chat: &metered, ..*tools };
        answer(filled(MemoryKind::WoMemory, &tools).as_ref(), &[Question::of("a b c")], &tools).unwrap();
        assert_eq!(metered.take(), Usage { calls: 1, prompt: 3, completion: 3 });
        assert_eq!(metered.take(), Usage::default());
    });
}

#[test]
fn facts_that_are_known_are_not_kept_twice() {
    let model = Model::new(10_000);
    with_tools(&model, |tools| {
        // Every dialogue ends alike, so the model states the same fact each time.
        let memory = filled(MemoryKind::Mem0, tools);
        let recalled = memory.recall(&[Question::of("rice?")], tools).unwrap();
        assert_eq!(recalled[0].len(), 1, "{recalled:?}");
    });
}
