//! Do fewer bits route otherwise? MiniLM, where it was pulled, on the questions of `examples/logs`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is a test's report, and a skipped test says so"
)]

use std::path::Path;

use serde_json::Value;
use uno_learn::cluster::Centroids;
use uno_learn::route::{Policy, Route, place};
use uno_models::{EmbeddedEmbedder, Precision, registry};
use uno_types::{Embedder, Path as Served, Plan, PlanEntry};

const DOMAINS: [&str; 5] = ["cooking", "finance", "health", "programming", "travel"];

/// Questions with the numbers of their domains, read by `of` from each line.
fn questions(file: &str, of: impl Fn(&Value) -> (String, String)) -> (Vec<usize>, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/logs").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let all = text.lines().map(|line| of(&serde_json::from_str(line).unwrap()));
    all.filter_map(|(domain, question)| Some((DOMAINS.iter().position(|d| *d == domain)?, question))).unzip()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn entry(cluster: usize) -> PlanEntry {
    PlanEntry {
        cluster,
        size: 1,
        path: Served::Base,
        adapter: None,
        gap: None,
        win_rate: None,
        reason: String::new(),
    }
}

#[test]
fn centroids_in_f32_route_questions_in_fewer_bits_alike() {
    let Ok(path) = registry::resolve(registry::DEFAULT_EMBEDDER) else {
        eprintln!("SKIPPED: pull the default embedder first");
        return;
    };
    let domain = |line: &Value| text(&line["id"]).split('-').next().unwrap_or_default().to_owned();
    let (labels, learned) =
        questions("conversations.jsonl", |line| (domain(line), text(&line["messages"][0]["content"])));
    let (_, asked) = questions("heldout.jsonl", |line| (domain(line), text(&line["question"])));
    assert!(learned.len() == 260 && asked.len() == 80, "{} {}", learned.len(), asked.len());
    let embedded = |precision, texts: &[String]| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        EmbeddedEmbedder::open_in(&path, precision).unwrap().embed(&texts).unwrap()
    };
    let centroids = Centroids::from_labels(&embedded(Precision::F32, &learned), &labels).unwrap();
    // As `uno learn` does it: what is further away than 1 belongs to no cluster.
    let clusters = (0..DOMAINS.len()).map(entry).collect();
    let plan = Plan { version: 1, max_distance: Some(1.0), clusters, ..Plan::default() };
    let routes = |vectors: &[Vec<f32>]| -> Vec<Route> {
        vectors.iter().map(|v| place(v.clone(), &plan, &centroids, Policy::Uno)).collect()
    };
    let exact = embedded(Precision::F32, &asked);
    let expected = routes(&exact);
    assert!(expected.iter().filter(|r| r.cluster.is_some()).count() > 60, "most lie in a cluster");
    for (precision, cosine, moved) in [(Precision::Bf16, 0.999, 0.002), (Precision::Int8, 0.99, 0.02)] {
        let found = embedded(precision, &asked);
        let cosines = found
            .iter()
            .zip(&exact)
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>());
        let worst = cosines.fold(1.0, f64::min);
        let routes = routes(&found);
        let furthest =
            routes.iter().zip(&expected).map(|(a, b)| (a.distance.unwrap() - b.distance.unwrap()).abs());
        let furthest = furthest.fold(0.0, f64::max);
        let other = routes.iter().zip(&expected).filter(|(a, b)| a.cluster != b.cluster).count();
        eprintln!(
            "{precision:?}: least cosine {worst:.6}, distances differ by {furthest:.5}, {other} routes"
        );
        assert!(worst > cosine && furthest < moved, "{precision:?}: {worst} {furthest}");
        assert_eq!(other, 0, "{precision:?}");
    }
}
