//! `uno bench memorybench` on small data of the published format.

mod support;

use serde_json::json;
use support::Bench;

fn prepared() -> Bench {
    let bench = Bench::new();
    let norm = json!({"task": {"Short-Short": {"summary": {
        "dataset_min": {"NFCats": 1, "JRE-L": 2, "LexEval-QA": 0.0}, "dataset_max": {"NFCats": 5, "JRE-L": 8, "LexEval-QA": 0.5},
        "dataset_mu": {"NFCats": 4, "JRE-L": 7, "LexEval-QA": 0.1}, "dataset_sigma": {"NFCats": 0.5, "JRE-L": 1, "LexEval-QA": 0.2},
    }}}});
    bench.write("norm.json", norm.to_string());
    let item = |i: usize, set: &str, metrics| json!({"test_idx": i, "metrics": metrics, "dataset": set});
    let details = json!([
        item(0, "NFCats", json!({"score": 5})),
        item(1, "NFCats", json!({"score": 3})),
        item(0, "LexEval-QA", json!({"rougel": 0.25})),
        item(4, "JRE-L", json!({"Rouge-L": 0.1, "CLI": 12.5})),
    ]);
    bench.write("details.json", details.to_string());
    bench
}

const SCORE: &[&str] =
    &["bench", "memorybench", "score", "--details", "details.json", "--norm", "norm.json", "--json", "--set"];

#[test]
fn score_recomputes_a_summary() {
    let bench = prepared();
    bench.write("means.json", json!({"JRE-L": 8.0}).to_string());
    let summary = bench.json(&[SCORE, &["task/Short-Short", "--llm-means", "means.json"]].concat());
    // Min-max: NFCats 1 and 0.5, LexEval-QA 0.5, JRE-L 1.
    assert_eq!(summary["summary"]["average"], (0.75 + 0.5 + 1.0) / 3.0);
    assert_eq!(summary["summary"]["weighted_average"], 0.75);
    assert_eq!(summary["minmax_normalized_average"]["NFCats"], json!([1.5, 2, 0.75]));
    assert_eq!(summary["given"], json!(["JRE-L"]));
    assert_eq!(summary["left_out"], json!({}));
}

#[test]
fn score_says_what_is_missing_or_wrong() {
    let bench = prepared();
    let summary = bench.json(&[SCORE, &["task/Short-Short"]].concat());
    assert_eq!(summary["left_out"].as_object().unwrap().keys().collect::<Vec<_>>(), ["JRE-L"]);
    assert!(bench.fails(2, &[SCORE, &["Short-Short"]].concat()).contains("task/NAME"));
    assert!(bench.fails(1, &[SCORE, &["task/Long-Long"]].concat()).contains("Short-Short"));
    bench.write("means.json", json!({"NFCat": 8.0}).to_string());
    let error = bench.fails(1, &[SCORE, &["task/Short-Short", "--llm-means", "means.json"]].concat());
    assert!(error.contains("NFCat"), "{error}");
    bench.write("details.json", "[{\"test_idx\": 1}]");
    assert!(bench.fails(1, &[SCORE, &["task/Short-Short"]].concat()).contains("details.json"));
}
