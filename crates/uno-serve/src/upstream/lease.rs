//! What is in flight: a server's requests, and those by adapter, so that none is unloaded under a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Replica;

/// A request in flight. Counted until it is dropped, which is when its answer has gone through.
pub struct Lease {
    replica: Arc<Replica>,
    adapter: Option<Arc<str>>,
}

impl Lease {
    pub(super) fn new(replica: Arc<Replica>, adapter: Option<Arc<str>>) -> Self {
        // In one order with the look at who is held.
        replica.in_flight.fetch_add(1, Ordering::SeqCst);
        if let Some(name) = &adapter {
            *replica.adapters().in_flight.entry(name.clone()).or_default() += 1;
        }
        Self { replica, adapter }
    }

    /// The server.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.replica.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Some(name) = &self.adapter else { return };
        let mut adapters = self.replica.adapters();
        if let Some(n) = adapters.in_flight.get_mut(name) {
            *n -= 1;
            if *n == 0 {
                adapters.in_flight.remove(name);
            }
        }
        drop(adapters);
        self.replica.drained.notify_waiters();
    }
}
