//! The admin plane: an address of its own, off by default, and with a key of scope `admin` where there are keys.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use crate::auth::Scope;
use crate::gateway::Gateway;
use crate::health;
use crate::http::Reply;
use crate::http::reply::{self, Fault};

/// Answers one request of an operator.
pub async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    if let Err(no) = gateway.auth.check(request.headers(), Scope::Admin) {
        return *no;
    }
    match (request.method(), path) {
        (&Method::GET, "/metrics") => reply::bytes(
            StatusCode::OK,
            "text/plain; version=0.0.4",
            gateway.metrics.text(&gateway).into_bytes(),
        ),
        (&Method::GET, "/health") => health::health(),
        (&Method::GET, "/ready") => health::ready(&gateway),
        (&Method::GET, "/admin/state") => reply::json(StatusCode::OK, &state(&gateway)),
        (&Method::POST, "/admin/reload") => {
            let shared = Arc::clone(&gateway);
            match tokio::task::spawn_blocking(move || shared.auth.reload().map_err(|e| e.to_string())).await {
                Ok(Ok(_)) => reply::json(StatusCode::OK, &state(&gateway)),
                Ok(Err(e)) => reply::error(Fault::Invalid, &e),
                Err(e) => reply::error(Fault::Unavailable, &e.to_string()),
            }
        }
        (method, path) => reply::error(Fault::NotFound, &format!("there is no {method} {path} here")),
    }
}

fn state(gateway: &Gateway) -> serde_json::Value {
    let replicas: Vec<_> = gateway
        .replicas
        .iter()
        .map(|r| {
            let adapters: Vec<String> = r.ready().iter().map(|a| a.to_string()).collect();
            json!({"address": r.address.to_string(), "up": !r.is_down(), "in_flight": r.in_flight(), "adapters": adapters})
        })
        .collect();
    let trial = gateway.plans.trial().map(|(s, shares)| {
        json!({"plan": s.id.as_ref(), "shares": shares.as_ref(), "judged": gateway.judged.of(&s.id)})
    });
    json!({
        "plan": gateway.plans.current().map(|s| s.id.to_string()),
        "next": gateway.plans.next().map(|s| s.id.to_string()),
        "trial": trial,
        "replicas": replicas,
    })
}
