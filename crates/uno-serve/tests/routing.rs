//! Who answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::{Value, json};
use support::{CRITIC, EXPERT, Running, chat, header, load, wait};
use uno_mock::{AdapterFault, Fault, MockConfig, MockServer};

async fn routed() -> (MockServer, Running) {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = Running::start(&[&server], true, |_| {});
    for name in [EXPERT, CRITIC] {
        load(&server, gateway.dir.path(), name).await;
    }
    gateway.adapters_ready();
    (server, gateway)
}

/// Path, reason, cluster, adapter.
fn told(response: &reqwest::Response) -> [String; 4] {
    ["path", "reason", "cluster", "adapter"].map(|name| header(response, &format!("x-uno-{name}")))
}

/// Models that the server was asked for, in order.
fn asked(server: &MockServer) -> Vec<String> {
    let chats = server.seen().into_iter().filter(|s| s.path.ends_with("/chat/completions"));
    chats.map(|s| s.body["model"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_decides_and_says_so() {
    let (server, gateway) = routed().await;
    let response = gateway.ask("cook rice", false).await;
    assert_eq!(told(&response), ["expert", "plan", "0", EXPERT]);
    assert_eq!(
        (header(&response, "x-uno-plan"), header(&response, "x-uno-arm")),
        ("plan-one".into(), "plan".into())
    );
    assert_eq!(told(&gateway.ask("count to ten", false).await), ["base", "plan", "2", ""]);
    assert_eq!(told(&gateway.ask("sing", false).await), ["base", "far", "", ""]);
    assert_eq!(asked(&server), [EXPERT, "mock-model", "mock-model"]);
    let rows = gateway.stop();
    let row = &rows[0];
    assert_eq!(
        (row.path.as_str(), row.cluster, row.adapter.as_str(), row.plan.as_str()),
        ("expert", Some(0), EXPERT, "plan-one")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_critic_takes_three_steps_and_only_the_last_streams() {
    let (server, gateway) = routed().await;
    let response = gateway.ask("visit Rome", true).await;
    assert_eq!(told(&response), ["critic", "plan", "1", CRITIC]);
    let text = response.text().await.unwrap();
    assert!(text.contains("chat.completion.chunk") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(asked(&server), ["mock-model", CRITIC, "mock-model"]);
    let chats: Vec<Value> =
        server.seen().into_iter().filter(|s| s.path.ends_with("/chat/completions")).map(|s| s.body).collect();
    assert_eq!((&chats[0]["stream"], &chats[2]["stream"]), (&json!(false), &json!(true)));
    assert!(chats[2]["messages"].to_string().contains("suggestions"), "{}", chats[2]);
    assert_eq!(chats[2]["max_tokens"], 16);

    // A step that fails leaves the base model's answer to the request as it came.
    server.fail_next(1, Fault::Status(500));
    let response = gateway.ask("visit Oslo", false).await;
    assert_eq!(
        (told(&response), response.status().as_u16()),
        (["base", "failed", "1", ""].map(String::from), 200)
    );
    let row = gateway.stop().pop().unwrap();
    assert_eq!((row.path.as_str(), row.reason.as_str(), row.status), ("base", "failed", 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_may_force_name_and_talk_on() {
    let (server, gateway) = routed().await;
    let force = |path: &'static str, question: &'static str| {
        let request = gateway.client.post(gateway.url("/v1/chat/completions")).header("x-uno-path", path);
        request.json(&chat("uno", question, false)).send()
    };
    assert_eq!(told(&force("base", "cook rice").await.unwrap())[..2], ["base", "forced"]);
    assert_eq!(told(&force("expert", "cook rice").await.unwrap())[..2], ["expert", "forced"]);
    assert_eq!(
        told(&force("critic", "cook rice").await.unwrap())[..2],
        ["base", "forced"],
        "there is none here"
    );
    assert_eq!(force("other", "cook rice").await.unwrap().status(), 400);
    let named = gateway.post("/v1/chat/completions", &chat(EXPERT, "sing", false)).await;
    assert_eq!((told(&named), named.status().as_u16()), (["direct", "named", "", ""].map(String::from), 200));
    assert_eq!(asked(&server).last().unwrap(), EXPERT);

    let turns = json!([{"role": "user", "content": "cook rice"}, {"role": "assistant", "content": "so"},
                       {"role": "user", "content": "visit it shorter"}]);
    let later = gateway
        .post("/v1/chat/completions", &json!({"model": "uno", "messages": turns, "max_tokens": 9}))
        .await;
    assert_eq!(told(&later)[..3], ["expert", "first_turn", "0"]);
    let tools = json!({"model": "uno", "messages": [{"role": "user", "content": "cook rice"}], "max_tokens": 9,
                       "tools": [{"type": "function", "function": {"name": "f"}}]});
    assert_eq!(told(&gateway.post("/v1/chat/completions", &tools).await)[..2], ["base", "tools"]);
    let image = json!({"model": "uno", "messages": [{"role": "user", "content": [{"type": "text", "text": "cook this"},
                       {"type": "image_url", "image_url": {"url": "data:"}}]}], "max_tokens": 9});
    assert_eq!(told(&gateway.post("/v1/chat/completions", &image).await)[..2], ["base", "media"]);
    assert_eq!(server.seen().last().unwrap().body["messages"], image["messages"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_of_ours_fails_the_base_model_answers() {
    let (server, gateway) = routed().await;
    for question in ["cook fail", "cook panic", "cook slow"] {
        let response = gateway.ask(question, false).await;
        assert_eq!(
            (told(&response)[..2].to_vec(), response.status().as_u16()),
            (vec!["base".into(), "embedder".into()], 200),
            "{question}"
        );
    }
    // The thread lives on, and what came too late is remembered.
    let mut later = told(&gateway.ask("cook slow", false).await);
    for _ in 0..50 {
        if later[0] == "expert" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        later = told(&gateway.ask("cook slow", false).await);
    }
    assert_eq!(later[..2], ["expert", "plan"]);

    // The adapter's path fails: 500, gone, broken.
    server.fail_next(1, Fault::Status(503));
    assert_eq!(told(&gateway.ask("cook rice", false).await)[..2], ["base", "failed"]);
    server.forget_adapters();
    let response = gateway.ask("cook rice", true).await;
    assert_eq!(told(&response)[..2], ["base", "failed"]);
    assert!(response.text().await.unwrap().contains("[DONE]"));
    // What the base model would say as well goes through.
    server.fail_next(1, Fault::TooManyRequests { retry_after: Some(7) });
    let busy = gateway.ask("cook rice", false).await;
    assert_eq!(
        (busy.status().as_u16(), header(&busy, "retry-after"), told(&busy)[0].as_str()),
        (429, "7".into(), "expert")
    );
    // Not loaded anywhere.
    gateway.gateway.replicas.iter().for_each(|r| r.set_ready(EXPERT, false));
    assert_eq!(told(&gateway.ask("cook rice", false).await)[..2], ["base", "not_ready"]);

    let metrics = gateway.gateway.metrics.text(&gateway.gateway);
    for line in ["uno_fallbacks_total{reason=\"failed\"} 2", "uno_fallbacks_total{reason=\"not_ready\"} 1"] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    server.adapter_fault(None::<AdapterFault>);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_plan_leaves_the_one_before_in_force() {
    let (_server, gateway) = routed().await;
    gateway.plans.set(Some(Err("plan.json: not a valid Plan".into())));
    wait(|| gateway.gateway.metrics.plan_errors.load(std::sync::atomic::Ordering::Relaxed) == 1);
    assert_eq!(told(&gateway.ask("cook rice", false).await)[..2], ["expert", "plan"]);
    gateway.plans.set(Some(Ok(support::snapshot("plan-two"))));
    wait(|| gateway.gateway.plans.current().unwrap().id.as_ref() == "plan-two");
    assert_eq!(header(&gateway.ask("cook rice", false).await, "x-uno-plan"), "plan-two");
}
