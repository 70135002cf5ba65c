//! Embedder and reranker against the mock server.

mod support;

use support::{config, server};
use uno_mock::{Fault, MockConfig, MockServer};
use uno_models::remote::{RemoteEmbedder, RemoteError, RemoteReranker};
use uno_types::{Embedder, Reranker};

#[test]
fn vectors_come_back_in_the_order_of_the_texts() {
    let server = server();
    let embedder = RemoteEmbedder::new(config(&server)).unwrap();
    assert_eq!((embedder.dimensions(), embedder.id().as_str()), (8, "remote:mock-model"));
    let texts: Vec<String> = (0..150).map(|i| format!("text {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = embedder.embed(&texts).unwrap();
    assert_eq!(all.len(), 150);
    assert_eq!(all[149], embedder.embed(&["text 149"]).unwrap()[0]);
    assert!(embedder.embed(&[]).unwrap().is_empty());
    server.fail_next(1, Fault::EmptyChoices);
    let text = embedder.embed(&["a"]).unwrap_err().to_string();
    assert!(text.contains("1 texts sent, 0 usable vectors came back"), "{text}");
}

#[test]
fn the_reranker_scores_after_its_self_test() {
    let server = server();
    let reranker = RemoteReranker::new(config(&server)).unwrap();
    assert_eq!(server.count("/completions"), 4);
    let scores = reranker
        .score(&[("use short sentences", "keep sentences short"), ("bread", "the moon rises")])
        .unwrap();
    assert!(scores[0] > 0.99 && scores[1] < 0.01, "{scores:?}");
}

#[test]
fn a_reranker_that_scores_wrongly_is_refused() {
    let server = MockServer::start(MockConfig { broken_reranker: true, ..MockConfig::default() }).unwrap();
    let error = RemoteReranker::new(config(&server)).err().unwrap();
    assert!(
        matches!(&error, RemoteError::SelfTest(t) if t.contains("0.500") && t.contains("no reranker")),
        "{error}"
    );
}
