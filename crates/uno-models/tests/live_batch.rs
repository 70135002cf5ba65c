//! A server's batch: requests join while others run, each is answered as if it were alone, and who has left takes no place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

#[path = "common/tiny.rs"]
mod tiny;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use uno_models::embedded::{Listener, LiveBatch, LiveRequest};
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::{
    AdapterRef, ChatModel, Constraint, FinishReason, Generation, GenerationRequest, Message, ModelError,
    Sampling,
};

/// What a client got, and when.
#[derive(Clone, Default)]
struct Client {
    pieces: Arc<Mutex<Vec<String>>>,
    end: Arc<Mutex<Option<Result<Generation, ModelError>>>>,
    gone: Arc<AtomicBool>,
}

impl Listener for Client {
    fn text(&mut self, piece: &str) {
        assert!(!piece.is_empty());
        self.pieces.lock().unwrap().push(piece.to_owned());
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    fn ended(self: Box<Self>, result: Result<Generation, ModelError>) {
        assert!(self.end.lock().unwrap().replace(result).is_none());
    }
}

impl Client {
    fn text(&self) -> String {
        self.pieces.lock().unwrap().concat()
    }

    fn is_done(&self) -> bool {
        self.end.lock().unwrap().is_some()
    }

    fn generation(&self) -> Generation {
        self.end.lock().unwrap().clone().expect("it ended").unwrap()
    }
}

struct Model {
    dir: tempfile::TempDir,
    chat: EmbeddedChat,
}

fn model(options: EmbeddedOptions) -> Model {
    let dir = tempfile::tempdir().unwrap();
    tiny::write(&dir.path().join("tiny"));
    let chat = EmbeddedChat::open(&dir.path().join("tiny"), options).unwrap();
    Model { dir, chat }
}

fn request(text: &str, max_tokens: usize, adapter: Option<AdapterRef>) -> LiveRequest {
    let sampling = Sampling { temperature: 0.8, top_p: 0.95, seed: max_tokens as u64 };
    LiveRequest {
        request: GenerationRequest {
            messages: vec![Message::user(text)],
            adapter,
            sampling,
            max_tokens,
            constraint: None,
            logprobs: false,
        },
        text: None,
        stop: Vec::new(),
    }
}

fn join(batch: &mut LiveBatch<'_>, chat: &EmbeddedChat, request: LiveRequest) -> Client {
    let client = Client::default();
    batch.add(chat.prepare_live(request).unwrap(), Box::new(client.clone()));
    client
}

/// The answer that the request gets when it is the only one.
fn alone(chat: &EmbeddedChat, request: &LiveRequest) -> Generation {
    let mut answer = None;
    chat.generate(std::slice::from_ref(&request.request), &mut |_, a| answer = Some(a)).unwrap();
    answer.unwrap().unwrap()
}

#[test]
fn mixed_requests_that_join_at_any_time_are_answered_as_if_alone() {
    let model = model(EmbeddedOptions { max_batch: 3, ..EmbeddedOptions::default() });
    let (chat, dir) = (&model.chat, model.dir.path());
    let adapters = [None, Some(tiny::adapter(dir, 16)), Some(tiny::adapter(dir, 64))];
    let system = "You are an assistant who answers as briefly as it can.";
    let requests: Vec<LiveRequest> = (0..12)
        .map(|i| {
            let mut request = request(&format!("question {i}"), 10 + 7 * (i % 5), adapters[i % 3].clone());
            request.request.messages.insert(0, Message::system(system));
            if i == 7 {
                let schema =
                    json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
                request.request.constraint = Some(Constraint::JsonSchema(schema));
            }
            request
        })
        .collect();
    let mut batch = LiveBatch::new(chat);
    let mut clients = Vec::new();
    for request in &requests {
        clients.push(join(&mut batch, chat, request.clone()));
        // The next comes in the midst of it.
        for _ in 0..2 {
            assert!(batch.step().unwrap());
            assert!(batch.rows() <= 3);
        }
    }
    while batch.step().unwrap() {}
    assert!(batch.is_empty());
    let answers: Vec<Generation> = clients.iter().map(Client::generation).collect();
    for ((client, answer), request) in clients.iter().zip(&answers).zip(&requests) {
        assert_eq!(*answer, alone(chat, request));
        assert_eq!(client.text(), answer.text);
    }
    assert!(answers[0].text != answers[1].text && answers[1].text != answers[2].text, "the adapters differ");
}

#[test]
fn a_late_request_is_answered_while_an_early_long_one_goes_on() {
    let model = model(EmbeddedOptions::default());
    let mut batch = LiveBatch::new(&model.chat);
    let early = join(&mut batch, &model.chat, request("tell me a long story", 200, None));
    for _ in 0..5 {
        batch.step().unwrap();
    }
    let before = early.text().len();
    assert!(before > 0, "the first words go out at once");
    let late = join(&mut batch, &model.chat, request("hi", 4, None));
    while !late.is_done() {
        assert!(batch.step().unwrap());
    }
    assert!(!early.is_done() && early.text().len() > before);
    assert!(late.generation().completion_tokens <= 4);
}

#[test]
fn who_has_left_frees_the_row_within_a_step_and_the_next_one_takes_it() {
    let model = model(EmbeddedOptions { max_batch: 1, ..EmbeddedOptions::default() });
    let mut batch = LiveBatch::new(&model.chat);
    let leaves = join(&mut batch, &model.chat, request("a story", 300, None));
    let never = join(&mut batch, &model.chat, request("left while waiting", 300, None));
    let waits = join(&mut batch, &model.chat, request("hi", 3, None));
    batch.step().unwrap();
    assert!(batch.is_full() && batch.rows() == 1);
    leaves.gone.store(true, Ordering::Relaxed);
    never.gone.store(true, Ordering::Relaxed);
    batch.step().unwrap();
    assert_eq!(batch.rows(), 0);
    batch.step().unwrap();
    assert_eq!(batch.rows(), 1);
    while batch.step().unwrap() {}
    assert!(waits.is_done() && !leaves.is_done() && !never.is_done());
}

#[test]
fn keys_and_values_stay_within_their_bound() {
    // A row of 60 tokens takes 3 blocks × 2 × 32 numbers × 4 bytes × 60.
    let model = model(EmbeddedOptions { kv_bytes: 110_000, prefix_bytes: 0, ..EmbeddedOptions::default() });
    let mut batch = LiveBatch::new(&model.chat);
    let clients: Vec<Client> =
        (0..6).map(|i| join(&mut batch, &model.chat, request(&format!("question {i}"), 30, None))).collect();
    let mut most = 0;
    while batch.step().unwrap() {
        most = most.max(batch.rows());
    }
    assert!((1..=2).contains(&most), "{most} rows at once");
    assert!(clients.iter().all(Client::is_done));
}

#[test]
fn a_stop_ends_the_row_and_stays_out_of_the_text() {
    let model = model(EmbeddedOptions::default());
    let plain = request("tell me", 40, None);
    let whole = alone(&model.chat, &plain);
    let letters: Vec<char> = whole.text.chars().collect();
    let stop: String = letters[letters.len() / 2..letters.len() / 2 + 3].iter().collect();
    let mut batch = LiveBatch::new(&model.chat);
    let stopped = join(&mut batch, &model.chat, LiveRequest { stop: vec![stop.clone()], ..plain.clone() });
    let going = join(&mut batch, &model.chat, LiveRequest { stop: vec!["\u{1}\u{2}\u{3}".into()], ..plain });
    while batch.step().unwrap() {}
    let answer = stopped.generation();
    assert_eq!(
        (answer.text.as_str(), answer.finish),
        (whole.text.split(&stop).next().unwrap(), FinishReason::Stop)
    );
    assert_eq!(stopped.text(), answer.text);
    assert!(answer.completion_tokens < whole.completion_tokens);
    assert_eq!(going.generation(), whole);
}

#[test]
fn a_text_is_continued_as_it_is_and_wrong_requests_are_refused_before_they_join() {
    let model = model(EmbeddedOptions { context: Some(64), ..EmbeddedOptions::default() });
    let mut batch = LiveBatch::new(&model.chat);
    let as_it_is = LiveRequest { text: Some("once upon".into()), ..request("", 5, None) };
    let client = join(&mut batch, &model.chat, as_it_is);
    while batch.step().unwrap() {}
    assert_eq!(client.generation().prompt_tokens, "once upon".len());
    let long = model.chat.prepare_live(request(&"x".repeat(100), 5, None));
    assert!(matches!(long.err(), Some(ModelError::ContextLength { limit: 64, .. })));
    let nowhere = AdapterRef { name: "gone".into(), dir: "no/such/dir".into() };
    assert!(matches!(
        model.chat.prepare_live(request("x", 5, Some(nowhere))).err(),
        Some(ModelError::Invalid(_))
    ));
}
