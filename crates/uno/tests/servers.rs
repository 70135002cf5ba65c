//! Servers that fail: one clear message, status 1, and a run that goes on afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use support::{LEARN, prepared, server};
use uno_mock::Fault;

/// [`LEARN`] with little patience.
fn learn() -> Vec<&'static str> {
    [LEARN, &["--set", "remote.retries=0", "--set", "remote.timeout_seconds=1"]].concat()
}

#[test]
fn every_fault_is_told_and_leaves_the_run_usable() {
    let server = server(0);
    let bench = prepared(&server, 16);
    // The first request of each attempt is the model list; a server that is up but fails after it is met, too.
    for fault in [
        Fault::Status(500),
        Fault::TooManyRequests { retry_after: None },
        Fault::GarbageJson,
        Fault::EmptyBody,
        Fault::Drop,
        Fault::Hang,
    ] {
        server.fail_always(Some(fault.clone()));
        let error = bench.fails(1, &learn());
        assert!(error.contains("error: ") && error.contains("http"), "{fault:?}: {error}");
        assert!(!error.contains("panicked"), "{fault:?}: {error}");
        server.fail_always(None);
    }
    let summary = bench.json(&learn());
    assert_eq!(summary["records"], 16);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = server(0);
    let bench = prepared(&server, 8);
    let error =
        bench.fails(1, &[learn().as_slice(), &["--set", "target.url=http://127.0.0.1:9/v1"]].concat());
    assert!(error.contains("127.0.0.1:9"), "{error}");
}
