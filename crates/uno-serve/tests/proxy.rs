//! Drop-in: what goes in and out is what a client and a server without the gateway would see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::{Value, json};
use support::{Running, chat, header};
use uno_mock::{MockConfig, MockServer, chat_answer};

fn server() -> MockServer {
    MockServer::start(MockConfig::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_reach_the_server_untouched_but_for_the_name() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let unknown = json!({"model": "uno", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 16,
                         "temperature": 0.5, "best_of_breed": {"a": [1, null, 1.5e-7]}});
    let response = gateway.post("/v1/chat/completions", &unknown).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        (header(&response, "x-uno-path"), header(&response, "x-uno-reason")),
        ("base".into(), "no_plan".into())
    );
    assert!(header(&response, "x-uno-overhead-ms").parse::<f64>().unwrap() >= 0.0);
    let body: Value = response.json().await.unwrap();
    let prompt = unknown["messages"].to_string();
    assert_eq!(body["choices"][0]["message"]["content"], chat_answer("mock-model", &prompt, 0));
    let mut expected = unknown.clone();
    expected["model"] = json!("mock-model");
    assert_eq!(server.seen().last().unwrap().body, expected);

    let direct = gateway.post("/v1/chat/completions", &chat("mock-model", "hi", false)).await;
    assert_eq!((direct.status().as_u16(), header(&direct, "x-uno-path").as_str()), (200, "direct"));
    let missing = gateway.post("/v1/chat/completions", &chat("gpt-9", "hi", false)).await;
    assert_eq!(missing.status(), 404, "the server's own words");
    assert!(missing.text().await.unwrap().contains("`gpt-9` does not exist"));

    let rows = gateway.stop();
    let told: Vec<_> = rows.iter().map(|r| (r.path.as_str(), r.status, r.outcome.as_str())).collect();
    assert_eq!(told, [("base", 200, "ok"), ("direct", 200, "ok"), ("direct", 404, "error")]);
    assert_eq!((rows[0].messages[0].content.as_str(), rows[0].completion_tokens), ("hi", Some(6)));
    assert_eq!(rows[0].answer, chat_answer("mock-model", &prompt, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_go_through_byte_by_byte() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let asked = chat("mock-model", "stream it", true);
    let client = support::http();
    let url = format!("{}/chat/completions", server.base_url());
    let direct = client.post(url).json(&asked).send().await.unwrap().bytes().await.unwrap();
    let through = gateway.post("/v1/chat/completions", &asked).await;
    assert_eq!(header(&through, "content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(through.bytes().await.unwrap(), direct);
    let rows = gateway.stop();
    assert_eq!((rows[0].stream, rows[0].outcome.as_str(), rows[0].completion_tokens), (true, "ok", Some(6)));
    assert_eq!(rows[0].answer, chat_answer("mock-model", &asked["messages"].to_string(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_paths_go_through_too() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let models: Value =
        gateway.client.get(gateway.url("/v1/models")).send().await.unwrap().json().await.unwrap();
    let ids: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["uno", "mock-model"]);
    let embedded = gateway.post("/v1/embeddings", &json!({"model": "mock-model", "input": ["a"]})).await;
    let embedded: Value = embedded.json().await.unwrap();
    assert_eq!(embedded["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let body = json!({"model": "uno", "prompt": "a b c", "max_tokens": 1, "echo": true, "logprobs": 1});
    let completed = gateway.post("/v1/completions", &body).await;
    assert_eq!((completed.status().as_u16(), header(&completed, "x-uno-path").as_str()), (200, "base"));
    let lora = gateway.post("/v1/load_lora_adapter", &json!({"lora_name": "x", "lora_path": "/etc"})).await;
    assert_eq!(lora.status(), 404, "the admin of adapters is nobody's business");
    assert_eq!(server.count("/load_lora_adapter"), 0);
    for path in [
        "/v1/../v1/unload_lora_adapter",
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/admin/state",
        "/metrics",
    ] {
        let status = gateway.post(path, &json!({})).await.status().as_u16();
        assert_eq!(status, 404, "{path}");
    }
    let wrong = gateway.client.get(gateway.url("/v1/chat/completions")).send().await.unwrap();
    assert_eq!(wrong.status(), 405);
}
