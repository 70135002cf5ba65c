//! `uno ingest` on good and bad files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, logs};

#[test]
fn good_logs_become_records_and_the_counts_are_told() {
    let bench = Bench::new();
    bench.write("chats.jsonl", logs(10));
    let told = bench.json(&["ingest", "chats.jsonl", "--out", "records.jsonl", "--json"]);
    assert_eq!(
        (&told["read"], &told["kept"], &told["bad"], &told["with_feedback"]),
        (&10.into(), &10.into(), &0.into(), &10.into())
    );
    assert!(told["format"].to_string().contains("openai"), "{told}");
    let records = std::fs::read_to_string(bench.path("records.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 10);
    // Records are logs of a known format themselves.
    let again = bench.json(&["ingest", "records.jsonl", "--out", "again.jsonl", "--json"]);
    assert_eq!(again["kept"], 10);
}

#[test]
fn bad_files_get_one_clear_message() {
    let bench = Bench::new();
    let good = logs(4);
    let cases: [(&str, Vec<u8>, &[&str]); 5] = [
        ("empty.jsonl", Vec::new(), &["empty.jsonl"]),
        (
            "cut.jsonl",
            format!("{{\"messages\":[\n{}", &good[..good.len() - 40]).into_bytes(),
            &["cut.jsonl:1", "cut.jsonl:5"],
        ),
        (
            "latin1.jsonl",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"caf\xe9\"}]}\n".to_vec(),
            &["latin1.jsonl"],
        ),
        ("other.jsonl", b"{\"foo\":1}\n{\"foo\":2}\n".to_vec(), &["other.jsonl"]),
        ("text.txt", b"Dear diary,\ntoday was fine.\n".to_vec(), &["text.txt"]),
    ];
    for (name, content, words) in cases {
        bench.write(name, content);
        let error = bench.fails(1, &["ingest", name, "--out", "records.jsonl", "--max-bad", "0"]);
        assert!(words.iter().all(|w| error.contains(w)), "{name}: {error}");
        assert!(!bench.path("records.jsonl").exists(), "{name} left half a file");
    }
    let error = bench.fails(1, &["ingest", "nowhere.jsonl", "--out", "records.jsonl"]);
    assert!(error.contains("nowhere.jsonl"), "{error}");
    bench.write("good.jsonl", good);
    bench.fails(2, &["ingest", "good.jsonl", "--from", "shargpt", "--out", "records.jsonl"]);
}

#[test]
fn a_bad_line_is_skipped_within_max_bad_and_told() {
    let bench = Bench::new();
    bench.write("chats.jsonl", logs(10) + "{\"messages\": 7}\n{\"messages\": 8}\n");
    bench.fails(1, &["ingest", "chats.jsonl", "--out", "records.jsonl", "--max-bad", "0"]);
    let output =
        bench.uno(&["ingest", "chats.jsonl", "--out", "records.jsonl", "--max-bad", "0.2", "--json"]);
    assert!(output.status.success(), "{}", support::text(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["kept"], &told["bad"]), (&10.into(), &2.into()));
    assert!(support::text(&output.stderr).contains("chats.jsonl:11"), "{}", support::text(&output.stderr));
}
