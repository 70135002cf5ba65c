//! Settings through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::Bench;

#[test]
fn sources_override_each_other_and_are_named() {
    let bench = Bench::new();
    bench.write("uno.toml", "[train]\nepochs = 3\nlr = 1e-3\n");
    let output = bench
        .command(&["config", "show", "--json", "--set", "seed=9"])
        .env("UNO_TRAIN_EPOCHS", "5")
        .output()
        .unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["train.epochs"], serde_json::json!({"value": 5, "origin": "UNO_TRAIN_EPOCHS"}));
    assert_eq!(all["train.lr"], serde_json::json!({"value": 0.001, "origin": "uno.toml"}));
    assert_eq!(all["seed"]["origin"], "--set");
    assert_eq!(all["train.rank"]["origin"], "default");
    assert!(bench.uno(&["config", "check"]).status.success());
}

#[test]
fn mistakes_end_with_two_and_name_place_and_nearest_key() {
    let bench = Bench::new();
    let path = bench.write("bad.toml", "[train]\nepoch = 3\n");
    let path = path.to_str().unwrap();
    let error = bench.fails(2, &["config", "check", "--config", path]);
    assert!(
        error.contains("bad.toml: unknown setting `train.epoch`: did you mean `train.epochs`?"),
        "{error}"
    );
    let error = bench.fails(2, &["learn", "--logs", "x", "--run", "r", "--set", "train.epochs=none"]);
    assert!(error.contains("--set: setting `train.epochs`"), "{error}");
    let error = bench.fails(2, &["config", "check", "--config", "missing.toml"]);
    assert!(error.contains("missing.toml"), "{error}");
    let output = bench.command(&["config", "check"]).env("UNO_TRIAN_EPOCHS", "5").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!bench.path("r").exists(), "nothing is made for wrong settings");
}
