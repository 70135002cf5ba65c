//! The client: at a rate (open loop, so that a slow gateway is not spared) or as fast as it goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::number;

type Sender = SendRequest<Full<Bytes>>;

async fn connect(uri: &Uri) -> Sender {
    let stream = TcpStream::connect(uri.authority().expect("an address").as_str()).await.expect("it listens");
    let _ = stream.set_nodelay(true);
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    sender
}

fn request(uri: &Uri, body: &Bytes) -> Request<Full<Bytes>> {
    Request::post(uri.path())
        .header("host", uri.authority().map_or("", |a| a.as_str()))
        .header("content-type", "application/json")
        .body(Full::new(body.clone()))
        .expect("a request")
}

fn body(options: &HashMap<String, String>, n: u64, stream: bool) -> Bytes {
    let model = options.get("model").map_or("uno", String::as_str);
    // With --questions N the question is one of N; otherwise always the same. It has 55 to 60 tokens of MiniLM's.
    let of = number(options, "questions", 1.0) as u64;
    let text = format!(
        "How do I keep basil alive on a windowsill in winter, variant {}? The window looks to the north, it is cold at night, \
         and the last three plants that I bought in the supermarket lost all of their leaves after a week or two, \
         although I gave them water every day.",
        letters(n % of.max(1))
    );
    Bytes::from(format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}],"max_tokens":64,"stream":{stream}}}"#
    ))
}

/// No digits: texts with digits take longer to scrub, and most have none.
fn letters(mut n: u64) -> String {
    let mut out = String::new();
    loop {
        out.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
        if n == 0 {
            return out;
        }
    }
}

pub async fn fire(place: &str, options: &HashMap<String, String>) {
    let uri: Uri = place.parse().expect("an address");
    let (rate, seconds) = (number(options, "rate", 0.0), number(options, "seconds", 10.0));
    let connections = number(options, "connections", 16.0) as usize;
    let next = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (uri, next, failed, options) = (uri.clone(), next.clone(), failed.clone(), options.clone());
        tasks.push(tokio::spawn(async move {
            let mut sender = connect(&uri).await;
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let due = started + Duration::from_secs_f64(if rate > 0.0 { n as f64 / rate } else { 0.0 });
                if started.elapsed().as_secs_f64() > seconds
                    || due.duration_since(started).as_secs_f64() > seconds
                {
                    return times;
                }
                let now = Instant::now();
                if due > now {
                    tokio::time::sleep(due - now).await;
                }
                let sent = Instant::now();
                if sender.ready().await.is_err() {
                    sender = connect(&uri).await;
                }
                let ok = match sender.send_request(request(&uri, &body(&options, n, false))).await {
                    Ok(reply) => reply.status() == 200 && reply.into_body().collect().await.is_ok(),
                    Err(_) => false,
                };
                if !ok {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                times.push(sent.elapsed().as_micros() as u64);
            }
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no panic"));
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    println!(
        "{}",
        serde_json::json!({"requests": times.len(), "failed": failed.load(Ordering::Relaxed),
            "per_second": (times.len() as f64 / started.elapsed().as_secs_f64()).round(),
            "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0)})
    );
}

pub async fn streams(place: &str, options: &HashMap<String, String>) {
    let uri: Uri = place.parse().expect("an address");
    let count = number(options, "count", 1000.0) as u64;
    let started = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let (uri, options) = (uri.clone(), options.clone());
            tokio::spawn(async move {
                let mut sender = connect(&uri).await;
                let Ok(reply) = sender.send_request(request(&uri, &body(&options, n, true))).await else {
                    return false;
                };
                let Ok(body) = reply.into_body().collect().await else { return false };
                body.to_bytes().ends_with(b"data: [DONE]\n\n")
            })
        })
        .collect();
    let mut whole = 0;
    for task in tasks {
        whole += usize::from(task.await.expect("no panic"));
    }
    println!(
        "{}",
        serde_json::json!({"streams": count, "whole": whole, "seconds": started.elapsed().as_secs_f64()})
    );
}
