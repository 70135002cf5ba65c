//! What happens beside the requests: plans and keys are read again when they change, servers that are down are asked again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

use crate::gateway::{Adapters, Gateway};
use crate::rollout::Rollout;

/// Pause between looks.
const EVERY: Duration = Duration::from_millis(250);

/// Longest wait for a server that was down.
const PROBE: Duration = Duration::from_secs(1);

/// Reads the plan in force when it changed. One that cannot be read leaves the present one in force.
#[derive(Default)]
pub struct PlanWatch {
    stamp: Option<String>,
    rollout: Rollout,
}

impl PlanWatch {
    /// Looks once; blocking.
    pub fn look(&mut self, gateway: &Arc<Gateway>) {
        self.read(gateway);
        self.rollout.look(gateway);
        if matches!(gateway.adapters, Adapters::Embedded(_)) {
            for (replica, adapter) in gateway
                .replicas
                .iter()
                .flat_map(|r| gateway.plans.wanted_adapters().into_iter().map(move |a| (r, a)))
            {
                replica.set_ready(&adapter.name, true);
            }
        }
        if gateway.plans.settle(|adapter| gateway.is_ready(adapter), gateway.slots()) {
            let plan = gateway.plans.current().map(|s| s.id.to_string());
            tracing::info!(plan = plan.as_deref().unwrap_or_default(), "routing by another plan");
        }
    }

    fn read(&mut self, gateway: &Gateway) {
        let stamp = gateway.source.stamp();
        if self.stamp.as_ref() == Some(&stamp) {
            return;
        }
        self.stamp = Some(stamp);
        match gateway.source.current() {
            Ok(Some(snapshot)) if self.rollout.takes(gateway, &snapshot) => {}
            Ok(Some(snapshot)) if !matches!(gateway.adapters, Adapters::Nobody) => {
                gateway.plans.set_next(snapshot)
            }
            Ok(snapshot) => gateway.plans.set_current(snapshot),
            Err(error) => {
                gateway.metrics.plan_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("the plan cannot be read, the one before stays in force: {error}");
            }
        }
    }
}

/// Runs until the gateway ends.
pub async fn watch(gateway: Arc<Gateway>, mut plans: PlanWatch) {
    let none = HeaderMap::new();
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
        gateway.replicas.iter().for_each(|replica| replica.sweep());
        // Where adapters are loaded, the thread that does so notices; a server must not get requests before its adapters are seen to.
        let idle = if matches!(gateway.adapters, Adapters::Servers(_)) { 0 } else { usize::MAX };
        for replica in gateway.replicas.iter().filter(|r| r.is_down()).take(idle) {
            let sent = gateway.client.send(replica, Method::GET, "/models", &none, Bytes::new());
            let _ = tokio::time::timeout(PROBE, sent).await;
        }
    }
}
