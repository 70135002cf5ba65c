//! A cached model answers as the model itself does, and pays once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uno_store::{CachedChat, CachedEmbedder, EmbeddingCache, GenerationCache, TokenLedger};
use uno_types::role::OnGeneration;
use uno_types::{
    AdapterRef, ChatModel, Embedder, FinishReason, Generation, GenerationRequest, Message, ModelError,
    Sampling,
};

/// Answers with its input reversed, in reverse order; fails on "bad"; loses the server on "gone".
#[derive(Default)]
struct Mirror {
    calls: AtomicUsize,
}

impl ChatModel for Mirror {
    fn id(&self) -> String {
        "mirror".into()
    }
    fn context_length(&self) -> usize {
        100
    }
    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        for (i, request) in requests.iter().enumerate().rev() {
            let text: String = request.messages[0].content.chars().rev().collect();
            self.calls.fetch_add(1, Ordering::SeqCst);
            match text.as_str() {
                "dab" => done(i, Err(ModelError::Upstream("500".into()))),
                "enog" => return Err(ModelError::Upstream("gone".into())),
                _ => done(
                    i,
                    Ok(Generation {
                        text: format!(
                            "{text} {} {:?}",
                            request.sampling.seed,
                            request.adapter.as_ref().map(|a| &a.name)
                        ),
                        finish: FinishReason::Stop,
                        prompt_tokens: 3,
                        completion_tokens: 2,
                        logprobs: request.logprobs.then(|| vec![-0.25, -1.0e-7]),
                    }),
                ),
            }
        }
        Ok(())
    }
}

impl Embedder for Mirror {
    fn id(&self) -> String {
        "mirror".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.calls.fetch_add(texts.len(), Ordering::SeqCst);
        Ok(texts.iter().map(|t| vec![t.len() as f32, 1.0 / (1.0 + t.len() as f32)]).collect())
    }
}

fn request(text: &str, seed: u64, adapter: Option<&str>) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(text)],
        adapter: adapter
            .map(|name| AdapterRef { name: name.into(), dir: format!("/somewhere/{seed}/{name}") }),
        sampling: Sampling { temperature: 1.0, top_p: 0.9, seed },
        max_tokens: 8,
        constraint: None,
        logprobs: seed == 2,
    }
}

type Results = Vec<Option<Result<Generation, ModelError>>>;

fn ask(model: &impl ChatModel, requests: &[GenerationRequest]) -> (Results, Result<(), ModelError>) {
    let mut results: Results = vec![None; requests.len()];
    let outcome = model.generate(requests, &mut |i, result| {
        assert!(results[i].is_none(), "{i} answered twice");
        results[i] = Some(result);
    });
    (results, outcome)
}

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }
    fn open(&self, budget: Option<u64>) -> (CachedChat<Mirror>, Arc<TokenLedger>) {
        let cache = Arc::new(GenerationCache::open(&self.dir.path().join("g.jsonl")).unwrap());
        let ledger = Arc::new(TokenLedger::new(budget));
        (CachedChat::new(Mirror::default(), cache, Arc::clone(&ledger)), ledger)
    }
}

fn calls(model: &CachedChat<Mirror>) -> usize {
    model.inner().calls.load(Ordering::SeqCst)
}

#[test]
fn cached_answers_equal_uncached_ones_also_after_reopening() {
    let requests = [
        request("one", 1, None),
        request("two", 2, None),
        request("one", 1, None),
        request("one", 2, None),
        request("bad", 1, None),
        request("one", 1, Some("c00-expert-aa")),
        request("one", 1, Some("c01-expert-bb")),
    ];
    let expected = ask(&Mirror::default(), &requests);
    let fixture = Fixture::new();
    let (model, ledger) = fixture.open(None);
    assert_eq!(ask(&model, &requests), expected);
    assert_eq!(calls(&model), 6, "equal requests are sent once");
    assert_eq!(ask(&model, &requests), expected);
    assert_eq!(calls(&model), 7, "only the failed one is asked again");
    assert_eq!((ledger.stage("").paid_calls, ledger.stage("").reused_calls), (5, 6));
    drop(model);
    let (model, ledger) = fixture.open(None);
    assert_eq!(ask(&model, &requests), expected);
    assert_eq!((calls(&model), ledger.spent()), (1, 0));
}

#[test]
fn the_place_of_an_adapter_is_no_part_of_the_key() {
    let fixture = Fixture::new();
    let (model, _) = fixture.open(None);
    let mut moved = request("one", 1, Some("c00-expert-aa"));
    assert_eq!(ask(&model, std::slice::from_ref(&moved)).1, Ok(()));
    moved.adapter.as_mut().unwrap().dir = "/elsewhere".into();
    assert_eq!(ask(&model, &[moved]).1, Ok(()));
    assert_eq!(calls(&model), 1);
}

#[test]
fn what_arrived_before_the_server_was_lost_is_kept() {
    let fixture = Fixture::new();
    let (model, _) = fixture.open(None);
    let (results, outcome) = ask(&model, &[request("gone", 1, None), request("one", 1, None)]);
    assert!(outcome.is_err() && results[0].is_none() && results[1].is_some());
    let (_, outcome) = ask(&model, &[request("one", 1, None)]);
    assert_eq!((outcome, calls(&model)), (Ok(()), 2));
}

#[test]
fn the_budget_stops_with_a_typed_outcome_and_more_budget_goes_on() {
    let fixture = Fixture::new();
    let requests: Vec<_> = (0..100).map(|i| request("q", i, None)).collect();
    let (model, ledger) = fixture.open(Some(100));
    let (results, outcome) = ask(&model, &requests);
    assert!(matches!(outcome, Err(ModelError::Stopped(_))), "{outcome:?}");
    assert!(ledger.stopped());
    let answered = results.iter().flatten().count();
    assert!((20..=36).contains(&answered), "at most one small batch beyond the budget, not {answered}");
    drop(model);
    let (model, _) = fixture.open(Some(10_000));
    assert_eq!(ask(&model, &requests).1, Ok(()));
    assert_eq!(calls(&model), 100 - answered);
}

#[test]
fn each_text_is_embedded_once() {
    let dir = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..150).map(|i| "x".repeat(i % 100)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = Mirror::default().embed(&texts).unwrap();
    for paid in [100, 0] {
        let cache = Arc::new(EmbeddingCache::open(&dir.path().join("e.jsonl")).unwrap());
        let inner = Arc::new(Mirror::default());
        let cached = CachedEmbedder::new(Shared(Arc::clone(&inner)), cache);
        assert_eq!(cached.embed(&texts).unwrap(), expected);
        assert_eq!(cached.embed(&texts[..3]).unwrap(), expected[..3]);
        assert_eq!(inner.calls.load(Ordering::SeqCst), paid);
    }
}

struct Shared(Arc<Mirror>);
impl Embedder for Shared {
    fn id(&self) -> String {
        Embedder::id(&*self.0)
    }
    fn dimensions(&self) -> usize {
        self.0.dimensions()
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.0.embed(texts)
    }
}
