//! What the command-line tests share: a clean environment, a tiny model, tiny logs, a mock server's settings.

#![allow(dead_code, reason = "every test binary uses another part")]

pub mod gateway;
pub mod tiny_model;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use uno_mock::{MockConfig, MockServer};

/// A directory of its own, and the real binary run inside it without settings of this machine.
pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `uno WORDS…`, not started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uno"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("UNO_")) {
            command.env_remove(name);
        }
        command.args(words).current_dir(self.dir.path()).env("UNO_HOME", self.path("home"));
        command
    }

    pub fn uno(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs, expects success, and parses stdout.
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.uno(words);
        assert!(output.status.success(), "uno {words:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs, expects this status, and gives stderr.
    pub fn fails(&self, status: i32, words: &[&str]) -> String {
        let output = self.uno(words);
        assert_eq!(output.status.code(), Some(status), "uno {words:?}: {}", text(&output.stderr));
        text(&output.stderr)
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Logs on two topics; every user voices a rule that a program can check, and a third holds a corrected answer.
pub fn logs(n: usize) -> String {
    let topics = [
        (
            "cook",
            ["rice", "soup", "eggs", "bread", "beans", "pasta", "fish", "cake"],
            "Please give me the steps as a numbered list.",
            "1. Begin.\n2. Do it.\n3. Done.",
        ),
        (
            "visit",
            ["Rome", "Oslo", "Lima", "Kyoto", "Cairo", "Perth", "Quito", "Riga"],
            "Please keep it to at most 12 words.",
            "Go in spring, walk a lot, and eat well.",
        ),
    ];
    let mut lines = String::new();
    for i in 0..n {
        let (verb, things, complaint, good) = topics[i % 2];
        let thing = things[(i / 2) % 8];
        let mut messages = vec![
            json!({"role": "user", "content": format!("How do I {verb} {thing} number {i}?")}),
            json!({"role": "assistant", "content": format!("Well, to {verb} {thing} is a matter of taste and there is a lot to say about it, as everybody who tried it number {i} knows.")}),
            json!({"role": "user", "content": complaint}),
        ];
        messages.push(json!({"role": "assistant", "content": good}));
        messages.push(json!({"role": "user", "content": "Thanks, perfect!"}));
        lines.push_str(
            &json!({"id": format!("r{i:03}"), "user": format!("u{}", i % 5), "messages": messages})
                .to_string(),
        );
        lines.push('\n');
    }
    lines
}

/// A server whose embeddings and answers depend on the request alone.
pub fn server(latency_ms: u64) -> MockServer {
    MockServer::start(MockConfig { latency_ms, dimensions: 16, max_loras: 8, ..MockConfig::default() })
        .unwrap()
}

/// Settings: target, teacher, judge and embedder on the server, the target's weights on this machine, training tiny.
pub fn settings(bench: &Bench, server: &MockServer) -> PathBuf {
    let weights = bench.path("tiny");
    tiny_model::write(&weights, 0);
    let url = server.base_url();
    bench.write(
        "uno.toml",
        format!(
            "seed = 3\n[target]\nmodel = \"mock-model\"\nurl = \"{url}\"\nweights = \"{}\"\n\
             [embedder]\nmodel = \"mock-model\"\nurl = \"{url}\"\n\
             [remote]\nretries = 1\nmax_loras = 8\n[cluster]\nthreshold = 2.0\nmin_pairs = 4\n\
             [train]\nrank = 4\nalpha = 8.0\nepochs = 2\nbatch = 4\ncheckpoint_every_steps = 1\nmax_length = 2000\n\
             [critic]\nrank = 4\nalpha = 8.0\nepochs = 2\nbatch = 4\ncheckpoint_every_steps = 1\nmax_length = 2000\n",
            weights.display()
        ),
    )
}

/// `uno learn` on the logs that [`prepared`] writes.
pub const LEARN: &[&str] = &["learn", "--logs", "chats.jsonl", "--run", "run", "--json"];

/// Learns with the tiny model embedded; the published policy, so that even a model of noise gets its critics.
const EMBEDDED: &[&str] = &[
    "--set",
    "target.url=",
    "--set",
    "target.model=tiny",
    "--set",
    "plan.policy=paper",
    "--set",
    "distil.max_tokens=16",
    "--set",
    "verify.answer.max_tokens=8",
    "--set",
    "verify.answer.max_suggestion_tokens=8",
];

/// [`LEARN`] so, with more settings.
pub fn learn_embedded(more: &[&'static str]) -> Vec<&'static str> {
    [LEARN, EMBEDDED, more].concat()
}

/// A directory with logs of so many conversations and settings for `server`.
pub fn prepared(server: &MockServer, conversations: usize) -> Bench {
    let bench = Bench::new();
    bench.write("chats.jsonl", logs(conversations));
    settings(&bench, server);
    bench
}

/// Every artefact of a run that must be the same for the same input: all but caches, timings and the trainer's own files.
pub fn artefacts(run: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    collect(run, run, &mut all);
    all.sort();
    all
}

fn collect(root: &Path, dir: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            if name != "cache" {
                collect(root, &path, all);
            }
        } else if !skipped(&name) {
            all.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Timings stand in run.json, in the trainer's own training.jsonl and in the log of plans, and the report shows them.
fn skipped(name: &str) -> bool {
    let own_events = name.contains("training/") && name.ends_with("/training.jsonl");
    let last = name.rsplit('/').next().unwrap_or(name);
    own_events || ["run.json", "report.html", ".lock"].contains(&last) || name == "plans/log.jsonl"
}
