use uno_types::role::OnGeneration;
use uno_types::{FinishReason, Generation, GenerationRequest, ModelError};

use super::*;
use crate::memorybench::read_items;

/// Says "4" to everything but checks, which it marks in full; or nonsense.
struct Judge(bool);

impl ChatModel for Judge {
    fn id(&self) -> String {
        "judge".into()
    }
    fn context_length(&self) -> usize {
        4096
    }
    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        for (i, request) in requests.iter().enumerate() {
            let text = match (&request.constraint, self.0) {
                (_, false) => "no idea",
                (None, true) => "Score: 4",
                (Some(_), true) => r#"{"checks": [{"evaluation_score": 1}, {"evaluation_score": 0.5}]}"#,
            };
            let (text, finish) = (text.to_owned(), FinishReason::Stop);
            done(i, Ok(Generation { text, finish, prompt_tokens: 1, completion_tokens: 1, logprobs: None }));
        }
        Ok(())
    }
}

fn items() -> Vec<Item> {
    let row = |set: &str, info: serde_json::Value| json!({"test_idx": 1, "dataset_name": set, "input_prompt": "Why?", "info": info});
    let rows = json!([
        row("LexEval-QA", json!({"golden_answer": "合同无效。"})),
        row("NFCats", json!({})),
        row("JRE-L", json!({"pr-abstract": "A new tool helps people."})),
        row("JuDGE", json!({"golden_answer": "本院认为，判决如下：无罪。"})),
        row("HelloBench-Creative&Design", json!({"checklist": ["Is it short?", "Is it kind?"]})),
        row("WritingBench-Politics&Law", json!({"criteria": [{"name": "style"}]})),
    ]);
    read_items("rows", &rows.to_string(), "").unwrap()
}

fn evaluated(judge: &Judge, items: &[Item]) -> Result<(Vec<ItemResult>, usize), MemoryBenchError> {
    let easy = EasyWords::read("a\nnew\n");
    let prompts = Prompts::default();
    let with = Evaluation { judge, prompts: &prompts, easy_words: Some(&easy) };
    let answers = vec!["合同无效。 A new tool.".to_owned(); items.len()];
    evaluate(&items.iter().collect::<Vec<_>>(), &answers, &with, &mut |_, _| {})
}

#[test]
fn every_data_set_gets_its_metrics() {
    let (results, unread) = evaluated(&Judge(true), &items()).unwrap();
    let scores: Vec<f64> = results.iter().map(|r| r.score().unwrap().unwrap()).collect();
    assert!(scores[0] > 0.3 && scores[0] < 1.0, "{scores:?}");
    assert_eq!(scores[1..], [4.0, 4.0, 4.0, 0.75, 4.0]);
    assert_eq!(unread, 0);
    let mut names: Vec<&str> = results[2].metrics.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["CLI", "DCRS", "Rouge-L", "llm_as_judge_score"]);
    assert_eq!(results[3].metrics["time_score"], json!(0.0));
}

#[test]
fn what_the_judge_does_not_say_counts_as_published_and_is_counted() {
    let (results, unread) = evaluated(&Judge(false), &items()).unwrap();
    let scores: Vec<f64> = results[1..].iter().map(|r| r.score().unwrap().unwrap()).collect();
    assert_eq!((scores, unread), (vec![1.0, 0.0, 0.0, 0.0, 0.0], 5));
}

#[test]
fn missing_gold_and_unknown_data_sets_are_named() {
    let mut all = items();
    all[0].info.clear();
    assert!(evaluated(&Judge(true), &all).unwrap_err().to_string().contains("golden_answer"));
    all[0].data_set = "Locomo-1".into();
    assert!(evaluated(&Judge(true), &all).unwrap_err().to_string().contains("corpus"));
}
