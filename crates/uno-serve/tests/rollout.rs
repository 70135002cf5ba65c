//! Trials: a share, a verdict, and the way back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::json;
use support::{Running, header, snapshot, wait};
use uno_mock::{MockConfig, MockServer};
use uno_serve::rollout::Verdict;

fn start(server: &MockServer) -> Running {
    Running::start(&[server], true, |o| {
        o.rollout.share = 0.5;
        o.rollout.min_requests = 20;
        o.rollout.margin = 0.5;
        o.rollout.look_seconds = 1;
    })
}

/// Asks questions of the base model's cluster until there are `n` answers; those on trial get this feedback.
async fn ask(gateway: &Running, n: usize, thumbs: &str) -> (usize, usize) {
    let (mut trial, mut plan) = (0, 0);
    for i in 0..n {
        let answer = gateway.ask(&format!("count to {i}"), false).await;
        if header(&answer, "x-uno-arm") == "canary" {
            assert_eq!(header(&answer, "x-uno-plan"), "plan-two");
            trial += 1;
            let decision = header(&answer, "x-uno-decision");
            let given = json!({"decision": decision, "thumbs": thumbs});
            assert_eq!(gateway.post("/v1/feedback", &given).await.status(), 200);
        } else {
            plan += 1;
        }
    }
    (trial, plan)
}

fn verdicts(gateway: &Running) -> Vec<Verdict> {
    gateway.plans.audit.lock().unwrap().iter().map(|d| d.verdict).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_users_dislike_is_taken_back() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = start(&server);
    gateway.plans.set(Some(Ok(snapshot("plan-two"))));
    wait(|| gateway.gateway.plans.trial().is_some());
    assert_eq!(gateway.gateway.plans.current().unwrap().id.as_ref(), "plan-one");
    let (trial, plan) = ask(&gateway, 100, "down").await;
    // On a slow machine the verdict comes while the questions are still being asked.
    assert!(trial > 5 && plan > 5, "{trial} {plan}");
    wait(|| gateway.gateway.plans.trial().is_none());
    assert_eq!(verdicts(&gateway), [Verdict::Begun, Verdict::Worse]);
    wait(|| gateway.plans.now.lock().unwrap().0 == 3);
    assert_eq!(header(&gateway.ask("count on", false).await, "x-uno-plan"), "plan-one");
    assert!(gateway.plans.trial.lock().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_does_no_harm_is_taken_over() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = start(&server);
    gateway.plans.set(Some(Ok(snapshot("plan-two"))));
    wait(|| gateway.gateway.plans.trial().is_some());
    ask(&gateway, 120, "up").await;
    wait(|| gateway.gateway.plans.current().unwrap().id.as_ref() == "plan-two");
    assert_eq!(verdicts(&gateway), [Verdict::Begun, Verdict::TakenOver]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_overrules_a_trial() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = start(&server);
    gateway.plans.set(Some(Ok(snapshot("plan-two"))));
    wait(|| gateway.gateway.plans.trial().is_some());
    gateway.plans.set(Some(Ok(snapshot("plan-one"))));
    wait(|| gateway.gateway.plans.trial().is_none());
    assert_eq!(verdicts(&gateway), [Verdict::Begun, Verdict::Overtaken]);
    assert_eq!(gateway.gateway.plans.current().unwrap().id.as_ref(), "plan-one");
}
