//! Damaged files and a full disk: one clear message, a proper exit status, and a run that stays usable.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::Command;

use support::{Bench, learn_embedded as learn, logs, prepared, server, text, tiny_model};

/// Fails with status 1 and a message of one cause that names `what` and is no panic.
fn refused(bench: &Bench, words: &[&str], what: &[&str]) {
    let error = bench.fails(1, words);
    assert!(what.iter().all(|w| error.contains(w)), "{what:?}: {error}");
    assert!(error.contains("error: ") && !error.contains("panicked"), "{error}");
}

#[test]
fn a_model_cut_in_half_is_named_and_a_whole_one_goes_on() {
    let server = server(0);
    let bench = prepared(&server, 16);
    let weights = bench.path("tiny").join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    refused(&bench, &learn(&[]), &["model.safetensors"]);
    // A GGUF that ends after a header which promises ten tensors.
    let header = [&b"GGUF"[..], &3u32.to_le_bytes(), &10u64.to_le_bytes(), &5u64.to_le_bytes()].concat();
    bench.write("cut.gguf", header);
    refused(&bench, &learn(&["--set", "target.model=cut.gguf"]), &["cut.gguf"]);
    fs::write(&weights, &whole).unwrap();
    assert_eq!(bench.json(&learn(&[]))["records"], 16);
}

/// Spoils a file's bytes.
type Damage = fn(&[u8]) -> Vec<u8>;

/// The adapter files that the plan uses.
fn adapters(bench: &Bench) -> Vec<PathBuf> {
    let dirs = fs::read_dir(bench.path("run").join("adapters")).unwrap();
    dirs.map(|d| d.unwrap().path().join("adapter_model.safetensors")).filter(|f| f.exists()).collect()
}

#[test]
fn a_damaged_adapter_is_found_and_the_base_model_answers() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&learn(&[]));
    let files = adapters(&bench);
    assert!(!files.is_empty(), "the published policy uses critics");
    let whole: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    let nan: Damage = |bytes| {
        let mut bytes = bytes.to_vec();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    let reshaped: Damage = |bytes| {
        // Rank 4 and hidden 32: the header's shapes turned round, all byte counts unchanged.
        let mut bytes = bytes.to_vec();
        let at = bytes.windows(6).position(|w| w == b"[4,32]").expect("a factor of rank 4");
        bytes[at..at + 6].copy_from_slice(b"[32,4]");
        bytes
    };
    let cut: Damage = |bytes| bytes[..bytes.len() / 2].to_vec();
    for damage in [cut, nan, reshaped] {
        for (file, bytes) in files.iter().zip(&whole) {
            fs::write(file, damage(bytes)).unwrap();
        }
        refused(&bench, &["adapters", "verify", "--run", "run"], &["damaged or missing", "uno learn"]);
        let output = bench.uno(&["ask", "--run", "run", "--json", "How do I cook rice?"]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let warning = text(&output.stderr);
        assert!(output.status.success() && told["path"] == "base", "{told} {warning}");
        assert!(warning.contains("adapter"), "the reason is told: {warning}");
    }
    // What is damaged is made anew from the kept work: the same bytes.
    bench.json(&learn(&[]));
    assert!(files.iter().zip(&whole).all(|(file, bytes)| fs::read(file).unwrap() == *bytes));
    let told = bench.json(&["ask", "--run", "run", "--json", "How do I cook rice?"]);
    assert_eq!(told["path"], "critic");
}

#[test]
fn an_adapter_of_a_foreign_base_does_not_answer() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&learn(&[]));
    // Another model of the same shape in the old one's place: every shape fits, and every answer would be wrong.
    tiny_model::write(&bench.path("tiny"), 1 << 40);
    let output = bench.uno(&["ask", "--run", "run", "--json", "How do I cook rice?"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let warning = text(&output.stderr);
    assert!(output.status.success() && told["path"] == "base", "{told} {warning}");
    assert!(
        warning.contains("not the one the adapter was trained on") && warning.contains("uno learn"),
        "{warning}"
    );
}

#[test]
fn a_question_longer_than_the_context_is_refused() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(&learn(&[]));
    let long = "why ".repeat(2000);
    refused(&bench, &["ask", "--run", "run", "--path", "base", &long], &["4096", "tokens"]);
}

#[test]
fn a_line_of_a_gigabyte_is_skipped() {
    let bench = Bench::new();
    let path = bench.write("huge.jsonl", logs(4));
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"messages\": \"").unwrap();
    // A hole: a gigabyte to read, nothing on the disk.
    let end = file.seek(SeekFrom::End(0)).unwrap() + (1 << 30);
    file.set_len(end).unwrap();
    drop(file);
    let mut file: File = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(format!("\"}}\n{}", logs(4)).as_bytes()).unwrap();
    let told = bench.json(&["ingest", "huge.jsonl", "--out", "kept.jsonl", "--json", "--max-bad", "0.5"]);
    assert_eq!((&told["bad"], &told["read"]), (&1.into(), &9.into()), "{told}");
}

#[test]
fn a_full_disk_is_told_and_more_room_goes_on() {
    let server = server(0);
    let bench = prepared(&server, 16);
    let mount = |size: &str, how: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("{how}size={size}"), "none"]).arg(bench.path("run"));
        command.output().is_ok_and(|o| o.status.success())
    };
    fs::create_dir(bench.path("run")).unwrap();
    if !mount("96k", "") {
        eprintln!("SKIPPED: cannot mount a small tmpfs here");
        return;
    }
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        refused(&bench, &learn(&[]), &["no space left", "run/", "free some space"]);
        assert!(mount("200m", "remount,"), "more room");
        assert_eq!(bench.json(&learn(&[]))["records"], 16);
    }));
    let unmounted = Command::new("umount").arg(bench.path("run")).status();
    assert!(unmounted.is_ok_and(|s| s.success()));
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
