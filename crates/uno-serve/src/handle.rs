//! What is asked for: paths and methods, who may, and who does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Method, Request};

use crate::auth::Scope;
use crate::chat::{self, Call};
use crate::gateway::Gateway;
use crate::http::reply::{self, Fault};
use crate::http::{Reply, read};
use crate::trace::TraceContext;
use crate::{feedback, health, pass};

/// Answers one request of a client.
pub async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Reply {
    let started = Instant::now();
    match serve(&gateway, request, started).await {
        Ok(reply) => reply,
        Err(reply) => {
            gateway.metrics.refused.fetch_add(1, Ordering::Relaxed);
            *reply
        }
    }
}

async fn serve(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
    started: Instant,
) -> Result<Reply, Box<Reply>> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path();
    // Paths without spans of their own leave the caller's trace as it is.
    let traces = gateway.traces.as_ref().filter(|_| path.ends_with("/completions"));
    let trace = traces.map(|traces| TraceContext::enter(&mut head.headers, traces.sample));
    let limits = &gateway.options.limits;
    let read = |body| async move {
        read::body(body, limits.body_mib << 20, Duration::from_secs(limits.body_seconds))
            .await
            .map_err(Box::new)
    };
    match (&head.method, path) {
        (&Method::GET, "/health") => Ok(health::health()),
        (&Method::GET, "/ready") => Ok(health::ready(gateway)),
        (&Method::POST, "/v1/chat/completions" | "/v1/completions") => {
            let caller = gateway.auth.check(&head.headers, Scope::Chat)?;
            let chat = path == "/v1/chat/completions";
            let body = read(body).await?;
            let call = Call { caller, headers: head.headers, body, started, trace };
            if chat { chat::answer(gateway, call).await } else { pass::completions(gateway, call).await }
        }
        (&Method::POST, "/v1/embeddings") => {
            let caller = gateway.auth.check(&head.headers, Scope::Chat)?;
            let body = read(body).await?;
            pass::through(
                gateway,
                "/embeddings",
                Call { caller, headers: head.headers, body, started, trace },
            )
            .await
        }
        (&Method::GET, "/v1/models") => {
            gateway.auth.check(&head.headers, Scope::Chat)?;
            pass::models(gateway, &head.headers).await
        }
        (&Method::POST, "/v1/feedback") => {
            let caller = gateway.auth.check(&head.headers, Scope::Feedback)?;
            feedback::give(gateway, &caller, &read(body).await?).await
        }
        (&Method::DELETE, path) if path.starts_with("/v1/feedback/") => {
            let caller = gateway.auth.check(&head.headers, Scope::Feedback)?;
            feedback::withdraw(gateway, &caller, &path["/v1/feedback/".len()..], head.uri.query()).await
        }
        (
            _,
            "/health"
            | "/ready"
            | "/v1/chat/completions"
            | "/v1/completions"
            | "/v1/embeddings"
            | "/v1/models"
            | "/v1/feedback",
        ) => Err(Box::new(reply::error(
            Fault::Method,
            &format!("{} {path}: another method is needed", head.method),
        ))),
        _ => {
            Err(Box::new(reply::error(Fault::NotFound, &format!("there is no {} {path} here", head.method))))
        }
    }
}
