//! Whether the gateway lives, and whether it should get requests.

use std::sync::atomic::Ordering;

use hyper::StatusCode;
use serde_json::json;

use crate::gateway::Gateway;
use crate::http::{Reply, reply};

/// It lives.
pub fn health() -> Reply {
    reply::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// Ready: some server can be reached and the gateway is not about to end. The plan, the embedder and the log store are no
/// condition, because the base model answers without them; they are told.
pub fn ready(gateway: &Gateway) -> Reply {
    let stopping = gateway.stopping.load(Ordering::Relaxed);
    let up = gateway.replicas.iter().filter(|r| !r.is_down()).count();
    let ready = !stopping && up > 0;
    let plan = gateway.plans.current().map(|p| p.id.to_string());
    let told = json!({
        "ready": ready,
        "stopping": stopping,
        "servers": gateway.replicas.iter().count(),
        "servers_up": up,
        "plan": plan,
        "routing": plan.is_some() && gateway.embedder.is_some(),
        "log_store": !gateway.log.stats().store_down.load(Ordering::Relaxed),
    });
    reply::json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &told)
}
