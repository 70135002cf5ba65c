//! What happens beside the requests: plans and keys are read again when they change, servers that are down are asked again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

use crate::gateway::Gateway;

/// Pause between looks.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the plan in force when it changed. One that cannot be read leaves the present one in force.
#[derive(Default)]
pub struct PlanWatch {
    stamp: Option<String>,
}

impl PlanWatch {
    /// Looks once; blocking.
    pub fn look(&mut self, gateway: &Gateway) {
        let stamp = gateway.source.stamp();
        if self.stamp.as_ref() == Some(&stamp) {
            return;
        }
        self.stamp = Some(stamp);
        match gateway.source.current() {
            Ok(snapshot) => {
                let id = snapshot.as_ref().map(|s| s.id.to_string());
                let before = gateway.plans.current().map(|s| s.id.to_string());
                if id != before {
                    tracing::info!(plan = id.as_deref().unwrap_or("none"), "routing by another plan");
                }
                gateway.plans.set_current(snapshot);
            }
            Err(error) => {
                gateway.metrics.plan_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("the plan cannot be read, the one before stays in force: {error}");
            }
        }
    }
}

/// Runs until the gateway ends.
pub async fn watch(gateway: Arc<Gateway>, mut plans: PlanWatch) {
    loop {
        tokio::time::sleep(EVERY).await;
        let shared = Arc::clone(&gateway);
        let looked = tokio::task::spawn_blocking(move || {
            plans.look(&shared);
            if let Err(error) = shared.auth.reload() {
                tracing::warn!("the keys cannot be read, those before stay in force: {error}");
            }
            plans
        });
        plans = looked.await.unwrap_or_default();
        for replica in gateway.replicas.iter().filter(|r| r.is_down()) {
            let sent = gateway.client.send(replica, Method::GET, "/models", HeaderMap::new(), Bytes::new());
            let _ = tokio::time::timeout(EVERY, sent).await;
        }
    }
}
