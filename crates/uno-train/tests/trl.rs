//! Our side of training by TRL: what is written, followed, resumed and said, with a shell script in the launcher's place. It
//! speaks the launcher's protocol (events in training.jsonl, a PEFT checkpoint per epoch); TRL itself is run by
//! examples/trl/run.sh.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report, and figures are worth printing"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{decoder, fixtures, random_pairs};
use uno_engine::LoraWeights;
use uno_train::trl::{TrlSettings, TrlTrainer};
use uno_train::{TrainConfig, TrainError, TrainEvent, TrainOutcome};

/// Words of the scripts: `$1` is the launcher, `$2` the training directory.
const WORDS: &str = r#"dir=$2
echo "$@" >> "$dir/../launched"
tell() { echo "$1" >> "$dir/training.jsonl"; }
step() { tell "{\"event\":\"step\",\"step\":$1,\"total_steps\":4,\"epoch\":$2,\"loss\":$3,\"lr\":0.0005,\"grad_norm\":1.5,\"tokens\":10,\"tokens_per_second\":5.0,\"seconds\":2.0}"; }
epoch() { cp -r "$dir/initial" "$dir/epoch-$1"; tell "{\"event\":\"epoch\",\"epoch\":$1,\"dir\":\"epoch-$1\",\"train_loss\":$2,\"train_preferences\":null,\"validation_loss\":0.25,\"validation_preferences\":null,\"steps\":$(($1 * 2))}"; }
resumed() { tell "{\"event\":\"resumed\",\"step\":$1,\"epoch\":$2}"; }
"#;

struct Bench {
    dir: tempfile::TempDir,
    settings: TrlSettings,
}

impl Bench {
    /// A launcher that does `body`.
    fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let launcher = vec!["sh".into(), script_in(dir.path())];
        let bench = Self { dir, settings: TrlSettings { launcher, ..TrlSettings::default() } };
        bench.does(body);
        bench
    }

    /// From now on the launcher does `body`.
    fn does(&self, body: &str) {
        std::fs::write(script_in(self.dir.path()), format!("{WORDS}{body}\n")).unwrap();
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn train(&self, config: &TrainConfig) -> (Result<TrainOutcome, TrainError>, Vec<TrainEvent>) {
        let decoder = decoder("tiny-llama");
        let base = fixtures().join("models/tiny-llama");
        let trainer = TrlTrainer { settings: &self.settings, decoder: &decoder, base: &base };
        let mut events = Vec::new();
        let validation = random_pairs(3, 2);
        let data = random_pairs(8, 1);
        let result = trainer.train(&data, Some(&validation), config, &self.out(), &mut |event| {
            events.push(event.clone());
        });
        (result, events)
    }

    fn fails(&self) -> String {
        self.train(&config()).0.unwrap_err().to_string()
    }

    fn launches(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("launched")).unwrap_or_default().lines().count()
    }
}

fn script_in(dir: &Path) -> String {
    dir.join("launch.sh").display().to_string()
}

fn config() -> TrainConfig {
    TrainConfig { rank: 4, alpha: 8.0, epochs: 2, batch: 4, max_length: 100, ..TrainConfig::default() }
}

const BOTH_EPOCHS: &str =
    "step 1 1 0.9\nstep 2 1 0.8\nepoch 1 0.85\nsleep 0.3\nstep 3 2 0.7\nstep 4 2 0.6\nepoch 2 0.65";

fn kinds(events: &[TrainEvent]) -> Vec<String> {
    let kind =
        |event: &TrainEvent| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
    events.iter().map(kind).collect()
}

#[test]
fn follows_a_run_to_its_end_and_does_not_repeat_it() {
    let bench = Bench::new(BOTH_EPOCHS);
    let (outcome, events) = bench.train(&config());
    let outcome = outcome.unwrap();
    assert_eq!(kinds(&events), ["started", "step", "step", "epoch", "step", "step", "epoch"]);
    assert_eq!((outcome.examples, outcome.steps, outcome.stopped_early.clone()), (8, 4, None));
    assert_eq!(outcome.epochs.iter().map(|e| e.train_loss).collect::<Vec<_>>(), [0.85, 0.65]);
    for epoch in &outcome.epochs {
        LoraWeights::read_peft(&epoch.dir, decoder("tiny-llama").config()).unwrap();
    }
    let job: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bench.out().join("job.json")).unwrap()).unwrap();
    assert_eq!((job["steps_per_epoch"].as_u64(), job["validation"].as_u64()), (Some(2), Some(3)));
    assert_eq!(job["orders"][1].as_array().unwrap().len(), 8);
    let line = std::fs::read_to_string(bench.out().join("train.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert!(first["prompt"][0].is_u64() && first["chosen"][0].is_u64() && first["rejected"][0].is_u64());

    let (again, events) = bench.train(&config());
    assert_eq!((again.unwrap(), events.len(), bench.launches()), (outcome, 0, 1));

    let (other, events) = bench.train(&TrainConfig { lr: 1e-4, ..config() });
    assert_eq!(other.unwrap().epochs.len(), 2);
    assert_eq!(kinds(&events)[..2], ["restarted", "started"]);
    assert_eq!(bench.launches(), 2);
}

#[test]
fn goes_on_after_a_failure() {
    let bench = Bench::new("step 1 1 0.9\nstep 2 1 0.8\nepoch 1 0.85\nstep 3 2 0.7\necho some words\nexit 3");
    let error = bench.fails();
    assert!(error.contains("exit status: 3") && error.contains("some words"), "{error}");
    assert!(error.contains("launcher.log") && error.contains("goes on"), "{error}");
    bench.does("resumed 2 2\nstep 3 2 0.7\nstep 4 2 0.6\nepoch 2 0.65");
    let (outcome, events) = bench.train(&config());
    assert_eq!(kinds(&events), ["resumed", "step", "step", "epoch"], "nothing old is told again");
    let outcome = outcome.unwrap();
    assert_eq!(outcome.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(bench.launches(), 2);
}

#[test]
fn a_stopped_run_keeps_its_epochs_and_is_over() {
    let bench = Bench::new(
        "step 1 1 0.9\nstep 2 1 9.0\nepoch 1 5.0\ntell '{\"event\":\"stopped\",\"reason\":\"exploded\"}'",
    );
    let outcome = bench.train(&config()).0.unwrap();
    assert_eq!((outcome.epochs.len(), outcome.stopped_early.as_deref()), (1, Some("exploded")));
    bench.train(&config()).0.unwrap();
    assert_eq!(bench.launches(), 1);
}

#[test]
fn every_failure_says_what_to_do() {
    let told = |kind: &str, words: &str| {
        format!("echo '{{\"kind\":\"{kind}\",\"message\":\"{words}\"}}' > \"$dir/failure.json\"; exit 1")
    };
    let cases = [
        (
            told("import", "No module named trl"),
            ["No module named trl", "pip install torch==2.9.0 trl==0.24.0"],
        ),
        (told("version", "trl 0.30.0 is installed"), ["trl 0.30.0 is installed", "pip install"]),
        (told("memory", "CUDA out of memory"), ["CUDA out of memory", "docs/OPERATIONS.md"]),
        (told("settings", "`batch` is 3"), ["`batch` is 3", "training by TRL"]),
        (told("error", "ValueError: x"), ["ValueError: x", "launcher.log"]),
        (
            "echo '/usr/bin/python3: No module named accelerate' >&2; exit 1".into(),
            ["accelerate", "pip install"],
        ),
        ("kill -9 $$".into(), ["signal 9", "docs/OPERATIONS.md"]),
        ("echo 'died with <Signals.SIGKILL: 9>' >&2; exit 1".into(), ["signal 9", "bf16"]),
        ("exit 5".into(), ["exit status: 5", "it said nothing"]),
        ("step 1 1 0.9".into(), ["after 0 of 2 epochs", "launcher.log"]),
    ];
    for (body, words) in cases {
        let error = Bench::new(&body).fails();
        assert!(words.iter().all(|word| error.contains(word)), "{body}: {error}");
    }
    let mut bench = Bench::new("");
    bench.settings.launcher = vec!["no-such-accelerate".into(), "launch".into()];
    let error = bench.fails();
    assert!(
        error.contains("cannot start `no-such-accelerate launch`") && error.contains("trl.launcher"),
        "{error}"
    );
    let mut bench = Bench::new("");
    bench.settings.accelerate_config = "no-such.yaml".into();
    let error = bench.fails();
    assert!(error.contains("no-such.yaml") && error.contains("examples/trl"), "{error}");
}

#[test]
fn another_base_is_refused() {
    let bench = Bench::new(BOTH_EPOCHS);
    let decoder = decoder("tiny-llama");
    let refused = |base: &Path| {
        let trainer = TrlTrainer { settings: &bench.settings, decoder: &decoder, base };
        trainer
            .train(&random_pairs(8, 1), None, &config(), &bench.out(), &mut |_| ())
            .unwrap_err()
            .to_string()
    };
    let gguf = bench.dir.path().join("model.gguf");
    std::fs::write(&gguf, b"GGUF").unwrap();
    let error = refused(&gguf);
    assert!(error.contains("probably a GGUF") && error.contains("gguf_to_hf.py"), "{error}");
    let error = refused(&fixtures().join("models/tiny-qwen3"));
    assert!(error.contains("its model_type is \"qwen3\", the target's is \"llama\""), "{error}");
    assert!(refused(bench.dir.path()).contains("config.json"));
    assert_eq!(bench.launches(), 0);
}

const DIR: &str = "UNO_TRAIN_TEST_TRL";

/// Not a test by itself: the process that the next test kills.
#[test]
fn child_that_is_killed() {
    if let Ok(script) = std::env::var(DIR) {
        let dir = tempfile::tempdir_in(Path::new(&script).parent().unwrap()).unwrap();
        let settings = TrlSettings { launcher: vec!["sh".into(), script], ..TrlSettings::default() };
        let decoder = decoder("tiny-llama");
        let base = fixtures().join("models/tiny-llama");
        let trainer = TrlTrainer { settings: &settings, decoder: &decoder, base: &base };
        trainer.train(&random_pairs(8, 1), None, &config(), dir.path(), &mut |_| ()).unwrap();
    }
}

#[test]
fn the_launcher_ends_with_the_process_that_started_it() {
    // As the launcher does: it reads stdin, where nothing ever comes, until it is closed.
    let bench = Bench::new("touch \"$0.alive\"\ncat > /dev/null\nrm \"$0.alive\"");
    let script = script_in(bench.dir.path());
    let alive = PathBuf::from(format!("{script}.alive"));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--test-threads", "1"])
        .env(DIR, &script)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = |what: bool| {
        let started = Instant::now();
        while alive.exists() != what {
            assert!(started.elapsed() < Duration::from_secs(60), "still {} after a minute", alive.exists());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    until(true);
    child.kill().unwrap();
    child.wait().unwrap();
    until(false);
}
