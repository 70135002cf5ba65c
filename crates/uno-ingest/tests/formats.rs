//! Every format on a small hand-written sample, recognised by itself.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::PathBuf;

use uno_ingest::{Format, Ingest, IngestError, IngestOptions, Summary};
use uno_types::{Lang, Record, Role};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> (Summary, Vec<Record>) {
    let mut records = Vec::new();
    let summary = Ingest::default().read(&[fixture(name)], &mut |r| records.push(r)).unwrap();
    assert_eq!(summary.read, summary.kept + summary.bad + summary.no_query + summary.duplicates);
    assert_eq!((summary.bad, summary.kept), (0, records.len() as u64), "{summary:?}");
    (summary, records)
}

fn only_format(summary: &Summary) -> &str {
    assert_eq!(summary.formats.len(), 1);
    summary.formats.keys().next().unwrap()
}

#[test]
fn openai_chat() {
    let (summary, records) = read("openai.jsonl");
    assert_eq!(only_format(&summary), "openai");
    assert_eq!((summary.kept, summary.no_query, summary.with_feedback), (3, 1, 1));
    assert_eq!(records[0].system(), Some("Be kind."));
    assert_eq!(records[0].feedback(), "1. Number the steps please.");
    assert_eq!((records[0].user.as_deref(), records[0].source.line), (Some("u1"), 1));
    assert_eq!(records[1].query(), "What is this?");
    assert_eq!(records[1].messages.len(), 3, "turns without text are left out");
    assert_eq!((records[2].lang, records[2].accepted.clone()), (Lang::Zh, vec![1]));
}

#[test]
fn openai_preference() {
    let (summary, records) = read("openai_preference.jsonl");
    assert_eq!(only_format(&summary), "openai-preference");
    assert_eq!((records[0].first_answer(), &records[0].accepted[..]), ("Blue.", &[1][..]));
}

#[test]
fn sharegpt() {
    let (summary, records) = read("sharegpt.json");
    assert_eq!(only_format(&summary), "sharegpt");
    assert_eq!((summary.read, summary.kept, summary.no_query), (6, 5, 1));
    let ids: Vec<&str> = records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["a_0", "b_0", "c_0", "d_1", "a_0-2"]);
    assert_eq!(records[3].first_answer(), "Hello d", "an answer before the query is none");
    let last = &records[4];
    assert_eq!(last.messages[last.accepted[0]].content, "Better");
    assert_eq!(last.source.line, 6);
}

#[test]
fn hh_rlhf() {
    let (summary, records) = read("hh.jsonl");
    assert_eq!(only_format(&summary), "hh-rlhf");
    assert_eq!(records[0].id, "7");
    assert_eq!(records[0].feedback(), "1. More detail please");
    assert_eq!(records[0].messages[records[0].accepted[0]].content, "Short waves scatter more.");
    assert!(records[1].id.starts_with("r-"));
}

#[test]
fn wildchat_and_lmsys() {
    let (summary, records) = read("wildchat.jsonl");
    assert_eq!(only_format(&summary), "wildchat");
    assert_eq!((records[0].id.as_str(), records[0].user.as_deref()), ("h1", Some("ip-a")));
    assert_eq!((records[1].id.as_str(), summary.with_feedback), ("l1", 1));
}

#[test]
fn real_human_eval() {
    let (summary, records) = read("realhumaneval.jsonl");
    assert_eq!(only_format(&summary), "realhumaneval");
    assert_eq!((records[0].user.as_deref(), &records[0].accepted[..]), (Some("63"), &[3][..]));
}

#[test]
fn trl() {
    let (summary, records) = read("trl.jsonl");
    assert_eq!(only_format(&summary), "trl");
    let answers: Vec<&str> = records.iter().map(Record::first_answer).collect();
    assert_eq!(answers, ["Apple.", "Oak.", "Fiat.", "Po."]);
    assert!(records.iter().all(|r| r.messages[0].role == Role::User));
    assert_eq!(records.iter().filter(|r| r.accepted == [1]).count(), 3);
}

#[test]
fn questions_have_no_answers() {
    let (summary, records) = read("questions.jsonl");
    assert_eq!(only_format(&summary), "questions");
    assert_eq!(
        (records[0].query(), records[0].first_answer(), records[0].has_feedback()),
        ("Write a poem.", "", false)
    );
}

#[test]
fn our_own_records_come_back_unchanged() {
    let (summary, records) = read("uno.jsonl");
    assert_eq!(only_format(&summary), "uno");
    assert_eq!((records[0].lang, records[0].source.line), (Lang::Zh, 3));
    let mut line = Vec::new();
    uno_ingest::records::write(&mut line, &records[0]).unwrap();
    assert_eq!(String::from_utf8(line).unwrap(), std::fs::read_to_string(fixture("uno.jsonl")).unwrap());
}

#[test]
fn a_directory_of_all_formats() {
    let (summary, records) = read("");
    assert_eq!(summary.formats.len(), Format::ALL.len());
    let ids: std::collections::HashSet<&str> = records.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), records.len());
}

#[test]
fn a_named_format_must_fit() {
    let options = IngestOptions { format: Some("sharegpt".parse().unwrap()), ..IngestOptions::default() };
    let error = Ingest::new(options).read(&[fixture("hh.jsonl")], &mut |_| ()).unwrap_err();
    assert!(matches!(error, IngestError::UnknownFormat { .. }));
    let text = error.to_string();
    assert!(
        text.contains("no sharegpt rows") && text.contains("chosen") && text.contains("realhumaneval"),
        "{text}"
    );
    assert!("grandma".parse::<Format>().unwrap_err().contains("known formats"));
    assert_eq!("LMSYS".parse::<Format>(), Ok(Format::WildChat));
}

#[test]
fn limits_and_duplicates() {
    let mut count = 0;
    let options = IngestOptions { limit: Some(2), ..IngestOptions::default() };
    let summary = Ingest::new(options).read(&[fixture("")], &mut |_| count += 1).unwrap();
    assert_eq!((summary.kept, count), (2, 2));
    let twice = [fixture("hh.jsonl"), fixture("hh.jsonl")];
    let summary = Ingest::default().read(&twice, &mut |_| ()).unwrap();
    assert_eq!((summary.read, summary.kept, summary.duplicates), (4, 2, 2));
}
