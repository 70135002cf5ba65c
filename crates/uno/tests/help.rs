//! The command line as users see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{Bench, text};

const COMMANDS: [&[&str]; 24] = [
    &[],
    &["demo"],
    &["models"],
    &["models", "pull"],
    &["models", "list"],
    &["ingest"],
    &["learn"],
    &["evolve"],
    &["ask"],
    &["serve"],
    &["keys"],
    &["keys", "add"],
    &["keys", "remove"],
    &["report"],
    &["config"],
    &["config", "show"],
    &["doctor"],
    &["adapters"],
    &["adapters", "list"],
    &["adapters", "export"],
    &["adapters", "rollback"],
    &["bench"],
    &["bench", "train"],
    &["bench", "simulate"],
];

#[test]
fn every_command_has_help_with_an_example() {
    let bench = Bench::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let output = bench.uno(&words);
        assert!(output.status.success());
        let help = text(&output.stdout);
        assert!(help.contains("uno ") && help.contains("--json"), "{command:?}: {help}");
        assert!(command.is_empty() || help.contains("Example:"), "{command:?} has no example");
    }
}

#[test]
fn the_main_help_stays_as_it_is() {
    let bench = Bench::new();
    insta::assert_snapshot!(text(&bench.uno(&["--help"]).stdout));
    insta::assert_snapshot!(text(&bench.uno(&["learn", "--help"]).stdout));
}

#[test]
fn wrong_usage_ends_with_two() {
    let bench = Bench::new();
    for words in [
        &["no-such-command"][..],
        &["learn"],
        &["ask", "--run", "x"],
        &["learn", "--logs", "a", "--run", "b", "--limit", "many"],
    ] {
        bench.fails(2, words);
    }
    assert!(bench.uno(&["--version"]).status.success());
}
