//! One server and what is known about it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Address;
use super::wire::Idle;

/// A server and what is known about it.
pub struct Replica {
    /// Where it is.
    pub address: Address,
    /// Requests it works on for us.
    pub(super) in_flight: AtomicUsize,
    /// It could not be reached; asked only when all are down, and by the health check.
    down: AtomicBool,
    adapters: Mutex<Adapters>,
    /// Connections that wait for their next request.
    pub(super) idle: Idle,
    /// A request ended.
    pub drained: Notify,
    /// An adapter is about to be loaded: who must wait meanwhile, a [`Hold`] as a number.
    held: AtomicU8,
    freed: Notify,
}

/// Who is kept away from a server while an adapter is loaded into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// Nobody.
    Nobody,
    /// Requests to adapters.
    Adapters,
    /// Every request.
    All,
}

/// The adapters of a server.
#[derive(Default)]
pub(super) struct Adapters {
    /// Loaded and probed: may be routed to.
    pub(super) ready: HashSet<Arc<str>>,
    pub(super) in_flight: HashMap<Arc<str>, usize>,
}

impl Replica {
    /// A server that is taken for well until it shows otherwise.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            in_flight: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            adapters: Mutex::default(),
            idle: Idle::default(),
            drained: Notify::new(),
            held: AtomicU8::new(Hold::Nobody as u8),
            freed: Notify::new(),
        }
    }

    /// Keeps requests away, or lets them come again. Those in flight go on; those that come wait until they may.
    pub fn hold(&self, who: Hold) {
        self.held.store(who as u8, Ordering::SeqCst);
        self.freed.notify_waiters();
    }

    /// Whether requests to the base model, or with `adapter` those to an adapter, must wait.
    pub fn is_held(&self, adapter: bool) -> bool {
        let least = if adapter { Hold::Adapters } else { Hold::All };
        self.held.load(Ordering::SeqCst) >= least as u8
    }

    /// Waits until requests may come again, or for a moment: whoever waits looks again.
    pub(super) async fn until_free(&self, adapter: bool) {
        let freed = self.freed.notified();
        if self.is_held(adapter) {
            let _ = tokio::time::timeout(Duration::from_secs(1), freed).await;
        }
    }

    pub(super) fn adapters(&self) -> MutexGuard<'_, Adapters> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it could not be reached last time.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Notes whether it could be reached.
    pub fn set_down(&self, down: bool) {
        if self.down.load(Ordering::Relaxed) != down {
            self.down.store(down, Ordering::Relaxed);
        }
    }

    /// Closes connections that are no longer of use.
    pub fn sweep(&self) {
        self.idle.sweep();
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Requests in flight for an adapter.
    pub fn in_flight_of(&self, adapter: &str) -> usize {
        self.adapters().in_flight.get(adapter).copied().unwrap_or(0)
    }

    /// Requests in flight for any adapter.
    pub fn in_flight_of_all(&self) -> usize {
        self.adapters().in_flight.values().sum()
    }

    /// From now on (or no longer) requests are routed to the adapter here.
    pub fn set_ready(&self, adapter: &str, ready: bool) {
        let mut adapters = self.adapters();
        if ready {
            adapters.ready.insert(adapter.into());
        } else {
            adapters.ready.remove(adapter);
        }
    }

    /// Adapters that may be routed to, sorted.
    pub fn ready(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.adapters().ready.iter().cloned().collect();
        names.sort();
        names
    }

    /// Whether the adapter may be routed to here.
    pub fn is_ready(&self, adapter: &str) -> bool {
        self.adapters().ready.contains(adapter)
    }
}
