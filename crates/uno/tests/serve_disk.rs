//! `uno serve` on a disk that fills up and gets room again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use support::gateway::{Gateway, header};
use support::{Bench, server};
use uno_store::live::{RequestRow, open};

/// `uno WORDS…` in a mount namespace of its own, with a file system of four megabytes on the run directory; `None` where the
/// system does not let us.
fn on_a_small_disk(bench: &Bench, words: &[&str]) -> Option<Command> {
    let may = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none"])
        .arg("/tmp")
        .output();
    if !may.is_ok_and(|o| o.status.success()) {
        return None;
    }
    std::fs::create_dir(bench.path("run")).unwrap();
    let plain = bench.command(words);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=4m none run && exec \"$0\" \"$@\"")
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Some(command)
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [64 << 10, 4 << 10, 1] {
        while file.write(&vec![0; size]).is_ok_and(|n| n > 0) {}
    }
}

/// What is in the log now. The directory is seen by the gateway only, and goes with it.
fn rows(bench: &Bench, inside: &Path) -> (Vec<RequestRow>, Vec<(String, String)>) {
    let copy = bench.path("copy");
    std::fs::create_dir_all(&copy).unwrap();
    for name in ["live.db", "live.db-wal"] {
        std::fs::copy(inside.join(name), copy.join(name)).unwrap();
    }
    let mut store = open(&copy.join("live.db").display().to_string()).unwrap();
    let mut requests = Vec::new();
    store.requests(0, &mut |row| requests.push(row)).unwrap();
    let feedback = store.feedback().unwrap();
    (requests, feedback.into_iter().map(|f| (f.decision, f.author)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_no_answer_and_loses_no_acknowledged_feedback() {
    let server = server(0);
    let bench = Bench::new();
    let target = format!("target.url={}", server.base_url());
    let words =
        ["serve", "--run", "run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--json"];
    let sets = ["--set", &target, "--set", "target.model=mock-model"];
    let Some(command) = on_a_small_disk(&bench, &[&words[..], &sets[..]].concat()) else {
        eprintln!("skipped: no user namespaces here");
        return;
    };
    let gateway = Gateway::of(command);
    let inside: PathBuf =
        format!("/proc/{}/root{}", gateway.child.id(), bench.path("run").canonicalize().unwrap().display())
            .into();
    let decision = header(&gateway.ask("anything").await, "x-uno-decision");
    let (mut asked, mut acknowledged) = (1, Vec::new());
    let mut give = async |author: &str| {
        let comment = "word ".repeat(10_000);
        let body = json!({"decision": decision, "author": author, "comment": comment});
        let status = gateway.feedback(&body).await;
        if status == 200 {
            acknowledged.push((decision.clone(), author.to_owned()));
        }
        status
    };
    assert_eq!(give("before").await, 200);
    fill(&inside.join("filler"));
    assert_eq!(give("full").await, 503, "not kept, and said so");
    for _ in 0..20 {
        assert_eq!(gateway.ask("anything").await.status(), 200);
        asked += 1;
    }
    gateway.until_counted("uno_log_dropped_total", 20).await;
    assert_eq!(gateway.client.get(gateway.url("/ready")).send().await.unwrap().status(), 200);
    std::fs::remove_file(inside.join("filler")).unwrap();
    let started = Instant::now();
    while give("after").await != 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "there is room again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gateway.ask("anything").await;
    asked += 1;
    let dropped = gateway.counted("uno_log_dropped_total").await;
    let started = Instant::now();
    let (requests, feedback) = loop {
        let (requests, feedback) = rows(&bench, &inside);
        if requests.len() as u64 + dropped >= asked {
            break (requests, feedback);
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{} rows, {dropped} dropped", requests.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(requests.iter().all(|r| !r.messages.is_empty() && !r.answer.is_empty()), "no half row");
    assert!(acknowledged.iter().all(|a| feedback.contains(a)), "{acknowledged:?} of {feedback:?}");
    assert!(dropped <= 20, "only what came while it was full");
}
