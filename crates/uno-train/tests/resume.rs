//! Killed at any moment and called again, a run ends with the very weights of an uninterrupted one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic in a test is its report, and figures are worth printing"
)]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{checkpoints, decoder, random_pairs};
use uno_train::{Loss, TrainConfig, TrainData, TrainEvent, TrainOutcome, train};

const DIR: &str = "UNO_TRAIN_TEST_DIR";
const EPOCHS: usize = 6;
/// Eleven steps for 42 pairs in batches of four.
const STEPS: u64 = 11 * EPOCHS as u64;

fn config() -> TrainConfig {
    TrainConfig {
        rank: 8,
        alpha: 16.0,
        epochs: EPOCHS,
        batch: 4,
        micro_batch: 2,
        checkpoint_every_steps: 3,
        dropout: 0.1,
        dropout_in_dpo: true,
        lr: 2e-3,
        ..TrainConfig::default()
    }
}

fn run(dir: &Path, config: &TrainConfig, events: &mut dyn FnMut(&TrainEvent)) -> TrainOutcome {
    let decoder = decoder("tiny-llama");
    train(&decoder, &random_pairs(42, 1), Some(&random_pairs(5, 2)), config, dir, events).unwrap()
}

/// Not a test by itself: the process that the next test kills.
#[test]
fn child_that_is_killed() {
    if let Ok(dir) = std::env::var(DIR) {
        run(Path::new(&dir), &config(), &mut |_| ());
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--test-threads", "1"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Steps that the log has, and how often the run was resumed in the middle.
fn log(dir: &Path) -> (u64, usize) {
    let text = std::fs::read_to_string(dir.join("training.jsonl")).unwrap_or_default();
    let events: Vec<TrainEvent> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let steps = events.iter().filter(|e| matches!(e, TrainEvent::Step(_))).count() as u64;
    let resumed = events.iter().filter(|e| matches!(e, TrainEvent::Resumed { .. })).count();
    (steps, resumed)
}

#[test]
fn killed_at_random_moments_ends_with_the_same_weights() {
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    let began = Instant::now();
    assert!(spawn(&whole).wait().unwrap().success());
    let uninterrupted = began.elapsed();

    let expected = checkpoints(&whole, EPOCHS);
    assert_eq!(log(&whole), (STEPS, 0));

    let broken = home.path().join("broken");
    let mut random = 12345u64;
    let (mut kills, mut runs, mut resumptions) = (0, 0, 0);
    while kills < 15 || runs == 0 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Up to a quarter of a whole run: some processes die before their first step, some get far.
        let share = ((random >> 40) as f64 / (1u64 << 24) as f64) / 4.0;
        let mut child = spawn(&broken);
        std::thread::sleep(uninterrupted.mul_f64(share).max(Duration::from_millis(2)));
        let finished = child.try_wait().unwrap().is_some();
        // SIGKILL: nothing of the child runs any more.
        child.kill().unwrap();
        child.wait().unwrap();
        if !finished {
            kills += 1;
            if kills < 15 {
                continue;
            }
            assert!(spawn(&broken).wait().unwrap().success());
        }
        assert!(expected == checkpoints(&broken, EPOCHS), "other weights after {kills} kills");
        let (steps, resumed) = log(&broken);
        assert_eq!(steps, STEPS, "every step stands in the log once");
        resumptions += resumed;
        runs += 1;
        std::fs::remove_dir_all(&broken).unwrap();
    }
    assert!(resumptions >= 3, "only {resumptions} resumptions left a trace in {kills} kills");
    eprintln!("{kills} kills over {runs} runs, {resumptions} resumptions, {uninterrupted:?} uninterrupted");
}

/// What is done to the files, in words and in deed.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

/// Damages the files of a half-done run in one way each and finishes it.
#[test]
fn torn_files_are_survived() {
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    run(&whole, &config(), &mut |_| ());
    let expected = checkpoints(&whole, EPOCHS);

    let half = |name: &str| {
        let dir = home.path().join(name);
        // A panic in the callback is as good as a kill in the middle of the third epoch.
        let result = std::panic::catch_unwind(|| {
            run(&dir, &config(), &mut |event| {
                if let TrainEvent::Step(step) = event {
                    assert!(step.step < 29, "stop here");
                }
            })
        });
        assert!(result.is_err());
        dir
    };
    let state = |dir: &Path| {
        let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        let states: Vec<_> = files.filter(|p| p.to_string_lossy().contains("/state-")).collect();
        assert_eq!(states.len(), 1, "{states:?}");
        states[0].clone()
    };
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let last = bytes.len() - 9;
        bytes[last] ^= 1;
        std::fs::write(path, &bytes).unwrap();
    };
    let damages: [Damage<'_>; 8] = [
        ("nothing", &|_| ()),
        ("state.json cut", &|dir| cut(&dir.join("state.json"))),
        ("state.json gone", &|dir| std::fs::remove_file(dir.join("state.json")).unwrap()),
        ("tensors cut", &|dir| cut(&state(dir))),
        ("tensors flipped", &|dir| flip(&state(dir))),
        ("logs cut", &|dir| {
            cut(&dir.join("reference.jsonl"));
            cut(&dir.join("training.jsonl"));
        }),
        ("temporary files left", &|dir| {
            std::fs::write(dir.join("state-30.tmp"), b"half").unwrap();
            std::fs::write(dir.join("state.tmp"), b"half").unwrap();
        }),
        ("checkpoint gone", &|dir| std::fs::remove_dir_all(dir.join("epoch-1")).unwrap()),
    ];
    for (name, damage) in damages {
        let dir = half(name);
        damage(&dir);
        run(&dir, &config(), &mut |_| ());
        assert!(checkpoints(&dir, EPOCHS) == expected, "{name}: other weights");
        let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.iter().all(|n| !n.to_string_lossy().starts_with("state-")), "{name}: {left:?}");
    }
}

#[test]
fn finished_run_is_not_repeated_and_other_settings_start_again() {
    let home = tempfile::tempdir().unwrap();
    let first = run(home.path(), &config(), &mut |_| ());
    let mut events = 0;
    let again = run(home.path(), &config(), &mut |_| events += 1);
    assert_eq!((first.clone(), 0), (again, events));
    assert_eq!(first.epochs.len(), EPOCHS);
    assert!(first.epochs.iter().all(|e| e.dir.is_dir() && e.validation_loss.is_some()));
    // References are read, not computed: the file does not grow.
    let size = || std::fs::metadata(home.path().join("reference.jsonl")).unwrap().len();
    let before = size();

    let shorter = TrainConfig { epochs: 2, ..config() };
    let mut restarted = None;
    let second = run(home.path(), &shorter, &mut |event| {
        if let TrainEvent::Restarted { reason } = event {
            restarted = Some(reason.clone());
        }
    });
    assert_eq!(restarted.unwrap(), "the base model, the settings or the data have changed");
    assert_eq!(second.epochs.len(), 2);
    assert!(!home.path().join("epoch-3").exists());
    assert_eq!(size(), before);
}

#[test]
fn directory_in_use_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let decoder = decoder("tiny-llama");
    let mut inner = None;
    train(&decoder, &random_pairs(4, 1), None, &config(), home.path(), &mut |_| {
        let second = train(&decoder, &random_pairs(4, 1), None, &config(), home.path(), &mut |_| ());
        inner.get_or_insert(second.unwrap_err().to_string());
    })
    .unwrap();
    assert!(inner.unwrap().contains("in use by another training run"));
}

#[test]
fn divergence_stops_the_run_with_a_reason() {
    let explosive = TrainConfig { lr: 1.0, beta: 100.0, explosion_ratio: 1.5, ..config() };
    // B leaves zero in the first step; then this scale overflows.
    let overflowing = TrainConfig { alpha: 1e38, ..config() };
    for (config, words) in [(explosive, "has exploded from"), (overflowing, "not finite")] {
        let home = tempfile::tempdir().unwrap();
        let mut losses = Vec::new();
        let outcome = run(home.path(), &config, &mut |event| {
            if let TrainEvent::Step(step) = event {
                losses.push(step.loss);
            }
        });
        let reason = outcome.stopped_early.clone().unwrap_or_else(|| panic!("not stopped: {losses:?}"));
        assert!(reason.contains(words) && reason.contains("try a lower lr"), "{reason}");
        assert_eq!(run(home.path(), &config, &mut |_| ()), outcome, "the verdict is kept");
    }
}

#[test]
fn nothing_to_train_on_is_an_error_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let decoder = decoder("tiny-llama");
    let short = TrainConfig { max_length: 3, ..config() };
    let result = train(&decoder, &random_pairs(4, 1), None, &short, home.path(), &mut |_| ());
    let message = result.unwrap_err().to_string();
    assert!(
        message.starts_with("no example can be trained on: 4 refused (the first: record r0:"),
        "{message}"
    );
    let sft = TrainConfig { loss: Loss::Sft, ..config() };
    let result = train(&decoder, &TrainData::Preferences(Vec::new()), None, &sft, home.path(), &mut |_| ());
    assert!(result.unwrap_err().to_string().starts_with("the sft loss needs completions"));
}
