//! Against what was published, where it is at hand: summaries, ROUGE-L, readability and judgments of MemoryBench runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is a test's report, and a skipped test says so"
)]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use uno_bench::memorybench::judgment::judgment_metrics;
use uno_bench::memorybench::metrics::{
    EasyWords, coleman_liau, dale_chall, lexeval_tokens, set_rouge_l, set_rouge_l_of,
};
use uno_bench::memorybench::{LlmMeans, Norm, SetName, read_details, summarise};

const TOLERANCE: f64 = 1e-9;

fn shared() -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("UNO_SHARED").map_or(default, PathBuf::from);
    let data = root.join("data/memorybench");
    if data.is_dir() {
        return Some(data);
    }
    println!(
        "SKIPPED: no published results at {}; set UNO_SHARED to the directory that holds data/memorybench",
        data.display()
    );
    None
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn rows<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    serde_json::from_str(&text(path)).unwrap()
}

/// Every number of `published` has its like at the same place in `ours`; gives how many there were.
fn same(ours: &Value, published: &Value, place: &str) -> usize {
    match published {
        Value::Object(map) => map.iter().map(|(k, v)| same(&ours[k], v, &format!("{place}.{k}"))).sum(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(i, v)| same(&ours[i], v, &format!("{place}[{i}]"))).sum()
        }
        Value::Number(n) => {
            let (a, b) = (ours.as_f64().unwrap_or(f64::NAN), n.as_f64().unwrap());
            assert!((a - b).abs() <= TOLERANCE, "{place}: {a} is not {b}");
            1
        }
        other => panic!("{place}: {other}"),
    }
}

#[test]
fn all_numbers_of_the_published_summaries() {
    let Some(data) = shared() else { return };
    let norm = Norm::read("norm", &text(&data.join("norm/final_evaluate_summary_wo_details.THUIR.json")));
    let norm = norm.unwrap();
    let mut compared = 0;
    for set in ["Short-Short", "Long-Short"] {
        for system in ["uno", "uno-single"] {
            let dir = data.join(set).join(system);
            let items = read_details("details", &text(&dir.join("evaluate_details.json"))).unwrap();
            let published = text(&dir.join("summary.json"));
            // Of the published summary only the merged means are taken; the other means are computed from items.
            let means = LlmMeans::read("summary", &published).unwrap();
            let name: SetName = format!("task/{set}").parse().unwrap();
            let summary = summarise(&items, norm.of(&name).unwrap(), &means).unwrap();
            assert_eq!(summary.given.len(), 1, "one data set of {set} is merged by a judge");
            let ours = serde_json::to_value(&summary).unwrap();
            compared += same(&ours, &serde_json::from_str(&published).unwrap(), &format!("{set}/{system}"));
        }
    }
    assert_eq!(compared, 4 * (3 + 3 + 9 + 9));
}

#[derive(Deserialize)]
struct RougeRow {
    test_idx: i64,
    response: String,
    golden: String,
    response_tokens: Vec<String>,
    golden_tokens: Vec<String>,
    rougel: f64,
}

#[test]
fn rouge_l_of_every_published_item() {
    let Some(data) = shared() else { return };
    let rows: Vec<RougeRow> = rows(&data.join("lexeval_qa_rougel.json"));
    assert_eq!(rows.len(), 50);
    for row in rows {
        let i = row.test_idx;
        assert_eq!(lexeval_tokens(&row.golden), row.golden_tokens, "item {i}: gold words");
        assert_eq!(lexeval_tokens(&row.response), row.response_tokens, "item {i}: answer's words");
        for f in [
            set_rouge_l(&row.golden, &row.response),
            set_rouge_l_of(&row.golden_tokens, &row.response_tokens),
        ] {
            assert!((f - row.rougel).abs() <= TOLERANCE, "item {i}: {f} is not {}", row.rougel);
        }
    }
}

#[derive(Deserialize)]
struct ReadabilityRow {
    system: String,
    test_idx: i64,
    response: String,
    #[serde(rename = "CLI")]
    cli: f64,
    #[serde(rename = "DCRS")]
    dcrs: f64,
}

#[test]
fn readability_of_every_published_answer() {
    let Some(data) = shared() else { return };
    let rows: Vec<ReadabilityRow> = rows(&data.join("jrel_readability.json"));
    let easy = std::env::var_os("UNO_EASY_WORDS").map(|path| EasyWords::read(&text(Path::new(&path))));
    if easy.is_none() {
        println!("SKIPPED: Dale-Chall; set UNO_EASY_WORDS to textstat's resources/en/easy_words.txt");
    }
    for row in &rows {
        let cli = coleman_liau(&row.response);
        let place = format!("{} {}", row.system, row.test_idx);
        assert!((cli - row.cli).abs() <= TOLERANCE, "{place}: {cli} is not {}", row.cli);
        if let Some(easy) = &easy {
            let dcrs = dale_chall(&row.response, easy);
            assert!((dcrs - row.dcrs).abs() <= TOLERANCE, "{place}: {dcrs} is not {}", row.dcrs);
        }
    }
    assert_eq!(rows.len(), 100);
}

#[derive(Deserialize)]
struct JudgmentRow {
    system: String,
    test_idx: i64,
    response: String,
    golden: String,
    metrics: Value,
}

#[test]
fn eight_metrics_of_every_published_judgment() {
    let Some(data) = shared() else { return };
    let rows: Vec<JudgmentRow> = rows(&data.join("judge_items.json"));
    assert_eq!(rows.len(), 20);
    for row in rows {
        let ours = serde_json::to_value(judgment_metrics(&row.golden, &row.response)).unwrap();
        for (name, value) in ours.as_object().unwrap() {
            let place = format!("{} {} {name}", row.system, row.test_idx);
            match (value.as_f64(), row.metrics[name].as_f64()) {
                (None, None) => {}
                (Some(a), Some(b)) => assert!((a - b).abs() <= TOLERANCE, "{place}: {a} is not {b}"),
                (a, b) => panic!("{place}: {a:?} is not {b:?}"),
            }
        }
    }
}
