//! Servers and clients that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is a test's report")]

mod support;

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::json;
use support::{Running, chat, header, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uno_mock::{Fault, MockConfig, MockServer};

fn server() -> MockServer {
    MockServer::start(MockConfig::default()).unwrap()
}

/// Sends raw bytes and reads until the gateway ends the connection.
async fn raw(gateway: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut out = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut out)).await.unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_before_the_first_token_are_told_as_such() {
    let server = server();
    let gateway = Running::start(&[&server], false, |o| o.limits.first_byte_seconds = 1);
    let cases = [
        (Fault::Status(500), 500),
        (Fault::TooManyRequests { retry_after: Some(3) }, 429),
        (Fault::Hang, 504),
    ];
    for (fault, status) in cases {
        server.fail_next(1, fault.clone());
        let response = gateway.ask("hi", true).await;
        assert_eq!(response.status(), status, "{fault:?}");
        assert!(!header(&response, "x-uno-decision").is_empty(), "{fault:?}");
        assert!(response.text().await.unwrap().contains("\"error\""), "{fault:?}");
    }
    let rows = gateway.stop();
    assert_eq!(
        rows.iter().map(|r| (r.status, r.outcome.as_str())).collect::<Vec<_>>(),
        [(500, "error"), (429, "error"), (504, "error")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_or_resets_is_a_502_and_another_one_is_asked() {
    // Accepts and resets at once.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let resets = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_zero_linger().unwrap();
        }
    });
    let gateway = Running::start_at(vec![resets.clone(), "http://127.0.0.1:9/v1".into()], false, |_| {});
    for _ in 0..3 {
        let response = gateway.ask("hi", false).await;
        assert_eq!(response.status(), 502);
        assert!(response.text().await.unwrap().contains("upstream_error"));
    }
    let well = server();
    let gateway =
        Running::start_at(vec![resets, "http://127.0.0.1:9/v1".into(), well.base_url()], false, |_| {});
    for i in 0..6 {
        assert_eq!(gateway.ask("hi", false).await.status(), 200, "{i}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_never_ends_cleanly() {
    let server = server();
    let gateway = Running::start(&[&server], false, |o| o.limits.idle_seconds = 1);
    for fault in [Fault::CutMidway, Fault::StallMidway, Fault::EndMidway] {
        server.fail_next(1, fault.clone());
        let response = gateway.ask("hi", true).await;
        assert_eq!(response.status(), 200);
        let mut stream = response.bytes_stream();
        let (mut text, mut broken) = (Vec::new(), false);
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(bytes) => text.extend_from_slice(&bytes),
                Err(_) => broken = true,
            }
        }
        let text = String::from_utf8(text).unwrap();
        assert!(broken, "{fault:?} ended as if it were whole: {text}");
        assert!(text.contains("birch") && text.contains("data: {\"error\":"), "{fault:?}: {text}");
        assert!(!text.contains("[DONE]"), "{fault:?}");
    }
    let rows = gateway.stop();
    assert!(rows.iter().all(|r| r.outcome == "broken" && r.answer == "amber birch"), "{rows:?}");
    assert_eq!(rows.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_frees_the_server_at_once() {
    let server = MockServer::start(MockConfig { pause_ms: 300, ..MockConfig::default() }).unwrap();
    let slow = MockServer::start(MockConfig { latency_ms: 60_000, ..MockConfig::default() }).unwrap();
    let gateway = Running::start(&[&server], false, |_| {});
    let before = Running::start(&[&slow], false, |_| {});

    // In the middle of a stream.
    let mut stream = gateway.ask("hi", true).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    assert_eq!(server.in_flight(), 1);
    drop(stream);
    let left = Instant::now();
    wait(|| server.in_flight() == 0);
    let midway = left.elapsed();

    // Before the first token.
    let waiting = tokio::spawn(
        before.client.post(before.url("/v1/chat/completions")).json(&chat("uno", "hi", true)).send(),
    );
    wait(|| slow.in_flight() == 1);
    waiting.abort();
    let left = Instant::now();
    wait(|| slow.in_flight() == 0);
    // The bound is the issue's; what is seen on an idle machine is below 5 ms.
    assert!(
        midway < Duration::from_millis(100) && left.elapsed() < Duration::from_millis(100),
        "{midway:?} {:?}",
        left.elapsed()
    );
    let rows = gateway.stop();
    assert_eq!((rows[0].outcome.as_str(), rows[0].answer.is_empty()), ("abandoned", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_slowly_or_too_much_are_turned_away() {
    let server = server();
    let gateway = Running::start(&[&server], false, |o| {
        o.limits.header_seconds = 1;
        o.limits.body_seconds = 1;
        o.limits.body_mib = 1;
    });
    let started = Instant::now();
    raw(&gateway, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-slow").await;
    assert!(started.elapsed() < Duration::from_secs(10), "headers may take a second");
    let late = raw(
        &gateway,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{",
    )
    .await;
    assert!(late.starts_with("HTTP/1.1 408"), "{late}");
    let huge = raw(&gateway, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n{").await;
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n{}\r\n0\r\n\r\n",
        " ".repeat(0x20_0000)
    );
    let huge = raw(&gateway, chunked.as_bytes()).await;
    assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 413"), "{huge}");
    assert_eq!(server.count("/chat/completions"), 0);
    assert_eq!(gateway.ask("hi", false).await.status(), 200, "the others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_go_through() {
    let server = server();
    let gateway = Running::start(&[&server], false, |_| {});
    let body = json!({"model": "uno", "messages": [{"role": "user", "content": "word"}], "max_tokens": 3,
                      "padding": "x".repeat(10 << 20)});
    assert_eq!(gateway.post("/v1/chat/completions", &body).await.status(), 200);
    assert_eq!(server.seen().last().unwrap().body["padding"].as_str().unwrap().len(), 10 << 20);
    let rows = gateway.stop();
    assert!(rows[0].messages.is_empty() && !rows[0].prompt.is_empty(), "too long to keep its text");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_refused_with_words() {
    let server = server();
    let gateway = Running::start(&[&server], true, |_| {});
    let bodies: [&[u8]; 6] = [
        b"",
        b"{",
        b"{\"model\":\"uno\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}",
        b"{\"model\":\"uno\",\"model\":\"mock-model\",\"messages\":[]}",
        b"{\"model\":\"uno\"}",
        b"{\"model\":\"uno\",\"messages\":\"hi\"}",
    ];
    for body in bodies {
        let response =
            gateway.client.post(gateway.url("/v1/chat/completions")).body(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{}", String::from_utf8_lossy(body));
        assert!(response.text().await.unwrap().contains("invalid_request_error"));
    }
    assert_eq!(server.count("/chat/completions"), 0);
    // Header injection: a second request smuggled into a header, and line ends in a path.
    for bytes in [
        &b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: b\rGET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n"[..],
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 50\r\nconnection: close\r\n\r\n{}",
        b"GET /v1/feedback/%0d%0aset-cookie:x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ] {
        let told = raw(&gateway, bytes).await;
        assert!(told.starts_with("HTTP/1.1 4") && !told.contains("set-cookie:x\r\n"), "{told}");
    }
    let odd = gateway
        .client
        .post(gateway.url("/v1/chat/completions"))
        .header("x-uno-decision", "mine")
        .header("x-uno-path", "base");
    let response = odd.json(&chat("uno", "hi", false)).send().await.unwrap();
    assert!(header(&response, "x-uno-decision").len() == 32, "a client cannot choose its decision");
    assert_eq!(response.status(), 200);
}

/// Reads a request to its end; `false` when the other side is gone.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap_or("0");
            if seen.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return true;
            }
        }
        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
            return false;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_the_server_closes_costs_no_answer() {
    // One connection in two is closed when it is idle, the other with the next request on it already read.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = accepted.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let n = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let answer = r#"{"choices":[{"message":{"content":"amber"}}]}"#;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
                assert!(read_request(&mut stream).await);
                let whole = format!("{head}content-length: {}\r\n\r\n{answer}", answer.len());
                stream.write_all(whole.as_bytes()).await.unwrap();
                if n % 2 == 1 {
                    read_request(&mut stream).await;
                }
            });
        }
    });
    let gateway = Running::start_at(vec![address], false, |_| {});
    for i in 0..20 {
        let response = gateway.ask("hi", false).await;
        assert_eq!(response.status(), 200, "{i}");
        assert!(response.text().await.unwrap().contains("amber"), "{i}");
    }
    assert!(accepted.load(std::sync::atomic::Ordering::SeqCst) >= 20);
}
