//! The embedded engine as a server: one laptop runs everything. It listens on a free port of this machine and speaks the same API
//! as any other server, so that the gateway before it needs to know nothing about it.
//!
//! Requests that wait are decoded together, with any mix of adapters; those that come meanwhile are the next batch. A streamed
//! answer comes in one piece when it is complete.

mod batch;
mod request;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uno_types::{AdapterRef, ChatModel, FinishReason, Generation, ModelError};

use crate::http::read;
use crate::http::reply::{Fault, error_json};
use batch::Batcher;
use request::Wanted;

/// Largest body, bytes. The gateway's own limit comes first.
const LONGEST: usize = 64 << 20;

/// Finds an adapter of the plans in force by its name.
pub type FindAdapter = Arc<dyn Fn(&str) -> Option<AdapterRef> + Send + Sync>;

struct Host {
    name: String,
    batcher: Batcher,
    find: FindAdapter,
}

/// Serves `model` under `name` until the runtime ends; gives the address.
///
/// # Errors
/// When no port or thread can be had.
pub async fn start(
    model: Arc<dyn ChatModel>,
    name: &str,
    max_batch: usize,
    find: FindAdapter,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let host = Arc::new(Host { name: name.to_owned(), batcher: Batcher::start(model, max_batch)?, find });
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let host = Arc::clone(&host);
            let service = service_fn(move |request| {
                let host = Arc::clone(&host);
                async move { Ok::<_, Infallible>(answer(&host, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

type Answer = Response<Full<Bytes>>;

async fn answer(host: &Host, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/models") => {
            let card = json!({"id": host.name, "object": "model", "owned_by": "uno"});
            reply(StatusCode::OK, "application/json", json!({"object": "list", "data": [card]}).to_string())
        }
        (&Method::POST, "/v1/chat/completions") => chat(host, request.into_body()).await,
        (_, path) => fail(Fault::NotFound, &format!("the embedded engine has no {path}")),
    }
}

async fn chat(host: &Host, body: Incoming) -> Answer {
    let body = match read::collect(body, LONGEST).await {
        Ok(Some(body)) => body,
        _ => return fail(Fault::Invalid, "the body broke off"),
    };
    let wanted = match Wanted::read(&body, &host.name, &host.find) {
        Ok(wanted) => wanted,
        Err((fault, message)) => return fail(fault, &message),
    };
    match host.batcher.generate(wanted.request.clone()).await {
        Ok(generation) => told(&wanted, generation),
        Err(error @ (ModelError::ContextLength { .. } | ModelError::Invalid(_))) => {
            fail(Fault::Invalid, &error.to_string())
        }
        Err(error) => fail(Fault::Unavailable, &error.to_string()),
    }
}

fn told(wanted: &Wanted, generation: Generation) -> Answer {
    let (text, stopped) = wanted.until_stop(&generation.text);
    let finish = match generation.finish {
        FinishReason::Length if !stopped => "length",
        _ => "stop",
    };
    let usage = json!({"prompt_tokens": generation.prompt_tokens, "completion_tokens": generation.completion_tokens,
                       "total_tokens": generation.prompt_tokens + generation.completion_tokens});
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let id = format!("chatcmpl-{:016x}", rand::random::<u64>());
    let head = |object: &str| json!({"id": id, "object": object, "created": created, "model": wanted.model});
    let with = |mut value: Value, choice: Value, usage: Option<&Value>| {
        value["choices"] = if choice.is_null() { json!([]) } else { json!([choice]) };
        if let Some(usage) = usage {
            value["usage"] = usage.clone();
        }
        value
    };
    if !wanted.stream {
        let message = json!({"role": "assistant", "content": text});
        let choice = json!({"index": 0, "message": message, "finish_reason": finish});
        let whole = with(head("chat.completion"), choice, Some(&usage));
        return reply(StatusCode::OK, "application/json", whole.to_string());
    }
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        with(head("chat.completion.chunk"), choice, None)
    };
    let mut events = vec![
        chunk(json!({"role": "assistant", "content": text}), Value::Null),
        chunk(json!({}), json!(finish)),
    ];
    if wanted.usage {
        events.push(with(head("chat.completion.chunk"), Value::Null, Some(&usage)));
    }
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    reply(StatusCode::OK, "text/event-stream", format!("{events}data: [DONE]\n\n"))
}

fn fail(fault: Fault, message: &str) -> Answer {
    let mut out = Response::new(Full::new(Bytes::from(error_json(fault, message))));
    *out.status_mut() = fault.status();
    out.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    out
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut out = Response::new(Full::new(Bytes::from(body)));
    *out.status_mut() = status;
    out.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(kind));
    out
}
