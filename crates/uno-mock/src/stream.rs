//! Answers as streams of server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, header};
use axum::response::IntoResponse;
use futures::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::chat::Busy;

/// A stream of the words of an answer, `pause_ms` apart. `busy` ends when the stream is over or nobody reads it any more.
pub(crate) fn words(
    words: Vec<String>,
    model: &str,
    finish: &str,
    usage: &Value,
    pause_ms: u64,
    busy: Busy,
) -> Response<Body> {
    let mut events: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(i, word)| chunk(model, &if i == 0 { word.clone() } else { format!(" {word}") }, None))
        .collect();
    events.push(chunk(model, "", Some(finish)));
    events.push(event(&json!({"id": "chatcmpl-mock", "object": "chat.completion.chunk", "model": model, "choices": [], "usage": usage})));
    events.push("data: [DONE]\n\n".to_owned());
    let paced = futures::stream::iter(events).then(move |event| {
        let _ = &busy;
        async move {
            if pause_ms > 0 {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            Ok::<_, std::io::Error>(event)
        }
    });
    response(Body::from_stream(paced))
}

/// A stream that begins like an answer and goes on as `rest`.
pub(crate) fn begun(rest: impl Stream<Item = std::io::Result<String>> + Send + 'static) -> Response<Body> {
    let first = futures::stream::iter(["amber", " birch"]).then(|word| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(chunk("mock-model", word, None))
    });
    response(Body::from_stream(first.chain(rest)))
}

fn response(body: Body) -> Response<Body> {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], body).into_response()
}

fn chunk(model: &str, text: &str, finish: Option<&str>) -> String {
    event(&json!({"id": "chatcmpl-mock", "object": "chat.completion.chunk", "model": model,
                  "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}))
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}
