//! `uno serve` with a plan that is damaged, or that names what is not the run's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a panic is a test's report"
)]

mod support;

use std::time::{Duration, Instant};

use support::gateway::{Gateway, header};
use support::{Bench, LEARN, prepared, server};

const QUESTION: &str = "How do I cook rice number 0?";

fn serve(bench: &Bench) -> Gateway {
    Gateway::start(bench, &["--admin-listen", "127.0.0.1:0"])
}

/// The plan that a question is answered by, and why.
async fn asked(gateway: &Gateway) -> (String, String) {
    let answer = gateway.ask(QUESTION).await;
    assert_eq!(answer.status(), 200);
    (header(&answer, "x-uno-plan"), header(&answer, "x-uno-reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_plan_is_counted_and_the_base_model_answers() {
    let server = server(0);
    let bench = prepared(&server, 16);
    bench.json(LEARN);
    let path = bench.path("run/plan.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let gateway = serve(&bench);
    let (plan, reason) = asked(&gateway).await;
    assert!(!plan.is_empty() && reason != "no_plan", "{plan} {reason}");

    // While it serves: the plan before stays in force.
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    gateway.until_counted("uno_plan_errors_total", 1).await;
    assert_eq!(asked(&gateway).await.0, plan);
    drop(gateway);

    // From the start, in every way: there is none before, the base model answers, and the process stays.
    let edited = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from} in {whole}");
        whole.replace(from, to)
    };
    let damaged = [
        whole[..whole.len() / 2].to_owned(),
        String::new(),
        "null".to_owned(),
        "\u{0}\u{1}\u{2}".to_owned(),
        edited("\"version\": 1", "\"version\": 99"),
        edited("\"plans/centroids-", "\"../run/plans/centroids-"),
    ];
    for plan in damaged {
        std::fs::write(&path, &plan).unwrap();
        let mut gateway = serve(&bench);
        gateway.until_counted("uno_plan_errors_total", 1).await;
        assert_eq!(asked(&gateway).await, (String::new(), "no_plan".into()), "{plan}");
        let ready = gateway.client.get(gateway.url("/ready")).send().await.unwrap();
        assert_eq!(ready.status(), 200, "{plan}");
        assert!(gateway.child.try_wait().unwrap().is_none(), "{plan}");
    }

    // A whole one again is taken up without a restart.
    let gateway = serve(&bench);
    gateway.until_counted("uno_plan_errors_total", 1).await;
    std::fs::write(&path, &whole).unwrap();
    let started = Instant::now();
    while asked(&gateway).await.1 == "no_plan" {
        assert!(started.elapsed() < Duration::from_secs(30), "it is never read again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
