//! A server that answers every request with the same words.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::number;

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"static","choices":[{"index":0,"message":{"role":"assistant","content":"The answer is the same every time, which makes it easy to measure what stands in between."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":18,"total_tokens":30}}"#;
const MODELS: &str = r#"{"object":"list","data":[{"id":"static","object":"model"}]}"#;

pub async fn serve(place: &str, options: &HashMap<String, String>) {
    let (chunks, pause) =
        (number(options, "chunks", 50.0) as usize, number(options, "pause-ms", 20.0) as u64);
    let listener = TcpListener::bind(place).await.expect("the address is free");
    println!("listening on {place}");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, chunks, pause));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn answer(request: Request<Incoming>, chunks: usize, pause: u64) -> Result<Answer, Infallible> {
    if request.method() == Method::GET {
        return Ok(json(MODELS));
    }
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    // No parsing: this side must cost as little as it can.
    if !body.windows(13).any(|w| w == b"\"stream\":true") {
        return Ok(json(ANSWER));
    }
    let events = futures::stream::iter(0..=chunks).then(move |i| async move {
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let event = if i == chunks {
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
                .to_owned()
        } else {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word{i} \"}}}}]}}\n\n")
        };
        Ok::<_, Infallible>(Frame::data(Bytes::from(event)))
    });
    let mut reply = Response::new(StreamBody::new(events).boxed_unsync());
    reply.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
    Ok(reply)
}

fn json(text: &'static str) -> Answer {
    let mut reply = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync());
    reply.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    reply
}
