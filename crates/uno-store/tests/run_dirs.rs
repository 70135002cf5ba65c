//! Run directories under misuse, kill -9 and a full disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use uno_store::{GenerationCache, RunDir, StageState, StageTokens, StoreError};
use uno_types::{FinishReason, Generation};

fn generation(i: usize) -> Generation {
    Generation {
        text: format!("{i} ").repeat(200),
        finish: FinishReason::Stop,
        prompt_tokens: i,
        completion_tokens: 1,
        logprobs: None,
    }
}

#[test]
fn stages_are_fresh_until_input_or_artefact_change() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("run");
    let mut run = RunDir::open_or_create(&root).unwrap();
    run.begin("distil", "in1").unwrap();
    assert!(!run.is_fresh("distil", "in1"));
    run.write_lines("rules.jsonl", &["a", "b"]).unwrap();
    run.finish("distil", &["rules.jsonl".into()], 1.5, StageTokens::default()).unwrap();
    drop(run);
    let mut run = RunDir::open_or_create(&root).unwrap();
    assert!(run.is_fresh("distil", "in1") && !run.is_fresh("distil", "in2") && !run.is_fresh("pairs", "in1"));
    // The same content written again, at another time: still fresh, by its hash.
    run.write_lines("rules.jsonl", &["a", "b"]).unwrap();
    assert!(run.is_fresh("distil", "in1"));
    run.write_lines("rules.jsonl", &["a", "c"]).unwrap();
    assert!(!run.is_fresh("distil", "in1"));
    run.fail("distil", "no", 1.0, StageTokens::default()).unwrap();
    assert_eq!(run.manifest().stage("distil").unwrap().state, StageState::Failed);
}

#[test]
fn two_processes_do_not_share_a_run_but_reading_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let first = RunDir::open_or_create(dir.path()).unwrap();
    let second = RunDir::open_or_create(dir.path()).unwrap_err();
    assert!(
        matches!(second, StoreError::Locked { holder: Some(pid), .. } if pid == std::process::id()),
        "{second}"
    );
    RunDir::open_existing(dir.path()).unwrap();
    drop(first);
    RunDir::open_or_create(dir.path()).unwrap();
}

#[test]
fn what_is_no_run_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(RunDir::open_existing(dir.path()), Err(StoreError::NoRun { .. })));
    fs_err::write(dir.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(RunDir::open_or_create(dir.path()), Err(StoreError::NotARun { .. })));
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    fs_err::write(dir.path().join("run.json"), r#"{"version":99,"program":"9"}"#).unwrap();
    assert!(matches!(RunDir::open_or_create(dir.path()), Err(StoreError::Version { found: 99, .. })));
    fs_err::write(dir.path().join("run.json"), "{\"version\":1,").unwrap();
    let error = RunDir::open_or_create(dir.path()).unwrap_err().to_string();
    assert!(error.contains("run.json: not a valid Manifest"), "{error}");
}

/// Not a test by itself: what the child of `kill_while_appending` does.
#[test]
fn child() {
    let Ok(path) = std::env::var("UNO_STORE_TEST_CHILD") else { return };
    let cache = GenerationCache::open(path.as_ref()).unwrap();
    for i in cache.len().. {
        cache.put(&i.to_string(), &generation(i)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn kill_while_appending() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.jsonl");
    let mut before = 0;
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact"])
            .env("UNO_STORE_TEST_CHILD", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while fs_err::metadata(&path).map_or(0, |m| m.len()) <= before && started.elapsed().as_secs() < 10 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 377));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = GenerationCache::open(&path).unwrap();
        assert_eq!(cache.recovery().corrupt, 0);
        assert!(!cache.is_empty());
        for i in 0..cache.len() {
            assert_eq!(cache.get(&i.to_string()), Some(generation(i)));
        }
        before = fs_err::metadata(&path).unwrap().len();
    }
}

/// Needs the right to mount a small file system; says so and passes where it is missing.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_typed_and_leaves_the_run_usable() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| {
        Command::new("mount")
            .args(args)
            .arg(dir.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=128k", "none"]) {
        eprintln!("SKIPPED: cannot mount a small tmpfs here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let root = dir.path().join("run");
        let run = RunDir::open_or_create(&root).unwrap();
        let cache = run.generations().unwrap();
        let mut stored = 0;
        let error = loop {
            match cache.put(&stored.to_string(), &generation(stored)) {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
        let big = vec!["x".repeat(1000); 500];
        assert!(matches!(run.write_lines("rules.jsonl", &big), Err(StoreError::DiskFull { .. })));
        assert!(!root.join("rules.jsonl").exists() && !root.join(".rules.jsonl.tmp").exists());
        drop(run);
        assert!(mount(&["-o", "remount,size=1m"]));
        let run = RunDir::open_or_create(&root).unwrap();
        let again = run.generations().unwrap();
        assert_eq!(again.len(), stored);
        again.put("more", &generation(1)).unwrap();
        run.write_lines("rules.jsonl", &big).unwrap();
    });
    Command::new("umount").arg("-l").arg(dir.path()).status().unwrap();
    outcome.unwrap();
}
