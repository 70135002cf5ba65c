//! `uno bench learning` against the mock server: every kind of system once, resumed, and with wrong arguments.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, server, settings};

const LEARNING: &[&str] = &[
    "bench",
    "learning",
    "--domains",
    "cooking,finance",
    "--per-domain",
    "10",
    "--held-out",
    "2",
    "--noise",
    "0.3",
    "--systems",
    "wo_memory,bm25_message,rules,lora_sft,uno_single,uno",
    "--run",
    "run",
    "--json",
];

#[test]
fn every_system_answers_the_same_questions_and_nothing_is_paid_for_twice() {
    let (bench, server) = (Bench::new(), server(0));
    settings(&bench, &server);
    let cells = bench.json(LEARNING);
    let cells = cells.as_array().unwrap();
    let names: Vec<&str> = cells.iter().map(|c| c["system"].as_str().unwrap()).collect();
    assert_eq!(names, ["wo_memory", "bm25_message", "rules", "lora_sft", "uno_single", "uno"]);
    for cell in cells {
        // Four held-out questions and twelve of no domain; the mock's answers are single words, so none obeys.
        assert_eq!((cell["score"]["obedience"]["n"].as_u64(), cell["noise"].as_f64()), (Some(4), Some(0.3)));
        assert_eq!(cell["score"]["damage"]["any"]["n"].as_u64(), Some(16));
    }
    let tokens = |i: usize| cells[i]["score"]["tokens_per_answer"].as_f64().unwrap();
    assert!(tokens(0) < tokens(1), "what was retrieved stands in the prompt");
    assert!(cells[3]["training_seconds"].is_f64() && cells[0]["training_seconds"].is_null());
    for file in ["learning.json", "learning.csv", "learning-noise-30.svg"] {
        assert!(bench.path("run").join(file).exists(), "{file}");
    }
    let sent = server.count("/chat/completions");
    let again = bench.json(LEARNING);
    assert_eq!(again.as_array().unwrap(), cells);
    assert_eq!(server.count("/chat/completions"), sent);
}

#[test]
fn a_further_seed_adds_questions_and_asks_nothing_again() {
    let (bench, server) = (Bench::new(), server(0));
    settings(&bench, &server);
    let words = |seeds: &'static str| {
        let mut words = LEARNING.to_vec();
        words[11] = "wo_memory,bm25_message,uno";
        words.extend(["--seeds", seeds]);
        words
    };
    let one = bench.json(&words("42"));
    let of_one = server.count("/chat/completions");
    let both = bench.json(&words("42,7"));
    let of_both = server.count("/chat/completions");
    assert!(of_both > of_one);
    for (one, both) in one.as_array().unwrap().iter().zip(both.as_array().unwrap()) {
        let n = |cell: &serde_json::Value| cell["score"]["obedience"]["n"].as_u64();
        assert_eq!((n(one), n(both)), (Some(4), Some(8)));
        assert_eq!(both["uno_ahead"].is_null(), both["system"] == "uno");
    }
    assert_eq!(bench.json(&words("42")), one);
    assert_eq!(server.count("/chat/completions"), of_both);
}

#[test]
fn wrong_arguments_are_named() {
    let bench = Bench::new();
    for (words, part) in [
        (["--domains", "cooking,moon"], "moon"),
        (["--noise", "0.7"], "0.7"),
        (["--systems", "uno,brain"], "brain"),
        (["--per-domain", "0"], "--per-domain"),
        (["--seeds", "7,42,7"], "7 is there twice"),
    ] {
        let words = [
            &[
                "bench",
                "learning",
                "--set",
                "target.url=http://127.0.0.1:1",
                "--set",
                "embedder.url=http://127.0.0.1:1",
            ],
            &words[..],
        ]
        .concat();
        let error = bench.fails(2, &words);
        assert!(error.contains(part), "{words:?}: {error}");
    }
}
