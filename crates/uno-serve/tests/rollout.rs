//! Trials: a share, a verdict, and the way back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::json;
use support::{Running, header, snapshot, wait};
use uno_mock::{MockConfig, MockServer};
use uno_serve::rollout::{ClusterShare, Comparison, Umpire, Verdict};
use uno_serve::route::Snapshot;
use uno_types::{Outcome, Path, PlanEntry};

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

/// Cook by the base model: another path than the Expert's of the plan in force.
fn plain(id: &str) -> Snapshot {
    let mut snapshot = snapshot(id);
    snapshot.plan.clusters[0] =
        PlanEntry { path: Path::Base, adapter: None, ..snapshot.plan.clusters[0].clone() };
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_have_shares_of_their_own_and_are_compared_by_themselves() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = Running::start(&[&server], true, |o| {
        o.rollout.share = 0.0;
        o.rollout.cluster_shares = vec![ClusterShare { cluster: 2, share: 1.0 }];
        o.rollout.look_seconds = 1;
    });
    gateway.plans.set(Some(Ok(snapshot("plan-two"))));
    wait(|| gateway.gateway.plans.trial().is_some());
    assert!(gateway.plans.audit.lock().unwrap()[0].why.contains("100.0 % in cluster 2"));
    for i in 0..6 {
        assert_eq!(header(&gateway.ask(&format!("count to {i}"), false).await, "x-uno-arm"), "canary");
        assert_eq!(header(&gateway.ask(&format!("cook {i}"), false).await, "x-uno-arm"), "plan");
        assert_eq!(header(&gateway.ask(&format!("sing {i}"), false).await, "x-uno-arm"), "plan");
    }
    gateway.plans.set(Some(Ok(snapshot("plan-one"))));
    wait(|| gateway.gateway.plans.trial().is_none());
    let rows = gateway.stop();
    let strata: Vec<Option<i64>> = rows.iter().take(3).map(|r| r.stratum).collect();
    assert_eq!(strata, [Some(2), Some(0), None], "both arms know the cluster of the plan on trial");
}

/// Prefers what the base model says, and counts.
struct Prefers(std::sync::Mutex<Vec<Comparison>>);

impl Umpire for Prefers {
    fn compare(&self, comparison: &Comparison) -> Result<Outcome, String> {
        self.0.lock().unwrap().push(comparison.clone());
        Ok(Outcome::Win)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_compares_what_the_plans_answer_differently_and_its_word_counts() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let umpire = std::sync::Arc::new(Prefers(std::sync::Mutex::default()));
    let (url, judge) = (server.base_url(), umpire.clone());
    let gateway = Running::judged(vec![url], true, None, Some(judge), |o| {
        o.rollout.share = 0.5;
        o.rollout.min_requests = 1;
        o.rollout.judge_share = 1.0;
        o.rollout.look_seconds = 1;
    });
    support::load(&server, gateway.dir.path(), support::EXPERT).await;
    gateway.adapters_ready();
    gateway.plans.set(Some(Ok(plain("plan-two"))));
    wait(|| gateway.gateway.plans.trial().is_some());
    for i in 0..40 {
        assert_eq!(gateway.ask(&format!("cook dish {i}"), false).await.status(), 200);
        assert_eq!(gateway.ask(&format!("count to {i}"), false).await.status(), 200);
    }
    wait(|| gateway.gateway.plans.current().unwrap().id.as_ref() == "plan-two");
    let audit = gateway.plans.audit.lock().unwrap().clone();
    let last = audit.last().unwrap();
    assert!(last.verdict == Verdict::TakenOver && last.why.contains("the judge surely prefers"), "{last:?}");
    assert!(last.trial.judged.wins >= 4 && last.trial.judged.losses == 0, "{last:?}");
    assert!(last.clusters.iter().any(|c| c.cluster == Some(0) && c.trial.n > 0 && c.plan.n > 0), "{last:?}");
    for comparison in umpire.0.lock().unwrap().iter() {
        assert!(
            comparison.messages[0].content.starts_with("cook"),
            "both plans answer the others alike: {comparison:?}"
        );
        assert_eq!(comparison.cluster, Some(0));
        // The mock server says who speaks.
        assert!(comparison.plan != comparison.trial, "{comparison:?}");
    }
    let asked: Vec<_> = server.seen().into_iter().filter(|s| s.body["model"] == support::EXPERT).collect();
    assert!(asked.len() >= 4, "the Expert answered its arm, or the judge's questions");
}
