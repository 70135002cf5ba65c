//! Goldens of the real default embedder, where it was pulled.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report, and a skipped test says so"
)]

mod common;

use common::{golden, ids, pulled};
use uno_models::EmbeddedEmbedder;
use uno_types::Embedder;

#[test]
fn sentence_embeddings_are_those_of_sentence_transformers() {
    let Some(dir) = pulled("all-MiniLM-L6-v2") else { return };
    let embedder = EmbeddedEmbedder::open(&dir).unwrap();
    let golden = golden("minilm.json");
    let cases = golden["texts"].as_array().unwrap();
    let texts: Vec<&str> = cases.iter().map(|case| case["text"].as_str().unwrap()).collect();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        assert_eq!(embedder.encode(text).unwrap(), ids(&case["input_ids"]), "{text:?}");
    }
    let embeddings = embedder.embed(&texts).unwrap();
    assert_eq!(embedder.dimensions(), 384);
    for (case, found) in cases.iter().zip(embeddings) {
        let expected: Vec<f64> =
            case["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let worst = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "{worst} for {:?}", case["text"]);
    }
}
