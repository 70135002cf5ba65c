//! OpenTelemetry traces, against a collector that this test is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use support::{EXPERT, Running, chat, load, wait};
use uno_mock::{Fault, MockConfig, MockServer};

/// What was sent to it, request by request: path and body.
type Got = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes OTLP over HTTP. One that is `mute` reads and never answers.
fn collector(mute: bool) -> (String, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, got) = (format!("http://{}", listener.local_addr().unwrap()), Got::default());
    let keeps = got.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keeps = keeps.clone();
            std::thread::spawn(move || {
                let (mut to, mut from) = (stream.try_clone().unwrap(), BufReader::new(stream));
                loop {
                    let mut line = String::new();
                    if from.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    let path = line.split(' ').nth(1).unwrap().to_owned();
                    let mut length = 0;
                    loop {
                        let mut header = String::new();
                        from.read_line(&mut header).unwrap();
                        let Some((name, value)) = header.trim().split_once(": ") else { break };
                        if name.eq_ignore_ascii_case("content-length") {
                            length = value.parse().unwrap();
                        }
                    }
                    let mut body = vec![0; length];
                    from.read_exact(&mut body).unwrap();
                    keeps.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap()));
                    if mute {
                        std::thread::sleep(Duration::from_secs(60));
                    }
                    to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                }
            });
        }
    });
    (address, got)
}

/// All spans that came.
fn spans(got: &Got) -> Vec<Value> {
    let got = got.lock().unwrap();
    let bodies = got.iter().flat_map(|(_, body)| body["resourceSpans"].as_array().unwrap().clone());
    let scopes = bodies.flat_map(|r| r["scopeSpans"].as_array().unwrap().clone());
    scopes.flat_map(|s| s["spans"].as_array().unwrap().clone()).collect()
}

fn attribute(span: &Value, key: &str) -> String {
    let all = span["attributes"].as_array().unwrap();
    let value = all.iter().find(|a| a["key"] == key).map_or(Value::Null, |a| a["value"].clone());
    let plain = value["stringValue"].as_str().or(value["intValue"].as_str());
    plain.map_or_else(|| value.to_string(), str::to_owned)
}

fn of_kind(spans: &[Value], kind: u64) -> Vec<Value> {
    spans.iter().filter(|s| s["kind"] == kind).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_leaves_a_span_of_the_gateway_and_one_of_the_model() {
    let (endpoint, got) = collector(false);
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = Running::start(&[&server], true, |o| {
        o.traces.endpoint = endpoint;
        o.traces.service = "gate".into();
    });
    load(&server, gateway.dir.path(), EXPERT).await;
    gateway.adapters_ready();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sent = gateway.client.post(gateway.url("/v1/chat/completions")).json(&chat("uno", "cook rice", true));
    let sent = sent.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).send().await.unwrap();
    let decision = support::header(&sent, "x-uno-decision");
    sent.text().await.unwrap();
    let quiet =
        gateway.client.post(gateway.url("/v1/chat/completions")).json(&chat("uno", "cook soup", false));
    let quiet = quiet.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-00")).send().await.unwrap();
    assert_eq!(quiet.status(), 200);
    assert_eq!(gateway.ask("count to ten", false).await.status(), 200);
    let asked: Vec<Value> = server
        .seen()
        .into_iter()
        .filter(|s| s.path.ends_with("/chat/completions"))
        .map(|s| s.traceparent.unwrap_or_default().into())
        .collect();
    gateway.stop();
    let all = spans(&got);
    assert_eq!(all.len(), 4, "the caller of the second did not want it traced: {all:#?}");
    let (path, body) = got.lock().unwrap()[0].clone();
    assert_eq!(path, "/v1/traces");
    assert_eq!(body["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "gate");

    let (ours, models) = (of_kind(&all, 2), of_kind(&all, 3));
    let ours_of = |trace: &str| ours.iter().find(|s| s["traceId"] == trace).unwrap().clone();
    let (own, model) = (ours_of(trace), models.iter().find(|s| s["traceId"] == trace).unwrap());
    assert_eq!(
        (&own["parentSpanId"], &own["name"]),
        (&"00f067aa0ba902b7".into(), &"POST /v1/chat/completions".into())
    );
    assert_eq!(model["parentSpanId"], own["spanId"]);
    assert_eq!(model["name"], "chat uno");
    for (span, key, value) in [
        (&own, "uno.decision", decision.as_str()),
        (&own, "uno.path", "expert"),
        (&own, "uno.adapter", EXPERT),
        (&own, "uno.cluster", "0"),
        (&own, "http.response.status_code", "200"),
        (model, "gen_ai.operation.name", "chat"),
        (model, "gen_ai.request.model", "uno"),
        (model, "gen_ai.response.model", EXPERT),
        (model, "server.address", "127.0.0.1"),
    ] {
        assert_eq!(attribute(span, key), value, "{key}: {span}");
    }
    assert!(attribute(model, "gen_ai.response.finish_reasons").contains("stop"), "{model}");
    let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time(&own, "startTimeUnixNano") <= time(model, "startTimeUnixNano"));
    assert!(time(model, "startTimeUnixNano") < time(model, "endTimeUnixNano"));
    // The server goes on from the model's span.
    let parent = |trace: &str, span: &Value| format!("00-{trace}-{}-01", span["spanId"].as_str().unwrap());
    assert_eq!(asked[0], parent(trace, model));
    assert!(
        asked[1].as_str().unwrap().starts_with(&format!("00-{trace}-"))
            && asked[1].as_str().unwrap().ends_with("-00")
    );
    let other = models.iter().find(|s| s["traceId"] != trace).unwrap();
    assert_eq!(asked[2], parent(other["traceId"].as_str().unwrap(), other));
    assert!(attribute(other, "gen_ai.usage.output_tokens").parse::<u64>().unwrap() > 0);
    assert!(ours_of(other["traceId"].as_str().unwrap()).get("parentSpanId").is_none(), "a trace of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_marked() {
    let (endpoint, got) = collector(false);
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = Running::start(&[&server], false, |o| o.traces.endpoint = endpoint);
    server.fail_always(Some(Fault::Status(500)));
    assert_eq!(gateway.ask("hello", false).await.status(), 500);
    gateway.stop();
    for span in spans(&got) {
        assert_eq!(
            (&span["status"]["code"], attribute(&span, "error.type")),
            (&2.into(), "500".to_owned()),
            "{span}"
        );
    }
    assert_eq!(spans(&got).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_mute_costs_spans_and_nothing_else() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let (mute, got) = collector(true);
    for endpoint in ["http://127.0.0.1:9".to_owned(), mute] {
        let gateway = Running::start(&[&server], false, |o| {
            o.traces.endpoint.clone_from(&endpoint);
            o.traces.queue = 8;
        });
        for _ in 0..40 {
            assert_eq!(gateway.ask("hello", false).await.status(), 200);
        }
        let dropped = || gateway.gateway.traces.as_ref().unwrap().stats.dropped.load(Ordering::Relaxed);
        if endpoint.ends_with(":9") {
            wait(|| dropped() == 80);
        } else {
            wait(|| !got.lock().unwrap().is_empty());
        }
        assert_eq!(gateway.gateway.traces.as_ref().unwrap().stats.sent.load(Ordering::Relaxed), 0);
        let rows = tokio::task::spawn_blocking(move || gateway.stop()).await.unwrap();
        assert_eq!(rows.len(), 40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_callers_trace_passes_untouched() {
    let server = MockServer::start(MockConfig::default()).unwrap();
    let gateway = Running::start(&[&server], false, |_| {});
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = gateway.client.post(gateway.url("/v1/chat/completions")).json(&chat("uno", "hi", false));
    assert_eq!(sent.header("traceparent", given).send().await.unwrap().status(), 200);
    assert_eq!(server.seen().last().unwrap().traceparent.as_deref(), Some(given));
}
