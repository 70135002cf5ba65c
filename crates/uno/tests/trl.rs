//! `train.backend = "trl"` through the real binary, with a shell script in accelerate's place. TRL itself is run by
//! examples/trl/run.sh.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, LEARN, prepared, server};

/// One epoch whose checkpoint is the adapter that uno gave to start from.
const TRAIN: &str = r#"dir=$2
echo "$dir" >> "$(dirname "$0")/launched"
echo '{"event":"step","step":1,"total_steps":1,"epoch":1,"loss":0.7,"lr":0.0005,"grad_norm":1.5,"tokens":10,"tokens_per_second":5.0,"seconds":2.0}' >> "$dir/training.jsonl"
cp -r "$dir/initial" "$dir/epoch-1"
echo '{"event":"epoch","epoch":1,"dir":"epoch-1","train_loss":0.7,"train_preferences":null,"validation_loss":0.5,"validation_preferences":null,"steps":1}' >> "$dir/training.jsonl"
"#;

/// Settings that make `script` the launcher.
fn launched_by(bench: &Bench, script: &str) -> [String; 4] {
    let path = bench.write("accelerate.sh", script);
    let words = format!("trl.launcher=[\"sh\", \"{}\"]", path.display());
    ["--set".into(), "train.backend=trl".into(), "--set".into(), words]
}

#[test]
fn experts_and_critics_are_trained_by_the_launcher_and_verified_like_others() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let trl = launched_by(&bench, TRAIN);
    let mut words: Vec<&str> = LEARN.to_vec();
    words.extend(trl.iter().map(String::as_str));
    words.extend(["--set", "train.epochs=1", "--set", "critic.epochs=1"]);
    bench.json(&words);
    let modules = std::fs::read_to_string(bench.path("run/training/modules-1.jsonl")).unwrap();
    let modules: Vec<serde_json::Value> = modules.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut trained = 0;
    for module in modules.iter().filter(|m| !m["checkpoints"].as_array().unwrap().is_empty()) {
        let checkpoint = &module["checkpoints"][0];
        assert!(checkpoint["dir"].as_str().unwrap().ends_with("-trl/epoch-1"), "{checkpoint}");
        assert_eq!((&checkpoint["train_loss"], &checkpoint["validation_loss"]), (&0.7.into(), &0.5.into()));
        assert_eq!(module["curve"][0]["loss"], 0.7);
        let dir = bench.path("run").join(checkpoint["dir"].as_str().unwrap());
        assert!(dir.join("fingerprint.json").is_file());
        trained += 1;
    }
    assert!(trained > 0, "{modules:?}");
    let launches = |bench: &Bench| std::fs::read_to_string(bench.path("launched")).unwrap().lines().count();
    assert!(launches(&bench) >= trained);
    let before = launches(&bench);
    let again = bench.json(&words);
    assert_eq!((again["stages_run"].as_array().unwrap().len(), launches(&bench)), (0, before));
}

#[test]
fn a_failure_ends_learning_with_one_message() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let script =
        "echo '{\"kind\":\"import\",\"message\":\"No module named trl\"}' > \"$2/failure.json\"; exit 1";
    let trl = launched_by(&bench, script);
    let words: Vec<&str> = LEARN.iter().copied().chain(trl.iter().map(String::as_str)).collect();
    let error = bench.fails(1, &words);
    assert!(error.contains("No module named trl") && error.contains("pip install"), "{error}");
}

#[test]
fn doctor_looks_at_the_environment() {
    let server = server(0);
    let bench = prepared(&server, 24);
    let answer = |trl: &str| {
        format!(
            "test \"$2\" = --check && echo '{{\"uno_check\":{{\"trl\":\"{trl}\",\"peft\":\"0.17.1\",\"transformers\":\"4.57.1\",\
             \"accelerate\":\"1.11.0\",\"torch\":\"2.9.0\"}},\"devices\":[\"H100\",\"H100\"],\"processes\":2}}'"
        )
    };
    let finding = |script: &str| {
        let trl = launched_by(&bench, script);
        let words: Vec<&str> =
            ["doctor", "--json"].into_iter().chain(trl.iter().map(String::as_str)).collect();
        let all: serde_json::Value = serde_json::from_slice(&bench.uno(&words).stdout).unwrap();
        let all = all.as_array().unwrap().clone();
        let of =
            |name: &str| all.iter().find(|f| f["check"].as_str().unwrap().starts_with(name)).unwrap().clone();
        (of("trl: sh"), of("trl: base"))
    };
    let (environment, base) = finding(&answer("0.24.0"));
    assert_eq!((&environment["state"], &base["state"]), (&"ok".into(), &"ok".into()), "{environment} {base}");
    let found = environment["found"].as_str().unwrap();
    assert!(found.contains("trl 0.24.0") && found.contains("H100, H100; 2 process(es)"), "{found}");
    let (environment, _) = finding(&answer("0.30.0"));
    assert_eq!(environment["state"], "problem");
    assert!(environment["advice"].as_str().unwrap().contains("trl==0.24.0"), "{environment}");
    let (environment, _) = finding("echo 'No module named torch' >&2; exit 1");
    assert!(environment["found"].as_str().unwrap().contains("No module named torch"), "{environment}");
}

#[test]
fn critics_go_where_experts_go_unless_told() {
    let bench = Bench::new();
    let backends = |words: &[&str]| {
        let all = bench.json(&[&["config", "show", "--json"], words].concat());
        let of = |key: &str| all[key]["value"].as_str().unwrap().to_owned();
        (of("train.backend"), of("critic.backend"))
    };
    assert_eq!(backends(&[]), ("native".into(), "native".into()));
    assert_eq!(backends(&["--set", "train.backend=trl"]), ("trl".into(), "trl".into()));
    let both = ["--set", "train.backend=trl", "--set", "critic.backend=native"];
    assert_eq!(backends(&both), ("trl".into(), "native".into()));
    let error = bench.fails(2, &["config", "check", "--set", "train.backend=axolotl"]);
    assert!(error.contains("`train.backend`") && error.contains("`native`"), "{error}");
}
