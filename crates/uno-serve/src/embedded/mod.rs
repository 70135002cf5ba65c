//! The embedded engine as a server: one laptop runs everything. It listens on a free port of this machine and speaks the same API
//! as any other server, so that the gateway before it needs to know nothing about it.
//!
//! One batch runs on a thread of its own (`engine`). Requests wait for it in a bounded queue (`queue`), join between two of its
//! steps with any mix of adapters, and their texts go out token by token (`say`).

mod body;
mod engine;
mod queue;
mod request;
mod say;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use uno_models::EmbeddedChat;
use uno_types::{AdapterRef, ModelError};

use crate::http::read;
use crate::http::reply::{Fault, error_json};
use body::LocalBody;
use engine::{Engine, Heard, Said};
use request::{Kind, Wanted};
use say::Teller;

pub use engine::EngineStats;

/// Largest body, bytes. The gateway's own limit comes first.
const LONGEST: usize = 64 << 20;

/// Finds an adapter of the plans in force by its name.
pub type FindAdapter = Arc<dyn Fn(&str) -> Option<AdapterRef> + Send + Sync>;

/// The server as others see it.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it is doing.
    pub stats: Arc<EngineStats>,
}

struct Host {
    name: String,
    engine: Engine,
    find: FindAdapter,
}

/// Serves `model` under `name` until the runtime ends. At most `queue` requests wait beside those in the batch; more are refused
/// with 429 and a time to come back.
///
/// # Errors
/// When no port or thread can be had.
pub async fn start(
    model: Arc<EmbeddedChat>,
    name: &str,
    queue: usize,
    find: FindAdapter,
) -> std::io::Result<Embedded> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let engine = Engine::start(model, queue)?;
    let stats = Arc::clone(engine.stats());
    let host = Arc::new(Host { name: name.to_owned(), engine, find });
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, for example: others may end meanwhile.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let host = Arc::clone(&host);
            let service = service_fn(move |request| {
                let host = Arc::clone(&host);
                async move { Ok::<_, Infallible>(answer(&host, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(Embedded { address, stats })
}

type Answer = Response<LocalBody>;

async fn answer(host: &Host, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/models") => {
            let card = json!({"id": host.name, "object": "model", "owned_by": "uno"});
            whole(StatusCode::OK, json!({"object": "list", "data": [card]}).to_string())
        }
        (&Method::POST, "/v1/chat/completions") => complete(host, Kind::Chat, request.into_body()).await,
        (&Method::POST, "/v1/completions") => complete(host, Kind::Text, request.into_body()).await,
        (_, path) => fail(Fault::NotFound, &format!("the embedded engine has no {path}")),
    }
}

async fn complete(host: &Host, kind: Kind, body: Incoming) -> Answer {
    let body = match read::collect(body, LONGEST).await {
        Ok(Some(body)) => body,
        _ => return fail(Fault::Invalid, "the body broke off"),
    };
    let wanted = match Wanted::read(kind, &body, &host.name, &host.find) {
        Ok(wanted) => wanted,
        Err((fault, message)) => return fail(fault, &message),
    };
    let mut heard = match host.engine.ask(wanted.live).await {
        Ok(heard) => heard,
        Err(engine::Refused::Busy { seconds }) => {
            let message = format!("too many requests wait for the embedded engine; try again in {seconds} s");
            return fail(Fault::TooMany(seconds), &message);
        }
        Err(engine::Refused::Model(error)) => return fail(fault_of(&error), &error.to_string()),
    };
    let teller = Teller::new(kind, wanted.model, wanted.usage);
    // What fails before the first word has a status of its own.
    match (heard.next().await, wanted.stream) {
        (Said::Ended(Err(error)), _) => fail(fault_of(&error), &error.to_string()),
        (first, true) => {
            let mut out = Response::new(LocalBody::events(teller, first, heard));
            out.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            out
        }
        (first, false) => in_one_piece(&teller, first, heard).await,
    }
}

async fn in_one_piece(teller: &Teller, first: Said, mut heard: Heard) -> Answer {
    let mut said = first;
    loop {
        match said {
            // The whole text comes with the end.
            Said::Text(_) => said = heard.next().await,
            Said::Ended(Ok(generation)) => return whole(StatusCode::OK, teller.whole(&generation)),
            Said::Ended(Err(error)) => return fail(fault_of(&error), &error.to_string()),
        }
    }
}

fn fault_of(error: &ModelError) -> Fault {
    match error {
        ModelError::ContextLength { .. } | ModelError::Invalid(_) => Fault::Invalid,
        ModelError::Upstream(_) | ModelError::Engine(_) | ModelError::Stopped(_) => Fault::Unavailable,
    }
}

fn fail(fault: Fault, message: &str) -> Answer {
    let mut out = whole(fault.status(), error_json(fault, message));
    if let Fault::TooMany(seconds) = fault {
        out.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    out
}

fn whole(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut out = Response::new(LocalBody::full(body));
    *out.status_mut() = status;
    out.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    out
}
