//! Feedback: acknowledged means kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use serde_json::{Value, json};
use support::{Running, chat, header, wait};
use uno_mock::{MockConfig, MockServer};
use uno_store::live::{conversations, open};

fn server() -> MockServer {
    MockServer::start(MockConfig::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_counts_and_can_be_taken_back() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let decision = header(&gateway.ask("cook rice", false).await, "x-uno-decision");
    let give = async |more: Value| {
        let mut body = json!({"decision": decision});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        gateway.post("/v1/feedback", &body).await.status().as_u16()
    };
    let place = gateway.dir.path().join("live.db").display().to_string();
    let kept = || open(&place).unwrap().feedback_of(&decision).unwrap();
    assert_eq!(give(json!({"thumbs": "down", "comment": "mail me at ana@example.org"})).await, 200);
    assert_eq!((kept()[0].thumbs, kept()[0].comment.as_deref()), (Some(-1), Some("mail me at <EMAIL>")));
    assert_eq!(give(json!({"thumbs": "up", "rating": 1.0})).await, 200);
    assert_eq!(give(json!({"thumbs": "up", "rating": 1.0})).await, 200);
    assert_eq!((kept().len(), kept()[0].thumbs, kept()[0].comment.clone()), (1, Some(1), None));
    assert_eq!(give(json!({"author": "b c", "corrected": "1. Boil."})).await, 200);
    assert_eq!(kept().len(), 2);
    let gone = gateway.client.delete(gateway.url(&format!("/v1/feedback/{decision}"))).send().await.unwrap();
    assert_eq!((gone.status().as_u16(), kept().len()), (200, 1));
    let url = gateway.url(&format!("/v1/feedback/{decision}?author=b%20c"));
    assert_eq!((gateway.client.delete(url).send().await.unwrap().status().as_u16(), kept().len()), (200, 0));

    for wrong in
        [json!({}), json!({"rating": 1.5}), json!({"thumbs": "sideways"}), json!({"thumbs": "up", "mood": 1})]
    {
        assert_eq!(give(wrong.clone()).await, 400, "{wrong}");
    }
    let foreign = json!({"decision": "../../../etc/passwd", "thumbs": "up"});
    assert_eq!(gateway.post("/v1/feedback", &foreign).await.status(), 400);
    for path in ["/v1/feedback/..%2f..%2fetc", "/v1/feedback/"] {
        assert_eq!(gateway.client.delete(gateway.url(path)).send().await.unwrap().status(), 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_become_conversations() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let first: Value = gateway.ask("cook rice", false).await.json().await.unwrap();
    let answer = first["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let turns = json!([{"role": "user", "content": "cook rice"}, {"role": "assistant", "content": answer},
                       {"role": "user", "content": "as a list please"}]);
    let second = gateway
        .post(
            "/v1/chat/completions",
            &json!({"model": "uno", "messages": turns, "max_tokens": 9, "stream": true}),
        )
        .await;
    let decision = header(&second, "x-uno-decision");
    second.bytes().await.unwrap();
    gateway.post("/v1/feedback", &json!({"decision": decision, "thumbs": "up"})).await;
    gateway.ask("visit Rome", false).await.bytes().await.unwrap();
    wait(|| gateway.rows().len() == 3);
    let place = gateway.dir.path().join("live.db").display().to_string();
    let mut records = Vec::new();
    conversations(open(&place).unwrap().as_mut(), &place, 0, &mut |r| records.push(r)).unwrap();
    records.sort_by_key(|r| r.messages.len());
    assert_eq!(records.len(), 2);
    assert_eq!((records[1].query(), records[1].first_answer()), ("cook rice", answer.as_str()));
    assert_eq!((records[1].feedback(), records[1].accepted.clone()), ("1. as a list please".into(), vec![3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_store_away_nothing_waits_and_nothing_acknowledged_is_lost() {
    let server = server();
    // The store's directory is missing, as a disk that is not mounted.
    let gateway = Running::start(&[&server], false, |o| o.log.store = "away/live.db".into());
    let decision = header(&gateway.ask("cook rice", false).await, "x-uno-decision");
    let given = gateway.post("/v1/feedback", &json!({"decision": decision, "thumbs": "down"})).await;
    assert_eq!(given.status(), 200);
    let ready: Value = gateway.client.get(gateway.url("/ready")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&ready["ready"], &ready["log_store"]), (&json!(true), &json!(false)));
    std::fs::create_dir(gateway.dir.path().join("away")).unwrap();
    wait(|| gateway.gateway.log.stats().written.load(std::sync::atomic::Ordering::Relaxed) == 2);
    let mut store = open(&gateway.dir.path().join("away/live.db").display().to_string()).unwrap();
    assert_eq!(store.feedback_of(&decision).unwrap()[0].thumbs, Some(-1));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_kept_only_if_wanted() {
    let server = server();
    let gateway = Running::start(&[&server], false, |o| o.log.text = false);
    gateway.post("/v1/chat/completions", &chat("uno", "a secret", false)).await.bytes().await.unwrap();
    let row = gateway.stop().pop().unwrap();
    assert!(row.messages.is_empty() && row.answer.is_empty() && row.completion_tokens == Some(6));
}
