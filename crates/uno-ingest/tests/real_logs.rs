//! Real logs, where they are at hand: every file is read without an error, and the counts are printed.

#![expect(clippy::print_stdout, reason = "a skipped test says so, and the counts are worth seeing")]

use std::path::PathBuf;

use uno_ingest::Ingest;

fn shared() -> Option<PathBuf> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("UNO_SHARED").map_or(default, PathBuf::from);
    let data = root.join("data");
    if data.is_dir() {
        return Some(data);
    }
    println!(
        "SKIPPED: no real logs at {}; set UNO_SHARED to the directory that holds data/logs",
        data.display()
    );
    None
}

#[test]
fn every_real_log_is_read() {
    let Some(data) = shared() else { return };
    for (path, format, kept_at_least) in [
        ("logs/hh_rlhf_helpful-base_test.jsonl.gz", "hh-rlhf", 2000),
        ("logs/queries_700.jsonl", "questions", 650),
        ("logs/realhumaneval_chats.jsonl", "realhumaneval", 380),
        ("logs/wildchat_en_150.jsonl", "wildchat", 140),
        ("logs/wildchat_zh_40.jsonl", "wildchat", 35),
        ("formats/openai/preference_derived_from_llamafactory_dpo_en.jsonl", "openai-preference", 250),
        ("formats/openai/toy_chat_fine_tuning_first4.jsonl", "openai", 3),
        ("formats/sharegpt/sharegpt_20.json", "sharegpt", 20),
        ("formats/trl/preference_conversational_derived.jsonl", "trl", 250),
        ("formats/trl/unpaired_preference_conversational_derived.jsonl", "trl", 200),
    ] {
        let mut accepted = 0;
        let mut zh = 0;
        let summary = Ingest::default()
            .read(&[data.join(path)], &mut |r| {
                accepted += usize::from(!r.accepted.is_empty());
                zh += usize::from(r.lang == uno_types::Lang::Zh);
            })
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        println!(
            "{path}: read {}, kept {}, bad {}, no query {}, duplicates {}, with feedback {}, accepted {accepted}, zh {zh}, scrubbed {:?}",
            summary.read,
            summary.kept,
            summary.bad,
            summary.no_query,
            summary.duplicates,
            summary.with_feedback,
            summary.scrubbed,
        );
        assert_eq!(summary.formats.keys().collect::<Vec<_>>(), [format], "{path}");
        assert_eq!(summary.bad, 0, "{path}: {:?}", summary.bad_examples);
        assert!(summary.kept >= kept_at_least, "{path}: {summary:?}");
    }
}

#[test]
fn whole_directories_are_read_at_once() {
    let Some(data) = shared() else { return };
    let paths = [data.join("logs"), data.join("formats/openai"), data.join("formats/sharegpt")];
    let mut ids = std::collections::HashSet::new();
    let summary = Ingest::default().read(&paths, &mut |r| assert!(ids.insert(r.id))).unwrap();
    println!("{summary:?}");
    assert_eq!(summary.formats.len(), 7);
}
